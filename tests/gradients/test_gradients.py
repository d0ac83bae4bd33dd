"""Gradients through whole runs, in both modes, against central differences.

A program gives the value and all derivatives, since compiling takes much longer than computing.
"""

from functools import cache

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
    structured_parameters,
)

import jaxnlif as jn

pytestmark = pytest.mark.slow

COUPLINGS = [jn.Lagged(), jn.Implicit()]


def run(network, grid, coupling, y0, **arguments):
    arguments = {"t1": 0.5, "dt": 0.05, "saveat": jn.SaveAt(num=3)} | arguments
    return loss_of(jn.solve(network, jn.FluxShift(grid, coupling), y0=y0, **arguments))


Y0 = jn.gaussian(GRID, v=(0.0, 0.5), w=(0.3, 0.1))
GAINS = jnp.asarray([0.3, 0.2, 0.1, 0.4, 0.25])  # one a weight


def parameters(**changes):
    return structured_parameters(gain=GAINS, **changes)


def loss(p, coupling, y0=Y0, **arguments):
    return run(structured(p), GRID, coupling, y0, **arguments)


@cache
def compiled(coupling):
    """The loss, its gradient by `(p, y0)`, and its derivative along `(dp, dy0)`."""

    @jax.jit
    def derivatives(p, y0, dp, dy0):
        def function(p, y0):
            return loss(p, coupling, y0)

        value, gradient = jax.value_and_grad(function, argnums=(0, 1))(p, y0)
        return value, gradient, jax.jvp(function, (p, y0), (dp, dy0))[1]

    def call(p, y0=Y0, dp=None, dy0=None):
        dp = jax.tree.map(jnp.zeros_like, p) if dp is None else dp
        return derivatives(p, y0, dp, jnp.zeros_like(y0) if dy0 is None else dy0)

    return call


def step_of(leaf):
    """That of a central difference."""
    return 1e-3 * max(float(jnp.max(jnp.abs(leaf))), 0.1)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_every_parameter(coupling):
    p = parameters(epsilon=0.05)
    gradient = compiled(coupling)(p)[1][0]
    for name, direction in directions(p):
        expected = difference(lambda p: compiled(coupling)(p)[0], p, direction, step_of(p[name]))
        slope, tangent = float(jnp.sum(gradient[name])), compiled(coupling)(p, dp=direction)[2]
        assert slope == pytest.approx(float(expected), rel=1e-6, abs=1e-8), name
        assert float(tangent) == pytest.approx(slope, rel=1e-9), name


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_every_other_parameter_in_the_stiff_limit(coupling):
    p = parameters(epsilon=0.0)
    gradient = compiled(coupling)(p)[1][0]
    for name, direction in directions(p):
        if name == "epsilon":
            continue
        expected = difference(lambda p: compiled(coupling)(p)[0], p, direction, step_of(p[name]))
        slope = float(jnp.sum(gradient[name]))
        assert slope == pytest.approx(float(expected), rel=1e-6, abs=1e-8), name


@pytest.mark.parametrize("epsilon", [0.0, 1e-12])
def test_epsilon_in_the_stiff_limit_by_the_one_sided_difference(epsilon):
    h = 1e-5
    (low, gradient, _), (middle, *_), (high, *_) = (
        compiled(jn.Lagged())(parameters(epsilon=epsilon + k * h)) for k in (0, 1, 2)
    )
    expected = (4 * float(middle) - float(high) - 3 * float(low)) / (2 * h)
    # Second order of a one-sided difference, and the tolerance of the root divided by h.
    assert float(gradient[0]["epsilon"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("coupling", [jn.Implicit()])
def test_a_gain_per_weight(coupling):
    p = parameters()
    direction = jnp.asarray([1.0, -2.0, 0.5, 3.0, 1.0])
    expected = difference(
        lambda gain: compiled(coupling)(p | {"gain": gain})[0], p["gain"], direction, 1e-4
    )
    found = compiled(coupling)(p)[1][0]["gain"] @ direction
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


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

    derivatives = jax.jit(jax.value_and_grad(function))
    gradient = derivatives(values)[1]
    direction = (jnp.asarray([1.0, 2.0, -1.0]), jnp.asarray([[1.0, -1.0], [0.5, 2.0]]))
    expected = difference(lambda x: derivatives(x)[0], values, direction, 1e-4)
    found = sum(jnp.sum(g * d) for g, d in zip(gradient, direction, strict=True))
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("coupling", [jn.Lagged()])
@pytest.mark.parametrize("epsilon", [0.0, 0.05])
def test_the_initial_density(coupling, epsilon):
    rng = np.random.default_rng(0)
    direction = rng.normal(size=GRID.shape)
    direction = jnp.asarray(direction - direction.mean())  # a density of another mass is refused
    p = parameters(epsilon=epsilon)
    gradient = compiled(coupling)(p)[1][1]
    expected = difference(lambda y: compiled(coupling)(p, y)[0], Y0, direction, 1e-5)
    assert float(jnp.sum(gradient * direction)) == pytest.approx(float(expected), rel=1e-6)


@cache
def compiled_unstructured(coupling):
    """The loss, its slope by the weight, and the same in forward mode."""
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))

    @jax.jit
    def derivatives(b, epsilon):
        def function(b):
            return run(jn.Network(noise=1.0, weight=b, epsilon=epsilon), LINE, coupling, y0)

        return *jax.value_and_grad(function)(b), jax.jvp(function, (b,), (jnp.ones(()),))[1]

    return derivatives


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("epsilon", [1.0, 0.0])
def test_the_weight_of_an_unstructured_network(coupling, epsilon):
    derivatives = compiled_unstructured(coupling)
    b = jnp.asarray(0.5)
    expected = float(difference(lambda b: derivatives(b, epsilon)[0], b, jnp.ones(()), 1e-3))
    _, slope, tangent = derivatives(b, epsilon)
    assert float(slope) == pytest.approx(expected, rel=1e-6)
    assert float(tangent) == pytest.approx(expected, rel=1e-6)


def along(f):
    """The derivative in forward mode."""
    return lambda b: jax.jvp(f, (b,), (jnp.ones(()),))[1]


def twice(f):
    """The slope and the second derivative: forward over reverse mode."""
    return jax.jit(lambda b: jax.jvp(jax.grad(f), (b,), (jnp.ones(()),)))


def assert_second_derivative(f, b):
    both = twice(f)
    _, second = both(b)
    expected = difference(lambda b: both(b)[0], b, jnp.ones(()), 1e-3)
    assert float(second) == pytest.approx(float(expected), rel=1e-6)
    return float(second)


def test_second_derivatives_of_a_run():
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))

    def function(b):
        return run(jn.Network(noise=1.0, weight=b), LINE, jn.Lagged(), y0, t1=0.1)

    assert_second_derivative(function, jnp.asarray(0.5))


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_second_derivatives_of_a_step_in_every_order_of_modes(coupling):
    """Those of the loop over steps have a test beside it."""
    y0, solver = jn.gaussian(LINE, v=(0.0, 0.5)), jn.FluxShift(LINE, coupling)

    def function(b):
        network, zero = jn.Network(noise=1.0, weight=b), jnp.zeros(())
        state = solver.init(network, zero, y0, None)
        state = solver.step(network, zero, jnp.asarray(0.05), state)
        return state.rate + jnp.sum(state.density**2)

    b = jnp.asarray(0.5)
    expected = assert_second_derivative(function, b)
    for second in (jax.grad(jax.grad(function)), jax.grad(along(function)), along(along(function))):
        assert float(jax.jit(second)(b)) == pytest.approx(expected, rel=1e-10)


def test_a_pulse_on_whose_edges_steps_land():
    p = {"height": jnp.asarray(2.0), "start": jnp.asarray(0.053), "duration": jnp.asarray(0.071)}
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))
    solver = jn.FluxShift(LINE, events=jn.Cascade())

    @jax.jit
    @jax.value_and_grad
    def derivatives(p):
        network = jn.Network(noise=1.0, weight=0.2, drive=jn.Pulse(base=0.5, **p))
        return loss_of(jn.solve(network, solver, y0=y0, t1=0.2, dt=0.02, saveat=jn.SaveAt(num=3)))

    gradient = derivatives(p)[1]
    for name, direction in directions(p):
        expected = difference(lambda p: derivatives(p)[0], p, direction, 1e-4)
        assert float(gradient[name]) == pytest.approx(float(expected), rel=1e-6), name


@pytest.mark.parametrize("coupling", [jn.Lagged()])
def test_gradients_of_a_batch_are_those_of_its_members(coupling):
    noises = jnp.asarray([0.5, 0.8, 1.3])

    def slope(noise):
        return jax.grad(lambda a: loss(parameters(noise=a), coupling))(noise)

    batch = jax.jit(jax.vmap(slope))(noises)
    alone = [compiled(coupling)(parameters(noise=a))[1][0]["noise"] for a in noises]
    np.testing.assert_allclose(batch, alone, rtol=1e-8)


def test_the_knob_of_storing_changes_no_gradient():
    p = parameters()
    default = compiled(jn.Lagged())(p)[1][0]
    chosen = jax.jit(jax.grad(lambda p: loss(p, jn.Lagged(), store_every=3)))(p)
    for name in p:
        np.testing.assert_allclose(chosen[name], default[name], rtol=1e-9, err_msg=name)


def test_empty_columns_and_silence_have_finite_gradients():
    density = jnp.zeros(GRID.shape).at[2, 1].set(1.0)
    y0 = density / GRID.mass(density)
    gradient = compiled(jn.Lagged())(parameters(epsilon=1.0), y0)[1]
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_the_whole_solution_is_differentiable_by_the_whole_model():
    gradient = eqx.filter_grad(lambda model: run(model, GRID, jn.Lagged(), Y0))(
        structured(structured_parameters())
    )
    leaves = jax.tree.leaves(gradient)
    assert len(leaves) == 8
    assert all(float(leaf) != 0 and np.isfinite(leaf) for leaf in leaves)
