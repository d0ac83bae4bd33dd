"""`FluxShift`: whole steps, their conservation, their limits, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

COUPLINGS = [jn.Lagged(), jn.Implicit()]


def make_grid(num=60, weights=20, dtype=None, reset=1.0):
    return jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=reset, num=num, dtype=dtype),
        w=jn.WeightGrid(-1.0, 1.0, num=weights),
    )


def bump(base=1.0):
    return jn.Bump(base=base, height=3.0, center=0.3, width=0.1)


def hebbian(gain=0.3):
    return jn.Hebbian(np.full(20, gain))


def learning(**arguments):
    defaults = {
        "noise": 1.0,
        "drive": bump(),
        "response": jn.Saturating(),
        "learning": hebbian(),
        "epsilon": 1e-3,
    }
    return jn.Network(**(defaults | arguments))


def run(network, grid, *, coupling=None, steps=20, dt=1e-2, y0=None, saves=2):
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02)) if y0 is None else y0
    solver = jn.FluxShift(grid) if coupling is None else jn.FluxShift(grid, coupling)
    return jn.solve(network, solver, y0=y0, t1=steps * dt, dt=dt, saveat=jn.SaveAt(num=saves))


@pytest.mark.parametrize("precision", [np.float64, np.float32])
@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("epsilon", [0.0, 1e-3])
def test_mass_drifts_by_no_more_than_rounding_a_step(coupling, epsilon, precision):
    steps = 500
    grid = make_grid(dtype=precision)
    sol = run(learning(epsilon=epsilon), grid, coupling=coupling, steps=steps)
    assert sol.result == jn.Result.completed
    assert float(sol.stats["minimum"]) >= 0
    assert float(sol.stats["mass_drift"]) <= 2 * steps * float(np.finfo(precision).eps)
    assert int(sol.stats["steps"]) == steps


def test_frozen_weights_keep_the_mass_of_each_weight(dtype):
    sol = run(learning(learning=None), make_grid(), steps=100)
    eps = float(np.finfo(dtype).eps)
    # Weight densities are sums over 60 voltages; columns drift by rounding.
    np.testing.assert_allclose(sol.weights[-1], sol.weights[0], rtol=200 * eps, atol=1e-25)


def test_the_limit_is_approached_to_first_order():
    def density(epsilon):
        network = learning(epsilon=epsilon, learning=None)
        return np.asarray(run(network, make_grid(), steps=1, dt=0.1).density(-1))

    limit, epsilons = density(0.0), np.array([1e-4, 1e-6, 1e-8, 1e-10])
    distances = np.array([np.max(np.abs(density(epsilon) - limit)) for epsilon in epsilons])
    np.testing.assert_allclose(distances / epsilons, distances[2] / epsilons[2], rtol=0.05)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_float32_follows_float64_at_tiny_epsilon(coupling):
    densities = []
    for precision in (np.float32, np.float64):
        sol = run(learning(epsilon=1e-12), make_grid(dtype=precision), coupling=coupling)
        assert sol.saved.dtype == sol.ts.dtype == sol.rate.dtype == precision
        densities.append(np.asarray(sol.density(-1)))
    single, double = densities
    assert np.max(np.abs(single - double)) <= 1e-4 * np.max(double)


def unstructured(network, t1, dt):
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300))
    solver, y0 = jn.FluxShift(grid, jn.Implicit()), jn.gaussian(grid, v=(-1.0, 0.5))
    return jn.solve(network, solver, y0=y0, t1=t1, dt=dt, saveat=jn.SaveAt(num=2))


def test_steady_state_of_an_unstructured_network():
    # The scheme's own error at h = 0.02 is 6e-5.
    sol = unstructured(jn.Network(noise=1.0, weight=0.5), t1=1e3, dt=20.0)
    np.testing.assert_allclose(sol.rate[-1], 0.13477508, rtol=3e-4)


def test_a_quasi_static_network_past_its_fold_has_no_rate():
    sol = unstructured(jn.Network(noise=1.0, weight=3.0, epsilon=0.0), t1=1.0, dt=0.1)
    assert sol.result == jn.Result.no_self_consistent_rate


@pytest.mark.parametrize(
    ("num", "weights", "reset", "coupling", "dtype"),
    [
        (2, 1, -1.0, jn.Implicit(), np.float32),
        (6, 2, 1.0, jn.Lagged(), np.float64),
        (60, 1, -3.9, jn.Lagged(), np.float32),
    ],
    indirect=["dtype"],
)
def test_the_smallest_grids_learn(num, weights, reset, coupling, dtype):
    network = learning(learning=jn.Hebbian(gain=0.3))
    sol = run(network, make_grid(num, weights, reset=reset), coupling=coupling)
    assert sol.result == jn.Result.completed
    assert np.all(np.isfinite(sol.saved))
    assert float(sol.stats["minimum"]) >= 0
    assert float(sol.stats["mass_drift"]) <= 100 * float(np.finfo(dtype).eps)


@pytest.mark.parametrize(
    "arguments",
    [
        {"drive": bump(1000.0)},
        {"drive": bump(-1000.0)},
        {"noise": 1e-3},
        {"learning": hebbian(1e4)},
        {"learning": hebbian(-1e4)},
        {"epsilon": 0.0, "drive": bump(-1000.0)},
    ],
)
@pytest.mark.parametrize("dt", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_extreme_networks_keep_mass_and_sign(arguments, dt, precision):
    sol = run(learning(**arguments), make_grid(dtype=precision), dt=dt, steps=10)
    assert sol.result == jn.Result.completed
    assert float(sol.stats["minimum"]) >= 0
    assert float(sol.stats["mass_drift"]) <= 1000 * float(np.finfo(precision).eps)


def test_a_weight_grid_of_zero_weights_has_the_rate_without_coupling():
    network = jn.Network(noise=1.0, response=jn.Identity(), epsilon=0.0)
    sol = run(network, make_grid(300, 1), steps=2)
    np.testing.assert_allclose(sol.rate[-1], 0.11997597, rtol=3e-4)


def undefined_late(t, w):
    return jnp.where(t > 0.1, jnp.nan, 0 * w)


@pytest.mark.parametrize(
    ("coupling", "rule"), [(jn.Lagged(), hebbian()), (jn.Implicit(), None)], ids=["learn", "freeze"]
)
@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_not_a_number_in_the_drive_is_reported(coupling, rule, epsilon):
    network = learning(drive=undefined_late, learning=rule, epsilon=epsilon)
    sol = run(network, make_grid(), coupling=coupling, saves=21)
    assert sol.result == jn.Result.non_finite
    assert 0.1 <= float(sol.t_end) <= 0.13
    assert np.all(np.isfinite(sol.saved))


def test_counts_of_iterations():
    lagged = run(learning(), make_grid()).stats
    implicit = run(learning(), make_grid(), coupling=jn.Implicit()).stats
    assert int(lagged["coupling_evaluations"]) == 0
    assert int(implicit["coupling_evaluations"]) >= 20
    assert int(lagged["transport_iterations"]) >= 20
    assert int(run(learning(learning=None), make_grid()).stats["transport_iterations"]) == 0


def test_a_tabulated_gain_acts_like_the_same_gain_per_cell():
    grid = make_grid()
    table = jn.Table([-1.0, 1.0], [0.4, -0.2])
    by_cell = table(jnp.asarray(grid.w.centers))
    results = [
        np.asarray(run(learning(learning=jn.Hebbian(gain)), grid).density(-1))
        for gain in (table, by_cell)
    ]
    np.testing.assert_allclose(*results, rtol=1e-10, atol=1e-12)


def test_test_phase_continues_from_the_learned_density():
    grid = make_grid()
    learned = run(learning(), grid).density(-1)
    answer = run(learning(learning=None), grid, y0=learned)
    np.testing.assert_array_equal(answer.density(0), learned)


def test_a_table_of_equal_values_drives_as_a_bump_without_height():
    table = jn.Tabulated(np.full((2, 2), 1.5), t=[0.0, 1.0], w=[-1.0, 1.0])
    flat = jn.Bump(base=1.5, height=0.0, center=0.3, width=0.1)
    networks = (learning(drive=drive, learning=None) for drive in (flat, table))
    first, second = (run(network, make_grid()).density(-1) for network in networks)
    np.testing.assert_allclose(first, second, rtol=1e-5)
