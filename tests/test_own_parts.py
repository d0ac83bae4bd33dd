"""A membrane, a synapse, a transport and a step size of one's own, in every solver."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, TypeCheckError

import jaxnlif as jn
from jaxnlif.density.step_size import AbstractStepSize, FixedStep
from jaxnlif.density.transport import AbstractTransport, Moved
from jaxnlif.model import AbstractMembrane
from jaxnlif.model.synapse import AbstractSynapse

LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=120))
PLANE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60), w=jn.WeightGrid(0.0, 1.2, num=12))

WRONG = (ValueError, TypeCheckError)  # whichever looks first


class Cubic(AbstractMembrane):
    """A leak that grows with the potential, f(v) = -v - c v³."""

    strength: Array = eqx.field(converter=jnp.asarray)

    def drift(self, v):
        return -v - self.strength * v**3


class Doubled(AbstractSynapse):
    """Every spike kicks twice."""

    weight: Array = eqx.field(converter=jnp.asarray)

    def input(self, w, signals):
        return 2 * w * signals[0]

    def kick(self, w):
        return 2 * w


class Times(jn.AbstractResponse):
    """σ(x) = factor · x."""

    factor: Array = eqx.field(converter=jnp.asarray)

    def __call__(self, rate):
        return self.factor * rate


class Explicit(AbstractTransport):
    """One explicit step of the decay of positive weights, for small steps."""

    def move(self, learning, density):
        faces = jnp.maximum(jnp.asarray(learning.grid.w.faces, density.dtype), 0)
        falling = (learning.dt / learning.grid.weight_spacing * faces)[None] * density[:, 1:]
        nothing = jnp.zeros_like(density[:, :1])
        moved = density + jnp.append(falling, nothing, 1) - jnp.append(nothing, falling, 1)
        return Moved(moved, jnp.zeros((), jnp.int32), jnp.ones((), bool))


class Halves(AbstractStepSize):
    max_substeps: int = eqx.field(static=True, default=4)

    def longest(self, situation):
        return situation.dt / 2


def run(model, solver, grid=LINE, *, t1=0.5, dt=0.01, **options):
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), **({} if grid.w is None else {"w": (0.4, 0.1)}))
    return jn.solve(model, solver, y0=y0, t1=t1, dt=dt, **options)


def solver_of(name):
    density, particles = jn.FluxShift(LINE), jn.Particles(20_000, LINE)
    both = jn.MultiScale(density, particles)
    return {"density": density, "particles": particles, "both": both}[name]


@functools.cache
def with_a_membrane(name, own):
    """A run of neurons of one's own membrane, with a synapse of one's own or without."""
    synapse = {"synapse": Doubled(0.15)} if own else {"weight": 0.3}
    model = jn.Network(drive=3.0, membrane=Cubic(0.1), **synapse)
    return run(model, solver_of(name), t1=8.0, dt=0.02, key=jax.random.key(0))


@functools.cache
def stationary_rate():
    """That of the network in `with_a_membrane`."""
    membrane = Cubic(0.1)

    @jax.jit
    def root():
        def improved(_, rate):
            return jn.stationary.firing_rate(3.0 + 0.3 * rate, membrane=membrane)

        return jax.lax.fori_loop(0, 30, improved, jn.stationary.firing_rate(3.0, membrane=membrane))

    return float(root())


@pytest.mark.parametrize("name", ["density", "particles", "both"])
def test_a_membrane_and_a_synapse_run_in_every_solver(name):
    sol = with_a_membrane(name, True)
    assert sol.result == jn.Result.completed
    late = float(sol.spikes[-1] - sol.spikes[50]) / 4
    assert late == pytest.approx(stationary_rate(), rel=0.01)


@pytest.mark.parametrize("name", ["density", "particles"])
def test_a_synapse_kicks_as_a_weight_of_that_strength(name):
    found, expected = (with_a_membrane(name, own) for own in (True, False))
    np.testing.assert_allclose(found.rate, expected.rate, rtol=1e-12)


def test_a_synapse_replaces_weight_response_and_delay():
    for name, value in (("weight", 1.0), ("response", jn.Identity()), ("delay", 0.1)):
        with pytest.raises(ValueError, match=f"{name}: must not be given together with a synapse"):
            jn.Network(synapse=Doubled(0.2), **{name: value})


def test_a_response_in_proportion_to_the_rate_kicks_in_every_solver():
    """One rule for the density and for particles says who can fire together."""
    five, one = (
        jn.Network(drive=1.0, weight=weight, response=Times(factor))
        for weight, factor in ((0.6, 5.0), (3.0, 1.0))
    )
    for solver in (jn.Particles(4000, LINE), jn.FluxShift(LINE, events=jn.Cascade())):
        found, expected = (
            run(model, solver, t1=2.0, key=jax.random.key(0)) for model in (five, one)
        )
        assert len(expected.events.time) > 0
        assert len(found.events.time) == len(expected.events.time)
        np.testing.assert_allclose(found.spikes, expected.spikes, rtol=1e-3)


def test_a_transport_moves_the_weights():
    rule = jn.Network(drive=0.0, learning=jn.Hebbian(0.0), epsilon=1.0)
    own, upwind = (
        run(rule, jn.FluxShift(PLANE, **given), PLANE, t1=0.2)
        for given in ({"transport": Explicit()}, {})
    )
    np.testing.assert_allclose(own.weights[-1], upwind.weights[-1], atol=0.02)
    assert float(own.stats["mass_drift"]) < 1e-5
    with pytest.raises(WRONG, match="transport"):
        jn.FluxShift(PLANE, transport=3)


def test_a_step_size_divides_the_steps():
    model = jn.Network(weight=0.5, drive=2.0)
    found = run(model, jn.FluxShift(LINE, step_size=Halves()), dt=0.02)
    expected = run(model, jn.FluxShift(LINE, step_size=FixedStep()), dt=0.01)
    assert int(found.stats["substeps"]) == 50
    np.testing.assert_allclose(found.rate[-1], expected.rate[-1], rtol=1e-5)
    with pytest.raises(WRONG, match="step_size"):
        jn.FluxShift(LINE, step_size=3)
