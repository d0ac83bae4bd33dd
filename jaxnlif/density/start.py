r"""The rates that a run begins with.

Where the density reaches the threshold, its flux there is proportional to 1/h, and an instant
later it is not: a layer has formed that the mesh resolves. So the first step is made with the
rates that result from one voltage step, and not with those of the initial density.
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
