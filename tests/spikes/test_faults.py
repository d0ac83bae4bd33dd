"""What once was silently wrong, or failed without a clear line, in spiking networks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif import SolveError
from jaxnlif.spikes import (
    LIF,
    QIF,
    BinnedSpikes,
    FeedForward,
    InputSpikes,
    Recurrent,
    Theta,
    Volleys,
    pseudorates,
    theta_pseudorate,
    theta_pseudorates,
)


def networks(dtype):
    """One of each, with four inputs and three neurons."""
    dtype = np.dtype(dtype).type
    between, inwards = np.zeros((3, 3), dtype), np.full((3, 4), 0.2, dtype)
    neurons = {kind.__name__: kind(dtype(1)) for kind in (Theta, QIF, LIF)}
    recurrent = {name: Recurrent(one, between, inwards) for name, one in neurons.items()}
    return recurrent | {"FeedForward": FeedForward(neurons["Theta"], [inwards])}


@pytest.fixture(scope="module", params=["Theta", "QIF", "LIF", "FeedForward"])
def net(request):
    return networks(np.float64)[request.param]


EMPTY = {
    "times": np.zeros((0, 4)),
    "volleys": Volleys([0.1], np.zeros((2, 0, 4), int)),
    "bins": BinnedSpikes([0.1], np.zeros((0, 1, 4))),
    "spikes": InputSpikes(np.zeros((0, 5)), np.zeros((0, 5), int)),
}
SILENT = {
    "spikes": InputSpikes(np.zeros((2, 0)), np.zeros((2, 0), int)),
    "volleys": Volleys(np.zeros(0), np.zeros((2, 4), int)),
    "times": np.full((2, 4), np.inf),
}


def test_an_empty_batch_has_empty_trials(net):
    expected = {"volleys": (2, 0)}
    for name, inputs in EMPTY.items():
        batch = expected.get(name, (0,))
        trial = net.trial(inputs, duration=2.0)
        assert trial.times.shape == (*batch, 3, 2)
        assert trial.finished.shape == batch
        assert trial.inputs is not None


def test_inputs_without_spikes_are_silent(net):
    trials = [net.trial(inputs, duration=2.0) for inputs in SILENT.values()]
    for trial in trials:
        np.testing.assert_array_equal(trial.times, trials[0].times)


def test_whether_a_trial_finished_may_be_used_in_a_loss(net):
    def loss(inputs):
        trial = net.trial(inputs, duration=2.0)
        times = jnp.minimum(trial.times, 2.0)
        return jnp.where(jnp.all(trial.finished), jnp.sum(times), 0.0)

    slope = jax.grad(loss)(jnp.full((2, 4), 0.1))
    assert jnp.all(jnp.isfinite(slope))


def test_weights_that_overflow_are_reported(dtype):
    big = np.finfo(dtype).max * dtype.type(0.9)
    for name, net in networks(dtype).items():
        huge = jax.tree.map(lambda x, big=big: jnp.full_like(x, big) if x.ndim == 2 else x, net)
        with pytest.raises(SolveError, match="the weights overflow"):
            huge(np.full(4, 0.1, dtype), duration=2.0)
        trial = jax.jit(lambda x, huge=huge: huge.trial(x, duration=2.0))(np.full(4, 0.1, dtype))
        assert not trial.finished, name
        assert np.all(np.isnan(trial.times))


WRONG = {
    "a tuple": ((np.zeros(4),), "not a plain tuple"),
    "two": ((np.zeros(4), np.zeros(4, int)), "not a plain tuple"),
    "text": ("abc", "inputs = 'abc': must be a number or an array of numbers"),
    "none": (None, "inputs = None: must be"),
    "late": (np.array([5.0, 0, 0, 0]), "inputs: time 5: must be within the trial, of duration 2"),
    "late volley": (Volleys([0.1, 3.0], np.zeros(4, int)), "inputs: time 3: must be within"),
    "three": (np.zeros(3), r"inputs: shape \(3,\) must end with 4"),
    "volleys": (Volleys([0.1], np.zeros(3, int)), "inputs: Volleys of 3 inputs: must be 4"),
    "unsorted": (InputSpikes([0.2, 0.1], [0, 1]), r"time 0\.1 at \[1\] after 0\.2: times must"),
    "source": (InputSpikes([[0.2, 0.3]], [[0, 9]]), r"source 9 at \[0, 1\]: must be from 0 to 3"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs_are_refused_in_one_line(net, name):
    inputs, message = WRONG[name]
    with pytest.raises(ValueError, match=message) as raised:
        net(inputs, duration=2.0)
    assert "\n" not in str(raised.value)


def test_half_precision_and_nested_lists_are_refused():
    nested = []
    nested.append(nested)
    half = jnp.ones((3, 4), jnp.bfloat16)
    for make, message in (
        (lambda: FeedForward(Theta(), [half]), r"layer_weights\[0\]: of type bfloat16: must be"),
        (lambda: Recurrent(Theta(), half[:, :3], half), "weights: of type bfloat16: must be"),
        (lambda: FeedForward(Theta(), nested), r"layer_weights\[0\] = \[\[\.\.\.\]\]: must be"),
        (lambda: FeedForward.init(Theta(), [3, 4], key=jax.random.key(0), dtype=int), "dtype = i"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_second_derivatives_where_the_current_is_zero():
    """A network that starts at rest, V = I = 0: the Hessian is that of differences of gradients."""
    rng = np.random.default_rng(0)
    inputs = InputSpikes(np.sort(rng.uniform(0, 2, 8)), rng.integers(0, 2, 8))
    shape = (3, 3 + 2 + 2)

    @jax.jit
    @jax.grad
    def slope(x):
        x = x.reshape(shape)
        net = Recurrent(QIF(), x[:, :3], x[:, 3:5], (x[:, 5], x[:, 6]), max_spikes=2)
        return jnp.sum(jnp.sin(net(inputs, duration=3.0)))

    start = np.concatenate(
        [rng.normal(size=(3, 3)), rng.uniform(2, 6, (3, 2)), np.zeros((3, 2))], 1
    )
    start = jnp.asarray(start.ravel())
    hessian = jax.jit(jax.jacfwd(slope))(start)
    step, unit = 1e-5, np.eye(start.size)
    differences = [
        (slope(start + step * one) - slope(start - step * one)) / (2 * step) for one in unit
    ]
    np.testing.assert_allclose(hessian, differences, rtol=1e-6, atol=1e-6)
    assert np.max(np.abs(hessian[-6:])) > 0.01


def test_curvature_of_next_spike_and_flow_at_zero_current():
    neuron, potential = QIF(1.3), 1.7

    def both(current):
        return neuron.next_spike(potential, current), neuron.flow(potential, current, 0.3)[0]

    curved = jax.jit(jax.vmap(jax.jacfwd(jax.jacrev(both))))
    currents = jnp.array([-1e-3, 0.0, 1e-3])
    for below, at, above in curved(currents):
        np.testing.assert_allclose(at, (below + above) / 2, rtol=1e-4)
        assert abs(float(at)) > 1e-3


def test_gradients_are_finite_where_no_pseudorates_agree(dtype, monkeypatch):
    """Rates are found by continuation; without it some are not, and others take their place."""
    neuron = Theta(dtype.type(1), dtype.type(1.25))
    rng = np.random.default_rng(3)
    angle = rng.uniform(0.1, 3.0, (40, 6)).astype(dtype)
    weights = jnp.asarray(12 * rng.normal(size=(6, 6)), dtype)
    state = neuron.state((jnp.asarray(angle),))
    assert neuron.rates(state, weights)[1].all()
    monkeypatch.setattr(pseudorates, "_STEPS", 1)
    rates, consistent = neuron.rates(state, weights)
    lost = ~np.asarray(consistent)
    assert 0 < lost.sum() < 40
    assert np.isnan(theta_pseudorates(*state, weights)[lost]).all()
    alone = theta_pseudorate(*state, jnp.zeros_like(state.c))
    np.testing.assert_allclose(rates[lost], alone[lost])

    def total(angle, weights):
        return jnp.sum(neuron.rates(neuron.state((angle,)), weights)[0])

    slopes = jax.grad(total, (0, 1))(jnp.asarray(angle), weights)
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_only_the_whole_network_is_updated(net):
    from jaxnlif.spikes import update

    learned = eqx.filter(net, net.trainable())
    with pytest.raises(ValueError, match="net: must be the whole network"):
        update(learned, learned)
    with pytest.raises(ValueError, match="net = int: must be a FeedForward or a Recurrent"):
        update(3, learned)
    moved = update(net, jax.tree.map(jnp.ones_like, learned))
    assert jax.tree.structure(moved) == jax.tree.structure(net)


def test_neurons_at_rest_stay_so_after_a_long_gap(dtype):
    """Where the decayed currents are 0 and the potential is, to rounding."""
    strengths = np.linspace(-2, 1.5, 64, dtype=dtype)[:, None]
    weights = np.hstack([strengths, np.zeros_like(strengths)])
    net = Recurrent(QIF(dtype.type(1)), np.zeros((64, 64), dtype), weights)
    inputs = InputSpikes(np.array([0.5, 60.5], dtype), [0, 1])
    assert int(np.sum(net.trial(inputs, duration=80.0).num_spikes)) == 0


def test_a_float32_network_takes_an_input_at_its_end():
    net = FeedForward.init(Theta(), [2, 3], key=jax.random.key(0), dtype=np.float32)
    assert net.layer_weights[0].dtype == net(np.array([0.1, 0.7]), duration=0.7).dtype == np.float32


def test_no_inputs_at_all():
    layers = FeedForward(Theta(), [np.zeros((2, 0))])
    loop = Recurrent(Theta(), np.zeros((2, 2)), np.zeros((2, 0)), delays=np.zeros(0))
    for net in (layers, loop):
        np.testing.assert_allclose(net(np.zeros((1, 0)), duration=4.0)[0, :, 0], np.pi / 2)


def test_moments_that_are_not_in_the_trial(net):
    trial = net.trial(np.full(4, 0.1), duration=2.0)
    for times, message in (([-1.0], "times = -1: must be within the trial"), (0.2, "must be one-")):
        with pytest.raises(ValueError, match=message):
            net.trace(trial, times)
    other = FeedForward(Theta(), [np.zeros((2, 4))]).trial(np.full(4, 0.1), duration=2.0)
    with pytest.raises(ValueError, match="trial: must be one of this network"):
        net.trace(other, [0.1])


def test_a_potential_above_the_threshold_is_refused():
    with pytest.raises(
        ValueError, match="initial = 5: potentials must not be above 1, the threshold"
    ):
        Recurrent(LIF(), np.zeros((1, 1)), np.zeros((1, 1)), ([5.0], [0.0]))
