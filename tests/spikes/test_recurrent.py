"""Networks against differential equations and central differences; what a trial reports."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import networks as reference

from jaxnlif.spikes import (
    LIF,
    QIF,
    InputSpikes,
    Recurrent,
    Theta,
    qif_pseudospikes,
)

from ..conftest import needs_double

TAU, CURRENT = 0.8, 1.1
BUDGET = 100

NETWORKS = {
    "qif": (lambda: QIF(TAU), reference.random_setting(1), lambda s: reference.qif(s, TAU)),
    "lif": (
        lambda: LIF(TAU),
        reference.random_setting(5, strength=0.3, drive=1.5),
        lambda s: reference.lif(s, TAU),
    ),
    "theta": (
        lambda: Theta(TAU, CURRENT),
        reference.random_setting(3, strength=0.5, drive=0.5),
        lambda s: reference.theta(s, TAU, CURRENT),
    ),
}


def network(name, dtype):
    make, setting, _ = NETWORKS[name]
    neuron = jax.tree.map(lambda x: x.astype(dtype), make())
    weights, inputs = setting.weights.astype(dtype), setting.input_weights.astype(dtype)
    net = Recurrent(neuron, weights, inputs, max_spikes=BUDGET, max_events=BUDGET)
    return net, setting.inputs(dtype), setting.duration


@pytest.fixture(scope="module", params=NETWORKS)
def case(request, dtype):
    net, inputs, duration = network(request.param, dtype)
    trial = net.trial(inputs, duration=duration)
    return request.param, net, inputs, duration, trial


def test_spikes_are_those_of_the_differential_equation(case, dtype):
    name, net, _, _, trial = case
    n = net.weights.shape[0]
    _, setting, integrate = NETWORKS[name]
    expected, end = integrate(setting)
    spikes = np.asarray(trial.events.sources) < n
    assert len(expected) > 8
    sources, times = np.asarray(trial.events.sources), np.asarray(trial.events.times)
    np.testing.assert_array_equal(sources[spikes], expected[:, 1].astype(int))
    tolerance = 1e-9 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(times[spikes], expected[:, 0], atol=tolerance)
    if name == "qif":
        angle = np.arctan2(trial.end.d, trial.end.n)
        np.testing.assert_allclose(angle, end[0], atol=10 * tolerance)
        np.testing.assert_allclose(trial.end.current, end[1], atol=10 * tolerance)
    if name == "lif":
        np.testing.assert_allclose(np.asarray(trial.end), end, atol=10 * tolerance)


def test_a_trial_counts_its_events(case):
    _, net, inputs, duration, trial = case
    n, m = net.input_weights.shape
    sources, num = np.asarray(trial.events.sources), int(trial.events.num)
    assert bool(trial.finished)
    assert num == len(inputs.times) + np.sum(trial.num_spikes)
    assert np.all(sources[:num] < n + m)
    assert np.all(sources[num:] == n + m)
    times = np.asarray(trial.events.times)
    assert np.all(times[num:] == np.asarray(duration, times.dtype))
    assert np.all(np.diff(times) >= 0)
    for i in range(n):
        mine, found = times[sources == i], np.asarray(trial.spike_times)[i]
        np.testing.assert_array_equal(found[: len(mine)], mine)
        assert np.all(np.isinf(found[len(mine) :]))
    arrived = sources[:num] >= n
    ranks = np.asarray(trial.events.ranks)[:num]
    np.testing.assert_array_equal(ranks[arrived], np.arange(arrived.sum()))


# ---- gradients -------------------------------------------------------------------------------


def loss(net, times, sources, duration):
    """Something that depends on every spike time and on the state at the end."""
    trial = net.trial(InputSpikes(times, sources), duration=duration)
    n = net.weights.shape[0]
    times, sources = trial.events.times, trial.events.sources
    first = jnp.where(sources < n, jnp.sin(times + sources), 0)
    end = net.neuron.values(trial.end)
    weighted = [jnp.sum(jnp.arctan(x) * jnp.arange(1, n + 1)) for x in end]
    return jnp.sum(first) + sum(weighted)


with_gradient = jax.jit(jax.value_and_grad(loss, (0, 1, 3)))
"""The loss, and its gradient in all leaves: parameters, weights, initial values, times, duration.

Compiled once for each type of neuron."""


@pytest.fixture(scope="module")
def qif(dtype):
    return network("qif", dtype)


@pytest.fixture(scope="module")
def gradients(case):
    name, net, inputs, duration, _ = case
    # the initial state must not be symmetric
    spread = np.linspace(-0.2, 0.3, net.weights.shape[0])
    initial = tuple(x + np.asarray(spread, x.dtype) for x in net.initial)
    net = replace(net, initial=initial)
    duration = jnp.asarray(duration, net.weights.dtype)

    def of(net, times, duration):
        return with_gradient(net, times, inputs.sources, duration)

    arguments = (net, jnp.asarray(inputs.times), duration)
    value, gradient = of(*arguments)
    plain = loss(net, inputs.times, inputs.sources, duration)
    assert float(value) == pytest.approx(float(plain), rel=1e-12)
    return name, of, arguments, gradient


@needs_double
def test_gradients_are_those_of_central_differences(gradients):
    """In random directions of all leaves."""
    name, of, arguments, gradient = gradients
    leaves, structure = jax.tree.flatten(arguments)
    slopes = jax.tree.leaves(gradient)
    rng = np.random.default_rng(9)
    names = [jax.tree_util.keystr(k) for k, _ in jax.tree_util.tree_leaves_with_path(arguments)]
    for which, leaf in enumerate(leaves):
        direction = rng.normal(size=leaf.shape)

        def at(step, which=which, leaf=leaf, direction=direction):
            moved = [*leaves]
            moved[which] = leaf + step * direction
            return float(of(*jax.tree.unflatten(structure, moved))[0])

        expected = _central_difference(at, STEPS[name])
        measured = float(np.sum(np.asarray(slopes[which]) * direction))
        message = f"{name} {names[which]}"
        tolerance = 1e-8 if name != "lif" else 1e-6
        assert measured == pytest.approx(expected, rel=tolerance, abs=tolerance), message


# Pulses to one neuron have a kink where they coincide, and LIF neurons lose spikes.
STEPS = {"qif": 2e-4, "theta": 2e-5, "lif": 2e-7}


def _central_difference(at, h):
    """Of order 6."""
    one, two, three = ((at(k * h) - at(-k * h)) / (2 * k * h) for k in (1, 2, 3))
    return (15 * one - 6 * two + three) / 10


@needs_double
def test_times_of_inputs_follow_the_times_they_were_given(case):
    _, net, inputs, duration, trial = case
    arrived = np.asarray(trial.events.sources)[: int(trial.events.num)] >= net.weights.shape[0]

    def of(ts):
        moved = net.trial(InputSpikes(ts, inputs.sources), duration=duration).events
        return jnp.where(moved.sources >= net.weights.shape[0], moved.times, 0).sum()

    slopes = np.asarray(jax.grad(of)(jnp.asarray(inputs.times)))
    # beyond the end of the trial the time is that of the end
    np.testing.assert_allclose(slopes[: arrived.sum()], 1, rtol=1e-5)


def test_strong_coupling_leaves_the_gradients_of_ordinary_spikes_finite():
    """Also where no pseudorates that agree with one another are found."""
    n, neuron = 32, Theta(6 / np.pi, 1.25)
    inputs = InputSpikes(jnp.linspace(0.1, 6.0, 60), jnp.arange(60) % 8)

    @jax.jit
    @jax.value_and_grad
    def first(weights):
        return jnp.sum(network(weights)(inputs, duration=7.0))

    def network(weights):
        options = {"outputs": range(10), "max_spikes": 1, "max_events": 512}
        return Recurrent(neuron, weights[:, :n], weights[:, n:], **options)

    def difference(weights, direction, step):
        up, down = (first(weights + sign * step * direction)[0] for sign in (1, -1))
        return float(up - down) / (2 * step)

    compared = 0
    for seed in range(12):
        weights = 3.0 * jax.random.normal(jax.random.key(seed), (n, n + 8))
        value, slope = first(weights)
        if not np.isfinite(value):
            continue
        assert np.isfinite(slope).all()
        direction = jax.random.normal(jax.random.key(99), weights.shape)
        along = float(jnp.sum(slope * direction))
        wide, narrow = (
            difference(weights, direction, h / float(jnp.linalg.norm(slope))) for h in (1e-5, 1e-6)
        )
        if abs(wide / narrow - 1) < 1e-3:  # no kink or jump in between
            compared += 1
            assert along == pytest.approx(narrow, rel=1e-3)
    assert compared > 4


def test_silent_neurons_have_pseudospikes_with_finite_derivatives(dtype):
    """However strongly they are inhibited."""
    compiled = jax.jit(jax.value_and_grad(qif_pseudospikes, 2))
    for drive in (-50.0, -1100.0, -1e4, -1e30):
        state = (jnp.asarray(x, dtype) for x in (0.3, 0.9, drive))
        later, slope = compiled(*state, 1.0)
        assert np.isfinite(later)
        assert later > 1
        assert np.isfinite(slope)


@needs_double
@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
def test_sources_may_be_any_integers(qif, kind):
    net, inputs, duration = qif
    sources = np.asarray(inputs.sources)
    expected = net.trial(inputs, duration=duration).events.times
    for given in (sources.astype(kind), jnp.asarray(sources.astype(kind)), sources.tolist()):
        trial = net.trial(InputSpikes(inputs.times, given), duration=duration)
        np.testing.assert_array_equal(trial.events.times, expected)


@jax.jit
def in_little_room(net, inputs, duration):
    return replace(net, max_events=20).trial(inputs, duration=duration)


@needs_double
@pytest.mark.parametrize(
    ("times", "sources"),
    [([0.2, 0.1], [0, 0]), ([0.1, np.nan], [0, 0]), ([-1.0, 0.1], [0, 0]), ([0.1, 0.2], [0, 9])],
)
def test_wrong_inputs_that_are_traced_show_in_the_trial(qif, times, sources):
    net, _, duration = qif
    inputs = InputSpikes(np.array(times), np.array(sources))
    trial = in_little_room(net, inputs, duration)
    assert not trial.finished
    assert np.isnan(trial.events.times).all()


@needs_double
def test_gradient_of_the_weight_of_a_neuron_to_itself_is_zero(gradients):
    slopes = np.asarray(gradients[3][0].weights)
    np.testing.assert_array_equal(np.diag(slopes), 0)
    assert np.count_nonzero(slopes) > slopes.size / 2


@needs_double
def test_gradients_in_float32_are_near_those_in_float64(gradients):
    name, of, arguments, gradient = gradients
    single = jax.tree.map(lambda x: x.astype(np.float32), arguments)
    _, rough = of(*single)
    for a, b in zip(jax.tree.leaves(rough), jax.tree.leaves(gradient), strict=True):
        assert a.dtype == np.float32
        tolerance = 1e-4 if name != "lif" else 1e-2
        assert np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b)


# ---- bad input -------------------------------------------------------------------------------

GOOD = {"weights": np.zeros((2, 2)), "input_weights": np.zeros((2, 3)), "initial": None}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weights": np.zeros((2, 3))}, r"weights: shape \(2, 3\): must be \(n, n\)"),
        ({"weights": np.zeros(2)}, r"weights: shape \(2,\): must be \(n, n\)"),
        ({"input_weights": np.zeros((3, 2))}, r"input_weights: shape \(3, 2\): must be \(2, m\)"),
        ({"weights": np.full((2, 2), np.nan)}, r"weights = nan at \[0, 0\]: must be finite"),
        ({"initial": (np.zeros(2),)}, r"initial: shapes \(\(2,\),\): must be"),
    ],
)
def test_wrong_networks(wrong, message):
    with pytest.raises(ValueError, match=message):
        Recurrent(QIF(), **(GOOD | wrong))


@pytest.mark.parametrize(
    ("times", "sources", "arguments", "message"),
    [
        ([0.2, 0.1], [0, 0], {}, r"inputs: time 0.1 at \[1\] after 0.2: times must ascend"),
        ([0.2, np.nan], [0, 0], {}, r"inputs: time nan at \[1\]: must be a number"),
        ([-0.2, 0.0], [0, 0], {}, r"inputs: time -0.2 at \[0\]: must be"),
        ([0.1, 0.2], [0, 3], {}, r"inputs: source 3 at \[1\]: must be from 0 to 2"),
        ([0.1, 0.2], [0], {}, "must be as many, along the last axis"),
        ([0.1, 0.2], [0.0, 1.0], {}, "must be integers"),
        ([0.1], [0], {"duration": 0.0}, "duration = 0: must be positive"),
    ],
)
def test_wrong_inputs(times, sources, arguments, message):
    net = Recurrent(QIF(), **GOOD)
    with pytest.raises(ValueError, match=message):
        net(InputSpikes(np.array(times), np.array(sources)), **({"duration": 1.0} | arguments))


def test_wrong_phases_and_neurons():
    theta = Theta(1.0)
    with pytest.raises(ValueError, match=r"initial = 4: phases must not exceed the period, 3\.14"):
        Recurrent(theta, np.zeros((1, 1)), np.zeros((1, 0)), ([4.0],))
    with pytest.raises(ValueError, match="outputs = 2: must be from 0 to 1"):
        Recurrent(QIF(), **GOOD, outputs=[0, 2])
    with pytest.raises(ValueError, match="max_events = 0: must be at least 1"):
        Recurrent(QIF(), **GOOD, max_events=0)


@pytest.mark.parametrize("kind", [QIF, LIF, Theta])
@pytest.mark.parametrize("tau", [0.0, -1.0, np.nan, np.ones((1, 2))])
def test_wrong_time_constants(kind, tau):
    with pytest.raises(ValueError, match="tau"):
        kind(tau)


def test_wrong_current_of_theta():
    with pytest.raises(ValueError, match=r"I0 = 0\.25: must be greater than 1/4"):
        Theta(1.0, 0.25)
