"""With 64-bit numbers disabled, which is JAX's default, everything computes in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnlif as jn
from jaxnlif.spikes import QIF, InputSpikes, Recurrent

pytestmark = [
    pytest.mark.parametrize("dtype", [np.float32], ids=["float32"], indirect=True),
    pytest.mark.usefixtures("dtype"),
]


def make_line():
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=90))


SOLVERS = {
    "lagged": jn.FluxShift,
    "implicit": lambda grid: jn.FluxShift(grid, jn.Implicit()),
    "events": lambda grid: jn.FluxShift(grid, events=jn.Cascade()),
    "particles": lambda grid: jn.Particles(1000, grid),
    "multiscale": lambda grid: jn.MultiScale(jn.FluxShift(grid), jn.Particles(1000)),
}


def run(solver="lagged", weight=0.5, *, y0=None, **arguments):
    grid = make_line()
    y0 = jn.gaussian(grid, v=(-1.0, 0.5)) if y0 is None else y0
    times = {
        "t1": 5.0,
        "dt": 0.02,
        "saveat": jn.SaveAt(num=3),
    }  # the same in all runs
    key = jax.random.key(0)
    return jn.solve(
        jn.Network(weight=weight), SOLVERS[solver](grid), y0=y0, key=key, **times | arguments
    )


def types(tree):
    """Those of all floating-point arrays."""
    leaves = (np.asarray(x).dtype for x in jax.tree.leaves(tree) if hasattr(x, "dtype"))
    return {kind.name for kind in leaves if kind.kind == "f"}


def values(sol):
    return {name: getattr(sol, name) for name in ("ts", "rate", "weights", "saved", "stats")}


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver(solver):
    sol = run(solver)
    assert sol.result == jn.Result.completed
    assert types(values(sol)) == {"float32"}
    assert np.all(np.isfinite(sol.saved))
    assert np.min(sol.saved) >= 0
    assert float(sol.stats["mass_drift"]) <= 200 * np.finfo(np.float32).eps


def test_neurons_that_fire_together_in_every_solver():
    sizes = []
    for solver in ("events", "particles", "multiscale"):
        sol = run(solver, 3.0)
        assert sol.result == jn.Result.completed
        sizes.append(float(np.max(sol.events.size)))
    assert min(sizes) > 0.9


@pytest.mark.parametrize("solver", ["lagged", "implicit"])
def test_rates_are_those_of_double_precision(solver):
    single = run(solver)
    with jax.enable_x64(True):
        double = run(solver)
        assert double.rate.dtype == np.float64
        expected = np.asarray(double.rate)
    np.testing.assert_allclose(single.rate, expected, rtol=1e-4)


def test_numbers_of_numpy_in_double_precision_are_taken():
    y0 = np.asarray(jn.gaussian(make_line(), v=(-1.0, 0.5)), np.float64)
    weight, times = np.float64(0.5), {"t0": np.float64(0.0), "t1": np.float64(5.0)}
    sol = run(weight=weight, y0=y0, dt=np.float64(0.02), **times)
    np.testing.assert_allclose(sol.rate, run().rate, rtol=1e-5)
    assert types(values(sol)) == {"float32"}
    model = jn.Network(
        noise=np.float64(0.8),
        drive=jn.Tabulated(np.ones((2, 2)), t=np.array([0.0, 1.0]), w=np.array([0.0, 1.0])),
        learning=jn.Hebbian(np.linspace(0.1, 0.3, 4)),
        epsilon=np.float64(1e-3),
    )
    assert types(model) == {"float32"}
    grid = jn.Grid(v=make_line().v, w=jn.WeightGrid(np.float64(0.0), 1.0, num=4))
    y0 = jn.gaussian(grid, v=(np.float64(-1.0), 0.5), w=(0.3, np.float64(0.02)))
    learned = jn.solve(model, jn.FluxShift(grid), y0=y0, t1=0.5, dt=0.05)
    assert types(values(learned)) == {"float32"}
    assert float(learned.stats["minimum"]) >= 0


def test_derivatives():
    slope = jax.jit(jax.grad(lambda weight: run(weight=weight).rate[-1]))(0.5)
    assert slope.dtype == np.float32
    difference = (run(weight=0.6).rate[-1] - run(weight=0.4).rate[-1]) / 0.2
    assert float(slope) == pytest.approx(float(difference), rel=1e-2)


def test_a_run_is_kept_and_read(tmp_path):
    sol = run(checkpoint=jn.Checkpoint(tmp_path / "kept", every=0))
    again = run(checkpoint=jn.Checkpoint(tmp_path / "kept", every=0))
    jn.io.save(tmp_path / "run.npz", sol)
    for other in (again, jn.io.load(tmp_path / "run.npz")):
        for name, value in values(sol).items():
            jax.tree.map(np.testing.assert_array_equal, getattr(other, name), value)
        assert types(values(other)) == {"float32"}


def test_fits_and_sweeps():
    inputs = jnp.linspace(0.0, 2.0, 5)

    def rates_of(model):
        return jn.stationary.firing_rate(inputs + model.drive.value, model.noise)

    found = jn.fit(
        jn.Network(drive=0.2, noise=1.0),
        rates_of,
        lambda rates: rates - jn.stationary.firing_rate(inputs + 0.5, 1.0),
        where=lambda model: model.drive.value,
    )
    assert types(found.model) == {"float32"}
    assert float(found.model.drive.value) == pytest.approx(0.5, rel=1e-3)
    descent = jn.fit(
        found.model,
        rates_of,
        lambda rates: rates - 0.5,
        where=lambda model: model.drive.value,
        optimiser=optax.adam(1e-2),
        steps=5,
    )
    assert types(descent.model) == {"float32"}
    assert descent.losses[0, 4] < descent.losses[0, 0]
    swept = jn.sweep(lambda x: 2 * x, {"x": np.linspace(0.0, 1.0, 3)})
    assert swept.values.dtype == np.float32


def test_spikes():
    net = Recurrent(QIF(0.8), np.full((2, 2), 0.5), np.full((2, 1), 8.0))
    trial = net.trial(InputSpikes(np.array([0.1, 0.3]), [0, 0]), duration=2.0)
    assert bool(trial.finished)
    assert types(trial) == {"float32"}
    assert np.sum(trial.num_spikes) > 0
