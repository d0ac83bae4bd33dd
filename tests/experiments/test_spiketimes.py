"""The claims of `jaxnlif run spiketimes`, on few trials."""

import jax
import numpy as np
import pytest

from jaxnlif import SolveError
from jaxnlif.cli import main
from jaxnlif.experiments import (
    _training,
    spiketimes,
    spiketimes_concept,
    spiketimes_recurrent,
    spiketimes_restarts,
    spiketimes_single,
)
from jaxnlif.integrate.progress import NoProgress
from jaxnlif.store.files import read_arrays

PRECISION = ["--precision", "float64"]


def run(out, *options):
    arguments = ["--out", str(out), "--no-progress", *PRECISION, *options]
    return main(["run", "spiketimes", *arguments])


@pytest.fixture(scope="module")
def found():
    return spiketimes_concept.explore(points=201)


def test_lif_spikes_vanish_in_the_middle_of_the_trial_and_qif_ones_at_its_end(found):
    latest, steepest = spiketimes_concept.vanishing(found["LIF"].by_weight)
    assert latest < 0.5 * found["LIF"].model.duration
    # the weight at which a spike vanishes is on the grid; just above it the gradient is large
    assert steepest > 5
    weight = found["QIF"].by_weight
    spikes = np.isfinite(weight.time)
    assert weight.time[spikes].max() > 0.95 * found["QIF"].model.duration
    slope = np.diff(weight.time[spikes]) / np.diff(weight.parameter[spikes])
    middle = (weight.slope[spikes][1:] + weight.slope[spikes][:-1]) / 2
    np.testing.assert_allclose(slope, middle, rtol=0.05)


def test_concept_draws_its_figure(found):
    assert len(spiketimes_concept.draw(found).axes) == 8
    assert "QIF" in "\n".join(spiketimes_concept.summary(found))


@pytest.mark.slow
def test_a_resumed_training_continues_bit_for_bit(tmp_path, capsys, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(whole, "--task", "single", "--trials", "130") == 0
    # one figure is enough
    monkeypatch.setattr(spiketimes_single, "draw", lambda *_: None)
    monkeypatch.setattr(spiketimes, "write_figures", lambda *_: "no figure")
    assert run(parts, "--task", "single", "--trials", "57") == 0
    assert run(parts, "--task", "single", "--trials", "130", "--resume") == 0
    assert "loss" in capsys.readouterr().out
    one, metadata = read_arrays(whole / "single.npz")
    two, _ = read_arrays(parts / "single.npz")
    assert metadata["trials"] == 130
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    assert len(one["loss"]) == 130
    assert one["loss"][-1] < one["loss"][0]
    assert (whole / "single.png").stat().st_size > 10_000

    # what is resumed must be the same training
    assert run(parts, "--task", "single", "--seed", "1", "--resume") == 2
    assert "is of another training" in capsys.readouterr().err


def test_an_interrupted_training_is_kept(tmp_path, capsys, monkeypatch):
    class Stop(NoProgress):
        def start(self, total):
            bar = super().start(total)
            bar.update = lambda steps: (_ for _ in ()).throw(KeyboardInterrupt) if steps else None
            return bar

    monkeypatch.setattr("jaxnlif.experiments.spiketimes.NoProgress", Stop)
    monkeypatch.setattr(_training, "CHUNK", 5)
    assert run(tmp_path, "--task", "single", "--trials", "20") == 130
    assert "continue with --resume" in capsys.readouterr().err
    (path,) = (tmp_path / "single-checkpoint").glob("state-0000000005-*.npz")
    assert len(read_arrays(path)[0]["loss"]) == 5


def test_a_damaged_checkpoint_gives_way_to_the_one_before(recurrent, tmp_path):
    task, _ = recurrent
    training = spiketimes_recurrent.training(task, 0, 6)

    def train(trials, resume):
        arguments = {"checkpoint": tmp_path, "resume": resume, "progress": NoProgress()}
        return _training.train(training, trials, **arguments)[1]

    train(3, resume=False)
    whole = train(6, resume=True)
    newest = max(tmp_path.glob("state-*.npz"))
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="state-0000000006-.* is damaged"):
        again = train(6, resume=True)
    for name in whole:
        np.testing.assert_array_equal(again[name], whole[name])


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory):
    task = spiketimes_recurrent.task(0)
    path = tmp_path_factory.mktemp("recurrent")
    training = spiketimes_recurrent.training(task, 0, 200)
    _, history = _training.train(
        training, 200, checkpoint=path, resume=False, progress=NoProgress()
    )
    return task, history


def test_a_recurrent_network_learns(recurrent):
    task, history = recurrent
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    appeared, vanished = spiketimes_recurrent.changes(history)
    assert appeared > 0
    assert vanished > 0
    assert np.all(spiketimes_recurrent.errors(task, history) > 0)
    assert len(spiketimes_recurrent.draw(task, history).axes) == 6


def test_a_training_goes_on_for_as_many_trials_as_it_began_with(recurrent, tmp_path):
    """Its rate falls with them."""
    task, _ = recurrent
    arguments = {"checkpoint": tmp_path, "progress": NoProgress()}
    training = spiketimes_recurrent.training(task, 0, 6)
    _training.train(training, 2, resume=False, **arguments)
    other = spiketimes_recurrent.training(task, 0, 7)
    with pytest.raises(ValueError, match=r"of another training, by its trials \(6, here 7\)"):
        _training.resumed(other, tmp_path)
    # as written before the optimiser was told
    old = {name: training.identity[name] for name in ("task", "seed", "precision")}
    _training.train(
        training._replace(identity=old),
        2,
        resume=False,
        checkpoint=tmp_path / "old",
        progress=NoProgress(),
    )
    message = r"by its optimiser \(not told, here adam\) and trials \(not told, here 6\)"
    with pytest.raises(ValueError, match=message):
        _training.resumed(training, tmp_path / "old")


@pytest.mark.slow
def test_levenberg_marquardt_meets_all_targets(tmp_path, monkeypatch, capsys):
    """From near the parameters of a network that does so."""
    task = spiketimes_recurrent.task(0)
    solution = spiketimes_restarts._random(jax.random.key(5), np.dtype(float))
    events = task.trial(solution).events
    times, sources = np.asarray(events.times), np.asarray(events.sources)
    task = task._replace(targets=tuple(times[sources == k] for k in range(2)), beyond=1.0)
    near = jax.tree.map(lambda x: 1.02 * x, solution)
    monkeypatch.setattr(spiketimes_recurrent, "task", lambda seed: task)
    monkeypatch.setattr(spiketimes_restarts, "_warmed_up", lambda *_: near)
    options = ["--task", "recurrent", "--optimiser", "lm"]
    assert run(tmp_path, *options, "--trials", "3") == 0
    assert run(tmp_path, *options, "--trials", "40", "--resume") == 0
    history, metadata = read_arrays(tmp_path / "recurrent.npz")
    assert metadata["optimiser"] == "lm"
    errors = spiketimes_recurrent.errors(task, history)
    assert 3 < len(errors) < 40  # no more than are needed
    assert errors[1] > 1e-4
    assert errors[-1] < 1e-10
    assert "steps" in capsys.readouterr().out
    assert run(tmp_path, "--task", "recurrent", "--resume") == 2
    assert "by its optimiser (lm, here adam) and trials" in capsys.readouterr().err


@pytest.mark.slow
def test_descents_are_begun_again_and_end_where_they_must(recurrent, tmp_path, monkeypatch):
    for name, value in (("WARM_UP", 1), ("STEPS", 2), ("RESTARTS", 2)):
        monkeypatch.setattr(spiketimes_restarts, name, value)
    training = spiketimes_restarts.training(recurrent[0], 0)

    def train(trials, name, resume=False):
        arguments = {"resume": resume, "progress": NoProgress()}
        return _training.train(training, trials, checkpoint=tmp_path / name, **arguments)[1]

    whole = train(50, "whole")
    assert list(whole["restart"]) == [0, 0, 0, 1, 1]
    train(2, "parts")
    for name, array in train(50, "parts", resume=True).items():
        np.testing.assert_array_equal(array, whole[name])


def test_a_trial_with_too_many_spikes_stops_the_training(recurrent, monkeypatch, tmp_path):
    task, _ = recurrent
    monkeypatch.setattr(spiketimes_recurrent, "MAX_EVENTS", 30)
    with pytest.raises(SolveError, match="trial 0: the loss is no number"):
        _training.train(
            spiketimes_recurrent.training(task, 0, 5),
            5,
            checkpoint=tmp_path,
            resume=False,
            progress=NoProgress(),
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trials", "1"], "--trials = 1: must be at least 2"),
        (["--seed", "-1"], "--seed = -1: must be at least 0"),
        (["--task", "both"], "--task = 'both': must be one of"),
        (["--task", "concept", "--trials", "5"], "--trials: the concept task trains nothing"),
        (["--task", "recurrent", "--optimiser", "lbfgs"], "'lbfgs': must be one of adam, lm"),
        (["--optimiser", "lm"], "--optimiser = 'lm': must be one of fixed, line-search, lbfgs in"),
    ],
)
def test_wrong_arguments(options, message, tmp_path, capsys):
    assert run(tmp_path / "new", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_nothing_to_resume(tmp_path, capsys):
    assert run(tmp_path, "--resume") == 2
    assert "--resume: there is no checkpoint" in capsys.readouterr().err
