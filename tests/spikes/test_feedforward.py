"""Feed-forward networks: spike times, gradients, what arrives and what is refused."""

from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from references.layers import integrate

from jaxnlif import SolveError
from jaxnlif.spikes import BinnedSpikes, FeedForward, Theta, Volleys

from ..conftest import needs_double

DURATION = 7.0


@pytest.fixture(scope="module")
def net(dtype):
    """Two layers with delays and random phases, active for longer than two periods."""
    neuron = Theta(tau=dtype.type(1.2), I0=dtype.type(1.4))
    drawn = FeedForward.init(
        neuron, [6, 5, 3], key=jax.random.key(1), scale=3.0,
        max_spikes=6, delayed=(0,), dtype=dtype,
    )  # fmt: skip
    rng = np.random.default_rng(2)
    period = float(neuron.period)
    initial = tuple(jnp.asarray(rng.uniform(0, period, n), dtype) for n in (5, 3))
    delays = (jnp.asarray(rng.uniform(0, 1, 6), dtype), None)
    return replace(drawn, initial=initial, delays=delays)


@pytest.fixture(scope="module")
def inputs(dtype):
    times = np.random.default_rng(3).uniform(0, DURATION, (4, 6))
    times[0, 0] = np.inf
    return jnp.asarray(times, dtype)


@pytest.fixture(scope="module")
def trial(net, inputs):
    return net.trial(inputs, duration=DURATION)


def test_spikes_are_those_of_the_differential_equation(net, inputs, trial, dtype):
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    for sample in range(2):
        spikes, phases = integrate(net, np.asarray(inputs[sample], float), DURATION)
        expected = [times for layer in spikes for times in layer]
        found = np.asarray(trial.spike_times[sample])
        for times, row in zip(expected, found, strict=True):
            np.testing.assert_allclose(row[np.isfinite(row)], times, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(trial.num_spikes[sample], [len(x) for x in expected])
        (end,) = net.neuron.values(jax.tree.map(lambda x, k=sample: x[k], trial.end))
        np.testing.assert_allclose(end, np.concatenate(phases), atol=tolerance)
    assert int(jnp.max(trial.num_spikes)) >= 3
    assert jnp.all(trial.finished)


def test_output_times_ascend_and_go_on_beyond_the_end(net, trial):
    times = np.asarray(trial.times)
    assert np.all(np.diff(times, axis=-1) > 0)
    ordinary = np.isfinite(np.asarray(net.per_layer(trial.spike_times, axis=-2)[-1]))
    np.testing.assert_array_equal(times < DURATION, ordinary)
    assert np.all(times[~ordinary] >= DURATION)


@needs_double
def test_mapped_samples_are_those_of_the_batch(net, inputs, trial):
    mapped = jax.jit(jax.vmap(partial(net, duration=DURATION)))(inputs)
    np.testing.assert_allclose(mapped, trial.times, rtol=1e-5)


@needs_double
def test_gradients_are_central_differences(net, inputs):
    coefficients = jnp.asarray(np.random.default_rng(4).normal(size=(4, 3, 6)))
    start, fixed = eqx.partition((net, inputs.at[0, 0].set(20.0)), eqx.is_inexact_array)
    vector, restore = ravel_pytree(start)

    @jax.jit
    @jax.value_and_grad
    def loss(vector):
        one, times = eqx.combine(restore(vector), fixed)
        return jnp.sum(coefficients * one(times, duration=DURATION))

    gradient = np.asarray(loss(vector)[1])
    rng = np.random.default_rng(5)
    for _ in range(6):
        direction = rng.normal(size=vector.shape)
        direction = jnp.asarray(direction / np.linalg.norm(direction))

        def slope(h, direction=direction):
            ahead, behind = loss(vector + h * direction)[0], loss(vector - h * direction)[0]
            return (ahead - behind) / (2 * h)

        h = 2e-4
        differences = (slope(2 * h) - 20 * slope(h) + 64 * slope(h / 2)) / 45
        np.testing.assert_allclose(gradient @ direction, differences, rtol=1e-8)


def test_gradients_of_mapped_samples_add_up():
    net = FeedForward.init(Theta(), [3, 2], key=jax.random.key(0), scale=3.0)
    inputs = jnp.asarray(np.random.default_rng(6).uniform(0, 2, (4, 3)))

    def loss(weights, times):
        one = eqx.tree_at(lambda one: one.layer_weights, net, weights)
        return jnp.sum(one(times, duration=2.0))

    together = jax.jit(jax.grad(loss))(net.layer_weights, inputs)
    apart = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(net.layer_weights, inputs)
    np.testing.assert_allclose(jnp.sum(apart[0], 0), together[0], rtol=1e-4, atol=1e-5)


def test_volleys_are_spikes_at_shared_times():
    net = FeedForward.init(Theta(), [5, 3], key=jax.random.key(0), scale=4.0)
    which = np.array([[0, 1, 2, 1, 3], [3, 3, 2, 0, -1]])
    times = np.array([0.2, 0.9, 2.5])
    single = np.where(np.isin(which, (0, 1, 2)), times[np.clip(which, 0, 2)], np.inf)
    expected = net(jnp.asarray(single), duration=3.0)
    found = net(Volleys(times, which), duration=3.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    counts = which[:, None] == np.arange(3)[:, None]
    binned = net(BinnedSpikes(times, counts), duration=3.0)
    np.testing.assert_allclose(binned, expected, rtol=1e-5)


def alone(dtype, *, start=0.0, duration=20.0):
    """A neuron that oscillates without input."""
    start, nothing = jnp.asarray([start], dtype), jnp.full(1, jnp.inf, dtype)
    neuron = jax.tree.map(lambda x: x.astype(dtype), Theta())
    net = FeedForward(neuron, [jnp.zeros((1, 1), dtype)], [start], max_spikes=8)
    return jax.jit(lambda duration: net.trial(nothing, duration=duration))(dtype.type(duration))


def test_long_trials_without_input_count_every_period(dtype):
    trial = alone(dtype)
    np.testing.assert_allclose(trial.times[0], np.pi * np.arange(1, 9), rtol=1e-5)
    assert trial.num_spikes.tolist() == [6]


def test_a_neuron_that_is_about_to_spike_spikes_at_once(dtype):
    trial = alone(dtype, start=Theta().period, duration=1.0)
    assert trial.num_spikes.tolist() == [1]
    assert float(trial.times[0, 0]) == pytest.approx(0.0, abs=1e-6)


def test_too_many_spikes_are_reported(dtype):
    trial = alone(dtype, duration=40.0)
    assert trial.num_spikes.tolist() == [12]
    assert not trial.finished
    assert jnp.all(jnp.isnan(trial.times))


def test_too_many_spikes_raise_an_error_that_names_the_sample():
    net = FeedForward(Theta(), [np.array([[40.0]])], max_spikes=2)
    with pytest.raises(SolveError, match=r"max_spikes = 2: a neuron spikes more .* \(sample 1\)"):
        net(np.array([[np.inf], [0.1]]), duration=7.0)


@pytest.mark.parametrize("dtype", [np.float32], ids=["float32"], indirect=True)
def test_strong_and_many_inputs_do_not_overflow(dtype):
    """The size of the unnormalised point grows far beyond what float32 holds."""
    inputs = jnp.linspace(0, 29, 200, dtype=dtype)
    weights = jnp.where(jnp.arange(200)[None] % 2, 30.0, -31.0).astype(dtype)
    net = FeedForward(Theta(), [weights], [jnp.ones(1, dtype)], max_spikes=100)
    learned, fixed = eqx.partition(net, eqx.is_inexact_array)
    value, gradient = jax.jit(
        jax.value_and_grad(lambda one: jnp.sum(eqx.combine(one, fixed)(inputs, duration=30.0)))
    )(learned)
    assert jnp.isfinite(value)
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


@jax.jit
@partial(jax.grad, has_aux=True)
def fourth_spike_and_all(weights, net, inputs):
    net = eqx.tree_at(lambda n: n.layer_weights[0], net, weights)
    times = net(inputs, duration=40.0)[0]
    return times[3], times


@pytest.mark.parametrize("weight", [-30.0, -4.0, 8.0, 300.0])
def test_weights_of_one_sign_lose_nothing_in_single_precision(weight):
    """Inputs that all turn a point the same way make it grow fastest."""

    def first(dtype):
        inputs = jnp.arange(0.5, 32, dtype=dtype)
        neuron, weights = Theta(dtype(1), dtype(1.25)), jnp.full((1, 32), weight, dtype)
        net = FeedForward(neuron, [weights], [jnp.ones(1, dtype)], max_spikes=40)
        slope, times = fourth_spike_and_all(weights, net, inputs)
        return times, slope[0]

    (single, single_slope), (double, double_slope) = first(np.float32), first(np.float64)
    np.testing.assert_allclose(single, double, rtol=1e-4)
    scale = np.linalg.norm(double_slope)
    np.testing.assert_allclose(single_slope / scale, double_slope / scale, atol=1e-3)


def test_numbers_do_not_recompile():
    traces = []

    @jax.jit
    def run(net, inputs, duration):
        traces.append(1)
        return net(inputs, duration=duration)

    for seed, tau in ((0, 1.0), (1, 2.0)):
        neuron = Theta(tau, 1.25 + seed)
        net = FeedForward.init(neuron, [2, 2], key=jax.random.key(seed))
        run(net, jnp.asarray([0.1, 0.2]) + seed, jnp.asarray(2.0 + seed))
    assert len(traces) == 1


@needs_double
def test_phases_and_delays_return_to_their_ranges(net):
    moved = eqx.tree_at(
        lambda one: (one.initial[0], one.delays[0]), net, (net.initial[0] - 5, net.delays[0] - 5)
    )
    clipped = moved.clipped()
    assert float(jnp.min(clipped.initial[0])) == 0
    assert float(jnp.max(clipped.delays[0])) == 0
    assert clipped.delays[1] is None


@needs_double
def test_trainable_are_weights_phases_and_delays(net):
    learned = eqx.filter(net, net.trainable())
    assert len(jax.tree.leaves(learned)) == 2 + 2 + 1
    assert learned.neuron.tau is None
    assert eqx.filter(net, net.trainable(neuron=True)).neuron.tau is not None


W = np.zeros((3, 2))
PHASES = np.ones(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([W, W], [PHASES, PHASES]), r"layer_weights\[1\]: shape \(3, 2\) must end with 3"),
        (([W], [np.ones(2)]), r"initial\[0\]: shape \(2,\) must be \(3,\)"),
        (([W], [PHASES, PHASES]), "must be as many as layer_weights, 1"),
        (([W[0]], [PHASES]), r"layer_weights\[0\]: shape \(2,\) must be \(neurons, before\)"),
        (([W + np.nan], [PHASES]), r"layer_weights\[0\] = nan at \[0, 0\]: must be finite"),
        (([W], [PHASES - 2]), r"initial\[0\] = -1 at \[0\]: must not be negative"),
        (
            ([W], [PHASES + 9]),
            r"initial\[0\] = 10: phases must not exceed the period, 3.14159",
        ),
        (([], []), "layer_weights: at least one layer"),
    ],
)
def test_wrong_networks(arguments, message):
    with pytest.raises(ValueError, match=message):
        FeedForward(Theta(), *arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 2.0}, r"duration: is given to a trial, net.trial\(inputs, duration=…\)"),
        ({"weights": [W]}, r"weights: were \(from, to\); .* transposed, as layer_weights"),
        ({"max_spikes": 0}, "max_spikes = 0: must be at least 1"),
        ({"delays": [-np.ones(2)]}, r"delays\[0\] = -1 at \[0\]: must not be negative"),
        ({"delays": [np.ones(3)]}, r"delays\[0\]: shape \(3,\) must be \(2,\) or \(3, 2\)"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        FeedForward(Theta(), [W], [PHASES], **options)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.1, np.nan], "spike times must not be NaN"),
        ([0.1, -0.2], "spike times must not be negative"),
        ([0.1], r"inputs: shape \(1,\) must end with 2"),
    ],
)
def test_wrong_inputs(times, message):
    net = FeedForward(Theta(), [W], [PHASES])
    with pytest.raises(ValueError, match=message):
        net(jnp.asarray(times), duration=2.0)
    with pytest.raises(ValueError, match="duration = 0: must be positive"):
        net(jnp.zeros(2), duration=0.0)


def test_volleys_have_no_delays():
    net = FeedForward(Theta(), [W], [PHASES], delays=[np.ones(2)])
    with pytest.raises(ValueError, match="Volleys cannot be delayed"):
        net(Volleys(jnp.ones(1), jnp.zeros(2, int)), duration=2.0)


@pytest.mark.parametrize("times", [[0.2, 0.1], [0.1, 0.1], [np.nan], [-1.0]])
def test_wrong_volleys(times):
    with pytest.raises(ValueError, match="times"):
        Volleys(times, np.zeros(3, int))
