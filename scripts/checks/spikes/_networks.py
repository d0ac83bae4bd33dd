"""What the checks simulate."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxnlif.spikes import FeedForward, Theta

DURATION, SPIKES = 7.0, 8


def random_network(seed: int, dtype=np.float64) -> FeedForward:
    """Three layers with delays and random phases, active for more than two periods."""
    neuron = Theta(dtype(1.2), dtype(1.4))
    drawn = FeedForward.init(
        neuron, [8, 7, 5, 3], key=jax.random.key(seed), scale=3.0, max_spikes=SPIKES,
        delayed=(0, 1), dtype=np.float64,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    period = float(neuron.period)
    net = eqx.tree_at(
        lambda n: (n.initial, n.delays[0], n.delays[1]),
        drawn,
        (
            tuple(jnp.asarray(rng.uniform(0, period, n)) for n in (7, 5, 3)),
            jnp.asarray(rng.uniform(0, 1, 8)),
            jnp.asarray(rng.uniform(0, 1, 7)),
        ),
    )
    return jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, net)


def random_inputs(seed: int, samples: int, dtype=np.float64) -> jax.Array:
    """Input times in the trial."""
    rng = np.random.default_rng(seed + 1000)
    return jnp.asarray(rng.uniform(0, DURATION, (samples, 8)), dtype)


def random_loss(net: FeedForward, inputs: jax.Array) -> jax.Array:
    """A random linear function of all output times."""
    times = net(inputs, duration=DURATION)
    rng = np.random.default_rng(7)
    return jnp.sum(jnp.asarray(rng.normal(size=times.shape), times.dtype) * times)
