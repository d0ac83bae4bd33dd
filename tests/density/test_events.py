"""Neurons that fire together on the density: by hand, and through whole runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxnlif as jn
from jaxnlif.density.blowup import cascade, edge_weight, reached
from jaxnlif.density.events import fire, move_up, without_top
from jaxnlif.density.finite import Finite
from jaxnlif.density.voltage import VoltageStep
from jaxnlif.integrate import host as loop

COARSE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))  # h = 0.1
LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300))
H = 0.1
START = jn.gaussian(LINE, v=(-1.0, 0.5))
EXCITED = jn.Network(noise=1.0, weight=3.0)


def run(network=EXCITED, grid=LINE, *, y0=None, t1=4.48, dt=4e-3, cascade=None, **arguments):
    solver = jn.FluxShift(grid, events=jn.Cascade() if cascade is None else cascade)
    y0 = jn.gaussian(grid, v=(-1.0, 0.5)) if y0 is None else y0
    return jn.solve(network, solver, y0=y0, t1=t1, dt=dt, saveat=jn.SaveAt(num=3), **arguments)


def masses(*where):
    """A density with a mass on each slice of rows, spread evenly."""
    density = np.zeros(COARSE.shape)
    for mass, rows in where:
        density[rows] = mass / (len(range(*rows.indices(60))) * H)
    return jnp.asarray(density)


# ---- who fires together ----------------------------------------------------------------------

within, fires, step_fires, weight_at = (
    jax.jit(reached, static_argnums=0),
    jax.jit(cascade, static_argnums=0),
    jax.jit(fire),
    jax.jit(edge_weight, static_argnums=0),
)


@pytest.mark.parametrize(
    ("jump", "edge", "expected"),
    [
        (0.0, 0.5, 0.0),
        (-1.0, 0.5, 0.0),
        (0.05, 0.5, 0.0125),  # a linear profile holds ξ²/2 of the last cell
        (0.05, 1.0, 0.05),  # a flat one ξ
        (0.1, 0.5, 0.05),
        (0.3, 0.5, 0.25),
        (0.3, 1.0, 0.3),
        (9.0, 0.5, 1.0),
    ],
)
def test_mass_within_a_jump_of_the_threshold(jump, edge, expected):
    density = masses((1.0, slice(50, 60)))  # p = 1 on ten nodes
    mass = within(COARSE, density, jnp.asarray([jump]), edge)
    np.testing.assert_allclose(mass, [expected], rtol=1e-5, atol=1e-7)


def test_the_weight_of_the_boundary_layer():
    # exp(-x) profiles: 1/(1 - exp(-x)) - 1/x.
    drive = jnp.asarray([-5.0, 2.0, 2.5, 12.0, 1e7])
    expected = [0.5, 0.5, 1 / (1 - np.exp(-0.05)) - 20, 1 / (1 - np.exp(-1)) - 1, 1.0]
    np.testing.assert_allclose(weight_at(COARSE.v, drive - 2.0, jnp.ones(1)), expected, rtol=1e-5)


NEAR, FAR = slice(56, 60), slice(20, 40)


def test_the_boundary_layer_has_the_drift_at_the_threshold():
    # I + b N - V_F = 6 + 3 · 4 - 2, times h/a.
    network, one = jn.Network(noise=1.0, weight=3.0, drive=6.0), jnp.ones(())
    step = VoltageStep(COARSE, network, jnp.asarray([3.0]), 0 * one, one, masses((1.0, NEAR)))
    expected = 1 / (1 - np.exp(-1.6)) - 1 / 1.6
    np.testing.assert_allclose(step.edge(jnp.asarray([4.0])), [expected], rtol=1e-6)


def test_the_smallest_mass_is_taken_not_the_largest():
    # The near fifth fires and jumps the others by 3 · 0.25, less than the gap of 1.5; everyone
    # together, a jump of 3, would be a solution as well.
    density = masses((0.2, NEAR), (0.75, FAR))
    found = fires(COARSE, density, jnp.asarray(0.05), jnp.asarray([3.0]))
    assert bool(found.is_event)
    np.testing.assert_allclose(found.mass, 0.25, rtol=1e-5)


def test_strong_coupling_crosses_the_gap():
    density = masses((0.2, NEAR), (0.75, FAR))
    found = fires(COARSE, density, jnp.asarray(0.05), jnp.asarray([20.0]))
    np.testing.assert_allclose(found.mass, 1.0, rtol=1e-5)


def test_each_weight_jumps_by_its_own_share():
    grid = jn.Grid(v=COARSE.v, w=jn.WeightGrid(-6.0, 6.0, num=2))  # weights -3 and 3, Δw = 6
    column = masses((1.0, NEAR))
    density = jnp.concatenate([0.5 * column, 0.5 * column], 1) / 6
    kick = jnp.asarray([-3.0, 3.0])
    found = fires(grid, density, jnp.asarray(0.05), kick)
    np.testing.assert_allclose(found.mass, 0.55, rtol=1e-5)  # the excited half, and no other


def test_an_event_by_hand():
    # A short interval, in which little happens but the event.
    kappa = jnp.asarray(200.0)
    density = masses((0.25, NEAR), (0.75, slice(20, 40)))
    step = VoltageStep(COARSE, EXCITED, jnp.asarray([3.0]), jnp.zeros(()), kappa, density)
    after, rates, mass, together = step_fires(step, jnp.zeros(1))
    assert bool(together)
    assert not np.any(rates)
    size = float(mass[0])
    assert size == pytest.approx(0.25, abs=0.01)
    assert float(after[COARSE.v.reset_index, 0]) * H == pytest.approx(size, abs=2e-3)
    # The others jumped by 3 size: mass and mean say so.
    rest = np.asarray(after[:, 0]).copy()
    rest[COARSE.v.reset_index] = 0
    before = np.asarray(density[:, 0]) * (np.arange(60) < 45)
    mean = [np.sum(p * COARSE.v.nodes) / np.sum(p) for p in (before, rest)]
    assert mean[1] - mean[0] == pytest.approx(3 * size, abs=0.02)


remove, move = jax.jit(without_top), jax.jit(move_up, static_argnums=0)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=60, max_size=60),
    st.floats(-70, 70, width=32),
    st.floats(0, 1, width=32),
)
def test_removing_and_moving_keep_sign_and_mass(values, cells, part):
    density = jnp.asarray(np.array(values)[:, None], COARSE.dtype)
    total = float(jnp.sum(density))
    kept = remove(density, jnp.asarray([part * total], COARSE.dtype))
    moved = move(COARSE, kept, jnp.asarray([cells * H], COARSE.dtype))
    tolerance = 200 * float(np.finfo(COARSE.dtype).eps)
    assert float(jnp.min(kept)) >= 0
    assert float(jnp.min(moved)) >= 0
    assert float(jnp.sum(kept)) == pytest.approx((1 - part) * total, abs=tolerance * (1 + total))
    assert float(jnp.sum(moved)) == pytest.approx(float(jnp.sum(kept)), rel=tolerance)


def test_moving_keeps_the_mean():
    density = masses((1.0, slice(10, 20)))
    moved = np.asarray(move(COARSE, density, jnp.asarray([1.234])))
    shift = np.sum((moved - np.asarray(density))[:, 0] * COARSE.v.nodes) * H
    assert shift == pytest.approx(1.234, rel=1e-4)


# ---- whole runs ------------------------------------------------------------------------------


def test_the_event_times_of_the_published_case():
    # Refined: 3.4161, 3.6453, 3.8746; every event takes nearly everyone.
    coarse, fine = run(), run(dt=2e-3)  # both save at steps, for which one program serves
    for sol, second in ((coarse, 6e-3), (fine, 4e-3)):
        assert sol.result == jn.Result.completed
        assert float(sol.events.time[0]) == pytest.approx(3.4161, abs=1e-3)
        np.testing.assert_allclose(sol.events.time[1:3], [3.6453, 3.8746], atol=second)
        assert np.all(sol.events.size > 0.99)
    np.testing.assert_allclose(coarse.events.time[:3], fine.events.time[:3], atol=3e-3)
    assert float(coarse.stats["differentiable_from"]) == float(coarse.events.time[-1])
    # Everyone who fired is counted: four or five events and what fired between them.
    assert float(coarse.spikes[-1]) > float(np.sum(coarse.events.size))


def test_epsilon_is_the_ratio_of_the_time_scales():
    # Events at a quarter of the times, of the same sizes: a quarter is exact.
    slow, fast = (
        run(dt=0.112),
        run(jn.Network(noise=1.0, weight=3.0, epsilon=0.25), t1=1.12, dt=0.028),
    )
    assert len(slow.events.time) > 3
    np.testing.assert_allclose(4 * fast.events.time, slow.events.time, rtol=1e-9)
    np.testing.assert_allclose(fast.events.size, slow.events.size, rtol=1e-9)


def test_mass_and_sign_through_many_events(dtype):
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300))
    sol = run(jn.Network(noise=1.0, weight=10.0, drive=5.0), grid, t1=20.0, dt=1e-2)
    assert sol.result == jn.Result.completed
    events = len(sol.events.time)
    assert events > 100
    steps = int(sol.stats["substeps"])
    assert float(sol.stats["minimum"]) >= 0
    assert float(sol.stats["mass_drift"]) <= steps * float(np.finfo(dtype).eps)


def test_a_network_without_events_is_the_corrected_scheme():
    network = jn.Network(noise=1.0, weight=0.5)
    sol = run(network, t1=1.0)
    assert len(sol.events.time) == 0
    assert float(sol.stats["differentiable_from"]) == -np.inf
    corrected = jn.solve(
        network,
        jn.FluxShift(LINE, jn.Corrected()),
        y0=START,
        t1=1.0,
        dt=4e-3,
        saveat=jn.SaveAt(num=3),
    )
    np.testing.assert_allclose(sol.density(-1), corrected.density(-1), rtol=1e-4, atol=1e-12)
    assert int(sol.stats["substeps"]) == int(corrected.stats["steps"])


def test_a_structured_network_of_equal_weights_is_the_unstructured_one():
    grid = jn.Grid(v=LINE.v, w=jn.WeightGrid(3 - 1e-9, 3 + 1e-9, num=3))
    y0 = START * jnp.asarray([[0.2, 0.5, 0.3]]) / grid.weight_spacing
    network = jn.Network(noise=1.0, response=jn.Identity())
    many, one = run(network, grid, y0=y0, t1=4.0), run(t1=4.0)
    np.testing.assert_allclose(many.events.time, one.events.time, rtol=1e-6)
    np.testing.assert_allclose(many.events.size, one.events.size, rtol=1e-6)
    together = jnp.sum(many.density(-1), 1, keepdims=True) * grid.weight_spacing
    np.testing.assert_allclose(together, one.density(-1), rtol=1e-5, atol=1e-9)


def test_bounded_responses_have_no_events():
    network = jn.Network(noise=1.0, weight=20.0, response=jn.Saturating())
    sol = run(network, t1=1.0)
    assert sol.result == jn.Result.completed
    assert len(sol.events.time) == 0
    assert float(sol.rate[-1]) > 1


@pytest.mark.parametrize("mass_step", [0.1, 1e-6], ids=["events", "substeps"])
def test_too_small_a_budget_is_reported(mass_step):
    sol = run(cascade=jn.Cascade(mass_step, max_events=2, max_substeps=50))
    assert sol.result == jn.Result.event_budget_exceeded
    assert float(sol.t_end) < 4.0
    assert len(sol.events.time) <= 2
    assert np.all(np.isfinite(sol.rate))


def test_finite_networks_fire_at_random_times():
    # Poisson kicks of M = 10⁵ neurons scatter the first event by 0.02 (48 keys).
    solver = jn.FluxShift(LINE, events=jn.Cascade(), neurons=100_000)
    times = []
    for seed in range(6):
        sol = jn.solve(
            EXCITED,
            solver,
            y0=START,
            t1=3.6,
            dt=1e-2,
            key=jax.random.key(seed),
            saveat=jn.SaveAt(num=3),
        )
        times.append(float(sol.events.time[0]))
    assert 0.003 < np.std(times) < 0.06
    assert np.mean(times) == pytest.approx(3.416, abs=0.04)


def test_what_has_fired_and_is_not_felt_is_felt_in_the_next_step():
    size, rate = Finite(jnp.asarray(100)), jnp.asarray(3.0)
    steps = [
        VoltageStep(LINE, EXCITED, jnp.asarray([3.0]), jnp.zeros(()), jnp.asarray(kappa), START)
        for kappa in (10.0, 20.0)
    ]
    # In a tenth of a membrane time 0.3 spikes were fired and 0.1 felt; in a twentieth 0.2 are 4.
    debt = size.debt_after(jnp.zeros(()), steps[0], jnp.ones(1), rate, jnp.asarray(False))
    assert float(debt) == pytest.approx(0.2)
    np.testing.assert_allclose(size.owing(steps[1], debt).extra, [4.0])
    assert float(size.debt_after(debt, steps[0], jnp.ones(1), rate, jnp.asarray(True))) == 0


def test_new_values_do_not_recompile():
    run(t1=0.08)
    before = loop._advance.compilations()
    run(jn.Network(noise=0.9, weight=2.0), t1=0.16, cascade=jn.Cascade())
    assert loop._advance.compilations() == before


def test_under_jit_and_vmap():
    def first(weight):
        return run(jn.Network(noise=1.0, weight=weight), t1=3.6, dt=2e-2).events.time[0]

    times = jax.jit(jax.vmap(first))(jnp.asarray([3.0, 3.5]))
    for time, weight in zip(times, (3.0, 3.5), strict=True):
        assert float(time) == pytest.approx(float(first(weight)), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"events": jn.Cascade(), "coupling": jn.Implicit()}, r"coupling = Implicit\(\): finds no"),
        ({"neurons": 0}, "neurons = 0: must be at least 1"),
        ({"neurons": 1.5}, "neurons = 1.5: must be an integer"),
    ],
)
def test_solvers_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        jn.FluxShift(COARSE, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mass_step": 0.0}, "mass_step = 0: must be positive"),
        ({"max_events": 0}, "max_events = 0: must be at least 1"),
        ({"max_substeps": 20_000}, "max_substeps = 20000: must not exceed 10000"),
    ],
)
def test_cascades_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        jn.Cascade(**arguments)


def test_runs_that_make_no_sense():
    with pytest.raises(ValueError, match="epsilon = 0: must be positive for a network with events"):
        run(jn.Network(weight=3.0, epsilon=0.0), COARSE)
    solver = jn.FluxShift(COARSE, neurons=100)
    with pytest.raises(ValueError, match="key: needed to draw random numbers"):
        jn.solve(EXCITED, solver, y0=jn.gaussian(COARSE, v=(-1.0, 0.5)), t1=1.0, dt=0.1)


def test_coarse_steps_miss_no_event():
    # After an event the rate is 0, which alone would allow a step over several events.
    counts = [len(run(dt=dt, t1=4.5).events.time) for dt in (1e-2, 0.45)]
    assert abs(counts[1] - counts[0]) <= 1
