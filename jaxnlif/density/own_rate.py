r"""Steps that see the rate they themselves result in, $\bar N = G(\bar N)$, and their derivatives.

With $L$ the tangent of a step that sees a given rate, and $s = L(0, 1)$ its answer to that rate,
the step with its own rate has $\dot p = L(\dot θ, 0) + s \dot N$ and
$\dot N = \bar N[L(\dot θ, 0)] / (1 - \bar N[s])$: one tangent solve for $s$, and in reverse mode
one transposed solve for the rest. The root is not searched again, nor is the step repeated.
Populations have one answer for each of their rates, and a matrix in place of the quotient.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from .voltage import VoltageStep


@eqx.filter_custom_jvp
def own_rate(step: VoltageStep, root: Float[Array, "*k"]) -> Float[Array, "*k"]:
    r"""The root of $\bar N = G(\bar N)$, which was found, with derivatives by the step."""
    return root


@eqx.filter_custom_jvp
def chosen_rate(
    step: VoltageStep,
    predicted: Float[Array, "*k"],
    root: Float[Array, "*k"],
    found: Bool[Array, ""],
) -> Float[Array, "*k"]:
    """The root where it was found, with derivatives as `own_rate`; else the prediction."""
    return jnp.where(found, root, predicted)


@eqx.filter_custom_jvp
def own_step(
    step: VoltageStep, root: Float[Array, "*k"]
) -> tuple[Float[Array, "v w"], Float[Array, " w"]]:
    """Density and firing rates at the end of the step, the root being a function of it."""
    return step.after(jnp.atleast_1d(root))


@own_rate.def_jvp
def _own_rate_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    step, root = primals
    rate = own_rate(step, root)
    density, _ = own_step(step, root)
    return rate, _tangent(step, rate, density, tangents[0])[0]


@chosen_rate.def_jvp
def _chosen_rate_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    step, predicted, root, found = primals
    d_step, d_predicted = tangents[:2]

    def of_root() -> Array:
        density, _ = own_step(step, root)
        return _tangent(step, root, density, d_step)[0]

    def of_prediction() -> Array:
        return jnp.zeros_like(predicted) if d_predicted is None else d_predicted

    return chosen_rate(*primals), lax.cond(found, of_root, of_prediction)


@own_step.def_jvp
def _own_step_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    step, root = primals
    density, rates = own_step(step, root)
    rate = own_rate(step, root)
    return (density, rates), _tangent(step, rate, density, tangents[0])[1]


@eqx.filter_checkpoint(prevent_cse=False)
def _tangent(
    step: VoltageStep, rate: Array, density: Array, tangent: VoltageStep
) -> tuple[Array, Any]:
    """The tangents of the rate, and of density and firing rates."""
    given = jax.tree.map(lambda x: x is not None, tangent, is_leaf=lambda x: x is None)
    moving, fixed = eqx.partition(step, given)

    def after(moving: VoltageStep, rate: Array) -> Any:
        return eqx.combine(moving, fixed).after(jnp.atleast_1d(rate), known=density)

    push = jax.linearize(after, moving, rate)[1]
    direct = push(tangent, jnp.zeros_like(rate))
    still = jax.tree.map(jnp.zeros_like, moving)
    if rate.ndim:
        one_each = jnp.eye(rate.size, dtype=rate.dtype)
        answers = jax.vmap(lambda one: push(still, one), out_axes=-1)(one_each)
        own = one_each - step.grid.network_rate(answers[1].T).T
        d_rates = jnp.linalg.solve(own, step.network_rate(direct[1]))
        return d_rates, jax.tree.map(lambda d, s: d + s @ d_rates, direct, answers)
    answer = push(still, jnp.ones_like(rate))
    d_rate = step.network_rate(direct[1]) / (1 - step.network_rate(answer[1]))
    return d_rate, jax.tree.map(lambda d, s: d + s * d_rate, direct, answer)
