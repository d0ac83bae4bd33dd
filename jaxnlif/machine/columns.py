"""Functions that treat every column by itself: a batch of calls is one call with more columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Primitive, jaxpr_as_fun
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array

_call = Primitive("columnwise")
_call.multiple_results = True


def columnwise(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The function `(common, columns)`, which `vmap` calls once, with the columns of all members.

    Derivatives are those of the function; its batches are then no longer one call.

    **Arguments:** `function` of two pytrees of arrays, and of no others that may be traced. Those
    of the second have columns along the last axis; those of the first may have a last axis of 1,
    for what all columns share. It returns a pytree of arrays with the columns last.
    """

    def call(common: Any, columns: Any) -> Any:
        given, structure = jax.tree.flatten((common, columns))
        known = len(jax.tree.leaves(common))

        def flat(*leaves: Array) -> list[Array]:
            return jax.tree.leaves(function(*jax.tree.unflatten(structure, leaves)))

        jaxpr, shape = jax.make_jaxpr(
            lambda *leaves: function(*jax.tree.unflatten(structure, leaves)), return_shape=True
        )(*given)
        found = _call.bind(*given, jaxpr=jaxpr, function=flat, known=known)
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return call


def _run(*given: Array, jaxpr: ClosedJaxpr, **_: Any) -> list[Array]:
    return jaxpr_as_fun(jaxpr)(*given)


@_call.def_abstract_eval
def _(*_: Any, jaxpr: ClosedJaxpr, **__: Any) -> list[Any]:
    return jaxpr.out_avals


def _batched(
    given: Any, axes: Any, *, jaxpr: ClosedJaxpr, function: Callable[..., Any], known: int
) -> tuple[list[Array], list[int]]:
    """The columns of all members beside one another; what all share stays one."""
    size = next(x.shape[axis] for x, axis in zip(given, axes, strict=True) if axis is not None)
    width = jaxpr.in_avals[-1].shape[-1]

    def widened(number: int, x: Array, axis: int | None) -> Array:
        if axis is None and number < known and x.shape[-1] == 1:
            return x
        x = jnp.broadcast_to(x, (size, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        x = jnp.moveaxis(jnp.broadcast_to(x, (*x.shape[:-1], width)), 0, -2)
        return x.reshape(*x.shape[:-2], size * width)

    wide = [widened(k, *pair) for k, pair in enumerate(zip(given, axes, strict=True))]
    jaxpr = jax.make_jaxpr(function)(*wide)
    found = _call.bind(*wide, jaxpr=jaxpr, function=function, known=known)
    apart = [x.reshape(*x.shape[:-1], size, width) for x in found]
    return apart, [x.ndim - 2 for x in apart]


def _differentiated(primals: Any, tangents: Any, *, jaxpr: ClosedJaxpr, **_: Any) -> Any:
    """As if the function stood here."""
    moving = [k for k, tangent in enumerate(tangents) if not isinstance(tangent, ad.Zero)]

    def of_moving(*values: Array) -> list[Array]:
        given = list(primals)
        for k, value in zip(moving, values, strict=True):
            given[k] = value
        return jaxpr_as_fun(jaxpr)(*given)

    return jax.jvp(of_moving, [primals[k] for k in moving], [tangents[k] for k in moving])


_call.def_impl(_run)
mlir.register_lowering(_call, mlir.lower_fun(_run, multiple_results=True))
batching.primitive_batchers[_call] = _batched
ad.primitive_jvps[_call] = _differentiated
