r"""Eigenvalues of circuits around a stationary state: the roots of $\det(1 - G(λ))$.

**Reference:** N. Brunel, V. Hakim, Neural Comput. 11:1621 (1999).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Complex, Float, Inexact

from ..._check import check, check_integer, check_positive, check_scalar, is_concrete
from ...grid import VoltageGrid
from ...model import Network
from ..stationary._circuit import Circuit
from ..stationary._roots import raise_if
from ..stationary._system import known_vector
from ._linear import Linear, linearised, passage, state_near
from .response import closed, frequencies

_ITERATIONS = 40
_ROUNDS, _KNOWN = 3, 32
"""How often all starts are tried, and how many of the roots found before are left out then."""
_LINES = 0.0, 2.0, -2.0
_REAL = -8.0, 4.0
"""Real parts of the starts, in inverse membrane times: of lines upwards, and the ends of that on
the real axis."""
_DENSER = 1.5
"""The power that brings starts nearer to each other at low frequencies."""
_PERIODS = 4.0
"""Starts reach up to so many times the highest rate, and twice the inverse of the delay."""


def eigenvalues(
    model: Network,
    grid: VoltageGrid,
    rates: Float[ArrayLike, "..."],
    *,
    num: int = 8,
    highest: float | None = None,
    starts: int = 64,
) -> Complex[Array, " num"]:
    r"""The leading eigenvalues of a circuit around a stationary state, $\det(1 - G(λ)) = 0$.

    Small disturbances go as $e^{λt}$; the state is stable if all real parts are negative. Complex
    ones come in pairs, of which that with the positive imaginary part is returned. Newton's method
    begins along the imaginary axis, on both sides of it and on the real axis, and once more so that
    it leads to others than before. What no start leads to is missed: more `starts` find more.

    **Arguments:** those of `transfer` without λ, and

    - `num`: how many at most.
    - `highest`: the angular frequency up to which starts lie (1 / time); by default four times
      that of the highest rate, or twice that of the shortest delay.
    - `starts`: how many starts there are on each of four lines.

    **Returns:** complex numbers in descending order of their real parts, shape `(num,)` or fewer
    (1 / time), differentiable in the model. Double ones have half of the digits.

    **Raises:** as `transfer`, and under `jit` and `vmap`, where their number cannot be known.

    **Reference:** N. Brunel, V. Hakim, *Neural Comput.* 11:1621 (1999); N. Brunel,
    *J. Comput. Neurosci.* 8:183 (2000).
    """
    num = check_integer("num", num, at_least=1)
    starts = check_integer("starts", starts, at_least=2)
    circuit, grid, rates = state_near(model, grid, rates)
    fixed, fixed_rates = jax.tree.map(lax.stop_gradient, (circuit, rates))
    if not is_concrete(fixed, fixed_rates):
        raise ValueError(
            "eigenvalues: their number is not known under jit or vmap; "
            "use eigenvalue with a guess there"
        )
    if highest is None:
        highest = _highest(fixed, fixed_rates)
    check_scalar("highest", highest)
    check_positive("highest", highest)
    time = float(np.max(np.asarray(fixed.membrane_time)))
    upwards = (
        np.asarray(_LINES)[:, None] / time + 1j * highest * np.linspace(0, 1, starts) ** _DENSER
    )
    points = np.concatenate([upwards.ravel(), np.linspace(*_REAL, starts) / time])
    lam = frequencies("starts", points, grid)
    chosen = np.zeros(0, complex)
    for _ in range(_ROUNDS):
        known = _padded(chosen, lam)
        found, good = map(np.asarray, _search(grid, fixed, fixed_rates, lam, known))
        inside = np.abs(np.imag(found)) <= 1.5 * highest
        chosen = _distinct(np.concatenate([chosen, found[good & inside]]), grid)
    chosen = chosen[:num]
    return _known(grid, circuit, rates, jnp.asarray(chosen, lam.dtype))


def eigenvalue(
    model: Network,
    grid: VoltageGrid,
    rates: Float[ArrayLike, "..."],
    guess: Inexact[ArrayLike, ""],
    *,
    throw: bool = True,
) -> Complex[Array, ""]:
    r"""The eigenvalue of a circuit near a guess; works under any transformation.

    **Arguments:** those of `transfer` without λ, and

    - `guess`: a complex number to start from (1 / time).
    - `throw`: whether a failure is an error; otherwise the eigenvalue is NaN then.

    **Returns:** λ (1 / time), differentiable in the model: the derivative is the total one, in
    which the stationary state changes too.

    **Raises:** as `transfer`, and `ValueError` if the guess leads to no eigenvalue; where only
    compiled code can tell, `RuntimeError`.

    **Reference:** as `eigenvalues`.
    """
    check(np.shape(guess) == (), f"guess: of shape {np.shape(guess)}: must be a single number")
    circuit, grid, rates = state_near(model, grid, rates)
    start = lax.stop_gradient(frequencies("guess", guess, grid))
    fixed, fixed_rates = jax.tree.map(lax.stop_gradient, (circuit, rates))
    none = _padded(np.zeros(0, complex), start)
    lam, good = _search(grid, fixed, fixed_rates, start[None], none)
    if throw:
        lam = raise_if(~good[0], lam, "eigenvalue: the guess leads to none")
    found = _known(grid, circuit, rates, lam)[0]
    return jnp.where(good[0], found, jnp.nan)


def determinant(linear: Linear, lam: Complex[Array, " l"]) -> Complex[Array, " l"]:
    r"""$\det(1 - G(λ)) \prod_k (1 - F_k(λ))/κ_k$ at each λ, times a number that counts as constant.

    The product takes away the poles of G at the modes of single populations, so that modes in which
    no population feels another are roots too. The number keeps it from underflow: roots, Newton's
    steps and the derivatives of roots do not depend on it.
    """
    found, circuit = passage(linear, lam), linear.circuit
    kappa = jnp.abs(lam)[:, None] * circuit.membrane_time[None]
    size = lax.stop_gradient(kappa + (circuit.rate_time * linear.rates)[None])
    rows = (size * found.lost)[..., None]
    return jnp.linalg.det(rows * closed(linear, found.drive, found.noise, lam))


@partial(jax.jit, static_argnums=0)
def _search(
    grid: VoltageGrid,
    circuit: Circuit,
    rates: Array,
    starts: Complex[Array, " l"],
    known: Complex[Array, " n"],
) -> tuple[Complex[Array, " l"], Bool[Array, " l"]]:
    r"""Where Newton's method leads, and whether that is a root.

    It is that of $\det / \prod_n (λ - λ_n)$, so that it leads to none of the known roots $λ_n$; at
    places without one there is NaN.
    """
    linear = linearised(grid, circuit, rates)
    of = partial(determinant, linear)
    size = 1 / jnp.min(circuit.membrane_time)
    allowed = jnp.finfo(grid.dtype).eps ** 0.5

    def step(lam: Array) -> Array:
        value, slope = jax.jvp(of, (lam,), (jnp.ones_like(lam),))
        apart = lam[:, None] - jnp.where(jnp.isfinite(known), known, 0)[None]
        repelled = jnp.where(jnp.isfinite(known)[None], 1 / apart, 0)
        step = value / (slope - value * jnp.sum(repelled, axis=1))
        largest = 0.2 * (jnp.abs(lam) + size)
        return step / jnp.maximum(jnp.abs(step) / largest, 1)

    def improve(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        count, lam, _ = state
        change = step(lam)
        return count + 1, jnp.where(jnp.isfinite(change), lam - change, lam), change

    def unfinished(state: tuple[Array, Array, Array]) -> Array:
        count, lam, change = state
        moving = jnp.abs(change) > 8 * jnp.finfo(grid.dtype).eps * (jnp.abs(lam) + size)
        return (count < _ITERATIONS) & jnp.any(moving)

    first = jnp.zeros((), int), starts, jnp.full_like(starts, jnp.inf)
    _, lam, change = lax.while_loop(unfinished, improve, first)
    good = jnp.isfinite(lam) & (jnp.abs(change) <= allowed * (jnp.abs(lam) + size))
    return lam, good


@partial(jax.jit, static_argnums=0)
def _known(
    grid: VoltageGrid, circuit: Circuit, rates: Array, lam: Complex[Array, " l"]
) -> Complex[Array, " l"]:
    """Eigenvalues that have been found, as functions of the circuit."""
    linear = linearised(grid, circuit, rates)

    def residual(parts: Float[Array, " 2"]) -> Float[Array, " 2"]:
        value = determinant(linear, lax.complex(parts[0], parts[1])[None])[0]
        return jnp.stack([jnp.real(value), jnp.imag(value)])

    def one(lam: Array) -> Array:
        parts = known_vector(residual, jnp.stack([jnp.real(lam), jnp.imag(lam)]))
        return lax.complex(parts[0], parts[1])

    return jax.vmap(one)(lam)


def _padded(known: np.ndarray, like: Array) -> Complex[Array, " n"]:
    """The rightmost known roots and their conjugates, in an array of one size."""
    both = np.concatenate([known[:_KNOWN], np.conj(known[:_KNOWN])[np.imag(known[:_KNOWN]) != 0]])
    return jnp.full(2 * _KNOWN, jnp.nan, like.dtype).at[: both.size].set(both.astype(like.dtype))


def _highest(circuit: Circuit, rates: Array) -> float:
    """The angular frequency up to which eigenvalues are looked for."""
    rate = _PERIODS * float(np.max(np.asarray(rates)))
    if circuit.delay is not None:
        rate = max(rate, 2 / float(np.min(np.asarray(circuit.delay.duration))))
    return 2 * np.pi * max(rate, 1 / float(np.min(np.asarray(circuit.membrane_time))))


def _distinct(found: np.ndarray, grid: VoltageGrid) -> np.ndarray:
    """One of each, and of each pair the one above the real axis, the rightmost first."""
    upper = np.real(found) + 1j * np.abs(np.imag(found))
    tolerance = 30 * float(np.finfo(grid.dtype).eps) ** 0.5
    kept: list[complex] = []
    for one in upper[np.argsort(-upper.real, kind="stable")]:
        if all(abs(one - other) > tolerance * (1 + abs(one)) for other in kept):
            kept.append(complex(one))
    return np.asarray(kept, complex)
