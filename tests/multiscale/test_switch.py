"""When to change between density and particles."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

KICK = jnp.array([3.0])


def line(num):
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num))


def test_the_gain_does_not_depend_on_the_mesh():
    gains = []
    for num in (300, 600, 1200):
        grid = line(num)
        # p = 2 (V_F - v): half of 0.1 · 0.2 within a tenth, times the kick over that depth
        density = jnp.asarray(2 * (2 - grid.v.nodes)[:, None] * (grid.v.nodes > 1)[:, None])
        gains.append(float(jn.CascadeSwitch().of_density(grid, density, jnp.zeros(()), KICK)))
    np.testing.assert_allclose(gains, 3 * 0.5 * 0.1 * 0.2 / 0.1, rtol=0.02)


def test_particles_and_density_agree_on_the_gain():
    grid = line(300)
    potentials = jnp.asarray(np.random.default_rng(0).uniform(1.0, 2.0, 20_000))
    switch, zero = jn.CascadeSwitch(), jnp.zeros(())
    of_particles = switch.of_particles(grid, potentials, zero, KICK)
    density = jn.from_samples(grid, v=potentials)
    np.testing.assert_allclose(
        switch.of_density(grid, density, zero, KICK), of_particles, rtol=0.15
    )
    np.testing.assert_allclose(of_particles, 3.0, rtol=0.1)


def test_inhibition_carries_no_cascade():
    grid = line(60)
    density = jn.gaussian(grid, v=(1.5, 0.1))
    assert jn.CascadeSwitch().of_density(grid, density, jnp.zeros(()), -KICK) == 0


def test_the_rate_switch_looks_at_the_rate_alone():
    grid, rate = line(60), jnp.asarray(2.5)
    assert jn.RateSwitch().of_density(grid, jn.gaussian(grid, v=(0, 1)), rate, KICK) == rate


@pytest.mark.parametrize("kind", [jn.RateSwitch, jn.CascadeSwitch])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"up": 1.0, "down": 2.0}, "down = 2: must be less than up = 1"),
        ({"down": 0.0}, "down = 0: must be positive"),
        ({"dwell": -1.0}, "dwell = -1: must not be negative"),
        ({"up": jnp.nan}, "up = nan: must be finite"),
    ],
)
def test_thresholds_the_wrong_way_round(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)
