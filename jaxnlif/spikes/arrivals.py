"""What arrives in a layer of theta neurons: from inputs, or from the layer before, with delays.

Natural units: times of $1/ω$, weights of q. Events are the leading axis, samples the next.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..execution import AbstractExecution
from .inputs import BinnedSpikes, InputSpikes, Known, Shared, Volleys, volley_kicks
from .layer import LayerSpikes, simulate
from .order import ascending


class Arrivals(NamedTuple):
    """Spikes of what is before a layer.

    - `times`: `inf` for none, shape `(e, b)`. `sources`: who, shape `(e, b)` or `(e, 1)`.
    - `sorted`: whether times are known to ascend.
    """

    times: Float[Array, "e b"]
    sources: Int[Array, "e b"]
    sorted: bool


def first_arrivals(
    inputs: Known, omega: Float[Array, ""]
) -> tuple[tuple[int, ...], Arrivals | Shared]:
    """The batch, and what the inputs send."""
    if isinstance(inputs, Volleys | BinnedSpikes):
        scaled = natural(inputs.times.astype(omega.dtype), omega)
        return inputs.shape[:-1], _with_times(inputs, scaled)
    times = inputs.times if isinstance(inputs, InputSpikes) else inputs
    batch, m = times.shape[:-1], times.shape[-1]
    samples = int(np.prod(batch))
    moved = natural(times.astype(omega.dtype).reshape(samples, m), omega).T
    if isinstance(inputs, InputSpikes):
        sources = jnp.broadcast_to(inputs.sources, times.shape).reshape(samples, m).T
        return batch, Arrivals(moved, sources, True)
    return batch, Arrivals(moved, jnp.arange(m)[:, None], False)


def _with_times(inputs: Shared, times: Array) -> Shared:
    return eqx.tree_at(lambda x: x.times, inputs, times)


def later_arrivals(times: Float[Array, "k b n"], end: Float[Array, ""]) -> Arrivals:
    """What a layer sends to the next."""
    k, b, n = times.shape
    flat = jnp.moveaxis(_within(times, end), 2, 1).reshape(k * n, b)
    return Arrivals(flat, jnp.tile(jnp.arange(n), k)[:, None], False)


def arriving(
    arrivals: Arrivals | Shared,
    weights: Float[Array, "n before"],
    delays: Float[Array, "..."] | None,
    start: Float[Array, " n"],
    end: Float[Array, ""],
) -> Callable[[int, AbstractExecution], LayerSpikes]:
    """A layer as a function of its room for spikes and of how it is executed."""
    table = weights.T
    if not isinstance(arrivals, Arrivals):
        table, rows, times = _volleys(arrivals, table, end)
        return partial(simulate, table, rows, times, start, end)
    if delays is None or delays.ndim == 1:
        rows, times = _in_order(arrivals, delays, table.shape[0], end)
        return partial(simulate, table, rows, times, start, end)
    return partial(_each_synapse, arrivals, table, delays, start, end)


def _in_order(
    arrivals: Arrivals, delays: Float[Array, " before"] | None, num: int, end: Float[Array, ""]
) -> tuple[Int[Array, "e b"], Float[Array, "e b"]]:
    """Rows of the weights and times of what arrives in the trial, sample by sample in order."""
    times, sources, is_sorted = arrivals
    if delays is not None:
        times = times + delays[sources]
    sources = jnp.broadcast_to(sources, times.shape)
    if is_sorted and delays is None:
        present = times < end
        return jnp.where(present, sources, num), jnp.where(present, times, end)
    e, b = times.shape
    order = ascending(jax.lax.stop_gradient(times), times < end)
    present, sample = order < e, jnp.arange(b)[None]
    place = jnp.where(present, order, 0)
    return (
        jnp.where(present, sources[place, sample], num),
        jnp.where(present, times[place, sample], end),
    )


def _each_synapse(
    arrivals: Arrivals,
    table: Float[Array, "before n"],
    delays: Float[Array, "n before"],
    start: Float[Array, " n"],
    end: Float[Array, ""],
    max_spikes: int,
    execution: AbstractExecution,
) -> LayerSpikes:
    """A layer with a delay for each synapse: every neuron of a sample has events of its own."""
    before, n = table.shape
    e, b = arrivals.times.shape
    neuron = jnp.arange(n)
    times = arrivals.times[..., None] + delays.T[arrivals.sources]
    synapse = jnp.broadcast_to(arrivals.sources[..., None] * n + neuron[None, None], (e, b, n))
    one = Arrivals(times.reshape(e, b * n), synapse.reshape(e, b * n), False)
    rows, times = _in_order(one, None, before * n, end)
    starts = jnp.broadcast_to(start, (b, n)).reshape(b * n, 1)
    found = simulate(table.reshape(-1, 1), rows, times, starts, end, max_spikes, execution)
    return LayerSpikes(
        found.times.reshape(-1, b, n),
        *(x.reshape(b, n) for x in (found.cos, found.sin, found.count)),
    )


def _within(times: Float[Array, "k b n"], end: Float[Array, ""]) -> Float[Array, "k b n"]:
    """Spike times before the end, at which rounding may have put one."""
    end = jax.lax.stop_gradient(end)
    late = jnp.maximum(times - jnp.nextafter(end, jnp.zeros_like(end)), 0)
    return times - jax.lax.stop_gradient(jnp.where(jnp.isfinite(times), late, 0))


def _volleys(
    inputs: Shared, weights: Float[Array, "before n"], end: Float[Array, ""]
) -> tuple[Array, Array, Array]:
    """A table of what each volley or bin adds in each sample, its rows, and the times."""
    kicks = volley_kicks(inputs, weights)
    e, b, n = kicks.shape
    arrives = (inputs.times < end)[:, None]
    rows = jnp.where(arrives, jnp.arange(e * b).reshape(e, b), e * b)
    times = jnp.where(arrives, inputs.times[:, None], end)
    return kicks.reshape(e * b, n), rows, jnp.broadcast_to(times, (e, b))


def natural(times: Array, omega: Array) -> Array:
    """Times in units of 1/ω; `inf`, of which nothing has a derivative, stays."""
    present = jnp.isfinite(times)
    return jnp.where(present, omega * jnp.where(present, times, 0), jnp.inf)


def real(times: Array, omega: Array) -> Array:
    """The inverse of `natural`."""
    return natural(times, 1 / omega)
