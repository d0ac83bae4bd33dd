"""Spike times and gradients of recurrent QIF networks against references."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from references import networks as reference

from jaxnlif.spikes import QIF, InputSpikes, Recurrent

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
    yield Measured("spike_times", worst, "QIF")


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
        yield Measured("gradients", float(worst[which]), f"QIF,{name}")


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
