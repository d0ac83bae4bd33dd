"""Training in trials: compiled in chunks, with progress, checkpoints and a bit-for-bit resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..integrate.chunks import run_chunks
from ..integrate.progress import AbstractProgress
from ..integrate.result import SolveError
from ..store.directory import Directory
from ..store.leaves import to_arrays
from . import _checkpoint as checkpoints

CHUNK = 100
"""Trials between two looks from the host."""

SECONDS = 20.0
"""Between two checkpoints."""

Step = Callable[[Any], tuple[Any, dict[str, jax.Array]]]


Carry = tuple[jax.Array, Any, dict[str, jax.Array]]
"""Of the trials of a chunk: how many were made, the state, and the records."""


class Training(NamedTuple):
    """What to train: `step(state)` makes one trial and returns the new state and a record of it.

    A record is a dictionary of arrays, among them the "loss"; `identity` says what the training is,
    as JSON can hold it, so that a checkpoint of another one is not taken up. `over(state)` says
    whether no more trials are needed.
    """

    step: Step
    state: Any
    identity: Mapping[str, Any]
    over: Callable[[Any], Any] = lambda _: False


def train(
    training: Training,
    trials: int,
    *,
    checkpoint: Path,
    resume: bool,
    progress: AbstractProgress,
) -> tuple[Any, dict[str, np.ndarray]]:
    """Trains and returns the last state and the records of all trials, at most so many, by name.

    Trials are the same however often they were interrupted and resumed: the compiled chunk takes
    the number of its trials as a value. A checkpoint is written to the directory `checkpoint` every
    now and then, at the end and on Ctrl-C.

    **Raises:** `ValueError` if there is no checkpoint to resume from or it is of another training;
    `OSError` if another process is writing there; `SolveError` if the loss is no number.
    """
    shapes = _record(training)
    empty = {k: np.zeros((0, *s.shape), s.dtype) for k, s in shapes.items()}
    compiled = _compiled(training, shapes)
    with _directory(training, checkpoint) as directory:
        # Together, so that an interruption leaves a state with its own history.
        now = resumed(training, checkpoint) if resume else (training.state, empty)

        def chunks() -> Iterator[int]:
            nonlocal now
            while (done := len(now[1]["loss"])) < trials and not training.over(now[0]):
                made, state, records = compiled(now[0], min(CHUNK, trials - done))
                num = int(made)
                records = {name: np.asarray(record)[:num] for name, record in records.items()}
                for bad in np.flatnonzero(~np.isfinite(records["loss"]))[:1]:
                    raise SolveError(
                        f"trial {done + bad}: the loss is no number: a network with more spikes "
                        "than there is room for, or a step of learning that was too long"
                    )
                now = state, {k: np.concatenate([x, records[k]]) for k, x in now[1].items()}
                yield done + num

        def save() -> None:
            state, history = now
            directory.save(len(history["loss"]), to_arrays(state) | history)

        stops = KeyboardInterrupt, SolveError
        with closing(progress.start(trials)) as bar:
            stopped = run_chunks(chunks(), bar, due=directory.due, save=save, stops=stops)
        save()
    if stopped is not None:
        raise stopped
    return now


def resumed(training: Training, checkpoint: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """State and records of the training that is kept in a directory.

    **Raises:** `ValueError` if there is none, or it is of another training.
    """
    found = checkpoints.read(_directory(training, checkpoint), training.state)
    if found is None:
        raise ValueError(f"--resume: there is no checkpoint in {str(checkpoint)!r}")
    return found


def _directory(training: Training, checkpoint: Path) -> Directory:
    return Directory(checkpoint, checkpoints.Settings(training.identity), every=SECONDS)


def bytes_per_trial(training: Training) -> int:
    """Of the record of a trial."""
    records = _record(training).values()
    return sum(record.size * record.dtype.itemsize for record in records)


def _record(training: Training) -> dict[str, jax.ShapeDtypeStruct]:
    return jax.eval_shape(training.step, training.state)[1]


def _compiled(
    training: Training, shapes: Mapping[str, jax.ShapeDtypeStruct]
) -> Callable[[Any, int], Carry]:
    """Up to `CHUNK` trials in one call; how many is a value, not a shape."""

    @jax.jit
    def chunk(state: Any, num: jax.Array) -> Carry:
        def trial(carry: Carry) -> Carry:
            k, state, records = carry
            state, record = training.step(state)
            records = {name: records[name].at[k].set(record[name]) for name in records}
            return k + 1, state, records

        empty = {name: jnp.zeros((CHUNK, *s.shape), s.dtype) for name, s in shapes.items()}
        start = jnp.zeros((), jnp.int32), state, empty
        return lax.while_loop(
            lambda carry: (carry[0] < num) & ~jnp.asarray(training.over(carry[1])), trial, start
        )

    return chunk
