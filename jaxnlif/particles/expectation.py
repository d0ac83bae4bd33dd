"""How many spikes to expect in a step: they act as a drift while it lasts."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

_TOLERANCE = 0.01
_MAX_ITERATIONS = 30


class _Bracket(NamedTuple):
    """Two fractions, the newest one first, and how many more neurons fire than each assumes."""

    x: Float[Array, ""]
    f: Float[Array, ""]
    other_x: Float[Array, ""]
    other_f: Float[Array, ""]
    iterations: Int[Array, ""]


def next_expected(share: Float[Array, "*k"], jump: Float[Array, ""]) -> Float[Array, "*k"]:
    """The fraction of the neurons to expect in a step after one in which `share` of them fired.

    After a burst that would carry those who restarted half of their way, its spikes are no reason
    to expect as many again.

    **Arguments:** `share`, of each population; `jump`: by how much, at most, the spikes moved the
    others, over threshold - reset.
    """
    return jnp.where(jump > 0.5, 0, jnp.minimum(share, 1))


def expected_fraction(
    margin: Float[Array, " m"], slope: Float[Array, "..."], last: Float[Array, ""]
) -> Float[Array, ""]:
    r"""The fraction of the neurons whose spikes act as a drift during the step.

    It is that of the `last` step, unless inhibition answers by a change of the opposite sign and of
    any size: passed on from step to step, the fraction would then swing, for strong inhibition
    without end. Then it is the fraction $\hat m$ that reproduces itself within the step, to 1 %,

    $$\hat m M = \#\{i : margin_i + slope_i\,\hat m > 0\}.$$

    Any choice is a valid step, because kicks that were not expected act at its end.

    **Arguments:** `margin` as from `move` `(m,)` (voltage); `slope`, `()` or `(m,)`, by how much
    the spikes of all neurons would lift each end point (voltage); `last` (dimensionless).
    """
    num = margin.shape[0]

    def excess(x: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.sum(margin + slope * x > 0, dtype=jnp.int32).astype(margin.dtype) / num - x

    def unfinished(s: _Bracket) -> Bool[Array, ""]:
        opposite = s.f * s.other_f < 0
        return (
            opposite
            & (jnp.abs(s.f) > _TOLERANCE * s.x + 1 / num)
            & (s.iterations < _MAX_ITERATIONS)
        )

    def narrow(s: _Bracket) -> _Bracket:
        x = s.x - s.f * (s.x - s.other_x) / (s.f - s.other_f)
        f = excess(x)
        crossed = f * s.f < 0
        # The Illinois variant of false position.
        return _Bracket(
            x,
            f,
            jnp.where(crossed, s.x, s.other_x),
            jnp.where(crossed, s.f, s.other_f / 2),
            s.iterations + 1,
        )

    f = excess(last)
    start = _Bracket(last + f, excess(last + f), last, f, jnp.zeros((), jnp.int32))
    end = lax.while_loop(unfinished, narrow, start)
    # Less than a neuron is rounding.
    swings = (start.f * f < 0) & (jnp.abs(start.f) > 0.5 / num)
    return jnp.where(swings, end.x, last)
