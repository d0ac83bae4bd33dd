"""The parts of `jaxnlif run microcircuit`: each returns arrays, in Hz and ms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import statistics
from ..circuits import microcircuit
from ..density import stability
from ..density.solver import FluxShift
from ..density.stationary.circuit import circuit_rate, circuit_rates
from ..fitting.bounds import Positive
from ..fitting.fit import fit
from ..grid import Grid, VoltageGrid
from ..initial import gaussian
from ..integrate.progress import AbstractProgress
from ..integrate.result import Result, SolveError
from ..integrate.saveat import SaveAt
from ..integrate.solve import solve
from ..integrate.warning import explained
from ..losses import StationaryRate
from ..units import Units
from .brunel_network import rhythm

Arrays = dict[str, np.ndarray]
NAMES = "2/3E", "2/3I", "4E", "4I", "5E", "5I", "6E", "6I"
SIMULATED = 0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829
"""Rates of 77 169 spiking neurons, at external rates of 8 Hz (Hz)."""
_START = (0.3, 0.1)  # mean and variance of the initial potentials
_EIGENVALUES, _STARTS, _HIGHEST = 6, 16, 500.0
"""How many eigenvalues are looked for, from how many starts on a line up to how many Hz."""
_BELOW = 0.9
"""Where spectra by linear response are, in parts of the external rate of the Hopf point."""
_FREQUENCIES = np.arange(2.0, 401.0, 2.0)
"""Of spectra (Hz)."""


@dataclass(frozen=True)
class Setting:
    """What the options say: rates in Hz, times in ms."""

    external_rate: float = 8.0
    t1: float = 1000.0
    dt: float = 0.1
    nodes: int = 160
    targets: tuple[float, ...] = SIMULATED
    error: float = 0.01

    @property
    def grid(self) -> VoltageGrid:
        """From three times the distance of threshold and reset below the reset."""
        return VoltageGrid(-3.0, 1.0, reset=0.0, num=self.nodes)


UNITS = Units(membrane_time=10.0, rest=-65.0, scale=15.0)
"""Those of `circuits.microcircuit`."""
_PER_SECOND = UNITS.rate_Hz(1.0)


def states(setting: Setting) -> Arrays:
    """The stationary rates, with white noise and with the shift of filtered noise.

    **Raises:** `SolveError` unless there is one state.
    """
    model, found = microcircuit(external_rate=setting.external_rate).network, {}
    for name, shift in (("white", False), ("shift", True)):
        several = circuit_rates(model, synaptic_shift=shift)
        if len(several) != 1:
            raise SolveError(f"stationary states: {len(several)} were found, where one is expected")
        found[f"stationary_{name}"] = np.asarray(UNITS.rate_Hz(several.rates[0]), float)
    return found | {"simulated": np.array(SIMULATED)}


def in_time(setting: Setting, progress: AbstractProgress | None = None) -> Arrays:
    """The density of all populations: rates, their means and spectra after the first third.

    **Raises:** `SolveError` if the run ends early.
    """
    circuit = microcircuit(external_rate=setting.external_rate)
    grid, num = Grid(setting.grid, populations=len(NAMES)), round(setting.t1 / setting.dt / 2) + 1
    sol = solve(
        circuit.network,
        FluxShift(grid),
        y0=gaussian(grid, v=_START),
        t1=UNITS.time(setting.t1),
        dt=UNITS.time(setting.dt),
        saveat=SaveAt(num=num, fn=None),
        progress=progress,
    )
    if sol.result != Result.completed:
        raise SolveError(f"density: ended at {UNITS.time_ms(float(sol.t_end)):g} ms: {sol.message}")
    late = num // 3
    ts, spikes = np.asarray(sol.ts, float), np.asarray(sol.spikes, float)
    rate = np.asarray(UNITS.rate_Hz(sol.rate), float)
    mean = UNITS.rate_Hz((spikes[-1] - spikes[late]) / (ts[-1] - ts[late]))
    sizes = np.array(circuit.sizes)
    all_neurons = rate[late:] @ sizes / sizes.sum()
    frequency, power = statistics.power_spectrum(
        sol.ts[late:], sol.rate[late:].T, segment=(num - late) // 2
    )
    return {
        "time": UNITS.time_ms(ts),
        "rate": rate,
        "time_mean": mean,
        "variation": all_neurons.std() / all_neurons.mean(),
        "rhythm": np.array(rhythm(UNITS.time_ms(ts[late:]), all_neurons)),
        "time_frequency": np.asarray(frequency, float) * _PER_SECOND,
        "time_power": np.asarray(power, float) * _PER_SECOND,
        "doubts": np.array(list(explained(np.asarray(sol.warnings))), str),
    }


def linear(setting: Setting, rates: np.ndarray) -> Arrays:
    """Eigenvalues at the stationary state (1/s), the Hopf point in the external rate, and spectra.

    Spectra of the finite circuit are those at the external rate of the setting where the state is
    stable, or else some way below the Hopf point; none if that is not found.
    """
    grid, scaled = setting.grid, jnp.asarray(UNITS.rate(rates))
    circuit = microcircuit(external_rate=setting.external_rate)
    values = _eigenvalues(circuit.network, grid, scaled)
    found = {"eigenvalues": np.asarray(values, complex) * _PER_SECOND}
    fastest = values[jnp.imag(values) > 0][0]

    def path(external_rate: Any) -> Any:
        return microcircuit(external_rate=external_rate).network

    point = stability.hopf(
        path, grid, setting.external_rate, scaled, jnp.imag(fastest), throw=False
    )
    frequency = float(point.frequency) * _PER_SECOND / (2 * np.pi)
    found["hopf"] = np.array([float(point.value), frequency])
    stable = found["eigenvalues"][0].real < 0
    at = setting.external_rate if stable else _BELOW * float(point.value)
    if not np.isfinite(at):
        return found
    model = path(at)
    state = circuit_rate(model, scaled if stable else point.rates, throw=False)
    if not stable and not _is_stable(model, grid, state):
        return found
    omega = 2 * np.pi * _FREQUENCIES / _PER_SECOND
    spectra = stability.spectrum(model, grid, state, np.array(circuit.sizes), omega)
    power = 2 * jnp.real(jnp.einsum("fkk->fk", spectra))  # one-sided
    return found | {
        "linear_external_rate": np.array(at),
        "linear_frequency": _FREQUENCIES,
        "linear_power": np.asarray(power, float).T * _PER_SECOND,
    }


def _is_stable(model: Any, grid: VoltageGrid, rates: jax.Array) -> bool:
    if not bool(jnp.all(jnp.isfinite(rates))):
        return False
    return float(jnp.real(_eigenvalues(model, grid, rates)[0])) < 0


def _eigenvalues(model: Any, grid: VoltageGrid, rates: jax.Array) -> jax.Array:
    highest = 2 * np.pi * _HIGHEST / _PER_SECOND
    return stability.eigenvalues(
        model, grid, rates, num=_EIGENVALUES, highest=highest, starts=_STARTS
    )


def fitted(setting: Setting, optimiser: Any) -> Arrays:
    """The external rates at which the stationary rates are the targets, with standard errors.

    **Raises:** `SolveError` if the fit fails.
    """
    target = jnp.asarray(UNITS.rate(np.array(setting.targets)))
    begin = {name: jnp.asarray(setting.external_rate) for name in NAMES}
    outcome = fit(
        begin,
        lambda rates: microcircuit(external_rate=rates).network,
        StationaryRate(target, std=setting.error * target),
        where=lambda rates: rates,
        bounds=Positive(),
        optimiser=optimiser,
        absolute=True,
    )
    if outcome.uncertainty is None:
        raise SolveError(f"fit: {outcome.message}")
    model = microcircuit(external_rate=outcome.model).network
    reached = circuit_rate(model, target, throw=False)
    return {
        "fit_external_rate": np.array([float(outcome.model[name]) for name in NAMES]),
        "fit_error": np.asarray(outcome.uncertainty.std, float),
        "fit_rate": np.asarray(UNITS.rate_Hz(reached), float),
        "fit_target": np.array(setting.targets),
        "fit_message": np.array(outcome.message),
    }
