"""The stationary rates of the cells of the matrix: as quadratures say, and as runs end."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.optimize import bisect

import jaxnlif as jn

from .matrix import NEURONS, Cell, named, problem

_DISCRETE = 5e-3  # of 120 voltages
_LEARNED = 0.05  # of 40 weights
_PARTICLES = 0.01  # of their step
_SIGMAS = 2.5  # of Poisson spikes; those of these neurons vary less
_LAST = 0.03  # who has not fired yet


class Outcome(NamedTuple):
    """How a cell ended: the largest relative error of its rates, what is allowed, and in words."""

    error: float
    allowed: float
    message: str

    @property
    def right(self) -> bool:
        """Whether the run was completed without a warning, at the stationary rates."""
        return self.error <= self.allowed and not self.message


def outcome(cell: Cell) -> Outcome:
    """Runs a cell that is not refused."""
    model, solver, y0, dt, t1, key = problem(cell)
    half = dt * round(t1 / dt / 2)
    saveat = jn.SaveAt([half, t1], fn=None)
    sol = jn.solve(model, solver, y0=y0, t1=t1, dt=dt, key=key, saveat=saveat)
    doubtful = np.array(sol.warnings)
    doubtful[jn.WarningFlag.time_noise] = False  # of intervals; stationary rates have none of it
    doubts = bool(np.any(doubtful)) or sol.result != jn.Result.completed
    message = sol.message if doubts else ""
    if sol.result != jn.Result.completed:
        return Outcome(np.inf, 0.0, message)
    spikes = np.asarray(sol.spikes, float)
    if cell.has("`refractory=Never"):
        fired = spikes[-1] / float(model.epsilon)
        return Outcome(float(np.max(np.abs(fired - 1))), _LAST, message)
    rate = (spikes[1] - spikes[0]) / (t1 - half)
    expected = stationary_rate(cell)
    error = np.max(np.abs(rate / expected - 1))
    allowed = _LEARNED if cell.has("learning") else _DISCRETE
    if cell.solver != "FluxShift" or cell.has("neurons"):
        epsilon = float(model.epsilon)
        counted = np.min(expected) * NEURONS * (t1 - half) / epsilon
        allowed += _PARTICLES + _SIGMAS / np.sqrt(counted)
    if cell.has("learning"):
        error = max(error, _own_rate_error(cell, sol))
    return Outcome(float(error), float(allowed), message)


def stationary_rate(cell: Cell) -> np.ndarray:
    """The rate of the network, or of its populations (spikes / neuron / membrane time)."""
    matter = {"columns", "sign", "response", "noise_slope", "drive", "refractory", "membrane"}
    matter |= {"adaptation", "epsilon"}
    return _stationary_rate(*(f.name for f in cell.features if f.axis in matter))


@cache
def _stationary_rate(*names: str) -> np.ndarray:
    cell = named("FluxShift", "Euler", *names)
    model, solver, y0, *_ = problem(cell)
    if cell.has("learning"):
        return np.asarray(_learned(model, sign=-1 if cell.has("inhibition") else 1))
    grid = solver.grid
    weights = np.asarray(grid.weight_density(y0)) * grid.weight_spacing
    rate = np.full(model.populations or (), 0.5)
    for _ in range(200):
        if model.populations is None:
            w = model.weight if grid.w is None else grid.w.centers
            new = np.sum(weights * _rates(model, np.asarray(w), rate))
        else:
            new = _rates(model, None, rate)
        if np.max(np.abs(new - rate)) < 1e-9:
            return np.asarray(new)
        rate = (rate + new) / 2
    raise AssertionError(f"{cell.name}: no stationary rate found")


def _rates(model: jn.Network, w: Any, rate: Any) -> np.ndarray:
    """Rates of neurons of the weights w, or of populations, in a network that fires at a rate."""
    late = jnp.asarray(100.0)
    drive = np.asarray(model.drive(late, jnp.zeros(1)))[0]
    adapted = 0.0 if model.adaptation is None else float(model.adaptation.strength)
    noise = np.asarray(model.noise(late) if callable(model.noise) else model.noise)
    slope, time = float(model.noise_slope), np.asarray(model.membrane_time)
    epsilon = float(model.epsilon)
    rest = 0.0 if model.refractory is None else float(model.refractory.duration)
    if w is None:
        drive = drive + np.asarray(model.weight) @ rate
        ends = {"threshold": model.threshold, "reset": model.reset}
    else:
        drive = drive + w * np.asarray(model.response(jnp.asarray(rate)))
        ends = {}
    noise = noise + slope * np.sum(rate)
    rest = rest / np.asarray(epsilon * time) if rest else 0.0
    return _firing_rate(model.membrane, drive - adapted * rate, noise, rest, **ends) / time


def _firing_rate(
    membrane: jn.AbstractMembrane, drive: Any, noise: Any, rest: Any, threshold=2.0, reset=1.0
) -> np.ndarray:
    """The stationary rate of neurons, by quadratures that are not those of other membranes."""
    if isinstance(membrane, jn.Leaky):
        found = jn.stationary.firing_rate(drive, noise, threshold, reset, refractory=rest)
        return np.asarray(found)
    if isinstance(membrane, jn.Perfect):
        speed = np.maximum(drive, 0)
        return speed / (threshold - reset + rest * speed)
    gap = np.asarray(threshold) - np.asarray(reset)
    # ψ' = 1 - dψ with d = (f + μ)/a, of which the mean time to the threshold is ∫ψ/a.
    share = np.linspace(-5, 1, 1801)[:, None]
    v = np.asarray(reset) + share * gap
    middle = jnp.asarray((v[1:] + v[:-1]) / 2)
    x = (np.asarray(membrane.drift(middle)) + drive) / noise * (gap / 300)
    decay, source = np.exp(-x), -np.expm1(-x) / x * gap / 300
    psi, time = 1 / (x[0] / (gap / 300)), np.zeros_like(x[0])
    for k in range(len(x)):
        later = decay[k] * psi + source[k]
        time += (share[k] >= -1e-9) * (psi + later) / 2 * gap / 300 / noise
        psi = later
    found = 1 / (time + rest)
    return found if np.ndim(drive) else found[0]


def _learned(model: jn.Network, sign: int) -> float:
    """The rate of the learned state: N(w) = w / (K N̄) on [0, A], with N̄² = A² / 2K.

    The law is the same where weights and K change their sign.
    """
    gain = abs(float(model.learning.gain))
    nodes, parts = np.polynomial.legendre.leggauss(24)

    def mass(support: float) -> float:
        rate = support / np.sqrt(2 * gain)
        w = support * (nodes + 1) / 2
        rates = _rates(model, sign * w, rate)
        with np.errstate(divide="ignore"):  # beyond the largest support some never fire
            return float(np.sum(parts * support / 2 * w / (gain * rate * rates))) - 1

    # The smallest support is the one that is reached from narrow weights.
    high = next(support for support in np.arange(0.1, 3.0, 0.1) if mass(support) > 0)
    return bisect(mass, 0.01, high, xtol=1e-7) / np.sqrt(2 * gain)


def _own_rate_error(cell: Cell, sol: jn.Solution) -> float:
    """By how much the rates that weights have learned differ from those of their own density."""
    model, solver, *_ = problem(cell)
    rates, weights = np.asarray(sol.rates[-1]), np.asarray(sol.weights[-1])
    expected = weights * _rates(model, solver.grid.w.centers, float(sol.rate[-1]))
    return float(np.sum(np.abs(rates - expected)) / np.sum(rates))
