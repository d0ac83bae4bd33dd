"""Networks of populations, or of one, as the numbers that stationary states depend on."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._check import as_numbers, check, is_concrete
from ..._module import Module
from ...model import AbstractDelay, AbstractMembrane, Adaptation, Constant, Delay, Identity, Network


class Circuit(Module):
    r"""Populations k with constant input: all arrays have the shape `(k,)`, or `(k, k)` to from.

    - `membrane_time`: $ε τ_k$, in the time of delays and refractory periods.
    - `rate_time`: $τ_k$, the unit in which the rate of a neuron is $τ_k r_k$.
    - `rest`: refractory periods; `filter`: $τ_{s,l}$ of the sources, or `None`.
    - `threshold`, `reset`: $V_F$ and $V_R$.
    - `adaptation`: with numbers of the shape `(k,)`, or `None`.
    """

    weight: Float[Array, "k k"]
    noise_slope: Float[Array, "k k"]
    drive: Float[Array, " k"]
    noise: Float[Array, " k"]
    membrane_time: Float[Array, " k"]
    rate_time: Float[Array, " k"]
    rest: Float[Array, " k"]
    filter: Float[Array, " k"] | None
    threshold: Float[Array, " k"]
    reset: Float[Array, " k"]
    delay: AbstractDelay | None
    membrane: AbstractMembrane
    adaptation: Adaptation | None

    def inputs(self, rates: Float[Array, " k"]) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
        r"""$μ_k = I_k + \sum_l b_{kl} r_l - A_k r_k$ and $a_k = a_{0,k} + \sum_l c_{kl} r_l$."""
        drive = self.drive + jnp.sum(self.weight * rates[None], axis=1)
        if self.adaptation is not None:
            drive = drive - self.adaptation.strength * rates
        return drive, self.membrane.diffusion(self._noise(rates))

    def noise_gain(self, rates: Float[Array, " k"]) -> Float[Array, "k k"]:
        """The derivative of $a_k$ by $s_{kl}$, which is $c_{kl}$ for membranes of this package."""
        noise = self._noise(rates)
        _, slope = jax.jvp(self.membrane.diffusion, (noise,), (jnp.ones_like(noise),))
        return slope[:, None] * self.noise_slope

    def _noise(self, rates: Array) -> Array:
        return self.noise + jnp.sum(self.noise_slope * rates[None], axis=1)

    @property
    def rest_in_membrane_times(self) -> Float[Array, " k"]:
        """Refractory periods as neurons count them."""
        return self.rest / self.membrane_time


def circuit_of(model: Any, *, threshold: Any, reset: Any, dtype: Any = None) -> Circuit:
    """The circuit that a network is.

    **Arguments:** `threshold`, `reset`: those of populations for which the model has none; `None`
    if it must have them; `dtype`: that of all numbers, by default the widest of the model.

    **Raises:** `ValueError` for networks that are no circuit with constant input.
    """
    check(isinstance(model, Network), f"model = {type(model).__name__}: must be a Network")
    check(
        model.synapse is None and model.weight is not None,
        "model: must have a weight, one number or one for each pair of populations, (to, from)",
    )
    check(isinstance(model.response, Identity), "response: must be None, the rate itself, here")
    check(
        isinstance(model.drive, Constant) and not callable(model.noise),
        "drive, noise: vary in time; must be constant numbers here",
    )
    check(
        model.refractory is None or isinstance(model.refractory, Delay),
        "refractory: must be a number, or None, here",
    )
    if is_concrete(model.epsilon):
        check(
            float(model.epsilon) > 0, "epsilon = 0: membranes have no time here; must be positive"
        )
    ends = {
        name: given if getattr(model, name) is None else getattr(model, name)
        for name, given in (("threshold", threshold), ("reset", reset))
    }
    for name, value in ends.items():
        check(value is not None, f"{name}: neither the model has it nor is it given")
    num = 1 if model.populations is None else model.populations
    _check_order(ends, num)
    numbers = [x for x in jax.tree.leaves(model) if jnp.issubdtype(jnp.result_type(x), jnp.inexact)]
    dtype = jnp.result_type(*numbers) if dtype is None else jnp.dtype(dtype)

    def vector(value: Any) -> Array:
        return jnp.broadcast_to(jnp.asarray(value, dtype), (num,))

    def matrix(value: Any) -> Array:
        return jnp.broadcast_to(jnp.asarray(value, dtype), (num, num))

    time = vector(1.0 if model.time_constant is None else model.time_constant)
    slow, adaptation = model.synaptic_time_constant, model.adaptation
    return Circuit(
        weight=matrix(model.weight),
        noise_slope=matrix(model.noise_slope),
        drive=vector(model.drive.value),
        noise=vector(model.noise),
        membrane_time=jnp.asarray(model.epsilon, dtype) * time,
        rate_time=time,
        rest=vector(0.0 if model.refractory is None else model.refractory.duration),
        filter=None if slow is None else vector(slow),
        threshold=vector(ends["threshold"]),
        reset=vector(ends["reset"]),
        delay=_cast(model.delay, dtype),
        membrane=_cast(model.membrane, dtype),
        adaptation=None if adaptation is None else jax.tree.map(vector, adaptation),
    )


def _check_order(ends: dict[str, Any], num: int) -> None:
    """Requires one threshold or one for each population, above its reset."""
    if not is_concrete(ends):
        return
    known = {name: as_numbers(name, value) for name, value in ends.items()}
    for name, value in known.items():
        check(
            value.shape in ((), (num,)),
            f"{name}: of shape {value.shape}: must be a number or ({num},), "
            "one for each population",
        )
    low, high = np.broadcast_arrays(known["reset"], known["threshold"])
    for k in np.flatnonzero(~(low < high)):
        where = f" at [{k}]" if low.ndim else ""
        raise ValueError(
            f"reset = {low.flat[k]:g}{where}: must be below threshold = {high.flat[k]:g}"
        )


def _cast(tree: Any, dtype: Any) -> Any:
    """The numbers of a module in another type."""

    def cast(leaf: Any) -> Any:
        inexact = jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
        return jnp.asarray(leaf, dtype) if inexact else leaf

    return jax.tree.map(cast, tree)
