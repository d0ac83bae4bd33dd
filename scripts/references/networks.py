"""Networks integrated as differential equations, by a library's integrator of order 8."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from jaxnlif.spikes import InputSpikes


class Setting(NamedTuple):
    """A network and its input; weights are (to, from)."""

    weights: np.ndarray
    input_weights: np.ndarray
    times: np.ndarray
    sources: np.ndarray
    duration: float

    def inputs(self, dtype) -> InputSpikes:
        return InputSpikes(self.times.astype(dtype), self.sources)


def random_setting(seed: int, *, n=5, m=4, rate=3.0, duration=4.0, strength=1.0, drive=5.0):
    """A random network whose inputs excite more than they inhibit."""
    rng = np.random.default_rng(seed)
    weights = strength * rng.normal(size=(n, n))
    input_weights = drive * (0.7 + rng.normal(size=(n, m)))
    num = int(m * rate * duration)
    times = np.sort(rng.uniform(0, duration, num))
    return Setting(weights, input_weights, times, rng.integers(0, m, num), duration)


def integrate(setting: Setting, initial: np.ndarray, speed, kick, reset, threshold):
    """Spike times and neurons, and the state at the end, of any network of such neurons.

    **Arguments:** `initial`: shape (variables, n); `speed(x)`: their velocities; `kick(x, w)`: the
    state after weights w have arrived; `reset(x, i)` after neuron i has spiked; `threshold(x)`,
    which falls through 0 where a neuron spikes.
    """
    n, shape = initial.shape[1], initial.shape

    def stop(i):
        def distance(_, y):
            return threshold(y.reshape(shape))[i]

        distance.terminal, distance.direction = True, -1
        return distance

    stops = [stop(i) for i in range(n)]
    inputs = [*zip(setting.times, setting.sources, strict=True), (setting.duration, -1)]
    spikes, t, x = [], 0.0, initial.copy()
    for arrival, source in inputs:
        while t < arrival:
            part = solve_ivp(
                lambda _, y: speed(y.reshape(shape)).ravel(),
                (t, arrival),
                x.ravel(),
                method="DOP853",
                events=stops,
                rtol=1e-13,
                atol=1e-14,
            )
            t, x = part.t[-1], part.y[:, -1].reshape(shape)
            if part.status == 1:
                who = next(i for i, found in enumerate(part.t_events) if found.size)
                spikes.append((t, who))
                kicks = setting.weights[:, who].copy()
                kicks[who] = 0
                x = reset(kick(x, kicks), who)
        if source >= 0:
            x = kick(x, setting.input_weights[:, source])
    return np.array(spikes), x


def qif(setting: Setting, tau: float = 1.0):
    """QIF neurons from rest; the state is (angle, current) with V = cot(angle)."""

    def speed(x):
        n, d = np.cos(x[0]), np.sin(x[0])
        return np.stack([-(n * n - n * d + x[1] * d * d), -2 * x[1]]) / tau

    def reset(x, i):
        x = x.copy()
        x[0, i] = np.pi
        return x

    n = setting.weights.shape[0]
    start = np.stack([np.full(n, np.pi / 2), np.zeros(n)])
    return integrate(setting, start, speed, _to_current, reset, lambda x: x[0])


def lif(setting: Setting, tau: float = 1.0):
    """LIF neurons from rest; the state is (potential, current)."""

    def speed(x):
        return np.stack([-x[0] + x[1], -2 * x[1]]) / tau

    def reset(x, i):
        x = x.copy()
        x[0, i] = 0
        return x

    start = np.zeros((2, setting.weights.shape[0]))
    return integrate(setting, start, speed, _to_current, reset, lambda x: 1 - x[0])


def theta(setting: Setting, tau: float, current: float):
    """Theta neurons from the middle of the period; the state is the angle of (V - 1/2, 1)."""
    q2 = current - 0.25

    def speed(x):
        return -(np.cos(x) ** 2 + q2 * np.sin(x) ** 2) / tau

    def kick(x, w):
        n, d = np.cos(x), np.sin(x)
        return np.arctan2(d, n + w * d)

    def reset(x, i):
        x = x.copy()
        x[0, i] = np.pi
        return x

    start = np.full((1, setting.weights.shape[0]), np.pi / 2)
    return integrate(setting, start, speed, kick, reset, lambda x: x[0])


def _to_current(x, w):
    return np.stack([x[0], x[1] + w])
