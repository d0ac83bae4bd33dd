"""A spike that is pushed through the end of the trial, by a weight and by an input time."""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured

from jaxnlif.spikes import LIF, QIF, FeedForward, Recurrent, Theta, sorted_spikes

POINTS = 10_000
STEP, END = 1e-8, 2.0  # of the feed-forward network
WIDTH, DURATION = 0.05, 4.0  # of the sweep of a single neuron, and of its trial


def feedforward() -> Iterator[Measured]:
    """The first output time of a network about the point where it passes the end."""
    net = FeedForward.init(Theta(6 / np.pi), [3, 4, 1], key=jax.random.key(0), scale=1.0)
    inputs = jnp.asarray([0.2, 0.5, 0.8])

    def time(change):
        weights = net.layer_weights[0].at[1].add(change[1]), net.layer_weights[1] + change[0]
        one = eqx.tree_at(lambda n: n.layer_weights, net, weights)
        return one(inputs.at[0].add(change[2]), duration=END)[0, 0]

    batched = jax.jit(jax.vmap(jax.value_and_grad(time)))
    spans = {
        "output weight": ([0, 1, 0.7], [6, 1, 0.7]),
        "hidden weight": ([2, 0, 0.7], [2, 6, 0.7]),
        "input time": ([2, 1, 0.7], [2, 1, 1.75]),
    }
    for name, (begin, end) in spans.items():
        begin, end = np.array(begin, float), np.array(end, float)
        direction = (end - begin) / np.max(np.abs(end - begin))
        # narrow the span about the crossing, then go through it in small steps
        for _ in range(2):
            changes = begin + np.linspace(0, 1, POINTS)[:, None] * (end - begin)
            beyond = np.asarray(batched(jnp.asarray(changes))[0]) > END
            k = int(np.flatnonzero(beyond[1:] != beyond[:-1])[0])
            begin, end = changes[k], changes[k + 1]
        middle = (begin + end) / 2
        changes = middle + STEP * (np.arange(POINTS) - POINTS / 2)[:, None] * direction
        times, slopes = (np.asarray(x) for x in batched(jnp.asarray(changes)))
        passed = (times[:1] > END) != (times[-1:] > END)
        moved = STEP * (slopes[1:] + slopes[:-1]) @ direction / 2
        jump = np.max(np.abs(np.diff(times) - moved)) if passed else np.inf
        yield Measured("continuity", float(jump), f"theta,{name}")


def _single(neuron, excitation, parameter, p):
    """One neuron, an excitatory input and an inhibitory one; weight or time of one of them is p."""
    weight, time = (p, 1.5) if parameter == "weight" else (excitation, p)
    weights = jnp.stack([jnp.asarray(weight, float), jnp.asarray(-1.0)])[None]
    times = jnp.stack([jnp.asarray(0.5), jnp.asarray(time, float)])
    net = Recurrent(neuron, jnp.zeros((1, 1)), weights, max_spikes=1, max_events=16)
    return net.trial(sorted_spikes(times, jnp.arange(2)), duration=DURATION)


def _crossing(neuron, excitation, parameter, low, high) -> float:
    """Where the number of spikes changes, by bisection."""
    count = jax.jit(lambda p: _single(neuron, excitation, parameter, p).num_spikes[0])
    first = int(count(low))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if int(count(middle)) == first else (low, middle)
    return low


def recurrent() -> Iterator[Measured]:
    """The largest jump of the first output time, and of the loss, across the end of the trial."""
    for parameter, excitation, low, high in (("weight", 0.0, 2.2, 4.0), ("time", 2.9, 0.6, 2.0)):
        at = _crossing(QIF(), excitation, parameter, low, high)
        sweep = jnp.linspace(at - WIDTH / 2, at + WIDTH / 2, POINTS + 1)

        def output(p, parameter=parameter, excitation=excitation):
            trial = _single(QIF(), excitation, parameter, p)
            return trial.times[0, 0], trial.num_spikes[0]

        (time, count), slope = jax.jit(jax.vmap(jax.value_and_grad(output, has_aux=True)))(sweep)
        assert np.ptp(count) == 1
        jump = np.diff(time) - np.diff(sweep) * (slope[1:] + slope[:-1]) / 2
        yield Measured("continuity", float(np.abs(jump).max()), f"QIF,{parameter}")
        loss, loss_slope = (time - 3) ** 2, 2 * (time - 3) * slope
        jump = np.diff(loss) - np.diff(sweep) * (loss_slope[1:] + loss_slope[:-1]) / 2
        yield Measured("continuity_loss", float(np.abs(jump).max()), f"QIF,{parameter}")
        bends = np.abs(np.diff(slope))
        yield Measured(
            "continuity_slope", float(bends.max() / np.median(bends)), f"QIF,{parameter}"
        )


def lif_jumps() -> Iterator[Measured]:
    """How far from the end of the trial a LIF neuron's spike vanishes, and how steeply."""
    at = _crossing(LIF(), 0.0, "weight", 3.0, 6.0)

    def output(p):
        return _single(LIF(), 0.0, "weight", p).times[0, 0]

    above = at + 10.0 ** -np.arange(3, 10)
    time, slope = jax.jit(jax.vmap(jax.value_and_grad(output)))(jnp.asarray(above))
    yield Measured("lif_jump", DURATION - float(time[-1]))
    yield Measured("lif_steepest", float(np.abs(slope).max()))
