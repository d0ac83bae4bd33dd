"""The density, particles and layers of spikes on a GPU; without one there is nothing to check."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
from _report import Measured, Rule, at_least, at_most, reported
from benchmarks import scale_gpu, spikes_gpu

import jaxnlif as jn

_REQUIRED: dict[str, Rule] = {
    # a density step of 512 × 65 536 cells: percent of the floor, and times of one core
    "gpu_density_floor": at_least(20),
    "gpu_density_over_core": at_least(50),
    # one of 300 × 200, times of two cores
    "gpu_small_over_cores": reported("1"),
    "gpu_particles": at_least(5e9),
    "gpu_multi_scale": reported(),
    # milliseconds of a training step at the published MNIST setting
    "gpu_theta_step": at_most(5),
    # runs at several ε: against a CPU, relative; mass; minimum; and ε = 1e-10 against ε = 0
    "gpu_difference_float64": at_most(1e-11),
    "gpu_difference_float32": at_most(1e-4),
    "gpu_mass_float64": at_most(1e-12),
    "gpu_mass_float32": at_most(1e-5),
    "gpu_minimum": at_least(0),
    "gpu_limit": at_most(1e-8),
}


def costs() -> Iterator[Measured]:
    """Steps of the density and of particles."""
    size, small = scale_gpu.SIZES[-1], scale_gpu.SIZES[0]
    step = scale_gpu.density_step(*size)
    yield Measured("gpu_density_floor", 100 * scale_gpu.seconds_of_a_copy(*size) / step, "%")
    yield Measured("gpu_density_over_core", scale_gpu.density_step_on_cpus(*size, 1) / step)
    step = scale_gpu.density_step(*small)
    yield Measured("gpu_small_over_cores", scale_gpu.density_step_on_cpus(*small, 2) / step)
    num = scale_gpu.PARTICLES
    yield Measured("gpu_particles", num / scale_gpu.particles_step(num), "neuron-steps/s")
    yield Measured("gpu_multi_scale", scale_gpu.multi_scale(num)[1], "s")


def training() -> Iterator[Measured]:
    """A step of a deep network of spikes."""
    yield Measured("gpu_theta_step", spikes_gpu.milliseconds(), "ms")


def structure() -> Iterator[Measured]:
    """Positivity, mass and the small parameter, in both precisions."""
    for dtype in (np.float64, np.float32):
        name = np.dtype(dtype).name
        runs = {epsilon: _run(dtype, epsilon) for epsilon in (1.0, 1e-3, 1e-10, 0.0)}
        for epsilon, sol in runs.items():
            with jax.default_device(jax.devices("cpu")[0]):
                expected = _run(dtype, epsilon)
            error = _difference(sol.saved, expected.saved)
            yield Measured(f"gpu_difference_{name}", error, f"{epsilon:g}")
            yield Measured(f"gpu_mass_{name}", float(sol.stats["mass_drift"]), f"{epsilon:g}")
            yield Measured("gpu_minimum", float(sol.stats["minimum"]), f"{name}, {epsilon:g}")
        if dtype == np.float64:
            yield Measured("gpu_limit", _difference(runs[1e-10].saved, runs[0.0].saved), name)


def _run(dtype, epsilon: float) -> jn.Solution:
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=120, dtype=dtype)
    grid = jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.2, num=100))
    model = jn.Network(drive=jn.Bump(1.0, 3.0, 0.3, 0.1), epsilon=epsilon)
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02))
    return jn.solve(model, jn.FluxShift(grid), y0=y0, t1=1.0, dt=1e-2, saveat=jn.SaveAt(num=3))


def _difference(one, other) -> float:
    """Of the last densities, relative to the largest value."""
    one, other = np.asarray(one[-1], float), np.asarray(other[-1], float)
    return float(np.max(np.abs(one - other)) / np.max(np.abs(other)))


REQUIRED = _REQUIRED if scale_gpu.is_there() else {}
CHECKS = (costs, training, structure) if scale_gpu.is_there() else ()
