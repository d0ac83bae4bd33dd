"""The claims of `jaxnlif run brunel`, on few runs."""

from __future__ import annotations

import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.cli import main
from jaxnlif.experiments import brunel
from jaxnlif.experiments.brunel_boundaries import STARTS, boundaries
from jaxnlif.experiments.brunel_network import UNITS, folded, rhythm
from jaxnlif.store.files import read_arrays

from ..test_cli import complaint

pytestmark = pytest.mark.slow


def test_the_rhythm_of_a_wave_is_its_frequency():
    ms = np.linspace(0, 300, 3001)
    rate = 50 + np.sin(2 * np.pi * ms * 187.3 / 1e3)
    assert rhythm(ms, rate) == pytest.approx(187.3, rel=1e-3)


def test_variation_leaves_out_that_of_independent_neurons():
    ms, rng = np.arange(20_000) * 0.1, np.random.default_rng(0)
    rate = rng.poisson(12_500 * 40.0 * 1e-4, ms.size) / (12_500 * 1e-4)
    mean, variation, _ = brunel.measures(ms, rate, 12_500)
    assert mean == pytest.approx(40, rel=0.01)
    assert variation < 0.05


@pytest.fixture(scope="module")
def found():
    return boundaries()


def test_boundaries_pass_through_the_known_hopf_points(found):
    def at(curve, column, value):
        order = np.argsort(found[curve][:, column])
        return [np.interp(value, *found[curve][order][:, [column, k]].T) for k in (1, 3)]

    np.testing.assert_allclose(at("fast", 0, 6.0), [3.2550, 176.2], rtol=0.02)
    upper = found["slow"][found["slow"][:, 0] > 4]
    eta, hertz = (np.interp(4.5, *upper[np.argsort(upper[:, 0])][:, [0, k]].T) for k in (1, 3))
    np.testing.assert_allclose([eta, hertz], [0.9126, 31.81], rtol=0.01)


def test_boundaries_go_from_end_to_end(found):
    assert found.keys() == STARTS.keys()
    assert found["fast"][-1, 0] > 8
    assert found["fast"][0, 1] > 4
    assert found["regular"][-1, 1] > 4
    for curve in found.values():
        assert np.all(np.isfinite(curve))
        assert len(curve) > 10
    # Above and below, slow oscillations end at the same point.
    np.testing.assert_allclose(found["slow"][-1], found["slow_below"][-1], rtol=0.02)


@pytest.fixture(scope="module")
def arrays(found, tmp_path_factory):
    directory = tmp_path_factory.mktemp("brunel")
    sizes = "--num-g 3 --num-eta 2 --num-v 120 --t1 200 --dt 0.1 --neurons 100 --no-progress"
    known = {"example_stationary": np.full(4, 38.0), "example_eigenvalue": np.full(4, 1 + 1j)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brunel, "boundaries", lambda: found)
        patch.setattr(brunel, "states", lambda: known)
        assert main(["run", "brunel", *sizes.split(), "--out", str(directory)]) == 0
    assert (directory / "brunel.png").stat().st_size > 10_000
    arrays, metadata = read_arrays(directory / "brunel.npz")
    assert metadata["neurons"] == 100
    return arrays


def test_the_diagram_oscillates_beyond_its_boundaries(arrays):
    np.testing.assert_array_equal(arrays["g"], [0, 4, 8])
    np.testing.assert_array_equal(arrays["eta"], [2, 4])
    assert np.all(arrays["cv"][0] > 1)
    assert np.all(arrays["cv"][1] < 0.02)
    assert arrays["cv"][2, 1] > 0.2
    ends = {"threshold": 2.0, "reset": 1.0}
    expected = [jn.stationary.circuit_rate(folded(4.0, eta), 2.0, **ends)[0] for eta in (2.0, 4.0)]
    np.testing.assert_allclose(arrays["mean"][1], UNITS.rate_Hz(np.array(expected)), rtol=1e-3)
    assert np.all(np.diff(arrays["mean"], axis=0) < 0)


def test_examples_are_followed_by_density_and_by_particles(arrays):
    means = [arrays[f"{kind}_rate"][2].mean() for kind in ("example", "particles")]
    np.testing.assert_allclose(means, 37.95, rtol=0.15)
    assert arrays["raster_neuron_2"].max() < 60
    text = "\n".join(brunel.summary(arrays, 100))
    assert "asynchronous irregular" in text
    assert any("voltage noise" in doubt for doubt in brunel.doubts(arrays))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--num-g 1", "--num-g = 1: must be at least 2"),
        ("--num-eta -3", "--num-eta = -3: must be at least 2"),
        ("--num-v 100", "--num-v = 100: must be a multiple of 8"),
        ("--dt 3", "--dt = 3: must lie between 0.01 and 0.5"),
        ("--neurons 5", "--neurons = 5: must be at least 60"),
        ("--t1 1e5 --dt 0.01", "--t1 / --dt = 1e+07 steps, --num-v = 200: needs about"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path, capsys):
    assert main(["run", "brunel", *arguments.split(), "--out", str(tmp_path / "new")]) == 2
    assert message in complaint(capsys)
    assert list(tmp_path.iterdir()) == []
