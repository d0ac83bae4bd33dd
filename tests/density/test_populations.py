"""Networks of populations on the density, against separate and folded networks."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references.populations import CASES, COUPLED, LINE, gradient_error

import jaxnlif as jn

THREE = {"t1": 1.2, "dt": 0.04, "saveat": jn.SaveAt(num=4)}


def columns(dtype=None, *, num=3):
    return jn.Grid(LINE, populations=num, dtype=dtype)


def start(grid):
    return jn.gaussian(grid, v=(-0.5, 0.5))


def test_populations_without_coupling_are_networks_of_their_own():
    noise, drive, tau, rest = [1.0, 0.5, 2.0], [2.0, 3.0, 1.0], [1.0, 0.5, 2.0], [0.1, 0.2, 0.3]
    threshold, reset = [2.0, 3.0, 2.5], [1.0, 1.5, 0.0]
    model = jn.Network(
        weight=np.zeros((3, 3)),
        noise=noise,
        drive=drive,
        time_constant=tau,
        refractory=rest,
        threshold=threshold,
        reset=reset,
    )
    sol = jn.solve(model, jn.FluxShift(columns()), y0=start(columns()), **THREE)
    for k in range(3):
        gap = threshold[k] - reset[k]
        offset = reset[k] - gap
        v = jn.VoltageGrid(offset - 4 * gap, threshold[k], reset=reset[k], num=60)
        alone = jn.solve(
            jn.Network(weight=0.0, noise=noise[k], drive=drive[k], refractory=rest[k] / tau[k]),
            jn.FluxShift(jn.Grid(v)),
            y0=jn.gaussian(jn.Grid(v), v=(offset - 0.5 * gap, 0.5 * gap**2)),
            t1=1.2 / tau[k],
            dt=0.04 / tau[k],
            saveat=jn.SaveAt(num=4),
        )
        np.testing.assert_allclose(alone.rate / tau[k], sol.rate[:, k], rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(alone.refractory, sol.refractory[:, k], atol=1e-14)


@pytest.mark.parametrize("delay", [None, 0.12, jn.NormalDelay(0.2, 0.05, 0.04)])
def test_equal_populations_are_one(delay):
    given = {"noise": 0.6, "drive": 1.5, "refractory": 0.1, "delay": delay}
    two = jn.Network(weight=[[0.5, -0.8]] * 2, noise_slope=[[0.2, 0.1]] * 2, **given)
    one = jn.Network(weight=0.5 - 0.8, noise_slope=0.2 + 0.1, **given)
    both, alone = (
        jn.solve(model, jn.FluxShift(grid), y0=start(grid), **THREE)
        for model, grid in ((two, columns(num=2)), (one, jn.Grid(LINE)))
    )
    for name in ("rate", "spikes", "refractory"):
        found = getattr(both, name)
        np.testing.assert_allclose(found[:, 0], getattr(alone, name), rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(found[:, 1], found[:, 0], rtol=1e-13)
    np.testing.assert_allclose(both.density(-1)[:, :1], alone.density(-1), atol=1e-13)


def test_implicit_rates_reproduce_themselves():
    """A step that sees the rates at its end has them at its end; one that sees others has not."""
    grid, t, dt = columns(), jnp.zeros(()), jnp.asarray(0.2)
    model = jn.Network(**COUPLED)
    implicit, lagged = (jax.jit(jn.FluxShift(grid, c).step) for c in (jn.Implicit(), jn.Lagged()))
    begun = jn.FluxShift(grid).init(model, t, start(grid), None)
    state = implicit(model, t, dt, begun)
    seen = eqx.tree_at(lambda s: s.rate, begun, state.rate)
    np.testing.assert_allclose(lagged(model, t, dt, seen).rate, state.rate, rtol=1e-9)
    assert not np.allclose(lagged(model, t, dt, begun).rate, state.rate, rtol=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_central_differences(case):
    assert gradient_error(case, t1=0.4) <= 1e-6


def test_mass_and_sign_of_each_population(dtype):
    """Random circuits, ε from 1 to 0, and steps from tiny to huge."""
    grid = columns(dtype)
    rng = np.random.default_rng(0)

    @jax.jit
    def run(weight, noise, drive, tau, epsilon, dt):
        model = jn.Network(
            weight=weight,
            noise=noise,
            drive=drive,
            time_constant=tau,
            epsilon=epsilon,
            noise_slope=jnp.abs(weight),
        )
        solver, step = jn.FluxShift(grid), jnp.asarray(dt, grid.dtype)
        state = solver.init(model, jnp.zeros((), grid.dtype), start(grid), None)
        for _ in range(3):
            state = solver.step(model, jnp.zeros((), grid.dtype), step, state)
        return grid.mass(state.density), jnp.min(state.density), state.rate

    for _ in range(40):
        epsilon = rng.choice([1.0, 1e-3, 1e-9, 0.0])
        mass, least, rate = run(
            rng.normal(size=(3, 3)) * 10 ** rng.uniform(-1, 1),
            *(10 ** rng.uniform(-2, 1, 3), rng.normal(size=3) * 3, 10 ** rng.uniform(-1, 1, 3)),
            *(epsilon, 10 ** rng.uniform(-4, 2)),
        )
        np.testing.assert_allclose(mass, 1, atol=1e-12 if dtype == np.float64 else 1e-5)
        assert least >= 0
        assert np.all(np.isfinite(rate))


def test_excitation_that_carries_itself_is_a_blow_up():
    """As that of one network; inhibition that acts in the event prevents it."""
    given = {"noise": 0.5, "drive": 1.0}
    runs = [
        jn.solve(
            jn.Network(weight=weight, **given),
            jn.FluxShift(grid),
            y0=start(grid),
            t1=4.0,
            dt=0.01,
            saveat=jn.SaveAt(num=2, fn=None),
            throw=False,
        )
        for weight, grid in (
            (3.0, jn.Grid(LINE)),
            ([[3.0, 0.0], [3.0, 0.0]], columns(num=2)),
            ([[3.0, -3.0], [3.0, -3.0]], columns(num=2)),
        )
    ]
    assert runs[0].result == runs[1].result == jn.Result.blow_up
    assert float(runs[1].t_end) == pytest.approx(float(runs[0].t_end), abs=1e-9)
    assert runs[2].result == jn.Result.completed


def test_a_grid_too_coarse_for_one_population_is_reported():
    """Also where populations are stretched on it: in its units, the noise of the second is less."""
    model = jn.Network(
        weight=np.zeros((2, 2)), noise=[1.0, 2e-3], drive=3.0, threshold=[2.0, 3.0], reset=1.0
    )
    grid = columns(num=2)
    sol = jn.solve(model, jn.FluxShift(grid), y0=start(grid), t1=2.0, dt=0.04)
    assert "voltage noise" in sol.message
    minimum, num = map(
        float, re.findall(r"VoltageGrid\((\S+), 2, reset=1, num=(\d+)\)", sol.message)[0]
    )
    better = jn.VoltageGrid(minimum, 2.0, reset=1.0, num=int(num))
    alone = jn.VoltageGrid.for_model(
        jn.Network(weight=0.0, noise=2e-3, drive=3.0), threshold=3.0, reset=1.0
    )
    assert better.spacing == pytest.approx(alone.spacing / 2)  # in units of the grid
    fine = jn.solve(
        eqx.tree_at(lambda m: m.noise, model, jnp.array([1.0, 4.0])),
        jn.FluxShift(grid),
        y0=start(grid),
        t1=2.0,
        dt=0.04,
    )
    assert "voltage noise" not in fine.message


@pytest.mark.parametrize("membrane", [None, jn.Exponential(0.5, 1.0)])
def test_grids_for_models_resolve_every_population(membrane):
    """As the grids of each alone, in its own voltages, do together."""
    noise, drive, threshold, reset = [1.0, 0.02], [0.0, 3.0], [2.0, 3.0], [1.0, -1.0]
    ends = {"threshold": threshold, "reset": reset}
    model = jn.Network(weight=np.zeros((2, 2)), noise=noise, drive=drive, membrane=membrane, **ends)
    found = jn.VoltageGrid.for_model(model)
    alone = [
        jn.VoltageGrid.for_model(
            jn.Network(weight=0.0, noise=noise[k], drive=drive[k], membrane=membrane),
            threshold=threshold[k],
            reset=reset[k],
        )
        for k in range(2)
    ]
    gaps = [grid.threshold - grid.reset for grid in alone]
    deepest = max((g.threshold - g.minimum) / gap for g, gap in zip(alone, gaps, strict=True))
    finest = min(g.spacing / gap for g, gap in zip(alone, gaps, strict=True))
    assert (found.threshold, found.reset) == (2.0, 1.0)
    assert found.threshold - found.minimum == pytest.approx(deepest)
    assert found.spacing == pytest.approx(finest)
    with pytest.raises(ValueError, match="w: give a WeightGrid where the model has no weight"):
        jn.VoltageGrid.for_model(model, w=jn.WeightGrid(0.0, 1.0, num=4))


def test_names_in_pictures_datasets_and_files(tmp_path):
    grid = columns(num=2)
    model = jn.Network(weight=np.zeros((2, 2)), names=["E", "I"])
    sol = jn.solve(model, jn.FluxShift(grid), y0=start(grid), t1=0.08, dt=0.04)
    assert "last rate" in repr(sol)
    axes = jn.plot.rate(sol)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["E", "I"]
    dataset = jn.io.to_xarray(sol)
    assert dataset["rate"].dims == ("time", "population")
    assert dataset["density"].dims == ("time", "voltage", "population")
    assert list(dataset["population"].values) == ["E", "I"]
    jn.io.save(tmp_path / "run.nc", sol)
    loaded = jn.io.load(tmp_path / "run.nc")
    np.testing.assert_array_equal(loaded.rate, sol.rate)
    assert loaded.model.names == ("E", "I")


MATRIX = [[0.1, -0.2], [0.1, -0.2]]


@pytest.mark.parametrize(
    ("change", "solver", "message"),
    [
        ({}, jn.FluxShift(jn.Grid(LINE)), "grid: has one column; a network of 2 populations needs"),
        ({}, jn.FluxShift(columns()), "grid: has 3 populations; the network has 2"),
        ({"weight": 0.1}, jn.FluxShift(columns(num=2)), "grid: has 2 populations; the network has"),
        (
            {"reset": [1.0, 3.0], "names": ["E", "I"]},
            jn.FluxShift(columns(num=2)),
            "reset = 3 of population I: must be below its threshold",
        ),
        (
            {"delay": [[0.1, 0.1], [0.01, 0.1]]},
            jn.FluxShift(columns(num=2)),
            r"delay = 0.01 at \[1, 0\]: must not be shorter than dt = 0.04",
        ),
        (
            {"delay": jn.NormalDelay(0.03, 0.005)},
            jn.FluxShift(columns(num=2)),
            "delay = 0.03, on average: must not be shorter than dt = 0.04",
        ),
        (
            {"delay": jn.GammaDelay(4.0, 1.0)},
            jn.FluxShift(columns(num=2)),
            "delay: reaches beyond the 128 steps of dt = 0.04",
        ),
        (
            {},
            jn.FluxShift(columns(num=2), neurons=100),
            "neurons: FluxShift does not take them for a network of populations",
        ),
        ({}, jn.Particles(100, jn.Grid(LINE)), "grid: has one column"),
    ],
)
def test_what_is_refused(change, solver, message):
    model = jn.Network(**({"weight": MATRIX} | change))
    grid = solver.grid
    with pytest.raises(ValueError, match=message):
        jn.solve(model, solver, y0=start(grid), t1=1.0, dt=0.04, key=jax.random.key(0))
