"""Kernels: functions of one block of a grid, compiled to one launch of a GPU by Pallas.

A kernel's arrays are whole; each of its blocks works on vectors of `LANES` numbers, one for each
thread. The backend is Mosaic GPU, which runs on Hopper GPUs and newer; elsewhere callers keep to
what XLA makes of their loops. Pallas is imported when a kernel is traced.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
from jax import lax

LANES = 128
"""Threads of a block, and numbers of its vectors."""


@cache
def available() -> bool:
    """Whether there are GPUs here, and all of them run kernels; decided while tracing."""
    try:
        devices = jax.local_devices(backend="cuda")
    except RuntimeError:
        return False
    return all(float(device.compute_capability) >= 9 for device in devices)


def lanes(start: Any) -> Any:
    """`LANES` numbers from `start` on: an index of the arrays in a kernel."""
    from jax.experimental import pallas as pl

    return pl.ds(start, LANES)


def launch(
    body: Callable[..., None],
    out: Sequence[jax.ShapeDtypeStruct],
    *,
    blocks: int,
    interpret: bool = False,
) -> Callable[..., list[Any]]:
    """A function of arrays that runs `body(block, *inputs, *outputs)` for all blocks.

    **Arguments:** `body` reads its arrays by `ref[row, lanes(start)]` and writes them likewise;
    `out`, shapes and dtypes of the outputs, which hold anything where not written; `interpret`
    runs the kernel without a GPU, slowly, for tests.
    """
    if interpret:
        from jax.experimental import pallas as pl

        return pl.pallas_call(
            lambda *refs: body(pl.program_id(0), *refs),
            out_shape=list(out),
            grid=(blocks,),
            interpret=True,
        )
    from jax.experimental.pallas import mosaic_gpu

    # Older JAX calls the argument by another name.
    known = inspect.signature(mosaic_gpu.kernel).parameters
    outputs: dict[str, Any] = {"out_type" if "out_type" in known else "out_shape": list(out)}
    return mosaic_gpu.kernel(
        lambda *refs: body(lax.axis_index("block"), *refs),
        grid=(blocks,),
        grid_names=("block",),
        # Layouts follow from those of what is read; searched for, they take a minute to compile.
        compiler_params=mosaic_gpu.CompilerParams(
            lowering_semantics=mosaic_gpu.LoweringSemantics.Lane
        ),
        **outputs,
    )
