r"""The rates that a run begins with.

Where the density reaches the threshold, its flux there is proportional to 1/h, and an instant
later it is not: a layer has formed that the mesh resolves. So the first step is made with the
rates that result from one voltage step, and not with those of the initial density.
"""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array, Float

from .interval import Interval, frozen
from .own_rate import own_rate
from .root import nearest_root

_BRIEF = 0.01  # membrane times
_MAX_EVALUATIONS = 60


def first_rates(
    interval: Interval, arriving: Float[Array, ""] | None
) -> tuple[Float[Array, ""], Float[Array, " w"]]:
    r"""Network rate and rates $N(w)$ after the voltage step of an interval.

    The network rate is the one that reproduces itself in it. Of several it is the next to the one
    that does so in a hundredth of a membrane time, where there is one only: the branch on which the
    density lies. Where none does, it is the answer to that.

    **Arguments:** `arriving`, the rate that is seen instead, if a delay says so.
    """
    seen = _own_rate(interval) if arriving is None else arriving
    _, rates = interval.after(seen)
    return interval.network_rate(rates), rates


def _own_rate(interval: Interval) -> Float[Array, ""]:
    still = frozen(interval)
    brief = replace(still, kappa=jnp.maximum(still.kappa, 1 / _BRIEF))
    zero = jnp.zeros_like(still.kappa)
    at_once = nearest_root(brief.firing, zero, _MAX_EVALUATIONS)
    begin = jnp.where(at_once.found, at_once.rate, brief.firing(zero))
    root = nearest_root(still.firing, begin, _MAX_EVALUATIONS)
    # The derivative of a root is not asked for where there is none.
    own = own_rate(interval, jnp.where(root.found, root.rate, 0))
    return jnp.where(root.found, own, interval.firing(begin))
