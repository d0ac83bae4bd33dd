"""Schemes in time and weight on one core: the cost of a step, and error against processor time.

Work is what a run costs whose network rate errs by 10⁻⁴ of its largest value, at most over time.
How many steps that takes is found from runs at successively halved steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import print_value
from jax import lax
from references.problems import before_learning, learning_grid, learning_network, line

import jaxnlif as jn

from ._timing import Case, interleaved

SIZE = (300, 200)
TOLERANCE = 1e-4
STEPS, REPEATS = 20, 15
SAVED = jn.SaveAt(num=21, fn=None)


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    _print_steps()
    _print_gradient()
    for name, problem in problems().items():
        _print_work(name, problem)


# ---- the cost of a step -------------------------------------------------------------------------


def _steps(solver: jn.FluxShift, model: jn.Network, y0: jax.Array) -> Callable:
    """Some steps from a state in the midst of a run."""
    dtype = solver.dtype
    model = jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, model)
    dt, zero = jnp.asarray(1e-2, dtype), jnp.zeros((), dtype)

    @eqx.filter_jit
    def advance(model, state, steps):
        return lax.fori_loop(
            0, steps, lambda i, state: solver.step(model, i * dt, dt, state), state
        )

    first = solver.start(model, zero, dt, solver.init(model, zero, y0, None))
    midst = advance(model, first, jnp.asarray(50))
    return lambda: advance(model, midst, jnp.asarray(STEPS))


def _print_steps() -> None:
    """BDF2 over Euler at fixed weights, and with learning."""
    cases = {}
    for dtype in (np.float64, np.float32):
        grid = learning_grid(*SIZE, dtype)
        for name, model in (
            ("still", jn.Network(drive=0.5, response=jn.Saturating())),
            ("learning", learning_network()),
        ):
            for scheme, transport in schemes(learns=name == "learning").values():
                solver = jn.FluxShift(grid, scheme=scheme, transport=transport)
                key = f"{name}/{np.dtype(dtype).name}/{type(scheme).__name__}"
                cases[key] = Case(_steps(solver, model, before_learning(grid)), STEPS)
    times = {name: timing.step for name, timing in interleaved(cases, repeats=REPEATS).items()}
    for name, step in times.items():
        print_value(f"scheme_step/{name}", 1e3 * step, "ms")
    for name in {key.rpartition("/")[0]: None for key in times}:
        ratio = times[f"{name}/BDF2"] / times[f"{name}/Euler"]
        print_value(f"scheme_step_ratio/{name}", ratio, "Euler-steps")


def schemes(*, learns: bool) -> dict[str, tuple[jn.AbstractScheme, jn.AbstractTransport]]:
    """The schemes that are compared."""
    first = {"first": (jn.Euler(), jn.Upwind())}
    return first | {"second": (jn.BDF2(), jn.Limited() if learns else jn.Upwind())}


def _print_gradient() -> None:
    """Value and gradient over the run alone."""
    grid = learning_grid(*SIZE)
    y0 = before_learning(grid)

    def last_rate(x):
        model = jn.Network(drive=lambda t, w: x + 0.5 * jnp.sin(3 * t) + 0 * w)
        solver = jn.FluxShift(grid, scheme=jn.BDF2())
        return jn.solve(model, solver, y0=y0, t1=1.0, dt=0.02, saveat=SAVED).rate[-1]

    forward, both = jax.jit(last_rate), jax.jit(jax.value_and_grad(last_rate))
    cases = {"forward": Case(lambda: forward(0.5), 50), "both": Case(lambda: both(0.5), 50)}
    times = interleaved(cases, repeats=5)
    print_value("scheme_gradient/BDF2", times["both"].step / times["forward"].step, "forward runs")


# ---- error against time -------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """A run from 0 to `t1`, the `steps` at which its errors are measured, of first and of second
    order, and those of the reference."""

    model: jn.Network
    grid: jn.Grid
    y0: jax.Array
    t1: float
    learns: bool
    first: tuple[int, ...]
    second: tuple[int, ...]
    reference: int


def problems() -> dict[str, Problem]:
    """A transient of a network that does not learn, and learning at three ε."""
    grid = learning_grid(*SIZE)

    def drive(t, w):
        return 0.5 + 0.5 * jnp.sin(3 * t) + 0 * w

    line_grid = line(SIZE[0])
    wide = jn.Grid(line_grid.v, jn.WeightGrid(0.0, 1.0, num=SIZE[1]))
    y0 = jn.gaussian(wide, v=(-1.0, 0.5), w=(0.5, 0.01))
    found = {
        "transient": Problem(
            jn.Network(drive=drive), wide, y0, 2.0, False, (640, 1280), (160, 320, 640), 2560
        )
    }
    return found | {
        f"learning/{epsilon:g}": Problem(
            learning_network(epsilon=epsilon, drive=_Swinging()),
            grid,
            before_learning(grid),
            1.0,
            True,
            (160, 320),
            (40, 80, 160),
            640,
        )
        for epsilon in (1.0, 0.05, 0.0)
    }


class _Swinging(eqx.Module):
    """The default input of the learning network, times 1 + 0.3 sin 3t."""

    bump: jn.Bump = jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1)

    def __call__(self, t, w):
        return self.bump(t, w) * (1 + 0.3 * jnp.sin(3 * t))


def _print_work(name: str, problem: Problem) -> None:
    pairs = schemes(learns=problem.learns)
    second = jn.FluxShift(problem.grid, scheme=pairs["second"][0], transport=pairs["second"][1])
    true = {"second": _solved(problem, second, problem.reference)}
    seconds = {}
    for order, (scheme, transport) in pairs.items():
        solver = jn.FluxShift(problem.grid, scheme=scheme, transport=transport)
        if order == "first":
            # Each is compared with its own limit of short steps: on one grid they differ in weight.
            same = problem.learns
            true[order] = _extrapolated(problem, solver) if same else true["second"]
        nums = getattr(problem, order)
        rates = [_solved(problem, solver, num) for num in nums]
        errors = [np.max(np.abs(rate - true[order])[1:]) / np.max(true[order]) for rate in rates]
        needed = _needed(nums, errors, 1 if order == "first" else 2)
        step = _seconds(problem, solver, nums[-1]) / nums[-1]
        seconds[order] = needed * step
        for num, error in zip(nums, errors, strict=True):
            print_value(f"work_precision/{name}/{order}/{num}/error", error, "")
            print_value(f"work_precision/{name}/{order}/{num}/time", num * step, "s")
        print_value(f"work/{name}/{order}/steps", needed, "")
        print_value(f"work/{name}/{order}/time", needed * step, "s")
    print_value(f"work/{name}/ratio", seconds["first"] / seconds["second"], "times")


def _solved(problem: Problem, solver: jn.FluxShift, num: int) -> np.ndarray:
    return np.asarray(_run(problem, solver, num).rate)


def _run(problem: Problem, solver: jn.FluxShift, num: int) -> jn.Solution:
    span = {"t1": problem.t1, "dt": problem.t1 / num}
    return jn.solve(problem.model, solver, y0=problem.y0, **span, saveat=SAVED, throw=True)


def _extrapolated(problem: Problem, solver: jn.FluxShift) -> np.ndarray:
    """The limit of short steps of a scheme of first order, by two extrapolations."""
    coarse, half, fine = (_solved(problem, solver, problem.first[-1] * k) for k in (2, 4, 8))
    once, again = 2 * half - coarse, 2 * fine - half
    return (4 * again - once) / 3


def _needed(nums: tuple[int, ...], errors: list[float], order: int) -> float:
    """So many steps that the error is the tolerance, from the two finest runs."""
    observed = np.log2(errors[-2] / errors[-1])
    return float(nums[-1] * (errors[-1] / TOLERANCE) ** (1 / np.clip(observed, 0.5, order)))


def _seconds(problem: Problem, solver: jn.FluxShift, num: int) -> float:
    """The best of three, in processor time."""
    times = []
    for _ in range(3):
        began = time.process_time()
        jax.block_until_ready(_run(problem, solver, num).rate)
        times.append(time.process_time() - began)
    return min(times)
