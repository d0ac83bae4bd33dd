"""`jaxnlif run fit`: what it reads, what it refuses, and that it finds what made the data."""

import json
import re
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
from jaxnlif.experiments.fit_data import Rates, Spikes, read_recording
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


# ---- files -----------------------------------------------------------------------------------


def test_rates_are_read(tmp_path):
    path = written(tmp_path, "# by hand\nt, Rate\n0, 1 # start\n\n0.5, 3\n1, 2\n")
    recording = read_recording(path)
    assert isinstance(recording, Rates)
    np.testing.assert_array_equal(recording.ts, [0, 0.5, 1])
    np.testing.assert_array_equal(recording.rate, [1, 3, 2])


def test_spikes_are_read(tmp_path):
    recording = read_recording(written(tmp_path, "t\n0.1\n0.3\n0.3\n"))
    assert isinstance(recording, Spikes)
    np.testing.assert_array_equal(recording.ts, [0.1, 0.3, 0.3])
    assert recording.neurons is None


SAME = (
    "t,rate,std\n0,1,0.1\n0.5,3,0.2\n",
    "std,t,rate\n0.1,0,1\n0.2,0.5,3\n",
    "T;Rate;Std\r\n0;1;0.1\r\n0.5;3;0.2\r\n",
    "rate\tt\tstd\n1\t0\t0.1\n3\t0.5\t0.2\n",
    '"t", "rate", "std"\n"0", "1", "0.1"  # by hand\n\n0.5,"3",0.2\n',
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", SAME)
def test_names_decide_which_column_is_which(tmp_path, text, encoding):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode(encoding))
    recording = read_recording(path)
    assert isinstance(recording, Rates)
    np.testing.assert_array_equal(recording.ts, [0, 0.5])
    np.testing.assert_array_equal(recording.rate, [1, 3])
    np.testing.assert_array_equal(recording.std, [0.1, 0.2])


def test_trials_follow_one_another(tmp_path):
    recording = read_recording(written(tmp_path, "neuron,trial,t\n3,1,0.5\n4,1,0.9\n3,2,0.1\n"))
    assert isinstance(recording, Spikes)
    np.testing.assert_array_equal(recording.ts, [0.5, 0.9, 0.1])
    assert (recording.neurons, recording.trials) == (2, 2)


def test_neurons_that_spike_are_counted(tmp_path):
    recording = read_recording(written(tmp_path, "t,neuron\n0.1,7\n0.3,2\n0.3,7\n"))
    assert isinstance(recording, Spikes)
    assert recording.neurons == 2


def test_arrays_are_read(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, [[0.0, 1.0], [0.5, 3.0]])
    recording = read_recording(path)
    assert isinstance(recording, Rates)
    np.testing.assert_array_equal(recording.rate, [1, 3])
    np.save(path, np.float32([0.1, 0.3]))
    recording = read_recording(path)
    assert isinstance(recording, Spikes)
    np.testing.assert_array_equal(recording.ts, np.float32([0.1, 0.3]))
    for array, message in (
        (np.zeros(0), "holds no spike"),
        (np.ones((2, 3)), "row 0: '1.0,1.0,1.0' has 3 columns; a row must have 1, t"),
        (np.ones((2, 2)), "row 1: time 1 follows 1; times must increase"),
    ):
        np.save(path, array)
        with pytest.raises(ValueError, match=re.escape(f"{path}")) as caught:
            read_recording(path)
        assert message in str(caught.value)


HEADERS = "must be the header 't,rate', with std"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; its first line must be the header 't,rate'"),
        ("# nothing\n\n", "is empty"),
        ("0,1\n1,2\n", f"line 1: '0,1' {HEADERS}"),
        ("\ntime,rate\n0,1\n", f"line 2: 'time,rate' {HEADERS}"),
        ("t,rate,neuron\n0,1,1\n", f"line 1: 't,rate,neuron' {HEADERS}"),
        ("t,std\n0,1\n", f"line 1: 't,std' {HEADERS}"),
        ("t,t,rate\n0,1,1\n", "line 1: names a column twice, t"),
        ("t rate\n0 1\n", "line 1: 't rate' must be the header .* parted by commas"),
        ("t,rate\n", "0 rows of numbers; rates must have at least 2"),
        ("t,rate\n0,1\n", "1 rows of numbers; rates must have at least 2"),
        ("t,rate\n0,1\n1\n", "line 3: '1' has 1 columns; a row must have 2, t,rate"),
        ("t,rate\n0,1\n1,2,3\n", "line 3: '1,2,3' has 3 columns"),
        ("t,rate\n0,5,1,2\n", "'0,5,1,2' has 4 columns; .*; a comma parts columns, not decimals"),
        ("t;rate\n0,5;1\n", "line 2: '0,5' must be a number with a decimal point, not a comma"),
        ('t,rate\n"0,5",1\n', "line 2: '0,5' must be a number with a decimal point, not a comma"),
        ('t,rate\n0,"1\n', "line 2: '0,\"1' must close its quotes"),
        ("t,rate\n0,1\n1,two\n", "line 3: 'two' must be a number"),
        ("t,rate\n0,1\n1,2_0\n", "line 3: '2_0' must be a number"),
        ("t,rate\n0,1\n1,\n", "line 3: '' must be a number"),
        ("t,rate\n0,1\n1,nan\n", "line 3: 'nan' must be finite"),
        ("t,rate\n0,1\ninf,1\n", "line 3: 'inf' must be finite"),
        ("t,rate\n0,1\n1,-2\n", "line 3: rate -2 must not be negative"),
        ("t,rate\n0,1\n1,1e300\n", "line 3: rate 1e.300 must be at most 1e.12"),
        ("t,rate,std\n0,1,1\n1,1,0\n", "line 3: std 0 must be positive"),
        ("t,rate\n0,1\n2,1\n1,1\n", "line 4: time 1 follows 2; times must increase"),
        ("t,rate\n0,1\n0,2\n", "line 3: time 0 follows 0; times must increase"),
        ("t,rate\n0,0\n1,0\n", "all rates are 0; at least one must be positive"),
        ("t\n", "holds no spike; there must be at least one"),
        ("t\n1\n0.5\n", "line 3: time 0.5 follows 1; times must not decrease"),
        ("t\n1,2\n", "line 2: '1,2' has 2 columns; a row must have 1, t"),
        ("t,neuron\n1,0.5\n", "line 2: neuron 0.5 must be an integer"),
        ("t,neuron\n1,x\n", "line 2: 'x' must be a number"),
        ("trial,t\n0.5,1\n", "line 2: trial 0.5 must be an integer"),
        ("trial,t\n1,1\n2,0.5\n1,0.9\n", "line 4: time 0.9 follows 1; times must not decrease"),
    ],
)
def test_wrong_files_are_refused(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        read_recording(path)
    assert str(path) in str(caught.value)


def test_what_is_no_text_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a readable file"):
        read_recording(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be a text file"):
        read_recording(tmp_path / "binary.csv")


# ---- from recordings to what runs are held against -------------------------------------------


def test_rates_in_membrane_times():
    ts, rate = np.array([0.0, 20, 40]), np.array([0.0, 0.01, 0.02])
    observed = observe(Rates(ts, rate), membrane_time=20.0)
    np.testing.assert_allclose(observed.ts, [0, 1, 2])
    np.testing.assert_allclose(observed.rate, [0, 0.2, 0.4])
    assert observed.std is None
    assert observed.t1 == 2


def test_standard_errors_are_those_of_the_file():
    recording = Rates(np.array([0.0, 20, 40]), np.array([1.0, 4, 2]), np.array([0.1, 0.4, 0.2]))
    observed = observe(recording, membrane_time=20.0, time_unit="ms", rate_unit="Hz")
    np.testing.assert_allclose(observed.rate, [0.02, 0.08, 0.04])  # 1 Hz, 50 times slower
    np.testing.assert_allclose(observed.std, [0.002, 0.008, 0.004])
    np.testing.assert_allclose(observed.loss.std, observed.std)


def test_rates_between_begin_and_end():
    recording = Rates(np.arange(500.0, 600.0, 10.0), 1e-3 * np.arange(10.0))
    observed = observe(recording, membrane_time=20.0, begin=520.0, end=580.0)
    np.testing.assert_allclose(observed.ts, 0.5 * np.arange(7))
    np.testing.assert_allclose(observed.rate, 0.02 * np.arange(2, 9))


def test_spikes_are_binned():
    # Bins of 10 ms, half a membrane time; the last spike, at 31 ms, leaves a bin unfinished.
    spikes = Spikes(np.array([1.0, 2, 10, 29, 31]))
    observed = observe(spikes, membrane_time=20.0, bin=10.0, neurons=4)
    counts = np.array([2, 1, 1])
    np.testing.assert_allclose(observed.ts, [0.25, 0.75, 1.25])
    np.testing.assert_allclose(observed.rate, counts / (4 * 0.5))
    assert observed.std is not None
    np.testing.assert_allclose(observed.std, np.sqrt(counts) / (4 * 0.5))
    assert isinstance(observed.loss, losses.SpikeCounts)
    np.testing.assert_allclose(observed.loss.edges, [0, 0.5, 1, 1.5])
    np.testing.assert_allclose(observed.loss.counts, counts)
    assert observed.loss.number == 4
    assert observed.t1 == 1.5


def test_a_recording_ends_when_it_did():
    spikes = Spikes(np.array([500.0, 505, 517]), 2, 3)
    observed = observe(spikes, membrane_time=10.0, bin=10.0, begin=500.0, end=535.0)
    np.testing.assert_allclose(observed.loss.edges, [0, 1, 2, 3, 3.5])
    np.testing.assert_allclose(observed.loss.counts, [2, 1, 0, 0])
    assert observed.loss.number == 6
    np.testing.assert_allclose(observed.rate, [2 / 6, 1 / 6, 0, 0])
    assert "3 spikes of 2 neurons in 3 trials in 4 bins" in observed.what
    part = observe(spikes, membrane_time=10.0, bin=10.0, begin=503.0, end=513.0, trials=5)
    np.testing.assert_allclose(part.loss.counts, [1])
    assert part.loss.number == 10


def test_a_beginning_in_doubt_is_asked_for():
    """A recording from 500 ms on is none of half a second of silence."""
    late = 500 + np.arange(0.0, 1000.0, 2.0)
    for recording in (Spikes(late, 20), Rates(late, np.full(late.size, 0.06)), Spikes(late - 501)):
        with pytest.raises(ValueError, match="--begin: must be given, because the first time in"):
            observe(recording, membrane_time=10.0)
    rare = 400 + 300 * np.arange(9.0)  # as long as between any two
    assert observe(Spikes(rare, 20), membrane_time=10.0, bin=500.0).t1 == 250


def test_an_empty_bin_is_as_uncertain_as_one_spike():
    observed = observe(Spikes(np.array([0.1, 2.0]), 3), bin=1.0)
    np.testing.assert_allclose(observed.rate, [1 / 3, 0])
    assert observed.std is not None
    np.testing.assert_allclose(observed.std, [1 / 3, 1 / 3])


def test_a_spike_on_an_edge_belongs_to_the_bin_that_it_opens():
    observed = observe(Spikes(0.1 * np.arange(1, 31), 3), bin=1.0)
    assert observed.rate.size == 3
    assert 3 * observed.rate.sum() == pytest.approx(29)


def test_spikes_on_edges_of_decimal_width():
    observed = observe(Spikes(np.array([0.1, 0.2, 0.3, 0.4]), 1), bin=0.1)
    np.testing.assert_allclose(0.1 * observed.rate, [0, 1, 1, 1])
    # In milliseconds, with a membrane time that is no binary fraction either.
    edges = Spikes(np.round(0.3 * np.arange(1000), 1), 1)
    observed = observe(edges, membrane_time=0.7, bin=0.3)
    np.testing.assert_allclose(0.3 / 0.7 * observed.rate, 1)


def test_silent_neurons_count_if_they_are_told():
    spikes = Spikes(np.array([0.5, 1.5, 2.5]), 2)
    np.testing.assert_allclose(observe(spikes, bin=1.0).rate, 0.5)
    np.testing.assert_allclose(observe(spikes, bin=1.0, neurons=4).rate, 0.25)


RATES, NINE = Rates(np.arange(2.0), np.ones(2)), np.arange(9.0)


@pytest.mark.parametrize(
    ("recording", "options", "message"),
    [
        (RATES, {"bin": 1.0}, "--bin: is for spike times"),
        (RATES, {"neurons": 9}, "--neurons: is for spike times"),
        (RATES, {"trials": 9}, "--trials: is for spike times"),
        (RATES, {"membrane_time": 0.0}, "--membrane-time = 0: must"),
        (RATES, {"time_unit": "ms"}, "--membrane-time: must be given with --time-unit"),
        (RATES, {"membrane_time": 20.0, "time_unit": "s"}, "--membrane-time = 20 s: must be that"),
        (RATES, {"rate_unit": "Hz"}, "--time-unit: must be given with --rate-unit"),
        (RATES, {"begin": 0.5}, "--begin, --end: must leave at least 2 rates"),
        (RATES, {"begin": np.nan}, "--begin = nan: must be finite"),
        (RATES, {"membrane_time": 20.0}, "20 spikes per neuron and membrane time .* no neuron"),
        (Spikes(NINE, 3), {"rate_unit": "Hz"}, "--rate-unit: is for rates"),
        (
            Spikes(NINE, 3),
            {"membrane_time": 40.0},
            r"13\.33 spikes per neuron and membrane time .*--neurons",
        ),
        (Spikes(NINE), {}, "--neurons: must be given"),
        (Spikes(NINE), {"neurons": 0}, "--neurons = 0: must be at least 1"),
        (Spikes(NINE, 3), {"neurons": 2}, "--neurons = 2: must be at least 3"),
        (Spikes(NINE, 3, 2), {"trials": 1}, "--trials = 1: must be at least 2"),
        (Spikes(NINE, 3), {"bin": -1.0}, "--bin = -1: must be positive"),
        (Spikes(NINE, 3), {"bin": 5.0}, "--bin: the last spike, 8 membrane times"),
        (Spikes(NINE, 3), {"end": 8.0, "bin": 9.0}, "--bin: the end, 8 membrane times"),
        (Spikes(NINE, 3), {"begin": 3.0, "end": 2.0}, "--end = 2: must come after 3, the beg"),
        (Spikes(NINE, 3), {"begin": 20.0, "end": 30.0}, "--begin, --end, --bin: there must be a"),
        (Spikes(np.array([0, 1e9]), 3), {}, "--bin: the last spike, 1e.09 .* at most 100000 bins"),
        (Spikes(np.array([4.5]), 3), {"bin": 1.0}, "--bin: there must be a spike in a bin"),
    ],
)
def test_wrong_numbers_are_refused(recording, options, message):
    with pytest.raises(ValueError, match=message):
        observe(recording, **options)


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
