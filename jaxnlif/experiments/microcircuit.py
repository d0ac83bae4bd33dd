r"""`jaxnlif run microcircuit`: the cortical microcircuit, its rates, its rhythm, and a fit.

Stationary rates beside those of a spiking simulation, the density of its eight populations in time,
eigenvalues and power spectra, and the external rates with which the stationary rates are those of
the simulation.

**Reference:** T. C. Potjans, M. Diesmann, *Cereb. Cortex* 24:785 (2014).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np

from .._check import check, check_finite, check_integer
from .._memory import check_memory
from ..fitting.levenberg import LevenbergMarquardt
from ..integrate.progress import NoProgress, ProgressBar
from ..integrate.result import SolveError
from ..store.files import write_arrays
from ._figures import figure_files, write_figures
from ._options import add_number, add_run, add_switch, check_between
from ._output import begin
from .microcircuit_figure import draw
from .microcircuit_parts import NAMES, SIMULATED, Arrays, Setting, fitted, in_time, linear, states

_RESULTS = "microcircuit.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    circuit = parser.add_argument_group("the circuit")
    add_number(circuit, "--external-rate", float, 8.0, "of each external input (Hz)")
    solver = parser.add_argument_group("the run in time")
    add_number(solver, "--t1", float, 1000.0, "how long it is (ms)")
    add_number(solver, "--dt", float, 0.1, "time step (ms)")
    add_number(solver, "--num-v", int, 160, "voltage nodes, a multiple of 4")
    fit = parser.add_argument_group("the fit")
    add_switch(fit, "--fit", "find the external rates of given stationary rates", default=True)
    fit.add_argument(
        "--targets",
        type=float,
        nargs="+",
        default=list(SIMULATED),
        metavar="X",
        help=f"these rates, of {', '.join(NAMES)} (Hz; default: of a spiking simulation)",
    )
    add_number(fit, "--error", float, 0.01, "their standard errors, in parts of them")
    files = "microcircuit.npz, microcircuit.png"
    add_run(parser, out="microcircuit", files=files)


def run(arguments: argparse.Namespace) -> None:
    """Runs everything, writes the arrays and the figure, and prints a summary.

    **Raises:** `ValueError` for wrong arguments, before anything is run or written; `SolveError`
    if no stationary state is found or a fit fails, when what is complete is written. On Ctrl-C that
    is written too.
    """
    setting = _setting(arguments)
    directory = begin(arguments, _RESULTS, *figure_files("microcircuit", arguments.format))
    results = directory / _RESULTS
    metadata = {"experiment": "microcircuit", "external_rate": setting.external_rate}
    parts: tuple[Callable[[Arrays], Arrays], ...] = (
        lambda _: states(setting),
        lambda found: linear(setting, found["stationary_white"]),
        lambda _: in_time(setting, _bar(arguments, "density")),
        lambda _: fitted(setting, LevenbergMarquardt()) if arguments.fit else {},
    )
    arrays: Arrays = {}
    try:
        for part in parts:
            arrays |= part(arrays)
    except (KeyboardInterrupt, SolveError):
        if arrays:
            write_arrays(results, arrays, metadata)
            print(f"stopped; saved so far: {results}", file=sys.stderr)
        raise
    write_arrays(results, arrays, metadata)
    figure = write_figures(directory, "microcircuit", draw(arrays), arguments.format)
    print("\n".join(summary(arrays)))
    print(f"\nwrote {results} and {figure}")


def _setting(arguments: argparse.Namespace) -> Setting:
    """What the options say; everything that can be wrong is found here."""
    check_between("--external-rate", arguments.external_rate, 1.0, 20.0)
    check_between("--t1", arguments.t1, 100.0, 1e5)
    check_between("--dt", arguments.dt, 0.01, 0.2)
    num = check_integer("--num-v", arguments.num_v, at_least=40)
    check(num % 4 == 0, f"--num-v = {num}: must be a multiple of 4")
    check_memory(
        200 * arguments.t1 / arguments.dt + 2000 * num,
        f"--t1 / --dt = {arguments.t1 / arguments.dt:g} steps, --num-v = {num}",
    )
    targets = arguments.targets
    check(
        len(targets) == len(NAMES),
        f"--targets: {len(targets)} rates; must be {len(NAMES)}, of {', '.join(NAMES)}",
    )
    for name, target in zip(NAMES, targets, strict=True):
        check_finite("--targets", target)
        check(0 < target < 500, f"--targets = {target:g} of {name}: must lie between 0 and 500 Hz")
    check_between("--error", arguments.error, 1e-4, 1.0)
    return Setting(
        external_rate=arguments.external_rate,
        t1=arguments.t1,
        dt=arguments.dt,
        nodes=num,
        targets=tuple(targets),
        error=arguments.error,
    )


def _bar(arguments: argparse.Namespace, name: str) -> ProgressBar | NoProgress:
    return ProgressBar(name) if arguments.progress else NoProgress()


# ---- the summary -----------------------------------------------------------------------------


def summary(arrays: Arrays) -> list[str]:
    """Rates by population, and what oscillates."""
    columns = {
        "simulation": arrays["simulated"],
        "white": arrays["stationary_white"],
        "shifted": arrays["stationary_shift"],
        "in time": arrays["time_mean"],
    }
    lines = [f"{'Hz':6}" + "".join(f"{name:>12}" for name in columns)]
    if "fit_external_rate" in arrays:
        lines[0] += f"{'external rate, fitted':>26}"
    for k, name in enumerate(NAMES):
        line = f"{name:6}" + "".join(f"{values[k]:12.3f}" for values in columns.values())
        if "fit_external_rate" in arrays:
            value, error = arrays["fit_external_rate"][k], arrays["fit_error"][k]
            line += f"{f'{value:.3f} ± {error:.3f}':>26}"
        lines.append(line)
    leading = arrays["eigenvalues"][0]
    verdict = "grow" if leading.real > 0 else "decay"
    lines.append(
        f"disturbances of the stationary state {verdict} at {leading.real:+.1f}/s, "
        f"{leading.imag / (2 * np.pi):.1f} Hz; in time the rhythm has {arrays['rhythm']:.1f} Hz, "
        f"variation {arrays['variation']:.2f}"
    )
    value, hertz = arrays["hopf"]
    if np.isfinite(value):
        lines.append(f"Hopf point: external rate {value:.3f} Hz, {hertz:.1f} Hz")
    else:
        lines.append("Hopf point: none found near the external rate")
    if "fit_external_rate" in arrays:
        worst = 100 * np.max(np.abs(arrays["fit_rate"] / arrays["fit_target"] - 1))
        lines.append(f"fit: {arrays['fit_message']}; its worst rate is {worst:.2g} % off")
    lines.extend(f"note: density: {words}" for words in arrays["doubts"])
    return lines
