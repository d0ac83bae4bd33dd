"""Gradients through whole runs, in both modes, against central differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references.gradients import (
    GRID,
    LINE,
    difference,
    directions,
    loss_of,
    structured,
)
from references.gradients import structured_parameters as parameters

import jaxnlif as jn

from ..conftest import needs_double

pytestmark = [needs_double, pytest.mark.slow]

COUPLINGS = [jn.Lagged(), jn.Implicit()]


def run(network, grid, coupling, y0, **arguments):
    arguments = {"t1": 0.5, "dt": 0.05, "saveat": jn.SaveAt(num=3)} | arguments
    return loss_of(jn.solve(network, jn.FluxShift(grid, coupling), y0=y0, **arguments))


Y0 = jn.gaussian(GRID, v=(0.0, 0.5), w=(0.3, 0.1))


def loss(p, coupling, y0=Y0, **arguments):
    return run(structured(p), GRID, coupling, y0, **arguments)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("epsilon", [0.05])
def test_every_parameter(coupling, epsilon):
    p = parameters(epsilon=epsilon)
    function = jax.jit(lambda p: loss(p, coupling))
    gradient = jax.jit(jax.grad(lambda p: loss(p, coupling)))(p)
    tangent = jax.jit(lambda p, d: jax.jvp(lambda p: loss(p, coupling), (p,), (d,))[1])
    for name, direction in directions(p):
        expected = difference(function, p, direction, 1e-3 * max(float(p[name]), 0.1))
        assert float(gradient[name]) == pytest.approx(float(expected), rel=1e-6, abs=1e-8), name
        assert float(tangent(p, direction)) == pytest.approx(float(gradient[name]), rel=1e-9), name


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("epsilon", [0.0])
def test_every_other_parameter_in_the_stiff_limit(coupling, epsilon):
    p = parameters(epsilon=epsilon)
    function = jax.jit(lambda p: loss(p, coupling))
    gradient = jax.jit(jax.grad(lambda p: loss(p, coupling)))(p)
    for name, direction in directions(p):
        if name == "epsilon":
            continue
        expected = difference(function, p, direction, 1e-3 * max(float(p[name]), 0.1))
        assert float(gradient[name]) == pytest.approx(float(expected), rel=1e-6, abs=1e-8), name


@pytest.mark.parametrize("coupling", [jn.Lagged()])
@pytest.mark.parametrize("epsilon", [0.0, 1e-12])
def test_epsilon_in_the_stiff_limit_by_the_one_sided_difference(coupling, epsilon):
    function = jax.jit(lambda e: loss(parameters() | {"epsilon": e}, coupling))
    slope = jax.grad(function)(jnp.asarray(epsilon))
    h = 1e-5
    low, middle, high = (float(function(jnp.asarray(epsilon + k * h))) for k in (0, 1, 2))
    # Second order of a one-sided difference, and the tolerance of the root divided by h.
    assert float(slope) == pytest.approx((4 * middle - high - 3 * low) / (2 * h), rel=1e-4)


@pytest.mark.parametrize("coupling", [jn.Implicit()])
def test_a_gain_per_weight(coupling):
    p = parameters(gain=jnp.asarray([0.3, -0.2, 0.1, 0.4, -0.1]))
    function = jax.jit(lambda g: loss(p | {"gain": g}, coupling))
    gradient = jax.jit(jax.grad(function))(p["gain"])
    direction = jnp.asarray([1.0, -2.0, 0.5, 3.0, 1.0])
    expected = difference(function, p["gain"], direction, 1e-4)
    assert float(gradient @ direction) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("coupling", [jn.Lagged()])
def test_gain_and_drive_given_as_tables(coupling):
    values = (jnp.asarray([0.3, -0.2, 0.4]), jnp.asarray([[1.0, 2.0], [3.0, 0.5]]))

    def function(values):
        gain, signal = values
        network = jn.Network(
            noise=0.8,
            drive=jn.Tabulated(signal, t=[0.0, 0.5], w=[-0.5, 1.0]),
            response=jn.Saturating(),
            learning=jn.Hebbian(jn.Table(jnp.asarray([-0.5, 0.3, 1.0]), gain)),
            epsilon=0.05,
        )
        return run(network, GRID, coupling, Y0)

    function = jax.jit(function)
    gradient = jax.jit(jax.grad(function))(values)
    direction = (jnp.asarray([1.0, 2.0, -1.0]), jnp.asarray([[1.0, -1.0], [0.5, 2.0]]))
    expected = difference(function, values, direction, 1e-4)
    found = sum(jnp.sum(g * d) for g, d in zip(gradient, direction, strict=True))
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("coupling", [jn.Lagged()])
@pytest.mark.parametrize("epsilon", [0.0, 0.05])
def test_the_initial_density(coupling, epsilon):
    rng = np.random.default_rng(0)
    direction = rng.normal(size=GRID.shape)
    direction = jnp.asarray(direction - direction.mean())  # a density of another mass is refused
    p = parameters(epsilon=epsilon)
    function = jax.jit(lambda y: loss(p, coupling, y))
    gradient = jax.jit(jax.grad(function))(Y0)
    expected = difference(function, Y0, direction, 1e-5)
    assert float(jnp.sum(gradient * direction)) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("weight", [0.5])
@pytest.mark.parametrize("epsilon", [1.0, 0.0])
def test_the_weight_of_an_unstructured_network(coupling, weight, epsilon):
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))

    @jax.jit
    def function(b):
        return run(jn.Network(noise=1.0, weight=b, epsilon=epsilon), LINE, coupling, y0)

    b = jnp.asarray(weight)
    expected = difference(function, b, jnp.ones(()), 1e-3)
    assert float(jax.grad(function)(b)) == pytest.approx(float(expected), rel=1e-6)
    assert float(jax.jvp(function, (b,), (jnp.ones(()),))[1]) == pytest.approx(
        float(expected), rel=1e-6
    )


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_second_derivatives_in_every_order_of_modes(coupling):
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))

    def function(b):
        network = jn.Network(noise=1.0, weight=b)
        return run(network, LINE, coupling, y0, t1=0.1)

    def along(f):
        return lambda b: jax.jvp(f, (b,), (jnp.ones(()),))[1]

    b = jnp.asarray(0.5)
    expected = float(jax.jit(along(jax.grad(function)))(b))
    difference_of_slopes = difference(jax.jit(jax.grad(function)), b, jnp.ones(()), 1e-3)
    assert expected == pytest.approx(float(difference_of_slopes), rel=1e-6)
    for second in (jax.grad(jax.grad(function)), jax.grad(along(function)), along(along(function))):
        assert float(jax.jit(second)(b)) == pytest.approx(expected, rel=1e-10)


def test_a_pulse_on_whose_edges_steps_land():
    p = {"height": jnp.asarray(2.0), "start": jnp.asarray(0.053), "duration": jnp.asarray(0.071)}
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))
    solver = jn.FluxShift(LINE, events=jn.Cascade())

    @jax.jit
    def function(p):
        network = jn.Network(noise=1.0, weight=0.2, drive=jn.Pulse(base=0.5, **p))
        return loss_of(jn.solve(network, solver, y0=y0, t1=0.2, dt=0.02, saveat=jn.SaveAt(num=3)))

    gradient = jax.jit(jax.grad(function))(p)
    for name, direction in directions(p):
        expected = difference(function, p, direction, 1e-4)
        assert float(gradient[name]) == pytest.approx(float(expected), rel=1e-6), name


@pytest.mark.parametrize("coupling", [jn.Lagged()])
def test_gradients_of_a_batch_are_those_of_its_members(coupling):
    noises = jnp.asarray([0.5, 0.8, 1.3])

    def slope(noise):
        return jax.grad(lambda a: loss(parameters() | {"noise": a}, coupling))(noise)

    batch = jax.jit(jax.vmap(slope))(noises)
    single = jax.jit(slope)
    np.testing.assert_allclose(batch, [single(a) for a in noises], rtol=1e-8)


def test_the_knob_of_storing_changes_no_gradient():
    p = parameters()
    default = jax.jit(jax.grad(lambda p: loss(p, jn.Lagged())))(p)
    chosen = jax.jit(jax.grad(lambda p: loss(p, jn.Lagged(), store_every=3)))(p)
    for name in p:
        assert float(chosen[name]) == pytest.approx(float(default[name]), rel=1e-9), name


def test_empty_columns_and_silence_have_finite_gradients():
    density = jnp.zeros(GRID.shape).at[2, 1].set(1.0)
    y0 = density / GRID.mass(density)
    gradient = jax.jit(jax.grad(lambda p, y: loss(p, jn.Lagged(), y), argnums=(0, 1)))(
        parameters(epsilon=1.0), y0
    )
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_the_whole_solution_is_differentiable_by_the_whole_model():
    gradient = eqx.filter_grad(lambda model: run(model, GRID, jn.Lagged(), Y0))(
        structured(parameters())
    )
    leaves = jax.tree.leaves(gradient)
    assert len(leaves) == 8
    assert all(float(leaf) != 0 and np.isfinite(leaf) for leaf in leaves)
