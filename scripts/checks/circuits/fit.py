"""Fits of the cortical microcircuit to the rates of a spiking simulation."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from _report import Measured
from references.circuits import SIMULATED

import jaxnlif as jn

_RECORDED = 10_000.0
"""How long spikes were counted (ms)."""


def fitted() -> Iterator[Measured]:
    """External rates, with standard errors; drives alone; and all weights, most of them open.

    The errors of the rates are the sampling errors of ten seconds of the simulation, by linear
    response: their power spectrum at the frequency 0 over the time.
    """
    circuit, target, std = _data()
    network = circuit.network
    began = time.perf_counter()
    found = _external_rates(circuit, target, std)
    seconds = time.perf_counter() - began
    tuned = jn.circuits.microcircuit(external_rate=found.model).network
    yield Measured("fitted_rates", _largest_error(tuned, target), "external_rate")
    yield Measured("fitted_seconds", seconds)
    yield Measured("fitted_known", _known(found), _in_words(found))

    drives = _fit(
        network, lambda model: model, (target, std), where=lambda model: model.drive.value
    )
    yield Measured("fitted_rates", _largest_error(drives.model, target), "drive")
    yield Measured("fitted_known", _known(drives), "drive")

    weights = _fit(network, lambda model: model, (target, std), where=lambda model: model.weight)
    flat = weights.uncertainty.flat
    yield Measured("fitted_rates", _largest_error(weights.model, target), "weight")
    yield Measured("flat_weights", len(flat), flat[0].replace(" ", ""))
    named = {name for text in flat for name in re.findall(r"weight\[[^\]]*\]", text)}
    yield Measured("flat_weights_named", len(named & set(weights.names)))


def fitted_in_time() -> Iterator[Measured]:
    """External rates with which the density in time has these rates, from 200 ms to 700 ms.

    With delays and filters it oscillates, and its means are other than the stationary rates.
    """
    circuit, target, std = _data()
    units = circuit.units
    edges = [float(units.time(ms)) for ms in (200.0, 700.0)]
    grid = jn.Grid(jn.VoltageGrid(-2.0, 1.0, reset=0.0, num=120), populations=8)
    y0, save = jn.gaussian(grid, v=(0.5, 0.1)), jn.SaveAt(ts=[0.0, *edges], fn=None)
    times = {"y0": y0, "t1": edges[1], "dt": units.time(0.1), "saveat": save, "throw": False}

    def run(rates: Any) -> jn.Solution:
        network = jn.circuits.microcircuit(external_rate=rates).network
        return jn.solve(network, jn.FluxShift(grid), **times)

    began = time.perf_counter()
    found = jn.fit(
        _external_rates(circuit, target, std).model,
        run,
        jn.losses.MeanRate(edges, target, std=std),
        where=lambda rates: rates,
        bounds=jn.Positive(),
        optimiser=jn.LevenbergMarquardt(),
        absolute=True,
        tolerance=1e-3,
    )
    seconds = time.perf_counter() - began
    spikes = np.asarray(run(found.model).spikes)
    rates = (spikes[-1] - spikes[-2]) / (edges[1] - edges[0])
    yield Measured("fitted_rates", float(np.max(np.abs(rates / target - 1))), "in_time")
    yield Measured("fitted_seconds", seconds, "in_time")
    yield Measured("fitted_known", _known(found), _in_words(found))


def _data() -> tuple[jn.Circuit, np.ndarray, np.ndarray]:
    """The circuit, the rates to be had, and their errors."""
    circuit = jn.circuits.microcircuit()
    target = np.asarray(circuit.units.rate(np.array(SIMULATED)))
    return circuit, target, _sampling_errors(circuit, target)


def _external_rates(circuit: jn.Circuit, target: np.ndarray, std: np.ndarray) -> jn.Fit:
    """Fitted to stationary rates."""
    return _fit(
        {name: jnp.asarray(8.0) for name in circuit.names or ()},
        lambda rates: jn.circuits.microcircuit(external_rate=rates).network,
        (target, std),
        where=lambda rates: rates,
        bounds=jn.Positive(),
    )


def _in_words(found: jn.Fit) -> str:
    """External rates and their errors."""
    each = zip(found.names, found.values.values(), found.uncertainty.std, strict=True)
    return ",".join(f"{name}:{value:.3f}±{error:.3f}Hz" for name, value, error in each)


def _fit(model: Any, run: Any, data: Any, **options: Any) -> jn.Fit:
    target, std = data
    loss = jn.losses.StationaryRate(target, std=std)
    optimiser = jn.LevenbergMarquardt()
    return jn.fit(model, run, loss, optimiser=optimiser, absolute=True, **options)


def _sampling_errors(circuit: jn.Circuit, target: np.ndarray) -> np.ndarray:
    """Standard errors of mean rates, in the unit of the target."""
    network = circuit.network
    state = jn.stationary.circuit_rate(network, target)
    grid = jn.VoltageGrid(-3.0, 1.0, reset=0.0, num=160)
    power = jn.stability.spectrum(network, grid, state, circuit.sizes, 0.0)
    return np.sqrt(np.real(np.diag(power)) / circuit.units.time(_RECORDED))


def _largest_error(model: jn.Network, target: np.ndarray) -> float:
    """Of the rates of the only state there is, relative."""
    states = jn.stationary.circuit_rates(model)
    return float(np.max(np.abs(states.rates[0] / target - 1))) if len(states) == 1 else np.nan


def _known(found: jn.Fit) -> int:
    """How many numbers have a standard error."""
    return int(np.sum(np.isfinite(found.uncertainty.std)))
