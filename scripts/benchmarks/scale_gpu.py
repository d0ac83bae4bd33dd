"""The density and particles on an accelerator, in float32: seconds are those of the clock.

The floor of a density step is that the density is read and written once, at the bandwidth of a copy
of it, which is measured in the same run. `python -m benchmarks.scale_gpu V W CORES`, in `scripts`,
prints the time of a step on so many cores of a CPU.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from _report import parse_values, print_value

import jaxnlif as jn
from jaxnlif.execution import AUTOMATIC, AbstractExecution, Automatic, Loops

SIZES = ((300, 200), (512, 4096), (512, 65536))
"""Voltages and weights; the last is what a large GPU is for."""
PARTICLES = 10_000_000
_CELL_STEPS = {"gpu": 1e10, "cpu": 1e8}
"""How many a run makes, which takes a fraction of a second."""
_REPEATS = 5
_RATES = jn.SaveAt(num=2, fn=None)


def is_there() -> bool:
    """Whether JAX computes on a GPU."""
    return jax.default_backend() == "gpu"


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    print(f"# {jax.devices()[0].device_kind}, jax {jax.__version__}, float32")
    for num, width in SIZES:
        name, step = f"density/{num}x{width}", density_step(num, width)
        copy = seconds_of_a_copy(num, width)
        print_value(f"{name}/copy", 8e-9 * num * width / copy, "GB/s")
        print_value(f"{name}/step", 1e6 * step, "us")
        print_value(f"{name}/cells", num * width / step, "cell-steps/s")
        print_value(f"{name}/floor", 100 * copy / step, "%")
    for num, width in SIZES[:2]:
        for execution in (Automatic(), Loops()):
            name = f"{num}x{width}/{type(execution).__name__}"
            learning = density_step(num, width, learning=True, execution=execution)
            print_value(f"learning/{name}/step", 1e6 * learning, "us")
            gradient = gradient_step(num, width, execution)
            print_value(f"gradient/{name}/step", 1e6 * gradient, "us")
    step = particles_step(PARTICLES)
    print_value(f"particles/{PARTICLES}/step", 1e3 * step, "ms")
    print_value(f"particles/{PARTICLES}/neurons", PARTICLES / step, "neuron-steps/s")
    events, seconds = multi_scale(PARTICLES)
    print_value(f"multi_scale/{PARTICLES}/events", events, "events")
    print_value(f"multi_scale/{PARTICLES}/run", seconds, "s")


def seconds_of_a_copy(num: int, width: int) -> float:
    """How long it takes to read and to write a density of this size."""
    array = jax.random.uniform(jax.random.key(0), (num, width), jnp.float32)
    copy = jax.jit(lambda x: x + 1)
    return _median(lambda: [copy(array) for _ in range(20)]) / 20


def density_step(
    num: int,
    width: int,
    *,
    learning: bool = False,
    execution: AbstractExecution = AUTOMATIC,
) -> float:
    """Seconds of a step of a network, with or without learning."""

    def run(steps):
        sol = _solve_density(num, width, steps, 1.0, learning=learning, execution=execution)
        assert sol.result == jn.Result.completed
        return sol.state

    return _per_step(run, _steps(num, width))


def gradient_step(num: int, width: int, execution: AbstractExecution) -> float:
    """Seconds of a step of a network that learns, and of its part of a gradient."""

    @partial(jax.jit, static_argnums=1)
    def gradient(noise, steps):
        def loss(noise):
            sol = _solve_density(num, width, steps, noise, learning=True, execution=execution)
            return sol.rate[-1]

        return jax.value_and_grad(loss)(noise)

    return _per_step(
        partial(gradient, jnp.asarray(1.0, jnp.float32)), max(_steps(num, width) // 10, 2)
    )


def _solve_density(num, width, steps, noise, *, learning, execution) -> jn.Solution:
    reset = 1.0 if num % 6 == 0 else -1.0
    v = jn.VoltageGrid(-4.0, 2.0, reset=reset, num=num, dtype=jnp.float32)
    grid = jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.0, num=width))
    return jn.solve(
        jn.Network(noise=noise, drive=1.0, learning=jn.Hebbian(0.3) if learning else None),
        jn.FluxShift(grid, execution=execution),
        y0=jn.gaussian(grid, v=(-1.5, 0.3), w=(0.5, 0.05)),
        t1=steps * 1e-3,
        dt=1e-3,
        saveat=_RATES,
        throw=False,
    )


def _steps(num: int, width: int) -> int:
    """So many that they take a fraction of a second."""
    return min(max(int(_CELL_STEPS[jax.default_backend()] / (num * width)), 2), 2000)


def density_step_on_cpus(num: int, width: int, cores: int) -> float:
    """The same on so many cores, in a process of its own."""

    command = [sys.executable, "-m", "benchmarks.scale_gpu", *map(str, (num, width, cores))]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    output = subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        env=environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    return 1e-6 * parse_values(output)["step"]


def particles_step(num: int) -> float:
    """Seconds of a step of neurons with bridges."""
    y0 = jn.gaussian(_line(), v=(-1.0, 0.5))
    neurons = jn.Particles(num, _line())

    def run(steps):
        model, key = jn.Network(noise=1.0, weight=0.5), jax.random.key(0)
        return jn.solve(
            model, neurons, y0=y0, t1=steps * 1e-2, dt=1e-2, saveat=_RATES, key=key
        ).state

    return _per_step(run, 100)


def multi_scale(num: int) -> tuple[int, float]:
    """A network that synchronises, with so many particles meanwhile: its events, and seconds."""
    solver = jn.MultiScale(jn.FluxShift(_line()), jn.Particles(num))
    y0 = jn.gaussian(_line(), v=(-1.0, 0.5))
    model, key = jn.Network(noise=1.0, weight=3.0), jax.random.key(0)

    def solve():
        return jn.solve(model, solver, y0=y0, t1=4.0, dt=1e-3, saveat=_RATES, key=key)

    sol = solve()
    assert sol.result == jn.Result.completed
    return len(sol.events.time), _median(lambda: solve().state)


def _line() -> jn.Grid:
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300, dtype=jnp.float32))


def _per_step(run: Callable[[int], Any], steps: int) -> float:
    """Seconds of a step, without what a run costs besides its steps."""
    few, many = (_median(lambda n=n: run(n)) for n in (steps, 3 * steps))
    return (many - few) / (2 * steps)


def _median(run: Callable[[], Any]) -> float:
    jax.block_until_ready(run())
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voltages", type=int)
    parser.add_argument("weights", type=int)
    parser.add_argument("cores", type=int)
    arguments = parser.parse_args()
    # JAX counts the cores when it computes for the first time.
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: arguments.cores]))
    print_value("step", 1e6 * density_step(arguments.voltages, arguments.weights), "us")


if __name__ == "__main__":
    main()
