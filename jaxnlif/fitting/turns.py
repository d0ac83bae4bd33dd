"""Turns of many descents, on as many cores of a CPU as there are."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .descent import Descent, Problem, Rules, begin, turn

_LEAST = 8
"""Descents of a part: fewer cost as much as one after the other."""


class Turns:
    """Makes turns of all descents.

    XLA runs the loops of a batch on one core of a CPU, so that a batch of many descents is turned
    in equal parts, each in a thread; they are compiled before, where the caller's settings hold.
    """

    def __init__(self, problem: Problem, optimiser: Any, rules: Rules):
        self._given = problem, optimiser, rules
        self._pool = ThreadPoolExecutor(_cores())
        self._compiled: Any = None

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *exception) -> None:
        self._pool.shutdown()

    def begin(self, starts: list[jax.Array]) -> Descent:
        """Descents of which nothing is known yet, from starts with a leading axis."""
        return _begin(*self._given[:2], starts)

    def __call__(self, descents: Descent) -> Descent:
        num = descents.ended.size
        parts = _parts(num)
        if parts == 1:
            return _turn(*self._given, descents)
        slices = [slice(k * num // parts, (k + 1) * num // parts) for k in range(parts)]
        each = [jax.tree.map(lambda x, s=s: x[s], descents) for s in slices]
        if self._compiled is None:
            self._compiled = _turn.lower(*self._given, each[0]).compile()
        new = list(self._pool.map(self._turn_part, each))
        return jax.tree.map(lambda *x: jnp.concatenate(x), *new)

    def _turn_part(self, descents: Descent) -> Descent:
        return jax.block_until_ready(self._compiled(*self._given, descents))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _parts(num: int) -> int:
    """How many equal parts to make of so many descents."""
    if jax.default_backend() != "cpu":
        return 1
    most = max(1, min(_cores(), num // _LEAST))
    return max(parts for parts in range(1, most + 1) if num % parts == 0)


@eqx.filter_jit
def _begin(problem: Problem, optimiser, starts) -> Descent:
    return jax.vmap(partial(begin, problem, optimiser))(starts)


@eqx.filter_jit
def _turn(problem: Problem, optimiser, rules: Rules, descents: Descent) -> Descent:
    one = partial(turn, problem, optimiser, rules)
    if descents.ended.size > 1:
        return jax.vmap(one)(descents)
    # A batch of one would pay for both branches of every condition.
    only = one(jax.tree.map(lambda x: x[0], descents))
    return jax.tree.map(lambda x: x[None], only)
