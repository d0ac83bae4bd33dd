"""`sweep`: many runs of one model, in chunks."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding

from .._check import check
from .._fresh import forget_if_changed, remember
from ..integrate.progress import AbstractProgress, NoProgress
from ..io._versions import versions
from ..store.identity import summarise
from .axes import Axes, make_axes
from .chunks import check_sharding, choose_size, chunks_per_file, join, results, run_chunk
from .member import Member, trace_member
from .parts import AbstractParts, PartsInMemory, known_chunk, open_directory
from .result import Sweep


def sweep(
    run: Any,
    parameters: Any,
    *,
    product: bool = True,
    chunk: Any = None,
    memory: Any = None,
    directory: str | os.PathLike | None = None,
    progress: Any = None,
    sharding: Any = None,
) -> Sweep:
    """Runs one model with many values, in chunks of one `vmap` each.

    All chunks are of one size, filled up where they must be, and compiled once.

    ```python
    def run(weight, noise):
        network = jn.Network(weight=weight, noise=noise)
        sol = jn.solve(network, solver, y0=y0, t1=5.0, dt=1e-2)
        return sol.rate[-1], sol.result

    found = jn.sweep(
        run,
        {"weight": np.linspace(-1.0, 1.0, 100), "noise": [0.5, 1.0]},
        directory="phases",
        progress=jn.ProgressBar("sweep"),
    )
    rate, _ = found.values  # (100, 2)
    found.completed  # which members ran to their end
    ```

    A member that fails (blow-up) is recorded in `Sweep.result` and hinders no other. With a
    directory results are written as they come, so that a kill costs a thousandth of the sweep or a
    chunk; the same call goes on from there, with the same numbers, and computes what is damaged
    again.

    **Arguments:**

    - `run`: takes the parameters by name, for one member, and returns a `Solution` or any pytree
      of arrays: best no more than is needed, and the `result` with it, which says whether a member
      failed; without one it has where numbers are not finite. As `run` is traced, `solve` in it
      raises nothing.
    - `parameters`: values by name: a sequence of numbers, of arrays or of modules of one structure,
      or a pytree of arrays, random keys included, with a leading axis.
    - `product`: whether members are all combinations, an axis each, or, `False`, the first values,
      the second ones, and so on, of which there must then be as many of each.
    - `chunk`: how many members run at once; by default as many as fit into `memory`.
    - `memory`: the bytes that a chunk may need, about; by default 2 GiB a device, or half of what
      it has, and on a CPU 8 MiB, what its caches hold.
    - `directory`: where results are written; without one they are held in memory.
    - `progress`: for example `ProgressBar("sweep")`; its steps are members.
    - `sharding`: a `NamedSharding` of one axis, over whose devices the members are distributed.

    **Returns:** a `Sweep`.

    **Raises:** `ValueError`, before anything is run, for wrong arguments, and if the directory
    holds another sweep, naming what differs.
    """
    check(callable(run), f"run = {run!r}: must be a function")
    check(
        progress is None or isinstance(progress, AbstractProgress),
        f"progress = {progress!r}: must be a progress display, as ProgressBar()",
    )
    if sharding is not None:
        check_sharding(sharding)
    forget_if_changed(run, parameters)
    axes = make_axes(run, parameters, product=product)
    member = trace_member(run, axes.take(np.asarray(0)))
    check(
        len(jax.tree.leaves(member.arrays)) > 0,
        "run: returns no arrays: must return a Solution or a pytree of arrays",
    )
    if directory is None:
        size, parts = choose_size(axes, member, chunk, memory, sharding), PartsInMemory()
    else:
        path = Path(directory)
        chunk = known_chunk(path) if chunk is None else chunk
        size = choose_size(axes, member, chunk, memory, sharding)
        description = _describe(axes, member)
        text = json.dumps([description, size], sort_keys=True)
        identity = hashlib.sha256(text.encode()).hexdigest()
        parts = open_directory(path, identity, description, size)
    bar = (progress or NoProgress()).start(axes.size)
    together = chunks_per_file(axes, member, size)
    try:
        numbers = _run(axes, member, size, together, sharding, parts, bar)
    finally:
        bar.close()
    remember(run, parameters)
    return Sweep(results(numbers.reshape(axes.shape)), axes, member, size * together, parts)


def _run(
    axes: Axes,
    member: Member,
    size: int,
    together: int,
    sharding: NamedSharding | None,
    parts: AbstractParts,
    bar: Any,
) -> np.ndarray:
    """Runs the parts that are not there yet; returns the numbers of all results."""
    numbers, chunks = [], range(-(-axes.size // size))
    for number, first in enumerate(chunks[::together]):
        part = parts.find(number)
        if part is None:
            pieces = []
            for chunk in chunks[first : first + together]:
                pieces.append(run_chunk(axes, member, size, chunk, sharding))
                bar.update(len(pieces[-1][1]))
            part = join(pieces)
            parts.save(number, part)
        else:
            bar.update(len(part[1]))
        numbers.append(part[1])
    return np.concatenate(numbers)


def _describe(axes: Axes, member: Member) -> dict[str, Any]:
    """What distinguishes a sweep from others, in words and numbers."""
    parts = {
        "parameters": dict(axes.values),
        "order": ", ".join(axes.values),  # the one above is without
        "product": axes.product,
        "output": member.arrays,
    }
    found = versions()
    return {
        **summarise(parts),
        **{f"version of {name}": found[name] for name in ("jaxnlif", "jax", "jaxlib")},
        "computation of run": member.fingerprint[:12],
    }
