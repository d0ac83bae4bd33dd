"""The claims of `jaxnlif run synchrony`, on few neurons."""

import numpy as np
import pytest

from jaxnlif import plot
from jaxnlif.cli import main
from jaxnlif.experiments import synchrony
from jaxnlif.experiments.synchrony_cases import CASES, Run, density_solver, follow, mean_rate
from jaxnlif.store.files import read_arrays

pytestmark = pytest.mark.slow


T1 = 4.2


@pytest.fixture(scope="module")
def strong():
    return follow(CASES["self-sustained"], density_solver(), t1=T1)


def test_the_density_goes_on_through_events(strong):
    times = np.asarray(strong.solution.events.time)
    np.testing.assert_allclose(times[:2], [3.4158, 3.6425], atol=5e-3)


def test_mean_rates_count_what_events_add(strong):
    _, rate = mean_rate(strong.solution)
    total = np.sum(rate * np.diff(np.asarray(strong.solution.ts, float)))
    assert total == pytest.approx(float(strong.solution.spikes[-1]), rel=1e-4)


def test_weak_excitation_has_no_event():
    assert len(follow(CASES["weak"], density_solver(), t1=T1).solution.events.time) == 0


def test_figure_shows_events(strong):
    ax = plot.rate(strong.solution)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [f"{len(strong.solution.events.time)} events"]


def test_summary_names_every_solver(strong):
    text = "\n".join(synchrony.summary({"density": [strong, Run(strong.solution, 0.5)]}))
    assert "density" in text
    assert "3.41" in text


@pytest.mark.slow
def test_command_compares_three_solvers(strong, tmp_path, capsys):
    arguments = ["--neurons", "500", "--t1", str(T1), "--compare", "--seeds", "2", "--no-progress"]
    assert main(["run", "synchrony", *arguments, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "times cheaper than particles" in printed
    arrays, metadata = read_arrays(tmp_path / "synchrony.npz")
    assert metadata["neurons"] == 500
    events = strong.solution.events.time
    assert len(events) > 3
    np.testing.assert_allclose(arrays["density_event_time_0"], events, rtol=1e-5)
    assert (tmp_path / "synchrony.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--neurons", "1"], "--neurons = 1: must be at least 2"),
        (["--case", "strong"], "--case = 'strong': must be one of"),
        (["--seeds", "0"], "--seeds = 0: must be at least 2"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path, capsys):
    assert main(["run", "synchrony", *arguments, "--out", str(tmp_path / "new")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
