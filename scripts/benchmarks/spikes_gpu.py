"""A training step at the published MNIST setting on a GPU: `python -m benchmarks.spikes_gpu`.

Runs in `scripts`. Steps follow each other without looking at the clock, each from the network that
the one before made, as in an epoch.
"""

from __future__ import annotations

import statistics
import sys
import time

import jax
import numpy as np
from _report import print_value

from jaxnlif import _pallas
from jaxnlif.experiments._classifier import State

from . import spikes_feedforward as step_of

STEPS, REPEATS = 100, 10


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    device = jax.devices()[0]
    kernels = _pallas.available()
    print(f"# device {device.device_kind}, jax {jax.__version__}, kernels: {kernels}")
    step, (state, samples, key) = step_of.our_step(np.float32)
    began = time.perf_counter()
    state, loss = _next(step, state, samples, key)
    jax.block_until_ready(state)
    print_value("mnist_float32_gpu_compile", time.perf_counter() - began, "s")
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(STEPS):
            state, loss = _next(step, state, samples, key)
        jax.block_until_ready((state, loss))
        times.append(1e3 * (time.perf_counter() - began) / STEPS)
    if not np.isfinite(loss):
        sys.exit(f"loss = {loss}: the training failed")
    print_value("mnist_float32_gpu_step", statistics.median(times), "ms")
    print_value("mnist_float32_gpu_step_least", min(times), "ms")


def _next(step, state: State, samples, key):
    net, optimiser, loss = step(state, samples, key)
    return State(net, optimiser), loss


if __name__ == "__main__":
    run()
