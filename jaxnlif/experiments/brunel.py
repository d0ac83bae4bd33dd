r"""`jaxnlif run brunel`: the phase diagram of Brunel's network over inhibition and external rate.

The density in time gives mean rate and oscillation at every point of the diagram, eigenvalues of
the stationary state its boundaries, and density and particles four examples side by side.

**Reference:** N. Brunel, *J. Comput. Neurosci.* 8:183 (2000), model A.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np

from .._check import check, check_integer
from .._memory import check_memory
from ..density import stability
from ..density.solver import FluxShift
from ..density.stationary.circuit import circuit_rates
from ..grid import VoltageGrid
from ..integrate.progress import NoProgress, ProgressBar
from ..integrate.solution import Solution
from ..integrate.warning import WarningFlag, explained
from ..store.files import write_arrays
from ._figures import figure_files, write_figures
from ._options import add_number, add_run, add_switch, check_between, check_seed
from ._output import begin
from .brunel_boundaries import boundaries
from .brunel_figure import draw
from .brunel_network import (
    EXAMPLES,
    LOWEST,
    RASTER,
    RESET,
    THRESHOLD,
    UNITS,
    Setting,
    course,
    diagram,
    folded,
    follow,
    particles,
    rhythm,
)

_RESULTS = "brunel.npz"
_OSCILLATES = 0.4
"""The least variation of a rate, relative to its mean, that has a frequency."""
_EIGENVALUE_NODES = 400
Arrays = dict[str, np.ndarray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    plane = parser.add_argument_group("the diagram")
    add_number(plane, "--num-g", int, 25, "values of g, from 0 to 8")
    add_number(plane, "--num-eta", int, 25, "values of the external rate, up to 4")
    solver = parser.add_argument_group("the runs")
    add_number(solver, "--t1", float, 600.0, "how long each is (ms)")
    add_number(solver, "--dt", float, 0.05, "time step (ms)")
    add_number(solver, "--num-v", int, 200, "voltage nodes, a multiple of 8")
    add_switch(solver, "--particles", "follow the examples by particles too", default=True)
    add_number(solver, "--neurons", int, 12_500, "how many particles")
    add_number(solver, "--seed", int, 0, "of the particles")
    add_run(parser, out="brunel", files="brunel.npz, brunel.png", precision="float32")


def run(arguments: argparse.Namespace) -> None:
    """Runs everything, writes the arrays and the figure, and prints a summary.

    **Raises:** `ValueError` for wrong arguments, before anything is run or written. On Ctrl-C the
    arrays that are complete are written first.
    """
    setting = _setting(arguments)
    num_g, num_eta = arguments.num_g, arguments.num_eta
    neurons = arguments.neurons if arguments.particles else 0
    directory = begin(arguments, _RESULTS, *figure_files("brunel", arguments.format))
    results = directory / _RESULTS
    metadata = {"experiment": "brunel", "t1": arguments.t1, "dt": arguments.dt, "neurons": neurons}
    parts: tuple[Callable[[], Arrays], ...] = (
        lambda: {f"boundary_{name}": points for name, points in boundaries().items()},
        lambda: diagram(num_g, num_eta, setting, _bar(arguments, "diagram", "run")),
        states,
        lambda: examples(setting),
        lambda: rasters(setting, neurons, arguments.seed) if neurons else {},
    )
    arrays: Arrays = {}
    try:
        for part in parts:
            arrays |= part()
    except KeyboardInterrupt:
        if arrays:
            write_arrays(results, arrays, metadata)
            print(f"stopped; saved so far: {results}", file=sys.stderr)
        raise
    write_arrays(results, arrays, metadata)
    figure = write_figures(directory, "brunel", draw(arrays), arguments.format)
    print("\n".join(summary(arrays, neurons)))
    print("".join(f"note: {doubt}\n" for doubt in doubts(arrays)), end="")
    print(f"\nwrote {results} and {figure}")


def _setting(arguments: argparse.Namespace) -> Setting:
    """What the options say; everything that can be wrong is found here."""
    for option in ("num_g", "num_eta"):
        check_integer(f"--{option.replace('_', '-')}", getattr(arguments, option), at_least=2)
    check_between("--t1", arguments.t1, 50.0, 1e5)
    check_between("--dt", arguments.dt, 0.01, 0.5)
    check_integer("--num-v", arguments.num_v, at_least=80)
    check(arguments.num_v % 8 == 0, f"--num-v = {arguments.num_v}: must be a multiple of 8")
    check_integer("--neurons", arguments.neurons, at_least=RASTER)
    check_seed("--seed", arguments.seed)
    steps, num = arguments.t1 / arguments.dt, arguments.num_g * arguments.num_eta
    check_memory(40 * num, f"--num-g x --num-eta = {num:g} runs")
    check_memory(
        64 * 400 * (steps + 8 * arguments.num_v),
        f"--t1 / --dt = {steps:g} steps, --num-v = {arguments.num_v}",
    )
    check_memory(100 * arguments.neurons, f"--neurons = {arguments.neurons}")
    return Setting(arguments.num_v, UNITS.time(arguments.dt), UNITS.time(arguments.t1))


def _bar(arguments: argparse.Namespace, name: str, unit: str) -> ProgressBar | NoProgress:
    return ProgressBar(name, unit) if arguments.progress else NoProgress()


# ---- the parts of the experiment -------------------------------------------------------------


def states() -> Arrays:
    """The stationary rates of the examples (Hz), and their leading eigenvalues (1/s)."""
    grid = VoltageGrid(LOWEST, THRESHOLD, reset=RESET, num=_EIGENVALUE_NODES)
    rates, leading = [], []
    for example in EXAMPLES:
        network = folded(example.g, example.eta)
        rate = circuit_rates(network, threshold=THRESHOLD, reset=RESET).rates[-1]
        found = stability.eigenvalues(network, grid, rate, num=1, starts=32)[0]
        rates.append(UNITS.rate_Hz(float(rate[0])))
        leading.append(complex(found) * UNITS.rate_Hz(1.0))
    return {"example_stationary": np.array(rates), "example_eigenvalue": np.array(leading)}


def examples(setting: Setting) -> Arrays:
    """The rates of the examples by the density (Hz), between saved times."""
    runs = [follow(e.g, e.eta, setting, FluxShift(setting.grid)) for e in EXAMPLES]
    warnings = np.stack([np.asarray(run.warnings) for run in runs])
    return _courses("example", runs) | {"example_warnings": warnings}


def rasters(setting: Setting, neurons: int, seed: int) -> Arrays:
    """The rates of the examples by particles (Hz), between saved times, and spikes of some."""
    found, runs = {}, []
    for number, example in enumerate(EXAMPLES):
        key = jax.random.fold_in(jax.random.key(seed), number)
        sol = follow(example.g, example.eta, setting, particles(setting, neurons), key=key)
        found[f"raster_time_{number}"] = UNITS.time_ms(np.asarray(sol.raster.time, float))
        found[f"raster_neuron_{number}"] = np.asarray(sol.raster.neuron)
        runs.append(sol)
    return _courses("particles", runs) | found


def _courses(name: str, runs: Sequence[Solution]) -> Arrays:
    ts, rates = zip(*map(course, runs), strict=True)
    hertz = UNITS.rate_Hz(np.stack(rates).astype(float))
    return {f"{name}_time": UNITS.time_ms(np.asarray(ts[0], float)), f"{name}_rate": hertz}


# ---- the summary -----------------------------------------------------------------------------


def summary(arrays: Arrays, neurons: int) -> list[str]:
    """The examples as a short table."""
    kinds = [name for name in ("example", "particles") if f"{name}_rate" in arrays]
    counted = {"example": np.inf, "particles": neurons}
    titles = {"example": "density", "particles": "particles"}
    lines = [
        f"{'g':>4} {'eta':>4}  {'stationary':>10} {'eigenvalue':>18}"
        + "".join(f"  {titles[kind]:>26}" for kind in kinds),
        f"{'':9}  {'Hz':>10} {'1/s, Hz':>18}" + f"  {'mean Hz, variation, Hz':>26}" * len(kinds),
    ]
    for number, example in enumerate(EXAMPLES):
        value = arrays["example_eigenvalue"][number]
        line = (
            f"{example.g:4g} {example.eta:4g}  {arrays['example_stationary'][number]:10.4g} "
            f"{value.real:+10.1f}, {value.imag / (2 * np.pi):6.1f}"
        )
        for kind in kinds:
            mean, cv, frequency = measures(
                arrays[f"{kind}_time"], arrays[f"{kind}_rate"][number], counted[kind]
            )
            hertz = f"{frequency:.1f}" if cv > _OSCILLATES else "none"
            line += f"  {f'{mean:.4g}, {cv:.2f}, {hertz}':>26}"
        lines.append(f"{line}  {example.state}")
    return lines


def measures(
    ms: np.ndarray, rate: np.ndarray, neurons: float | int = np.inf
) -> tuple[float, float, float]:
    """Mean rate (Hz), its variation without that of as many neurons which are independent, and the
    frequency of its rhythm (Hz), in the second half."""
    half = rate.size // 2
    ms, rate = ms[half:], rate[half:]
    mean = max(float(rate.mean()), np.finfo(float).tiny)
    independent = mean / (neurons * (ms[1] - ms[0]) / 1e3)
    return mean, float(np.sqrt(max(rate.var() - independent, 0.0)) / mean), rhythm(ms, rate)


def doubts(arrays: Arrays) -> Iterator[str]:
    """What makes runs doubtful, and which they are."""
    flags = arrays["warnings"]
    for flag in WarningFlag:
        doubtful = flags[..., flag]
        if doubtful.any():
            g = arrays["g"][doubtful.any(axis=1)]
            of = f"{doubtful.sum()} of {doubtful.size} runs of the diagram"
            words = next(explained(np.arange(len(WarningFlag)) == flag))
            yield f"{of}, with g from {g.min():.3g} to {g.max():.3g}: {words}"
    for example, each in zip(EXAMPLES, arrays["example_warnings"], strict=True):
        yield from (f"g = {example.g:g}, η = {example.eta:g}: {words}" for words in explained(each))
