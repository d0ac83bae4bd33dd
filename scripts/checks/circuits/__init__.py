"""Circuits: stationary states, eigenvalues, boundaries of stability, runs in time, and fits."""

from __future__ import annotations

from _report import Rule, at_least, at_most, equal_to, within

from . import diagram, disturbed, fit, in_time, modulated, oscillation, particles, stability, states

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
    # the largest difference over the largest rate
    "folded_in_time": at_most(1e-10),
    # three populations, ε from 1 to 0
    "random_circuits_mass_float64": at_most(1e-12),
    "random_circuits_mass_float32": at_most(1e-5),
    "random_circuits_least": at_least(0),
    "random_circuits_finite": at_least(300),
    # of small disturbances beside a Hopf point, against the eigenvalue, relative
    "disturbed_growth": at_most(0.02),
    "disturbed_frequency": at_most(0.02),
    # amplitude, relative, and phase, of the response to an oscillating external rate
    "modulated_amplitude": at_most(0.01),
    "modulated_degrees": at_most(1),
    # against central differences, relative
    "gradients_in_time": at_most(1e-6),
    # the largest of eight rates against a spiking simulation, relative; time for 10 s
    "microcircuit_in_time": at_most(0.1),
    "microcircuit_seconds": at_most(10),
    # of the oscillation of the microcircuit in time (Hz)
    "microcircuit_peak": within(77, 89),
    # of Brunel's (6, 4), steps and grid extrapolated, relative
    "oscillation_mean": at_most(5e-3),
    "oscillation_frequency": at_most(5e-3),
    # 100 x 100 networks, 40 membrane times each
    "diagram_seconds": at_most(600),
    # 12 500 neurons, 20 seeds, against the density: standard errors; relative; and events
    "particles_errors": at_most(3),
    "particles_rates": at_most(0.02),
    "particles_events": at_most(0),
    "particles_errors_four_times": at_most(3),
    # an event of all of one population and a part of the other: its time, relative, and sizes
    "particles_first_event": at_most(0.02),
    "particles_first_size": at_most(0.02),
    # of the spectrum of 1000 neurons from renewal theory, in five bands, relative
    "spectrum": at_most(0.06),
    # the largest of eight rates of the microcircuit against a spiking simulation, relative
    "fitted_rates": at_most(0.01),
    "fitted_seconds": at_most(120),
    # of eight external rates, or drives, those with a standard error
    "fitted_known": equal_to(8),
    # of 64 weights: directions that eight rates leave open, and weights that these name
    "flat_weights": equal_to(56),
    "flat_weights_named": equal_to(64),
}

CHECKS = (
    states.stationary,
    states.microcircuit_stationary,
    states.single_neuron,
    stability.eigenvalues,
    stability.hopf,
    stability.derivatives,
    stability.spectrum,
    in_time.folded_in_time,
    in_time.random_circuits,
    modulated.modulated,
    disturbed.disturbed,
    in_time.gradients_in_time,
    in_time.microcircuit_in_time,
    oscillation.oscillation,
    oscillation.microcircuit_peak,
    diagram.diagram,
    fit.fitted,
    fit.fitted_in_time,
    particles.brunel,
    particles.at_once,
    particles.together,
)
