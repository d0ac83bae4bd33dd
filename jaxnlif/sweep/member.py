"""One member of a sweep: what it returns, how it ends, and what it needs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..solve.result import Result

Run = Callable[[dict[str, Any]], tuple[Any, Result]]


@dataclass(frozen=True)
class Member:
    """One member, traced.

    - `compute`: maps values to the arrays that `run` returns, and how the member ended.
    - `arrays`: their shapes and dtypes, in the pytree that they form. `rest`: what else is in it.
    - `bytes`: about how much memory a member needs.
    - `fingerprint`: tells apart what members compute.
    """

    compute: Run
    arrays: Any
    rest: Any
    bytes: int
    fingerprint: str

    def restored(self, leaves: list[np.ndarray]) -> Any:
        """What `run` returns, with these arrays; they may have more leading axes."""
        templates, structure = jax.tree.flatten(self.arrays)
        arrays = [_from_host(x, like) for x, like in zip(leaves, templates, strict=True)]
        return eqx.combine(jax.tree.unflatten(structure, arrays), self.rest)


def trace_member(run: Callable[..., Any], values: dict[str, Any]) -> Member:
    """Traces `run` with the values of one member."""
    rests = []

    def compute(values):
        output = run(**values)
        arrays, rest = eqx.partition(output, _is_array)
        rests.append(rest)
        return arrays, _outcome(output)

    traced = jax.jit(compute).trace(values)
    arrays = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), traced.out_info[0])
    # Every step of a loop holds its state a few times over.
    held = 4 * max(_sizes(traced.jaxpr.jaxpr)) + sum(_size(x) for x in jax.tree.leaves(arrays))
    text = traced.lower().as_text()
    return Member(compute, arrays, rests[0], held, hashlib.sha256(text.encode()).hexdigest())


def to_host(leaf: jax.Array) -> np.ndarray:
    """An array as NumPy and files hold it."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def _from_host(array: np.ndarray, like: jax.ShapeDtypeStruct) -> Any:
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(array, impl=jax.random.key_impl(like))
    return array


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic))


def _outcome(output: Any) -> Result:
    """The first early end of the solutions in an output; without any, whether it is finite."""
    leaves = jax.tree.leaves(output, is_leaf=lambda x: isinstance(x, Result))
    found = [leaf for leaf in leaves if isinstance(leaf, Result)]
    if found:
        first = Result.completed
        for result in found:
            first = Result.where(first == Result.completed, result, first)
        return first
    numbers = [leaf for leaf in leaves if eqx.is_inexact_array(leaf)]
    finite = jnp.all(jnp.asarray([jnp.all(jnp.isfinite(x)) for x in numbers], bool))
    return Result.where(finite, Result.completed, Result.non_finite)


def _size(aval: Any) -> int:
    dtype = getattr(aval, "dtype", None)
    return 0 if dtype is None else math.prod(aval.shape) * getattr(dtype, "itemsize", 4)


def _sizes(jaxpr: Any) -> Iterator[int]:
    """The bytes of all arrays that a computation makes, inside its loops and branches as well."""
    yield sum(_size(variable.aval) for variable in jaxpr.outvars)
    for equation in jaxpr.eqns:
        yield sum(_size(variable.aval) for variable in equation.outvars)
        for parameter in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from _sizes(inner)
