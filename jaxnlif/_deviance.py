r"""Residuals of Poisson counts: half the sum of their squares is the negative log-likelihood."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

_NEAR = 0.2  # (e - c) / (e + c) below which the logarithm is expanded
_TERMS = 12  # of which the last is below the rounding of float64 there


def residuals(
    expected: Float[Array, "*k"], counts: Float[Array | np.ndarray, "*k"]
) -> Float[Array, "*k"]:
    r"""Signed roots of the Poisson deviance, in the shape of the counts (dimensionless).

    $$r = \operatorname{sign}(e - c) \sqrt{2 (e - c + c \log(c/e))},$$

    for $c = 0$ that is $\sqrt{2 e}$. With $s = (e - c)/(e + c)$ it is also
    $s \sqrt{2 (e + c) - 4 c\,T(s)}$, $T(s) = (\operatorname{artanh} s - s)/s^2$, which has no
    difference of equal numbers where $e$ is near $c$.

    **Arguments:** `expected`: positive numbers e; `counts`: c, at least 0.

    **Reference:** P. McCullagh, J. A. Nelder, *Generalized Linear Models*, 2nd ed. (1989), 2.4.
    """
    c = jnp.asarray(counts, expected.dtype)
    s = (expected - c) / (expected + c)
    near = jnp.abs(s) < _NEAR
    # Each branch has arguments of its own where the other holds, so that derivatives are numbers.
    small = jnp.where(near, s, 0)
    close = small * jnp.sqrt(2 * (expected + c) - 4 * c * _tail(small))
    e = jnp.where(near, 2 * c + 1, expected)
    some = jnp.where(c > 0, c, 1)
    deviance = 2 * (e - c - c * jnp.log(e / some))
    far = jnp.sign(e - c) * jnp.sqrt(deviance)
    return jnp.where(near, close, far)


def differences(
    cumulative: Float[Array, "n *p"], factor: Float[Array, "..."]
) -> Float[Array, "k *p"]:
    """Expected counts, positive, from the numbers up to the edges of bins.

    What is below the rounding of the difference is replaced by that, and has no derivative.
    """
    info = jnp.finfo(cumulative.dtype)
    factor = jnp.broadcast_to(factor, (1, *cumulative.shape[1:]))
    expected = factor * jnp.diff(cumulative, axis=0)
    rounding = info.eps * jnp.abs(factor * cumulative[1:]) + float(info.tiny) ** 0.5
    return jnp.maximum(expected, lax.stop_gradient(rounding))


def _tail(s: Float[Array, "*k"]) -> Float[Array, "*k"]:
    """$T(s) = s/3 + s^3/5 + …$."""
    square, total = s**2, jnp.zeros_like(s)
    for k in reversed(range(_TERMS)):
        total = total * square + 1 / (2 * k + 3)
    return s * total
