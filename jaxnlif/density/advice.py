"""The grid and the step that suffice for a network, and for a run that warns."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._check import check
from ..grid import VoltageGrid, WeightGrid
from ..integrate.warning import WarningFlag
from ..model import Constant, Network
from ..stretched import stretched
from .resolution import in_membrane_times, neurons_at
from .stationary.circuit import circuit_rates
from .stationary.rate import firing_rate
from .sufficient import MOST_NODES, longest_step, needs, sufficient_grid

_TIMES = 33
_HIGHEST_RATE = 1e3
_STARTS = 32


def advice(flag: WarningFlag, solution: Any, weights: Float[Array, " w"], order: int = 1) -> str:
    """What to try, by the inputs at the saved times of a `Solution` that has this flag.

    **Arguments:** `weights` of the columns; `order`, that of the scheme in time.
    """
    if flag is WarningFlag.rejected_steps:
        return f"It is near t = {float(solution.state.control.place.time):.6g}."
    if flag not in (WarningFlag.voltage_wall, WarningFlag.voltage_noise, WarningFlag.time_noise):
        return ""
    grid, model = solution.solver.grid, solution.model
    saved = (jnp.asarray(x) for x in (solution.ts, solution.rate, solution.rates))
    neurons = neurons_at(grid, model, weights, solution.stats["dt"], *saved)
    rates, drive = np.asarray(neurons.rates), np.asarray(neurons.drive)
    noise = np.broadcast_to(np.asarray(neurons.noise), drive.shape)
    each = None if grid.populations is None else 0
    firing = (rates > 0.01 * np.max(rates, axis=each)) & np.isfinite(drive)
    like, found = grid.v, needs(grid.v, model, drive, noise, firing)
    nodes = sufficient_grid(like, found)
    if nodes is None:
        return f"The noise is so weak that more than {MOST_NODES} nodes are needed."
    if flag is WarningFlag.time_noise:
        times = np.broadcast_to(np.asarray(model.membrane_time, float), (len(found),))
        steps = [longest_step(nodes, like, need, order) for need in found] * times
        if not np.any(np.isfinite(steps)):
            return "Try a smaller dt."
        return f"Try dt={np.nanmin(steps) * float(model.epsilon):.2g}."
    return (
        f"Try VoltageGrid({nodes.minimum:.10g}, {like.threshold:.10g}, reset={like.reset:.10g}, "
        f"num={nodes.num})."
    )


def grid_for_model(
    model: Any,
    rtol: float,
    like: VoltageGrid,
    axis: WeightGrid | None,
    times: tuple[float, float],
) -> VoltageGrid:
    """The `sufficient_grid` of a network in its stationary states, at times from first to last.

    Of populations it resolves each of them, in all states that there are.

    **Arguments:** `like`, a grid with threshold, reset and dtype; `axis`, the weights of a
    structured network.
    """
    check(isinstance(model, Network), f"model = {type(model).__name__}: must be a Network")
    own = None if model.populations else model.connections.weight
    check(
        (own is None and model.populations is None) == (axis is not None),
        "w: give a WeightGrid where the model has no weight of its own, and only there",
    )
    ts = jnp.linspace(*times, _TIMES if times[1] > times[0] else 1, dtype=like.dtype)
    if model.populations is None:
        w = jnp.asarray(own[None] if axis is None else axis.centers, like.dtype)  # pyright: ignore
        _, drive, noise = self_consistent_inputs(model, like, w, ts)
    else:
        drive, noise = circuit_inputs(model, like, ts)
    check(bool(np.all(np.isfinite(drive))), "drive: must be finite")
    found = needs(like, model, drive, noise, np.ones(drive.shape, bool))
    grid = sufficient_grid(like, found, rtol=rtol)
    if grid is None:
        weakest = float(np.min(noise))
        raise ValueError(
            f"noise = {weakest:.3g}: so weak that more than {MOST_NODES} nodes are needed"
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


def circuit_inputs(
    model: Network, grid: VoltageGrid, ts: Float[Array, " t"]
) -> tuple[np.ndarray, np.ndarray]:
    """What populations feel in all stationary states at each time, in units of the grid.

    Where there is no state it is what they feel without a spike.

    **Returns:** inputs `(s, k)` (voltage) and noise `(s, k)` (voltage² / membrane time).
    """
    num = model.populations
    zero, unit = jnp.zeros(num or 1, grid.dtype), np.asarray(stretched(grid, model)[1], float)
    ends = {
        name: getattr(grid, name) for name in ("threshold", "reset") if getattr(model, name) is None
    }
    found = []
    for t in ts:
        drive, noise = model.external(t, zero), model.diffusion(zero, t)
        noise = jnp.broadcast_to(noise, zero.shape)
        constant = eqx.tree_at(lambda m: (m.drive, m.noise), model, (Constant(drive), noise))
        states = circuit_rates(constant, **ends, starts=_STARTS)
        found.append((states.input, states.noise) if len(states) else (drive[None], noise[None]))
    drive, noise = (
        np.concatenate([np.asarray(x, float) for x in each]) for each in zip(*found, strict=True)
    )
    return drive / unit, noise / unit**2
