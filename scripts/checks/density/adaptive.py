"""Adaptive steps: the solves they save, whether their estimated error is true, derivatives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from references.problems import line

import jaxnlif as jn

TOLERANCES = (1e-3, 1e-4, 1e-5)
SPACING = 0.1  # of the times at which errors are measured
DURATION = 20.0
FINEST = 40_000  # steps of the reference
STEPS = tuple(200 * 2**k for k in range(8))


class Transient(jn.AbstractDrive):
    """Six periods of a drive until t = 1, of which nothing is left then."""

    def __call__(self, t: jax.Array, w: jax.Array) -> jax.Array:
        x = jnp.clip(t, 0, 1)
        return 0.5 + 2 * jnp.sin(12 * jnp.pi * x) * (4 * x * (1 - x)) ** 3 + 0 * w


class Case(NamedTuple):
    """A network from N(0, 0.25)."""

    name: str
    network: jn.Network

    def solve(self, dt: float, step_size: jn.AbstractStepSize | None = None) -> jn.Solution:
        grid = line()
        return jn.solve(
            self.network,
            jn.FluxShift(grid, scheme=jn.BDF2(), step_size=step_size),
            y0=jn.gaussian(grid, v=(0.0, 0.25)),
            t1=DURATION,
            dt=dt,
            saveat=jn.SaveAt(num=round(DURATION / SPACING) + 1, fn=None),
            throw=True,
        )

    def adaptive(self, rtol: float) -> jn.Solution:
        return self.solve(1.0, jn.Adaptive(rtol, 1e-2 * rtol))


TRANSIENT = Case("transient", jn.Network(weight=0.5, drive=Transient()))
CASES = (
    TRANSIENT,
    Case("slow", jn.Network(weight=0.5, drive=jn.Sinusoid(0.5, 0.5, 1.0))),
    Case("inhibition", jn.Network(weight=-5.0, drive=Transient())),
)


def estimates() -> Iterator[Measured]:
    """The estimated error of the rate over the true one, each the largest of all times; and the
    solves of the constant step that has the same error over those of adaptive steps."""
    for case in CASES:
        true = np.asarray(case.solve(DURATION / FINEST).rate)
        runs = [case.adaptive(rtol) for rtol in TOLERANCES]
        for rtol, sol in zip(TOLERANCES, runs, strict=True):
            ratio = float(sol.stats["largest_rate_error"]) / _error(sol, true)
            yield Measured("adaptive_estimate", ratio, f"{case.name},rtol={rtol:g}")
        if case.name == "slow":  # at the end of the others the error is rounding
            for rtol, sol in zip(TOLERANCES, runs, strict=True):
                ratio = float(sol.stats["rate_error"]) / abs(float(sol.rate[-1]) - true[-1])
                yield Measured("adaptive_estimate", ratio, f"{case.name},end,rtol={rtol:g}")
        errors = [_error(case.solve(DURATION / num), true) for num in STEPS]
        row = "adaptive_fewer_solves" if case is TRANSIENT else "adaptive_fewer_solves_others"
        for rtol, sol in zip(TOLERANCES, runs, strict=True):
            same = np.interp(np.log(_error(sol, true)), np.log(errors[::-1]), np.log(STEPS[::-1]))
            fewer = float(np.exp(same)) / int(sol.stats["substeps"])
            yield Measured(row, fewer, f"{case.name},rtol={rtol:g}")


def _error(sol: jn.Solution, true: np.ndarray) -> float:
    """The largest error of the rate at the saved times after the first."""
    return float(np.max(np.abs(np.asarray(sol.rate) - true)[1:]))


def derivatives() -> Iterator[Measured]:
    """The gradient by a weight and an amplitude against central differences, and what it costs."""
    grid = line()
    y0 = jn.gaussian(grid, v=(0.0, 0.25))
    solver = jn.FluxShift(grid, scheme=jn.BDF2(), step_size=jn.Adaptive(1e-4, 1e-6))

    def loss(x: jax.Array) -> jax.Array:
        network = jn.Network(weight=x[0], drive=jn.Sinusoid(0.5, x[1], 2.0))
        save = jn.SaveAt(num=9, fn=None)
        sol = jn.solve(network, solver, y0=y0, t1=4.0, dt=0.5, saveat=save)
        return jnp.sum(sol.rate[1:] ** 2)

    value, gradient = jax.jit(loss), jax.jit(jax.value_and_grad(loss))
    x, e = jnp.asarray([0.5, 0.5]), 1e-4
    found = np.asarray(gradient(x)[1])
    expected = np.asarray([(value(x + d) - value(x - d)) / (2 * e) for d in e * np.eye(2)])
    yield Measured("adaptive_gradient", float(np.max(np.abs(found / expected - 1))))
    yield Measured("adaptive_gradient_cost", _seconds(gradient, x) / _seconds(value, x))


def _seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """The shortest of several calls."""
    durations = []
    for _ in range(7):
        began = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        durations.append(time.perf_counter() - began)
    return min(durations)
