"""A type of neuron of one's own against closed forms, and parameters of each neuron."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxnlif.spikes import (
    LIF,
    QIF,
    AbstractNeuron,
    AutodiffDynamics,
    InputSpikes,
    Recurrent,
    Theta,
    sorted_spikes,
)

from ..conftest import needs_double

DURATION = 3.0


class Charging(AutodiffDynamics):
    """V' = I, I' = -I; a spike at V = 1 takes V to a value that is part of the state."""

    def waits(self, state):
        potential, current, _ = state
        missing = 1 - potential
        return jnp.where(current > missing, -jnp.log1p(-missing / current), jnp.inf)

    def evolve(self, state, dt):
        potential, current, restart = state
        return potential - current * jnp.expm1(-dt), current * jnp.exp(-dt), restart

    def kick(self, state, weights):
        potential, current, restart = state
        return potential, current + weights, restart

    def reset(self, state, fired):
        potential, current, restart = state
        return jnp.where(fired, restart, potential), current, restart


class NonLeaky(AbstractNeuron):
    tau: Array = eqx.field(converter=jnp.asarray)
    restart: Array = eqx.field(converter=jnp.asarray)

    @property
    def dynamics(self):
        return Charging()

    @property
    def time_unit(self):
        return self.tau

    def rest(self, num):
        return jnp.zeros(num, self.tau.dtype), jnp.zeros(num, self.tau.dtype)

    def state(self, initial):
        return *initial, jnp.broadcast_to(self.restart, initial[0].shape)

    def values(self, state):
        return state[:2]


# ---- the closed form -------------------------------------------------------------------------


class Setting(dict):
    """Parameters by name, in double precision; those of one may be moved."""

    def moved(self, name, step):
        return Setting(self | {name: self[name] + step})

    def network(self, dtype):
        one = {name: np.asarray(x, dtype) for name, x in self.items()}
        neuron = NonLeaky(one["tau"], one["restart"])
        net = Recurrent(neuron, one["weights"], one["input_weights"], max_spikes=8, max_events=60)
        return net, one["inputs"]


def setting(tau):
    rng = np.random.default_rng(4)
    return Setting(
        tau=np.asarray(tau),
        restart=np.asarray(-0.2),
        weights=rng.normal(0, 0.3, (3, 3)),
        input_weights=rng.uniform(0.4, 1.6, (3, 5)),
        inputs=rng.uniform(0, DURATION, (2, 5)),
    )


def spikes_of(one, sample):
    """Times and neurons of all spikes of a sample, event by event from the closed form."""
    weights = one["weights"] * (1 - np.eye(3))
    tau = np.broadcast_to(one["tau"], 3)
    order = np.argsort(one["inputs"][sample])
    inputs = [*zip(one["inputs"][sample][order], order, strict=True), (DURATION, -1)]
    now, potential, current, found = 0.0, np.zeros(3), np.zeros(3), []
    while now < DURATION:
        with np.errstate(divide="ignore", invalid="ignore"):
            waits = -tau * np.log1p(-(1 - potential) / current)
        waits = np.where(current > 1 - potential, waits, np.inf)
        first, (arrival, source) = np.argmin(waits), inputs[0]
        spikes = now + waits[first] <= arrival
        dt = waits[first] if spikes else arrival - now
        potential = potential + current * (1 - np.exp(-dt / tau))
        current = current * np.exp(-dt / tau)
        now += dt
        if spikes:
            found.append((now, first))
            potential[first] = one["restart"]
            current += weights[:, first]
        else:
            current += one["input_weights"][:, source] * (source >= 0)
            inputs.pop(0)
    return found


def weighted(one):
    """A number that depends on every spike."""
    return sum(np.sin(t + i) for sample in range(2) for t, i in spikes_of(one, sample))


@eqx.filter_jit
def with_slopes(net, inputs):
    """All spike times, and the slopes of `weighted`."""

    def loss(net, inputs):
        times = net.trial(inputs, duration=DURATION).spike_times
        real = jnp.isfinite(times)
        waves = jnp.sin(jnp.where(real, times, 0) + jnp.arange(3)[None, :, None])
        return jnp.sum(jnp.where(real, waves, 0)), times

    return jax.grad(loss, (0, 1), has_aux=True)(net, inputs)


@pytest.fixture(scope="module", params=[0.7, (0.5, 0.7, 1.1)], ids=["shared", "of each"])
def case(request, dtype):
    one = setting(request.param)
    (net, inputs), times = with_slopes(*one.network(dtype))
    slopes = {
        "tau": net.neuron.tau,
        "restart": net.neuron.restart,
        "weights": net.weights,
        "input_weights": net.input_weights,
        "inputs": inputs,
    }
    return one, times, slopes


def test_times_are_those_of_the_closed_form(case, dtype):
    one, times, _ = case
    for sample in range(2):
        found = spikes_of(one, sample)
        assert len(found) > 6
        for i in range(3):
            mine = np.asarray(times[sample, i])
            expected = [t for t, who in found if who == i]
            assert mine.dtype == dtype
            tolerance = 1e-12 if dtype == np.float64 else 5e-6
            np.testing.assert_allclose(mine[np.isfinite(mine)], expected, atol=tolerance)


def test_slopes_are_those_of_differences_of_the_closed_form(case, dtype):
    one, _, slopes = case
    tolerance = 1e-7 if dtype == np.float64 else 2e-4
    rng = np.random.default_rng(1)
    for name, slope in slopes.items():
        direction, h = rng.normal(size=slope.shape), 1e-6
        up, down = (weighted(one.moved(name, sign * h * direction)) for sign in (1, -1))
        expected = (up - down) / (2 * h)
        measured = np.sum(np.asarray(slope, float) * direction)
        assert abs(expected) > 1e-3, name
        np.testing.assert_allclose(measured, expected, rtol=tolerance, err_msg=name)


def test_values_leave_out_what_is_a_parameter(dtype):
    net, inputs = setting(0.7).network(dtype)
    trial = net.trial(inputs, duration=DURATION)
    potential, current = net.trace(trial, np.asarray([0.4, DURATION], dtype))
    expected = net.neuron.values(trial.end)
    np.testing.assert_allclose(potential[:, 1], expected[0], atol=1e-5)
    np.testing.assert_allclose(current[:, 1], expected[1], atol=1e-5)


# ---- what is refused -------------------------------------------------------------------------


class Holding(Charging):
    number: Array


class Wrong(NonLeaky):
    @property
    def dynamics(self):
        return Holding(self.tau)


class Without(NonLeaky):
    @property
    def dynamics(self) -> Any:
        return None


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Wrong, r"Wrong\.dynamics = Holding: must hold no numbers; parameters enter by"),
        (Without, r"Without\.dynamics = NoneType: must be an AbstractDynamics"),
    ],
)
def test_dynamics_that_are_none(kind, message):
    with pytest.raises(ValueError, match=message):
        Recurrent(kind(0.5, 0.0), np.zeros((1, 1)), np.zeros((1, 2)))


class Plain(NonLeaky):
    """The unit is a plain number."""

    @property
    def time_unit(self) -> Any:
        return 0.7


def test_a_unit_may_be_a_plain_number(dtype):
    net, inputs = setting(0.7).network(dtype)
    expected = net(inputs, duration=DURATION)
    plain = replace(net, neuron=Plain(dtype.type(0.7), dtype.type(-0.2)))
    measured = plain(inputs, duration=DURATION)
    assert measured.dtype == dtype
    np.testing.assert_allclose(measured, expected, rtol=1e-6)


# ---- parameters of each neuron ---------------------------------------------------------------

KINDS = {"theta": (Theta, 0.5), "qif": (QIF, 3.0), "lif": (LIF, 3.0)}


def network(name):
    kind, drive = KINDS[name]
    rng = np.random.default_rng(7)
    weights, input_weights = 0.4 * rng.normal(size=(3, 3)), drive * rng.uniform(0.5, 1.5, (3, 4))
    return Recurrent(kind(0.8), weights, input_weights, max_spikes=3, max_events=60)


@eqx.filter_jit
@jax.value_and_grad
def loss_and_slope(net, inputs):
    """Of all spikes, pseudospikes and final values, so that every path counts."""
    trial = net.trial(inputs, duration=DURATION)
    spikes = jnp.where(jnp.isfinite(trial.times), jnp.sin(trial.times), 0)
    end = net.neuron.values(trial.end)
    return jnp.sum(spikes) + sum(jnp.sum(jnp.arctan(x)) for x in end)


def arriving():
    rng = np.random.default_rng(8)
    one = sorted_spikes(rng.uniform(0, DURATION, 8), rng.integers(0, 4, 8))
    return InputSpikes(*map(jnp.asarray, one))


@needs_double
@pytest.mark.parametrize("name", KINDS)
def test_slopes_in_parameters_of_each_neuron(name, dtype):
    """Against central differences; equal parameters are one."""
    net, inputs = network(name), arriving()

    def of(taus):  # from the same initial values
        return loss_and_slope(replace(net, neuron=KINDS[name][0](taus)), inputs)

    taus, h = jnp.asarray([0.7, 0.9, 1.2]), 1e-6
    slope = of(taus)[1]
    for i in range(3):
        up, down = (of(taus.at[i].add(sign * h))[0] for sign in (1, -1))
        np.testing.assert_allclose(slope.neuron.tau[i], (up - down) / (2 * h), rtol=2e-6)
        assert abs(slope.neuron.tau[i]) > 1e-3

    value, equal = of(jnp.full(3, 0.8))
    expected, shared = of(0.8)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(jnp.sum(equal.neuron.tau), shared.neuron.tau, rtol=1e-9)
    np.testing.assert_allclose(equal.weights, shared.weights, atol=1e-10)
    np.testing.assert_allclose(equal.input_weights, shared.input_weights, atol=1e-10)
