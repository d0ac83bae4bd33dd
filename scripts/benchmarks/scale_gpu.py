"""The density and particles on an accelerator, in float32: seconds are those of the clock.

The floor of a density step is that the density is read and written once, at the bandwidth of a copy
of it, which is measured in the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from _report import print_value

import jaxnlif as jn

SIZES = ((300, 200), (512, 4096), (512, 65536))
"""Voltages and weights; the last row is what a large GPU is for."""
PARTICLES = 10_000_000
_REPEATS = 5


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    print(f"# {jax.devices()[0].device_kind}, jax {jax.__version__}, float32")
    for size in SIZES:
        density(*size)
    particles(PARTICLES)
    multi_scale(PARTICLES)


def density(num: int, width: int, steps: int = 200) -> None:
    """A network without learning, and the floor."""
    array = jax.random.uniform(jax.random.key(0), (num, width), jnp.float32)
    copy = jax.jit(lambda x: x + 1)
    floor = _median(lambda: [copy(array) for _ in range(20)]) / 20
    reset = 1.0 if num % 6 == 0 else -1.0
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=reset, num=num, dtype=jnp.float32),
        w=jn.WeightGrid(0.0, 1.0, num=width),
    )
    y0 = jn.gaussian(grid, v=(-1.5, 0.3), w=(0.5, 0.05))

    def solve(steps):
        saveat = jn.SaveAt(num=2, fn=None)
        model = jn.Network(noise=1.0, drive=1.0)
        return jn.solve(model, jn.FluxShift(grid), y0=y0, t1=steps * 1e-3, dt=1e-3, saveat=saveat)

    step = _per_step(solve, steps)
    name = f"density/{num}x{width}"
    print_value(f"{name}/copy", 2e-9 * array.nbytes / floor, "GB/s")
    print_value(f"{name}/step", 1e6 * step, "us")
    print_value(f"{name}/cells", num * width / step, "cell-steps/s")
    print_value(f"{name}/floor", 100 * floor / step, "%")


def particles(num: int, steps: int = 100) -> None:
    """Neurons with bridges."""
    line = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300, dtype=jnp.float32))
    y0 = jn.gaussian(line, v=(-1.0, 0.5))
    neurons = jn.Particles(num, grid=line)

    def solve(steps):
        saveat = jn.SaveAt(num=2, fn=None)
        model = jn.Network(noise=1.0, weight=0.5)
        key = jax.random.key(0)
        return jn.solve(model, neurons, y0=y0, t1=steps * 1e-2, dt=1e-2, saveat=saveat, key=key)

    step = _per_step(solve, steps)
    print_value(f"particles/{num}/step", 1e3 * step, "ms")
    print_value(f"particles/{num}/neurons", num / step, "neuron-steps/s")


def _per_step(solve: Callable[[int], jn.Solution], steps: int) -> float:
    """Seconds of a step, without what a run costs besides its steps."""

    def run(number):
        sol = solve(number)
        assert sol.result == jn.Result.completed
        assert int(sol.stats["steps"]) == number
        return sol.state

    few, many = (_median(lambda n=n: run(n)) for n in (steps, 3 * steps))
    return (many - few) / (2 * steps)


def multi_scale(num: int) -> None:
    """A network that synchronises, with as many particles meanwhile."""
    line = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300, dtype=jnp.float32))
    solver = jn.MultiScale(jn.FluxShift(line), jn.Particles(num))
    y0 = jn.gaussian(line, v=(-1.0, 0.5))
    model = jn.Network(noise=1.0, weight=3.0)

    def solve():
        saveat = jn.SaveAt(num=2, fn=None)
        return jn.solve(model, solver, y0=y0, t1=4.0, dt=1e-3, saveat=saveat, key=jax.random.key(0))

    sol = solve()
    assert sol.result == jn.Result.completed
    print_value(f"multi_scale/{num}/events", len(sol.events.time), "events")
    print_value(f"multi_scale/{num}/run", _median(lambda: solve().state), "s")


def _median(run: Callable[[], Any]) -> float:
    jax.block_until_ready(run())
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
