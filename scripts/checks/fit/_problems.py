"""The fits that are checked: what is observed, where they start, what they must find."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np

import jaxnlif as jn
from jaxnlif.experiments import fit_recovery

# Weights decay by e^-t: above e^-0.3 few neurons are left to tell what K is there.
LEARNING = fit_recovery.Run(dt=2e-2, duration=0.3)
KNOTS = np.linspace(0.0, 0.7, 20)
GAINS = {"scalar": 0.3, "table": 0.3 + 0.15 * np.sin(9 * KNOTS)}
HEIGHT = 3.0


def learning(gain, height=HEIGHT) -> jn.Network:
    """A network that learns with a gain, a number or values at `KNOTS`."""
    gain = gain if np.ndim(gain) == 0 else jn.Table(KNOTS, gain)
    return fit_recovery.network(gain, height=height)


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
