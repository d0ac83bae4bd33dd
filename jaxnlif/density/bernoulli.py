r"""The Bernoulli function $B(x) = x/(e^x - 1)$, by which exponential fitting weighs fluxes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

EVEN_LIMIT = 0.5
"""Up to this |x| the series of `bernoulli_even` is exact to rounding."""

# B_{2k} / (2k)!, the Taylor coefficients of (x/2) coth(x/2) in x².
_EVEN = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)
_TERMS = {4: 3, 8: 6}  # by bytes per number


@jax.custom_jvp
def bernoulli(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$B(x) = x / (e^x - 1)$: positive, accurate and differentiable for every finite x."""
    size = jnp.abs(x)
    safe = jnp.where(size == 0, 1, size)
    larger = jnp.where(size == 0, 1, -safe / jnp.expm1(-safe))  # B(-|x|)
    return jnp.where(x > 0, larger * jnp.exp(-size), larger)


@bernoulli.defjvp
def _bernoulli_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return bernoulli(x), bernoulli_slope(x) * dx


def bernoulli_slope(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$B'(x) = B(x) (1 - B(-x)) / x$, and a series near 0, where the numerator cancels."""
    small = jnp.abs(x) < 0.03
    series = -0.5 + x / 6 - x**3 / 180 + x**5 / 5040
    return jnp.where(small, series, bernoulli(x) * (1 - bernoulli(-x)) / jnp.where(small, 1, x))


def bernoulli_even(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""The even part $(x/2) \coth(x/2)$ for $|x| ≤ 1/2$; $B(±x)$ is this $∓ x/2$."""
    square = x * x
    *lower, value = _EVEN[: _TERMS[x.dtype.itemsize]]
    for coefficient in reversed(lower):
        value = value * square + coefficient
    return value * square + 1


def bernoulli_even_slope(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""The derivative of `bernoulli_even`."""
    square = x * x
    *lower, value = (2 * k * c for k, c in enumerate(_EVEN[: _TERMS[x.dtype.itemsize]], start=1))
    for coefficient in reversed(lower):
        value = value * square + coefficient
    return value * x
