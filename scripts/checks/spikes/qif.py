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
    """A trial with output times, ordinary and pseudospikes, two more than any neuron has."""
    weights, input_weights, times = arguments
    neuron, room = QIF(jnp.ones((), weights.dtype)), {"max_spikes": 10, "max_events": MAX_EVENTS}
    net = Recurrent(neuron, weights, input_weights, **room)
    return net.trial(InputSpikes(times, sources), duration=duration)


def _loss(arguments, sources, duration):
    times = _outputs(arguments, sources, duration).times
    return jnp.mean(jnp.sin(times)) + jnp.mean((times / duration) ** 2)


_gradient = jax.jit(jax.grad(_loss))
_value = jax.jit(_loss)
_trial = jax.jit(_outputs)


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
        events = _trial(_arguments(setting, float), setting.sources, setting.duration).events
        mine = np.asarray(events.sources) < 5
        assert np.array_equal(np.asarray(events.sources)[mine], spikes[:, 1])
        error = np.abs(np.asarray(events.times)[mine] / spikes[:, 0] - 1)
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
        rough = _trial(single, setting.sources, np.float32(setting.duration)).times
        fine = _trial(rounded, setting.sources, setting.duration).times
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
