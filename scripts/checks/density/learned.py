"""What learning arrives at, against the closed form and at large weight Courant numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from _report import Measured
from references.problems import before_learning, learning_grid, learning_network

import jaxnlif as jn


def closed_form() -> Iterator[Measured]:
    """N̄ after long quasi-static learning against N̄ = A/√(2K)."""
    model = learning_network(epsilon=0.0)
    exact = jn.stationary.learned_state(
        0.3, lambda w: model.drive(jnp.zeros(()), w), model.response
    ).rate
    nums = (150, 300, 600)
    errors = [
        abs(_learned(model, num, dt=0.2, t1=40.0, coupling=jn.Implicit()).rate[-1] / exact - 1)
        for num in nums
    ]
    for (coarse, fine), num in zip(pairwise(errors), nums, strict=False):
        detail = f"{num}->{2 * num},ratio={coarse / fine:.3f}"
        yield Measured("learned_rate_order", float(np.log2(coarse / fine)), detail)
    for num, error in zip(nums, errors, strict=True):
        if num == 600:
            yield Measured("learned_rate_error", float(error), f"weights={num}")


def large_courant_numbers() -> Iterator[Measured]:
    """No sawtooth in N(w) at weight CFL 50, and the same N̄ as at CFL 2."""
    model = learning_network()
    for num in (600, 1200):
        large, small = (
            _learned(model, num, dt=_time_step(num, courant), t1=15.0) for courant in (50, 2)
        )
        rates = np.asarray(large.rates[-1])
        variation = np.sum(np.abs(np.diff(rates, prepend=0, append=0)))
        detail = f"weights={num}"
        yield Measured("sawtooth", abs(variation / (2 * np.max(rates)) - 1), detail)
        yield Measured("large_courant_rate", abs(large.rate[-1] / small.rate[-1] - 1), detail)


def _time_step(num: int, courant: float) -> float:
    """The step in which the fastest weights, decaying from the end, cross `courant` cells."""
    w = learning_grid(60, num).w
    return courant * w.spacing / w.maximum


def _learned(model: jn.Network, num: int, *, dt: float, t1: float, coupling=None) -> jn.Solution:
    grid = learning_grid(60, num)
    return jn.solve(
        model,
        jn.FluxShift(grid, coupling or jn.Lagged()),
        y0=before_learning(grid),
        t1=t1,
        dt=dt,
        saveat=jn.SaveAt([t1], fn=None),
        throw=True,
    )
