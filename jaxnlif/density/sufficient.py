"""The coarsest voltage grid that resolves some neurons."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from ..grid import VoltageGrid
from ..model import AbstractMembrane, Leaky, Network
from ..stretched import Stretched, stretched
from . import passage
from .passage import Moments
from .resolution import SKEWNESS_ERROR

MOST_NODES = 100_000

_RATE_TOLERANCE = 1e-3
_CV_PER_RATE = 10
_WALL = 1 / 3
"""The part of an error that may be due to the end of the grid, before it reaches further down."""
_DEEPER = 1.2
_COLUMNS = 16
_DOUBLINGS = 12
_SAMPLES = 4001

_moments = jax.jit(passage.moments)  # compiled once for all grids


class Need(NamedTuple):
    """Neurons of one membrane that a grid has to resolve, in its units.

    - `drive`, `noise`: inputs μ (voltage) and noise a (voltage² / membrane time) of those that
      fire, always as many, the extreme ones among them.
    - `lowest`: the lowest input of all (voltage).
    """

    membrane: AbstractMembrane
    drive: Float[np.ndarray, " n"]
    noise: Float[np.ndarray, " n"]
    lowest: float


def needs(
    like: VoltageGrid,
    model: Network,
    drive: Float[np.ndarray, "t w"],
    noise: Float[np.ndarray, "t w"],
    firing: Bool[np.ndarray, "t w"],
) -> list[Need]:
    """That of all neurons of a network, of populations that of each.

    **Arguments:** `drive`, `noise`: μ and a at some times, in units of the grid; `firing`: of which
    neurons intervals matter.
    """
    membrane, _ = stretched(like, model)
    if model.populations is None:
        return [Need(membrane, *_few(drive[firing], noise[firing]), float(np.nanmin(drive)))]
    found = []
    for k, (mu, a, some) in enumerate(zip(drive.T, noise.T, firing.T, strict=True)):
        own = membrane
        if isinstance(own, Stretched):
            own = Stretched(own.membrane, own.offset[k : k + 1], own.scale[k : k + 1])
            if isinstance(own.membrane, Leaky):  # a leak to another voltage is input
                mu, own = mu - float(own.offset[0] / own.scale[0]), own.membrane
        found.append(Need(own, *_few(mu[some], a[some]), float(np.nanmin(mu))))
    return found


class Nodes(NamedTuple):
    """The lowest node of a voltage grid, and their number."""

    minimum: float
    num: int


def sufficient_grid(
    like: VoltageGrid, every: list[Need], *, rtol: float = _RATE_TOLERANCE
) -> Nodes | None:
    r"""A grid on which rates err by at most `rtol`, and the variation of intervals by ten times it.

    Moments of intervals on it differ by less from those on a grid that reaches twice as far below
    the threshold and is four times finer, which are extrapolated to the finest.

    **Arguments:** `like`: a grid with the threshold, reset and dtype.

    **Returns:** the grid, or `None` if more than 100 000 nodes are needed.
    """
    found = [_sufficient(like, need, rtol) for need in every]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    fifths, finer = (max(numbers) for numbers in zip(*known, strict=True))
    return _nodes(like, fifths, finer) if fifths * finer <= MOST_NODES else None


def _nodes(like: VoltageGrid, fifths: int, finer: int) -> Nodes:
    """So many fifths of the distance from reset to threshold, each divided into some."""
    gap = like.threshold - like.reset
    return Nodes(round(like.threshold - fifths * gap / 5, 12), fifths * finer)


def _sufficient(like: VoltageGrid, need: Need, rtol: float) -> tuple[int, int] | None:
    """The grid for one need, by the numbers of `_nodes`."""
    gap = like.threshold - like.reset
    depth = _depth(like, need.membrane, need.lowest, float(np.max(need.noise, initial=0)), rtol)
    if not depth < MOST_NODES * gap / 5:
        return None
    fifths = int(np.ceil(depth / gap * 5))
    finer = 1
    while fifths * finer <= MOST_NODES:
        grid, deeper = (_nodes(like, number, finer) for number in (fifths, 2 * fifths))
        coarse, fine, free = (
            _moments_on(nodes, like, need, k) for nodes, k in ((grid, 1), (grid, 4), (deeper, 4))
        )
        # A spacing of a quarter leaves a sixteenth of the error, and a little more of large ones.
        spacing, wall = 1.1 * _distance(coarse, fine, rtol), _distance(fine, free, rtol)
        if spacing + wall <= 1:
            return fifths, finer
        if wall > _WALL:
            fifths = int(np.ceil(_DEEPER * fifths))
        if spacing > 1 - _WALL:
            finer *= 2
    return None


def _distance(one: Moments, other: Moments, rtol: float) -> float:
    """The largest relative difference of rates and of variations, in units of what they may be.

    Where a moment exceeds the range of numbers neurons hardly fire, and nothing is asked for.
    """
    known = np.isfinite(one.mean + one.variance + other.mean + other.variance)
    moments = (jax.tree.map(lambda x: np.where(known, x, 1), each) for each in (one, other))
    (first, first_cv), (second, second_cv) = ((x.mean, np.asarray(x.cv)) for x in moments)
    rate, cv = abs(second / first - 1), abs(first_cv / second_cv - 1)
    return float(np.max(np.maximum(rate, cv / _CV_PER_RATE), initial=0) / rtol)


def longest_step(nodes: Nodes, like: VoltageGrid, need: Need, order: int = 1) -> float:
    """The longest step that changes intervals little (membrane time): their variance, or, of a
    scheme of second `order` in time, their skewness. NaN where they are not known."""
    moments = _moments_on(nodes, like, need, 1)
    known = np.isfinite(moments.mean) & np.isfinite(moments.variance)
    if not np.any(known):
        return float("nan")
    if order > 1:
        squares = moments.variance[known] ** 1.5 / moments.mean[known]
        return float(np.sqrt(np.min(squares) * SKEWNESS_ERROR / 4))
    shortest = np.min(moments.variance[known] / moments.mean[known])
    return float(shortest * 2 * _CV_PER_RATE * _RATE_TOLERANCE)


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
        own = np.ravel(np.asarray(membrane.drift(jnp.asarray(v, like.dtype)), float))
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


def _moments_on(grid: Nodes, like: VoltageGrid, need: Need, refine: int) -> Moments:
    spacing = (like.threshold - grid.minimum) / grid.num
    first = round((like.reset - grid.minimum) / spacing)
    inputs = (jnp.asarray(x, like.dtype) for x in (need.drive, need.noise))
    numbers = grid.minimum, spacing / refine, first * refine, grid.num * refine
    return jax.tree.map(np.asarray, _moments(need.membrane, *numbers, *inputs))
