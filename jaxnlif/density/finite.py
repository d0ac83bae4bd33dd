r"""Kicks of finitely many neurons: their number in a step is a Poisson number.

Neurons that predict a rate $\hat N$ feel $\hat N δ + j$ in a step of δ membrane times, with j the
draw less its mean; fired has $N δ$, with N the rate that results. The difference is felt in the
next step, so that the sum of what is felt is that of the spikes and of the draws: without, a rate
that is convex in the input would be too high.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..model import Identity, Network
from .coupling import AbstractCoupling
from .interval import Interval


def no_debt(coupling: AbstractCoupling, model: Network, dtype) -> Float[Array, ""] | None:
    """The mass that has fired and is not felt yet, at the beginning; `None` where all of it is felt
    anyway, later, or where what is felt must not be negative."""
    at_once = isinstance(model.response, Identity) and model.delay is None
    return jnp.zeros((), dtype) if at_once and not coupling.may_cycle else None


def with_debt(interval: Interval, debt: Float[Array, ""] | None) -> Interval:
    """The interval in which that is felt besides the rate that is seen."""
    return interval if debt is None else replace(interval, extra=debt * interval.kappa)


def with_draw(
    interval: Interval, rate: Float[Array, ""], neurons: Int[Array, ""], key: PRNGKeyArray
) -> Interval:
    """The interval in which the spikes of finitely many neurons are felt, the mean of which is that
    of `rate` (spikes / neuron / membrane time)."""
    spikes_per_rate = neurons / interval.kappa
    rate = lax.stop_gradient(rate)
    # Poisson numbers need this kind of key, whichever the run has.
    key = jax.random.key(jax.random.bits(key), impl="threefry2x32")
    drawn = jax.random.poisson(key, rate * spikes_per_rate).astype(rate.dtype) / spikes_per_rate
    surplus = lax.stop_gradient(drawn - rate)
    return replace(interval, extra=surplus + (0 if interval.extra is None else interval.extra))


def debt_after(
    debt: Float[Array, ""] | None,
    interval: Interval,
    seen: Float[Array, ""],
    rate: Float[Array, ""],
    event: Bool[Array, ""] | bool,
) -> Float[Array, ""] | None:
    """The debt after a step to the network rate `rate`; an `event` leaves none."""
    return None if debt is None else jnp.where(event, 0, (rate - seen) / interval.kappa)
