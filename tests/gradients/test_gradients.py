"""Gradients through whole runs, in both modes, against central differences.

A program gives the value and all derivatives, since compiling takes much longer than computing.
"""

from functools import cache

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


# ---- networks that learn ---------------------------------------------------------------------


def parameters(**changes):
    return structured_parameters(gain=GAINS, **changes)


def tables(p):
    """A network whose learning strength and drive are given by their values at knots."""
    return jn.Network(
        noise=p["noise"],
        noise_slope=p["noise_slope"],
        drive=jn.Tabulated(p["signal"], t=[0.0, 0.5], w=[-0.5, 1.0]),
        response=jn.Saturating(),
        learning=jn.Hebbian(jn.Table(jnp.asarray([-0.5, 0.3, 1.0]), p["gain"])),
        epsilon=p["epsilon"],
    )


def table_parameters(**changes):
    values = {"noise": 0.8, "noise_slope": 0.1, "epsilon": 0.05}
    values |= {"gain": [0.3, -0.2, 0.4], "signal": [[1.0, 2.0], [3.0, 0.5]]}
    return {name: jnp.asarray(value) for name, value in (values | changes).items()}


# Each program compiles for long, so that each coupling has another network.
CASES = [(jn.Lagged(), tables, table_parameters), (jn.Implicit(), structured, parameters)]
every_case = pytest.mark.parametrize("case", CASES, ids=["lagged", "implicit"])
LAGGED, IMPLICIT = CASES


@cache
def compiled(case):
    """The loss, its gradient by model and initial density, and its derivative along a direction."""

    coupling, network, _ = case

    @jax.jit
    def derivatives(model, y0, direction):
        def function(model, y0):
            return run(model, GRID, coupling, y0)

        value, gradient = jax.value_and_grad(function, argnums=(0, 1))(model, y0)
        return value, gradient, jax.jvp(function, (model, y0), direction)[1]

    def call(p, y0=Y0, dp=None):
        dp = jax.tree.map(jnp.zeros_like, p) if dp is None else dp
        model, along = jax.jvp(network, (p,), (dp,))
        value, (by_model, by_y0), tangent = derivatives(model, y0, (along, jnp.zeros_like(y0)))
        by_p = jax.vjp(network, p)[1](by_model)[0]
        return value, (by_p, by_y0, by_model), tangent

    return call


def step_of(leaf):
    """That of a central difference."""
    return 1e-3 * max(float(jnp.max(jnp.abs(leaf))), 0.1)


@every_case
def test_every_parameter(case):
    p = case[-1](epsilon=0.05)
    gradient = compiled(case)(p)[1][0]
    for name, direction in directions(p):
        expected = difference(lambda p: compiled(case)(p)[0], p, direction, step_of(p[name]))
        slope, tangent = float(jnp.sum(gradient[name])), compiled(case)(p, dp=direction)[2]
        assert slope == pytest.approx(float(expected), rel=1e-6, abs=1e-8), name
        assert float(tangent) == pytest.approx(slope, rel=1e-9), name


@every_case
def test_every_other_parameter_in_the_stiff_limit(case):
    p = case[-1](epsilon=0.0)
    gradient = compiled(case)(p)[1][0]
    for name, direction in directions(p):
        if name == "epsilon":
            continue
        expected = difference(lambda p: compiled(case)(p)[0], p, direction, step_of(p[name]))
        slope = float(jnp.sum(gradient[name]))
        assert slope == pytest.approx(float(expected), rel=1e-6, abs=1e-8), name


@pytest.mark.parametrize("epsilon", [0.0, 1e-12])
def test_epsilon_in_the_stiff_limit_by_the_one_sided_difference(epsilon):
    h = 1e-5
    (low, gradient, _), (middle, *_), (high, *_) = (
        compiled(LAGGED)(table_parameters(epsilon=epsilon + k * h)) for k in (0, 1, 2)
    )
    expected = (4 * float(middle) - float(high) - 3 * float(low)) / (2 * h)
    # Second order of a one-sided difference, and the tolerance of the root divided by h.
    assert float(gradient[0]["epsilon"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("case", "name", "direction"),
    [
        (IMPLICIT, "gain", [1.0, -2.0, 0.5, 3.0, 1.0]),
        (LAGGED, "gain", [1.0, 2.0, -1.0]),
        (LAGGED, "signal", [[1.0, -1.0], [0.5, 2.0]]),
    ],
    ids=["per_weight", "table", "signal"],
)
def test_each_value_of_an_array(case, name, direction):
    p, direction = case[-1](), jnp.asarray(direction)
    expected = difference(lambda x: compiled(case)(p | {name: x})[0], p[name], direction, 1e-4)
    found = jnp.sum(compiled(case)(p)[1][0][name] * direction)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, 0.05])
def test_the_initial_density(epsilon):
    rng = np.random.default_rng(0)
    direction = rng.normal(size=GRID.shape)
    direction = jnp.asarray(direction - direction.mean())  # a density of another mass is refused
    p = table_parameters(epsilon=epsilon)
    gradient = compiled(LAGGED)(p)[1][1]
    expected = difference(lambda y: compiled(LAGGED)(p, y)[0], Y0, direction, 1e-5)
    assert float(jnp.sum(gradient * direction)) == pytest.approx(float(expected), rel=1e-6)


def test_empty_columns_and_silence_have_finite_gradients():
    density = jnp.zeros(GRID.shape).at[2, 1].set(1.0)
    y0 = density / GRID.mass(density)
    gradient = compiled(LAGGED)(table_parameters(epsilon=1.0), y0)[1]
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_the_whole_solution_is_differentiable_by_the_whole_model():
    leaves = jax.tree.leaves(compiled(IMPLICIT)(parameters())[1][2])
    assert len(leaves) == 8
    assert all(np.any(leaf != 0) and np.all(np.isfinite(leaf)) for leaf in leaves)


# ---- networks of one weight ------------------------------------------------------------------


def line(coupling, weight, epsilon, **arguments):
    """The loss of an unstructured network."""
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))
    return run(
        jn.Network(noise=1.0, weight=weight, epsilon=epsilon), LINE, coupling, y0, **arguments
    )


def forward(f):
    """The derivative in forward mode."""
    return lambda b: jax.jvp(f, (b,), (jnp.ones(()),))[1]


def twice(f):
    """The value, both first derivatives, and the second one: forward over reverse mode."""

    def derivatives(b):
        (value, slope), (tangent, second) = jax.jvp(jax.value_and_grad(f), (b,), (jnp.ones(()),))
        return value, slope, tangent, second

    return derivatives


@cache
def compiled_line(coupling):
    """The loss and its derivatives by the weight; the second one with a lagged rate alone."""

    @jax.jit
    def derivatives(b, epsilon):
        def function(b):
            return line(coupling, b, epsilon)

        if isinstance(coupling, jn.Lagged):
            return twice(function)(b)
        return *jax.value_and_grad(function)(b), forward(function)(b)

    return derivatives


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("epsilon", [1.0, 0.0])
def test_the_weight_of_an_unstructured_network(coupling, epsilon):
    derivatives, b = compiled_line(coupling), jnp.asarray(0.5)
    expected = float(difference(lambda b: derivatives(b, epsilon)[0], b, jnp.ones(()), 1e-3))
    _, slope, tangent, *second = derivatives(b, epsilon)
    assert float(slope) == pytest.approx(expected, rel=1e-6)
    assert float(tangent) == pytest.approx(expected, rel=1e-6)
    if second and epsilon:
        expected = difference(lambda b: derivatives(b, epsilon)[1], b, jnp.ones(()), 1e-3)
        assert float(second[0]) == pytest.approx(float(expected), rel=1e-6)


def test_second_derivatives_of_a_step_in_every_order_of_modes():
    """Those of the loop over steps have a test above."""
    y0, solver = jn.gaussian(LINE, v=(0.0, 0.5)), jn.FluxShift(LINE, jn.Implicit())

    def function(b):
        network, zero = jn.Network(noise=1.0, weight=b), jnp.zeros(())
        state = solver.init(network, zero, y0, None)
        state = solver.step(network, zero, jnp.asarray(0.05), state)
        return state.rate + jnp.sum(state.density**2)

    b, both = jnp.asarray(0.5), jax.jit(twice(function))
    *_, second = both(b)
    expected = difference(lambda b: both(b)[1], b, jnp.ones(()), 1e-3)
    assert float(second) == pytest.approx(float(expected), rel=1e-6)
    for other in (jax.grad(jax.grad(function)), jax.grad(forward(function))):
        assert float(jax.jit(other)(b)) == pytest.approx(float(second), rel=1e-10)
    assert float(jax.jit(forward(forward(function)))(b)) == pytest.approx(float(second), rel=1e-10)


def test_gradients_of_a_batch_are_those_of_its_members():
    def slope(b):
        return jax.grad(lambda b: line(jn.Lagged(), b, 1.0))(b)

    weights = jnp.asarray([0.5, 0.8, 1.3])
    batch = jax.jit(jax.vmap(slope))(weights)
    alone = [compiled_line(jn.Lagged())(b, 1.0)[1] for b in weights]
    np.testing.assert_allclose(batch, alone, rtol=1e-8)


def test_the_number_of_stored_steps_changes_no_gradient():
    chosen = jax.jit(jax.grad(lambda b: line(jn.Lagged(), b, 1.0, store_every=3)))(0.5)
    default = compiled_line(jn.Lagged())(jnp.asarray(0.5), 1.0)[1]
    assert float(chosen) == pytest.approx(float(default), rel=1e-9)


# ---- steps that are divided ------------------------------------------------------------------


@cache
def compiled_with_pulse(solver):
    """A loss and its gradient by the parameters of a pulse, and the number of substeps."""
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))

    def function(p):
        network = jn.Network(noise=1.0, weight=0.2, drive=jn.Pulse(**p))
        sol = jn.solve(network, solver, y0=y0, t1=0.2, dt=0.02, saveat=jn.SaveAt(num=3))
        return loss_of(sol), sol.stats["substeps"]

    return jax.jit(jax.value_and_grad(function, has_aux=True))


EVENTS = jn.FluxShift(LINE, events=jn.Cascade())


def pulse(**changes):
    numbers = {"base": 0.5, "height": 2.0, "start": 0.053, "duration": 0.071} | changes
    return {name: jnp.asarray(value) for name, value in numbers.items()}


@pytest.mark.parametrize("changes", [{}, {"base": 12.0}], ids=["calm", "fast"])
def test_a_pulse_on_whose_edges_steps_land(changes):
    p, derivatives = pulse(**changes), compiled_with_pulse(EVENTS)
    (_, substeps), gradient = derivatives(p)
    assert int(substeps) == 12 if not changes else int(substeps) > 20
    for name, direction in directions(p):
        expected = difference(lambda p: derivatives(p)[0][0], p, direction, 1e-4)
        assert float(gradient[name]) == pytest.approx(float(expected), rel=1e-6), name


def test_a_step_that_need_not_be_divided_has_the_gradient_of_one_that_cannot_be():
    p = pulse(start=1.0)  # after the end of the run
    found, expected = (
        compiled_with_pulse(solver)(p) for solver in (EVENTS, jn.FluxShift(LINE, jn.Corrected()))
    )
    assert int(found[0][1]) == 10
    assert float(found[1]["base"]) == pytest.approx(float(expected[1]["base"]), rel=1e-10)
