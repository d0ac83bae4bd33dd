"""All descents of a fit: iterated on as many cores of a CPU as there are, saved, and resumed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..integrate.checkpoint import Checkpoint, open_directory
from ..integrate.chunks import run_chunks
from ..integrate.progress import AbstractProgress
from ..store.directory import Directory, NoDirectory
from ..store.leaves import from_arrays, to_arrays
from .descent import Descent, Problem, Rules, begin, iterate

_LOSSES = "losses"
_LEAST = 8
"""Descents of a part: fewer cost as much as one after the other."""


class Descents(NamedTuple):
    """The descents, with a leading axis, and their losses after each iteration."""

    descent: Descent
    losses: tuple[Float[np.ndarray, " starts"], ...]


def descend(
    problem: Problem,
    optimiser: Any,
    rules: Rules,
    starts: list[jax.Array],
    steps: int,
    progress: AbstractProgress,
    checkpoint: Checkpoint | None,
) -> tuple[Descents, BaseException | None]:
    """All descents from starts with a leading axis to their ends, and what cut them off.

    **Raises:** what cut them off if that was in the first iteration; `ValueError` if the directory
    of the checkpoint holds another fit, `OSError` if another process is using it or it cannot be
    written.
    """
    given = problem, optimiser, rules
    fit = {"problem": problem, "rules": rules, "optimiser": optimiser, "starts": starts}
    with (
        open_directory(checkpoint, "fit", fit) as directory,
        ThreadPoolExecutor(_cores()) as pool,
        closing(progress.start(steps + 1)) as bar,
    ):
        now = _found(directory, _begin(problem, optimiser, starts))
        iteration = _Iteration(given, pool)

        def chunks() -> Iterator[int]:
            nonlocal now
            while len(now.losses) <= steps and not np.all(now.descent.ended):
                ended = np.asarray(now.descent.ended)
                descent = iteration(now.descent)
                losses = np.where(ended, np.nan, np.asarray(descent.value, float))
                now = Descents(descent, (*now.losses, losses))
                yield len(now.losses)

        def save() -> None:
            arrays = to_arrays(now.descent) | {_LOSSES: np.stack(now.losses)}
            directory.save(len(now.losses), arrays)

        stops = KeyboardInterrupt, eqx.EquinoxRuntimeError
        stopped = run_chunks(chunks(), bar, due=directory.due, save=save, stops=stops)
        if stopped is not None and not now.losses:
            raise stopped
        save()
    return now, stopped


def _found(directory: Directory | NoDirectory, descent: Descent) -> Descents:
    """The descents that were saved, or this one and no losses."""
    saved = directory.newest()
    if saved is None:
        return Descents(descent, ())
    found, rest = from_arrays(saved.arrays, descent)
    return Descents(found, tuple(rest[_LOSSES]))


class _Iteration:
    """One iteration of all descents.

    XLA runs the loops of a batch on one core of a CPU, so that a batch of many descents is cut into
    equal parts, each in a thread; they are compiled before, where the caller's settings hold.
    """

    def __init__(self, given: tuple[Problem, Any, Rules], pool: ThreadPoolExecutor) -> None:
        self._given, self._pool = given, pool
        self._compiled: Any = None

    def __call__(self, descents: Descent) -> Descent:
        num = descents.ended.size
        parts = _parts(num)
        if parts == 1:
            return _iterate(*self._given, descents)
        slices = [slice(k * num // parts, (k + 1) * num // parts) for k in range(parts)]
        each = [jax.tree.map(lambda x, s=s: x[s], descents) for s in slices]
        if self._compiled is None:
            jitted: Any = _iterate
            self._compiled = jitted.lower(*self._given, each[0]).compile()
        new = list(self._pool.map(self._part, each))
        return jax.tree.map(lambda *x: jnp.concatenate(x), *new)

    def _part(self, descents: Descent) -> Descent:
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
def _begin(problem: Problem, optimiser: Any, starts: list[jax.Array]) -> Descent:
    return jax.vmap(partial(begin, problem, optimiser))(starts)


@eqx.filter_jit
def _iterate(problem: Problem, optimiser: Any, rules: Rules, descents: Descent) -> Descent:
    one = partial(iterate, problem, optimiser, rules)
    if descents.ended.size > 1:
        return jax.vmap(one)(descents)
    # A batch of one would pay for both branches of every condition.
    only = one(jax.tree.map(lambda x: x[0], descents))
    return jax.tree.map(lambda x: x[None], only)
