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

import numpy as np
from jaxtyping import Array, Float

from .._files import write_arrays
from ..density import stationary
from ..density.coupling import Implicit
from ..density.solver import FluxShift
from ..initial import normalise
from ..solve.result import SolveError
from ..solve.saveat import SaveAt
from ..solve.solve import solve
from ._figures import write_figure
from ._options import add_run
from ._output import begin
from .excitatory_figure import draw
from .excitatory_networks import (
    BOUNDED,
    MANY_WEIGHTS,
    ONE_WEIGHT,
    Arrays,
    Course,
    Ramp,
    together,
)

HELP = "steady states, hysteresis and blow-up of excitatory networks"

_AT_REST = (-1.0, 0.5)  # mean and variance of the initial voltages
_NEAR_THRESHOLD = (1.5, 0.005)
_METADATA = {"experiment": "excitatory"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    add_run(parser, out="excitatory", files="excitatory.npz, excitatory.png", progress=False)


def run(arguments: argparse.Namespace) -> None:
    """Runs everything, writes the arrays and the figure, and prints a summary.

    **Raises:** `ValueError` if the output directory cannot be written. On Ctrl-C the arrays that
    are complete are written first.
    """
    directory = begin(arguments)
    results = directory / "excitatory.npz"
    arrays: Arrays = {}
    try:
        for part in (stationary_branches, attraction, hysteresis, relaxation, blow_up):
            arrays |= part()
    except (KeyboardInterrupt, SolveError):
        if arrays:
            write_arrays(results, arrays, _METADATA)
            print(f"stopped; saved so far: {results}", file=sys.stderr)
        raise
    write_arrays(results, arrays, _METADATA)
    figure = write_figure(draw(arrays), directory / "excitatory", arguments.format)
    print(summary(arrays))
    print(f"\nwrote {results} and {figure}")


# ---- the parts of the experiment -------------------------------------------------------------


def stationary_branches() -> Arrays:
    """The mean weight at which a network is stationary at given rates, and the folds.

    More weight means more firing, so that this weight is unique, and a branch attracts where it
    rises.
    """
    rate = np.geomspace(0.05, 20, 120)
    many = MANY_WEIGHTS.mean_at(rate)
    fold = stationary.fold(0.0)
    return {
        "branch_rate": rate,
        "branch_one_weight": ONE_WEIGHT.mean_at(rate),
        "branch_many_weights": many,
        "branch_bounded": BOUNDED.mean_at(rate),
        "fold_one_weight": np.array([fold.coupling, fold.rate]),
        "fold_many_weights": np.array([np.nanmax(many), rate[np.nanargmax(many)]]),
    }


def attraction(coupling: float = 2.0) -> Arrays:
    """Runs of a network with one weight, from stationary densities beside its stationary rates."""
    grid, network = ONE_WEIGHT.grid, ONE_WEIGHT.network(coupling)
    low, high = ONE_WEIGHT.stationary_rates(coupling)
    runs = []
    for rate in (0.5 * low, 0.9 * high, 0.98 * high, 1.02 * high, 1.1 * high):
        y0 = normalise(grid, stationary.density(grid.v.nodes, coupling * rate)[:, None])
        runs.append(Course.follow(network, grid, y0, t1=8.0, dt=2e-3))
    arrays = {"attraction_coupling": np.array(coupling), "attraction_rates": np.array([low, high])}
    return arrays | together("attraction", runs)


def hysteresis(duration: float = 40.0) -> Arrays:
    """Runs in which the drive is raised slowly and lowered again, taking `duration` each.

    With a bounded response (mean weight 8) the rate jumps up at one drive and down at a lower one.
    Without a bound (one weight 2.5) there is nothing to jump to, and the network blows up.
    """
    low, high = -2.8, 0.3
    ramp = Ramp((low, high, low), (0.0, duration, 2 * duration))
    rate = np.geomspace(1e-4, 7, 120)
    arrays = {"hysteresis_branch_rate": rate}
    for name, family, mean in (("bounded", BOUNDED, 8.0), ("one_weight", ONE_WEIGHT, 2.5)):
        network, y0 = family.network(mean, ramp=ramp), family.start(mean, (low, 1.0))
        run = Course.follow(network, family.grid, y0, t1=2 * duration, dt=5e-3)
        arrays |= together(f"hysteresis_{name}", [run])
        arrays[f"hysteresis_{name}_branch"] = family.drive_at(rate, mean)
    drive = np.interp(arrays["hysteresis_bounded_time"], ramp.times, ramp.drives)
    up = arrays["hysteresis_bounded_rate"][0] > 1
    jumps = np.flatnonzero(up[1:] != up[:-1])
    return arrays | {"hysteresis_drive": drive, "hysteresis_jumps": drive[jumps]}


def relaxation(couplings: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0)) -> Arrays:
    """Relative entropy on the way from rest to equilibrium, for networks with one weight.

    The equilibrium is that of the grid, the outcome of a quasi-static step (ε = 0).
    """
    grid, num, entropies = ONE_WEIGHT.grid, 161, []
    time = np.linspace(0, 16, num)
    for b in couplings:
        y0, frozen = ONE_WEIGHT.start(b, _AT_REST), ONE_WEIGHT.network(b, epsilon=0.0)
        equilibrium = solve(frozen, FluxShift(grid, Implicit()), y0=y0, t1=1.0, dt=1.0).density(-1)
        network, saveat = ONE_WEIGHT.network(b), SaveAt(num=num)
        run = solve(network, FluxShift(grid), y0=y0, t1=time[-1], dt=2e-3, saveat=saveat)
        entropies.append(relative_entropy(run.saved, equilibrium, grid.cell_area))
    return {
        "relaxation_time": time,
        "relaxation_coupling": np.array(couplings),
        "relaxation_entropy": np.array(entropies),
    }


def blow_up(
    couplings: tuple[float, ...] = (0.5, 1.5, 2.0, 2.2, 2.5, 3.0, 4.0, 6.0, 8.0),
) -> Arrays:
    """Runs of all networks, from rest and from near the threshold, that blow up or do not."""
    arrays = {"blow_up_coupling": np.array(couplings)}
    for name, family, voltages, t1, dt in (
        ("one_weight", ONE_WEIGHT, _AT_REST, 12.0, 2e-3),
        ("many_weights", MANY_WEIGHTS, _AT_REST, 12.0, 5e-3),
        ("bounded", BOUNDED, _AT_REST, 12.0, 5e-3),
        ("near_threshold", ONE_WEIGHT, _NEAR_THRESHOLD, 0.1, 1e-4),
    ):
        runs = [
            Course.follow(family.network(b), family.grid, family.start(b, voltages), t1=t1, dt=dt)
            for b in couplings
        ]
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


def summary(arrays: Arrays) -> str:
    """The main numbers as a short table."""
    fold, (up, down) = arrays["fold_one_weight"], arrays["hysteresis_jumps"]
    lines = [
        "coupling  stationary rates   blow-up time, one weight     blow-up time, many weights",
        "          (one weight)       from rest  near threshold    unbounded  bounded response",
    ]
    ends = (
        arrays[f"blow_up_{name}_end"]
        for name in ("one_weight", "near_threshold", "many_weights", "bounded")
    )
    for coupling, *times in zip(arrays["blow_up_coupling"], *ends, strict=True):
        rates = ", ".join(f"{rate:.4f}" for rate in ONE_WEIGHT.stationary_rates(coupling))
        rest, near, many, bounded = (f"{t:.3g}" if np.isfinite(t) else "none" for t in times)
        lines.append(f"{coupling:<9g} {rates or 'none':18} {rest:10} {near:17} {many:10} {bounded}")
    return "\n".join(
        [
            *lines,
            f"fold of one weight: coupling {fold[0]:.4f}, rate {fold[1]:.4f}",
            f"hysteresis, bounded response: up at drive {up:.2f}, down at {down:.2f}",
        ]
    )
