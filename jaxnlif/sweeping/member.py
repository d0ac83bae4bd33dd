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

from ..integrate.result import Result
from ..store.leaves import is_key, numbers


@dataclass(frozen=True)
class Member:
    """One member, traced.

    - `run`: what a member does with its values.
    - `arrays`: the shapes and dtypes of what it returns, in the pytree that they form; `rest`: what
      else is in it.
    - `keys`: for each array the kind of the random keys that it holds, if it holds any.
    - `bytes`: about how much memory a member needs. `output`: how much of it its arrays need.
    - `fingerprint`: tells apart what members compute.
    """

    run: Callable[..., Any]
    arrays: Any
    rest: Any
    keys: list[Any]
    bytes: int
    output: int
    fingerprint: str

    def restored(self, leaves: list[Any]) -> Any:
        """What `run` returns, with these arrays; they may have more leading axes."""
        arrays = [
            leaf if kind is None else jax.random.wrap_key_data(leaf, impl=kind)
            for leaf, kind in zip(leaves, self.keys, strict=True)
        ]
        structure = jax.tree.structure(self.arrays)
        return eqx.combine(jax.tree.unflatten(structure, arrays), self.rest)


def compute(run: Callable[..., Any], values: dict[str, Any]) -> tuple[Any, Result]:
    """The arrays that a member returns, and how it ended."""
    output = run(**values)
    return eqx.filter(output, _is_array), _outcome(output)


def trace_member(run: Callable[..., Any], values: dict[str, Any]) -> Member:
    """Traces `run` with the values of one member."""
    seen: list[tuple[Any, list[Any]]] = []

    def traced(values: dict[str, Any]) -> tuple[Any, Result]:
        def observed(**values: Any) -> Any:
            output = run(**values)
            arrays, rest = eqx.partition(output, _is_array)
            leaves = jax.tree.leaves(arrays)
            seen.append((rest, [jax.random.key_impl(x) if is_key(x) else None for x in leaves]))
            return output

        return compute(observed, values)

    trace = jax.jit(traced).trace(values)
    arrays = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), trace.out_info[0])
    output = sum(_size(leaf) for leaf in jax.tree.leaves(arrays))
    # Every step of a loop holds its state a few times over.
    held = output + 6 * max(_sizes(trace.jaxpr.jaxpr))
    fingerprint = hashlib.sha256(trace.lower().as_text().encode()).hexdigest()
    rest, keys = seen[0]
    return Member(run, arrays, rest, keys, held, output, fingerprint)


def to_host(leaf: jax.Array) -> np.ndarray:
    """An array as NumPy and files hold it."""
    return np.asarray(numbers(leaf))


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
