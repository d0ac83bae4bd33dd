"""Recordings that `jaxnlif run fit` is given: the rate that it finds, and how sure it is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from _report import Measured, Rule, at_most, within

import jaxnlif as jn
from jaxnlif.experiments import fit_task
from jaxnlif.experiments.fit_data import Spikes, read_recording
from jaxnlif.experiments.fit_network import Neuron, read_bounds
from jaxnlif.experiments.fit_observed import Terms, observe
from jaxnlif.experiments.fit_task import Recording, Task

REQUIRED: dict[str, Rule] = {
    # of the fitted from the true rate, in standard errors of the recording
    "recorded_rate": at_most(3),
    # of the mean over recordings from the true rate, in its standard errors
    "counted_rate": at_most(3),
    # of the mean over recordings from what was recorded, in percent
    "counted_rate_percent": at_most(1.5),
    # percent of the determined truths within one standard error
    "fit_coverage": within(56, 80),
}

_NEURON = Neuron.of(2.0, 1.0, None)
_GRID = _NEURON.given_grid(-7.0, 180.0)  # which holds every network within the bounds
_BOUNDS = read_bounds(["noise=0:2"], 1.0)


# ---- recordings in milliseconds ---------------------------------------------------------------


def recorded_rate(seed: int = 0) -> Iterator[Measured]:
    """Recordings that begin late, have several trials, or end long after the last spike.

    The neurons are Poisson processes, the membrane time is 10 ms.
    """
    rng = np.random.default_rng(seed)
    begin, length = 500.0, 1000.0
    for name, hertz, neurons, trials in (
        ("offset", 60.0, 20, 1),
        ("trials", 20.0, 12, 5),
        ("late end", 1.0, 4, 1),
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "spikes.csv"
            lines = ["trial,neuron,t"]
            for trial in range(trials):
                spikes = [
                    (begin + t, neuron)
                    for neuron in range(neurons)
                    for t in rng.uniform(0, length, rng.poisson(hertz * length / 1e3))
                ]
                lines += [f"{trial},{neuron},{t:.4f}" for t, neuron in sorted(spikes)]
            path.write_text("\n".join(lines))
            recording = read_recording(path)
        terms = Terms(
            membrane_time=10.0,
            time_unit="ms",
            begin=begin,
            end=begin + length,
            bin=5.0,
            neurons=neurons,
            trials=trials,
        )
        fitted = 100 * _fitted_rate(recording, terms)
        error = (hertz / (neurons * trials * length / 1e3)) ** 0.5
        yield Measured("recorded_rate", abs(fitted - hertz) / error, name)


# ---- trains of every kind ---------------------------------------------------------------------


def poisson(rng: np.random.Generator, rate: float, duration: float) -> np.ndarray:
    """Spike times with exponential intervals."""
    return rng.uniform(0, duration, rng.poisson(rate * duration))


def regular(rng: np.random.Generator, rate: float, duration: float) -> np.ndarray:
    """Spike times with gamma intervals of order 8, begun long before."""
    intervals = rng.gamma(8.0, 1 / (8 * rate), int(2 * rate * duration) + 50)
    times = np.cumsum(intervals) - 20 / rate
    return times[(times > 0) & (times < duration)]


def bursting(rng: np.random.Generator, rate: float, duration: float) -> np.ndarray:
    """Bursts at random, of three spikes on average, a twentieth of a membrane time apart."""
    begun = poisson(rng, rate / 3, duration + 5.0) - 5.0
    bursts = [t + 0.05 * np.arange(rng.geometric(1 / 3)) for t in begun]
    times = np.concatenate([np.zeros(0), *bursts])
    return times[(times > 0) & (times < duration)]


def counted_rate(
    counts: tuple[float, ...] = (0.5, 2.0, 6.0, 20.0),
    seeds: int = 20,
    trains: tuple[Callable, ...] = (poisson, regular, bursting),
    duration: float = 40.0,
) -> Iterator[Measured]:
    """The mean rate that is fitted to many recordings with so many counts in a bin."""
    rate, width = 0.5, 0.1
    for train in trains:
        for count in counts:
            neurons = round(count / (rate * width))
            fitted, recorded = [], []
            for seed in range(seeds):
                rng = np.random.default_rng([seed, neurons])
                ts = np.concatenate([train(rng, rate, duration) for _ in range(neurons)])
                terms = Terms(bin=width, begin=0.0, end=duration, neurons=neurons)
                fitted.append(_fitted_rate(Spikes(np.sort(ts)), terms))
                recorded.append(ts.size / neurons / duration)
            deviation = np.array(fitted) - rate
            error = deviation.std(ddof=1) / seeds**0.5 if seeds > 1 else np.inf
            detail = f"{train.__name__},{count:g}"
            yield Measured("counted_rate", abs(deviation.mean()) / error, detail)
            off = np.mean(fitted) / np.mean(recorded) - 1
            yield Measured("counted_rate_percent", 100 * abs(off), detail)


def _fitted_rate(recording: Spikes, terms: Terms) -> float:
    """The mean rate of the run that is fitted to a recording, as the command fits it."""
    observed = observe(recording, terms)
    task = Recording("recording", observed, _NEURON, _BOUNDS, _GRID, dt=0.1).task()
    sol = task.run(_fit(task).model)
    return float(sol.spikes[-1]) / observed.t1


# ---- the default -------------------------------------------------------------------------------


def fit_coverage(sets: int = 20, knots: int = 20) -> Iterator[Measured]:
    """How often one standard error covers the truth in what the command does by default."""
    inside, open_ = [], 0
    for seed in range(sets):
        task = fit_task.recovery(dt=0.02, knots=knots, noise=0.02, seed=seed)
        fitted = _fit(task)
        found, truth = (
            np.concatenate([np.ravel(x) for x in task.where(model)])
            for model in (fitted.model, task.truth)
        )
        std = fitted.uncertainty.std
        known = np.isfinite(std)
        open_ += np.sum(~known)
        inside.append(np.abs(found - truth)[known] <= std[known])
    yield Measured("fit_coverage", 100 * float(np.mean(np.concatenate(inside))), f"open={open_}")


def _fit(task: Task) -> jn.Fit:
    return jn.fit(
        task.start,
        task.run,
        task.loss,
        where=task.where,
        bounds=task.bounds,
        patience=20,
        absolute=task.absolute,
    )


CHECKS = (recorded_rate, counted_rate, fit_coverage)
