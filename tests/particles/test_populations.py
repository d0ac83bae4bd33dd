"""`Particles` of several populations: against one, against themselves rescaled, and cascades."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.particles.several import Several

V = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60)
TWO = jn.Grid(V, populations=2)
NUM = 2000, 500
COUPLED = {"weight": [[0.5, -1.0], [0.8, -1.0]], "drive": 2.0}


def run(model, num=NUM, grid=TWO, y0=None, **options):
    options = {"t1": 2.0, "dt": 0.01, "key": jax.random.key(0)} | options
    y0 = np.linspace(-1.0, 1.5, sum(num) if isinstance(num, tuple) else num) if y0 is None else y0
    saveat = jn.SaveAt(num=5)
    return jn.solve(model, jn.Particles(num, grid, raster=25), y0=y0, saveat=saveat, **options)


@pytest.mark.parametrize("weight", [0.5, 3.0, -3.0])
def test_one_population_of_several_is_one(weight):
    several = run(jn.Network(weight=[[weight]], drive=2.0), (1000,), jn.Grid(V, populations=1))
    one = run(jn.Network(weight=weight, drive=2.0), 1000, jn.Grid(V))
    # Swinging expectations are sought in another way, to 1 %.
    tolerance = 1e-5 if weight > 0 else 0.05
    np.testing.assert_allclose(several.spikes[:, 0], one.spikes, rtol=tolerance, atol=2e-3)
    assert len(several.events.time) == len(one.events.time)
    assert several.events.size.shape == (len(one.events.time), 1)


def test_populations_that_are_alike_are_one_folded():
    y0 = jn.gaussian(TWO, v=(0.0, 0.5))
    model = jn.Network(weight=[[0.5, -1.5], [0.5, -1.5]], drive=2.0)
    both = run(model, (16_000, 4_000), y0=y0, t1=6.0, dt=0.02)
    rates = np.asarray(both.spikes[-1] - both.spikes[1]) / 4.5
    expected = float(jn.stationary.self_consistent_rates(-1.0, 2.0)[0])
    errors = np.sqrt(expected / 4.5 / np.array([16_000, 4_000]))
    assert np.all(np.abs(rates - expected) <= 4 * errors + 5e-3 * expected)
    np.testing.assert_allclose(np.sum(both.density(-1), 0) * V.spacing, 1, rtol=1e-5)


def test_thresholds_are_a_change_of_units():
    plain = run(jn.Network(**COUPLED))
    scale, offset = np.array([2.0, 1.0]), np.array([0.0, 3.0])
    weight = np.asarray(COUPLED["weight"]) * scale[:, None]
    moved = jn.Network(
        weight=weight,
        drive=2.0 * scale + offset,
        noise=scale**2,
        threshold=2.0 * scale + offset,
        reset=1.0 * scale + offset,
    )
    np.testing.assert_allclose(run(moved).spikes, plain.spikes, rtol=1e-3, atol=2e-3)


def test_the_time_constant_is_a_change_of_time():
    slow = jn.Network(**COUPLED, refractory=0.1, delay=0.05)
    weight = 0.1 * np.asarray(COUPLED["weight"])
    fast = {"weight": weight, "drive": 2.0, "time_constant": 0.1}
    fast = jn.Network(**fast, refractory=[0.01, 0.01], delay=0.005)
    one, other = run(slow), run(fast, t1=0.2, dt=0.001)
    np.testing.assert_allclose(other.spikes, one.spikes, rtol=2e-3, atol=4e-3)
    np.testing.assert_allclose(other.refractory, one.refractory, atol=6e-3)
    assert float(jnp.max(one.refractory)) > 0.05


def in_rounds(potentials, fired, free, kick, sizes):
    """The rule, neuron by neuron, with kicks that are exact."""
    population = np.repeat(np.arange(len(sizes)), sizes)
    fires = fired.copy()
    while True:
        mass = np.array([fires[population == k].mean() for k in range(len(sizes))])
        jump = kick @ mass
        new = [
            i
            for i in range(len(fires))
            if free[i] and not fires[i] and potentials[i] + jump[population[i]] >= 2.0
        ]
        if not new:
            return fires
        fires[new] = True


def test_cascades_by_the_rule():
    sizes, rng, grew = (8, 4), np.random.default_rng(0), 0
    together = jax.jit(Several(sizes).together, static_argnums=5)
    for _ in range(100):
        potentials = rng.integers(-64, 127, 12) / 64
        fired, kick = rng.random(12) < 0.2, rng.integers(-32, 64, (2, 2)) / 16
        free = ~fired & (rng.random(12) < 0.8)
        out = together(*map(jnp.asarray, (potentials, fired, free, kick, np.zeros(2))), 2.0)
        expected = in_rounds(potentials, fired, free, kick, sizes)
        np.testing.assert_array_equal(out.carried | fired, expected)
        np.testing.assert_array_equal(out.count, [expected[:8].sum(), expected[8:].sum()])
        grew += expected.sum() > fired.sum()
    assert grew > 10


@pytest.mark.parametrize(
    ("num", "grid", "message"),
    [
        (100, TWO, "num = 100: must be 2 integers"),
        ((100, 100, 100), TWO, r"num = \(100, 100, 100\): must be 2 integers"),
        (NUM, jn.Grid(V), "grid: has one column"),
        (NUM, jn.Grid(V, populations=3), "grid: has 3 populations"),
    ],
)
def test_what_does_not_fit_is_refused(num, grid, message):
    with pytest.raises(ValueError, match=message):
        run(jn.Network(**COUPLED), num, grid)


def test_sizes_are_refused():
    with pytest.raises(ValueError, match=r"num\[1\] = 1: must be at least 2"):
        jn.Particles((100, 1), TWO)
    with pytest.raises(ValueError, match=r"num = .*must be an integer, as the network"):
        run(jn.Network(weight=0.5), (100, 100), jn.Grid(V), y0=np.zeros(200))
    with pytest.raises(ValueError, match="micro: has populations"):
        jn.MultiScale(jn.FluxShift(jn.Grid(V)), jn.Particles((100, 100)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_network_goes_on_after_events_of_one_population(dtype):
    """The expected spikes are no reason for others: nobody fires twice in an event."""
    grid = jn.Grid(V, populations=2, dtype=dtype)
    model = jn.Network(weight=[[4.0, -1.0], [1.5, -1.0]], drive=0.5)
    sol = run(model, grid=grid, t1=3.0, dt=0.005)
    assert 8 <= len(sol.events.time) <= 18
    assert jnp.all(jnp.diff(sol.events.time) > 0.05)
    np.testing.assert_allclose(sol.events.size[:, 0], 1, atol=0.05)
    assert jnp.all(sol.events.size[:, 1] < 0.95)
