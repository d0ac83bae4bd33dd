r"""`jaxnlif run synchrony`: neurons that fire together, by density, by particles, and by both.

**Reference:** Z. Du, Y. Xie, Z. Zhou, arXiv 2305.05915 (2023); the events on the density follow
X. Dou, L. Tao, Z. Xue, Z. Zhou, arXiv 2603.18475.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from .._check import check_integer
from .._memory import check_memory
from ..integrate.progress import AbstractProgress, NoProgress, ProgressBar
from ..integrate.result import Interrupted, Result, SolveError
from ..integrate.solution import Solution
from ..integrate.solver import Regime
from ..store.files import write_arrays
from ._figures import figure_files, write_figures
from ._options import add_number, add_run, add_switch, check_between
from ._output import begin, print_doubts
from .synchrony_cases import (
    CASES,
    DURATION,
    Case,
    Run,
    bytes_of_runs,
    density_solver,
    follow,
    mean_rate,
    multiscale_solver,
    particle_solver,
)
from .synchrony_figure import draw

_RESULTS = "synchrony.npz"
Runs = Mapping[str, Sequence[Run]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    parser.add_argument(
        "--case",
        choices=CASES,
        default="self-sustained",
        metavar="NAME",
        help=f"the network: {', '.join(CASES)} (default: %(default)s)",
    )
    add_number(parser, "--neurons", int, 20_000, "how many")
    add_number(parser, "--weight", float, None, "of all synapses (default: that of the case)")
    add_number(parser, "--noise", float, 1.0, "noise strength a")
    add_number(parser, "--t1", float, DURATION, "how long they run, in membrane times")
    add_switch(
        parser, "--compare", "follow them by density, by particles and by both, side by side"
    )
    add_number(parser, "--seeds", int, 4, "runs of each kind to compare")
    add_run(parser, out="synchrony", files="synchrony.npz, synchrony.png")


def run(arguments: argparse.Namespace) -> None:
    """Runs the case, writes arrays and figure, and prints a summary.

    **Raises:** `ValueError` for wrong arguments, before anything compiles or is written;
    `SolveError`, when all is written, if a run did not complete. On Ctrl-C what was saved so far is
    written first.
    """
    case = _case(arguments)
    neurons, seeds = arguments.neurons, arguments.seeds
    directory = begin(arguments, _RESULTS, *figure_files("synchrony", arguments.format))
    results = directory / _RESULTS
    metadata = {"experiment": "synchrony", "case": arguments.case, "neurons": neurons}
    name, runs = "", dict[str, list[Run]]()
    try:
        for name, seed in _plan(arguments.compare, seeds):
            bar = ProgressBar(f"{name} {seed}") if arguments.progress else NoProgress()
            runs.setdefault(name, []).append(_run(name, case, neurons, seed, arguments.t1, bar))
    except KeyboardInterrupt as stop:
        if isinstance(stop, Interrupted):
            runs.setdefault(name, []).append(Run(stop.solution, 0.0))
        if runs:
            write_arrays(results, arrays(runs), metadata)
            print(f"stopped; saved so far: {results}", file=sys.stderr)
        raise
    write_arrays(results, arrays(runs), metadata)
    solutions = {name: several[0].solution for name, several in runs.items()}
    figure = write_figures(directory, "synchrony", draw(case, solutions), arguments.format)
    print(f"{arguments.case}: {case.title}; {neurons} neurons")
    print("\n".join(summary(runs)))
    for name, several in runs.items():
        print_doubts((f"{name} {k}", run.solution) for k, run in enumerate(several))
    print(f"\nwrote {results} and {figure}")
    for name, several in runs.items():
        for solution, _ in several:
            if solution.result != Result.completed:
                outcome = f"ended at t = {float(solution.t_end):g}: {solution.message}"
                raise SolveError(f"{name}: {outcome}")


def _case(arguments: argparse.Namespace) -> Case:
    """The case with the options in effect, which are filled in; what can be wrong is found here."""
    neurons = check_integer("--neurons", arguments.neurons, at_least=2)
    seeds = check_integer("--seeds", arguments.seeds, at_least=2)
    case = CASES[arguments.case]
    if arguments.weight is None:
        arguments.weight = case.weight
    check_between("--weight", arguments.weight, -100, 100)
    check_between("--noise", arguments.noise, 0.05, 20)
    check_between("--t1", arguments.t1, 0.1, 1e6)
    runs = 2 * seeds + 2 if arguments.compare else 1
    check_memory(
        bytes_of_runs(neurons, runs, arguments.t1),
        f"--neurons = {neurons}, --t1 = {arguments.t1:g}, {runs} runs",
    )
    return case.with_values(weight=arguments.weight, noise=arguments.noise)


def _plan(compare: bool, seeds: int) -> list[tuple[str, int]]:
    """Solvers and seeds. A first run compiles, so that each solver runs twice where times count."""
    if not compare:
        return [("multi-scale", 0)]
    drawn = [(name, seed) for name in ("multi-scale", "particles") for seed in range(seeds)]
    return [("density", 0), ("density", 1), *drawn]


def _run(
    name: str, case: Case, neurons: int, seed: int, t1: float, progress: AbstractProgress
) -> Run:
    solver = {
        "density": density_solver,
        "multi-scale": lambda: multiscale_solver(neurons),
        "particles": lambda: particle_solver(neurons),
    }[name]()
    return follow(case, solver, seed=seed, t1=t1, progress=progress)


def arrays(runs: Runs) -> dict[str, np.ndarray]:
    """What is written: rates of the first run of each solver, events and spikes of all."""
    found: dict[str, np.ndarray] = {}
    for name, several in runs.items():
        first = several[0].solution
        found[f"{name}_time"], found[f"{name}_rate"] = mean_rate(first)
        found[f"{name}_regime"] = np.asarray(first.regime)
        for n, (solution, _) in enumerate(several):
            found[f"{name}_event_time_{n}"] = np.asarray(solution.events.time)
            found[f"{name}_event_size_{n}"] = np.asarray(solution.events.size)
        found[f"{name}_spikes"] = np.array([float(r.solution.spikes[-1]) for r in several])
        found[f"{name}_seconds"] = np.array([r.seconds for r in several])
    return found


# ---- the summary -----------------------------------------------------------------------------


def summary(runs: Runs) -> list[str]:
    """Events, spikes, regimes and cost of each solver, and how far they are from particles."""
    header = f"{'solver':12} {'events':>8} {'first at':>16} {'size':>7} {'spikes':>16} {'s':>7}"
    lines = [header]
    for name, several in runs.items():
        solutions = [r.solution for r in several]
        counts = sorted({len(s.events.time) for s in solutions})
        firsts = [float(s.events.time[0]) for s in solutions if len(s.events.time)]
        sizes = np.concatenate([np.asarray(s.events.size, float) for s in solutions])
        lines.append(
            f"{name:12} {'-'.join(map(str, counts)):>8} {_spread(firsts):>16} "
            f"{f'{sizes.mean():.3f}' if sizes.size else 'none':>7} "
            f"{_spread([float(s.spikes[-1]) for s in solutions]):>16} {cost(several):7.3g}"
        )
        if "switches" in solutions[0].logs:
            lines.append(f"{'':12} {_regimes(solutions[0])}")
    if "particles" in runs:
        particles = runs["particles"]
        truth = np.mean([float(r.solution.spikes[-1]) for r in particles])
        for name in ("density", "multi-scale"):
            spikes = np.mean([float(r.solution.spikes[-1]) for r in runs[name]])
            lines.append(
                f"{name}: {cost(particles) / cost(runs[name]):.0f} times cheaper than particles, "
                f"spikes {100 * (spikes / truth - 1):+.2f} %"
            )
    return lines


def cost(several: Sequence[Run]) -> float:
    """Seconds of a run that does not compile, where there is one."""
    return min(run.seconds for run in several[1:] or several)


def _regimes(solution: Solution) -> str:
    share = np.mean(np.asarray(solution.regime) == Regime.particles)
    return f"{len(solution.switches.time)} switches, particles for {100 * share:.0f} % of the time"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "none"
    mean = f"{np.mean(values):.4f}"
    return mean if np.ptp(values) == 0 else f"{mean} ± {np.std(values, ddof=1):.4f}"
