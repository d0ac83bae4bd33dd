"""Stationary states of published circuits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from _report import Measured
from references.circuits import BRUNEL_POINTS, MICROCIRCUIT, brunel, brunel_pair

import jaxnlif as jn


def stationary() -> Iterator[Measured]:
    """Rates of Brunel's network, as one population and as two."""
    for (g, eta), (hertz, *_) in BRUNEL_POINTS.items():
        one = jn.stationary.circuit_rates(brunel(g, eta), threshold=20.0, reset=10.0)
        two = jn.stationary.circuit_rates(brunel_pair(g, eta))
        only = len(one) == len(two) == 1
        detail = f"g={g:g},η={eta:g},{1e3 * one.rates[0, 0]:.6g}Hz"
        found = [1e3 * np.asarray(one.rates).ravel(), 50 * np.asarray(two.rates).ravel()]
        error = max(float(np.max(np.abs(x / hertz - 1))) for x in found) if only else np.nan
        yield Measured("stationary", error, detail)
        difference = float(np.max(np.abs(found[1] / found[0] - 1))) if only else np.nan
        yield Measured("folded", difference, detail)


def microcircuit_stationary() -> Iterator[Measured]:
    """Rates of the cortical microcircuit, with white noise and with the synaptic shift."""
    model = jn.circuits.microcircuit().network
    for shift, expected in MICROCIRCUIT.items():
        states = jn.stationary.circuit_rates(model, synaptic_shift=shift)
        error = float(np.max(np.abs(100 * states.rates / np.asarray(expected) - 1)))
        detail = f"{'shift' if shift else 'white'},states={len(states)}"
        yield Measured("microcircuit_stationary", error if len(states) == 1 else np.nan, detail)


def single_neuron() -> Iterator[Measured]:
    """The neuron of NEST's own test."""
    model = jn.Network(weight=[[0.0]], noise=0.75, drive=15.0, refractory=2.0, time_constant=10.0)
    rate = jn.stationary.circuit_rate(model, 0.01, threshold=15.0, reset=0.0)[0]
    yield Measured(
        "single_neuron", abs(float(rate) * 1e3 / 27.1095934379 - 1), f"{rate * 1e3:.10f}"
    )
