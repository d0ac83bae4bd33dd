"""Virtual devices: strong and weak scaling of a learning step and of a step of particles.

Each number of devices has a process of its own, which may use all cores. Seconds are those of the
clock; as soon as there are more devices than cores, what is measured is what splitting costs, and
what each device repeats: the law for the weight density, a few numbers for each weight.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from _report import parse_values, print_value
from references.problems import before_learning, learning_grid, learning_network, line

import jaxnlif as jn

SCRIPTS = Path(__file__).parents[1]
DEVICES = (1, 2, 4, 8)
VOLTAGES = 300
WEIGHTS, WEIGHTS_EACH = 4096, 1024
NEURONS, NEURONS_EACH = 1_000_000, 250_000
STEPS, REPEATS = 20, 3


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    print(f"# scaling: seconds are those of the clock, {os.cpu_count()} cores")
    for kind, total, each in (
        ("density", WEIGHTS, WEIGHTS_EACH),
        ("particles", NEURONS, NEURONS_EACH),
    ):
        strong = {n: _measured(kind, n, total) for n in DEVICES}
        weak = {n: _measured(kind, n, each * n) for n in DEVICES}
        for n in DEVICES:
            print_value(f"strong/{kind}/{n}", strong[n], "ms")
            print_value(f"strong/{kind}/{n}/speedup", strong[1] / strong[n], "times")
        for n in DEVICES:
            print_value(f"weak/{kind}/{n}", weak[n], "ms")
            print_value(f"weak/{kind}/{n}/each", weak[n] / n, "ms")


def _measured(kind: str, devices: int, size: int) -> float:
    """Milliseconds of a step, in a process of its own."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
    }
    command = [sys.executable, "-m", "benchmarks.scale_sharding", kind, str(devices), str(size)]
    output = subprocess.run(
        command, cwd=SCRIPTS, env=environment, check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    return parse_values(output)["step"]


# ---- in the process of its own ----------------------------------------------------------------


def _learning(size: int, sharding) -> Callable[[], jn.Solution]:
    grid = learning_grid(VOLTAGES, size)
    model, y0 = learning_network(), before_learning(grid)
    # From the midst of learning: the first steps take many more nonlinear iterations.
    midst = _solve(model, jn.FluxShift(grid), y0, sharding, steps=50).state.density
    return lambda: _solve(model, jn.FluxShift(grid), midst, sharding)


def _particles(size: int, sharding) -> Callable[[], jn.Solution]:
    grid = line(VOLTAGES)
    potentials = np.random.default_rng(0).normal(-1.0, 0.5, size)
    model = jn.Network(weight=0.5)
    return lambda: _solve(model, jn.Particles(size, grid), potentials, sharding)


def _solve(model, solver, y0, sharding, *, steps: int = STEPS) -> jn.Solution:
    return jn.solve(
        model,
        solver,
        y0=y0,
        t1=steps * 1e-2,
        dt=1e-2,
        saveat=jn.SaveAt(num=2, fn=None),
        key=jax.random.key(0),
        sharding=sharding,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("density", "particles"))
    parser.add_argument("devices", type=int)
    parser.add_argument("size", type=int)
    arguments = parser.parse_args()
    mesh = jax.sharding.Mesh(np.asarray(jax.devices()), ("part",))
    sharding = None if arguments.devices == 1 else mesh
    job = (_learning if arguments.kind == "density" else _particles)(arguments.size, sharding)
    job()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        job()
        times.append(time.perf_counter() - began)
    print_value("step", 1e3 * min(times) / STEPS, "ms")


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):  # the benchmark itself is pinned to one core
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    main()
