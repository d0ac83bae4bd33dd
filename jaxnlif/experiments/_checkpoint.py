"""Checkpoints of a training: its whole state and its history, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .._check import check
from .._files import read_arrays, write_arrays

State = TypeVar("State")
_LEAF = "state_"


def write(
    path: Path, state: Any, history: Mapping[str, np.ndarray], identity: Mapping[str, Any]
) -> None:
    """Writes a checkpoint, whole or not at all; `identity` says, as JSON, of which training."""
    leaves = {f"{_LEAF}{k}": leaf for k, leaf in enumerate(jax.tree.leaves(state))}
    write_arrays(path, leaves | dict(history), identity)


def read(
    path: Path, state: State, identity: Mapping[str, Any]
) -> tuple[State, dict[str, np.ndarray]]:
    """State, of the structure of `state`, and history of a checkpoint.

    **Raises:** `ValueError` if there is none, or it is of another training, precision or version.
    """
    try:
        arrays, found = read_arrays(path)
    except FileNotFoundError:
        raise ValueError(f"--resume: there is no checkpoint {str(path)!r}") from None
    differing = sorted(
        name for name in {**identity, **found} if identity.get(name) != found.get(name)
    )
    check(
        not differing,
        f"--resume: {str(path)!r} is of another training, by its {' and '.join(differing)}",
    )
    leaves, structure = jax.tree.flatten(state)
    saved = [arrays.pop(f"{_LEAF}{k}", None) for k in range(len(leaves))]
    for mine, theirs in zip(leaves, saved, strict=True):
        check(
            theirs is not None and theirs.dtype == mine.dtype and theirs.shape == mine.shape,
            f"--resume: {str(path)!r} is of another precision or version",
        )
    return jax.tree.unflatten(structure, [jnp.asarray(x) for x in saved]), arrays
