"""Small solutions of every kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

import jaxnlif as jn

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24), w=jn.WeightGrid(0.0, 1.0, num=6))
LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=96))
FINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=90))
KEY = jax.random.key(3)


class Wave(jn.AbstractDrive):
    """A drive that is not jaxnlif's."""

    height: jax.Array
    shape: Callable = jnp.sin
    label: str = eqx.field(static=True, default="slow")

    def __call__(self, t, w):
        return jnp.full_like(w, self.height * self.shape(t))


class Moments(NamedTuple):
    """What one may save instead of densities."""

    mean: jax.Array
    rest: dict


def line(network=None, solver=None, *, start=(-1.0, 0.5), **arguments):
    solver = jn.FluxShift(LINE) if solver is None else solver
    network = jn.Network(weight=-0.5) if network is None else network
    y0 = jn.gaussian(solver.grid, v=start)
    arguments = {"t1": 0.2, "dt": 0.02, "saveat": jn.SaveAt(num=6), "key": KEY} | arguments
    return jn.solve(network, solver, y0=y0, **arguments)


def structured(network=None, coupling=None, **arguments):
    if network is None:
        network = jn.Network(
            drive=jn.Bump(1.0, 2.0, 0.3, 0.1),
            response=jn.Saturating(),
            learning=jn.Hebbian(jn.Table([0.0, 1.0], [0.2, 0.4])),
            epsilon=0.1,
        )
    solver = jn.FluxShift(GRID, jn.Implicit() if coupling is None else coupling)
    y0 = jn.gaussian(GRID, v=(-1.0, 0.5), w=(0.3, 0.02))
    arguments = {"t1": 0.2, "dt": 0.02, "saveat": jn.SaveAt(num=6)} | arguments
    return jn.solve(network, solver, y0=y0, **arguments)


def statistics():
    """Without learning, but with weights."""
    saveat = jn.SaveAt(ts=[0.1, 0.2], fn=moments)
    return structured(jn.Network(drive=1.0, epsilon=0.1), jn.Lagged(), saveat=saveat)


def moments(snapshot: jn.Snapshot) -> Moments:
    mean = jnp.mean(snapshot.density)
    rest = {"low": mean < 1, "narrow": mean.astype(jnp.bfloat16), "a/b": [None, snapshot.density]}
    return Moments(mean, rest)


def synchronous():
    solver = jn.MultiScale(
        jn.FluxShift(FINE), jn.Particles(300, raster=5, raster_capacity=200), substeps=5
    )
    return line(jn.Network(weight=4.0), solver, start=(0.5, 0.3), t1=2.0)


def batch():
    return jax.vmap(lambda weight: line(jn.Network(weight=weight)))(jnp.asarray([-0.5, 0.5]))


def batch_of_events():
    solver = jn.FluxShift(LINE, events=jn.Cascade())
    return jax.vmap(
        lambda weight: line(
            jn.Network(weight=weight), solver, start=(1.0, 0.3), t1=1.0, throw=False
        )
    )(jnp.asarray([0.5, 4.0]))


CASES = {
    "unstructured": line,
    "structured": structured,
    "statistics": statistics,
    "nothing": lambda: line(saveat=jn.SaveAt(num=6, fn=None)),
    "snapshots": lambda: line(saveat=jn.SaveAt(num=6, fn=lambda snapshot: snapshot)),
    "own drive": lambda: line(jn.Network(weight=-0.5, drive=Wave(jnp.asarray(2.0)))),
    "delays": lambda: line(
        jn.Network(weight=0.5, delay=0.1, refractory=jn.Delay(0.05, slots=64)),
        jn.FluxShift(LINE, neurons=100),
    ),
    "exponential delay": lambda: line(
        jn.Network(weight=0.5, delay=jn.ExponentialDelay(0.1), refractory=jn.Never())
    ),
    "blow-up": lambda: line(jn.Network(weight=30.0), start=(1.0, 0.1), t1=1.0),
    "events": lambda: line(
        jn.Network(weight=4.0), jn.FluxShift(LINE, events=jn.Cascade(0.01)), start=(1.0, 0.3)
    ),
    "particles": lambda: line(solver=jn.Particles(200, LINE, reset=jn.Shift(), raster=5)),
    "multi-scale": synchronous,
    "batch": batch,
    "batch of events": batch_of_events,
}


@cache
def solution(name: str) -> jn.Solution:
    """One of them, made once."""
    return CASES[name]()


@cache
def recorded() -> jn.Solution:
    """Spikes of all neurons."""
    return line(jn.Network(weight=0.2, drive=1.0), jn.Particles(50, LINE, raster=50), t1=30.0)


TYPES = (Wave, Moments, jnp.sin)


def units(membrane_time: float, epsilon: float = 1.0) -> jn.Units:
    """Units of neurons with a membrane time (ms)."""
    learning_time = membrane_time / epsilon
    return jn.Units(
        membrane_time=membrane_time, rest=-65.0, scale=10.0, learning_time=learning_time
    )
