"""A spike that is pushed through the end of the trial."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.spikes import FeedForward, Theta

from ..conftest import needs_double

END = 2.0


@pytest.fixture(scope="module")
def output(dtype):
    """Time and gradient of the first output spike of a silent network.

    Its parameters are added to the output weights, to those of a hidden neuron, and to an input
    time.
    """
    net = FeedForward.init(
        Theta(6 / np.pi), [3, 4, 1], key=jax.random.key(0), scale=1.0, dtype=dtype
    )
    inputs = jnp.asarray([0.2, 0.5, 0.8], dtype)

    def time(change):
        weights = net.layer_weights[0].at[1].add(change[1]), net.layer_weights[1] + change[0]
        one = eqx.tree_at(lambda n: n.layer_weights, net, weights)
        return one(inputs.at[0].add(change[2]), duration=END)[0, 0]

    batched = jax.jit(jax.vmap(jax.value_and_grad(time)))
    return lambda changes: batched(jnp.asarray(changes, dtype))


@needs_double
@pytest.mark.parametrize(
    ("begin", "end"),
    [([0, 3, 0], [6, 3, 0]), ([3, 0, 0], [3, 6, 0]), ([2, 1, 0.7], [2, 1, 1.75])],
    ids=["output weights", "hidden weights", "input time"],
)
def test_output_times_are_continuous(output, begin, end):
    begin, end = np.array(begin, float), np.array(end, float)
    changes = begin + np.linspace(0, 1, 1500)[:, None] * (end - begin)
    times, gradients = (np.asarray(x, float) for x in output(changes))
    step = changes[1] - changes[0]
    # between two points the time moves by the mean of the slopes, but for the square of the step
    slopes = (gradients[1:] + gradients[:-1]) @ step / 2
    assert np.max(np.abs(np.diff(times) - slopes)) < 100 * np.max(np.abs(step)) ** 2
    assert min(times[0], times[-1]) < END < max(times[0], times[-1])


@needs_double
def test_silent_neurons_have_gradients(output):
    times, gradients = output(np.zeros((1500, 3)))
    assert float(times[0]) > END
    assert float(jnp.min(jnp.abs(gradients[0]))) > 1e-4


def test_spike_that_rounding_puts_at_the_end_is_heard(dtype):
    @jax.jit
    @jax.vmap
    def trial(weight):
        net = FeedForward(
            jax.tree.map(lambda x: x.astype(dtype), Theta()),
            [weight[None, None], jnp.asarray([[2.0]], dtype)],
            [jnp.asarray([1.5], dtype), jnp.asarray([1.0], dtype)],
        )
        trial = net.trial(jnp.asarray([0.5], dtype), duration=3.0)
        return trial.spike_times[0, 0], trial.times[0, -1]

    def in_time(weight):
        return trial(np.full(17, weight))[0][0] < 3

    low, high = np.asarray([-6, 0], dtype)
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if in_time(middle) else (middle, high)
    # The last weights at which the spike comes in time, and those beyond, one by one.
    weights = high + np.arange(-8, 9) * (high - low)
    spikes, times = trial(weights)
    assert np.any(spikes == 3)
    assert np.any(np.isinf(spikes))
    assert np.ptp(times) < 100 * np.finfo(dtype).eps
