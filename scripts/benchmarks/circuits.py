"""Circuits on one core: the density against spiking neurons in NEST, and stationary states in NNMT.

NEST and NNMT run in the Pythons named by JAXNLIF_NEST_PYTHON and JAXNLIF_NNMT_PYTHON, by default in
this one; where one cannot be imported, its rows are left out.

- `microcircuit`: 2 s of the cortical microcircuit. NEST has a tenth of the neurons, and each of
  them as many inputs as in the full size, some twice from one neuron.
- `uncorrelated`: rates of the microcircuit that neurons in NEST keep up by independent Poisson
  spikes of these rates, which its stationary rates with the synaptic shift are.
- `brunel`: 1 s of Brunel's network of 12 500 neurons.
- `stationary`: rates of the microcircuit, with white noise and with the synaptic shift.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import print_value

import jaxnlif as jn

from ._process import Peer

PUBLISHED = 0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829
"""Rates of the spiking microcircuit at full size (Hz)."""
FRACTION = 0.1
WARM = 200.0
"""For how long spikes are not counted (ms)."""
MICROCIRCUIT, BRUNEL = 1800.0, 800.0
"""For how long they are (ms)."""
PSP_SPREAD = 0.1
"""Standard deviation over size of jumps of the microcircuit in NEST."""
ALONE = 500
"""How many neurons of each population get independent spikes."""
POINTS = (5.0, 2.0), (6.0, 4.0), (4.5, 0.9)
STEP = 0.1
"""In ms, in both."""
REPEATS = 5


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    nnmt = Peer.start("NNMT", "nnmt", "JAXNLIF_NNMT_PYTHON", "_nnmt.py")
    nest = Peer.start("NEST", "nest", "JAXNLIF_NEST_PYTHON", "_nest.py")
    for shift in (False, True):
        _stationary(nnmt, shift)
    if nest is not None:
        _uncorrelated(nest)
    _microcircuit(nest)
    for g, eta in POINTS:
        _brunel(nest, g, eta)


def _stationary(peer: Peer | None, shift: bool) -> None:
    circuit = jn.circuits.microcircuit()
    units, name = circuit.units, "shift" if shift else "white"
    states = jn.stationary.circuit_rates(circuit.network, synaptic_shift=shift)
    guess = float(np.mean(states.rates[0]))

    def near() -> Any:
        return jn.stationary.circuit_rate(circuit.network, guess, synaptic_shift=shift)

    def everywhere() -> Any:
        return jn.stationary.circuit_rates(circuit.network, synaptic_shift=shift).rates

    ours = np.asarray(units.rate_Hz(states.rates[0]))
    print_value(f"stationary_states/{name}/jaxnlif", len(states), "states")
    print_value(f"stationary_near/{name}/jaxnlif", 1e3 * _median(near), "ms")
    print_value(f"stationary_all/{name}/jaxnlif", 1e3 * _median(everywhere), "ms")
    columns = {"jaxnlif": ours}
    if peer is not None:
        # NNMT works in mV over rest.
        job = _job(circuit, 0.1756, _microcircuit_jumps()) | {"rest": 0.0}
        job |= {"threshold": 15.0, "reset": 0.0, "shift": shift, "repeats": REPEATS}
        answer = peer.ask(job)
        print(f"# NNMT {answer['version']}")
        print_value(f"stationary/{name}/nnmt", 1e3 * answer["seconds"], "ms")
        columns["nnmt"] = np.asarray(answer["rates"])
        error = np.max(np.abs(columns["nnmt"] / ours - 1))
        print_value(f"stationary_difference/{name}", 100 * error, "%")
    _print_rates(f"stationary_rate/{name}", circuit.names, columns)


def _uncorrelated(peer: Peer) -> None:
    circuit = jn.circuits.microcircuit()
    network: Any = circuit.network
    rates = jn.stationary.circuit_rates(network, synaptic_shift=True).rates[0]

    def response(given: jax.Array) -> jax.Array:
        """The stationary rates of neurons that get spikes of given rates."""
        alone = eqx.tree_at(
            lambda n: (n.drive.value, n.noise, n.weight, n.noise_slope),
            network,
            (
                network.drive.value + network.weight @ given,
                network.noise + network.noise_slope @ given,
                jnp.zeros_like(network.weight),
                jnp.zeros_like(network.noise_slope),
            ),
        )
        return jn.stationary.circuit_rate(alone, rates, synaptic_shift=True)

    given = np.asarray(circuit.units.rate_Hz(rates))
    job = _job(circuit, 0.1756, _microcircuit_jumps()) | {"duration": MICROCIRCUIT}
    job |= {"sizes": [ALONE] * given.size, "given": given.tolist()}
    found = _spiking(peer, "uncorrelated", job)
    # one step of Newton's method towards rates that are those given
    slope = np.asarray(jax.jacfwd(response)(rates))
    kept = given + np.linalg.solve(np.eye(given.size) - slope, found - given)
    columns = {"stationary": given, "nest": kept, "nest_response": found}
    _print_rates("uncorrelated_rate", circuit.names, columns)


def _microcircuit(peer: Peer | None) -> None:
    circuit = jn.circuits.microcircuit(size_fraction=FRACTION)
    grid = jn.VoltageGrid(-3.0, 1.0, reset=0.0, num=160)
    columns = {"published": np.asarray(PUBLISHED)}
    columns["jaxnlif"] = _density("microcircuit", circuit, grid, MICROCIRCUIT, (0.5, 0.1))
    if peer is not None:
        job = _job(circuit, 0.1756, _microcircuit_jumps()) | {"duration": MICROCIRCUIT}
        job |= {"psp_spread": PSP_SPREAD}
        columns["nest"] = _spiking(peer, "microcircuit", job)
    _print_rates("microcircuit_rate", circuit.names, columns)


def _brunel(peer: Peer | None, g: float, eta: float) -> None:
    circuit, name = jn.circuits.brunel(g, eta), f"brunel_{g:g}_{eta:g}"
    # 20 mV and 10 mV over rest, in units of 10 mV
    grid = jn.VoltageGrid(-2.5, 2.0, reset=1.0, num=450)
    exact = np.asarray(circuit.units.rate_Hz(jn.stationary.circuit_rates(circuit.network).rates[0]))
    columns = {"stationary": exact, "jaxnlif": _density(name, circuit, grid, BRUNEL, (0.5, 0.1))}
    if peer is not None:
        jumps = np.tile([0.1, -0.1 * g], (2, 1))
        job = _job(circuit, 0.1, jumps) | {"duration": BRUNEL}
        columns["nest"] = _spiking(peer, name, job)
    _print_rates(f"{name}_rate", circuit.names or ("E", "I"), columns)


def _density(
    name: str, circuit: jn.Circuit, v: jn.VoltageGrid, duration: float, start: tuple[float, float]
) -> np.ndarray:
    """Mean rates (Hz) of a run of the density, whose times it prints."""
    units, grid = circuit.units, jn.Grid(v, populations=len(circuit.sizes))

    def solve() -> jax.Array:
        return jn.solve(
            circuit.network,
            jn.FluxShift(grid),
            y0=jn.gaussian(grid, v=start),
            t1=units.time(WARM + duration),
            dt=units.time(STEP),
            saveat=jn.SaveAt(ts=[units.time(WARM), units.time(WARM + duration)], fn=None),
        ).spikes

    first, second = (_seconds(solve) for _ in range(2))
    print_value(f"{name}_compile/jaxnlif", max(first - second, 0.0), "s")
    print_value(f"{name}_simulate/jaxnlif", second, "s")
    spikes = np.asarray(solve())
    return np.asarray(units.rate_Hz((spikes[1] - spikes[0]) / units.time(duration)))


def _spiking(peer: Peer, name: str, job: dict[str, Any]) -> np.ndarray:
    answer = peer.ask({"given": None, "psp_spread": 0.0} | job | {"dt": STEP, "warm": WARM})
    print(f"# NEST {answer['version']}, {sum(job['sizes'])} neurons")
    print_value(f"{name}_build/nest", answer["build"], "s")
    print_value(f"{name}_simulate/nest", answer["simulate"], "s")
    return np.asarray(answer["rates"])


def _job(circuit: jn.Circuit, jump: float, jumps: np.ndarray) -> dict[str, Any]:
    """A circuit in mV and ms: `jump` of external inputs, `jumps` to by from."""
    network, units = circuit.network, circuit.units
    num = len(circuit.sizes)

    def one(value: Any) -> float:
        return float(np.ravel(np.asarray(value))[0])

    def pairs(value: Any) -> list:
        ms = units.learning_time * np.asarray(value)
        return np.broadcast_to(ms, (num, num)).tolist()

    # in the drive: τ K J ν over the scale
    tau = units.membrane_time
    inputs = units.scale * np.asarray(network.drive.value) / (tau * jump * 1e-3)
    slow = network.synaptic_time_constant
    return {
        "sizes": list(circuit.sizes),
        "in_degree": np.asarray(circuit.in_degree).tolist(),
        "psp": jumps.tolist(),
        "external": inputs.tolist(),
        "external_psp": [jump] * num,
        "delay": pairs(network.delay.duration),
        "delay_std": pairs(getattr(network.delay, "std", 0.0)),
        "synaptic_time": None if slow is None else units.learning_time * one(slow),
        "tau": tau,
        "refractory": units.learning_time * one(network.refractory.duration),
        "threshold": units.rest + units.scale * one(network.threshold),
        "reset": units.rest + units.scale * one(network.reset),
        "rest": units.rest,
    }


def _microcircuit_jumps() -> np.ndarray:
    """In mV, to by from."""
    jumps = np.tile([0.1756, -4 * 0.1756], (8, 4))
    jumps[0, 2] *= 2
    return jumps


def _print_rates(name: str, names: tuple[str, ...], columns: dict[str, np.ndarray]) -> None:
    for k, population in enumerate(names):
        for who, rates in columns.items():
            print_value(f"{name}/{population}/{who}", float(rates[k]), "Hz")


def _median(call: Callable[[], Any]) -> float:
    _seconds(call)
    return statistics.median(_seconds(call) for _ in range(REPEATS))


def _seconds(call: Callable[[], Any]) -> float:
    began = time.process_time()
    jax.block_until_ready(call())
    return time.process_time() - began
