"""Grids of `for_model` hold what is promised of rates and intervals, and coarse ones are named."""

import jax.numpy as jnp
import numpy as np
import pytest
from checks.density.voltage import grid_of
from references.passages import interval, neuron

import jaxnlif as jn
from jaxnlif.density.passage import interval_moments
from jaxnlif.density.sufficient import Need, sufficient_grid


@pytest.mark.parametrize(
    ("kind", "drive", "noise"),
    [
        ("perfect", 0.5, 1.0),  # reaches far below
        ("perfect", 2.0, 1e-3),
        ("quadratic", 0.0, 0.03),  # neurons below the reset are rare, and late
        ("leaky", 2.2, 0.1),
    ],
)
def test_a_grid_for_a_model_holds_what_it_promises(kind, drive, noise):
    rtol = 1e-3
    cell = neuron(kind, drive, noise)
    mean, cv = interval(cell)
    grid = grid_of(cell, rtol)
    found = interval_moments(grid, cell.membrane, jnp.asarray(drive), jnp.asarray(noise))
    assert abs(float(found.mean) / mean - 1) <= rtol
    assert abs(float(found.cv) / cv - 1) <= 10 * rtol


def test_neurons_that_hardly_fire_do_not_hide_the_others():
    like = jn.VoltageGrid(0.0, 2.0, reset=1.0, num=2)
    one = Need(jn.Leaky(), np.full(2, 6.0), np.full(2, 0.1), 0.0)
    alone = sufficient_grid(like, [one])
    # The mean interval of the second exceeds the range of numbers.
    both = sufficient_grid(like, [one._replace(drive=np.array([6.0, -20.0]))])
    assert both == alone


def test_a_run_on_too_coarse_a_grid_warns_before_the_variation_is_wrong():
    noise, drive = 0.01, 2.0  # of a perfect integrator, whose variation is known
    true = np.sqrt(2 * noise / drive)
    model = jn.Network(weight=0.0, drive=drive, noise=noise, membrane=jn.Perfect())
    for num, warned in ((60, True), (960, False)):
        grid = jn.Grid(jn.VoltageGrid(0.0, 2.0, reset=1.0, num=num))
        inputs = jnp.asarray(drive), jnp.asarray(noise)
        error = abs(float(interval_moments(grid.v, jn.Perfect(), *inputs).cv) / true - 1)
        sol = jn.solve(
            model,
            jn.FluxShift(grid),
            y0=jn.gaussian(grid, v=(1.3, 0.01)),
            t1=1e-3,
            dt=1e-5,
            saveat=jn.SaveAt(num=2, fn=None),
        )
        assert bool(sol.warnings[jn.WarningFlag.voltage_noise]) == warned == (error > 0.05)
