"""Runs that several tests draw."""

from __future__ import annotations

import jax
import pytest

import jaxnlif as jn

LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=120))


@pytest.fixture(scope="package")
def learned():
    """A network that learns."""
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30), w=jn.WeightGrid(0.0, 1.2, num=24)
    )
    model = jn.Network(
        drive=jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1),
        response=jn.Saturating(),
        learning=jn.Hebbian(gain=0.3),
        epsilon=1e-3,
    )
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02))
    return jn.solve(model, jn.FluxShift(grid), y0=y0, t1=1.0, dt=0.05, saveat=jn.SaveAt(num=5))


@pytest.fixture(scope="package")
def blown_up():
    """An unstructured network that blows up."""
    y0 = jn.gaussian(LINE, v=(1.5, 0.005))
    return jn.solve(jn.Network(weight=1.5), jn.FluxShift(LINE), y0=y0, t1=0.2, dt=1e-3)


@pytest.fixture(scope="package")
def switching():
    """An unstructured network that neurons follow in part, with events and a raster."""
    solver = jn.MultiScale(jn.FluxShift(LINE), jn.Particles(500, raster=20))
    y0 = jn.gaussian(LINE, v=(1.0, 0.3))
    saveat = jn.SaveAt(num=101)
    key = jax.random.key(0)
    return jn.solve(jn.Network(weight=3.0), solver, y0=y0, t1=1.0, dt=1e-3, saveat=saveat, key=key)


@pytest.fixture(scope="package")
def statistic():
    """A run of which no densities were saved."""
    y0 = jn.gaussian(LINE, v=(0.0, 0.3))
    saveat = jn.SaveAt(num=3, fn=None)
    return jn.solve(
        jn.Network(weight=0.5), jn.FluxShift(LINE), y0=y0, t1=0.1, dt=0.02, saveat=saveat
    )
