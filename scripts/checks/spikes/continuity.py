"""A spike that is pushed through the end of the trial, by a weight and by an input time."""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured

from jaxnlif.spikes import FeedForward, Theta

POINTS, STEP, END = 10_000, 1e-8, 2.0


def feedforward() -> Iterator[Measured]:
    """The first output time of a network about the point where it passes the end."""
    net = FeedForward.init(
        [3, 4, 1], Theta(6 / np.pi), key=jax.random.key(0), duration=END, scale=1.0
    )
    inputs = jnp.asarray([0.2, 0.5, 0.8])

    def time(change):
        weights = net.weights[0].at[:, 1].add(change[1]), net.weights[1] + change[0]
        one = eqx.tree_at(lambda n: n.weights, net, weights)
        return one(inputs.at[0].add(change[2]))[0, 0]

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
        yield Measured("theta_continuity", float(jump), name)
