"""Runs warn of walls and unresolved noise, in words that help, and are silent otherwise."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnlif as jn
from jaxnlif import WarningFlag
from jaxnlif.density.advice import advice
from jaxnlif.model.synapse import Synapse


def run(low, num, *, drive=0.5, noise=1.0, weight=0.0, dt=0.02, t1=6.0):
    space = jn.Grid(v=jn.VoltageGrid(low, 2.0, reset=1.0, num=num))
    return jn.solve(
        jn.Network(weight=weight, drive=drive, noise=noise),
        jn.FluxShift(space),
        y0=jn.gaussian(space, v=(1.2, 0.01)),
        t1=t1,
        dt=dt,
        saveat=jn.SaveAt(num=5, fn=None),
    )


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        ({"low": -8.0, "num": 200}, ()),
        ({"low": -8.0, "num": 200, "weight": -10.0, "drive": 9.0}, ()),
        ({"low": -1.0, "num": 300}, (WarningFlag.voltage_wall,)),
        ({"low": -1.0, "num": 300, "drive": 8.0, "noise": 0.3, "dt": 1e-4, "t1": 1.0}, ()),
        (
            {"low": -1.0, "num": 60, "drive": 8.0, "noise": 0.02, "dt": 1e-5, "t1": 0.02},
            (WarningFlag.voltage_noise,),
        ),
        (
            {"low": -1.0, "num": 300, "drive": 8.0, "noise": 0.3, "dt": 2e-2},
            (WarningFlag.time_noise,),
        ),
    ],
)
def test_what_is_not_resolved_is_named(arguments, flags):
    sol = run(**arguments)
    assert tuple(WarningFlag(k) for k in np.flatnonzero(sol.warnings)) == flags
    assert sol.message.startswith("completed")
    for flag in flags:
        assert flag.name.replace("_", " ") + ":" in sol.message


def test_the_advice_suffices():
    walled = run(-1.0, 60)
    low, num = (
        float(walled.message.split("VoltageGrid(")[1].split(",")[0]),
        int(walled.message.split("num=")[1].split(")")[0]),
    )
    mended = run(low, num)
    assert not mended.warnings.any()
    exact = float(jn.stationary.firing_rate(0.5))
    assert abs(float(walled.rate[-1]) / exact - 1) > 0.05
    assert abs(float(mended.rate[-1]) / exact - 1) < 2e-3
    slow = run(-1.0, 300, drive=8.0, noise=0.3, dt=2e-2)
    dt = float(slow.message.split("dt=")[1].rstrip("."))
    assert not run(-1.0, 300, drive=8.0, noise=0.3, dt=dt, t1=1.0).warnings.any()


@pytest.mark.parametrize(
    "kwargs",
    [
        {"weight": 0.5, "drive": 2.0},
        {"weight": -10.0, "drive": 30.0},
        {"weight": 0.2, "drive": 5.0, "noise": 0.05},
        {"weight": 0.0, "drive": -3.0},
        {"weight": -1.0, "drive": jn.Sinusoid(base=1.0, amplitude=3.0, period=1.0), "noise": 0.3},
    ],
)
def test_grids_for_models_resolve_them(kwargs):
    grid = jn.VoltageGrid.for_model(jn.Network(**kwargs), t1=1.0)
    space = jn.Grid(v=grid)
    y0 = jn.normalise(space, jn.stationary.density(grid.nodes, 0.5)[:, None])
    sol = jn.solve(
        jn.Network(**kwargs),
        jn.FluxShift(space, jn.Implicit()),
        y0=y0,
        t1=4.0,
        dt=0.02,
        saveat=jn.SaveAt(ts=[1.0, 4.0], fn=None),
    )
    assert not sol.warnings[WarningFlag.voltage_wall]
    assert not sol.warnings[WarningFlag.voltage_noise]


def test_a_grid_for_a_model_scales_with_threshold_and_reset():
    small = jn.VoltageGrid.for_model(jn.Network(weight=0.0, drive=0.5))
    large = jn.VoltageGrid.for_model(
        jn.Network(weight=0.0, drive=5.0, noise=100.0), threshold=20, reset=10
    )
    assert (large.minimum, large.num) == (pytest.approx(10 * small.minimum), small.num)
    synapse = Synapse(jnp.asarray(0.0), jn.Identity())
    assert jn.VoltageGrid.for_model(jn.Network(synapse=synapse, drive=0.5)) == small


@pytest.mark.parametrize(
    ("kwargs", "options", "message"),
    [
        ({"weight": 0.0}, {"rtol": 0.5}, "rtol = 0.5: must be less than 0.1"),
        ({"weight": 0.0}, {"threshold": 1.0}, "reset = 1.0: must be below threshold = 1.0"),
        ({}, {}, "w: give a WeightGrid"),
        ({"weight": 0.0, "drive": 5.0, "noise": 1e-7}, {}, "more than 100000 nodes"),
    ],
)
def test_grids_that_cannot_be_made_are_refused(kwargs, options, message):
    with pytest.raises(ValueError, match=message):
        jn.VoltageGrid.for_model(jn.Network(**kwargs), **options)
    with pytest.raises(ValueError, match="model = str: must be a Network"):
        jn.VoltageGrid.for_model("network")


@pytest.mark.parametrize(("gain", "warned"), [(0.05, False), (0.3, True)])
def test_an_end_of_the_weights_that_holds_neurons_back_is_named(gain, warned):
    space = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60), w=jn.WeightGrid(0.0, 0.5, num=60)
    )
    sol = jn.solve(
        jn.Network(drive=2.0, response=jn.Saturating(), learning=jn.Hebbian(gain), epsilon=1e-3),
        jn.FluxShift(space),
        y0=jn.gaussian(space, v=(-1.0, 0.5), w=(0.3, 0.002)),
        t1=3.0,
        dt=2e-2,
        saveat=jn.SaveAt(num=3, fn=None),
    )
    assert bool(sol.warnings[WarningFlag.weight_wall]) == warned
    assert not sol.warnings[WarningFlag.time_noise]  # intervals are not what learning follows


def test_flags_work_under_transformations():
    space = jn.Grid(v=jn.VoltageGrid(-1.0, 2.0, reset=1.0, num=60))
    y0 = jn.gaussian(space, v=(1.2, 0.01))

    def solved(drive):
        model = jn.Network(weight=0.0, drive=drive)
        save = jn.SaveAt(num=3, fn=None)
        return jn.solve(model, jn.FluxShift(space), y0=y0, t1=4.0, dt=0.04, saveat=save)

    drives = jnp.asarray([0.5, 4.0])
    inside = jax.jit(jax.vmap(lambda drive: solved(drive).warnings))(drives)
    batch = jax.vmap(solved)(drives)
    np.testing.assert_array_equal(inside, batch.warnings)
    np.testing.assert_array_equal(inside[:, WarningFlag.voltage_wall], [True, False])
    with pytest.raises(ValueError, match="message: is that of a single run"):
        batch.message  # noqa: B018


def test_fits_repeat_what_their_runs_warn_of():
    space = jn.Grid(v=jn.VoltageGrid(-1.0, 2.0, reset=1.0, num=30))
    ts = np.linspace(0, 2, 5)

    def solved(model):
        y0 = jn.gaussian(space, v=(1.2, 0.01))
        save = jn.SaveAt(ts=ts, fn=None)
        return jn.solve(
            model, jn.FluxShift(space), y0=y0, t1=2.0, dt=0.05, saveat=save, throw=False
        )

    fitted = jn.fit(
        jn.Network(weight=0.0, drive=0.5),
        solved,
        jn.losses.Rate(ts[1:], np.full(4, 0.25)),
        where=lambda model: model.drive.value,
        optimiser=optax.sgd(0.1),
        steps=3,
        uncertainty=False,
    )
    assert "voltage wall: " in fitted.message


def test_advice_on_inputs_at_which_no_interval_is_known():
    rate = np.full(5, 50.0)  # of strongly inhibited neurons: they feel -500
    solution = SimpleNamespace(
        model=jn.Network(weight=-30.0, drive=1000.0),
        solver=jn.FluxShift(jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=120))),
        ts=np.arange(5.0),
        rate=rate,
        rates=rate[:, None],
        stats={"dt": jnp.asarray(0.05)},
    )
    said = advice(WarningFlag.time_noise, solution, jnp.array([-30.0]))
    assert said == "Try a smaller dt."
