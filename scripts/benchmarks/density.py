"""Density solver on one core: the Fokker–Planck step against its peers, and the learning step.

Every candidate makes the same implicit flux-shift step, which one step to 1e-10 confirms before
anything is timed. "Step" is all weights at once; rates are rebuilt in every step.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import parse_values, print_value
from jax import lax
from references.problems import at_rest, before_learning, learning_grid, learning_network, line

import jaxnlif as jn
from jaxnlif.density.cells import inputs_of
from jaxnlif.density.flux import shift_flux
from jaxnlif.model import Leaky

from ._peers import numba_steps, numba_tuned_steps, numpy_step
from ._timing import Case, Timing, interleaved

SIZES = ((300, 200), (300, 1000))
EPSILONS = (1.0, 1e-6, 0.0)
TIME_STEP = 1e-2
STEPS, REPEATS = 20, 15
PROCESSES = 3  # with inlined row loops, and as many without


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    for num_v, num_w in SIZES:
        size = f"{num_v}x{num_w}"
        _print_fp_steps(size, num_w, _time_fp_steps(num_v, num_w))
        _print_learning_steps(size, _time_learning_steps(num_v, num_w))
    _print_epsilons(_time_epsilons(*SIZES[0]))
    _print_speed_over_tuned()


# ---- the Fokker–Planck step and its peers -----------------------------------------------------


class FokkerPlanck(eqx.Module):
    """The arguments of one step: `kappa` = ε/Δt, the input of every weight, noise, density."""

    grid: jn.VoltageGrid
    kappa: jax.Array
    drive: jax.Array
    noise: jax.Array
    density: jax.Array

    def __init__(self, num_v: int, num_w: int, dtype, *, epsilon: float = 1.0):
        grid = line(num_v, dtype)
        self.grid = grid.v
        self.kappa = jnp.asarray(epsilon / TIME_STEP, dtype)
        self.drive = jnp.linspace(0, 1, num_w, dtype=dtype)
        self.noise = jnp.ones((), dtype)
        self.density = jnp.tile(at_rest(grid), num_w)


def case(problem: FokkerPlanck) -> Case:
    """The library's steps."""
    return Case(lambda: _jax_steps(problem, STEPS), STEPS)


def tuned(problem: FokkerPlanck) -> Callable[[], np.ndarray]:
    """As many of the steps tuned by hand."""
    run = _numba_case(problem, numba_tuned_steps, 4)
    return lambda: run(STEPS)


@eqx.filter_jit
def _jax_steps(problem: FokkerPlanck, steps: int) -> jax.Array:
    def step(_, density):
        noise = problem.noise * (1 + 1e-9 * density[0, 0])  # so that no rate is built in advance
        inputs = inputs_of(problem.grid, Leaky(), problem.kappa, problem.drive, noise)
        return shift_flux(problem.grid, inputs, density)

    return lax.fori_loop(0, steps, step, problem.density)


def _numpy_steps(problem: FokkerPlanck, steps: int) -> np.ndarray:
    """The density after `steps` steps, transposed: NumPy's banded solver wants voltages last."""
    kappa, drive, noise = float(problem.kappa), np.asarray(problem.drive), float(problem.noise)
    density = np.ascontiguousarray(problem.density.T)
    for _ in range(steps):
        density = numpy_step(
            problem.grid, kappa, drive, noise * (1 + 1e-9 * density[0, 0]), density
        )
    return density


def _numba_case(problem: FokkerPlanck, kernel: Callable, num_work: int) -> Callable:
    grid, drive = problem.grid, np.asarray(problem.drive)
    initial = np.asarray(problem.density)
    density, *work = (np.zeros_like(initial) for _ in range(1 + num_work))
    scalars = grid.minimum, grid.spacing, grid.reset_index, float(problem.kappa)

    def run(steps: int) -> np.ndarray:
        density[:] = initial
        kernel(steps, *scalars, drive, float(problem.noise), density, *work)
        return density

    return run


def _time_fp_steps(num_v: int, num_w: int) -> dict[str, Timing]:
    double, single = (FokkerPlanck(num_v, num_w, dtype) for dtype in (np.float64, np.float32))
    plain = _numba_case(double, numba_steps, 5)
    tuned = _numba_case(double, numba_tuned_steps, 4)
    ours = np.asarray(_jax_steps(double, 1))
    for name, theirs in (
        ("numpy", _numpy_steps(double, 1).T),
        ("numba", plain(1)),
        ("numba_tuned", tuned(1)),
    ):
        difference = np.max(np.abs(ours - theirs)) / np.max(ours)
        assert difference <= 1e-10, f"{name} solves something else: {difference:g}"
    return interleaved(
        {
            "jaxnlif_float64": case(double),
            "jaxnlif_float32": case(single),
            "numba_float64": Case(lambda: plain(STEPS), STEPS),
            "numba_tuned_float64": Case(lambda: tuned(STEPS), STEPS),
            "numpy_float64": Case(lambda: _numpy_steps(double, 1), 1),
        },
        repeats=REPEATS,
    )


def _print_fp_steps(size: str, num_w: int, timings: dict[str, Timing]) -> None:
    cells = int(size.split("x")[0]) * num_w
    for name, timing in timings.items():
        print_value(f"fp_step/{size}/{name}", 1e3 * timing.step, "ms")
        print_value(f"fp_throughput/{size}/{name}", cells / timing.step, "cell-steps/s")
    for name in ("jaxnlif_float64", "jaxnlif_float32"):
        print_value(f"fp_compile/{size}/{name}", timings[name].compile, "s")
        for peer in ("numba_float64", "numba_tuned_float64", "numpy_float64"):
            ratio = timings[peer].step / timings[name].step
            print_value(f"fp_speedup/{size}/{name}/{peer}", ratio, "times")


def _print_speed_over_tuned() -> None:
    """Medians over processes that take turns: XLA reads its options once in each."""
    found = defaultdict(list)
    script = Path(__file__).parents[1] / "benchmark.py"
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    for _ in range(PROCESSES):
        for name, options in (("flag", ()), ("plain", ("--default-flags",))):
            command = [sys.executable, str(script), "density_step", *options]
            run = subprocess.run(
                command, check=True, text=True, stdout=subprocess.PIPE, env=environment
            )
            for row, value in parse_values(run.stdout).items():
                found[f"fp_{row}/{name}"].append(value)
    for row, values in found.items():
        print_value(row, statistics.median(values), "times")


# ---- the whole learning step ------------------------------------------------------------------


def _learning_steps(num_v: int, num_w: int, coupling, steps: int) -> Callable:
    """Steps of the learning network from a state in the midst of learning."""
    grid, model = learning_grid(num_v, num_w), learning_network()
    solver, dt = jn.FluxShift(grid, coupling), jnp.asarray(TIME_STEP)

    @eqx.filter_jit
    def advance(model, state, steps):
        def step(i, state):
            return solver.step(model, i * dt, dt, state)

        return lax.fori_loop(0, steps, step, state)

    first = solver.init(model, jnp.zeros(()), before_learning(grid), None)
    midst = advance(model, first, jnp.asarray(50))
    return lambda: advance(model, midst, jnp.asarray(steps))


def _time_learning_steps(num_v: int, num_w: int) -> dict[str, Timing]:
    alone = FokkerPlanck(num_v, num_w, np.float64, epsilon=1e-3)
    lagged = _learning_steps(num_v, num_w, jn.Lagged(), STEPS)
    implicit = _learning_steps(num_v, num_w, jn.Implicit(), STEPS)
    return interleaved(
        {
            "fp_alone": Case(lambda: _jax_steps(alone, STEPS), STEPS),
            "lagged": Case(lagged, STEPS),
            "implicit": Case(implicit, STEPS),
        },
        repeats=REPEATS,
    )


def _print_learning_steps(size: str, timings: dict[str, Timing]) -> None:
    for name in ("lagged", "implicit"):
        print_value(f"learning_step/{size}/{name}", 1e3 * timings[name].step, "ms")
        ratio = timings[name].step / timings["fp_alone"].step
        print_value(f"learning_step_ratio/{size}/{name}", ratio, "FP-steps")


# ---- cost against ε ---------------------------------------------------------------------------


def _time_epsilons(num_v: int, num_w: int) -> dict[str, Timing]:
    def case(epsilon: float) -> Case:
        problem = FokkerPlanck(num_v, num_w, np.float64, epsilon=epsilon)
        return Case(lambda: _jax_steps(problem, STEPS), STEPS)

    return interleaved({f"{epsilon:g}": case(epsilon) for epsilon in EPSILONS}, repeats=31)


def _print_epsilons(timings: dict[str, Timing]) -> None:
    steps = [timing.step for timing in timings.values()]
    for epsilon, timing in timings.items():
        print_value(f"fp_step_epsilon/{epsilon}", 1e3 * timing.step, "ms")
    print_value("fp_step_epsilon/largest_over_smallest", max(steps) / min(steps), "times")
