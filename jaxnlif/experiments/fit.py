"""`jaxnlif run fit`: parameters of a network by gradients, from made or from recorded data."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

from .._check import check, check_finite, check_integer, check_positive
from ..fit.fit import fit
from ..fit.result import Fit, FitResult
from ..model import Network
from ..solve.progress import NoProgress, ProgressBar
from ..solve.result import SolveError
from ..solve.solution import Solution
from . import fit_figure, fit_network, fit_recovery
from ._figures import write_figure
from ._options import add_run
from ._output import begin, write_atomically
from .fit_data import Observed, observe, read_recording

HELP = "parameters of a network, found by gradients from what it did"

# What applies to one kind of fit only, with the default there.
_RECOVERY = {"knots": 20, "noise": 0.02}
_DATA = {"membrane_time": 1.0, "bin": None, "neurons": None, "initial": [-1.0, 0.5]}
_MOST_STEPS = 1_000_000  # of which every rate is kept
_PATIENCE = 20  # steps without progress, after which no curve in the figure moves any more


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="a recording, CSV or .npy: columns t,rate, or spike times t or t,neuron (default: "
        "none; recover K(w) and I(w) of a network that has learned)",
    )
    both = parser.add_argument_group("the fit")
    both.add_argument(
        "--steps", type=int, default=200, metavar="N", help="at most (default: %(default)s)"
    )
    both.add_argument(
        "--starts",
        type=int,
        default=1,
        metavar="N",
        help="descents, of which the best counts (default: %(default)s)",
    )
    both.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of random numbers (default: %(default)s)"
    )
    both.add_argument(
        "--dt",
        type=float,
        default=0.02,
        metavar="X",
        help="longest time step (default: %(default)g)",
    )

    recovery = parser.add_argument_group("without --data")
    recovery.add_argument("--knots", type=int, metavar="N", help="of K(w) (default: %(default)s)")
    recovery.add_argument(
        "--noise",
        type=float,
        metavar="X",
        help="of the data, relative to the peak (default: %(default)s)",
    )
    recovery.set_defaults(**_RECOVERY)

    data = parser.add_argument_group("with --data")
    data.add_argument(
        "--membrane-time",
        type=float,
        metavar="X",
        help="in the unit of time of the file (default: %(default)g)",
    )
    data.add_argument(
        "--bin",
        type=float,
        metavar="X",
        help="width of bins for spikes, in the same unit (default: membrane time / 10)",
    )
    data.add_argument(
        "--neurons",
        type=int,
        metavar="M",
        help="how many gave the spikes (default: as many as the column neuron names)",
    )
    data.add_argument(
        "--initial",
        type=float,
        nargs=2,
        metavar=("MEAN", "VARIANCE"),
        help="of the potentials at time 0, with threshold 2 and reset 1 (default: -1 0.5)",
    )
    data.set_defaults(**_DATA)
    add_run(parser, out="fit", files="fit.json, fit.png")


def run(arguments: argparse.Namespace) -> None:
    """Fits, prints and writes what was found.

    **Raises:** `ValueError` for wrong arguments, before anything compiles or is written;
    `SolveError` if the fit fails at its start. On Ctrl-C the best point so far is written first.
    """
    began = time.perf_counter()
    observed = _read(arguments)
    directory = begin(arguments)
    task = _recovery(arguments) if observed is None else _recording(arguments, observed)
    print(task.title, flush=True)
    fitted = fit(
        task.start,
        task.run,
        task.loss,
        where=task.where,
        bounds=task.bounds,
        steps=arguments.steps,
        starts=arguments.starts,
        key=jax.random.key(arguments.seed),
        patience=_PATIENCE,
        absolute=task.absolute,
        progress=ProgressBar("fit") if arguments.progress else NoProgress(),
    )
    if fitted.uncertainty is None:
        raise SolveError(fitted.message)
    outcome = Outcome(task, fitted, time.perf_counter() - began)
    results = directory / "fit.json"
    with write_atomically(results) as path:
        path.write_text(json.dumps(outcome.description(), indent=2, allow_nan=False) + "\n")
    figure = write_figure(task.draw(fitted), directory / "fit", arguments.format)
    print("\n".join(outcome.summary()))
    print(f"\nwrote {results} and {figure} ({time.perf_counter() - began:.1f} s)")
    if fitted.result == FitResult.interrupted:
        raise KeyboardInterrupt


# ---- from arguments to a task ----------------------------------------------------------------


class Task(NamedTuple):
    """A network, how it runs, what that is held against, and which of its numbers are free."""

    title: str
    start: Network
    truth: Network | None
    run: Callable[[Network], Solution]
    loss: Callable[[Solution], Any]
    where: Callable[[Any], Any]
    bounds: Any
    absolute: bool
    draw: Callable[[Fit], Figure]


def _read(arguments: argparse.Namespace) -> Observed | None:
    """The recording, if there is one; everything that can be wrong is found here."""
    check_integer("--steps", arguments.steps, at_least=1)
    check_integer("--starts", arguments.starts, at_least=1)
    check_integer("--seed", arguments.seed, at_least=0)
    check_positive("--dt", arguments.dt)
    recovers = arguments.data is None
    for name, default in (_DATA if recovers else _RECOVERY).items():
        option = f"--{name.replace('_', '-')}"
        rule = "needs --data" if recovers else "is not for --data"
        check(getattr(arguments, name) == default, f"{option}: {rule}")
    if recovers:
        check_integer("--knots", arguments.knots, at_least=2)
        check_positive("--noise", arguments.noise, allow_zero=True)
        return None
    _check_initial(*arguments.initial)
    observed = observe(
        read_recording(arguments.data),
        membrane_time=arguments.membrane_time,
        bin_width=arguments.bin,
        neurons=arguments.neurons,
    )
    check(
        observed.t1 <= _MOST_STEPS * arguments.dt,
        f"--dt = {arguments.dt:g}: the recording, {observed.t1:g} membrane times, must be at most "
        f"{_MOST_STEPS} steps",
    )
    return observed


def _check_initial(mean: float, variance: float) -> None:
    v = fit_network.line().v
    check_finite("--initial: mean", mean)
    check_positive("--initial: variance", variance)
    check(
        v.minimum < mean < v.threshold,
        f"--initial: mean = {mean:g}: must lie between {v.minimum:g} and the threshold "
        f"{v.threshold:g}",
    )


def _recovery(arguments: argparse.Namespace) -> Task:
    run, truth = fit_recovery.Run(arguments.dt), fit_recovery.truth(arguments.knots)
    start = fit_recovery.begin(arguments.knots)
    learned = fit_recovery.observe(run(truth), noise=arguments.noise, seed=arguments.seed)
    return Task(
        title="K(w) and I(w) from what a network learned, "
        f"known with a relative error of {arguments.noise:g}",
        start=start,
        truth=truth,
        run=run,
        loss=learned,
        where=fit_recovery.where,
        bounds=None,
        absolute=True,
        draw=lambda fitted: fit_figure.recovery(run, learned, start, truth, fitted),
    )


def _recording(arguments: argparse.Namespace, observed: Observed) -> Task:
    mean, variance = arguments.initial
    run = fit_network.Run((mean, variance), observed.t1, arguments.dt)
    start = fit_network.begin(observed)
    return Task(
        title=f"{arguments.data}: {observed.what}, {observed.t1:.4g} membrane times",
        start=start,
        truth=None,
        run=run,
        loss=observed.loss,
        where=fit_network.where,
        bounds=fit_network.BOUNDS,
        absolute=observed.std is not None,
        draw=lambda fitted: fit_figure.recording(run, observed, start, fitted),
    )


# ---- what came out ---------------------------------------------------------------------------


class Outcome(NamedTuple):
    """A task and its fit, in words and as what JSON can hold."""

    task: Task
    fitted: Fit
    seconds: float

    def columns(self) -> dict[str, np.ndarray]:
        """Start, fitted value, standard error and, where it is known, truth of each number."""
        assert self.fitted.uncertainty is not None
        columns = {
            "start": self._numbers(self.task.start),
            "fitted": self._numbers(self.fitted.model),
            "std": self.fitted.uncertainty.std,
        }
        if self.task.truth is not None:
            columns["truth"] = self._numbers(self.task.truth)
        return columns

    def summary(self) -> Iterator[str]:
        """A row for each number, and how the fit ended."""
        assert self.fitted.uncertainty is not None
        columns, names = self.columns(), self.fitted.names
        truth, std = columns.get("truth"), columns["std"]
        if truth is not None:
            columns["error"] = columns["fitted"] - truth
        width = max(map(len, names))
        yield " " * width + "".join(f"{name:>12}" for name in columns)
        for name, *row in zip(names, *columns.values(), strict=True):
            numbers = (f"{x:12.4g}" if np.isfinite(x) else f"{'unknown':>12}" for x in row)
            yield f"{name:{width}}" + "".join(numbers)
        if truth is not None:
            known = np.isfinite(std)
            near = np.abs(columns["error"][known]) <= 2 * std[known]
            yield f"{near.sum()} of {near.size} truths lie within 2 standard errors"
        for direction in self.fitted.uncertainty.flat:
            yield f"flat, not determined by the data: {direction}"
        steps = len(self.fitted.loss) - 1
        yield f"{self.fitted.message} ({steps} steps, {self.seconds:.1f} s with compilation)"

    def description(self) -> dict[str, Any]:
        """What `fit.json` holds; errors that the data do not determine are null."""
        fitted, columns = self.fitted, self.columns()
        assert fitted.uncertainty is not None
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return {
            "experiment": "fit",
            "title": self.task.title,
            "parameters": {
                name: {column: _finite(x) for column, x in zip(columns, row, strict=True)}
                for name, row in zip(fitted.names, rows, strict=True)
            },
            "flat": fitted.uncertainty.flat,
            "at_bound": fitted.at_bound,
            "message": fitted.message,
            "loss": float(np.min(fitted.loss)),
            "noise": _finite(fitted.uncertainty.noise),
            "steps": len(fitted.loss) - 1,
            "seconds": self.seconds,
        }

    def _numbers(self, model: Network) -> np.ndarray:
        """The free numbers of a model, in the order of their names."""
        leaves = jax.tree.leaves(self.task.where(model))
        return np.concatenate([np.ravel(leaf) for leaf in leaves]).astype(float)


def _finite(x: float) -> float | None:
    """What JSON can hold of a number."""
    return x if math.isfinite(x) else None
