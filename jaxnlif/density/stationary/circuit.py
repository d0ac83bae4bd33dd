r"""Stationary states of circuits: rates that all populations reproduce, $r_k = Φ_k(μ_k, a_k)$.

**Reference:** N. Brunel, J. Comput. Neurosci. 8:183 (2000).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Real

from ..._check import check, check_integer, is_concrete
from ..._module import Module
from ...model import Network
from ._circuit import Circuit, circuit_of
from ._roots import check_numbers, raise_if, require
from ._system import known_vector, newton_vector
from .rate import log_firing_rate

_SHIFT = 1.4603545088095868
r"""$|ζ(1/2)| = α/\sqrt 2$: $(α/2) \sqrt{2a}\,\sqrt{τ_s/τ}$ is this times $\sqrt{a τ_s/τ}$."""
_LARGEST_STEP = 2.0
_LOWEST, _HIGHEST = 1e-5, 1e2
"""Between which rates the search begins, without a refractory period."""


class CircuitStates(Module):
    r"""All stationary states of a circuit, in the order of their total rates.

    - `rates`: $r_k$, shape `(states, k)` (spikes / neuron / time).
    - `input`: mean input $μ_k$, shape `(states, k)` (voltage).
    - `noise`: $a_k$, shape `(states, k)` (voltage² / membrane time).

    Its length is the number of states.

    **Reference:** as `circuit_rates`.
    """

    rates: Float[Array, "states k"]
    input: Float[Array, "states k"]
    noise: Float[Array, "states k"]

    def __len__(self) -> int:
        return self.rates.shape[0]


def circuit_rates(
    model: Network,
    *,
    threshold: Real[ArrayLike, "..."] | None = None,
    reset: Real[ArrayLike, "..."] | None = None,
    synaptic_shift: bool = False,
    starts: int = 128,
) -> CircuitStates:
    r"""All stationary states of a network of populations that a search from many rates finds.

    $$τ_k r_k = r(μ_k, a_k), \quad μ_k = I_k + \sum_l b_{kl} r_l, \quad
      a_k = a_{0,k} + \sum_l c_{kl} r_l$$

    with r of `firing_rate` and the refractory periods. Newton's method begins at rates of every
    size, equal ones and random ones. What no start leads to is missed: more `starts` find no less.

    **Arguments:**

    - `model`: a `Network` with a weight, of populations or of one; drive and noise are constant.
    - `threshold`, `reset`: $V_F$ and $V_R$ if the model has none, numbers or shape `(k,)`
      (voltage).
    - `synaptic_shift`: whether the synaptic time constant $τ_s$ moves threshold and reset up by
      $(α/2)\,σ_k \sqrt{τ_s/τ_k}$, $σ_k^2 = 2 a_k$, $α = \sqrt2\,|ζ(1/2)|$, which is what
      exponential synapses do to first order in $\sqrt{τ_s/τ}$. Densities in time have no shift.
    - `starts`: the number of rates at which the search begins.

    **Returns:** `CircuitStates`, of length 0 if there is none; differentiable in the model. Which
    of them are stable, `stability.num_unstable` says.

    **Raises:** `ValueError` where an argument breaks its rule, for networks that are no circuit
    with constant input, if synapses have several time constants or none and the shift is asked
    for, and under `jit` and `vmap`, where the number of states cannot be known.

    **Reference:** N. Brunel, *J. Comput. Neurosci.* 8:183 (2000); the shift: N. Fourcaud,
    N. Brunel, *Neural Comput.* 14:2057 (2002).
    """
    starts = check_integer("starts", starts, at_least=1)
    circuit, shift = _given(model, threshold, reset, synaptic_shift)
    search = jax.tree.map(lax.stop_gradient, (circuit, shift))
    if not is_concrete(search):
        raise ValueError(
            "circuit_rates: the number of states is not known under jit or vmap; "
            "use circuit_rate with a guess there"
        )
    fixed, fixed_shift = search
    log_rates, found = map(np.asarray, _search(fixed, fixed_shift, _starts(fixed, starts)))
    log_rates = _distinct(log_rates[found])
    return _states(circuit, shift, jnp.asarray(log_rates, circuit.drive.dtype))


def circuit_rate(
    model: Network,
    guess: Real[ArrayLike, "..."],
    *,
    threshold: Real[ArrayLike, "..."] | None = None,
    reset: Real[ArrayLike, "..."] | None = None,
    synaptic_shift: bool = False,
    throw: bool = True,
) -> Float[Array, " k"]:
    r"""The stationary rates of a circuit near a guess; works under any transformation.

    **Arguments:** those of `circuit_rates`, and

    - `guess`: rates to start from, a number or shape `(k,)` (spikes / neuron / time).
    - `throw`: whether a failure is an error; otherwise the rates are NaN then.

    **Returns:** the rates, shape `(k,)` (spikes / neuron / time), differentiable in the model by
    the implicit function.

    **Raises:** `ValueError` as `circuit_rates`, and if no state is found near the guess; where only
    compiled code can tell, `RuntimeError`.

    **Reference:** as `circuit_rates`.
    """
    circuit, shift = _given(model, threshold, reset, synaptic_shift)
    start = log_guess("guess", guess, circuit)
    log_rates, found = _state_near(circuit, shift, start)
    if throw:
        log_rates = raise_if(~found, log_rates, "circuit_rate: no stationary state near the guess")
    return jnp.where(found, jnp.exp(log_rates), jnp.nan)


def log_guess(name: str, guess: Any, circuit: Circuit) -> Float[Array, " k"]:
    """Logarithms of rates that are given, one for all or one for each population."""
    check_numbers(**{name: guess})
    num = circuit.drive.shape[0]
    check(
        np.shape(guess) in ((), (num,)),
        f"{name}: of shape {np.shape(guess)}: must be ({num},), one rate for each population",
    )
    require(name, lambda rate: rate > 0, "must be positive", guess)
    return jnp.broadcast_to(jnp.log(jnp.asarray(guess, circuit.drive.dtype)), (num,))


def _given(
    model: Any, threshold: Any, reset: Any, synaptic_shift: bool
) -> tuple[Circuit, Float[Array, ""] | None]:
    """The circuit, and the synaptic time constant that shifts its thresholds."""
    for name, value in (("threshold", threshold), ("reset", reset)):
        has = getattr(model, name, None) is not None
        check(value is None or not has, f"{name}: the model has its own; must be None here")
    circuit = circuit_of(model, threshold=threshold, reset=reset)
    if not synaptic_shift:
        return circuit, None
    times = circuit.filter
    check(times is not None, "synaptic_shift: the model has no synaptic_time_constant")
    assert times is not None
    times = raise_if(
        jnp.any(times != times[0]),
        times,
        "synaptic_shift: needs one synaptic_time_constant, common to all sources",
    )
    return circuit, times[0]


def log_reproduced(
    circuit: Circuit, shift: Float[Array, ""] | None, log_rates: Float[Array, " k"]
) -> Float[Array, " k"]:
    r"""$\log Φ_k$ at rates $r$."""
    drive, noise = circuit.inputs(jnp.exp(log_rates))
    up = jnp.zeros_like(noise)
    if shift is not None:
        up = _SHIFT * jnp.sqrt(noise * shift / circuit.membrane_time)
    log_n = log_firing_rate(
        drive,
        noise,
        circuit.threshold + up,
        circuit.reset + up,
        circuit.rest_in_membrane_times,
        membrane=circuit.membrane,
    )
    return log_n - jnp.log(circuit.rate_time)


@jax.jit
def _state_near(
    circuit: Circuit, shift: Array | None, start: Float[Array, " k"]
) -> tuple[Float[Array, " k"], Bool[Array, ""]]:
    """Logarithms of stationary rates, as functions of the circuit, and whether they are."""
    fixed, fixed_shift = jax.tree.map(lax.stop_gradient, (circuit, shift))
    log_rates, found = _newton(fixed, fixed_shift, lax.stop_gradient(start))
    return known_vector(partial(_residual, circuit, shift), log_rates), found


def _newton(
    circuit: Circuit, shift: Array | None, start: Float[Array, " k"]
) -> tuple[Float[Array, " k"], Bool[Array, ""]]:
    largest = jnp.full_like(start, _LARGEST_STEP)
    return newton_vector(partial(_residual, circuit, shift), start, largest)


def _residual(circuit: Circuit, shift: Array | None, log_rates: Array) -> Array:
    return log_rates - log_reproduced(circuit, shift, log_rates)


@jax.jit
def _search(circuit: Circuit, shift: Array | None, starts: Array) -> tuple[Array, Array]:
    return jax.vmap(partial(_newton, circuit, shift))(starts)


@jax.jit
def _states(circuit: Circuit, shift: Array | None, log_rates: Array) -> CircuitStates:
    """States whose rates are known, as functions of the circuit."""
    known = partial(known_vector, partial(_residual, circuit, shift))
    rates = jnp.exp(jax.vmap(known)(log_rates))
    drive, noise = jax.vmap(circuit.inputs)(rates)
    return CircuitStates(rates, drive, noise)


def _starts(circuit: Circuit, num: int) -> Float[Array, "starts k"]:
    """Logarithms of rates: a quarter of them equal in all populations, the others random."""
    rest, time = np.asarray(circuit.rest), np.asarray(circuit.rate_time)
    highest = np.where(rest > 0, 0.99 / np.where(rest > 0, rest, 1), _HIGHEST / time)
    low, high = np.log(_LOWEST / time), np.log(highest)
    equal = np.linspace(0, 1, max(num // 4, 1))[:, None].repeat(low.size, 1)
    random = np.random.default_rng(0).uniform(size=(num - equal.shape[0], low.size))
    share = np.concatenate([equal, random])
    return jnp.asarray(low + share * (high - low), circuit.drive.dtype)


def _distinct(log_rates: np.ndarray) -> np.ndarray:
    """One of each of the states, in the order of their total rates."""
    tolerance = float(np.finfo(log_rates.dtype).eps) ** 0.5 * 10
    kept: list[np.ndarray] = []
    for one in log_rates[np.argsort(np.sum(np.exp(log_rates), axis=1), kind="stable")]:
        if not any(np.max(np.abs(one - other)) < tolerance for other in kept):
            kept.append(one)
    return np.reshape(kept, (len(kept), log_rates.shape[1]))
