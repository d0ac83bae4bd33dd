"""The grid and the step that suffice for a network, and for a run that warns."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._check import check
from ..grid import VoltageGrid, WeightGrid
from ..integrate.warning import WarningFlag
from ..model import AbstractMembrane, Leaky, Network
from . import passage
from .passage import Moments
from .resolution import in_membrane_times, neurons_at
from .stationary.rate import firing_rate

_RATE_TOLERANCE = 1e-3
_CV_PER_RATE = 10
_MOST_NODES = 100_000
_COLUMNS = 16
_TIMES = 33
_HIGHEST_RATE = 1e3
_DOUBLINGS = 12
_SAMPLES = 4001

_moments = jax.jit(passage.moments)  # compiled once for all grids


def advice(flag: WarningFlag, solution: Any, weights: Float[Array, " w"]) -> str:
    """What to try, by the inputs at the saved times of a `Solution` that has this flag."""
    if flag not in (WarningFlag.voltage_wall, WarningFlag.voltage_noise, WarningFlag.time_noise):
        return ""
    grid = solution.solver.grid
    if grid.populations is not None:
        return ""
    saved = (jnp.asarray(x) for x in (solution.ts, solution.rate, solution.rates))
    neurons = neurons_at(grid, solution.model, weights, solution.stats["dt"], *saved)
    rates, drive = np.asarray(neurons.rates), np.asarray(neurons.drive)
    firing = (rates > 0.01 * np.max(rates)) & np.isfinite(drive)
    noise = np.broadcast_to(np.asarray(neurons.noise), drive.shape)
    inputs = _few(drive[firing], noise[firing])
    like, membrane = solution.solver.grid.v, solution.model.membrane
    grid = sufficient_grid(like, membrane, *inputs, lowest=float(np.nanmin(drive)))
    if grid is None:
        return f"The noise is so weak that more than {_MOST_NODES} nodes are needed."
    if flag is WarningFlag.time_noise:
        moments = _moments_on(grid, like, membrane, 1, *inputs)
        known = np.isfinite(moments.mean) & np.isfinite(moments.variance)
        if not np.any(known):
            return "Try a smaller dt."
        longest = np.min(moments.variance[known] / moments.mean[known])
        longest *= 2 * _CV_PER_RATE * _RATE_TOLERANCE
        return f"Try dt={longest * float(solution.model.epsilon):.2g}."
    return (
        f"Try VoltageGrid({grid.minimum:.10g}, {like.threshold:.10g}, reset={like.reset:.10g}, "
        f"num={grid.num})."
    )


def grid_for_model(
    model: Any,
    rtol: float,
    like: VoltageGrid,
    axis: WeightGrid | None,
    times: tuple[float, float],
) -> VoltageGrid:
    """The `sufficient_grid` of a network in its stationary states, at times from first to last.

    **Arguments:** `like`, a grid with threshold, reset and dtype; `axis`, the weights of a
    structured network.
    """
    check(isinstance(model, Network), f"model = {type(model).__name__}: must be a Network")
    check(
        model.populations is None,
        "model: has populations; VoltageGrid.for_model takes a network that is one",
    )
    own = model.connections.weight
    check(
        (own is None) == (axis is not None),
        "w: give a WeightGrid where the model has no weight of its own, and only there",
    )
    w = jnp.asarray(own[None] if axis is None else axis.centers, like.dtype)
    ts = jnp.linspace(*times, _TIMES if times[1] > times[0] else 1, dtype=like.dtype)
    _, drive, noise = self_consistent_inputs(model, like, w, ts)
    check(bool(np.all(np.isfinite(drive))), "drive: must be finite")
    inputs = _few(drive.ravel(), noise.ravel())
    lowest = float(np.min(drive))
    grid = sufficient_grid(like, model.membrane, *inputs, lowest=lowest, rtol=rtol)
    if grid is None:
        weakest = float(np.min(noise))
        raise ValueError(
            f"noise = {weakest:.3g}: so weak that more than {_MOST_NODES} nodes are needed"
        )
    return VoltageGrid(
        grid.minimum, like.threshold, reset=like.reset, num=grid.num, dtype=like.dtype
    )


def self_consistent_inputs(
    model: Network, grid: VoltageGrid, w: Float[Array, " w"], ts: Float[Array, " k"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lowest stationary rate at each time, 0 where there is none, and what is felt then.

    **Returns:** rates `(k,)` (spikes / neuron / membrane time), inputs `(k, w)` (voltage), noise
    `(k, w)` (voltage² / membrane time).
    """
    rest = float(in_membrane_times(model.rest.period, model.epsilon))

    @jax.jit
    def inputs(rate: Float[Array, " k"]) -> tuple[Float[Array, "k w"], Float[Array, "k w"]]:
        drive = jax.vmap(lambda t, rate: model.settled(rate).input(t, w, rate))(ts, rate)
        return drive, jnp.broadcast_to(jax.vmap(model.diffusion)(rate)[:, None], drive.shape)

    def too_low(rate: np.ndarray) -> np.ndarray:
        rates = jnp.asarray(rate, grid.dtype)
        drive, noise = inputs(rates)
        found = firing_rate(drive, noise, grid.threshold, grid.reset, membrane=model.membrane)
        firing = np.asarray(found)
        return np.mean(firing / (1 + rest * firing), 1) > rate

    tried = np.geomspace(1e-6, _HIGHEST_RATE, 64)
    above = np.stack([too_low(np.full(len(ts), rate)) for rate in tried])
    first = np.argmin(above, 0)  # that is not too low
    low, high = np.where(first > 0, tried[first - 1], 0.0), tried[first]
    for _ in range(40):
        middle = (low + high) / 2
        below = too_low(middle)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    rate = np.where(np.all(above, 0), 0.0, high)
    drive, noise = inputs(jnp.asarray(rate, grid.dtype))
    return rate, np.asarray(drive), np.asarray(noise)


class Nodes(NamedTuple):
    """The lowest node of a voltage grid, and their number."""

    minimum: float
    num: int


def sufficient_grid(
    like: VoltageGrid,
    membrane: AbstractMembrane,
    drive: Float[np.ndarray, " 16"],
    noise: Float[np.ndarray, " 16"],
    *,
    lowest: float,
    rtol: float = _RATE_TOLERANCE,
) -> Nodes | None:
    r"""A grid on which rates err by at most `rtol`, and the variation of intervals by ten times it.

    It reaches so far below the lowest input that a Gaussian has less than `rtol` beyond, and has so
    many nodes that the moments of intervals change by less on a grid four times finer.

    **Arguments:** `like`: a grid with the threshold, reset and dtype; the membrane; inputs μ
    (voltage) and noise a (voltage² / membrane time) of neurons that fire; the `lowest` input of all
    (voltage).

    **Returns:** the grid, or `None` if more than 100 000 nodes are needed.
    """
    gap = like.threshold - like.reset
    depth = _depth(like, membrane, lowest, float(np.max(noise, initial=0)), rtol)
    if not depth < _MOST_NODES * gap / 5:
        return None
    fifths = int(np.ceil(depth / gap * 5))
    finer = 1
    while True:
        num = fifths * finer
        if num > _MOST_NODES:
            return None
        grid = Nodes(round(like.threshold - fifths * gap / 5, 12), num)
        coarse, fine = (_moments_on(grid, like, membrane, k, drive, noise) for k in (1, 4))
        with np.errstate(invalid="ignore"):  # what exceeds the range of numbers hardly fires
            rate = np.max(np.abs(fine.mean / coarse.mean - 1), initial=0)
            cv = np.max(np.abs(np.asarray(coarse.cv / fine.cv) - 1), initial=0)
        if not (rate > rtol or cv > _CV_PER_RATE * rtol):
            return grid
        finer *= 2


def _depth(
    like: VoltageGrid, membrane: AbstractMembrane, drive: float, noise: float, rtol: float
) -> float:
    r"""How far below the threshold a grid has to reach (voltage); infinite where nothing stops it.

    Of leaky neurons a Gaussian has less than `rtol` beyond. Of others the density there is less
    than `rtol` of the largest below the reset, by $φ' = -(f + μ)/a$.
    """
    log = np.log(0.5 / rtol)
    if isinstance(membrane, Leaky):
        return like.threshold - min(drive, like.reset) + np.sqrt(2 * log * noise)
    gap = like.threshold - like.reset
    for gaps in 2 ** np.arange(_DOUBLINGS):
        v = np.linspace(like.reset, like.reset - gap * gaps, _SAMPLES)
        own = np.asarray(membrane.drift(jnp.asarray(v, like.dtype)), float)
        force = (own + drive) / max(noise, float(np.finfo(like.dtype).tiny))
        well = np.concatenate([[0], np.cumsum((force[1:] + force[:-1]) / 2 * (v[0] - v[1]))])
        below = np.flatnonzero(well - np.minimum.accumulate(well) > log)
        if below.size:
            return like.threshold - float(v[below[0]])
    return np.inf


def _few(drive: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Some of the inputs, the extreme ones among them; always as many, to compile once."""
    if not len(drive):
        return drive, noise
    chosen = np.argsort(drive)[np.linspace(0, len(drive) - 1, _COLUMNS).astype(int)]
    return drive[chosen], noise[chosen]


def _moments_on(
    grid: Nodes,
    like: VoltageGrid,
    membrane: AbstractMembrane,
    refine: int,
    drive: np.ndarray,
    noise: np.ndarray,
) -> Moments:
    spacing = (like.threshold - grid.minimum) / grid.num
    first = round((like.reset - grid.minimum) / spacing)
    inputs = (jnp.asarray(x, like.dtype) for x in (drive, noise))
    numbers = grid.minimum, spacing / refine, first * refine, grid.num * refine
    return jax.tree.map(np.asarray, _moments(membrane, *numbers, *inputs))
