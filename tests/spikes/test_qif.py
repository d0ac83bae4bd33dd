"""The free motion of a QIF neuron against differential equations and 30 digits."""

import jax
import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from jaxnlif.spikes import QIF
from jaxnlif.spikes.qif import QIFState

from ..conftest import needs_double

# potentials and currents on both sides of every distinction a formula might make
POTENTIALS = [-1e3, -2.0, -0.3, 0.0, 0.4, 1.0, 1.5, 30.0]
CURRENTS = [-40.0, -2.25, -0.09, -1e-9, 0.0, 1e-300, 1e-9, 0.16, 2.4, 9.9, 60.0]
STATES = np.array([(v, i) for v in POTENTIALS for i in CURRENTS])


def exact_flow(v, i, dt):
    """With complex square roots, to 30 digits."""
    e = mp.exp(-dt)
    u, root = 1 - e, mp.sqrt(mp.mpc(i))
    cosine = mp.cos(root * u)
    sine = mp.sin(root * u) / root if i != 0 else u
    return mp.re(e * (v * cosine + i * sine) / (cosine - v * sine))


def exact_spike(v, i):
    """The first passage by its closed forms, to 30 digits; None where there is none."""
    v, i = mp.mpf(v), mp.mpf(i)
    if i > 0:
        u = mp.atan2(mp.sqrt(i), v) / mp.sqrt(i)
    elif i < 0:
        root = mp.sqrt(-i)
        u = mp.atanh(root / v) / root if v > root else mp.mpf(2)
    else:
        u = 1 / v if v > 0 else mp.mpf(2)
    return -mp.log(1 - u) if u < 1 else None


@pytest.fixture(scope="module")
def neuron(dtype):
    return QIF(dtype.type(1))


@pytest.fixture(scope="module")
def states(dtype):
    chosen = STATES.astype(dtype)
    return chosen[:, 0], chosen[:, 1]


@pytest.fixture(scope="module")
def spikes(neuron, states):
    """Times of the next spike and their derivatives in potential and current."""
    time, slopes = jax.jit(jax.vmap(jax.value_and_grad(neuron.next_spike, (0, 1))))(*states)
    return [np.asarray(x) for x in (time, *slopes)]


def test_next_spike_and_its_derivatives(spikes, states, dtype):
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    with mp.workdps(40):
        for time, in_v, in_i, v, i in zip(*spikes, *map(np.asarray, states), strict=True):
            expected = exact_spike(float(v), float(i))
            if expected is None:
                assert time == np.inf
                assert in_v == in_i == 0
                continue
            v, i = mp.mpf(float(v)), mp.mpf(float(i))
            # t = -log(1 - u) multiplies the rounding of u by e^t
            loose = tolerance * np.exp(float(expected))
            if loose > 1:
                continue
            assert time == pytest.approx(float(expected), rel=tolerance, abs=loose)
            slope = mp.diff(lambda x, i=i: exact_spike(x, i), v, h=mp.mpf(10) ** -12)
            assert in_v == pytest.approx(float(slope), rel=10 * loose)
            if abs(i) > 1e-8:
                slope = mp.diff(lambda x, v=v: exact_spike(v, x), i, h=mp.mpf(10) ** -12)
                assert in_i == pytest.approx(float(slope), rel=10 * loose)


def test_no_spike_where_none_comes(spikes, states):
    v, i = map(np.asarray, states)
    assert np.all(np.isinf(spikes[0][(v < 1) & (np.abs(i) < 1e-8)]))
    assert np.all(np.isinf(spikes[0][(v <= 0) & (i < 2.4)]))


def test_flow_and_its_derivatives(neuron, states, spikes, dtype):
    """Shortly before a spike, or after a while where there is none."""
    spike = spikes[0]
    dt = np.where(np.isinf(spike), 1.3, 0.7 * np.minimum(spike, 5)).astype(dtype)
    derivative = jax.value_and_grad(lambda *a: neuron.flow(*a), (0, 1, 2), has_aux=True)
    (later, current), slopes = jax.jit(jax.vmap(derivative))(*states, dt)
    np.testing.assert_allclose(current, states[1] * np.exp(-2 * dt), rtol=1e-5)
    tolerance = 1e-11 if dtype == np.float64 else 1e-4
    with mp.workdps(40):
        for k, (v, i, t) in enumerate(zip(*map(np.asarray, states), dt, strict=True)):
            point = [mp.mpf(float(x)) for x in (v, i, t)]
            # a potential near 0 has lost digits to those it came from
            scale = {"rel": tolerance, "abs": tolerance * (1 + float(abs(i)))}
            assert later[k] == pytest.approx(float(exact_flow(*point)), **scale)
            if abs(i) < 1e-8:
                continue
            for which, slope in enumerate(slopes):
                order = tuple(int(which == n) for n in range(3))
                expected = mp.diff(exact_flow, tuple(point), order, h=mp.mpf(10) ** -12)
                assert slope[k] == pytest.approx(
                    float(expected), rel=20 * tolerance, abs=20 * tolerance
                )


@needs_double
def test_the_current_decays_with_its_derivatives(neuron):
    slopes = jax.jit(jax.grad(lambda *x: neuron.flow(*x)[1], (0, 1, 2)))(0.4, 3.0, 0.3)
    expected = 0, np.exp(-0.6), -6 * np.exp(-0.6)  # of I e^{-2t}
    np.testing.assert_allclose(slopes, expected, rtol=1e-5)


@needs_double
def test_derivative_goes_on_through_current_zero(neuron):
    """At I = 0 the derivatives are the limits from both sides."""
    currents = np.array([-1e-7, 0.0, 1e-7])
    slope = jax.jit(jax.vmap(jax.grad(neuron.next_spike, 1), (None, 0)))(1.7, currents)
    np.testing.assert_allclose(slope, slope[1], rtol=1e-6)
    np.testing.assert_allclose(slope[1], (slope[0] + slope[2]) / 2, rtol=1e-12)
    # δt = -e^t ∫ D² du, D = 1 - u V, u = 1/V
    assert slope[1] == pytest.approx(-(1 / 3 / 1.7) / (1 - 1 / 1.7) / 1.7**2, rel=1e-13)


def test_flow_solves_the_differential_equation(dtype):
    neuron = QIF(dtype.type(0.6))
    for v, i in [(-1.0, 5.0), (0.9, 0.0), (2.0, -6.0)]:
        solution = solve_ivp(
            lambda _, y: [(y[0] * (y[0] - 1) + y[1]) / 0.6, -2 * y[1] / 0.6],
            (0, 0.25),
            [v, i],
            method="DOP853",
            rtol=1e-13,
            atol=1e-13,
        )
        measured = [float(x) for x in neuron.flow(dtype.type(v), dtype.type(i), dtype.type(0.25))]
        tolerance = 1e-11 if dtype == np.float64 else 1e-5
        assert measured == pytest.approx(list(solution.y[:, -1]), rel=tolerance)


def test_next_spike_where_the_flow_is_infinite(neuron, dtype):
    time = neuron.next_spike(dtype.type(0.3), dtype.type(6.0))
    before, _ = neuron.flow(dtype.type(0.3), dtype.type(6.0), time * dtype.type(1 - 1e-4))
    after, _ = neuron.flow(dtype.type(0.3), dtype.type(6.0), time * dtype.type(1 + 1e-4))
    assert before > 1e3
    assert after < -1e3


def test_states_at_infinity_stay_finite(neuron, dtype):
    """Just reset, about to spike, and inhibited beyond what a hyperbolic cosine can hold."""
    state = QIFState(
        *(np.array([x], dtype).T for x in ([-1, 1, 1, -1], [0, 0, 0, 0], [3, -9, 0, -1e5]))
    )
    moved = jax.jit(neuron.dynamics.evolve)(state, np.full((1, 1), 0.5, dtype))
    for values in moved:
        assert np.all(np.isfinite(values))
    np.testing.assert_allclose(moved.n**2 + moved.d**2, 1, rtol=1e-5)
    first, wait = jax.jit(neuron.dynamics.next_spike)(state)
    assert first == 1
    assert wait == 0


@needs_double
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_shapes_broadcast(neuron, shape):
    v, i = jax.eval_shape(neuron.flow, np.zeros(shape), 2.0, 0.1)
    assert v.shape == i.shape == shape
    assert jax.eval_shape(neuron.next_spike, 2.0, np.ones(shape)).shape == shape
