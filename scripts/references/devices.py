"""Runs over many devices against the same on one, in processes of their own.

`python -m references.devices CASE… --devices N` prints what differs; with `--process k --of n
--port p` it is the k-th of n processes, each with its share of the devices.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from _report import parse_values, print_value

import jaxnlif as jn
from jaxnlif.integrate.progress import AbstractProgress
from references.problems import before_learning, learning_grid, learning_network

SCRIPTS = Path(__file__).parents[1]
FIELDS = ("rate", "rates", "weights", "spikes", "refractory", "regime", "saved")
_MARK = "sharded/"


def compare(
    cases: Iterable[str],
    *,
    devices: int,
    processes: int = 1,
    double: bool = True,
    optimised: bool = True,
) -> list[dict[str, float]]:
    """What each process measures: for every case `difference`, relative to the largest value of a
    field, and, but for gradients, `mass_drift` and `minimum` of the density.

    **Arguments:** names of functions in this file; how many virtual devices, in how many processes;
    whether in float64; whether compiled code is optimised, which takes as long as all the rest.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = f"--xla_force_host_platform_device_count={devices // processes}"
    paths = str(SCRIPTS.parent), os.environ.get("PYTHONPATH", "")
    environment = os.environ | {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": str(int(double)),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": str(int(not optimised)),
    }
    command = [sys.executable, "-m", "references.devices", *cases, "--devices", str(devices)]
    children = []
    try:
        for process in range(processes):
            group = ["--process", str(process), "--of", str(processes), "--port", str(port)]
            more = group if processes > 1 else []
            children.append(
                subprocess.Popen(
                    command + more, cwd=SCRIPTS, env=environment, text=True, stdout=subprocess.PIPE
                )
            )
        outputs = [child.communicate(timeout=600)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    failed = [child.returncode for child in children if child.returncode]
    if failed:
        raise RuntimeError(f"references.devices: exit codes {failed}")
    lines = ([line for line in text.splitlines() if line.startswith(_MARK)] for text in outputs)
    return [parse_values("\n".join(line.removeprefix(_MARK) for line in one)) for one in lines]


# ---- the cases --------------------------------------------------------------------------------


_learning_network = partial(learning_network, epsilon=1e-2)
_LEARNING = learning_grid(30, 16, weights=(-0.2, 1.0))
_TIMES = {"t1": 1.0, "dt": 0.02, "saveat": jn.SaveAt(num=6)}
_DELAYS = {"delay": 0.05, "refractory": 0.05}
_FIRING = learning_grid(90, 16, weights=(2.8, 3.2))  # strong enough for neurons to fire together
_FIRING_TIMES = {"t1": 1.2, "dt": 0.01, "saveat": jn.SaveAt(num=6)}


def _learns(solver: jn.FluxShift, sharding, *, run=None, **arguments) -> jn.Solution:
    y0, run = before_learning(_LEARNING), {} if run is None else run
    model = _learning_network(**arguments)
    return jn.solve(model, solver, y0=y0, sharding=sharding, **_TIMES, **run)


def lagged(sharding) -> jn.Solution:
    """Learning with the rate of the last step."""
    return _learns(jn.FluxShift(_LEARNING), sharding)


def rough(sharding) -> jn.Solution:
    """Steps much longer than anything takes, from a single column, with weights that fall."""
    column = jnp.zeros(_LEARNING.shape).at[:, 11].set(1.0)
    return jn.solve(
        _learning_network(learning=jn.Hebbian(-3.0), epsilon=1e-6),
        jn.FluxShift(_LEARNING),
        y0=jn.normalise(_LEARNING, column),
        t1=50.0,
        dt=10.0,
        saveat=jn.SaveAt(num=6),
        sharding=sharding,
    )


def implicit(sharding) -> jn.Solution:
    """Learning with the step's own rate."""
    return _learns(jn.FluxShift(_LEARNING, jn.Implicit()), sharding)


def by_levels(sharding, **run) -> jn.Solution:
    """The same in logarithmic depth."""
    execution = jn.execution.LogDepth()
    return _learns(jn.FluxShift(_LEARNING, jn.Implicit(), execution=execution), sharding, run=run)


def resumed(sharding) -> jn.Solution:
    """`by_levels`, interrupted and taken up from a checkpoint; on one device, the whole run."""
    if sharding is None:
        return by_levels(sharding)
    with tempfile.TemporaryDirectory() as directory:
        checkpoint = jn.Checkpoint(directory, every=0)
        try:
            by_levels(sharding, checkpoint=checkpoint, progress=_Interrupted())
        except jn.Interrupted:
            return by_levels(sharding, checkpoint=checkpoint)
        raise RuntimeError("the run was not interrupted")


class _Interrupted(AbstractProgress):
    """Presses Ctrl-C after the first steps."""

    def start(self, total):
        return self

    def update(self, steps):
        raise KeyboardInterrupt

    def close(self):
        pass


def resting(sharding) -> jn.Solution:
    """Transmission delay and refractory period."""
    return _learns(jn.FluxShift(_LEARNING), sharding, learning=None, **_DELAYS)


def wide(sharding) -> jn.Solution:
    """More columns on a device than are stepped at a time, with delays as `resting`."""
    grid = learning_grid(30, 20_000, weights=(0.0, 1.0))
    return jn.solve(
        _learning_network(learning=None, **_DELAYS),
        jn.FluxShift(grid),
        y0=before_learning(grid),
        t1=0.2,
        dt=0.02,
        saveat=jn.SaveAt(num=2),
        sharding=sharding,
    )


def _fires(solver, sharding) -> jn.Solution:
    return jn.solve(
        jn.Network(drive=1.5),
        solver,
        y0=jn.gaussian(_FIRING, v=(-1.0, 0.5), w=(3.0, 0.005)),
        key=jax.random.key(0),
        sharding=sharding,
        **_FIRING_TIMES,
    )


def events(sharding) -> jn.Solution:
    """Multiple firing events on the density, with the noise of 1000 neurons."""
    return _fires(jn.FluxShift(_FIRING, events=jn.Cascade(), neurons=1000), sharding)


def particles(sharding) -> jn.Solution:
    """The neurons themselves."""
    return _fires(jn.Particles(8000, _FIRING, raster=10), sharding)


def multiscale(sharding) -> jn.Solution:
    """The density while activity is low, neurons while they fire together."""
    return _fires(jn.MultiScale(jn.FluxShift(_FIRING), jn.Particles(8000)), sharding)


RUNS: dict[str, Callable[..., jn.Solution]] = {
    run.__name__: run
    for run in (
        lagged,
        rough,
        implicit,
        by_levels,
        resumed,
        resting,
        wide,
        events,
        particles,
        multiscale,
    )
}


def gradient(sharding) -> jax.Array:
    """Of the weights learned and the rate, by noise and learning strength: in reverse mode over
    devices, in forward mode on one."""

    def loss(parameters):
        noise, gain = parameters
        solver = jn.FluxShift(_LEARNING)
        learned = _learns(solver, sharding, noise=noise, learning=jn.Hebbian(gain))
        return learned.rate[-1] + jnp.sum(learned.weights[-1] ** 2)

    mode = jax.jacfwd if sharding is None else jax.grad
    return jax.jit(mode(loss))(jnp.asarray([1.0, 0.3]))


# ---- the comparison ---------------------------------------------------------------------------


def _largest_difference(one: jn.Solution, other: jn.Solution) -> float:
    """Over all fields, relative to the largest value of each; infinite where runs end otherwise."""
    if one.result != other.result:
        return np.inf
    differences = [_difference(getattr(one, name), getattr(other, name)) for name in FIELDS]
    for name, log in one.logs.items():
        differences += map(_difference, log.table(), other.logs[name].table())
    return max(differences)


def _difference(one, other) -> float:
    one, other = np.asarray(one, float), np.asarray(other, float)
    if one.shape != other.shape:
        return np.inf
    return float(np.max(np.abs(one - other), initial=0) / max(np.max(np.abs(one), initial=0), 1))


def _print_comparison(name: str, mesh: jax.sharding.Mesh) -> None:
    if name == gradient.__name__:
        print_value(f"{_MARK}{name}/difference", _difference(gradient(None), gradient(mesh)), "-")
        return
    one, many = RUNS[name](None), RUNS[name](mesh)
    print_value(f"{_MARK}{name}/difference", _largest_difference(one, many), "relative")
    print_value(f"{_MARK}{name}/mass_drift", float(many.stats["mass_drift"]), "mass")
    print_value(f"{_MARK}{name}/minimum", float(many.stats["minimum"]), "density")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="+", choices=(*RUNS, gradient.__name__))
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--process", type=int)
    parser.add_argument("--of", type=int)
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    if arguments.process is not None:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{arguments.port}", arguments.of, arguments.process)
    mesh = jax.sharding.Mesh(np.asarray(jax.devices()[: arguments.devices]), ("part",))
    for name in arguments.cases:
        _print_comparison(name, mesh)


if __name__ == "__main__":
    main()
