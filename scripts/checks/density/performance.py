"""Speed, from the benchmark in a process of its own, and what is compiled when."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import jax
import numpy as np
from _report import Measured
from references.problems import before_learning, learning_grid, learning_network

import jaxnlif as jn

from .._benchmark import benchmark

SIZES = ("300x200", "300x1000")


def speed() -> Iterator[Measured]:
    """Ratios of the times that the benchmark measures on one core."""
    values = benchmark("density")
    for size in SIZES:
        over = f"fp_speedup/{size}/jaxnlif"
        yield Measured("float64_over_numba", values[f"{over}_float64/numba_float64"], size)
        yield Measured("float64_over_numpy", values[f"{over}_float64/numpy_float64"], size)
    small, large = (values[f"fp_speedup/{size}/jaxnlif_float32/numba_float64"] for size in SIZES)
    yield Measured("float32_over_numba_small", small, SIZES[0])
    yield Measured("float32_over_numba", large, SIZES[1])
    for size in SIZES:
        for name in ("lagged", "implicit"):
            ratio = values[f"learning_step_ratio/{size}/{name}"]
            yield Measured(f"learning_step_{name}", ratio, size)
    yield Measured("epsilon_cost", values["fp_step_epsilon/largest_over_smallest"])
    for name, with_flag in (("flag", "with_flag"), ("plain", "without_flag")):
        for size, how_large in zip(SIZES, ("small", "large"), strict=True):
            over = f"fp_speed_over_tuned/{size}"
            speed = {dtype: values[f"{over}/{dtype}/{name}"] for dtype in ("float64", "float32")}
            yield Measured(f"tuned_speed_{with_flag}_{how_large}", speed["float64"], size)
            ratio = speed["float32"] / speed["float64"]
            yield Measured("float32_over_float64", ratio, f"{size}, {with_flag}")


class _Counting(jn.FluxShift):
    """Counts how often its step is traced."""

    traces = 0

    def step(self, model, t, dt, state):
        type(self).traces += 1
        return super().step(model, t, dt, state)


def recompilation() -> Iterator[Measured]:
    """Traces and compilations of a second run that differs in values only."""
    grid = learning_grid(24, 20)
    centers = grid.w.centers

    def run(noise, epsilon, dt, signal, gain):
        model = learning_network(
            noise=noise,
            epsilon=epsilon,
            drive=jn.Tabulated(signal, w=centers),
            learning=jn.Hebbian(gain=gain),
        )
        solver = _Counting(grid, jn.Implicit())
        jn.solve(model, solver, y0=before_learning(grid), t1=100 * dt, dt=dt)

    changes = {
        "noise": {"noise": 0.7},
        "epsilon": {"epsilon": 0.0},
        "dt": {"dt": 2e-3},
        "signal": {"signal": np.cos(centers)},
        "gain": {"gain": -0.1},
    }
    first = {"noise": 1.0, "epsilon": 1e-3, "dt": 1e-2, "signal": np.sin(centers), "gain": 0.3}
    run(**first)
    for name, change in changes.items():
        before = _Counting.traces
        with _compilations() as compiled:
            run(**(first | change))
        yield Measured("new_traces", _Counting.traces - before, name)
        yield Measured("new_compilations", len(compiled), name)


@contextlib.contextmanager
def _compilations() -> Iterator[list[float]]:
    """The durations of all compilations while the context is open."""
    durations: list[float] = []

    def listen(event: str, duration: float, **_) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            durations.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield durations
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def compile_time() -> Iterator[Measured]:
    """What the first run of the main job takes longer than the second: learning, then a test.

    The best of three starts from nothing compiled.
    """

    def run() -> float:
        began = time.perf_counter()
        grid = learning_grid(300, 400)
        y0 = before_learning(grid)
        for learning in (jn.Hebbian(gain=0.3), None):
            jn.solve(
                learning_network(learning=learning),
                jn.FluxShift(grid),
                y0=y0,
                t1=1.2,
                dt=1e-2,
                saveat=jn.SaveAt(num=121),
            )
        return time.perf_counter() - began

    def once() -> float:
        jax.clear_caches()
        return run() - run()

    yield Measured("compile_time", min(once() for _ in range(3)), "seconds")
