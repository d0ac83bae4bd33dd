"""External input $I(w, t)$ to the neurons of each synaptic weight."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check, check_finite, check_positive
from .._module import Module
from ._leaf import as_leaf, leaf
from .table import check_knots


class AbstractDrive(Module):
    """An input current; any callable module with this signature will do."""

    @abc.abstractmethod
    def __call__(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        """The input at a time to the neurons of each weight.

        **Arguments:** `t`, a number (learning time); `w`, shape `(w,)` (weight).
        **Returns:** the input, of a shape that broadcasts to `(w,)` (voltage).
        """

    def jumps(self) -> Float[Array, " k"]:
        """The times at which the input jumps, shape `(k,)` (learning time).

        Solvers with `events` land on them. Without, a step that ends at a jump looks up the input
        just before, and a jump inside a step acts on the whole of it: an error of the order of the
        step.
        """
        return jnp.zeros(0)


class Constant(AbstractDrive):
    """The same input at every time: for every weight, or for each population.

    **Arguments:** `value`: the input $I$, a number, or shape `(k,)` (voltage).

    **Raises:** `ValueError` unless it is finite.
    """

    value: Float[Array, "*k"] = eqx.field(converter=leaf("value"))

    def __check_init__(self):
        check_finite("value", self.value)

    def __call__(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        return jnp.full_like(w, self.value)


class Bump(AbstractDrive):
    r"""A Gaussian bump over the weights, $I(w) = base + height\,e^{-(w-center)^2/(2\,width^2)}$.

    **Arguments:** `base`, `height` (voltage); `center`, `width` (weight).

    **Raises:** `ValueError` unless all are finite and `width` is positive.
    """

    base: Float[Array, ""] = eqx.field(converter=leaf("base"))
    height: Float[Array, ""] = eqx.field(converter=leaf("height"))
    center: Float[Array, ""] = eqx.field(converter=leaf("center"))
    width: Float[Array, ""] = eqx.field(converter=leaf("width"))

    def __check_init__(self):
        for name in ("base", "height", "center"):
            check_finite(name, getattr(self, name))
        check_positive("width", self.width)

    def __call__(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        return self.base + self.height * jnp.exp(-0.5 * ((w - self.center) / self.width) ** 2)


class Pulse(AbstractDrive):
    """A rectangular pulse: `height` more than `base` for a `duration` from `start` on.

    Solvers that land on jumps, as `FluxShift` with `events`, have derivatives in `start` and
    `duration`. Elsewhere the pulse is looked up step by step: what a run gives is piecewise
    constant in both, and its derivatives are zero, so that a gradient cannot fit them.

    **Arguments:** `base`, `height` (voltage); `start`, `duration` (learning time).

    **Raises:** `ValueError` unless all are finite and `duration` is positive.
    """

    base: Float[Array, ""] = eqx.field(converter=leaf("base"))
    height: Float[Array, ""] = eqx.field(converter=leaf("height"))
    start: Float[Array, ""] = eqx.field(converter=leaf("start"))
    duration: Float[Array, ""] = eqx.field(converter=leaf("duration"))

    def __check_init__(self):
        for name in ("base", "height", "start"):
            check_finite(name, getattr(self, name))
        check_positive("duration", self.duration)

    def __call__(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        on = (t >= self.start) & (t < self.start + self.duration)
        return jnp.full_like(w, self.base + jnp.where(on, self.height, 0))

    def jumps(self) -> Float[Array, " k"]:
        return jnp.stack([self.start, self.start + self.duration])


class Sinusoid(AbstractDrive):
    r"""A periodic input, $I(t) = base + amplitude\,\sin(2π t/period + phase)$.

    **Arguments:** `base`, `amplitude` (voltage); `period` (learning time); `phase` (radians).

    **Raises:** `ValueError` unless all are finite and `period` is positive.
    """

    base: Float[Array, ""] = eqx.field(converter=leaf("base"))
    amplitude: Float[Array, ""] = eqx.field(converter=leaf("amplitude"))
    period: Float[Array, ""] = eqx.field(converter=leaf("period"))
    phase: Float[Array, ""] = eqx.field(converter=leaf("phase"), default=0.0)

    def __check_init__(self):
        for name in ("base", "amplitude", "phase"):
            check_finite(name, getattr(self, name))
        check_positive("period", self.period)

    def __call__(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        angle = 2 * jnp.pi * t / self.period + self.phase
        return jnp.full_like(w, self.base + self.amplitude * jnp.sin(angle))


class Tabulated(AbstractDrive):
    """A measured signal: piecewise linear in weight, in time, or in both; constant beyond the ends.

    **Arguments:**

    - `values`: shape `(w,)` with `w=` alone, `(t,)` with `t=` alone, `(t, w)` with both
      (voltage); differentiable leaves.
    - `w`: strictly increasing weights of the columns, shape `(w,)` (weight).
    - `t`: strictly increasing times of the rows, shape `(t,)` (learning time).

    **Raises:** `ValueError` if neither axis is given, shapes do not match, an axis is not strictly
    increasing or anything is not finite.
    """

    values: Float[Array, "..."] = eqx.field(converter=leaf("values"))
    w: Float[Array, " w"] | None = None
    t: Float[Array, " t"] | None = None

    def __init__(self, values: Any, *, w: Any = None, t: Any = None):
        self.values = as_leaf("values", values)
        self.w = None if w is None else as_leaf("w", w)
        self.t = None if t is None else as_leaf("t", t)
        check(w is not None or t is not None, "w, t: at least one axis of the table must be given")
        axes = [(name, axis) for name, axis in (("t", self.t), ("w", self.w)) if axis is not None]
        for name, axis in axes:
            check_knots(name, axis)
        check_finite("values", self.values)
        expected = tuple(axis.shape[0] for _, axis in axes)
        check(
            self.values.shape == expected,
            f"values: shape {self.values.shape} must be {expected}, "
            f"the lengths of {', '.join(name for name, _ in axes)}",
        )

    def __call__(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        now = self.values if self.t is None else _row_at(t, self.t, self.values)
        return jnp.full_like(w, now) if self.w is None else jnp.interp(w, self.w, now)


def is_still(drive: Any) -> bool:
    """Whether a drive is known to be the same at all times."""
    return isinstance(drive, Constant | Bump) or (isinstance(drive, Tabulated) and drive.t is None)


def _row_at(t: Array, times: Array, values: Array) -> Array:
    """Linear interpolation in time of a table whose rows may be numbers or arrays."""
    columns = values.reshape(times.shape[0], -1)
    row = jax.vmap(lambda column: jnp.interp(t, times, column), in_axes=1)(columns)
    return row.reshape(values.shape[1:])
