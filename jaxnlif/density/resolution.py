r"""Whether grid and time step resolve the network: what they do to the rate and to the intervals.

Three things are known in closed form or to rounding, without another run, for constant input:

- The grid: moments of the intervals on it, against those on one eight times finer (`passage`).
- The step: backward Euler of length δ (membrane time) is the exact flow after a random, exponential
  time of mean δ. It leaves the mean of the intervals T alone and adds δ T to their variance. A
  scheme of second order leaves the variance alone too, and takes 2 δ² T from the third cumulant.
- The feedback: an error e of the rate at given input becomes $e / (1 - ∂_{\bar N} \bar N)$.

They are averages over neurons, of one population, and some of the saved times, weighted by the
rate.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from ..grid import Grid
from ..integrate.warning import WarningFlag
from ..model import AbstractMembrane, Network
from ..stretched import stretched
from .passage import Moments, interval_moments
from .walls import Walls

RATE_ERROR = 3e-3
"""The relative error of the rate from which on a run warns."""

CV_ERROR = 2.2e-2
"""The relative error of the coefficient of variation of intervals from which on a run warns."""

SKEWNESS_ERROR = 0.3
"""The error of the skewness of intervals from which on a run of second order in time warns."""

_FINER = 8
_STRONGEST_FEEDBACK = 0.9


class Neurons(NamedTuple):
    r"""Neurons with constant input: samples k in time, and in each a column for every weight.

    - `drive`: input μ `(k, w)` (voltage); `noise`: a `(k, 1)` or `(k, w)` (voltage² / membrane
      time).
    - `d_drive`, `d_noise`: their derivatives by $\bar N$, of the same shapes.
    - `rates`: $N(w)$ `(k, w)` (spikes / neuron / membrane time / weight).
    - `rest`: refractory period, a number or `(1, w)` (membrane time).
    - `step`: the length δ of a step, 0 where intervals are not what is followed `(k, 1)`,
      or `(k, w)` (membrane time).
    """

    drive: Float[Array, "k w"]
    noise: Float[Array, "k #w"]
    d_drive: Float[Array, "k w"]
    d_noise: Float[Array, "k #w"]
    rates: Float[Array, "k w"]
    rest: Float[Array, "*#w"]
    step: Float[Array, "k #w"]


def neurons_at(
    grid: Grid,
    model: Network,
    weights: Float[Array, " w"],
    step: Float[Array, "..."],
    ts: Float[Array, " k"],
    rate: Float[Array, "k *p"],
    rates: Float[Array, "k w"],
) -> Neurons:
    """Those of a network at some times.

    The rates of populations move one by one, and their derivatives are left out: what is known is
    the error at given input.

    **Arguments:** `grid`; `weights` of the columns; `step`, the length of a step at these times, a
    number or `(k,)` (learning time); times, network rates and rates $N(w)$ then, as in `Solution`.
    """

    several = grid.populations is not None
    unit = stretched(grid.v, model)[1]

    def inputs(t: Array, lowered: Array | None, rate: Array) -> tuple[Array, Array]:
        there = model if lowered is None else model.lowered(lowered)
        drive, noise = there.given(t, weights, jnp.atleast_1d(rate))
        return drive / unit, jnp.atleast_1d(noise) / unit**2

    def at(t: Array, lowered: Array | None, rate: Array) -> Any:
        moves = jnp.zeros_like(rate) if several else jnp.ones_like(rate)
        return jax.jvp(partial(inputs, t, lowered), (rate,), (moves,))

    lowered = None if model.adaptation is None else model.adaptation.course(ts, rate)
    (drive, noise), (d_drive, d_noise) = jax.vmap(at)(ts, lowered, rate)
    # A learning network is followed over times in which neurons fire again and again.
    fast = in_membrane_times(step, model.epsilon)
    step = jnp.zeros_like(ts) if model.plasticity.moves else fast + jnp.zeros_like(ts)
    rest = in_membrane_times(model.rest.period, model.epsilon).astype(rate.dtype)
    step = step[:, None]
    if several:
        rest = jnp.broadcast_to(rest / model.membrane_time, weights.shape)[None]
        step = step / jnp.broadcast_to(jnp.asarray(model.membrane_time), weights.shape)[None]
    given = (drive, noise, d_drive, d_noise, rates, rest, step)
    return Neurons(*lax.stop_gradient(given))


def in_membrane_times(duration: Array, epsilon: Array) -> Float[Array, "..."]:
    """A duration in learning time as one in membrane times; 0 in the quasi-static limit."""
    positive = epsilon > 0
    return jnp.where(positive, duration / jnp.where(positive, epsilon, 1), 0)


class Errors(NamedTuple):
    """Relative errors (dimensionless).

    - `rate`: of the network rate by the voltage grid; `gain`: what feedback makes of a given error.
    - `cv`: of the coefficient of variation of intervals; `cv_wall`, `cv_grid`, `cv_step`: what is
      due to the end of the voltage grid, to its spacing, and to the step, each alone.
    - `skewness_step`: the error of their skewness, of a scheme of second order.
    """

    rate: Float[Array, ""]
    gain: Float[Array, ""]
    cv: Float[Array, ""]
    cv_wall: Float[Array, ""]
    cv_grid: Float[Array, ""]
    cv_step: Float[Array, ""]
    skewness_step: Float[Array, ""]


def discretisation_errors(
    grid: Grid, membrane: AbstractMembrane, neurons: Neurons, order: int = 1
) -> Errors:
    """The errors of a run whose neurons are these, of populations those of the one in which they
    are largest; zero where nothing can be said. `order`: that of the scheme in time."""
    drive, noise, rate, rest, step = *neurons[:2], *neurons[4:]
    rate = rate * grid.weight_spacing
    moments = partial(interval_moments, grid.v, membrane)
    coarse, slope = jax.jvp(moments, (drive, noise), neurons[2:4])
    fine = moments(drive, noise, refine=_FINER)
    free = moments(drive, noise, refine=_FINER, wall=False)
    known = jnp.isfinite(coarse.variance + fine.variance + slope.mean) & (fine.variance > 0)
    share = jnp.where(known, rate, 0)

    over = None if grid.populations is None else 0

    def mean(values: Array) -> Array:
        total = jnp.sum(share, over)
        values = jnp.where(known, values, 0)
        return jnp.max(jnp.sum(share * values, over) / jnp.where(total > 0, total, 1))

    period, true_period = coarse.mean + rest, fine.mean + rest
    # Of the rate of all neurons at one time, by itself.
    feedback = jnp.sum(jnp.where(known, -slope.mean / period, 0) * share, 1, keepdims=True)
    gain = 1 / (1 - jnp.minimum(mean(feedback), _STRONGEST_FEEDBACK))

    def cv_error(one: Moments, other: Moments) -> Array:
        cv, true = (jnp.sqrt(variance) / (m + rest) for m, variance in (one, other))
        return mean(jnp.abs(cv / true - 1))

    def stepped(moments: Moments) -> Moments:
        if order > 1:
            return moments
        return moments._replace(variance=moments.variance + step * moments.mean)

    skewness = 2 * step**2 * fine.mean / jnp.where(known, fine.variance, 1) ** 1.5
    return Errors(
        rate=gain * mean(jnp.abs(true_period / period - 1)),
        gain=gain,
        cv=cv_error(stepped(coarse), free),
        cv_wall=cv_error(fine, free),
        cv_grid=cv_error(coarse, fine),
        cv_step=cv_error(stepped(fine), fine),
        skewness_step=mean(skewness) if order > 1 else jnp.zeros_like(gain),
    )


def warnings(errors: Errors, walls: Walls) -> Bool[Array, " flags"]:
    """The flags of a run with these errors, in the order of `WarningFlag`."""

    def due(part: Array) -> Array:
        return (part > CV_ERROR) | ((errors.cv > CV_ERROR) & (part > errors.cv / 3))

    flags = {
        WarningFlag.voltage_wall: (errors.gain * walls.voltage > RATE_ERROR) | due(errors.cv_wall),
        WarningFlag.weight_wall: walls.weight > RATE_ERROR,
        WarningFlag.voltage_noise: (errors.rate > RATE_ERROR) | due(errors.cv_grid),
        WarningFlag.time_noise: due(errors.cv_step) | (errors.skewness_step > SKEWNESS_ERROR),
    }
    none = jnp.zeros((), bool)
    return jnp.stack([flags.get(flag, none) for flag in WarningFlag])
