"""Spike times and gradients of QIF networks; spikes pushed through the end of a trial."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured

from jaxnlif.spikes import LIF, QIF, InputSpikes, Recurrent, sorted_spikes

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.spikes import _reference as reference

NETWORKS, MAX_EVENTS = 8, 160


def _setting(seed: int) -> reference.Setting:
    return reference.random_setting(seed, n=5, m=4)


def _outputs(arguments, sources, duration):
    """Output times (ordinary and pseudospikes), two more than the busiest neuron of these has."""
    weights, input_weights, times = arguments
    net = Recurrent(QIF(jnp.ones((), weights.dtype)), weights, input_weights)
    trial = net(InputSpikes(times, sources), duration=duration, max_events=MAX_EVENTS)
    return net.output_times(trial, 10), trial


def _loss(arguments, sources, duration):
    times, _ = _outputs(arguments, sources, duration)
    return jnp.mean(jnp.sin(times)) + jnp.mean((times / duration) ** 2)


_gradient = jax.jit(jax.grad(_loss))
_value = jax.jit(_loss)
_times = jax.jit(_outputs)


def _arguments(setting: reference.Setting, dtype):
    return tuple(
        jnp.asarray(x, dtype) for x in (setting.weights, setting.input_weights, setting.times)
    )


def against_integration() -> Iterator[Measured]:
    """Spike times of random networks against an integrator of order 8 with tight tolerances."""
    worst = 0.0
    for seed in range(NETWORKS):
        setting = _setting(seed)
        spikes, _ = reference.qif(setting)
        _, trial = _times(_arguments(setting, float), setting.sources, setting.duration)
        mine = np.asarray(trial.sources) < 5
        assert np.array_equal(np.asarray(trial.sources)[mine], spikes[:, 1])
        error = np.abs(np.asarray(trial.times)[mine] / spikes[:, 0] - 1)
        worst = max(worst, float(error.max()))
    yield Measured("qif_spike_times", worst)


def against_differences() -> Iterator[Measured]:
    """Gradients against central differences of order 6, in random directions."""
    rng = np.random.default_rng(0)
    worst = np.zeros(3)
    for seed in range(NETWORKS):
        setting = _setting(seed)
        arguments = _arguments(setting, float)
        slopes = _gradient(arguments, setting.sources, setting.duration)
        for which in range(3):
            direction = rng.normal(size=arguments[which].shape)
            direction /= np.linalg.norm(direction)

            def at(step, which=which, direction=direction, arguments=arguments, setting=setting):
                moved = [*arguments]
                moved[which] = moved[which] + step * direction
                return float(_value(tuple(moved), setting.sources, setting.duration))

            h = 1e-4
            one, two, three = ((at(k * h) - at(-k * h)) / (2 * k * h) for k in (1, 2, 3))
            expected = (15 * one - 6 * two + three) / 10
            error = abs(float(jnp.vdot(slopes[which], direction)) - expected)
            scale = float(jnp.linalg.norm(slopes[which]))
            worst[which] = max(worst[which], error / scale)
    for which, name in enumerate(("weights", "input weights", "input times")):
        yield Measured("qif_gradients", float(worst[which]), name)


def float32() -> Iterator[Measured]:
    """Times and gradients in float32 against those in float64."""
    time_error = gradient_error = 0.0
    for seed in range(NETWORKS):
        setting = _setting(seed)
        single = _arguments(setting, np.float32)
        rounded = tuple(x.astype(np.float64) for x in single)
        rough, _ = _times(single, setting.sources, np.float32(setting.duration))
        fine, _ = _times(rounded, setting.sources, setting.duration)
        time_error = max(time_error, float(np.max(np.abs(np.asarray(rough) / fine - 1))))
        for a, b in zip(
            _gradient(single, setting.sources, np.float32(setting.duration)),
            _gradient(rounded, setting.sources, setting.duration),
            strict=True,
        ):
            error = np.linalg.norm(np.asarray(a, float) - b) / np.linalg.norm(b)
            gradient_error = max(gradient_error, float(error))
    yield Measured("float32_spike_times", time_error, "QIF")
    yield Measured("float32_gradients", gradient_error, "QIF")


# ---- continuity ------------------------------------------------------------------------------

POINTS, WIDTH = 10_001, 0.05
DURATION = 4.0


def _single(neuron, excitation, parameter, p):
    """One neuron, an excitatory input and an inhibitory one; weight or time of one of them is p."""
    weight, time = (p, 1.5) if parameter == "weight" else (excitation, p)
    weights = jnp.stack([jnp.asarray(weight, float), jnp.asarray(-1.0)])[None]
    times = jnp.stack([jnp.asarray(0.5), jnp.asarray(time, float)])
    net = Recurrent(neuron, jnp.zeros((1, 1)), weights)
    return net, net(sorted_spikes(times, jnp.arange(2)), duration=DURATION, max_events=16)


def _crossing(neuron, excitation, parameter, low, high) -> float:
    """Where the number of spikes changes, by bisection."""
    count = jax.jit(lambda p: _single(neuron, excitation, parameter, p)[1].counts[0])
    first = int(count(low))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if int(count(middle)) == first else (low, middle)
    return low


def continuity() -> Iterator[Measured]:
    """The largest jump of the first output time, and of the loss, across the end of the trial."""
    for parameter, excitation, low, high in (("weight", 0.0, 2.2, 4.0), ("time", 2.9, 0.6, 2.0)):
        at = _crossing(QIF(), excitation, parameter, low, high)
        sweep = jnp.linspace(at - WIDTH / 2, at + WIDTH / 2, POINTS)

        def output(p, parameter=parameter, excitation=excitation):
            net, trial = _single(QIF(), excitation, parameter, p)
            return net.output_times(trial, 1)[0, 0], trial.counts[0]

        (time, count), slope = jax.jit(jax.vmap(jax.value_and_grad(output, has_aux=True)))(sweep)
        assert np.ptp(count) == 1
        jump = np.diff(time) - np.diff(sweep) * (slope[1:] + slope[:-1]) / 2
        yield Measured("continuity", float(np.abs(jump).max()), parameter)
        loss, loss_slope = (time - 3) ** 2, 2 * (time - 3) * slope
        jump = np.diff(loss) - np.diff(sweep) * (loss_slope[1:] + loss_slope[:-1]) / 2
        yield Measured("continuity_loss", float(np.abs(jump).max()), parameter)
        bends = np.abs(np.diff(slope))
        yield Measured("continuity_slope", float(bends.max() / np.median(bends)), parameter)


def lif_jumps() -> Iterator[Measured]:
    """How far from the end of the trial a LIF neuron's spike vanishes, and how steeply."""
    at = _crossing(LIF(), 0.0, "weight", 3.0, 6.0)

    def output(p):
        return _single(LIF(), 0.0, "weight", p)[1].spike_times(1)[0, 0]

    above = at + 10.0 ** -np.arange(3, 10)
    time, slope = jax.jit(jax.vmap(jax.value_and_grad(output)))(jnp.asarray(above))
    yield Measured("lif_jump", DURATION - float(time[-1]))
    yield Measured("lif_steepest", float(np.abs(slope).max()))
