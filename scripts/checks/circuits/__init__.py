"""Circuits: stationary states, eigenvalues, boundaries of stability and their derivatives."""

from __future__ import annotations

from _report import Rule, at_most

from . import stability, states

REQUIRED: dict[str, Rule] = {
    # Brunel's four points, one population and two, relative
    "stationary": at_most(1e-4),
    # two populations with equal parameters against one, relative
    "folded": at_most(1e-10),
    # the largest of eight rates, with and without the shift, relative
    "microcircuit_stationary": at_most(1e-3),
    "single_neuron": at_most(1e-9),
    # the distance from the reference as complex numbers, over its size
    "eigenvalues": at_most(2e-3),
    "folded_eigenvalues": at_most(1e-10),
    # value of the parameter and frequency, relative
    "hopf": at_most(2e-3),
    # of an eigenvalue and of a Hopf point, against central differences, relative
    "derivatives": at_most(1e-5),
    # of the spectrum of 1000 neurons from renewal theory, in five bands, relative
    "spectrum": at_most(0.06),
}

CHECKS = (
    states.stationary,
    states.microcircuit_stationary,
    states.single_neuron,
    stability.eigenvalues,
    stability.hopf,
    stability.derivatives,
    stability.spectrum,
)
