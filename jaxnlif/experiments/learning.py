"""`jaxnlif run learning`: a network learns an input and then tells inputs apart."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .. import plot
from .._check import check, check_integer
from .._memory import check_memory
from ..density.coupling import Implicit, Lagged
from ..density.solver import FluxShift
from ..grid import Grid, VoltageGrid, WeightGrid
from ..initial import gaussian
from ..integrate.result import SolveError
from ..io._versions import versions
from ..model import Bump
from ..store.files import write_arrays
from . import _learning_figure
from ._figures import figure_files, write_figures
from ._options import add_number, add_run, check_magnitude, check_steps
from ._output import begin, print_doubts
from ._trial import Phase, Setting, phases
from .measures import discrimination, learned_support, linearity, up_to_peak
from .signals import read_signal

Signal = Float[np.ndarray, " w"]

_COUPLINGS = {"lagged": Lagged(), "implicit": Implicit()}
_SETTLED = 1e-3
_FEW_CELLS = 10
_BYTES_PER_CELL = 200  # the densities of all phases, and what a step makes of one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this experiment."""

    inputs = parser.add_argument_group("inputs")
    inputs.add_argument(
        "--signal",
        metavar="FILE",
        help="to learn, CSV or NPY: columns weight, value (default: a bump at w = 0.3)",
    )
    inputs.add_argument(
        "--tests",
        nargs="+",
        metavar="FILE",
        help="to test besides the learned one (default: it, shifted; its mean)",
    )

    network = parser.add_argument_group("network")
    add_number(network, "--gain", float, 0.3, "learning strength K")
    add_number(network, "--epsilon", float, 1e-3, "membrane time / learning time, 0 included")
    add_number(network, "--noise", float, 1.0, "noise strength a")
    add_number(network, "--t1", float, 12.0, "how long it learns, in learning times")

    solver = parser.add_argument_group("solver")
    add_number(solver, "--dt", float, 1e-2, "longest time step, in learning times")
    add_number(solver, "--num-v", int, 300, "voltage nodes, a multiple of 6")
    add_number(solver, "--num-w", int, 400, "weight cells")
    add_number(solver, "--w-max", float, 1.2, "upper end of the weight grid")
    solver.add_argument(
        "--coupling",
        choices=_COUPLINGS,
        default="lagged",
        metavar="NAME",
        help=f"{' or '.join(_COUPLINGS)} (default: %(default)s)",
    )
    add_run(parser, out="results", files="learning.npz, learning.png")


def run(arguments: argparse.Namespace) -> None:
    """Learns, tests, prints a summary, and writes `learning.npz` and `learning.png`.

    **Raises:** `ValueError` for wrong arguments, before anything compiles or is written.
    """
    began = time.perf_counter()
    setting = _setting(arguments, *_read(arguments))
    setting.validate()
    directory = begin(arguments, "learning.npz", *figure_files("learning", arguments.format))

    done: list[Phase] = []
    try:
        for phase in phases(setting):
            done.append(phase)
    except (KeyboardInterrupt, SolveError):
        if done:
            path = _write_results(directory, setting, done, {})
            print(f"stopped in phase {done[-1].name!r}; saved so far: {path}", file=sys.stderr)
        raise
    findings = _findings(setting, done)
    results = _write_results(directory, setting, done, findings)
    drawn = _learning_figure.draw(setting, done)
    figure = write_figures(directory, "learning", drawn, arguments.format)
    print("\n".join(_summary(setting, findings)))
    print_doubts((phase.name, phase.solution) for phase in done)
    print(f"\nwrote {results} and {figure} ({time.perf_counter() - began:.1f} s)")


# ---- from arguments to a setting -------------------------------------------------------------


def _read(arguments: argparse.Namespace) -> tuple[Grid, Signal | None, dict[str, Signal]]:
    """The grid and the signals that files hold; everything that can be wrong is found here."""
    check_integer("--num-w", arguments.num_w, at_least=2)
    check_integer("--num-v", arguments.num_v, at_least=6)
    check(arguments.num_v % 6 == 0, f"--num-v = {arguments.num_v}: must be a multiple of 6")
    for name in ("t1", "dt", "gain", "w_max", "noise"):
        check_magnitude(f"--{name.replace('_', '-')}", getattr(arguments, name))
    check_magnitude("--epsilon", arguments.epsilon, allow_zero=True)
    check_steps("--t1", arguments.t1, arguments.t1, arguments.dt)
    check_steps("--epsilon", arguments.epsilon, 20 * arguments.epsilon, arguments.dt)
    cells = arguments.num_v * arguments.num_w
    check_memory(_BYTES_PER_CELL * cells, f"--num-v x --num-w = {cells:g} cells")
    voltages = VoltageGrid(-4.0, 2.0, reset=1.0, num=arguments.num_v)
    weights = WeightGrid(0.0, arguments.w_max, num=arguments.num_w)

    def on_cells(path: str) -> Signal:
        table = read_signal(path, weights)
        assert table.w is not None
        return np.interp(weights.centers, table.w, table.values)

    signal = None if arguments.signal is None else on_cells(arguments.signal)
    tests = {name: on_cells(path) for name, path in _names(arguments.tests or ())}
    return Grid(voltages, weights), signal, tests


def _names(paths: Sequence[str]) -> list[tuple[str, str]]:
    """Short names for files: without directory and suffix, where that tells them apart."""
    short = [Path(path).stem for path in paths]
    return list(zip(short if len(set(short)) == len(short) else paths, paths, strict=True))


def _setting(
    arguments: argparse.Namespace, grid: Grid, signal: Signal | None, tests: dict[str, Signal]
) -> Setting:
    assert grid.w is not None
    w, width = grid.w.centers, grid.w.maximum
    if signal is None:
        bump = Bump(base=1.0, height=3.0, center=0.3, width=0.1)
        signal = np.asarray(eqx.filter_jit(bump)(jnp.zeros(()), jnp.asarray(w)))
    if not tests:
        shift = width / 4
        tests = {
            f"shifted by {shift:g}": np.interp(w - shift, w, signal),
            "flat, same mean": np.full_like(signal, signal.mean()),
        }
    return Setting(
        solver=FluxShift(grid, _COUPLINGS[arguments.coupling]),
        initial=eqx.filter_jit(gaussian)(grid, v=(-1.0, 0.5), w=(width / 4, width**2 / 72)),
        signal=signal,
        tests={"learned input": signal} | tests,
        gain=arguments.gain,
        epsilon=arguments.epsilon,
        noise=arguments.noise,
        t1=arguments.t1,
        dt=arguments.dt,
        progress=arguments.progress,
    )


# ---- what came out ---------------------------------------------------------------------------


def _findings(setting: Setting, done: Sequence[Phase]) -> dict[str, Any]:
    """The numbers of the summary, as they are stored with the results."""
    learned, *tests = done
    w, rates = setting.weights, learned.rates[-1]
    support, ramp = learned_support(rates), up_to_peak(rates)
    rate = float(learned.rate[-1])
    return {
        "rate": rate,
        "unsettled": _unsettled(learned),
        "support": [float(w[support][0]), float(w[support][-1])],
        "support_end": rate * math.sqrt(2 * setting.gain),
        "peak": float(w[ramp][-1]),
        "linearity": linearity(w, rates, ramp),
        "linearity_with_jump": linearity(w, rates, support),
        "mass_drift": max(float(phase.solution.stats["mass_drift"]) for phase in done),
        "tests": {
            test.name: {
                "rate": float(test.rate[-1]),
                "unsettled": _unsettled(test),
                "linearity": linearity(w, test.rates[-1], ramp),
                "discrimination": discrimination(test.rates[-1], rates),
            }
            for test in tests
        },
    }


def _unsettled(phase: Phase) -> float:
    """How much N(w) still changed in the last tenth of a phase, relative to itself."""
    last, before = phase.rates[-1], phase.rates[-1 - max(1, len(phase.t) // 10)]
    size = np.linalg.norm(last)
    return float(np.linalg.norm(last - before) / size) if size > 0 else 0.0


def _summary(setting: Setting, findings: Mapping[str, Any]) -> Iterator[str]:
    low, high = findings["support"]
    yield "after learning"
    yield f"  network rate N̄   {findings['rate']:.6g} spikes / neuron / membrane time"
    yield f"  learned support  w = {low:.4g} … {high:.4g}, where N(w) > 0.001 of its maximum"
    yield f"                   (in closed form it ends at N̄ √(2K) = {findings['support_end']:.4g})"
    yield (
        f"  linearity        {findings['linearity']:.4f}, R² of N(w) against c w up to its peak "
        f"at w = {findings['peak']:.4g}"
    )
    yield (
        f"                   ({findings['linearity_with_jump']:.4f} with the jump behind it, "
        "which the grid smears)"
    )
    yield f"  mass drift       {findings['mass_drift']:.1e}, the largest of all phases"
    yield ""
    yield f"{'tests, weights frozen':24}{'N̄':>10}{'discrimination':>16}{'linearity':>11}"
    for name, test in findings["tests"].items():
        rate, score = f"{test['rate']:.4g}", test["discrimination"]
        yield f"  {name:22}{rate:>9}{score:16.4f}{test['linearity']:11.4f}"
    yield from _doubts(setting, findings)


def _doubts(setting: Setting, findings: Mapping[str, Any]) -> Iterator[str]:
    """Reasons to distrust the numbers, and what to do about them."""
    if findings["unsettled"] > _SETTLED:
        yield f"note: N(w) still changed by {findings['unsettled']:.1%} at the end; raise --t1"
    for name, test in findings["tests"].items():
        if test["unsettled"] > _SETTLED:
            yield f"note: test {name!r}: N(w) still changed by {test['unsettled']:.1%} at the end"
    if findings["support_end"] < _FEW_CELLS * setting.solver.grid.weight_spacing:
        yield "note: the learned support is only a few cells wide; raise the signal or --num-w"
    if findings["support"][1] >= setting.weights[-1]:
        yield "note: learned weights reach the end of the weight grid; raise --w-max"


def _write_results(
    directory: Path, setting: Setting, done: Sequence[Phase], findings: Mapping[str, Any]
) -> Path:
    """Everything that was computed, as named arrays: phase 0 is learning, the others are tests."""
    grid, model = setting.solver.grid, done[0].solution.model
    arrays = {"w": setting.weights, "v": grid.v.nodes, "initial_density": setting.initial}
    for number, phase in enumerate(done):
        values = {
            "signal": phase.signal,
            "t": phase.t,
            "rate": phase.rate,
            "rates": phase.rates,
            "weights": phase.weights,
            "density": plot.final_density(phase.solution),
        }
        arrays |= {f"phase{number}_{name}": value for name, value in values.items()}
    metadata = {
        "experiment": "learning",
        "phases": [phase.name for phase in done],
        "findings": findings,
        "noise": setting.noise,
        "response": type(model.response).__name__,
        "learning": "Hebbian",
        "gain": setting.gain,
        "epsilon": setting.epsilon,
        "t1": setting.t1,
        "dt": setting.dt,
        "coupling": type(setting.solver.coupling).__name__,
        "voltage_grid": [grid.v.minimum, grid.v.threshold, grid.v.reset, grid.v.num],
        "precision": grid.dtype.name,
        "versions": versions(),
    }
    path = directory / "learning.npz"
    write_arrays(path, arrays, metadata)
    return path
