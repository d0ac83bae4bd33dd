r"""Boundaries of stability in a parameter: Hopf points and folds.

The stationary rates, the parameter and, at a Hopf point, the frequency are found together, as the
root of $\log r_k = \log Φ_k$ and of $\det(1 - G(iω)) = 0$, or $\det(1 - G(0)) = 0$ at a fold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Real

from ..._check import check, check_finite, check_positive, check_scalar
from ..._module import Module
from ...grid import VoltageGrid
from ...model import Network
from ..stationary._roots import raise_if
from ..stationary._system import known_vector, newton_vector
from ..stationary.circuit import log_guess
from ._linear import given, linearised, log_excess
from .modes import determinant

_LARGEST_RATIO = 1.0
_LARGEST_SHARE = 0.3
"""Bounds of one step: of logarithms of rates, and of value and frequency relative to guesses."""


class Hopf(Module):
    r"""Where a stationary state loses its stability to an oscillation.

    - `value`: the value of the parameter there, in the unit of the parameter.
    - `frequency`: ω of the eigenvalues $±iω$, an angular frequency (1 / time).
    - `rates`: the stationary rates there, shape `(k,)` (spikes / neuron / time).

    **Reference:** as `hopf`.
    """

    value: Float[Array, ""]
    frequency: Float[Array, ""]
    rates: Float[Array, " k"]


class Fold(Module):
    r"""Where two stationary states meet and vanish.

    - `value`: the value of the parameter there, in the unit of the parameter.
    - `rates`: the stationary rates there, shape `(k,)` (spikes / neuron / time).

    **Reference:** as `fold`.
    """

    value: Float[Array, ""]
    rates: Float[Array, " k"]


def hopf(
    path: Callable[[Array], Network],
    grid: VoltageGrid,
    guess: Real[ArrayLike, ""],
    rates: Float[ArrayLike, "..."],
    frequency: Real[ArrayLike, ""],
    *,
    throw: bool = True,
) -> Hopf:
    r"""The value of a parameter at which an eigenvalue crosses the imaginary axis.

    **Arguments:**

    - `path`: a function from the value of the parameter to the `Network`.
    - `grid`: as in `transfer`.
    - `guess`: a value near the point, in the unit of the parameter, from which the search begins.
    - `rates`: stationary rates near those of the point, such as the ones at the guess, shape `(k,)`
      (spikes / neuron / time).
    - `frequency`: $ω > 0$ near that of the point, such as the imaginary part of an eigenvalue at
      the guess (1 / time).
    - `throw`: whether a failure is an error; otherwise all numbers are NaN then.

    **Returns:** a `Hopf`, differentiable in what `path` closes over; works under any
    transformation. Any eigenvalue will do: whether it is the leading one, `eigenvalues` says.

    **Raises:** `ValueError` as `transfer`, or if no point is found; where only compiled code can
    tell, `RuntimeError`.

    **Reference:** N. Brunel, *J. Comput. Neurosci.* 8:183 (2000).
    """
    check_scalar("frequency", frequency)
    check_positive("frequency", frequency)
    start, size, num = _start(path, grid, guess, rates, frequency)

    def condition(linear: Any, x: Array) -> Array:
        omega = x[num + 1] * size[1]
        found = determinant(linear, lax.complex(jnp.zeros_like(omega), omega)[None])
        return jnp.concatenate([jnp.real(found), jnp.imag(found)])

    x, found = _point(path, grid, condition, start, size[0], num)
    if throw:
        x = raise_if(~found, x, "hopf: no such point near the guess")
    x = jnp.where(found, x, jnp.nan)
    return Hopf(x[num] * size[0], x[num + 1] * size[1], jnp.exp(x[:num]))


def fold(
    path: Callable[[Array], Network],
    grid: VoltageGrid,
    guess: Real[ArrayLike, ""],
    rates: Float[ArrayLike, "..."],
    *,
    throw: bool = True,
) -> Fold:
    r"""The value of a parameter at which an eigenvalue is 0, and two stationary states meet.

    **Arguments:** those of `hopf` without the frequency.

    **Returns:** a `Fold`, differentiable in what `path` closes over; works under any
    transformation.

    **Raises:** as `hopf`.

    **Reference:** M. J. Cáceres, J. A. Carrillo, B. Perthame, *J. Math. Neurosci.* 1:7 (2011).
    """
    start, size, num = _start(path, grid, guess, rates)

    def condition(linear: Any, x: Array) -> Array:
        zero = jnp.zeros((1,), jnp.result_type(x.dtype, jnp.complex64))
        return jnp.real(determinant(linear, zero))

    x, found = _point(path, grid, condition, start, size[0], num)
    if throw:
        x = raise_if(~found, x, "fold: no such point near the guess")
    x = jnp.where(found, x, jnp.nan)
    return Fold(x[num] * size[0], jnp.exp(x[:num]))


def _start(
    path: Any, grid: Any, guess: Any, rates: Any, *others: Any
) -> tuple[Array, list[Array], int]:
    """Logarithms of rates, and the value and others in units of the guesses; these; and how many
    rates there are."""
    check(callable(path), f"path = {path!r}: must be a function from a number to a Network")
    check_scalar("guess", guess)
    check_finite("guess", guess)
    circuit, grid = given(path(jnp.asarray(guess, grid.dtype)), grid)
    log_rates = log_guess("rates", rates, circuit)
    values = [lax.stop_gradient(jnp.asarray(x, grid.dtype)) for x in (guess, *others)]
    sizes = [jnp.where(x == 0, 1, jnp.abs(x)) for x in values]
    scaled = jnp.stack([x / size for x, size in zip(values, sizes, strict=True)])
    return jnp.concatenate([log_rates, scaled]), sizes, log_rates.shape[0]


def _point(
    path: Any, grid: Any, condition: Any, start: Array, size: Array, num: int
) -> tuple[Array, Array]:
    """Rates, value and others at which the state is stationary and the condition holds."""

    def residual(x: Array) -> Array:
        circuit, v = given(path(x[num] * size), grid)
        rates = jnp.exp(x[:num])
        excess = log_excess(v, circuit, x[:num])
        return jnp.concatenate([excess, condition(linearised(v, circuit, rates), x)])

    largest = jnp.where(np.arange(start.shape[0]) < num, _LARGEST_RATIO, _LARGEST_SHARE)
    fixed = lax.stop_gradient(start)
    x, found = newton_vector(residual, fixed, largest.astype(start.dtype))
    return known_vector(residual, x), found
