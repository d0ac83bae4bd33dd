"""A training step at the published MNIST setting: 784-100-100-10, batch 1000, on images of noise.

The network is active as a trained one is. Needs a copy of the repository chklos/spikegd to compare.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxnlif.experiments import mnist
from jaxnlif.experiments._classifier import Samples, State, Trainer
from jaxnlif.experiments._classifier_setting import MNIST
from jaxnlif.spikes import FeedForward, Theta

from . import _spikegd

SETTING = MNIST["published"]
BATCH, STEPS, REPEATS = 1000, 3, 5
THEIRS = {
    "Nin": 784, "Nin_virtual": 1, "Nhidden": 100, "Nlayer": 3, "Nout": 10,
    "T": 2.0, "K": 200, "gamma": 1e-2, "Nbatch": BATCH,
}  # fmt: skip
DTYPES = {"float32": np.float32, "float64": np.float64}


def network(dtype) -> FeedForward:
    """A network in which 0.45 and 0.35 spikes per neuron occur in the hidden layers."""
    sizes = [784, *SETTING.hidden, 10]
    neuron = Theta(dtype(SETTING.tau), dtype(SETTING.I0))
    net = FeedForward.init(neuron, sizes, key=jax.random.key(0), scale=4.0, dtype=dtype)
    layers = zip(net.layer_weights, (0.0033, 0.018, 0.03), strict=True)
    shifted = tuple(w + dtype(b) for w, b in layers)
    return eqx.tree_at(lambda n: n.layer_weights, net, shifted)


def first_times(net: FeedForward, inputs: Any) -> jax.Array:
    """The first spikes of the outputs."""
    return net(inputs, duration=SETTING.duration)[..., 0]


def samples() -> Samples:
    """Images that are half bright, and classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, 784)).astype(np.uint8)
    return Samples(jnp.asarray(images), jnp.asarray(rng.integers(0, 10, BATCH), jnp.int32))


def trainer() -> Trainer:
    """Without flipped pixels, which the authors make apart from the step."""
    encoder = mnist.ImageEncoder(
        SETTING.bins, SETTING.duration, None, None, flip=0.0, shift=0, mirror=False, side=28
    )
    return Trainer(SETTING, encoder, 60)


def our_step(dtype) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Loss, gradient and update."""
    state = _state(network(dtype))
    return eqx.filter_jit(trainer().step), (state, samples(), jax.random.key(1))


def _state(net: FeedForward) -> State:
    params = eqx.filter(net, net.trainable())
    return State(net, SETTING.optimiser(60).init(params))


def our_gradient(net: FeedForward, data: Samples) -> tuple[jax.Array, FeedForward]:
    """Loss and gradient."""
    one = trainer()
    inputs = one.encoder(data.x, None)
    params, fixed = eqx.partition(net, net.trainable())

    def loss(params):
        return jnp.mean(one._loss(first_times(eqx.combine(params, fixed), inputs), data.label))

    return jax.jit(jax.value_and_grad(loss))(params)


def their_gradient(
    directory: str | os.PathLike, net: FeedForward, data: Samples, eps: float = 1e-6
):
    """Their loss and gradient as a compiled function, and its arguments."""
    experiment = _spikegd.module(directory, "mnist", "mnist")
    theta = _spikegd.module(directory, "spikegd.theta")
    neuron = theta.ThetaNeuron(float(net.neuron.tau), float(net.neuron.I0), eps)

    def loss(parameters, inputs, labels):
        return experiment.simulatefn(neuron, parameters, inputs, labels, THEIRS)[0]

    parameters = [list(net.layer_weights), jnp.concatenate(net.initial)]
    inputs = trainer().encoder(data.x, None).which.astype(jnp.int32)
    return jax.jit(jax.value_and_grad(loss)), (parameters, inputs, data.label)


def their_step(directory: str | os.PathLike, dtype):
    """Loss, gradient and update, as their training makes them."""
    gradient, (parameters, *rest) = their_gradient(directory, network(dtype), samples())
    optimiser = SETTING.optimiser(60)

    @jax.jit
    def step(parameters, state, *rest):
        (value, slope) = gradient(parameters, *rest)
        updates, state = optimiser.update(slope, state, parameters)
        return jax.tree.map(jnp.add, parameters, updates), state, value

    return step, (parameters, optimiser.init(parameters), *rest)


def run(spikegd: str | os.PathLike | None) -> None:
    """Prints everything that is measured as `name value unit`."""
    for name, dtype in DTYPES.items():
        jax.config.update("jax_enable_x64", dtype is np.float64)  # their constants follow it
        steps = {"jaxnlif": our_step(dtype)}
        if spikegd is not None:
            steps["spikegd"] = their_step(spikegd, dtype)
        _spikegd.compare(f"mnist_{name}", steps, runs=STEPS, repeats=REPEATS)
