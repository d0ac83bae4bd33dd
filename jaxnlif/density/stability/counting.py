r"""How many eigenvalues of a circuit are unstable, by the argument principle.

$\det(1 - G(λ))$ has no poles right of the imaginary axis. So many roots as it has there, so many
half turns it makes about 0, clockwise, while λ = iω goes up from 0. Once $|G|$ has a spectral
radius below 1 it turns no more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float, Int

from ..._check import check, is_concrete
from ...grid import VoltageGrid
from ...model import Network
from ..stationary._circuit import Circuit
from ._linear import linearised, passage, state_near
from .response import closed

_AT_ONCE = 256
"""Frequencies of one call, so that calls are compiled once."""
_TURN = 0.5
"""How far the determinant may turn between two frequencies (radians)."""
_MOST = 2**17
"""Frequencies at which it is known at most."""
_LOWEST, _BEYOND = 1e-2, 1e2
"""Where the search for the highest frequency begins, in inverse membrane times, and where it ends,
in rates of exchange between nodes."""
_APART = 0.1
"""How far their number may be from a whole one, from which it differs by rounding."""
_WEAK = 0.999
"""A spectral radius of the feedback that is below 1."""
_MULTIPLES, _PART = 40, 0.05
"""Up to which multiple of the highest rate resonances are looked for, and in which parts of it."""
_FAINT, _STEEP, _FINEST = 0.1, 0.2, 1e-6
"""A spectral radius that does not matter; by how much its logarithm may change between frequencies;
and how near these may be, relative."""


def num_unstable(
    model: Network, grid: VoltageGrid, rates: Float[ArrayLike, "..."]
) -> Int[Array, "..."]:
    r"""How many eigenvalues have a positive real part: a state is stable if none has.

    They are counted, each of a complex pair, by the argument principle: none is missed, as
    `eigenvalues` may. $\det(1 - G(iω))$ is followed up to where delayed feedback is too weak to
    matter, at frequencies as near to each other as it needs.

    **Arguments:** those of `transfer` without λ, and

    - `rates`: of one state, shape `(k,)`, or of several, as in
      `stationary.circuit_rates(model).rates`, shape `(states, k)` (spikes / neuron / time).

    **Returns:** the numbers, shape `()` or `(states,)` (dimensionless).

    **Raises:** as `transfer`; `ValueError` if two states are one on the grid, at a boundary of
    stability, on a grid so coarse that fast feedback does not fade, and under `jit` and `vmap`,
    where nothing can be counted.

    **Reference:** H. Nyquist, *Bell Syst. Tech. J.* 11:126 (1932).
    """
    if np.ndim(rates) != 2:
        return jnp.asarray(_count(*_state(model, grid, rates)))
    states = [_state(model, grid, one) for one in jnp.asarray(rates)]
    for i, (_, _, one) in enumerate(states):
        for j, (_, v, other) in enumerate(states[:i]):
            check(
                float(jnp.max(jnp.abs(jnp.log(one / other))))
                > float(jnp.finfo(v.dtype).eps) ** 0.5,
                f"rates: states {j} and {i} are one on the grid, which needs more nodes",
            )
    return jnp.asarray([_count(*state) for state in states], int)


def _state(model: Network, grid: Any, rates: Any) -> tuple[Circuit, VoltageGrid, Array]:
    circuit, v, rates = jax.tree.map(lax.stop_gradient, state_near(model, grid, rates))
    if not is_concrete(circuit, rates):
        raise ValueError(
            "num_unstable: eigenvalues are not counted under jit or vmap; "
            "use eigenvalue with a guess there"
        )
    return circuit, v, rates


def _count(circuit: Circuit, grid: VoltageGrid, rates: Array) -> int:
    def feedback(omega: np.ndarray) -> np.ndarray:
        parts = np.array_split(omega, -(-omega.size // _AT_ONCE))
        padded = [np.resize(part, _AT_ONCE).astype(grid.dtype) for part in parts]
        found = [np.asarray(_feedback(grid, circuit, rates, x)) for x in padded]
        return np.concatenate([x[: part.size] for x, part in zip(found, parts, strict=True)])

    omega = _frequencies(feedback, circuit, grid, rates)
    loop, all_halved = feedback(omega), False
    while True:
        phase = np.angle(np.linalg.det(np.eye(rates.size) - loop))
        turns = (np.diff(phase) + np.pi) % (2 * np.pi) - np.pi
        halved = np.flatnonzero(np.abs(turns) > _TURN)
        if not halved.size:
            if all_halved:
                break
            halved, all_halved = np.arange(turns.size), True
        middle = (omega[halved] + omega[halved + 1]) / 2
        check(
            bool(np.all(middle < omega[halved + 1])) and omega.size < _MOST,
            "rates: of a state at a boundary of stability, where nothing can be counted",
        )
        omega = np.insert(omega, halved + 1, middle)
        loop = np.insert(loop, halved + 1, feedback(middle), axis=0)
    left = np.sum(np.angle(1 - np.linalg.eigvals(loop[-1])))
    number = -(np.sum(turns) - left) / np.pi
    check(
        abs(number - round(number)) < _APART,
        "rates: of a state at a boundary of stability, where nothing can be counted",
    )
    return round(number)


def _frequencies(
    feedback: Callable[[np.ndarray], np.ndarray],
    circuit: Circuit,
    grid: VoltageGrid,
    rates: Array,
) -> np.ndarray:
    """Angular frequencies from 0 to that above which the feedback has a spectral radius below 1,
    near enough to each other for delays."""
    time = np.asarray(circuit.membrane_time)
    up = np.asarray(linearised(grid, circuit, rates).up)
    low, high = _LOWEST / np.max(time), _BEYOND * np.max(up) / np.min(time)
    # Regular neurons resonate with multiples of their rate.
    rate = 2 * np.pi * float(np.max(np.asarray(rates)))
    multiples = np.arange(1, _MULTIPLES / _PART) * (_PART * rate)
    omega = np.union1d(np.geomspace(low, high, _AT_ONCE), multiples[multiples < high])
    omega, radius = _resolved(feedback, omega)
    strong = np.flatnonzero(~(radius < _WEAK))
    highest = omega[min(strong[-1] + 1, omega.size - 1)] if strong.size else low
    waits = np.max(np.asarray(circuit.rest))
    if circuit.delay is not None:
        waits = waits + np.max(np.asarray(circuit.delay.duration))
    num = max(2, int(np.ceil(min(highest * waits / _TURN, _MOST)))) + 1
    check(
        not strong.size or (strong[-1] + 1 < omega.size and num <= _MOST // 4),
        "grid: the feedback of the circuit does not fall with the frequency; needs more nodes",
    )
    return np.union1d(np.linspace(0, highest, num), omega[omega < highest])


def _resolved(
    feedback: Callable[[np.ndarray], np.ndarray], omega: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies between which the spectral radius of the feedback changes little, and that; the
    flanks of a narrow peak show it."""

    def radius_at(omega: np.ndarray) -> np.ndarray:
        return np.max(np.abs(np.linalg.eigvals(np.abs(feedback(omega)))), axis=1)

    radius = radius_at(omega)
    while omega.size < _MOST:
        size = np.maximum(radius, _FAINT)
        steep = np.abs(np.diff(np.log(size))) > _STEEP
        wide = np.diff(omega) > _FINEST * omega[1:]
        halved = np.flatnonzero(steep & wide)
        if not halved.size:
            break
        middle = (omega[halved] + omega[halved + 1]) / 2
        omega = np.insert(omega, halved + 1, middle)
        radius = np.insert(radius, halved + 1, radius_at(middle))
    return omega, radius


@partial(jax.jit, static_argnums=0)
def _feedback(
    grid: VoltageGrid, circuit: Circuit, rates: Array, omega: Float[Array, " o"]
) -> Complex[Array, "o k k"]:
    """G(iω)."""
    linear = linearised(grid, circuit, rates)
    lam = lax.complex(jnp.zeros_like(omega), omega)
    found = passage(linear, lam)
    return jnp.eye(rates.shape[0])[None] - closed(linear, found.drive, found.noise, lam)
