"""The fits that are checked: what is observed, where they start, what they must find."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np

import jaxnlif as jn

# Weights decay by e^-t: above e^-T1 few neurons are left to tell what K is there.
T1 = 0.3
KNOTS = np.linspace(0.0, 0.7, 20)
TABLE = 0.3 + 0.15 * np.sin(9 * KNOTS)
SCALAR, HEIGHT = 0.3, 3.0


class Learned(eqx.Module):
    """What learning has made: the weight density, and the response of each weight."""

    weights: jn.losses.Weights
    rates: jn.losses.Rates

    def __call__(self, sol: jn.Solution):
        return self.weights(sol), self.rates(sol)


class Learning(eqx.Module):
    """Runs a learning network to `T1`."""

    grid: jn.Grid
    solver: jn.FluxShift
    y0: jax.Array

    def __init__(self, dtype=np.float64):
        v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60, dtype=dtype)
        self.grid = jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.0, num=60))
        self.solver = jn.FluxShift(self.grid)
        self.y0 = jn.gaussian(self.grid, v=(-1.0, 0.5), w=(0.5, 0.08))

    def __call__(self, model: jn.Network) -> jn.Solution:
        saveat = jn.SaveAt(num=2, fn=None)
        return jn.solve(model, self.solver, y0=self.y0, t1=T1, dt=2e-2, saveat=saveat, throw=False)


def learning_network(gain, height, dtype=np.float64) -> jn.Network:
    """A network that learns with a gain, a number or values at `KNOTS`, from a bump."""
    gain = np.asarray(gain, dtype)
    table = gain if gain.ndim == 0 else jn.Table(KNOTS.astype(dtype), gain)
    return jn.Network(
        drive=jn.Bump(1.0, np.asarray(height, dtype), 0.4, 0.2),
        response=jn.Saturating(),
        learning=jn.Hebbian(table),
        epsilon=1e-2,
    )


def observed(sol: jn.Solution, noise: float = 0.0, seed: int = 0) -> Learned:
    """The last weight density and response, with noise relative to their peaks."""
    rng = np.random.default_rng(seed)
    weights, rates = (np.asarray(x[-1], float) for x in (sol.weights, sol.rates))
    noisy = []
    for exact in (weights, rates):
        std = (noise or 0.02) * exact.max()
        drawn = exact + noise * exact.max() * rng.normal(size=exact.shape)
        noisy.append((np.maximum(drawn, 0), std))
    (weights, weights_std), (rates, rates_std) = noisy
    return Learned(
        jn.losses.Weights(weights, std=weights_std),
        jn.losses.Rates([T1], rates[None], std=rates_std),
    )


def gain_and_height(model: jn.Network):
    """The free leaves: K, whether number or table, and the height of the drive."""
    gain = model.learning.gain
    return gain.values if isinstance(gain, jn.Table) else gain, model.drive.height


class Trace(eqx.Module):
    """The rate of an unstructured network in time."""

    solver: jn.FluxShift
    y0: jax.Array

    def __init__(self):
        grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))
        self.solver, self.y0 = jn.FluxShift(grid), jn.gaussian(grid, v=(-1.0, 0.5))

    def __call__(self, model: jn.Network) -> jn.Solution:
        saveat = jn.SaveAt(num=81, fn=None)
        return jn.solve(model, self.solver, y0=self.y0, t1=4.0, dt=2e-2, saveat=saveat, throw=False)


def noise_coupling_input(model: jn.Network):
    """The free leaves of the unstructured network."""
    return model.noise, model.weight, model.drive.value


BOUNDS = (jn.Positive(), jn.Free(), jn.Free())
TRUTH = np.array([1.2, 0.6, 0.7])


def unstructured(noise, weight, drive) -> jn.Network:
    return jn.Network(noise=noise, weight=weight, drive=drive)
