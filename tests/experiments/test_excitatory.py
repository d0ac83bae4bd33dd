"""The claims of `jaxnlif run excitatory`, on fewer runs and a coarser grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.cli import main
from jaxnlif.experiments import excitatory
from jaxnlif.experiments.excitatory_networks import Family, Setting
from jaxnlif.store.files import read_arrays

from ..test_cli import complaint

COARSE = Setting(nodes=120, cells=10)
# With the weights of the runs: nothing compiles again.
ONE_WEIGHT, MANY_WEIGHTS, BOUNDED = COARSE.one_weight, COARSE.many_weights, COARSE.bounded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def arrays():
    return (
        excitatory.stationary_branches(COARSE)
        | excitatory.attraction(COARSE)
        | excitatory.hysteresis(COARSE, duration=15.0)
        | excitatory.relaxation(COARSE, couplings=(0.5, 1.5))
        | excitatory.blow_up(replace(COARSE, couplings=(1.5, 4.0, 8.0)))
    )


@pytest.mark.parametrize(("coupling", "count"), [(0.5, 1), (1.5, 2), (2.0, 2), (3.0, 0)])
def test_stationary_rates_of_one_weight_are_those_of_the_toolbox(coupling, count):
    rates = ONE_WEIGHT.stationary_rates(coupling)
    assert rates.size == count
    expected = jn.stationary.self_consistent_rates(coupling, 0.0)
    np.testing.assert_allclose(rates, expected, rtol=1e-4)  # float32, near the fold


def test_drive_and_noise_are_those_of_the_toolbox():
    strong = Setting(drive=-0.5, noise=2.0)
    rates = strong.one_weight.stationary_rates(1.5, strong.drive)
    expected = jn.stationary.self_consistent_rates(1.5, -0.5, 2.0)
    np.testing.assert_allclose(rates, expected, rtol=1e-4)
    network = strong.one_weight.network(1.5, ramp=strong.still)
    assert float(network.noise) == 2.0
    np.testing.assert_array_equal(network.drive.values, -0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--coupling 3", "--coupling = 3: must have two stationary rates"),
        ("--coupling 2 --drive 0.5", "--coupling = 2: must have two stationary rates"),
        ("--noise 0", "--noise = 0: must lie between 0.05 and 20"),
        ("--drive nan", "--drive = nan: must be finite"),
        ("--couplings 1 13", "--couplings = 13: must lie between -3 and 12"),
        ("--num-v 100", "--num-v = 100: must be a multiple of 8"),
    ],
)
def test_wrong_options_are_refused(options, message, tmp_path, capsys):
    assert main(["run", "excitatory", *options.split(), "--out", str(tmp_path / "new")]) == 2
    assert message in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


def test_structured_networks_have_none_one_two_or_three_stationary_rates():
    assert [MANY_WEIGHTS.stationary_rates(b).size for b in (0.5, 1.5, 3.0)] == [1, 2, 0]
    assert [BOUNDED.stationary_rates(8.0, drive).size for drive in (0.0, -1.5)] == [1, 3]


def test_narrowly_distributed_weights_are_one_weight():
    narrow = Family(jn.Identity(), jn.WeightGrid(1.45, 1.55, num=10), variance=1e-5)
    np.testing.assert_allclose(
        narrow.stationary_rates(1.5), ONE_WEIGHT.stationary_rates(1.5), rtol=1e-3
    )


def test_branches_turn_at_the_folds(arrays):
    coupling, _ = arrays["fold_one_weight"]
    assert np.nanmax(arrays["branch_one_weight"]) == pytest.approx(coupling, rel=1e-3)
    assert arrays["fold_many_weights"][0] < coupling
    bounded = arrays["branch_bounded"]
    assert np.all(np.diff(bounded[np.isfinite(bounded)]) > 0)


def test_low_rate_attracts_and_high_rate_repels(arrays):
    for runs in (arrays, excitatory.attraction(replace(COARSE, coupling=1.5))):
        low, high = runs["attraction_rates"]
        below, above = runs["attraction_rate"][:3], runs["attraction_rate"][3:]
        assert np.all(np.isinf(runs["attraction_end"][:3]))
        assert np.all(abs(below[:, -1] - low) < 0.3 * abs(below[:, 0] - low))
        assert np.all(np.isfinite(runs["attraction_end"][3:]))
        assert np.all(np.nanmin(above, axis=1) > high)


def test_bounded_response_switches_at_two_drives(arrays):
    up, down = arrays["hysteresis_jumps"]
    assert up > down + 1
    assert np.isinf(arrays["hysteresis_bounded_end"])
    assert np.isfinite(arrays["hysteresis_one_weight_end"])


def test_relative_entropy_falls_to_rounding(arrays):
    for entropy in arrays["relaxation_entropy"]:
        above_rounding = entropy > 1e-8
        assert np.all(np.diff(entropy[above_rounding]) < 0)
        assert entropy[-1] < 1e-8


def test_relative_entropy_of_scaled_exponentials():
    cell, x = 1e-3, 1e-3 * (np.arange(40_000) + 0.5)
    density, equilibrium = 2 * np.exp(-2 * x)[None, :, None], np.exp(-x)[:, None]
    entropy = excitatory.relative_entropy(density, equilibrium, cell)
    assert entropy == pytest.approx(np.log(2) - 0.5, rel=1e-5)


def test_unbounded_networks_blow_up_the_sooner_the_stronger(arrays):
    for name in ("one_weight", "many_weights"):
        below_fold, *above = arrays[f"blow_up_{name}_end"]
        assert np.isinf(below_fold)
        assert np.isfinite(above).all()
        assert np.all(np.diff(above) < 0)


def test_concentrated_start_blows_up_in_spite_of_stationary_rates(arrays):
    assert arrays["blow_up_near_threshold_end"][0] < 0.05


def test_bounded_response_never_blows_up(arrays):
    assert np.isinf(arrays["blow_up_bounded_end"]).all()
    assert np.isfinite(arrays["blow_up_bounded_rate"]).all()


def test_run_writes_arrays_and_figure_and_prints_a_table(arrays, tmp_path, monkeypatch, capsys):
    for part in ("attraction", "hysteresis", "relaxation", "blow_up"):
        monkeypatch.setattr(excitatory, part, lambda *_: {})
    monkeypatch.setattr(excitatory, "stationary_branches", lambda *_: arrays)
    assert main(["run", "excitatory", "--out", str(tmp_path / "new")]) == 0
    written, _ = read_arrays(tmp_path / "new" / "excitatory.npz")
    assert written.keys() == arrays.keys()
    assert (tmp_path / "new" / "excitatory.png").stat().st_size > 0
    assert "fold of one weight: coupling 2.1010" in capsys.readouterr().out


def test_interrupt_leaves_what_is_complete(tmp_path, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(excitatory, "stationary_branches", lambda *_: {"branch_rate": np.ones(2)})
    monkeypatch.setattr(excitatory, "attraction", interrupt)
    assert main(["run", "excitatory", "--out", str(tmp_path)]) == 130
    written, _ = read_arrays(tmp_path / "excitatory.npz")
    assert list(written) == ["branch_rate"]
    assert "saved so far" in capsys.readouterr().err
