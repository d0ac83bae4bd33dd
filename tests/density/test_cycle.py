"""Rates that jump to and fro: what is taken for a cycle of the coupling, and what is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.density.cycle import Alternation

STEPS = 400
N = np.arange(STEPS)
TO_AND_FRO = (-1.0) ** N
NOISE = np.random.default_rng(0).normal(size=STEPS)


@jax.jit
def _watch(rates, driven):
    zero = jnp.zeros((), rates.dtype)
    begin = Alternation(zero, zero, zero, jnp.zeros((), jnp.int32))

    def step(alternation, pair):
        before, rate = pair
        new = alternation.after(before, rate, before, driven)
        return new, new.is_cycle

    return jax.lax.scan(step, begin, (rates[:-1], rates[1:]))[1]


def cycles(rates, driven=False):
    return bool(np.any(_watch(jnp.asarray(rates), jnp.asarray(driven))))


@pytest.mark.parametrize(
    "rates",
    [
        0.4 + 0.2 * TO_AND_FRO,
        0.4 + 0.002 * TO_AND_FRO,
        0.4 + 1e-6 * 1.03**N * TO_AND_FRO,  # an instability that grows
        0.4 + 0.1 * TO_AND_FRO * (1 + 0.5 * np.sin(N / 60)) + 0.05 * np.cos(N / 30),
        np.where(N < 200, 0.4, 0.4 + 0.1 * TO_AND_FRO),
        np.where(N % 2 == 0, 2.8, 0.001),
    ],
    ids=["constant", "small", "growing", "with a drive", "late", "between silence and a burst"],
)
def test_cycles(rates):
    assert cycles(rates)


@pytest.mark.parametrize(
    "rates",
    [
        np.full(STEPS, 0.4),
        0.4 + 1e-4 * TO_AND_FRO,
        0.4 + 0.2 * TO_AND_FRO * 0.98**N,
        0.4 + 0.2 * np.sin(2 * np.pi * N / 3),
        0.4 + 0.2 * np.sin(2.5 * N),
        0.4 + 0.2 * np.sign(np.sin(2 * np.pi * N / 10 + 0.1)),
        0.4 + 0.1 * NOISE,
        0.4 + 0.1 * np.convolve(NOISE, TO_AND_FRO[:40] * 0.9 ** N[:40], "same"),
        np.full(STEPS, np.nan),
    ],
    ids=[
        *("steady", "rounding", "decaying", "three steps", "incommensurate", "a pulse train"),
        *("noise", "noise that overshoots", "not a number"),
    ],
)
def test_no_cycles(rates):
    assert not cycles(rates)


def test_a_drive_that_alternates_is_no_cycle_of_the_coupling():
    assert not cycles(0.4 + 0.2 * TO_AND_FRO, driven=True)


LINE = jn.Grid(v=jn.VoltageGrid(-6.0, 2.0, reset=1.0, num=160))
START = jn.gaussian(LINE, v=(-1.0, 0.5))


def run(network):
    saveat = jn.SaveAt(num=2, fn=None)
    return jn.solve(network, jn.FluxShift(LINE), y0=START, t1=4.0, dt=5e-2, saveat=saveat)


def test_a_lagged_run_in_a_cycle_says_so_and_names_what_helps():
    sol = run(jn.Network(weight=-5.0, drive=4.0, noise=0.05))
    assert sol.result == jn.Result.rate_cycle
    assert "Implicit" in sol.message
    assert float(sol.t_end) < 4.0
    # After a mean delay of a step the coupling is as good as lagged.
    delayed = jn.Network(weight=-20.0, drive=10.0, noise=0.2, delay=jn.ExponentialDelay(5e-2))
    assert run(delayed).result == jn.Result.rate_cycle


@pytest.mark.parametrize(
    "network",
    [
        jn.Network(weight=-1.0, drive=4.0, noise=0.2),
        jn.Network(weight=-6.0, drive=4.0, noise=0.2, delay=0.5),  # oscillates
        jn.Network(weight=-1.0, drive=jn.Sinusoid(2.0, 2.0, period=0.1, phase=0.5)),
    ],
    ids=["settles", "delayed", "driven"],
)
def test_runs_without_a_cycle_complete(network):
    assert run(network).result == jn.Result.completed
