"""The two circuits that everyone knows, against their published numbers."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


def mapped(network, rate):
    """The stationary rates of neurons that feel these, per unit of time."""
    mu = network.drive.value + network.weight @ rate
    a = network.noise + network.noise_slope @ rate
    rest = network.refractory.duration / network.time_constant
    found = jn.stationary.firing_rate(mu, a, network.threshold, network.reset, rest)
    return found / network.time_constant


def test_brunels_network_folds_into_the_published_one():
    g, eta = 6.0, 4.0
    made = jn.circuits.brunel(g, eta, scale=1.0)
    assert made.sizes == (10_000, 2_500)
    assert made.names == ("E", "I")
    network = made.network
    for folded in (network.weight.sum(1), network.noise_slope.sum(1)):
        assert folded[0] == folded[1]
    np.testing.assert_allclose(network.weight.sum(1), 100 * (1 - g / 4), rtol=1e-13)
    np.testing.assert_allclose(network.noise_slope.sum(1)[0], 5 * (1 + g**2 / 4), rtol=1e-13)
    np.testing.assert_allclose(network.drive.value, 20 * eta, rtol=1e-13)
    np.testing.assert_allclose(network.noise, eta, rtol=1e-13)
    np.testing.assert_allclose(network.delay.duration, 1.5 / 20)


@pytest.mark.parametrize(
    ("g", "eta", "Hz"), [(3, 2, 327.008), (6, 4, 55.8413), (5, 2, 37.9497), (4.5, 0.9, 6.51670)]
)
def test_stationary_rates_of_brunels_network(g, eta, Hz):
    made = jn.circuits.brunel(g, eta)
    found = made.units.rate_Hz(mapped(made.network, made.units.rate(np.full(2, Hz))))
    np.testing.assert_allclose(found, Hz, rtol=1e-4)


WHITE = np.array([0.8209, 3.0087, 4.6328, 6.1042, 7.1366, 8.9049, 1.0430, 8.0722])  # Hz


def test_the_microcircuit():
    made = jn.circuits.microcircuit()
    assert sum(made.sizes) == 77_169
    K = np.asarray(made.in_degree)
    for to, source, probability in (("2/3E", "2/3E", 0.1009), ("6E", "6I", 0.2252)):
        k, j = made.index(to), made.index(source)
        N = made.sizes[k] * made.sizes[j]
        by_hand = np.log(1 - probability) / np.log1p(-1 / N) / made.sizes[k]
        np.testing.assert_allclose(K[k, j], by_hand, rtol=1e-9)
    # sparse, of N_l C neurons up to the pairs that are connected more than once
    np.testing.assert_allclose(K[0, 0], 20683 * 0.1009, rtol=0.06)
    assert (K[:, made.index("6I")][:6] == 0).all()
    weight = np.asarray(made.network.weight) / np.where(K, K, 1) * 15  # mV of a synapse
    np.testing.assert_allclose(weight[1, :2], [0.1756, -0.7024], rtol=1e-12)
    np.testing.assert_allclose(weight[0, 2], 0.3512, rtol=1e-12)  # from 4E to 2/3E
    delay = made.network.delay
    np.testing.assert_allclose(delay.duration[0, :2], [0.15, 0.075])
    np.testing.assert_allclose(delay.std[0, :2], [0.075, 0.0375])
    np.testing.assert_allclose(delay.minimum, np.full((8, 8), 0.01))
    np.testing.assert_allclose(made.network.synaptic_time_constant, 0.05)


def test_stationary_rates_of_the_microcircuit():
    made = jn.circuits.microcircuit()
    rate = made.units.rate(WHITE)
    np.testing.assert_allclose(mapped(made.network, rate), rate, rtol=1e-3)

    def residual(x):
        return np.asarray(mapped(made.network, x)) - x

    # Newton's method with differences, so that nothing more is compiled.
    steps = 1e-5 * np.diag(rate)
    slopes = [(residual(rate + h) - residual(rate - h)) / (2 * h.sum()) for h in steps]
    rate = rate - np.linalg.solve(np.transpose(slopes), residual(rate))
    np.testing.assert_allclose(made.units.rate_Hz(rate), WHITE, rtol=1e-4)


def test_external_drives_are_freed_in_the_network():
    made = jn.circuits.microcircuit()
    drive = made.network.drive.value + 0.1
    moved = eqx.tree_at(lambda network: network.drive.value, made.network, drive)
    np.testing.assert_allclose(moved.external(jnp.zeros(()), jnp.zeros(8)), drive)


def test_one_delay_without_spread():
    delay = jn.circuits.microcircuit(delay_spread=None).network.delay
    assert isinstance(delay, jn.Delay)
    np.testing.assert_allclose(delay.duration[3, 6:], [0.15, 0.075])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jn.circuits.brunel(-1.0, 2.0), "g = -1: must not be negative"),
        (lambda: jn.circuits.brunel(5.0, 0.0), "eta = 0: must be positive"),
        (lambda: jn.circuits.brunel([5.0, 6.0], 2.0), r"g: of shape \(2,\): must be a single"),
        (lambda: jn.circuits.brunel(5.0, 2.0, reset=30.0), "threshold = 20 of 'E': must be above"),
        (lambda: jn.circuits.microcircuit(g=-4.0), "g = -4: must not be negative"),
        (
            lambda: jn.circuits.microcircuit(external_rate=[8.0] * 7),
            r"external_rate: of shape \(7,",
        ),
        (
            lambda: jn.circuits.microcircuit(external_rate={"E": 8.0}),
            "external_rate: population 'E'",
        ),
    ],
)
def test_refusals_of_the_known_circuits(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()
