r"""`jaxnlif run excitatory`: how a network that excites itself behaves as its coupling grows.

Stationary rates and their folds, which of them attracts, hysteresis in the drive, relaxation to
equilibrium, and blow-up; for networks with one weight and with a distribution of weights, and for
responses σ with and without a bound. Threshold, reset and noise are $V_F = 2$, $V_R = 1$, $a = 1$.

**Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, J. Math. Neurosci. 1:7 (2011) [CCP];
J. Hu, J. Liu, Y. Xie, Z. Zhou, arXiv 1911.07619 [HLXZ].
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
from jaxtyping import Array, Float

from .._check import check, check_integer
from .._memory import check_memory
from ..density import stationary
from ..density.coupling import Implicit
from ..density.solver import FluxShift
from ..initial import normalise
from ..integrate.progress import NoProgress, ProgressBar
from ..integrate.result import Result, SolveError
from ..integrate.saveat import SaveAt
from ..integrate.solve import solve
from ..integrate.warning import explained
from ..store.files import write_arrays
from ._figures import figure_files, write_figures
from ._options import add_number, add_run, check_between
from ._output import begin
from .excitatory_figure import draw
from .excitatory_networks import DEFAULT, WEIGHTS, Arrays, Course, Ramp, Setting, together

_RESULTS = "excitatory.npz"
_AT_REST = (-1.0, 0.5)  # mean and variance of the initial voltages
_NEAR_THRESHOLD = (1.5, 0.005)
_SAVES = 161  # densities on the way to equilibrium
_BYTES_PER_NODE = 8 * (2 * _SAVES + 25)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    networks = parser.add_argument_group("networks (threshold 2, reset 1)")
    networks.add_argument(
        "--couplings",
        type=float,
        nargs="+",
        default=list(DEFAULT.couplings),
        metavar="X",
        help="mean weights of networks that may blow up (default: from 0.5 to 8)",
    )
    add_number(networks, "--coupling", float, DEFAULT.coupling, "weight with two stationary rates")
    add_number(networks, "--drive", float, DEFAULT.drive, "input I of all networks")
    add_number(networks, "--noise", float, DEFAULT.noise, "noise strength a")
    add_number(networks, "--variance", float, DEFAULT.variance, "of distributed weights")
    solver = parser.add_argument_group("solver")
    add_number(solver, "--num-v", int, DEFAULT.nodes, "voltage nodes, a multiple of 8")
    add_number(solver, "--num-w", int, DEFAULT.cells, "weight cells")
    add_run(parser, out="excitatory", files="excitatory.npz, excitatory.png")


def run(arguments: argparse.Namespace) -> None:
    """Runs everything, writes the arrays and the figure, and prints a summary.

    **Raises:** `ValueError` for wrong arguments, before anything is run or written. On Ctrl-C the
    arrays that are complete are written first.
    """
    setting = _setting(arguments)
    directory = begin(arguments, _RESULTS, *figure_files("excitatory", arguments.format))
    results = directory / _RESULTS
    metadata = {"experiment": "excitatory", "drive": setting.drive, "noise": setting.noise}
    progress = ProgressBar("excitatory", "run") if arguments.progress else NoProgress()
    arrays: Arrays = {}
    try:
        with closing(progress.start(_runs(setting))) as bar:
            for part in (stationary_branches, attraction, hysteresis, relaxation, blow_up):
                arrays |= part(setting, bar.update)
    except (KeyboardInterrupt, SolveError):
        if arrays:
            write_arrays(results, arrays, metadata)
            print(f"stopped; saved so far: {results}", file=sys.stderr)
        raise
    write_arrays(results, arrays, metadata)
    figure = write_figures(directory, "excitatory", draw(arrays), arguments.format)
    print(summary(setting, arrays))
    print("".join(f"note: {doubt}\n" for doubt in doubts(arrays)), end="")
    print(f"\nwrote {results} and {figure}")


def _setting(arguments: argparse.Namespace) -> Setting:
    """What the options say; everything that can be wrong is found here."""
    check_integer("--num-v", arguments.num_v, at_least=16)
    check(arguments.num_v % 8 == 0, f"--num-v = {arguments.num_v}: must be a multiple of 8")
    check_integer("--num-w", arguments.num_w, at_least=2)
    cells = arguments.num_v * arguments.num_w
    check_memory(_BYTES_PER_NODE * cells, f"--num-v x --num-w = {cells:g} cells")
    check_between("--drive", arguments.drive, -3.0, 3.0)
    check_between("--noise", arguments.noise, 0.05, 20.0)
    check_between("--variance", arguments.variance, 1e-6, 10.0)
    for coupling in arguments.couplings:
        check_between("--couplings", coupling, *WEIGHTS)
    check_between("--coupling", arguments.coupling, *WEIGHTS)
    setting = Setting(
        drive=arguments.drive,
        noise=arguments.noise,
        variance=arguments.variance,
        couplings=tuple(arguments.couplings),
        coupling=arguments.coupling,
        nodes=arguments.num_v,
        cells=arguments.num_w,
    )
    rates = setting.one_weight.stationary_rates(setting.coupling, setting.drive)
    check(
        rates.size == 2,
        f"--coupling = {setting.coupling:g}: must have two stationary rates, as weights above 1 "
        "and below the fold do where drive and noise are weak",
    )
    return setting


def _nothing(runs: int) -> None:
    pass


# ---- the parts of the experiment -------------------------------------------------------------

_ATTRACTION = ((0, 0.5), (1, 0.9), (1, 0.98), (1, 1.02), (1, 1.1))
"""Where runs start: at which stationary rate, times what."""
_RELAXATION = (0.0, 0.5, 1.0, 1.5, 2.0)
_KINDS = 4  # of networks that may blow up


def _runs(setting: Setting) -> int:
    """How many runs there are; the stationary branches count as one."""
    return 1 + len(_ATTRACTION) + 2 + len(_RELAXATION) + _KINDS * len(setting.couplings)


def stationary_branches(
    setting: Setting = DEFAULT, done: Callable[[int], None] = _nothing
) -> Arrays:
    """The mean weight at which a network is stationary at given rates, and the folds.

    More weight means more firing, so that this weight is unique, and a branch attracts where it
    rises.
    """
    rate = np.geomspace(0.05, 20, 120)
    one, many, bounded = (
        family.mean_at(rate, setting.drive)
        for family in (setting.one_weight, setting.many_weights, setting.bounded)
    )
    fold = stationary.fold(setting.drive, setting.noise)
    done(1)
    return {
        "branch_rate": rate,
        "branch_one_weight": one,
        "branch_many_weights": many,
        "branch_bounded": bounded,
        "fold_one_weight": np.array([fold.coupling, fold.rate]),
        "fold_many_weights": np.array([np.nanmax(many), rate[np.nanargmax(many)]]),
    }


def attraction(setting: Setting = DEFAULT, done: Callable[[int], None] = _nothing) -> Arrays:
    """Runs of a network with one weight, from stationary densities beside its stationary rates."""
    coupling, family = setting.coupling, setting.one_weight
    rates = family.stationary_rates(coupling, setting.drive)
    v, runs = family.grid.v.nodes, []
    for which, factor in _ATTRACTION:
        felt = setting.drive + coupling * factor * rates[which]
        y0 = normalise(family.grid, stationary.density(v, felt, setting.noise)[:, None])
        runs.append(setting.follow(family, coupling, y0, t1=8.0, dt=2e-3))
        done(1)
    arrays = {"attraction_coupling": np.array(coupling), "attraction_rates": rates}
    return arrays | together("attraction", runs)


def hysteresis(
    setting: Setting = DEFAULT, done: Callable[[int], None] = _nothing, *, duration: float = 40.0
) -> Arrays:
    """Runs in which the drive is raised slowly and lowered again, taking `duration` each.

    With a bounded response (mean weight 8) the rate jumps up at one drive and down at a lower one.
    Without a bound (one weight 2.5) there is nothing to jump to, and the network blows up.
    """
    low, high = setting.drive - 2.8, setting.drive + 0.3
    ramp = Ramp((low, high, low), (0.0, duration, 2 * duration))
    rate = np.geomspace(1e-4, 7, 120)
    arrays = {"hysteresis_branch_rate": rate}
    families = ("bounded", setting.bounded, 8.0), ("one_weight", setting.one_weight, 2.5)
    for name, family, mean in families:
        network = family.network(mean, ramp=ramp)
        y0 = family.start(mean, (min(max(low, -5.0), 0.0), 1.0))
        run = Course.follow(network, family.grid, y0, t1=2 * duration, dt=5e-3)
        done(1)
        arrays |= together(f"hysteresis_{name}", [run])
        arrays[f"hysteresis_{name}_branch"] = family.drive_at(rate, mean)
    drive = np.interp(arrays["hysteresis_bounded_time"], ramp.times, ramp.drives)
    up = arrays["hysteresis_bounded_rate"][0] > 1
    jumps = np.flatnonzero(up[1:] != up[:-1])
    return arrays | {"hysteresis_drive": drive, "hysteresis_jumps": drive[jumps]}


def relaxation(
    setting: Setting = DEFAULT,
    done: Callable[[int], None] = _nothing,
    *,
    couplings: tuple[float, ...] = _RELAXATION,
) -> Arrays:
    """Relative entropy on the way from rest to equilibrium, for networks with one weight.

    The equilibrium is that of the grid, the outcome of a quasi-static step (ε = 0). Of networks
    without one, and after a blow-up, the entropy is NaN.
    """
    family, ramp = setting.one_weight, setting.still
    time = np.linspace(0, 16, _SAVES)
    entropies = np.full((len(couplings), _SAVES), np.nan)
    for k, b in enumerate(couplings):
        y0, frozen = family.start(b, _AT_REST), family.network(b, ramp=ramp, epsilon=0.0)
        solver = FluxShift(family.grid, Implicit())
        rest = solve(frozen, solver, y0=y0, t1=1.0, dt=1.0)
        saveat = SaveAt(num=_SAVES)
        network, solver = family.network(b, ramp=ramp), FluxShift(family.grid)
        run = solve(network, solver, y0=y0, t1=time[-1], dt=2e-3, saveat=saveat)
        if rest.result == Result.completed:
            found = relative_entropy(run.saved, rest.density(-1), family.grid.cell_area)
            entropies[k, : found.size] = found
        done(1)
    return {
        "relaxation_time": time,
        "relaxation_coupling": np.array(couplings),
        "relaxation_entropy": entropies,
    }


def blow_up(setting: Setting = DEFAULT, done: Callable[[int], None] = _nothing) -> Arrays:
    """Runs of all networks, from rest and from near the threshold, that blow up or do not."""
    arrays = {"blow_up_coupling": np.array(setting.couplings)}
    one = setting.one_weight
    kinds = (
        ("one_weight", one, _AT_REST, 12.0, 2e-3),
        ("many_weights", setting.many_weights, _AT_REST, 12.0, 5e-3),
        ("bounded", setting.bounded, _AT_REST, 12.0, 5e-3),
        ("near_threshold", one, _NEAR_THRESHOLD, 0.1, 1e-4),
    )
    for name, family, voltages, t1, dt in kinds:
        runs = []
        for b in setting.couplings:
            y0 = family.start(b, voltages)
            runs.append(setting.follow(family, b, y0, t1=t1, dt=dt))
            done(1)
        arrays |= together(f"blow_up_{name}", runs)
    return arrays


def relative_entropy(
    density: Float[Array | np.ndarray, "k v w"],
    equilibrium: Float[Array | np.ndarray, "v w"],
    cell: float,
) -> Float[np.ndarray, " k"]:
    r"""Relative entropy $∫ p \log(p/p_∞)\,dv$ of densities of the same mass, on cells of this area.

    Summed as $p \log(p/p_∞) - p + p_∞ ≥ 0$, which does not cancel near equilibrium.
    """
    p, rest = np.asarray(density, float), np.asarray(equilibrium, float)
    ratio = np.where(p > 0, p, rest) / rest
    return np.sum(p * np.log(ratio) - p + rest, axis=(1, 2)) * cell


# ---- the summary -----------------------------------------------------------------------------


def summary(setting: Setting, arrays: Arrays) -> str:
    """The main numbers as a short table."""
    fold = arrays["fold_one_weight"]
    jumps = ", ".join(f"{drive:.2f}" for drive in arrays["hysteresis_jumps"])
    lines = [
        "coupling  stationary rates   blow-up time, one weight     blow-up time, many weights",
        "          (one weight)       from rest  near threshold    unbounded  bounded response",
    ]
    ends = (
        arrays[f"blow_up_{name}_end"]
        for name in ("one_weight", "near_threshold", "many_weights", "bounded")
    )
    stationary_rates = setting.one_weight.stationary_rates
    for coupling, *times in zip(arrays["blow_up_coupling"], *ends, strict=True):
        rates = ", ".join(f"{rate:.4f}" for rate in stationary_rates(coupling, setting.drive))
        rest, near, many, bounded = (f"{t:.3g}" if np.isfinite(t) else "none" for t in times)
        lines.append(f"{coupling:<9g} {rates or 'none':18} {rest:10} {near:17} {many:10} {bounded}")
    return "\n".join(
        [
            *lines,
            f"fold of one weight: coupling {fold[0]:.4f}, rate {fold[1]:.4f}",
            f"hysteresis, bounded response: up and down at drive {jumps or 'none'}",
        ]
    )


def doubts(arrays: Arrays) -> Iterator[str]:
    """What makes completed runs doubtful, by the names of their parts."""
    for name, flags in arrays.items():
        if name.endswith("_warnings"):
            yield from (f"{name.removesuffix('_warnings')}: {text}" for text in explained(flags))
