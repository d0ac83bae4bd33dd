"""How a sweep is cut into chunks, and run, by one function that is compiled for all of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.sharding import NamedSharding

from .._check import check, check_integer
from ..integrate.result import Result
from .axes import Axes
from .member import Member, compute, to_host

_BYTES_IN_CACHE = 2**23
_BYTES_ON_ACCELERATOR = 2**31
_MOST_FILES = 1000
_BYTES_PER_FILE = 2**27

Chunk = tuple[list[np.ndarray], np.ndarray]
"""The arrays of some members, with a leading axis, and the numbers of their results."""


def choose_size(
    axes: Axes, member: Member, chunk: Any, memory: Any, sharding: NamedSharding | None
) -> int:
    """How many members run at once: as many as are asked for, or as memory holds.

    **Raises:** `ValueError` if `chunk` is no positive integer that the devices divide.
    """
    devices = 1 if sharding is None else sharding.num_devices
    if chunk is not None:
        size = check_integer("chunk", chunk, at_least=1)
        check(size % devices == 0, f"chunk = {size}: must be divisible by the {devices} devices")
        return size
    room = _memory(devices) if memory is None else check_integer("memory", memory, at_least=1)
    most = max(1, room // member.bytes)
    # Chunks of about the same size leave little to fill up in the last one.
    size = -(-axes.size // -(-axes.size // most))
    return -(-size // devices) * devices


def chunks_per_file(axes: Axes, member: Member, size: int) -> int:
    """How many chunks are kept together: few enough that a kill costs a thousandth of the sweep, or
    what memory holds of their outputs."""
    chunks = -(-axes.size // size)
    room = _BYTES_PER_FILE // max(1, member.output * size)
    return max(1, min(-(-chunks // _MOST_FILES), room))


def run_chunk(
    axes: Axes, member: Member, size: int, number: int, sharding: NamedSharding | None
) -> Chunk:
    """Runs the chunk of this number."""
    # The last chunk is filled up with the last member: one shape, one compilation.
    members = np.minimum(np.arange(number * size, (number + 1) * size), axes.size - 1)
    values = axes.take(members)
    if sharding is not None:
        values = jax.device_put(values, sharding)
    arrays, result = _compute(member.run, member.fingerprint, values, sharding)
    here = min(size, axes.size - number * size)
    leaves = [to_host(leaf)[:here] for leaf in jax.tree.leaves(arrays)]
    return leaves, np.asarray(result._value)[:here]


@eqx.filter_jit
def _compute(run: Any, fingerprint: str, values: Any, sharding: NamedSharding | None) -> Any:
    """All members at once; compiled anew when what `run` refers to has changed since."""
    batch: Any = jax.vmap(partial(compute, run))
    if sharding is not None:
        # Devices go on by themselves: a loop ends on each when its own members have ended.
        batch = jax.shard_map(
            batch,
            mesh=sharding.mesh,
            in_specs=sharding.spec,
            out_specs=sharding.spec,
            check_vma=False,
        )
    return batch(values)


def check_sharding(sharding: Any) -> None:
    """Requires a sharding of one axis, that of the members."""
    check(
        isinstance(sharding, NamedSharding)
        and len(sharding.spec) == 1
        and isinstance(sharding.spec[0], str)
        and sharding.num_devices == sharding.mesh.shape[sharding.spec[0]],
        f"sharding = {sharding!r}: must be a NamedSharding of the one axis of the members, such as "
        "NamedSharding(mesh, PartitionSpec('members'))",
    )


def join(chunks: list[Chunk]) -> Chunk:
    """Chunks one after the other."""
    leaves = [np.concatenate(parts) for parts in zip(*(chunk[0] for chunk in chunks), strict=True)]
    return leaves, np.concatenate([chunk[1] for chunk in chunks])


def results(numbers: np.ndarray) -> Result:
    """Numbers as results."""
    return jax.tree.map(lambda _: numbers, Result.completed)


def _memory(devices: int) -> int:
    """What keeps devices busy; on a CPU what caches hold, beyond which everything is slower."""
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    each = _BYTES_IN_CACHE if limit is None else min(_BYTES_ON_ACCELERATOR, limit // 2)
    return devices * each
