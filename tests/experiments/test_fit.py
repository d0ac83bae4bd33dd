"""`jaxnlif run fit`: what it refuses, and that it finds what made the data."""

import json
from argparse import Namespace
from functools import partial
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif import losses
from jaxnlif.cli import main
from jaxnlif.experiments import fit, fit_network, fit_recovery, fit_task
from jaxnlif.experiments.fit_data import Spikes
from jaxnlif.experiments.fit_network import Neuron, read_bounds
from jaxnlif.experiments.fit_observed import Terms
from jaxnlif.experiments.fit_observed import observe as observed_by
from jaxnlif.experiments.fit_outcome import Outcome
from jaxnlif.experiments.fit_task import Recording
from jaxnlif.fitting.uncertainty import estimate


def observe(recording, **terms):
    return observed_by(recording, Terms(**terms))


def written(tmp_path, text):
    path = tmp_path / "data.csv"
    path.write_text(text)
    return path


# ---- the network that is fitted --------------------------------------------------------------


def test_bounds_from_texts():
    bounds = read_bounds(["weight=-2:0.5"], 1.0)
    assert bounds == (jn.Free(), jn.Between(0.0, 4.0), jn.Between(-2.0, 0.5))
    assert read_bounds([], 3.0).noise == jn.Between(0.0, 36.0)


def test_the_start_lies_within_the_bounds_and_has_the_recorded_rate():
    neuron = Neuron.of(15.0, 0.0, None)
    assert (neuron.mean, neuron.variance) == (-30, 112.5)
    observed = observe(Spikes(np.arange(0.0, 30.0, 0.5), 4), bin=1.0)
    start = neuron.begin(observed, read_bounds(["noise=1:9", "weight=2:4"], 15.0))
    drive, noise, weight = fit_network.where(start)
    assert (noise, weight) == (5, 3)
    rate = observed.rate.mean()
    found = jn.stationary.firing_rate(drive + weight * rate, noise, 15.0, 0.0)
    assert float(found) == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize(
    ("network", "low", "widest"),
    [
        (jn.Network(noise=1.0, drive=0.0, weight=0.0), -4.1, 0.1),  # of the initial potentials
        (jn.Network(noise=0.05, drive=3.0, weight=0.0), -4.1, 0.015),
        (jn.Network(noise=1.0, drive=4.0, weight=-20.0), -4.1, 0.1),
        (jn.Network(noise=9.0, drive=0.0, weight=0.0), -9.0, 0.2),
    ],
)
def test_the_grid_is_that_which_the_network_needs(network, low, widest):
    neuron = Neuron.of(2.0, 1.0, None)
    grid = neuron.grid(network)
    assert 2 * low < grid.minimum < low
    assert grid.spacing < widest
    run_ = fit_network.Run(grid, (-1.0, 0.5), 1.0, 0.1)
    assert fit_network.better_grid(run_, neuron, network) is None
    short = jn.VoltageGrid(-3.0, 2.0, reset=1.0, num=5 * (grid.num // 5))
    run_ = fit_network.Run(short, (-1.0, 0.5), 1.0, 0.1)
    assert fit_network.better_grid(run_, neuron, network) == grid


def test_the_fit_goes_on_with_the_grid_that_it_needs(monkeypatch, capsys):
    """Noise and inhibition spread the potentials beyond the first grid."""
    recording = Recording(
        name="spikes.csv",
        observed=observe(Spikes(np.arange(0.0, 30.0, 0.5), 4), bin=1.0),
        neuron=Neuron.of(2.0, 1.0, None),
        bounds=read_bounds([], 1.0),
        grid=None,
        dt=0.1,
    )
    starts = []

    def found(start, *_, **options):
        starts.append(start)
        return jn.Fit(
            model=jn.Network(drive=2.0, noise=3.0, weight=-4.0),
            values=(),
            names=("a",),
            loss=np.ones(1),
            result=jn.FitResult.converged,
            message="",
            at_bound=(),
            uncertainty=estimate(np.eye(1), np.ones(1), np.ones(1), ("a",), absolute=True),
            losses=np.ones((1, 1)),
            ends=(),
            completed=np.ones(1, bool),
            best=0,
        )

    monkeypatch.setattr(fit, "fit", found)
    options = Namespace(steps=1, starts=1, seed=0, progress=False)
    task, fitted, steps = fit._fit(recording.task(), options)
    assert task.grid == recording.neuron.grid(fitted.model)
    assert task.grid.minimum < -5
    assert [float(start.noise) for start in starts] == [1.0, 3.0]
    assert f"again with {task.grid.num} voltages from" in capsys.readouterr().out
    assert steps == 0  # of a fit that is a stand-in
    assert task.first is starts[0]
    # A grid that was asked for stays.
    asked = recording._replace(grid=jn.VoltageGrid(-3.0, 2.0, reset=1.0, num=50)).task()
    assert fit._fit(asked, options)[0] is asked


# ---- data that are made ----------------------------------------------------------------------


def test_counts_have_the_noise_that_is_asked_for():
    values = np.full(20_000, 0.7)
    counted = fit_recovery._counted(values, 0.02, np.random.default_rng(0))
    found, std = counted.values, counted.std
    assert found.mean() == pytest.approx(0.7, rel=1e-3)
    assert found.std() == pytest.approx(0.02 * 0.7, rel=0.03)
    np.testing.assert_allclose(std.mean(), 0.02 * 0.7, rtol=1e-2)


def test_data_without_noise_are_exact():
    values = np.linspace(0, 1, 5)
    counted = fit_recovery._counted(values, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(counted.values, values)
    np.testing.assert_allclose(counted.residuals(jnp.asarray(values)), 0, atol=1e-6)
    assert np.all(counted.std > 0)


# ---- what came out ---------------------------------------------------------------------------


def outcome(fitted, std):
    """Of three numbers that are 1, 2 and 3."""
    truth, model = (
        jn.Network(learning=jn.Hebbian(jn.Table([0.0, 1.0, 2.0], values)))
        for values in ([1.0, 2.0, 3.0], fitted)
    )
    sure = SimpleNamespace(std=np.array(std), flat=(), noise=1.0)
    task = SimpleNamespace(first=model, truth=truth, where=lambda n: n.learning.gain.values)
    fit = SimpleNamespace(
        model=model, names=("a", "b", "c"), uncertainty=sure, loss=[1.0], message="converged"
    )
    return "\n".join(Outcome(task, fit, 0, 1.0).summary())


def test_truths_that_are_missed_are_not_counted():
    assert "3 of 3 truths lie within 2" in outcome([1.1, 2.0, 2.9], [0.1, 0.1, 0.1])
    assert "2 of 3 truths lie within 2" in outcome([1.3, 2.0, 2.9], [0.1, 0.1, 0.1])
    told = outcome([1.3, 2.0, 1e6], [0.1, 0.1, np.inf])
    assert "1 of 2 truths lie within 2 standard errors; the data leave 1 open" in told
    assert told.count("unknown") == 1


# ---- whole runs ------------------------------------------------------------------------------


def run(*options):
    return main(["run", "fit", "--no-progress", *map(str, options)])


@pytest.mark.slow
def test_a_learning_rule_is_recovered(tmp_path, capsys, monkeypatch):
    # A coarse grid, on which the truth is run as well.
    monkeypatch.setattr(fit_recovery, "Run", partial(fit_recovery.Run, num=30))
    assert run("--knots", 4, "--steps", 80, "--dt", 0.1, "--out", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "truths lie within 2 standard errors" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.toml",
        "fit.json",
        "fit.png",
    ]
    found = json.loads((tmp_path / "fit.json").read_text())
    assert list(found["parameters"]) == [
        *(f"learning.gain.values[{k}]" for k in range(4)),
        "drive.height",
    ]
    for parameter in found["parameters"].values():
        assert abs(parameter["fitted"] - parameter["truth"]) < 4 * parameter["std"]
    assert found["parameters"]["drive.height"]["fitted"] == pytest.approx(3, rel=0.05)
    assert f"{found['steps']} steps" in printed


NETWORK = jn.Network(drive=1.5, noise=0.8, weight=0.6)
VOLTAGES = jn.VoltageGrid(-5.0, 2.0, reset=1.0, num=70)
COARSE = ("--grid", -5, 70, "--dt", 0.08)


@pytest.mark.slow
def test_a_network_is_found_from_its_rate(tmp_path, capsys):
    sol = fit_network.Run(VOLTAGES, (-1.0, 0.5), 4.0, 0.08)(NETWORK)
    rows = np.column_stack([20 * sol.ts, sol.rate / 20])  # milliseconds, per millisecond
    lines = [f"{t},{rate}" for t, rate in rows]
    path = written(tmp_path, "\n".join(["t,rate", *lines]))
    assert run("--data", path, "--membrane-time", 20, *COARSE, "--out", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "fit.json").read_text())
    truth = {"drive.value": 1.5, "noise": 0.8, "weight": 0.6}
    for name, value in truth.items():
        assert found["parameters"][name]["fitted"] == pytest.approx(value, rel=0.01)
    assert found["flat"] == []
    assert "51 rates, 4 membrane times" in capsys.readouterr().out


def test_blow_up_at_the_start_is_told():
    # With as many rates as above: nothing compiles again.
    fitted = jn.fit(
        jn.Network(drive=2.0, noise=1.0, weight=30.0),
        fit_network.Run(VOLTAGES, (-1.0, 0.5), 4.0, 0.08),
        losses.Rate(np.linspace(0, 4, 51), np.full(51, 0.2)),
        where=fit_network.where,
        bounds=tuple(read_bounds([], 1.0)),
        steps=3,
    )
    assert fitted.result == jn.FitResult.start_failed
    assert not np.any(np.isnan(fitted.loss))


@pytest.mark.slow
def test_a_constant_rate_does_not_tell_parameters_apart(tmp_path, capsys):
    ts = np.linspace(3, 4, 51)  # as many, and as late, as above: nothing compiles again
    rate = 0.8 * (1 + 0.05 * np.random.default_rng(0).normal(size=ts.size))
    lines = [f"{t},{r}" for t, r in zip(ts, rate, strict=True)]
    path = written(tmp_path, "\n".join(["t,rate", *lines]))
    assert run("--data", path, *COARSE, "--out", tmp_path) == 0
    found = json.loads((tmp_path / "fit.json").read_text())
    assert len(found["flat"]) > 0
    for parameter in found["parameters"].values():
        assert parameter["std"] is None or parameter["std"] > abs(parameter["fitted"])
    assert capsys.readouterr().out.count("flat, not determined by the data:") == len(found["flat"])
    assert (tmp_path / "fit.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "--steps = 0: must be at least 1"),
        (["--starts", "0"], "--starts = 0: must be at least 1"),
        (["--seed", "-1"], "--seed = -1: must be at least 0"),
        (["--dt", "0"], "--dt = 0: must be positive"),
        (["--knots", "1"], "--knots = 1: must be at least 2"),
        (["--noise", "-1"], "--noise = -1: must not be negative"),
        (["--noise", "nan"], "--noise = nan: must be finite"),
        (["--bin", "1"], "--bin: needs --data"),
        (["--begin", "1"], "--begin: needs --data"),
        (["--initial", "0", "1"], "--initial: needs --data"),
        (["--data", "DATA", "--knots", "3"], "--knots: is not for --data"),
        (["--data", "DATA", "--neurons", "3"], "--neurons: is for spike times"),
        (["--data", "DATA", "--initial", "2", "1"], "mean = 2: must lie below the threshold 2"),
        (["--data", "DATA", "--dt", "1e-7"], "1 membrane times, must be at most 1000000 steps"),
        (["--data", "DATA", "--initial", "0", "0"], "--initial: variance = 0: must be positive"),
        (["--data", "DATA", "--reset", "3"], "--reset = 3: must be below --threshold = 2"),
        (["--data", "DATA", "--grid", "-1", "90"], "--grid: MINIMUM = -1: must lie below the mean"),
        (["--data", "DATA", "--grid", "-4", "9.5"], "--grid: NUM = 9.5: must be an integer"),
        (["--data", "DATA", "--grid", "-4", "91"], "--grid: num = 91: reset = 1.0 is no node"),
        (["--data", "DATA", "--bounds", "weigth=0:1"], "'weigth=0:1' must be as weight=-2:0.5"),
        (["--data", "DATA", "--bounds", "drive=0"], "'drive=0' must be as"),
        (["--data", "DATA", "--bounds", "drive=a:1"], "'drive=a:1' must be as"),
        (["--data", "DATA", "--bounds", "drive=2:1"], "--bounds: drive: low = 2.0: must be below"),
        (["--data", "DATA", "--bounds", "noise=-1:1"], "noise: low = -1: must not be negative"),
        (["--data", "DATA", "--bounds", "drive=0:1", "drive=0:2"], "drive must be there once"),
        (
            ["--data", "DATA", "--time-unit", "h"],
            "--time-unit = 'h': must be one of us, ms, s, min",
        ),
        (["--data", "missing.csv"], "missing.csv: must be a readable file"),
        (
            ["--data", "SPIKES", "--bin", "0.01"],
            "--bin: bins of 0.01 membrane times must be no shorter than --dt = 0.02",
        ),
    ],
)
def test_wrong_options_are_refused_before_any_work(options, message, tmp_path, capsys, monkeypatch):
    for name in ("recovery", "Recording"):
        monkeypatch.setattr(fit_task, name, lambda *_: pytest.fail("work was begun"))
    path = written(tmp_path, "t,rate\n0,1\n1,2\n")
    (spikes := tmp_path / "spikes.csv").write_text("t,neuron\n0.1,0\n0.7,1\n")
    given = {"DATA": str(path), "SPIKES": str(spikes)}
    assert run(*(given.get(o, o) for o in options), "--out", tmp_path / "out") == 2
    assert_refused(message, tmp_path, capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--initial -1e6 0.5", "must reach at most 1000 times as far below the threshold as"),
        ("--initial -1 1e6", "must reach at most 1000 times as far below the threshold as"),
        ("--initial 1.99 0.5", "must fit between the voltages"),
        ("--grid -1.5 70", "--initial: mean = -1, variance = 0.5: must fit between the voltages"),
        ("--bounds noise=1e-30:1e-29", "--bounds: the network in their middle: noise = 5.5e-30"),
    ],
)
def test_what_leaves_no_grid_is_refused(options, message, tmp_path, capsys):
    path = written(tmp_path, "t,rate\n0,1\n1,2\n")
    assert run("--data", path, *options.split(), "--out", tmp_path / "out") == 2
    assert_refused(message, tmp_path, capsys)


def assert_refused(message, tmp_path, capsys):
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
