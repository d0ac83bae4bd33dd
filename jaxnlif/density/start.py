r"""The rates that a run begins with.

Where the density reaches the threshold, its flux there is proportional to 1/h, and an instant
later it is not: a layer has formed that the mesh resolves. So the first step is made with the
rates that result from one voltage step, and not with those of the initial density. Weights move
before voltages, so that two weight steps would see the rates of the first voltage step, and count
the initial layer twice, which is an error of order ε: the first of them sees those of two.
"""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from .own_rate import own_step
from .root import nearest_root
from .roots import vector_root
from .voltage import VoltageStep, frozen

_BRIEF = 0.01  # membrane times
_MAX_EVALUATIONS = 60


def crossing_rates(
    step: VoltageStep, *, known: bool
) -> tuple[Float[Array, "*k"], Float[Array, " w"]]:
    """Network rate and rates $N(w)$ of the density as it is.

    **Arguments:** `known`: whether a delay says which signals are felt, at the beginning none.
    """

    def fired(rate: Float[Array, "*k"]) -> tuple[Float[Array, "*k"], Float[Array, " w"]]:
        seen = jnp.zeros_like(rate) if known else rate
        rates = step.crossing(jnp.atleast_1d(seen))
        return step.network_rate(rates), rates

    # The flux through the threshold depends, weakly, on the rate itself.
    silent = step.network_rate(jnp.zeros_like(step.density[-1]))
    return fired(fired(silent)[0])


def first_rates(
    step: VoltageStep, signals: Float[Array, " s"] | None, *, twice: bool
) -> tuple[Float[Array, "*k"], Float[Array, " w"]]:
    """Network rate and rates $N(w)$ after a voltage step.

    **Arguments:** the step; the `signals` that are felt where a delay says so, and otherwise those
    of the step itself; whether it is to relax as much as two.
    """
    if twice:
        step = replace(step, kappa=_of_two_steps(step.kappa))
    if signals is None:
        return _own_rates(step)
    _, rates = step.after(signals)
    return step.network_rate(rates), rates


def _own_rates(step: VoltageStep) -> tuple[Float[Array, "*k"], Float[Array, " w"]]:
    r"""Network rate and rates $N(w)$ after a voltage step that feels its own rate.

    The network rate is the one that reproduces itself in it. Of several it is the next to the one
    that does so in a hundredth of a membrane time, where there is one only: the branch on which the
    density lies. Where none does, it is that one; where not even that exists, none.
    """
    still = frozen(step)
    if step.grid.populations is not None:
        none = jnp.zeros(step.grid.populations, step.density.dtype)
        root = vector_root(still.firing, none, _MAX_EVALUATIONS)
        rates = step.after(jnp.where(root.found, root.signals, none))[1]
        return step.network_rate(rates), rates
    kappas = jnp.stack([jnp.maximum(still.kappa, 1 / _BRIEF), still.kappa])

    def search(begin: Array, kappa: Array) -> tuple[Array, None]:
        brief = replace(still, kappa=kappa)
        root = nearest_root(lambda x: brief.firing(x[None])[0], begin, _MAX_EVALUATIONS)
        return jnp.where(root.found, root.rate, begin), None

    root, _ = lax.scan(search, jnp.zeros_like(still.kappa), kappas)
    _, rates = own_step(step, root)
    return step.network_rate(rates), rates


def _of_two_steps(kappa: Float[Array, ""]) -> Float[Array, ""]:
    r"""κ of an implicit step that relaxes as much as two: $1 + 1/κ' = (1 + 1/κ)^2$."""
    return kappa * (kappa / (1 + 2 * kappa))
