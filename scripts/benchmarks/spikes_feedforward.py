"""A training step at the published MNIST setting: 784-100-100-10, batch 1000, on images of noise.

The network is active as a trained one is. Needs a copy of the repository chklos/spikegd to compare.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import print_value

from jaxnlif.experiments import mnist
from jaxnlif.experiments._classifier import Samples, State, Trainer
from jaxnlif.experiments._classifier_setting import MNIST
from jaxnlif.spikes import FeedForward, Theta

from ._timing import Case, interleaved

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
    duration = dtype(SETTING.duration)
    net = FeedForward.init(
        sizes, neuron, key=jax.random.key(0), duration=duration, scale=4.0, dtype=dtype
    )
    shifted = tuple(w + dtype(b) for w, b in zip(net.weights, (0.0033, 0.018, 0.03), strict=True))
    return eqx.tree_at(lambda n: n.weights, net, shifted)


def samples() -> Samples:
    """Images that are half bright, and classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, 784)).astype(np.uint8)
    return Samples(jnp.asarray(images), jnp.asarray(rng.integers(0, 10, BATCH), jnp.int32))


def trainer() -> Trainer:
    """Without flipped pixels, which the authors make apart from the step."""
    encoder = mnist.ImageEncoder(SETTING.bins, SETTING.duration, flip=0.0, shift=0, side=28)
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
        return jnp.mean(one._loss(eqx.combine(params, fixed)(inputs)[..., 0], data.label))

    return jax.jit(jax.value_and_grad(loss))(params)


def load(directory: str | os.PathLike) -> tuple[ModuleType, ModuleType]:
    """Their experiment and their neuron; PyTorch, which only loads their data, is left out."""
    for name in ("torch", "torch.utils", "torch.utils.data", "torchvision"):
        if name not in sys.modules:
            sys.modules[name] = ModuleType(name)
    vars(sys.modules["torch"]).setdefault("Tensor", object)
    vars(sys.modules["torch.utils.data"]).update(DataLoader=object, TensorDataset=object)
    vars(sys.modules["torchvision"]).setdefault("datasets", SimpleNamespace(MNIST=object))
    for part in ("", "experiments/mnist"):
        sys.path.insert(0, str(Path(directory) / part))
    return importlib.import_module("mnist"), importlib.import_module("spikegd.theta")


def their_gradient(
    directory: str | os.PathLike, net: FeedForward, data: Samples, eps: float = 1e-6
):
    """Their loss and gradient as a compiled function, and its arguments."""
    experiment, theta = load(directory)
    neuron = theta.ThetaNeuron(float(net.neuron.tau), float(net.neuron.I0), eps)

    def loss(parameters, inputs, labels):
        return experiment.simulatefn(neuron, parameters, inputs, labels, THEIRS)[0]

    parameters = [[w.T for w in net.weights], jnp.concatenate(net.initial)]
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
        timings = interleaved(
            {who: _repeated(*step) for who, step in steps.items()}, repeats=REPEATS
        )
        memory = {who: _temporaries(*step) for who, step in steps.items()}
        for who, timing in timings.items():
            print_value(f"mnist_step/{name}/{who}", 1e3 * timing.step, "ms")
            print_value(f"mnist_compile/{name}/{who}", timing.compile, "s")
            print_value(f"mnist_temporaries/{name}/{who}", memory[who] / 2**20, "MiB")
        if spikegd is not None:
            ratio = timings["spikegd"].step / timings["jaxnlif"].step
            print_value(f"mnist_speedup/{name}/spikegd", ratio, "times")
            print_value(
                f"mnist_memory/{name}/spikegd", memory["jaxnlif"] / memory["spikegd"], "times"
            )


def _repeated(step, arguments) -> Case:
    def steps():
        for _ in range(STEPS):
            jax.block_until_ready(step(*arguments))

    return Case(steps, STEPS)


def _temporaries(step, arguments) -> int:
    compiled = step.lower(*arguments).compile()
    # equinox wraps the compiled function of JAX
    return getattr(compiled, "compiled", compiled).memory_analysis().temp_size_in_bytes
