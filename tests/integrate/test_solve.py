"""The loop: host and traced runs agree, nothing recompiles, every run ends well."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.integrate.progress import AbstractProgress


def make_grid():
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24), w=jn.WeightGrid(0.0, 1.0, num=6))


def make_line():
    return jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))


def make_start():
    return jn.gaussian(make_grid(), v=(-1.0, 0.5), w=(0.3, 0.02))


TRACES = []


class Counted(jn.AbstractDrive):
    """Counts how often Python runs through it, that is, how often it is traced."""

    values: jax.Array

    def __call__(self, t, w):
        TRACES.append(None)
        return self.values * (1 + t)


def network(**arguments):
    defaults = {
        "noise": 1.0,
        "drive": Counted(jnp.linspace(1.0, 2.0, 6)),
        "learning": jn.Hebbian(0.3),
        "response": jn.Saturating(),
        "epsilon": 1e-2,
    }
    return jn.Network(**(defaults | arguments))


def run(model, *, coupling=None, y0=None, **arguments):
    solver = jn.FluxShift(make_grid(), jn.Lagged() if coupling is None else coupling)
    arguments = {"t1": 1.0, "dt": 0.1, "saveat": jn.SaveAt(num=6)} | arguments
    return jn.solve(model, solver, y0=make_start() if y0 is None else y0, **arguments)


def explosive(weight, y0=None, **arguments):
    """An unstructured network, which blows up where its weight is large."""
    y0 = jn.gaussian(make_line(), v=(-1.0, 0.5)) if y0 is None else y0
    arguments = {"t1": 2.0, "dt": 0.01, "saveat": jn.SaveAt(num=21)} | arguments
    return jn.solve(jn.Network(weight=weight), jn.FluxShift(make_line()), y0=y0, **arguments)


def assert_same(one, other, dtype):
    tolerance = 200 * float(np.finfo(dtype).eps)
    for name in ("ts", "rate", "rates", "weights", "saved", "t_end"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=tolerance, atol=tolerance, err_msg=name
        )
    assert one.result == other.result


# ---- host, traced, batched ----------------------------------------------------------------------


def test_traced_run_equals_host_run():
    model, coupling = network(), jn.Implicit()
    traced = eqx.filter_jit(lambda m: run(m, coupling=coupling))(model)
    assert_same(run(model, coupling=coupling), traced, np.float64)


def test_a_traced_start_and_nothing_traced_equal_a_concrete_run(dtype):
    """Of which neither the beginning nor the end is saved."""
    times = {"dt": 0.04, "saveat": jn.SaveAt(ts=0.08 * np.arange(1, 22))}

    @eqx.filter_jit
    def traced(y0):
        return explosive(-1.0, y0, **times), explosive(-1.0, **times)

    concrete = explosive(-1.0, **times)
    for found in traced(jn.gaussian(make_line(), v=(-1.0, 0.5))):
        assert_same(found, concrete, dtype)


def test_batch_equals_loop():
    noises = jnp.asarray([0.5, 1.0, 2.0])
    batch = eqx.filter_vmap(lambda a: run(network(noise=a)))(noises)
    for i, noise in enumerate(noises):
        one = run(network(noise=noise))
        same = jax.tree.map(lambda x: x[i], eqx.filter(batch, eqx.is_array))  # noqa: B023
        for name in ("rate", "weights", "saved"):
            np.testing.assert_allclose(
                getattr(same, name), getattr(one, name), rtol=2e-5, atol=1e-6
            )


# ---- compilation --------------------------------------------------------------------------------


@pytest.mark.parametrize("coupling", [jn.Lagged(), jn.Implicit()])
def test_new_values_do_not_recompile(coupling):
    # A list that is emptied would be another one, with which the drive is compiled anew.
    def looks(model=None, **times):
        before = len(TRACES)
        run(network() if model is None else model, coupling=coupling, **times)
        return len(TRACES) - before

    looks()
    as_before = looks()  # validation alone looks at the drive, once a call
    assert as_before <= 2
    changes = [
        network(noise=0.7),
        network(noise_slope=0.1),
        network(epsilon=0.0),
        network(epsilon=1),
        network(learning=jn.Hebbian(-0.2)),
        network(drive=Counted(jnp.linspace(-3.0, 5.0, 6))),
    ]
    for changed in changes:
        assert looks(changed) <= as_before
    for times in ({"dt": 0.05, "t1": 0.5}, {"t0": 3.0, "t1": 4.0}, {"t1": 100, "dt": 10}):
        assert looks(**times) <= as_before


def test_another_number_of_steps_does_not_recompile_a_forward_run():
    run(network(), dt=0.1)
    before = len(TRACES)
    run(network(), dt=0.02)
    assert len(TRACES) <= before + 2


def test_new_values_do_not_recompile_a_derivative():
    """Of a function that is differentiated, and not compiled as a whole, by its user."""
    y0 = jn.gaussian(make_line(), v=(-1.0, 0.5))
    compiled = []

    def last(weight, times):
        sol = jn.solve(jn.Network(weight=weight), jn.FluxShift(make_line()), y0=y0, **times)
        return sol.rate[-1]

    def seen(name, *_, **__):
        compiled.append(name.endswith("backend_compile_duration"))

    jax.grad(last)(0.3, {"t1": 0.1, "dt": 0.02})
    jax.grad(last)(0.4, {"t1": 0.1, "dt": 0.02})
    jax.monitoring.register_event_duration_secs_listener(seen)
    try:
        jax.grad(last)(0.5, {"t1": 0.2, "dt": 0.04})
    finally:
        jax.monitoring.unregister_event_duration_listener(seen)
    assert not any(compiled)


# ---- how runs end -------------------------------------------------------------------------------


def test_a_blow_up_ends_the_run_and_keeps_what_was_saved():
    sol = explosive(10.0)
    assert sol.result == jn.Result.blow_up
    assert 0 < float(sol.t_end) < 2
    assert len(sol.ts) == len(sol.rate) == len(sol.saved) < 21
    assert float(sol.ts[-1]) < float(sol.t_end) <= float(sol.ts[-1]) + 0.1 + 1e-6
    assert np.all(np.isfinite(sol.saved))


def test_throw_raises_with_time_and_advice():
    with pytest.raises(jn.SolveError, match=r"t = [0-9.]+: blow-up: .*[Ss]top before"):
        explosive(10.0, throw=True)
    assert explosive(-1.0, throw=True).result == jn.Result.completed


def test_in_a_batch_each_run_ends_at_its_own_time(dtype):
    weights = jnp.asarray([10.0, -1.0, 15.0])
    batch = eqx.filter_vmap(explosive)(weights)
    assert batch.ts.shape == (3, 21)
    assert np.all(np.isfinite(batch.saved))
    for i, weight in enumerate(weights):
        alone = explosive(weight)
        assert float(batch.t_end[i]) == pytest.approx(float(alone.t_end), rel=1e-5)
        assert int(batch.stats["steps"][i]) == int(alone.stats["steps"])
        np.testing.assert_allclose(batch.rate[i][: len(alone.rate)], alone.rate, rtol=1e-4)
        # After the end the last state is repeated.
        np.testing.assert_array_equal(batch.rate[i][len(alone.rate) :], batch.state.rate[i])


def test_times_are_multiples_of_the_step_never_accumulated(dtype):
    sol = explosive(-1.0, t0=0.1, t1=1000.1, dt=0.1)
    np.testing.assert_allclose(
        sol.ts, 0.1 + 50.0 * np.arange(21), rtol=4 * float(np.finfo(dtype).eps)
    )


def test_the_step_is_shortened_to_a_whole_number():
    sol = run(network(), t1=1.0, dt=0.24)
    assert int(sol.stats["steps"]) == 5
    np.testing.assert_allclose(sol.ts, [0, 0.2, 0.4, 0.6, 0.8, 1.0], rtol=1e-6)


# ---- Ctrl-C -------------------------------------------------------------------------------------


class Bar:
    def __init__(self, patience):
        self.patience, self.closed = patience, 0

    def update(self, steps):
        self.patience -= 1
        if self.patience < 0:
            raise KeyboardInterrupt

    def close(self):
        self.closed += 1


class Impatient(AbstractProgress):
    bar: Bar = eqx.field(static=True)

    def start(self, total):
        return self.bar


def test_interruption_hands_over_what_was_saved():
    times = {"t1": 10.0, "dt": 0.01, "saveat": jn.SaveAt(num=1001)}
    whole, bar = explosive(-1.0, **times), Bar(patience=2)
    with pytest.raises(jn.Interrupted) as caught:
        explosive(-1.0, **times, progress=Impatient(bar))
    part = caught.value.solution
    count = len(part.ts)
    assert 64 < count < 1001
    assert bar.closed == 1
    np.testing.assert_array_equal(part.saved, whole.saved[:count])
    np.testing.assert_array_equal(part.ts, whole.ts[:count])
    assert len(part.rate) == len(part.weights) == count
    # The state it hands over is the one after the steps that it counts.
    assert int(part.stats["steps"]) == count - 1
    assert float(part.t_end) == pytest.approx(float(part.ts[-1]), rel=1e-5)
    np.testing.assert_array_equal(part.state.density, part.density(-1))


def test_interruption_during_the_first_chunk_hands_over_that():
    with pytest.raises(jn.Interrupted) as caught:
        explosive(-1.0, progress=Impatient(Bar(patience=0)))
    assert len(caught.value.solution.ts) >= 1
    assert isinstance(caught.value, KeyboardInterrupt)


# ---- wrong arguments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dt": 0.0}, r"dt = 0: must be positive"),
        ({"dt": -0.1}, r"dt = -0.1: must be positive"),
        ({"dt": float("nan")}, r"dt = nan: must be finite"),
        ({"t1": 0.0}, r"t1 = 0.0: must exceed t0 = 0.0"),
        ({"t0": 2.0}, r"t1 = 1.0: must exceed t0 = 2.0"),
        ({"t1": float("inf")}, r"t1 = inf: must be finite"),
        ({"dt": 1e-14}, r"dt"),  # more steps than can be counted
        (
            {"y0": make_start().at[3, 2].set(-1e-3)},
            r"y0 = -0.001 at \[3, 2\]: must not be negative",
        ),
        ({"y0": make_start().at[3, 2].set(jnp.nan)}, r"y0 = nan at \[3, 2\]: must be finite"),
        ({"y0": 2 * make_start()}, r"y0: mass = 2: must be 1"),
        ({"y0": 0 * make_start()}, r"y0: mass = 0: must be 1"),
        ({"y0": make_start().T}, r"y0: shape \(6, 24\): must be \(24, 6\)"),
        ({"y0": make_start()[:, 0]}, r"y0: shape \(24,\): must be \(24, 6\)"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_traced(arguments, message):
    before = len(TRACES)
    with pytest.raises(ValueError, match=message) as caught:
        run(network(), **arguments)
    assert "\n" not in str(caught.value)
    assert len(TRACES) == before


def test_times_that_the_numbers_do_not_tell_apart_are_refused():
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24, dtype=np.float32))
    times = {"t0": 1e6, "t1": 1e6 + 0.5, "dt": 0.05, "saveat": jn.SaveAt(num=2)}
    times["y0"] = jn.gaussian(grid, v=(-1.0, 0.5))
    rule = r"dt = 0.05: must be twice what numbers of float32 near t = 1e\+06 are apart, 0.062"
    with pytest.raises(ValueError, match=rule):
        jn.solve(
            jn.Network(weight=0.5, drive=jn.Sinusoid(1.0, 1.0, 0.5)), jn.FluxShift(grid), **times
        )
    still = jn.solve(jn.Network(weight=0.5), jn.FluxShift(grid), **times)
    assert still.result == jn.Result.completed
    long = jn.solve(jn.Network(weight=0.5), jn.FluxShift(grid), **times | {"dt": 1e6})
    assert int(long.stats["steps"]) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: network(drive=lambda t, w: jnp.ones(5)), r"drive: must return .* 6 weights"),
        (lambda: network(drive=lambda t, w: jnp.ones((2, 6))), r"drive: must return .* 6 weights"),
        (lambda: network(drive=lambda w: w), r"drive: must return"),
        (lambda: network(learning=jn.Hebbian([1.0, 2.0])), r"learning: must return .* 6 weights"),
        (lambda: network(learning=None, weight=1.0), r"weight: give the model a weight"),
    ],
)
def test_models_that_do_not_fit_the_grid_are_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        run(make())
    assert "\n" not in str(caught.value)


def test_an_unstructured_network_needs_its_weight():
    with pytest.raises(ValueError, match="weight: give the model a weight"):
        jn.solve(
            jn.Network(),
            jn.FluxShift(make_line()),
            y0=jn.gaussian(make_line(), v=(-1.0, 0.5)),
            t1=1.0,
            dt=0.1,
        )


def test_times_must_not_be_traced():
    with pytest.raises(ValueError, match="dt: must be a plain number"):
        jax.jit(lambda dt: run(network(), dt=dt).rate)(0.1)
