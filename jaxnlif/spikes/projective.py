r"""The motion of theta neurons in projective coordinates, and its adjoint: what a layer is made of.

In natural units — time in $1/ω$, weights in q — the state is the line through
$(c, s) ∝ (\cos α, \sin α)$ with the angle $α = ωφ$. It turns at speed 1; an input of weight v is
the shear $c ← c - v s$; spike and reset are the same line $s = 0$, so a neuron spikes where s
changes sign, and every further half turn is a further spike.

*Adjoint.* Turns and shears preserve areas, so $g = (∂L/∂α)/(c² + s²)$ is constant but for the
neuron's own spikes at $t_j$, where it falls by $-(∂L/∂t_j)/(c² + s²)$. With $c' = c - v s$,

$$∂L/∂v_k = g s_k², \quad ∂L/∂t_k = g v_k s_k (c_k + c'_k),$$

so that the backward pass is a second forward pass that knows g. All sums over spikes in g are over
spikes still to come: nothing is subtracted.

Everything here is elementwise, on arrays of any shape that broadcast: loops and kernels share it.

**Reference:** the neuron is that of C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent
learning in spiking neural networks, arXiv 2309.14523 (2025).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax


class Point(NamedTuple):
    """`(c, s)` times exp(`scale`), and the number of spikes so far."""

    c: Array
    s: Array
    scale: Array
    spikes: Array

    @classmethod
    def at(cls, c: Array, s: Array) -> Point:
        """The point at the beginning."""
        nothing = 0 * c  # unlike zeros, it is laid out in a kernel as c is
        return cls(c, s, nothing, nothing)

    def sheared(self, weight: Array) -> Point:
        """After an input."""
        return self._replace(c=self.c - weight * self.s)

    def normalised(self) -> Point:
        shrink = lax.rsqrt(self.c**2 + self.s**2)
        return Point(shrink * self.c, shrink * self.s, self.scale - jnp.log(shrink), self.spikes)


class Slots(NamedTuple):
    """For each spike there is room for, the point at the last event before, and when that was.

    The time is less half a turn for each spike before.
    """

    c: Array
    s: Array
    scale: Array
    time: Array

    def noted(self, point: Point, begin: Array, slot: Array | float) -> Slots:
        """Notes where the interval begins if the spike, the `slot`-th from 0, is still to come.

        Sums of products with 0 and 1, exact, are several times faster than selections on a CPU.
        """
        coming = (point.spikes <= slot).astype(point.c.dtype)
        gone = 1 - coming
        time = begin - math.pi * point.spikes
        return Slots(
            coming * point.c + gone * self.c,
            coming * point.s + gone * self.s,
            self.scale,
            coming * time + gone * self.time,
        )

    def noted_scale(self, point: Point, slot: Array | float) -> Slots:
        """Notes the scale, which only `Point.normalised` changes, likewise."""
        return self._replace(scale=jnp.where(point.spikes <= slot, point.scale, self.scale))


class Turn(NamedTuple):
    """Intervals without event: half turns, and cosine and sine of the rest."""

    half: Array
    cos: Array
    sin: Array

    @classmethod
    def between(cls, begin: Array, until: Array) -> Turn:
        """The turn from one event to the next."""
        angle = until - begin
        half = jnp.floor(angle / math.pi)
        almost = math.pi * (1 - jnp.finfo(angle.dtype).eps)
        rest = jnp.clip(angle - half * math.pi, 0, almost)
        return cls(half, jnp.cos(rest), jnp.sin(rest))

    def __call__(self, point: Point) -> Point:
        s = point.s * self.cos + point.c * self.sin
        crossed = jnp.where((point.s > 0) != (s > 0), 1, 0).astype(s.dtype)
        c = point.c * self.cos - point.s * self.sin
        return Point(c, s, point.scale, point.spikes + self.half + crossed)


# ---- the adjoint -----------------------------------------------------------------------------


def scaled(part: Array, now: Array | float, scale: Array) -> Array:
    """What a spike, or the end, has in g, in the scale of now; `scale` is that of the spike."""
    return part * jnp.exp(2 * (now - scale))


def still_to_come(
    parts: Iterable[Array], spikes: Iterable[Array], end: Array, time: Array
) -> Array:
    """g just after an event at `time`: the sum over the spikes still to come and the end."""
    g = end
    for spike, part in zip(spikes, parts, strict=True):
        g = g + jnp.where(spike >= time, part, 0)
    return g


def event_cotangents(before: Point, after: Point, weight: Array, g: Array) -> tuple[Array, Array]:
    """∂L/∂v and ∂L/∂t of an event, this of a single neuron."""
    s = before.s
    return g * s * s, g * weight * s * (before.c + after.c)
