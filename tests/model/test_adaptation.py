"""Spike-triggered adaptation: stationary states, its course in time, derivatives, refusals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxnlif as jn

LINE = jn.VoltageGrid(-3.0, 2.0, reset=1.0, num=60)
PAIR = jn.Grid(LINE, populations=2)


def _network(**given: Any) -> jn.Network:
    arguments: dict[str, Any] = {"weight": [[0.5, -1.0], [0.8, -1.0]], "drive": 1.5, **given}
    return jn.Network(**arguments)


def _rate(model: jn.Network, grid: jn.Grid, t1: float, dt: float) -> jax.Array:
    y0 = jn.gaussian(grid, v=(0.0, 0.5))
    return jn.solve(model, jn.FluxShift(grid), y0=y0, t1=t1, dt=dt).rate


def test_a_run_ends_in_the_stationary_state_of_adapted_neurons():
    model = _network(adaptation=jn.Adaptation([3.0, 0.5], [2.0, 0.5]), delay=0.1)
    rates = jn.stationary.circuit_rate(model, jnp.array([0.2, 0.4]), threshold=2.0, reset=1.0)
    np.testing.assert_allclose(_rate(model, PAIR, 20.0, 0.05)[-1], rates, rtol=2e-3)
    lowered = _network(weight=[[0.5 - 3.0, -1.0], [0.8, -1.0 - 0.5]])
    same = jn.stationary.circuit_rate(lowered, jnp.array([0.2, 0.4]), threshold=2.0, reset=1.0)
    np.testing.assert_allclose(rates, same, rtol=1e-10)


def test_one_network_is_one_population():
    given = {"drive": 2.0, "adaptation": jn.Adaptation(2.0, 1.0)}
    one = _rate(jn.Network(weight=0.5, **given), jn.Grid(LINE), 1.0, 0.05)
    same = _rate(jn.Network(weight=[[0.5]], **given), jn.Grid(LINE, populations=1), 1.0, 0.05)
    np.testing.assert_allclose(one, same[:, 0], rtol=1e-12)


def test_a_small_disturbance_decays_at_the_rate_of_the_leading_eigenvalue():
    model = _network(weight=[[0.3]], drive=1.5, adaptation=jn.Adaptation(3.0, 8.0))
    rates = jn.stationary.circuit_rate(model, jnp.array([0.2]), threshold=2.0, reset=1.0)
    leading = jn.stability.eigenvalues(model, LINE, rates)[0]
    change = jnp.diff(_rate(model, jn.Grid(LINE, populations=1), 40.0, 0.05)[:, 0])
    decay = jnp.log(change[-10] / change[-30]) / (20 * 0.4)
    np.testing.assert_allclose(decay, leading.real, rtol=5e-3)
    assert abs(leading.imag) < 1e-9


def test_the_course_of_a_straight_rate_is_exact():
    adaptation = jn.Adaptation([2.0, 1.0], [0.5, 4.0])
    ts = jnp.array([0.0, 0.1, 0.1, 1.5, 3.0])
    rate = jnp.stack([ts, 2 - ts], axis=1)
    tau = np.asarray(adaptation.time_constant)
    decayed = np.exp(-np.asarray(ts)[:, None] / tau)
    rising = np.asarray(ts)[:, None] - tau * (1 - decayed)
    exact = np.stack([rising[:, 0], 2 * (1 - decayed[:, 1]) - rising[:, 1]], axis=1)
    found = adaptation.course(ts, rate)
    np.testing.assert_allclose(found, exact * np.array([2.0, 1.0]), atol=1e-14)


def test_gradients_flow_through_strength_and_time_constant():
    def last(strength: jax.Array, time_constant: jax.Array) -> jax.Array:
        model = _network(adaptation=jn.Adaptation(strength, time_constant))
        return _rate(model, PAIR, 0.5, 0.05)[-1]

    check_grads(last, (jnp.array([3.0, -1.0]), jnp.array([0.8, 0.3])), 1, ("rev",), rtol=1e-6)


def test_single_precision_agrees():
    model = _network(adaptation=jn.Adaptation(3.0, 0.5))
    grid = jn.Grid(LINE, populations=2, dtype=np.float32)
    rate = _rate(model, grid, 2.0, 0.05)
    assert rate.dtype == np.float32
    np.testing.assert_allclose(rate, _rate(model, PAIR, 2.0, 0.05), rtol=1e-4)


@pytest.mark.parametrize("delay", [None, 0.5])
def test_strong_adaptation_is_right_at_any_step(delay: float | None):
    given = {"weight": 0.0, "drive": 20.0, "adaptation": jn.Adaptation(200.0, 0.1)}
    model = jn.Network(delay=delay, **given)
    wanted = jn.stationary.circuit_rate(model, jnp.array(0.1), threshold=2.0, reset=1.0)
    for dt in (0.1, 0.5):  # one program
        rate = _rate(model, jn.Grid(LINE), 200 * dt, dt)
        np.testing.assert_allclose(rate[-5:], jnp.broadcast_to(wanted, 5), rtol=5e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"adaptation": 3.0}, "adaptation = 3.0: must be Adaptation"),
        ({"adaptation": jn.Adaptation([1.0, 2.0, 3.0], 1.0)}, "adaptation strength: of shape"),
        ({"weight": None, "adaptation": jn.Adaptation(1.0, 1.0)}, "adaptation: is that of an"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        _network(**given)


def test_numbers_have_signs():
    with pytest.raises(ValueError, match="time_constant = 0"):
        jn.Adaptation(1.0, 0.0)
    with pytest.raises(ValueError, match="strength"):
        jn.Adaptation(jnp.nan, 1.0)
    adapting = jn.Network(weight=0.5, adaptation=jn.Adaptation(1.0, 1.0))
    y0 = jn.gaussian(jn.Grid(LINE), v=(0.0, 0.5))
    solver = jn.FluxShift(jn.Grid(LINE), neurons=100)
    with pytest.raises(ValueError, match="neurons: FluxShift does not take them for a network"):
        jn.solve(adapting, solver, y0=y0, t1=1.0, dt=0.1, key=jax.random.key(0))
