"""A compiled run that is called again costs little, and is checked as the first time."""

import sys
from collections import Counter

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12))
Y0 = jn.gaussian(GRID, v=(-1.0, 0.5))


def run(network=None, y0=Y0, **times):
    network = jn.Network(weight=0.5) if network is None else network
    times = {"t1": 1.0, "dt": 0.1, "saveat": jn.SaveAt(num=2)} | times
    return jn.solve(network, jn.FluxShift(GRID), y0=y0, **times)


def called(function) -> Counter:
    """How often each Python function is called, by its name."""
    calls = Counter()

    def count(frame, event, _):
        if event == "call":
            calls[frame.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


def test_a_run_that_is_called_again_computes_nothing_outside_compiled_code():
    assert called(lambda: jax.lax.neg(jnp.ones(3)))["apply_primitive"] >= 1
    network = jn.Network(weight=0.5)
    run(network)
    calls = called(lambda: run(network))
    assert calls["apply_primitive"] == 0
    assert calls["trace_to_jaxpr"] == 0
    assert calls["__getattribute__"] < 600  # modules are taken apart a few times only


def test_wrong_values_are_noticed_in_every_call():
    y0 = np.array(Y0)
    run(y0=y0)
    y0[3, 0] = -1.0  # in place
    with pytest.raises(ValueError, match=r"y0 = -1 at \[3, 0\]: must not be negative"):
        run(y0=y0)
    network = jn.Network(weight=0.5)
    run(network)
    wrong = jax.tree.map(lambda x: -x, network)  # which is not checked when it is made
    for _ in range(2):
        with pytest.raises(ValueError, match="noise = -1: must be positive"):
            run(wrong)


def test_a_drive_of_the_wrong_shape_is_refused_in_every_call():
    class Wide(jn.AbstractDrive):
        num: int

        def __call__(self, t, w):
            return jnp.zeros(self.num)

    run(jn.Network(weight=0.5, drive=Wide(1)))
    for _ in range(2):
        with pytest.raises(ValueError, match="drive: must return values for the 1 weights"):
            run(jn.Network(weight=0.5, drive=Wide(5)))


def test_errors_of_a_drive_while_it_runs_are_told():
    class Bounded(jn.AbstractDrive):
        value: jax.Array

        def __call__(self, t, w):
            return eqx.error_if(jnp.full_like(w, self.value), self.value > 1, "drive is too large")

    run(jn.Network(weight=0.5, drive=Bounded(jnp.asarray(0.5))))
    for _ in range(2):
        with pytest.raises(eqx.EquinoxRuntimeError, match="drive is too large"):
            run(jn.Network(weight=0.5, drive=Bounded(jnp.asarray(2.0))))


def test_chunks_are_the_same_run():
    """A run of one chunk and the beginning of one of several."""
    short, long = run(), run(t1=10.0, saveat=jn.SaveAt(num=11))
    np.testing.assert_allclose(short.rate[-1], long.rate[1], rtol=1e-6)
    assert float(short.t_end) == pytest.approx(1.0)
