"""Gradients through runs and their steps, in both modes, against central differences.

A program gives the value and all derivatives, since compiling takes much longer than computing.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references.gradients import (
    CENTERS,
    GRID,
    LINE,
    difference,
    directions,
    loss_of,
    structured,
    structured_parameters,
)

import jaxnlif as jn
from jaxnlif.density.step_size import FixedStep, MassStep

from ..test_own_parts import Cubic

pytestmark = pytest.mark.slow

COUPLINGS = [jn.Lagged(), jn.Implicit()]


def run(network, grid, coupling, y0, **arguments):
    arguments = {"t1": 0.5, "dt": 0.05, "saveat": jn.SaveAt(num=3)} | arguments
    return loss_of(jn.solve(network, jn.FluxShift(grid, coupling), y0=y0, **arguments))


def steps(network, grid, coupling, y0, num=10, dt=0.05):
    """A loss of steps alone, which compile in less time than a run and all it does around them."""
    solver, columns = jn.FluxShift(grid, coupling), jnp.asarray(CENTERS)

    def step(state, t):
        state = solver.step(network, t, jnp.asarray(dt), state)
        return state, state.rate

    state = solver.init(network, jnp.zeros(()), y0, None)
    state, rates = jax.lax.scan(step, state, dt * jnp.arange(num))
    return (
        jnp.sum(rates * jnp.linspace(1.0, 2.0, num))
        + jnp.sum(grid.weight_density(state.density) * columns**2)
        + jnp.sum(state.density**2)
    )


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


# Each program compiles for long, so that each coupling has another network, and one has a run.
CASES = [
    (steps, jn.Lagged(), tables, table_parameters),
    (run, jn.Implicit(), structured, parameters),
]
every_case = pytest.mark.parametrize("case", CASES, ids=["lagged", "implicit"])
LAGGED, IMPLICIT = CASES


@cache
def compiled(case):
    """The loss, its gradient by model and initial density, and its derivative along a direction."""

    loss, coupling, network, _ = case

    @jax.jit
    def derivatives(model, y0, direction):
        def function(model, y0):
            return loss(model, GRID, coupling, y0)

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
    gradient = compiled(IMPLICIT)(parameters(epsilon=1.0), y0)[1]
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_the_whole_solution_is_differentiable_by_the_whole_model():
    leaves = jax.tree.leaves(compiled(IMPLICIT)(parameters())[1][2])
    assert len(leaves) == 8
    assert all(np.any(leaf != 0) and np.all(np.isfinite(leaf)) for leaf in leaves)


# ---- networks of one weight ------------------------------------------------------------------


def line(coupling, x, epsilon):
    """The loss of a network of one weight, by that weight and by a number of its own membrane."""
    weight, strength = x
    network = jn.Network(noise=1.0, weight=weight, membrane=Cubic(strength), epsilon=epsilon)
    y0 = jn.gaussian(LINE, v=(0.0, 0.5))
    # One reverse mode stores as many steps as it chooses, the other one as many as it is told.
    store_every = 3 if isinstance(coupling, jn.Implicit) else None
    return run(network, LINE, coupling, y0, store_every=store_every)


def forward(f):
    """The derivative in forward mode, of a function of one number."""
    return lambda b: jax.jvp(f, (b,), (jnp.ones(()),))[1]


def twice(f):
    """The value, both first derivatives, and the second one: forward over reverse mode."""

    def derivatives(x, dx):
        (value, slope), (tangent, second) = jax.jvp(jax.value_and_grad(f), (x,), (dx,))
        return value, slope, tangent, second

    return derivatives


@cache
def compiled_line(coupling):
    """The loss and its derivatives; the second one with a lagged rate alone."""

    @jax.jit
    def derivatives(x, dx, epsilon):
        def function(x):
            return line(coupling, x, epsilon)

        if isinstance(coupling, jn.Lagged):
            return twice(function)(x, dx)
        return *jax.value_and_grad(function)(x), jax.jvp(function, (x,), (dx,))[1]

    return derivatives


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("epsilon", [1.0, 0.0])
def test_the_weight_and_the_membrane_of_an_unstructured_network(coupling, epsilon):
    x = np.array([0.5, 0.1])

    def derivatives(x, dx):
        return compiled_line(coupling)(x, dx, epsilon)

    for dx in np.eye(2):
        expected = float(difference(lambda x, dx=dx: derivatives(x, dx)[0], x, dx, 1e-3))
        _, slope, tangent, *second = derivatives(x, dx)
        assert float(slope @ dx) == pytest.approx(expected, rel=1e-6)
        assert float(tangent) == pytest.approx(expected, rel=1e-6)
        if second and epsilon:
            expected = difference(lambda x, dx=dx: derivatives(x, dx)[1], x, dx, 1e-3)
            np.testing.assert_allclose(second[0], expected, rtol=1e-6)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_second_derivatives_of_a_step_in_every_order_of_modes(coupling):
    """Those of the loop over steps have a test above."""
    y0, solver = jn.gaussian(LINE, v=(0.0, 0.5)), jn.FluxShift(LINE, coupling)

    def function(b):
        network, zero = jn.Network(noise=1.0, weight=b, drive=1 + b), jnp.zeros(())
        state = solver.init(network, zero, y0, None)
        state = solver.step(network, zero, jnp.asarray(0.05), state)
        return state.rate + jnp.sum(state.density**2)

    b, one = np.array(0.5), np.array(1.0)
    both = jax.jit(twice(function))
    _, slope, tangent, second = both(b, one)
    first_and_second = (difference(lambda b, k=k: both(b, one)[k], b, one, 1e-3) for k in (0, 1))
    for found, expected in zip((slope, second), first_and_second, strict=True):
        assert float(found) == pytest.approx(float(expected), rel=1e-6)
    assert float(tangent) == pytest.approx(float(slope), rel=1e-10)
    if isinstance(coupling, jn.Implicit):  # transposed twice: the hardest
        others = (jax.grad(jax.grad(function)),)
    else:
        others = (jax.grad(forward(function)), forward(forward(function)))
    for other in others:
        assert float(jax.jit(other)(b)) == pytest.approx(float(second), rel=1e-10)


# ---- steps that are divided ------------------------------------------------------------------


@cache
def compiled_with_pulse(**parts):
    """A loss and its gradient by the parameters of a pulse, and the number of substeps."""
    y0, solver = jn.gaussian(LINE, v=(0.0, 0.5)), jn.FluxShift(LINE, **parts)

    def function(p):
        network = jn.Network(noise=1.0, weight=0.2, drive=jn.Pulse(**p))
        sol = jn.solve(network, solver, y0=y0, t1=0.2, dt=0.02, saveat=jn.SaveAt(num=3))
        return loss_of(sol), sol.stats["substeps"]

    return jax.jit(jax.value_and_grad(function, has_aux=True))


def pulse(**changes):
    numbers = {"base": 0.5, "height": 2.0, "start": 0.053, "duration": 0.071} | changes
    return {name: np.array(value) for name, value in numbers.items()}


def check_pulse(derivatives, p, names):
    """Returns the number of substeps."""
    (_, substeps), gradient = derivatives(p)
    for name, direction in directions(p):
        if name in names:
            expected = difference(lambda p: derivatives(p)[0][0], p, direction, 1e-4)
            approximately = pytest.approx(float(expected), rel=1e-6, abs=1e-12)
            assert float(gradient[name]) == approximately, name
    return int(substeps)


@pytest.mark.parametrize(
    ("changes", "fewest", "most"),
    [({}, 12, 12), ({"base": 12.0}, 21, 10_000), ({"start": 1.0}, 10, 10)],
    ids=["calm", "fast", "after the end"],
)
def test_a_pulse_on_whose_edges_steps_land(changes, fewest, most):
    p, derivatives = pulse(**changes), compiled_with_pulse(step_size=MassStep())
    assert fewest <= check_pulse(derivatives, p, names=p) <= most


def test_steps_in_which_neurons_could_fire_together():
    # Of fixed length, so that little compiles; steps that are divided have a test above.
    derivatives = compiled_with_pulse(events=jn.Cascade(), step_size=FixedStep())
    assert check_pulse(derivatives, pulse(), names=("base", "height")) == 10
