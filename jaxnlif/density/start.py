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

from .interval import Interval, frozen
from .own_rate import own_step
from .root import nearest_root

_BRIEF = 0.01  # membrane times
_MAX_EVALUATIONS = 60


def first_rates(
    interval: Interval, arriving: Float[Array, ""] | None
) -> tuple[Float[Array, ""], Float[Array, " w"]]:
    r"""Network rate and rates $N(w)$ after the voltage step of an interval.

    The network rate is the one that reproduces itself in it. Of several it is the next to the one
    that does so in a hundredth of a membrane time, where there is one only: the branch on which the
    density lies. Where none does, it is that one; where not even that exists, none.

    **Arguments:** `arriving`, the rate that is seen instead, if a delay says so.
    """
    if interval.model.learning is not None:
        interval = replace(interval, kappa=_of_two_steps(interval.kappa))
    if arriving is not None:
        _, rates = interval.after(arriving)
        return interval.network_rate(rates), rates
    still = frozen(interval)
    kappas = jnp.stack([jnp.maximum(still.kappa, 1 / _BRIEF), still.kappa])

    def search(begin, kappa):
        root = nearest_root(replace(still, kappa=kappa).firing, begin, _MAX_EVALUATIONS)
        return jnp.where(root.found, root.rate, begin), None

    root, _ = lax.scan(search, jnp.zeros_like(still.kappa), kappas)
    _, rates = own_step(interval, root)
    return interval.network_rate(rates), rates


def _of_two_steps(kappa: Float[Array, ""]) -> Float[Array, ""]:
    r"""κ of an implicit step that relaxes as much as two: $1 + 1/κ' = (1 + 1/κ)^2$."""
    return kappa * (kappa / (1 + 2 * kappa))
