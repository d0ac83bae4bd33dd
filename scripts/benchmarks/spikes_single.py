"""The step of the single-neuron task (loss and gradient) in float64, with room for 60 events.

It takes some ten microseconds, less than it takes to call a compiled function: many steps are made
in one call, each at the parameters that the one before leads to. Each code runs in processes of its
own, with XLA's flags as they are by default and with the one that inlines small loops, which makes
both faster; what is compared is the faster of the two.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
from _report import parse_values, print_value

from jaxnlif.experiments import spiketimes_single as experiment

from . import _spikegd
from ._timing import Case, interleaved

SEED = 14
EPS = 1e-6
"""Theirs: where potentials are cut off (at its inverse)."""

STEPS, REPEATS, ROUNDS = 1000, 5, 3
"""Steps in a call, timings in a process, and processes of each kind, which take turns."""

FLAGS = {
    "default": "",
    "inlined": "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000",
}


def our_step():
    """Loss and gradient in weights and times of the learned inputs."""
    single = experiment.task(SEED)

    def loss(learned):
        return jnp.mean((single.outputs(learned) - jnp.asarray(experiment.TARGETS)) ** 2)

    return jax.jit(jax.value_and_grad(loss)), (_learned(),)


def their_step(directory: str | os.PathLike):
    """The same with theirs, put together as their experiment does."""
    neuron = _spikegd.module(directory, "spikegd.qif").QIFNeuron(1.0, EPS, 10.0)
    single, targets = experiment.task(SEED), jnp.asarray(experiment.TARGETS)
    config = {"T": experiment.DURATION, "K": experiment.MAX_EVENTS}
    num = len(targets)

    def loss(learned):
        weights = jnp.concatenate([learned.weights, single.weights])[None]
        out = neuron.event(
            jnp.zeros((2, 1)), jnp.zeros((1, 1)), weights, tuple(single.inputs(learned)), config
        )
        times, is_input, neurons, states = out[:4]
        made = jnp.sum(neurons >= 0)
        spikes = jnp.sum((neurons == 0) & ~is_input)
        ordinary = times[jnp.argsort(is_input)[:num]]
        place = jnp.arange(num)
        later = neuron.t_pseudo(states[made], jnp.zeros(()), place + 1 - spikes, config)
        return jnp.mean((jnp.where(place < spikes, ordinary, later) - targets) ** 2)

    return jax.jit(jax.value_and_grad(loss)), (_learned(),)


def _learned() -> experiment.Learned:
    return experiment.Learned(jnp.asarray([0.5, 1.0]), jnp.asarray([1.0, 9.0]))


def run(spikegd: str | os.PathLike | None) -> None:
    """Prints everything that is measured as `name value unit`."""
    steps = {"jaxnlif": our_step()}
    if spikegd is not None:
        steps["spikegd"] = their_step(spikegd)
    _spikegd.compare("single_call", steps, runs=50, repeats=15)

    rounds = {(who, flags): [] for who in steps for flags in FLAGS}
    for _ in range(ROUNDS):
        for who, flags in rounds:
            rounds[who, flags].append(_in_a_process(who, flags, spikegd))
    times = {which: statistics.median(values) for which, values in rounds.items()}
    for (who, flags), value in times.items():
        print_value(f"single_step_{flags}/{who}", value, "ms")
    best = {who: min(times[who, flags] for flags in FLAGS) for who in steps}
    for who, value in best.items():
        print_value(f"single_step/{who}", value, "ms")
    if spikegd is not None:
        for flags in FLAGS:
            ratio = times["spikegd", flags] / times["jaxnlif", flags]
            print_value(f"single_speedup_{flags}/spikegd", ratio, "times")
        print_value("single_speedup/spikegd", best["spikegd"] / best["jaxnlif"], "times")


def _in_a_process(who: str, flags: str, spikegd: str | os.PathLike | None) -> float:
    """Milliseconds per step in a process that has these flags."""
    command = [sys.executable, "-m", "benchmarks.spikes_single", who, str(spikegd)]
    path = os.pathsep.join(
        p for p in (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")) if p
    )
    environment = os.environ | {"XLA_FLAGS": FLAGS[flags], "PYTHONPATH": path}
    output = subprocess.run(
        command, check=True, text=True, stdout=subprocess.PIPE, env=environment
    ).stdout
    return parse_values(output)["step"]


def _many(step, learned):
    """Steps in one call, each at slightly other parameters, so that none can be left out."""

    def one(learned, _):
        loss, slope = step(learned)
        return jax.tree.map(lambda x, dx: x - 1e-6 * dx, learned, slope), loss

    many = jax.jit(lambda learned: jax.lax.scan(one, learned, None, length=STEPS))
    return Case(lambda: many(learned), STEPS)


def main() -> None:
    """Times one of the codes in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("who", choices=("jaxnlif", "spikegd"))
    parser.add_argument("spikegd")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    step, (learned,) = our_step() if arguments.who == "jaxnlif" else their_step(arguments.spikegd)
    case = _many(step, learned)
    print_value("step", 1e3 * interleaved({"": case}, repeats=REPEATS)[""].step, "ms")


if __name__ == "__main__":
    main()
