"""Membranes: their flows, and their stationary rates by quadrature, density and particles."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

import jaxnlif as jn
from jaxnlif.density.stationary.quadrature import density_by_quadrature, log_rate_by_quadrature
from jaxnlif.model import AbstractMembrane, Exponential, Leaky, Perfect, Quadratic

# Membrane, threshold, reset, lowest voltage, drive, noise; and the rate by independent quadrature.
STATIONARY = [
    (Exponential(0.2, 1.0), 2.0, 0.0, -3.0, 0.5, 0.25, 0.134733172),
    (Exponential(0.2, 1.0), 2.0, 0.0, -3.0, 1.2, 0.25, 0.474989867),
    (Exponential(0.2, 1.0), 2.0, 0.0, -3.0, 3.0, 1.0, 1.51805302),
    (Quadratic(), 5.0, -5.0, -8.0, -1.0, 0.5, 0.0191705439),
    (Quadratic(), 5.0, -5.0, -8.0, 1.0, 0.5, 0.375107802),
    (Quadratic(), 5.0, -5.0, -8.0, 1.0, 2.0, 0.429013307),
    (Perfect(), 2.0, 0.5, -4.0, 1.7, 0.5, 1.7 / 1.5),
]
IDS = [f"{type(case[0]).__name__}-{case[4]}-{case[5]}" for case in STATIONARY]


def nodes(threshold, reset, lowest):
    """A number of about 330, of which the reset is one."""
    return 2 * round((threshold - lowest) * 2) * round(82 / (threshold - lowest))


def by_quadrature(membrane, threshold, reset, _, drive, noise):
    return jn.stationary.firing_rate(drive, noise, threshold, reset, membrane=membrane)


def by_density(membrane, threshold, reset, lowest, drive, noise, *, num, **arguments):
    grid = jn.Grid(v=jn.VoltageGrid(lowest, threshold, reset=reset, num=num))
    y0 = jn.gaussian(grid, v=((threshold + reset) / 2, 0.3))
    model = jn.Network(weight=0.0, drive=drive, noise=noise, membrane=membrane)
    arguments |= {"y0": y0, "t1": 4e4, "dt": 2e3, "saveat": jn.SaveAt(num=2, fn=None)}
    return jn.solve(model, jn.FluxShift(grid), **arguments).rate[-1]


@pytest.mark.parametrize("case", STATIONARY, ids=IDS)
def test_stationary_rates(case):
    *case, expected = case
    assert float(by_quadrature(*case)) == pytest.approx(expected, rel=1e-7)
    errors = [
        float(by_density(*case, num=num)) / expected - 1
        for num in (nodes(*case[1:4]), 2 * nodes(*case[1:4]))
    ]
    assert abs(errors[-1]) < 1e-4
    assert abs(errors[-1]) < max(abs(errors[0]) / 3, 1e-7)  # order 2, or more


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(STATIONARY[case], dtype, id=f"{IDS[case]}-{dtype.__name__}")
        for case, dtype in ((1, np.float32), (4, np.float64), (6, np.float32))
    ],
    indirect=["dtype"],
)
def test_particles_fire_at_the_stationary_rate(case, dtype):
    membrane, threshold, reset, lowest, drive, noise, expected = case
    grid = jn.Grid(
        v=jn.VoltageGrid(
            lowest, threshold, reset=reset, num=nodes(threshold, reset, lowest), dtype=dtype
        )
    )
    model = jn.Network(weight=0.0, drive=drive, noise=noise, membrane=membrane)
    y0 = jn.gaussian(grid, v=((threshold + reset) / 2, 0.3))
    num, transient, end = 4000, 5.0, 15.0
    sol = jn.solve(
        model,
        jn.Particles(num, grid),
        y0=y0,
        t1=end,
        dt=0.02,
        key=jax.random.key(2),
        saveat=jn.SaveAt([transient, end], fn=None),
    )
    fired = float(sol.spikes[1] - sol.spikes[0]) / (end - transient)
    error = np.sqrt(expected / (num * (end - transient)))
    assert abs(fired - expected) < 3 * error + 0.005 * expected


@jax.jit
def flows(membrane, v, time):
    """Where potentials are after a time: at once, and in steps of the general method."""
    num = 200 if v.dtype == np.float64 else 20  # more would only add rounding

    def step(_, v):
        return AbstractMembrane.flow(membrane, v, time / num)

    return membrane.flow(v, time), jax.lax.fori_loop(0, num, step, v)


@pytest.mark.parametrize("make", [lambda: Exponential(0.3, 0.5), Quadratic], ids=["e", "q"])
@pytest.mark.parametrize("time", [-0.04, 0.04])
def test_flows_solve_their_equation(make, time, dtype):
    membrane = make()
    found, expected = flows(membrane, np.linspace(-6, 1.0, 40, dtype=dtype), dtype.type(time))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-9 if dtype == np.float64 else 2e-5)


def test_flows_of_sharp_onsets_are_numbers(dtype):
    membrane = Exponential(jnp.asarray(0.01, dtype), jnp.asarray(1.0, dtype))
    v = jnp.asarray([-50.0, 0.0, 1.0, 1.5, 2.0], dtype)
    for time in (-0.01, 0.0, 0.01):
        assert np.all(np.isfinite(membrane.flow(v, jnp.asarray(time, dtype))))


def test_the_density_of_leaky_neurons_by_quadrature():
    v = np.linspace(-3, 2.2, 9)
    given = (jnp.full(9, x) for x in (0.5, 0.7, 2.0, 1.0))
    found = density_by_quadrature(Leaky(), *given, jnp.asarray(v))
    np.testing.assert_allclose(found, jn.stationary.density(v, 0.5, 0.7), rtol=1e-11)


@pytest.mark.parametrize(
    ("drive", "noise"), [(-20.0, 1.0), (-25.0, 1.0), (1.9, 1e-4), (50.0, 1e-3), (0.0, 100.0)]
)
def test_rates_of_leaky_neurons_by_quadrature_where_spikes_are_rare_or_noise_is_weak(drive, noise):
    given = (jnp.asarray(x) for x in (drive, noise, 2.0, 1.0))
    found = log_rate_by_quadrature(Leaky(), *given)
    expected = jn.stationary.log_firing_rate(drive, noise)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)


def test_spikes_too_rare_to_be_resolved_have_no_rate():
    for drive in (-40.0, -300.0):
        assert float(jn.stationary.firing_rate(drive, membrane=Exponential())) == 0
        assert np.isnan(jn.stationary.density(drive, drive, membrane=Exponential()))


@pytest.mark.parametrize("membrane", [Leaky(), Exponential(0.2, 1.0)], ids=["l", "e"])
def test_the_density_has_the_mass_of_those_that_do_not_rest(membrane):
    given, rest = (1.2, 0.25, 2.0, 0.0), 0.4
    nodes, weights = np.polynomial.legendre.leggauss(32)
    mass = 0.0
    for low, high in ((-4.0, 0.0), (0.0, 2.0)):  # below the reset, where there is a kink, and above
        v = low + 0.5 * (high - low) * (1 + nodes)
        density = jn.stationary.density(v, *given, refractory=rest, membrane=membrane)
        mass += 0.5 * (high - low) * float(weights @ np.asarray(density))
    free = float(jn.stationary.firing_rate(*given, membrane=membrane))
    assert mass == pytest.approx(1 - rest / (1 / free + rest), rel=1e-8)


def rate_by_quadrature(slope):
    return by_quadrature(Exponential(slope, 1.0), 2.0, 0.0, -3.0, 0.9, 0.25)


def rate_by_density(slope):
    membrane = Exponential(slope, 1.0)
    # All steps in one block: less to compile.
    return by_density(membrane, 2.0, 0.0, -3.0, 0.9, 0.25, num=120, store_every=20)


@partial(jax.jit, static_argnums=0)
def derivatives(rate, slope):
    """The rate, and its derivative in forward and in reverse mode."""
    value, forward = jax.linearize(rate, slope)
    one = jnp.ones_like(slope)
    return value, forward(one), *jax.linear_transpose(forward, slope)(one)


@pytest.mark.parametrize("rate", [rate_by_quadrature, rate_by_density])
def test_derivatives_by_the_membrane(rate):
    low, high = (float(derivatives(rate, np.float64(0.2 + step))[0]) for step in (-1e-4, 1e-4))
    for derivative in derivatives(rate, np.float64(0.2))[1:]:
        assert float(derivative) == pytest.approx((high - low) / 2e-4, rel=1e-5)


def test_what_is_no_membrane_is_refused():
    with pytest.raises((ValueError, TypeCheckError), match="membrane"):
        jn.Network(membrane=3)
    with pytest.raises(ValueError, match=r"slope = -1: must be positive"):
        Exponential(slope=-1.0)


class Steep(AbstractMembrane):
    def drift(self, v):
        return jnp.exp(1000 * v)


class Single(AbstractMembrane):
    def drift(self, v):
        return 0.0


@pytest.mark.parametrize(
    ("membrane", "message"),
    [
        (Steep(), r"membrane: drift at v = \S+: must be finite on the voltage grid"),
        (Exponential(slope=1e-3), r"membrane: drift at v = \S+: must be finite"),
        (Single(), r"membrane: drift of shape \(\): must be \(60,\), one for each potential"),
    ],
    ids=["steep", "exponential", "single"],
)
def test_a_drift_that_no_grid_can_hold_is_refused(membrane, message):
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))
    model, y0 = jn.Network(weight=0.0, membrane=membrane), jn.gaussian(grid, v=(-1.0, 0.5))
    solvers = jn.FluxShift(grid), jn.Particles(100, grid)
    for solver in (*solvers, jn.MultiScale(*solvers)):
        with pytest.raises(ValueError, match=message):
            jn.solve(model, solver, y0=y0, t1=0.1, dt=0.01, key=jax.random.key(0))
