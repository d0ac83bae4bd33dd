"""Moments and densities of intervals against quadrature, and against runs in time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

from . import _leaky

interval_moments = jax.jit(
    _leaky.interval_moments, static_argnums=0, static_argnames=("refine", "wall")
)
NEURONS = [(1.0, 1.0), (0.0, 0.2), (5.0, 0.1), (-1.0, 0.5)]


def quadrature(drive: float, noise: float) -> tuple[float, float]:
    r"""Mean and CV of first passages: $T' = -ψ/a$, and the variance is a double integral."""
    v = np.linspace(min(drive, 1.0) - 10 * noise**0.5, 2.0, 400_001)
    h, phi = v[1] - v[0], (v - drive) ** 2 / (2 * noise)

    def integrated(values):
        return np.concatenate([[0], np.cumsum((values[1:] + values[:-1]) * (h / 2))])

    psi = np.exp(phi) * integrated(np.exp(-phi))
    spread = 2 * np.exp(phi) * integrated(np.exp(-phi) * psi**2) / noise**2
    above = v >= 1.0 - h / 2
    mean, variance = (np.sum(x[above]) * h for x in (psi / noise, spread))
    return mean, variance**0.5 / mean


@pytest.mark.parametrize(("drive", "noise"), NEURONS)
def test_moments_are_those_of_first_passages(drive, noise, dtype):
    grid = jn.VoltageGrid(-8.0, 2.0, reset=1.0, num=500)
    found = interval_moments(grid, jnp.asarray(drive, dtype), jnp.asarray(noise, dtype), refine=4)
    mean, cv = quadrature(drive, noise)
    assert float(found.mean) == pytest.approx(mean, rel=2e-3)
    assert float(found.cv) == pytest.approx(cv, rel=2e-3)


def test_a_low_wall_does_not_matter_and_a_high_one_is_left_out():
    drive, noise = jnp.asarray(0.5), jnp.asarray(1.0)
    mean = 1 / float(jn.stationary.firing_rate(0.5))
    walled = jn.VoltageGrid(-0.5, 2.0, reset=1.0, num=100)
    assert float(interval_moments(walled, drive, noise).mean) < 0.85 * mean
    assert float(interval_moments(walled, drive, noise, wall=False).mean) == pytest.approx(
        mean, rel=0.03
    )


def test_backward_euler_adds_step_times_mean_to_the_variance():
    space = jn.Grid(v=jn.VoltageGrid(-2.0, 2.0, reset=1.0, num=40))
    drive, noise, dt = 4.0, 0.2, 0.02
    sol = jn.solve(
        jn.Network(drive=drive, noise=noise, weight=0.0, refractory=jn.Never()),
        jn.FluxShift(space),
        y0=jn.at_reset(space),
        t1=4.0,
        dt=dt,
        saveat=jn.SaveAt(num=201, fn=None),
    )
    # What fires in a step is counted at its end.
    fired, ts = np.diff(np.asarray(sol.spikes, float)), np.asarray(sol.ts, float)[1:]
    mean = np.sum(fired * ts)
    variance = np.sum(fired * ts**2) - mean**2
    exact = interval_moments(space.v, jnp.asarray(drive), jnp.asarray(noise))
    assert mean == pytest.approx(float(exact.mean) + dt, rel=1e-3)
    added = dt * float(exact.mean)
    assert variance == pytest.approx(float(exact.variance) + added, rel=1e-3)


@pytest.mark.parametrize(("drive", "noise"), NEURONS[:3])
def test_densities_of_intervals_have_their_moments(drive, noise):
    found = jn.statistics.intervals(jn.Network(weight=0.0, drive=drive, noise=noise))
    mean, cv = quadrature(drive, noise)
    assert abs(float(found.mean) - mean) < 2 * float(found.mean_error) + 1e-5 * mean
    assert abs(float(found.cv) - cv) < 2 * float(found.cv_error) + 1e-4 * cv
    ts, density = np.asarray(found.ts, float), np.asarray(found.density, float)
    assert np.trapezoid(density * ts, ts) == pytest.approx(mean, rel=0.03)
    assert np.trapezoid(density, ts) == pytest.approx(1, abs=0.02)


def test_rest_and_inhibition_are_in_the_intervals():
    model = jn.Network(weight=-5.0, drive=10.0, refractory=0.1)
    found = jn.statistics.intervals(model)
    free = jn.statistics.intervals(jn.Network(weight=-5.0, drive=10.0), rate=1 / found.mean)
    assert float(found.mean) == pytest.approx(float(free.mean) + 0.1, rel=1e-3)
    assert float(found.mean * found.cv) == pytest.approx(float(free.mean * free.cv), rel=1e-3)
    assert np.all(np.asarray(found.density)[np.asarray(found.ts) < 0.1] == 0)


def test_the_variation_is_differentiable():
    grid = jn.VoltageGrid(-2.0, 2.0, reset=1.0, num=80)

    def cv(noise):
        model = jn.Network(weight=0.5, drive=3.0, noise=noise)
        return jn.statistics.intervals(model, jnp.ones(1), grid=grid, rate=1.0).cv

    slope = (cv(0.3 + 1e-5) - cv(0.3 - 1e-5)) / 2e-5
    assert float(jax.grad(cv)(0.3)) == pytest.approx(float(slope), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": -1.0}, "rate = -1"),
        ({"weight": 1.0}, "weight: give one"),
        ({"ts": np.full(2, np.inf)}, r"ts = inf at \[0\]: must be finite"),
    ],
)
def test_arguments_that_break_a_rule_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        jn.statistics.intervals(jn.Network(weight=0.5), **change)
