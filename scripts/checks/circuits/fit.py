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
    circuit = jn.circuits.microcircuit()
    units, network = circuit.units, circuit.network
    target = np.asarray(units.rate(np.array(SIMULATED)))
    std = _sampling_errors(circuit, target)
    began = time.perf_counter()
    found = _fit(
        {name: jnp.asarray(8.0) for name in network.names or ()},
        lambda rates: jn.circuits.microcircuit(external_rate=rates).network,
        (target, std),
        where=lambda rates: rates,
        bounds=jn.Positive(),
    )
    seconds = time.perf_counter() - began
    tuned = jn.circuits.microcircuit(external_rate=found.model).network
    yield Measured("fitted_rates", _largest_error(tuned, target), "external_rate")
    yield Measured("fitted_seconds", seconds)
    known = _known(found)
    errors = zip(found.names, found.values.values(), found.uncertainty.std, strict=True)
    detail = ",".join(f"{name}:{value:.3f}±{error:.3f}Hz" for name, value, error in errors)
    yield Measured("fitted_known", known, detail)

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
