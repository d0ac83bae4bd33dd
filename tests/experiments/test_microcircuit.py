"""The claims of `jaxnlif run microcircuit`, on a short run."""

from __future__ import annotations

import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.cli import main
from jaxnlif.experiments import brunel_network, microcircuit, microcircuit_parts
from jaxnlif.experiments.microcircuit_parts import NAMES, SIMULATED
from jaxnlif.store.files import read_arrays

from ..test_cli import complaint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    directory = tmp_path_factory.mktemp("microcircuit")
    sizes = "--num-v 80 --t1 300 --dt 0.2 --no-progress --out"
    assert main(["run", "microcircuit", *sizes.split(), str(directory)]) == 0
    assert (directory / "microcircuit.png").stat().st_size > 10_000
    arrays, metadata = read_arrays(directory / "microcircuit.npz")
    assert metadata["external_rate"] == 8
    return arrays


def test_names_and_units_are_those_of_the_circuits():
    cortex, brunel = jn.circuits.microcircuit(), jn.circuits.brunel(5.0, 2.0)
    assert cortex.names == NAMES
    assert cortex.units == microcircuit_parts.UNITS
    assert brunel.units == brunel_network.UNITS


def test_stationary_rates_are_near_those_of_the_simulation(arrays):
    white = [0.8209, 3.0087, 4.6328, 6.1042, 7.1366, 8.9049, 1.0430, 8.0722]
    shift = [0.7542, 2.7937, 4.4402, 5.8229, 7.1536, 8.4698, 1.1597, 7.7557]
    np.testing.assert_allclose(arrays["stationary_white"], white, rtol=1e-4)
    np.testing.assert_allclose(arrays["stationary_shift"], shift, rtol=1e-4)


def test_the_circuit_oscillates_as_its_leading_eigenvalue_says(arrays):
    leading = arrays["eigenvalues"][0]
    assert 20 < leading.real < 80
    assert leading.imag / (2 * np.pi) == pytest.approx(85, abs=3)
    assert arrays["rhythm"] == pytest.approx(83, abs=6)
    np.testing.assert_allclose(arrays["hopf"], [6.41, 80.3], rtol=0.05)


def test_spectra_of_the_stable_circuit_have_their_peak_there(arrays):
    assert arrays["linear_external_rate"] == pytest.approx(0.9 * arrays["hopf"][0])
    low = arrays["linear_frequency"] < 130
    peaks = arrays["linear_frequency"][low][arrays["linear_power"][:, low].argmax(axis=1)]
    np.testing.assert_allclose(peaks, 80, atol=6)


def test_fitted_external_rates_give_the_rates_of_the_simulation(arrays):
    np.testing.assert_allclose(arrays["fit_rate"], SIMULATED, rtol=1e-3)
    assert np.all((arrays["fit_error"] > 0) & (arrays["fit_error"] < 0.2))
    text = "\n".join(microcircuit.summary(arrays))
    assert "grow at" in text
    assert f"{arrays['fit_external_rate'][0]:.3f} ±" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--external-rate 0", "--external-rate = 0: must lie between 1 and 20"),
        ("--num-v 50", "--num-v = 50: must be a multiple of 4"),
        ("--dt 1", "--dt = 1: must lie between 0.01 and 0.2"),
        ("--targets 1 2", "--targets: 2 rates; must be 8, of 2/3E, 2/3I"),
        ("--targets 1 2 3 -4 5 6 7 8", "--targets = -4 of 4I: must lie between 0 and 500 Hz"),
        ("--error 0", "--error = 0: must lie between 0.0001 and 1"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path, capsys):
    assert main(["run", "microcircuit", *arguments.split(), "--out", str(tmp_path / "new")]) == 2
    assert message in complaint(capsys)
    assert list(tmp_path.iterdir()) == []
