"""Learning steps of second order in time: positive, conservative, and of that order."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.density import second_order
from jaxnlif.density.transport import Learning
from jaxnlif.density.voltage import VoltageStep

GAIN = 0.3


def wavy(t, w):
    bump = jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1)
    return bump(t, w) * (1 + 0.3 * jnp.sin(3 * t))


def make_grid(num_v, num_w, dtype=None):
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num_v, dtype=dtype)
    return jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.2, num=num_w))


@eqx.filter_jit
def run(grid, epsilon, y0, dts, gain=GAIN, limited=True):
    """Rates and weight densities after each step, and the smallest density."""
    learning = {"learning": jn.Hebbian(gain), "response": jn.Saturating()}
    model = jn.Network(drive=wavy, epsilon=epsilon, **learning)
    w = jnp.asarray(grid.w.centers, grid.dtype)
    strength, ends = model.plasticity.strength(w), jnp.cumsum(dts)

    def voltage_step(time, kappa, density):
        return VoltageStep(grid, model, w, time, kappa, density)

    first = voltage_step(ends[0], model.epsilon / dts[0], y0)
    rates = first.after(jn.Implicit()(first, jnp.zeros(1, grid.dtype)).signals)[1]

    def step(carry, given):
        past, density, rates, rate = carry
        dt, time = given

        def firing(columns):
            return voltage_step(time, model.epsilon / dt, columns).rates(rate[None])

        learning = Learning(grid, rates, rate, strength, dt, firing)
        moved = second_order.move(learning, past, density, limited=limited)
        voltages = voltage_step(time, model.epsilon / moved.effective, moved.density)
        signals = jax.lax.cond(
            past.age == 0,
            lambda: jn.Implicit()(voltages, rate[None]).signals,
            lambda: moved.rate[None],
        )
        new, rates = voltages.after(signals)
        rate = grid.network_rate(rates)
        carry = second_order.after(moved, new), new, rates, rate
        return carry, (rate, grid.weight_density(new), jnp.min(new))

    begin = second_order.start(grid, y0), y0, rates, grid.network_rate(rates)
    return jax.lax.scan(step, begin, (dts, ends))[1]


def start_on(grid):
    return jnp.asarray(jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02)), grid.dtype)


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "upwind"])
def test_order_in_time_of_rate_and_weights(limited):
    grid = make_grid(24, 30)
    y0 = start_on(grid)
    ends = []
    for num in (20, 40, 320):
        rate, weights, _ = run(grid, 0.05, y0, jnp.full(num, 0.5 / num), limited=limited)
        ends.append((float(rate[-1]), np.asarray(weights[-1])))
    rates, weights = zip(*ends, strict=True)
    for errors in (
        [abs(rate - rates[-1]) for rate in rates[:2]],
        [np.sum(np.abs(held - weights[-1])) for held in weights[:2]],
    ):
        assert np.log2(errors[0] / errors[1]) > 1.6


@pytest.mark.parametrize("epsilon", [0.0, 1e-3, 1.0])
def test_mass_and_sign_at_random_steps(epsilon, dtype):
    grid = make_grid(24, 20, dtype)
    rng = np.random.default_rng(1)
    density = rng.random(grid.shape) * (rng.random(grid.shape[1]) > 0.5)
    y0 = jnp.asarray(jn.normalise(grid, density), dtype)
    for length in (1e-3, 0.1, 10.0):
        dts = jnp.asarray(length * rng.uniform(0.3, 2.5, 40), dtype)
        gain = jnp.asarray(rng.uniform(-0.3, 1, 20), dtype)
        _, weights, smallest = run(grid, jnp.asarray(epsilon, dtype), y0, dts, gain)
        assert float(jnp.min(smallest)) >= 0
        mass = np.sum(np.asarray(weights, float), 1) / np.sum(
            np.asarray(grid.weight_density(y0), float)
        )
        np.testing.assert_allclose(mass, 1, rtol=200 * float(np.finfo(dtype).eps))


def test_gradient_against_differences():
    grid = make_grid(24, 20)
    y0, dts = start_on(grid), jnp.full(8, 0.05)

    @jax.jit
    def end(gain):
        rate, weights, _ = run(grid, 0.05, y0, dts, gain)
        return rate[-1] + weights[-1] @ jnp.asarray(grid.w.centers)

    at, h = jnp.asarray(GAIN), 1e-5
    expected = float((end(at + h) - end(at - h)) / (2 * h))
    assert float(jax.jit(jax.grad(end))(at)) == pytest.approx(expected, rel=1e-6)
