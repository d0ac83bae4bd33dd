"""The claims of `jaxnlif run microcircuit`, on a short run."""

from __future__ import annotations

import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.cli import main
from jaxnlif.experiments import brunel_network, microcircuit, microcircuit_parts
from jaxnlif.experiments.microcircuit_parts import NAMES, SIMULATED, Setting
from jaxnlif.store.files import read_arrays

from ..test_cli import complaint

pytestmark = pytest.mark.slow


WHITE = np.array([0.8209, 3.0087, 4.6328, 6.1042, 7.1366, 8.9049, 1.0430, 8.0722])


@pytest.fixture(scope="module")
def linear():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(microcircuit_parts, "_STARTS", 10)
        patch.setattr(microcircuit_parts, "_is_stable", lambda *_: True)  # takes long
        return microcircuit_parts.linear(Setting(nodes=60), WHITE)


def test_names_and_units_are_those_of_the_circuits():
    cortex, brunel = jn.circuits.microcircuit(), jn.circuits.brunel(5.0, 2.0)
    assert cortex.names == NAMES
    assert cortex.units == microcircuit_parts.UNITS
    assert brunel.units == brunel_network.UNITS


def test_disturbances_grow_beyond_the_hopf_point(linear):
    leading = linear["eigenvalues"][0]
    assert 20 < leading.real < 80
    assert leading.imag / (2 * np.pi) == pytest.approx(85, abs=3)
    np.testing.assert_allclose(linear["hopf"], [6.41, 80.3], rtol=0.05)


def test_spectra_of_the_stable_circuit_have_their_peak_there(linear):
    assert linear["linear_external_rate"] == pytest.approx(0.9 * linear["hopf"][0])
    low = linear["linear_frequency"] < 130
    peaks = linear["linear_frequency"][low][linear["linear_power"][:, low].argmax(axis=1)]
    np.testing.assert_allclose(peaks, 80, atol=6)


def test_command_follows_the_density_and_writes_everything(linear, tmp_path, monkeypatch, capsys):
    rates = {"stationary_white": WHITE, "stationary_shift": WHITE, "simulated": np.array(SIMULATED)}
    fit = {"fit_external_rate": np.full(8, 7.7), "fit_error": np.full(8, 0.1)}
    fit |= {"fit_rate": WHITE, "fit_target": WHITE, "fit_message": np.array("converged")}
    monkeypatch.setattr(microcircuit, "states", lambda *_: rates)
    monkeypatch.setattr(microcircuit, "linear", lambda *_: linear)
    monkeypatch.setattr(microcircuit, "fitted", lambda *_: fit)
    sizes = "--num-v 80 --t1 300 --dt 0.2 --no-progress --out"
    assert main(["run", "microcircuit", *sizes.split(), str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "grow at" in printed
    assert "7.700 ± 0.100" in printed
    assert "fit: converged; its worst rate is 0 % off" in printed
    assert (tmp_path / "microcircuit.png").stat().st_size > 10_000
    arrays, metadata = read_arrays(tmp_path / "microcircuit.npz")
    assert metadata["external_rate"] == 8
    assert arrays["rhythm"] == pytest.approx(83, abs=6)
    np.testing.assert_allclose(arrays["time_mean"], SIMULATED, rtol=0.15)


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
