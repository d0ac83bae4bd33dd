"""Interspike intervals of a neuron with constant input: density, mean and variation."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .._check import check, check_finite, check_positive, check_scalar, is_concrete
from ..grid import VoltageGrid
from ..model import AbstractMembrane, Network, Never
from .advice import self_consistent_inputs
from .passage import interval_moments, interval_transform
from .resolution import in_membrane_times

_TERMS, _AVERAGED = 128, 11
_DECAY = {4: 10.0, 8: 18.4}  # by bytes per number: its exponential against rounding
_DEVIATIONS = 6
_POINTS = 241


class Intervals(NamedTuple):
    """Interspike intervals, and by how much the voltage grid and the transform may be wrong.

    - `ts`: intervals, shape `(k,)` (membrane time); `density`: their probability density, shape
      `(k,)` (1 / membrane time); `density_error`: its error, shape `(k,)`.
    - `mean`: mean interval (membrane time); `mean_error`: its error.
    - `cv`: coefficient of variation (dimensionless); `cv_error`: its error.
    """

    ts: Float[Array, " k"]
    density: Float[Array, " k"]
    density_error: Float[Array, " k"]
    mean: Float[Array, ""]
    mean_error: Float[Array, ""]
    cv: Float[Array, ""]
    cv_error: Float[Array, ""]


def intervals(
    model: Network,
    ts: Float[ArrayLike, " k"] | None = None,
    *,
    grid: VoltageGrid | None = None,
    rate: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    t: ArrayLike = 0.0,
) -> Intervals:
    r"""The interspike intervals of a neuron in a stationary network.

    Its input is constant, $μ = I(w, t) + w\,σ(\bar N)$. The intervals are the first passages from
    reset to threshold, exact in time: their moments are sums over the voltage nodes, and their
    density is the inverse of their Laplace transform. Everything is found on the
    grid and on one twice as fine; the finer one is returned, and the difference is the error.

    **Arguments:**

    - `model`: a `Network`; learning and delay do not matter here.
    - `ts`: intervals at which the density is wanted, shape `(k,)` (membrane time); by default 241
      from 0 to mean and 6 standard deviations.
    - `grid`: voltages, with threshold and reset; by default `VoltageGrid.for_model(model)` for
      a threshold of 2 and a reset of 1.
    - `rate`: network rate $\bar N$ (spikes / neuron / membrane time); by default the lowest
      stationary one of a network with one weight, and 0 if there is none.
    - `weight`: the synaptic weight w of the neuron, for a structured network (weight).
    - `t`: when the drive is looked up (learning time).

    **Returns:** `Intervals`. All but `ts` is differentiable in the model.

    **Raises:** `ValueError` if an argument breaks its rule, the refractory period has no end, or
    the default grid or rate is asked for under `jit` or of a structured network.

    **Reference:** D. R. Cox, H. D. Miller, *The Theory of Stochastic Processes* (1965), ch. 4;
    J. Abate, W. Whitt, *ORSA J. Comput.* 7:36 (1995), for the inversion.
    """
    check(isinstance(model, Network), f"model = {type(model).__name__}: must be a Network")
    check(
        model.populations is None,
        "model: has populations; the statistics of intervals take a network that is one",
    )
    own = model.connections.weight
    check(not isinstance(model.refractory, Never), "refractory = Never(): there is no next spike")
    check(
        (own is None) == (weight is not None),
        "weight: give one where the model has none of its own, and only there",
    )
    check_scalar("t", t)
    if rate is not None:
        check_scalar("rate", rate)
        check_positive("rate", rate, allow_zero=True)
    if ts is not None:
        check_finite("ts", ts)
    if grid is None or rate is None:
        check(
            is_concrete(model) and own is not None,
            "grid, rate: give both under jit and grad, and for a structured network",
        )
    grid = VoltageGrid.for_model(model, t0=float(np.asarray(t))) if grid is None else grid
    check(isinstance(grid, VoltageGrid), f"grid = {type(grid).__name__}: must be a VoltageGrid")
    w = jnp.reshape(jnp.asarray(own if weight is None else weight, grid.dtype), 1)
    time = jnp.asarray(t, grid.dtype)
    if rate is None:
        rate = self_consistent_inputs(model, grid, w, time[None])[0][0]
    rate = jnp.asarray(rate, grid.dtype)
    drive, noise = (
        model.settled(rate).input(time, w, rate)[0],
        model.diffusion(rate, time).astype(grid.dtype),
    )
    rest = in_membrane_times(model.rest.period, model.epsilon).astype(grid.dtype)
    membrane = model.membrane

    coarse, fine = (interval_moments(grid, membrane, drive, noise, refine=k) for k in (1, 2))
    (mean, cv), (other_mean, other_cv) = (
        (m.mean + rest, jnp.sqrt(m.variance) / (m.mean + rest)) for m in (fine, coarse)
    )
    if ts is None:
        end = mean + _DEVIATIONS * cv * mean
        ts = lax.stop_gradient(end) * np.linspace(0, 1, _POINTS, dtype=grid.dtype)
    ts = jnp.asarray(ts, grid.dtype)
    check(ts.ndim == 1 and ts.shape[0] > 0, f"ts: shape {ts.shape}: must be (k,) with k at least 1")
    since = jnp.where(ts > rest, ts - rest, 1)

    def density(refine: int, terms: int) -> Array:
        found = _density(grid, membrane, since, drive, noise, refine, terms)
        return jnp.where(ts > rest, found, 0)

    found, other = density(2, _TERMS), density(1, _TERMS // 2)
    error = jnp.abs(found - other)
    return Intervals(
        ts,
        jnp.maximum(found, 0),
        error,
        mean,
        jnp.abs(mean - other_mean),
        cv,
        jnp.abs(cv - other_cv),
    )


def _density(
    grid: VoltageGrid,
    membrane: AbstractMembrane,
    ts: Float[Array, " k"],
    drive: Float[Array, ""],
    noise: Float[Array, ""],
    refine: int,
    num: int,
) -> Float[Array, " k"]:
    r"""The density at times above 0, by the Euler method for inverse Laplace transforms.

    $f(t) = \frac{e^{A/2}}t \bigl(\tfrac12 F(\tfrac A{2t}) + ∑_{k≥1} (-1)^k\,
    \mathrm{Re}\,F(\tfrac{A + 2πik}{2t})\bigr)$ up to about $e^{-A} f(3t)$; the alternating
    series is cut after `num` terms, and averaged by binomial weights there.
    """
    decay = _DECAY[ts.dtype.itemsize]
    binomial = np.array([math.comb(_AVERAGED, k) for k in range(_AVERAGED + 1)]) / 2**_AVERAGED
    weights = np.concatenate([np.ones(num), np.cumsum(binomial[::-1])[::-1]])
    signs = np.where(np.arange(len(weights)) % 2, -1.0, 1.0) * weights
    signs[0] = 0.5
    angular = jnp.asarray(np.pi * np.arange(len(weights)), ts.dtype)[None] / ts[:, None]
    frequency = lax.complex(jnp.broadcast_to(decay / (2 * ts[:, None]), angular.shape), angular)
    values = interval_transform(grid, membrane, frequency, drive, noise, refine=refine).real
    return np.exp(decay / 2) / ts * (values @ jnp.asarray(signs, ts.dtype))
