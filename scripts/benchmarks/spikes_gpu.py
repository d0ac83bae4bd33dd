"""A training step at the published MNIST setting on a GPU, and a batch of recurrent trials.

Steps follow each other without looking at the clock, each from the network that
the one before made, as in an epoch.
"""

from __future__ import annotations

import statistics
import time

import jax
import numpy as np
from _report import print_value

from jaxnlif import _pallas
from jaxnlif.experiments._classifier import State

from . import spikes_feedforward as step_of
from . import spikes_recurrent

STEPS, REPEATS = 100, 10


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    device, kernels = jax.devices()[0].device_kind, _pallas.available()
    print(f"# device {device}, jax {jax.__version__}, kernels: {kernels}")
    print_value("mnist_float32_gpu_step", milliseconds(), "ms")
    for dtype in (np.float32, np.float64):
        print_value(
            f"recurrent_{np.dtype(dtype).name}_gpu_batch/single", batch_ratio(dtype), "times"
        )


def milliseconds() -> float:
    """The median time of a training step."""
    step, (state, samples, key) = step_of.our_step(np.float32)
    state, loss = _next(step, state, samples, key)
    times = []
    for _ in range(REPEATS):
        jax.block_until_ready((state, loss))
        began = time.perf_counter()
        for _ in range(STEPS):
            state, loss = _next(step, state, samples, key)
        jax.block_until_ready((state, loss))
        times.append(1e3 * (time.perf_counter() - began) / STEPS)
    if not np.isfinite(loss):
        raise RuntimeError(f"loss = {loss}: the training failed")
    return statistics.median(times)


def batch_ratio(dtype) -> float:
    """A step of a batch of recurrent trials over as many single ones; it has run on a CPU only."""
    step, learned, inputs = spikes_recurrent.batch_case(dtype)
    single = jax.tree.map(lambda x: x[0], inputs)
    times = {}
    for name, given in (("batch", inputs), ("single", single)):
        jax.block_until_ready(step(learned, given))
        took = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            jax.block_until_ready(step(learned, given))
            took.append(time.perf_counter() - began)
        times[name] = statistics.median(took)
    return times["batch"] / (spikes_recurrent.BATCH * times["single"])


def _next(step, state: State, samples, key):
    net, optimiser, loss = step(state, samples, key)
    return State(net, optimiser), loss
