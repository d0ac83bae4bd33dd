"""What the solvers cost, from the benchmarks in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator

from _report import Measured

from .._benchmark import benchmark


def speedups() -> Iterator[Measured]:
    """Seconds of particles over seconds of the others, M = 10⁵."""
    values = benchmark("multiscale")
    for case in ("instantaneous", "periodic", "self-sustained", "weak"):
        yield Measured("cost_density", values[f"speedup/{case}/density"], case)
    for case in ("instantaneous", "self-sustained", "periodic"):
        yield Measured(f"cost_multiscale_{case}", values[f"speedup/{case}/multiscale"])


def never_switching() -> Iterator[Measured]:
    """The multi-scale solver over the density alone, where it never switches."""
    yield Measured("cost_never_switching", benchmark("multiscale")["never_switching/ratio"])


def against_brian2() -> Iterator[Measured]:
    """Brian2 over particles: neuron-steps in a second, and time to 1 % error of the mean rate."""
    values = benchmark("particles")
    yield Measured(
        "brian2_neuron_steps", values["particles_speedup/jaxnlif_float32/brian2_float32"]
    )
    yield Measured(
        "brian2_time_to_one_percent",
        values["particles_speedup_to_1%/jaxnlif_float32/brian2_float32"],
    )
