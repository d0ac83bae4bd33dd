"""Synchrony: particles, events on the density, the multi-scale solver, and what they cost."""

from __future__ import annotations

from _report import Rule, at_least, at_most, equal_to, reported, within

from . import accuracy, cost, events, handover, particles, structure

REQUIRED: dict[str, Rule] = {
    # mean rate of particles against the stationary one, in units of max(3 standard errors, 0.1 %)
    "particle_rate": at_most(1),
    "particle_rate_order": at_least(1),
    "cascade_mismatches": equal_to(0),
    # events on the density: b = 3 from N(-1, 0.5), first five
    "event_time_change_dt": at_most(0.003),
    "event_time_change_h": at_most(0.003),
    "event_time_order": at_least(0.9),
    "event_size": at_least(0.99),
    # the same from particles: distance from those times in standard errors, spread against M
    "particle_event_distance": at_most(3),
    "particle_event_spread_slope": within(-0.65, -0.35),
    # against particles, M = 1e5, T = 4.9, four cases, 8 seeds
    "density_event_count": equal_to(0),
    "density_event_time": at_most(1),
    "density_spikes": at_most(0.01),
    "multiscale_event_count": equal_to(0),
    "multiscale_event_time": at_most(1),
    "multiscale_spikes": at_most(0.01),
    # spread of the first event over 144 seeds against that of particles
    "multiscale_spread": within(1 / 1.5, 1.5),
    "density_noise_spread": within(0.7, 1.3),
    # density -> particles -> density
    "handover_slope_m": at_most(-1 + 0.1),
    "handover_slope_m_independent": within(-0.65, -0.35),
    "handover_slope_h": at_least(1.9),
    "handover_mass": at_most(1e-12),
    # error of the first event time of the multi-scale run, a table per parameter
    "multiscale_error_m": reported(),
    "multiscale_error_dt": reported(),
    "multiscale_error_h": reported(),
    "multiscale_error_threshold": reported("plateau"),
    # cost of particles over that of the others, M = 1e5
    "cost_density": at_least(150),
    "cost_multiscale_instantaneous": at_least(10),
    "cost_multiscale_self-sustained": at_least(6),
    "cost_multiscale_periodic": at_least(3),
    "cost_never_switching": at_most(1.2),
    "brian2_time_to_one_percent": at_least(10),
    "brian2_neuron_steps": at_least(1),
    # structure
    "gradient_without_events": at_most(1e-6),
    "gradients_stop_at_events": equal_to(0),
    "delay_period": equal_to(2.85, within=0.05),
    "delay_period_change": at_most(0.01),
    "events_mass_drift_float64": at_most(1e-12),
    "events_mass_drift_float32": at_most(1e-5),
    "events_minimum": at_least(0),
    "arrays_of_size_m": at_most(8),
}

CHECKS = (
    particles.mean_rates,
    particles.order_in_time,
    particles.cascades,
    particles.event_times,
    events.refinement,
    accuracy.against_particles,
    accuracy.spread_of_the_first_event,
    accuracy.multiscale_parameters,
    handover.slopes,
    structure.gradients,
    structure.delay,
    structure.many_events,
    structure.memory,
    cost.speedups,
    cost.never_switching,
    cost.against_brian2,
)
