"""What a gradient costs: time over a forward solve, and stored states."""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from _report import Measured
from benchmarks.fit import make_loss

import jaxnlif as jn

from .._benchmark import benchmark

_STEPS = 10_000


def time() -> Iterator[Measured]:
    """Value and gradient over one forward solve."""
    for name, ratio in benchmark("fit").items():
        if name.startswith("ratio/") and name.endswith("/gradient"):
            yield Measured("gradient_time", ratio, name.removeprefix("ratio/"))


def memory() -> Iterator[Measured]:
    """Temporaries of a gradient in states, besides those of a single step, over √steps.

    The loss is one of the last state, as where learned weights are fitted.
    """
    for num_v, num_w in ((300, None), (96, 50)):
        state = 8 * num_v * (num_w or 1)
        many, one = (_temporaries(num_v, num_w, steps) for steps in (_STEPS, 1))
        stored = (many - one) / state / math.sqrt(_STEPS)
        yield Measured("gradient_memory", stored, f"{num_v}x{num_w or 1}")


def _temporaries(num_v: int, num_w: int | None, steps: int) -> int:
    loss = make_loss(num_v, num_w, steps, jn.Lagged(), saves=2)
    compiled = jax.jit(jax.value_and_grad(loss)).lower(jnp.zeros(2)).compile()
    return compiled.memory_analysis().temp_size_in_bytes  # pyright: ignore
