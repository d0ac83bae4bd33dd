r"""Boundaries of stability in a parameter: Hopf points and folds.

The stationary rates, the parameter and, at a Hopf point, the frequency are found together, as the
root of $\log r_k = \log Φ_k$ and of $\det(1 - G(iω)) = 0$, or $\det(1 - G(0)) = 0$ at a fold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Real

from ..._check import check, check_finite, check_positive, check_scalar, is_concrete
from ..._module import Module
from ...grid import VoltageGrid
from ...model import Network
from ..stationary._circuit import Circuit
from ..stationary._roots import raise_if
from ..stationary._system import host_loop, known_vector, newton_with_slopes, with_slopes
from ..stationary.circuit import log_guess
from ._linear import Linear, given, linearised, log_excess, voltages
from .modes import determinant

_LARGEST_RATIO = 1.0
_LARGEST_SHARE = 0.3
"""Bounds of one step: of logarithms of rates, and of value and frequency relative to guesses."""
_Condition = Callable[[Linear, Array], Array]
"""Of a linearised circuit and of what is searched for besides the parameter."""


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
    x, found = _point(path, grid, _oscillating, rates, guess, frequency)
    if throw:
        x = raise_if(~found, x, "hopf: no such point near the guess")
    x = jnp.where(found, x, jnp.nan)
    return Hopf(x[-2], x[-1], jnp.exp(x[:-2]))


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
    x, found = _point(path, grid, _vanishing, rates, guess)
    if throw:
        x = raise_if(~found, x, "fold: no such point near the guess")
    x = jnp.where(found, x, jnp.nan)
    return Fold(x[-1], jnp.exp(x[:-1]))


def _oscillating(linear: Linear, omega: Float[Array, " 1"]) -> Float[Array, " 2"]:
    """Zero where iω is an eigenvalue."""
    found = determinant(linear, lax.complex(jnp.zeros_like(omega), omega))
    return jnp.concatenate([jnp.real(found), jnp.imag(found)])


def _vanishing(linear: Linear, none: Float[Array, " 0"]) -> Float[Array, " 1"]:
    """Zero where 0 is an eigenvalue."""
    zero = jnp.zeros((1,), jnp.result_type(none.dtype, jnp.complex64))
    return jnp.real(determinant(linear, zero))


def _point(
    path: Any, grid: Any, condition: _Condition, rates: Any, *guesses: Any
) -> tuple[Array, Bool[Array, ""]]:
    """Logarithms of rates, the parameter and others at which the state is stationary and the
    condition holds, and whether such a point was found.

    The parameter and others are searched in units of the guesses. What `path` does is not compiled
    with the rest if its numbers are known: for another path nothing is compiled again.
    """
    check(callable(path), f"path = {path!r}: must be a function from a number to a Network")
    check_scalar("guess", guesses[0])
    check_finite("guess", guesses[0])
    v = voltages(grid)
    first, _ = given(path(jnp.asarray(guesses[0], v.dtype)), v)
    log_rates = lax.stop_gradient(log_guess("rates", rates, first))
    num = log_rates.shape[0]
    values = lax.stop_gradient(jnp.stack([jnp.asarray(x, v.dtype) for x in guesses]))
    sizes = jnp.where(values == 0, 1, jnp.abs(values))

    def circuit(x: Array) -> Circuit:
        return given(path(x[num] * sizes[0]), v)[0]

    def at(x: Array) -> tuple[Array, Array]:
        along = (jnp.zeros_like(x).at[num].set(1),)
        fixed = jax.tree.map(lax.stop_gradient, eqx.filter_jvp(circuit, (x,), along))
        return _residual_and_slopes(v, condition, *fixed, x, sizes)

    largest = np.repeat([_LARGEST_RATIO, _LARGEST_SHARE], [num, sizes.size])
    known = is_concrete(jax.tree.map(lax.stop_gradient, (first, log_rates, sizes)))
    x, found = newton_with_slopes(
        at,
        jnp.concatenate([log_rates, values / sizes]),
        jnp.asarray(largest, v.dtype),
        host_loop if known else lax.while_loop,
    )
    x = known_vector(lambda x: _residual(v, condition, circuit(x), x, sizes), x)
    return x * jnp.concatenate([jnp.ones_like(log_rates), sizes]), found


@partial(jax.jit, static_argnums=(0, 1))
def _residual(
    grid: VoltageGrid, condition: _Condition, circuit: Circuit, x: Array, sizes: Array
) -> Array:
    """The excess of logarithms of rates, and the condition."""
    num = circuit.drive.shape[0]
    linear = linearised(grid, circuit, jnp.exp(x[:num]))
    excess = log_excess(grid, circuit, x[:num])
    return jnp.concatenate([excess, condition(linear, x[num + 1 :] * sizes[1:])])


@partial(jax.jit, static_argnums=(0, 1))
def _residual_and_slopes(
    grid: VoltageGrid,
    condition: _Condition,
    circuit: Circuit,
    slope: Circuit,
    at: Array,
    sizes: Array,
) -> tuple[Array, Array]:
    """The residual, and its slopes with that of the circuit in the parameter."""
    num = circuit.drive.shape[0]

    def residual(x: Array) -> Array:
        moved = jax.tree.map(lambda slope: (x[num] - at[num]) * slope, slope)
        return _residual(grid, condition, eqx.apply_updates(circuit, moved), x, sizes)

    return with_slopes(residual, at)
