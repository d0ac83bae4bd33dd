"""Inputs of every form: several spikes of each, delays of axons and synapses, ragged batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.spikes import (
    QIF,
    BinnedSpikes,
    FeedForward,
    InputSpikes,
    Recurrent,
    Theta,
    sorted_spikes,
    stack_spikes,
)

END = 6.0
NEURON = Theta(1.2, 1.4)


@pytest.fixture(scope="module")
def spikes():
    """Three samples of nine spikes of four inputs."""
    rng = np.random.default_rng(0)
    return InputSpikes(np.sort(rng.uniform(0, END, (3, 9))), rng.integers(0, 4, (3, 9)))


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(1).normal(size=(3, 4))


def test_layers_and_the_event_loop_agree_on_any_number_of_spikes(spikes, weights):
    """A layer without connections inside is a recurrent network without recurrent weights."""
    layer = FeedForward(NEURON, [weights], max_spikes=4)
    loop = Recurrent(NEURON, np.zeros((3, 3)), weights, max_spikes=4)
    one, other = (net.trial(spikes, duration=END) for net in (layer, loop))
    np.testing.assert_allclose(one.times, other.times, rtol=1e-11)
    np.testing.assert_allclose(one.progress, other.progress, rtol=1e-11)
    np.testing.assert_allclose(one.spike_times, other.spike_times, rtol=1e-11)
    np.testing.assert_array_equal(one.num_spikes, other.num_spikes)
    moments = np.linspace(0.1, END - 0.1, 7)
    np.testing.assert_allclose(
        layer.trace(one, moments)[0], loop.trace(other, moments)[0], rtol=1e-9
    )


@pytest.mark.parametrize("kind", ["axons", "synapses"])
def test_delays_move_what_arrives(spikes, weights, kind):
    """Each synapse as an input of its own, at the delayed time; and the gradient by differences."""
    rng = np.random.default_rng(2)
    delays = rng.uniform(0, 1, (4,) if kind == "axons" else (3, 4))
    net = FeedForward(NEURON, [weights], delays=[delays], max_spikes=4)
    found = net(spikes, duration=END)
    for i in range(3):
        late = spikes.times + np.broadcast_to(delays, (3, 4))[i][spikes.sources]
        alone = FeedForward(NEURON, [weights[i : i + 1]], max_spikes=4)
        moved = sorted_spikes(np.where(late < END, late, np.inf), spikes.sources)
        np.testing.assert_allclose(found[:, i], alone(moved, duration=END)[:, 0], rtol=1e-11)

    @jax.jit
    @jax.value_and_grad
    def loss(delays):
        net = FeedForward(NEURON, [weights], delays=[delays], max_spikes=4)
        return jnp.sum(jnp.sin(net(spikes, duration=END)))

    direction = rng.normal(size=delays.shape)
    ahead, behind = (loss(delays + sign * 1e-6 * direction)[0] for sign in (1, -1))
    slope = jnp.sum(loss(jnp.asarray(delays))[1] * direction)
    assert float(slope) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-6)


def test_recurrent_inputs_have_delays(spikes, weights):
    delays = np.random.default_rng(3).uniform(0, 1, 4)
    between = np.random.default_rng(4).normal(size=(3, 3))
    found = Recurrent(QIF(), between, weights, delays=delays)(spikes, duration=END)
    late = spikes.times + delays[spikes.sources]
    moved = sorted_spikes(np.where(late < END, late, np.inf), spikes.sources)
    expected = Recurrent(QIF(), between, weights)(moved, duration=END)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    with pytest.raises(ValueError, match="BinnedSpikes cannot be delayed"):
        Recurrent(QIF(), between, weights, delays=delays)(
            BinnedSpikes([0.1], np.zeros((1, 4))), duration=END
        )


@pytest.mark.parametrize("kind", ["layers", "loop"])
def test_bins_are_spikes_at_the_same_time(weights, kind):
    """Twice in a bin is a weight twice as large; gradients too."""
    rng = np.random.default_rng(5)
    counts, times = rng.integers(0, 3, (2, 5, 4)), np.linspace(0.3, 5.0, 5)

    def make(weights):
        if kind == "layers":
            return FeedForward(NEURON, [weights], max_spikes=4)
        return Recurrent(NEURON, 0.3 * np.ones((3, 3)), weights, max_spikes=4)

    def both(weights, inputs):
        return jnp.sum(jnp.sin(make(weights)(inputs, duration=END)))

    rows = [np.nonzero(sample) for sample in counts]
    single = stack_spikes(
        [
            (np.repeat(times[k], sample[k, j]), np.repeat(j, sample[k, j]))
            for (k, j), sample in zip(rows, counts, strict=True)
        ]
    )
    slope = jax.jit(jax.value_and_grad(both))
    value, gradient = slope(jnp.asarray(weights), BinnedSpikes(times, counts))
    expected, its_gradient = slope(jnp.asarray(weights), single)
    assert float(value) == pytest.approx(float(expected), rel=1e-10)
    np.testing.assert_allclose(gradient, its_gradient, rtol=1e-8, atol=1e-10)


def test_ragged_samples_make_a_batch():
    spikes = stack_spikes([([0.3, 0.1], [1, 0]), ([], []), ([0.2], [2])])
    np.testing.assert_array_equal(spikes.times, [[0.1, 0.3], [np.inf] * 2, [0.2, np.inf]])
    np.testing.assert_array_equal(spikes.sources, [[0, 1], [0, 0], [2, 0]])
    with pytest.raises(ValueError, match=r"samples\[0\] = \[0.1\]: must be a pair"):
        stack_spikes([[0.1]])
    with pytest.raises(ValueError, match="samples: must not be empty"):
        stack_spikes([])


def test_delays_below_zero_are_refused(weights):
    with pytest.raises(ValueError, match=r"delays\[0\] = -1 at \[0, 0\]: must not be negative"):
        FeedForward(NEURON, [weights], delays=[-np.ones((3, 4))])
    with pytest.raises(ValueError, match=r"delays = -1 at \[0\]: must not be negative"):
        Recurrent(QIF(), np.zeros((3, 3)), weights, delays=-np.ones(4))
