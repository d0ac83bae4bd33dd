"""Numbers as spikes, by their times and by their rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.spikes import LIF, Recurrent, latency, rate_coding

KEY = jax.random.key(0)


def counts(spikes, n):
    """Spikes of each of n inputs, shape `(…, n)`."""
    present = np.isfinite(spikes.times)[..., None]
    return np.sum(present & (np.asarray(spikes.sources)[..., None] == np.arange(n)), axis=-2)


# ---- times -----------------------------------------------------------------------------------


def test_larger_values_spike_earlier(dtype):
    values = np.array([[1.0, 0.75, 0.5], [0.25, 1e-3, 0.0]])
    times = latency(values, first=0.5, last=2.5)
    assert times.dtype == dtype
    np.testing.assert_allclose(times, [[0.5, 1.0, 1.5], [2.0, 2.498, np.inf]], rtol=1e-6)
    ends = latency(np.array([1.0, 0.0]), first=0.1, last=0.7, silent=None)
    assert ends.tolist() == [dtype.type(0.1), dtype.type(0.7)]
    some = latency(np.array([0.5, 0.51]), first=0.0, last=1.0, silent=0.5)
    assert np.isinf(some).tolist() == [True, False]


def test_the_precision_is_that_of_the_values():
    values = np.array([0.25, 1.0], np.float32)
    assert latency(values, first=0.5, last=2.5).dtype == np.float32
    assert rate_coding(values, max_rate=1.0, duration=1.0, key=KEY).times.dtype == np.float32


def test_latencies_are_differentiable():
    slope = jax.grad(lambda x: latency(x, first=0.5, last=2.5)[0])(jnp.array([0.3, 0.0]))
    np.testing.assert_allclose(slope, [-2.0, 0.0])


def test_traced_values_outside_are_seen():
    times = jax.jit(lambda x: latency(x, first=0.0, last=1.0))(jnp.array([-0.1, 1.1, jnp.nan, 0.5]))
    assert np.isnan(times).tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": np.array([0.2, 1.5])}, "^values = 1.5: must be from 0 to 1$"),
        ({"values": np.array([np.nan])}, "^values = nan at .0.: must be finite$"),
        (
            {"values": np.zeros(0)},
            "^values: shape .0,.: must be .…, n. for n inputs, at least one$",
        ),
        ({"first": 1.0}, "^first = 1: must be less than last = 1$"),
        ({"first": -1.0}, "^first = -1: must not be negative$"),
        ({"last": np.inf}, "^last = inf: must be finite$"),
        ({"silent": np.nan}, "^silent = nan: must be finite$"),
    ],
)
def test_what_latencies_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        latency(**{"values": np.array([0.2, 0.5]), "first": 0.0, "last": 1.0} | arguments)


# ---- rates -----------------------------------------------------------------------------------

VALUES = np.tile([0.0, 1e-3, 0.2, 0.7, 1.0], (400, 1))


def test_spikes_are_poisson(dtype):
    rate, duration = 10.0, 3.0
    spikes = rate_coding(VALUES, max_rate=rate, duration=duration, key=KEY)
    times = np.asarray(spikes.times)
    assert times.dtype == dtype
    assert times.shape == spikes.sources.shape == (400, int(np.ceil(150 + 8 * 150**0.5 + 32)))
    found, expected = counts(spikes, 5), rate * duration * VALUES[0]
    assert np.all(found[:, 0] == 0)
    # means of 400 numbers, and their variances, which are as large for a Poisson distribution
    assert np.all(np.abs(found.mean(0) - expected) <= 4 * np.sqrt(expected / 400))
    error = np.sqrt((expected + 2 * expected**2) / 400)
    assert np.all(np.abs(found.var(0) - expected) <= 4 * error)
    # given their number, spikes are uniformly distributed over the trial
    within = np.sort(times[np.isfinite(times)]) / duration
    assert 0 <= within[0] < within[-1] < 1
    level = (np.arange(within.size) + 0.5) / within.size
    assert np.max(np.abs(within - level)) < 1.95 / np.sqrt(within.size)  # Kolmogorov, 0.1 %


def test_spikes_ascend_and_end_with_none():
    spikes = rate_coding(VALUES[:3], max_rate=20.0, duration=1.0, key=KEY)
    times = np.asarray(spikes.times)
    assert np.all(times[:, 1:] >= times[:, :-1])
    assert np.all(np.isinf(times[:, -1]))
    assert np.all(np.asarray(spikes.sources)[np.isinf(times)] == 0)
    assert jnp.issubdtype(spikes.sources.dtype, jnp.integer)


def test_a_network_takes_the_spikes():
    spikes = rate_coding(np.array([0.5, 1.0]), max_rate=5.0, duration=2.0, key=KEY)
    net = Recurrent(LIF(), np.zeros((1, 1)), np.full((1, 2), 0.1))
    num = int(np.sum(np.isfinite(spikes.times)))
    assert num > 0
    assert int(net.trial(spikes, duration=2.0).events.num) == num


def test_silence():
    spikes = rate_coding(np.zeros((2, 4)), max_rate=50.0, duration=2.0, key=KEY)
    assert np.all(np.isinf(spikes.times))


def test_too_little_room_is_reported():
    arguments = {"max_rate": 20.0, "duration": 1.0, "num": 15}
    with pytest.raises(jn.SolveError, match=r"^num = 15: there are more spikes of sample 1 than"):
        rate_coding(np.array([[0.1], [1.0]]), key=KEY, **arguments)
    spikes = jax.jit(lambda x: rate_coding(x, key=KEY, **arguments))(jnp.array([[0.1], [1.0]]))
    assert np.isnan(spikes.times).all(axis=-1).tolist() == [False, True]
    assert spikes.times.shape == (2, 15)


def test_traced_values_that_are_no_probabilities_give_nan():
    code = jax.jit(lambda x: rate_coding(x, max_rate=1.0, duration=1.0, key=KEY).times)
    assert np.isnan(code(jnp.array([[0.5, 1.5], [0.5, jnp.nan], [0.5, 1.0]])).T[0]).tolist() == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": np.array([-0.5])}, "^values = -0.5: must be from 0 to 1$"),
        ({"max_rate": 0.0}, "^max_rate = 0: must be positive$"),
        ({"max_rate": 1e300}, "^max_rate = 1e.300: must give a sample fewer than 1073741824"),
        ({"duration": np.inf}, "^duration = inf: must be finite$"),
        ({"num": 0}, "^num = 0: must be at least 1$"),
    ],
)
def test_what_rates_refuse(arguments, message):
    given = {"values": np.array([0.2]), "max_rate": 1.0, "duration": 1.0, "key": KEY} | arguments
    with pytest.raises(ValueError, match=message):
        rate_coding(**given)


def test_the_room_is_of_plain_numbers():
    code = jax.jit(lambda t: rate_coding(np.ones(2), max_rate=1.0, duration=t, key=KEY))
    with pytest.raises(ValueError, match=r"^duration: must be of plain numbers"):
        code(1.0)
