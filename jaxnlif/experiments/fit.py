"""`jaxnlif run fit`: parameters of a network by gradients, from made or from recorded data."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import jax

from .._check import check, check_integer, check_positive
from .._memory import check_memory
from ..fitting.fit import fit
from ..fitting.result import Fit, FitResult
from ..integrate.progress import NoProgress, ProgressBar
from ..integrate.result import SolveError
from ..store.files import write_bytes
from . import fit_recovery, fit_task
from ._figures import figure_files, write_figures
from ._options import add_run, check_between, check_seed
from ._output import begin
from .fit_data import read_recording
from .fit_network import Neuron, read_bounds
from .fit_observed import RATE_UNITS, TIME_UNITS, Terms, observe
from .fit_outcome import Outcome
from .fit_task import Recording, Task

# What applies to one kind of fit only, with the default there.
_RECOVERY = {"knots": 20, "noise": 0.02}
_DATA: dict[str, Any] = {
    **dict.fromkeys(Terms._fields),
    **{"threshold": 2.0, "reset": 1.0, "initial": None, "grid": None, "bounds": None},
}
_MOST_STEPS = 1_000_000  # of which every rate is kept
_MOST_GRIDS = 3
_MOST_NOISE = 10
_MOST_FREE = 3  # numbers that a recording is fitted with
_BYTES_PER_START = 8 * 60**2 * 2  # a density and its change, for each number
_PATIENCE = 20  # steps without progress, after which no curve in the figure moves any more


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="a recording, CSV or .npy: columns t,rate or t,rate,std, or spike times t, with "
        "neuron and trial (default: none; recover K(w) and I(w) of a network that has learned)",
    )

    def option(group: Any, name: str, kind: Any, metavar: Any, text: str, **others: Any) -> None:
        group.add_argument(name, type=kind, metavar=metavar, help=text, **others)

    both = parser.add_argument_group("the fit")
    option(both, "--steps", int, "N", "at most (default: %(default)s)", default=200)
    text = "descents, of which the best counts (default: %(default)s)"
    option(both, "--starts", int, "N", text, default=1)
    option(both, "--seed", int, "N", "of random numbers (default: %(default)s)", default=0)
    option(both, "--dt", float, "X", "longest time step (default: %(default)g)", default=0.02)

    recovery = parser.add_argument_group("without --data")
    option(recovery, "--knots", int, "N", "of K(w) (default: %(default)s)")
    text = "of the data, relative to the peak (default: %(default)s)"
    option(recovery, "--noise", float, "X", text)
    recovery.set_defaults(**_RECOVERY)

    data = parser.add_argument_group("with --data; times in the unit of the file")
    option(data, "--membrane-time", float, "X", "of the neurons (default: 1)")
    for name, units, text in (
        ("--time-unit", TIME_UNITS, "of the file and of all times here"),
        ("--rate-unit", RATE_UNITS, "of rates in the file"),
    ):
        default = "not told" if name == "--time-unit" else "spikes per unit of time"
        text = f"{text}, {', '.join(units)} (default: {default})"
        option(data, name, None, "UNIT", text, choices=tuple(units))
    text = "when the recording began, or each trial: the run begins then (default: 0)"
    option(data, "--begin", float, "X", text)
    text = "when it ended (default: with the last whole bin before the last spike, or rate)"
    option(data, "--end", float, "X", text)
    text = "width of bins for spikes (default: membrane time / 10)"
    option(data, "--bin", float, "X", text)
    text = "how many gave the spikes (default: as many as the column neuron names)"
    option(data, "--neurons", int, "M", text)
    text = "how often, pooled in the file (default: as many as the column trial names, or 1)"
    option(data, "--trials", int, "N", text)
    option(data, "--threshold", float, "V", "of the neurons (default: %(default)g)")
    option(data, "--reset", float, "V", "of the neurons (default: %(default)g)")
    text = "of potentials at the beginning (default: -1 0.5, scaled as threshold and reset)"
    option(data, "--initial", float, ("MEAN", "VARIANCE"), text, nargs=2)
    text = "lower end and nodes of the voltages (default: what the fitted network needs)"
    option(data, "--grid", float, ("MINIMUM", "NUM"), text, nargs=2)
    text = "of drive, noise or weight, as weight=-2:0.5 (default: noise=0:4, scaled so, too)"
    option(data, "--bounds", None, "NAME=LOW:HIGH", text, nargs="+")
    data.set_defaults(**_DATA)
    add_run(parser, out="fit", files="fit.json, fit.png")


def run(arguments: argparse.Namespace) -> None:
    """Fits, prints and writes what was found.

    **Raises:** `ValueError` for wrong arguments, before anything compiles or is written;
    `SolveError` if the fit fails at its start. On Ctrl-C the best point so far is written first.
    """
    began = time.perf_counter()
    recording = _read(arguments)
    task = None if recording is None else recording.task()
    directory = begin(arguments, "fit.json", *figure_files("fit", arguments.format))
    if task is None:
        task = _recovery(arguments)
    elif arguments.membrane_time is None:
        print("times are taken as membrane times; --membrane-time says how long one is")
    print(task.title, flush=True)
    task, fitted, steps = _fit(task, arguments)
    outcome = Outcome(task, fitted, steps, time.perf_counter() - began)
    results = directory / "fit.json"
    text = json.dumps(outcome.description(), indent=2, allow_nan=False) + "\n"
    write_bytes(results, text.encode())
    figure = write_figures(directory, "fit", task.draw(fitted), arguments.format)
    print("\n".join(outcome.summary()))
    print(f"\nwrote {results} and {figure} ({time.perf_counter() - began:.1f} s)")
    if fitted.result == FitResult.interrupted:
        raise KeyboardInterrupt


def _fit(task: Task, arguments: argparse.Namespace) -> tuple[Task, Fit, int]:
    """The fit, on a grid that resolves the network that is found, and its steps on all grids."""
    steps = 0
    left = _MOST_GRIDS
    while True:
        left -= 1
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
        steps += len(fitted.loss) - 1
        again = None if fitted.result == FitResult.interrupted else task.again(fitted.model)
        if again is None or not left:
            return task, fitted, steps
        task = again
        grid = task.grid
        print(f"again with {grid.num} voltages from {grid.minimum:.4g}, which it needs", flush=True)


# ---- from arguments to a task ----------------------------------------------------------------


def _read(arguments: argparse.Namespace) -> Recording | None:
    """The recording, if there is one; everything that can be wrong is found here."""
    check_integer("--steps", arguments.steps, at_least=1)
    check_integer("--starts", arguments.starts, at_least=1)
    check_seed("--seed", arguments.seed)
    check_positive("--dt", arguments.dt)
    recovers = arguments.data is None
    for name, default in (_DATA if recovers else _RECOVERY).items():
        option = f"--{name.replace('_', '-')}"
        rule = "needs --data" if recovers else "is not for --data"
        check(getattr(arguments, name) == default, f"{option}: {rule}")
    if recovers:
        check_integer("--knots", arguments.knots, at_least=2)
        check_positive("--noise", arguments.noise, allow_zero=True)
        check_between("--noise", arguments.noise, 0, _MOST_NOISE)
        _check_size(arguments, fit_recovery.Run(arguments.dt).duration, arguments.knots)
        return None
    neuron = Neuron.of(arguments.threshold, arguments.reset, arguments.initial)
    bounds = read_bounds(arguments.bounds or (), neuron.threshold - neuron.reset)
    grid = None if arguments.grid is None else neuron.given_grid(*arguments.grid)
    terms = Terms(*(getattr(arguments, name) for name in Terms._fields))
    observed = observe(read_recording(arguments.data), terms)
    check(
        observed.shortest is None or observed.shortest >= arguments.dt * (1 - 1e-9),
        f"--bin: bins of {observed.shortest or 0:g} membrane times must be no shorter than "
        f"--dt = {arguments.dt:g}",
    )
    _check_size(arguments, observed.t1, _MOST_FREE)
    return Recording(arguments.data, observed, neuron, bounds, grid, arguments.dt)


def _check_size(arguments: argparse.Namespace, t1: float, numbers: int) -> None:
    """Requires few enough steps for a run so long, and memory for starts with so many numbers."""
    check(
        t1 <= _MOST_STEPS * arguments.dt,
        f"--dt = {arguments.dt:g}: the run, {t1:.4g} membrane times, must be at most "
        f"{_MOST_STEPS} steps",
    )
    check_memory(
        _BYTES_PER_START * arguments.starts * (100 + numbers),
        f"--starts = {arguments.starts} with {numbers} numbers each",
    )


def _recovery(arguments: argparse.Namespace) -> Task:
    names = ("dt", "knots", "noise", "seed")
    return fit_task.recovery(**{name: getattr(arguments, name) for name in names})
