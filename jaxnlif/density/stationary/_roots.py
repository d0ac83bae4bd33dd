"""Scalar roots that know how to differentiate themselves, and the checks of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, PyTree

from ..._check import as_numbers

Scalar = Float[Array, ""]
ScalarFunction = Callable[[Scalar], Scalar]
_Iterate = tuple[int | Array, Scalar, Bool[Array, ""]]


def implicit_root(
    function: ScalarFunction, solve: Callable[[ScalarFunction, Scalar], Scalar], start: Scalar
) -> Scalar:
    r"""The root of `function` that `solve` finds from `start`, as an implicit function.

    Everything that `function` closes over is differentiated, to any order:
    $dx = -\partial_θ f\,dθ / \partial_x f$. `solve` and `start` are not.
    """
    return lax.custom_root(
        lambda x: function(x),  # methods of modules need not be hashable
        lax.stop_gradient(start),
        solve,
        lambda slope, y: y / slope(jnp.ones_like(y)),
    )


def known_root(function: ScalarFunction, root: Scalar) -> Scalar:
    """A root that has been found already, as an implicit function."""
    return implicit_root(function, lambda _, start: start, root)


def with_slope(function: Callable[[Scalar], PyTree], x: Scalar) -> tuple[PyTree, PyTree]:
    """Value and derivative of a function of a scalar."""
    return jax.jvp(function, (x,), (jnp.ones_like(x),))


def bisect(
    function: ScalarFunction, lower: Scalar, upper: Scalar, falling: Bool[Array, ""]
) -> Scalar:
    """A point where `function` changes sign, downwards if `falling`, to the last digit.

    `optimistix.Bisection` takes twice as long, and three times as long to compile.
    """

    def halve(_: Array, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        middle = 0.5 * (ends[0] + ends[1])
        left = (function(middle) > 0) == falling
        return jnp.where(left, middle, ends[0]), jnp.where(left, ends[1], middle)

    steps = jnp.finfo(lower.dtype).nmant + 8
    return lax.fori_loop(0, steps, halve, (lower, upper))[0]


def newton(function: ScalarFunction, start: Scalar, max_step: float, steps: int = 200) -> Scalar:
    """Newton's method with bounded steps, until the residual is rounding or steps run out.

    `optimistix.Newton` does not bound its steps, and in derivatives of second order takes up to
    twice as long to compile.
    """
    last_step = jnp.finfo(start.dtype).eps ** 0.5

    def improve(state: _Iterate) -> _Iterate:
        count, x, _ = state
        value, slope = with_slope(function, x)
        done = is_root(x, value, slope)
        # The last step removes what the test allows, and stays where the slope vanishes.
        bound = jnp.where(done, last_step, max_step)
        return count + 1, x - jnp.clip(value / slope, -bound, bound), done

    def unfinished(state: _Iterate) -> Bool[Array, ""]:
        count, _, done = state
        return (count < steps) & ~done

    return lax.while_loop(unfinished, improve, (0, start, jnp.zeros((), bool)))[1]


def is_root(x: Scalar, value: Scalar, slope: Scalar) -> Bool[Array, ""]:
    """Whether the residual `value` at `x` is what rounding of `x` and of the function leaves."""
    return jnp.abs(value) <= 16 * jnp.finfo(x.dtype).eps * (1 + jnp.abs(x)) * (1 + jnp.abs(slope))


def check_numbers(**arguments: Any) -> None:
    """Requires numbers of what is known, under `grad` too."""
    for name, value in arguments.items():
        if not isinstance(value, Tracer):
            as_numbers(name, value)


def as_floats(**arguments: Any) -> list[Array]:
    """The arguments as arrays of their common floating-point type and shape, required finite."""
    check_numbers(**arguments)
    for name, value in arguments.items():
        require(name, np.isfinite, "must be finite", value)
    values = [_as_array(name, value) for name, value in arguments.items()]
    dtype = jnp.promote_types(jnp.result_type(float, *values), jnp.float32)
    try:
        shape = jnp.broadcast_shapes(*map(jnp.shape, values))
    except ValueError:
        shapes = ", ".join(f"{n} {jnp.shape(x)}" for n, x in zip(arguments, values, strict=True))
        raise ValueError(f"shapes must broadcast against each other: {shapes}") from None
    # Explicit, since promoting ranks may be forbidden.
    return [jnp.broadcast_to(jnp.asarray(x, dtype), shape) for x in values]


def _as_array(name: str, value: Any) -> Any:
    """What JAX takes as it is unchanged, in its type; everything else as an array."""
    taken = isinstance(value, (int, float, jax.Array)) or str(getattr(value, "dtype", "")) in _TAKEN
    return value if taken else as_numbers(name, value)


_TAKEN = ("int32", "int64", "float16", "float32", "float64")


def require(name: str, holds: Callable[..., Any], rule: str, *values: Any) -> None:
    """Requires `holds(*values)` of known values, under `grad` too; the first is called `name`."""
    values = tuple(
        lax.stop_gradient(value) if isinstance(value, Tracer) else value for value in values
    )
    if any(isinstance(value, Tracer) for value in values):
        return
    values = tuple(as_numbers(name, value) for value in values)
    try:
        good, wrong = np.broadcast_arrays(holds(*values), values[0])
    except ValueError:
        return  # shapes that do not match, of which `as_floats` tells
    if not good.all():
        raise ValueError(f"{name} = {wrong[~good][0]:g}: {rule}")


def raise_if(failed: Bool[Array, ""], value: Array, message: str) -> Array:
    """`value`, unless `failed`: `ValueError` now, or an error at run time if that is traced."""
    known = lax.stop_gradient(failed)
    if isinstance(known, Tracer):
        return eqx.error_if(value, known, message)
    if known:
        raise ValueError(message)
    return value
