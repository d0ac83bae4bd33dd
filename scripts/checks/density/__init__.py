"""The density solver: conservation, positivity, accuracy, learned states, blow-up, speed."""

from __future__ import annotations

from _report import Rule, at_least, at_most, below, equal_to, reported, within

from . import (
    accuracy,
    adaptive,
    coupling,
    learned,
    matrix,
    performance,
    second_order,
    structure,
    voltage,
)

REQUIRED: dict[str, Rule] = {
    # mass over 10⁴ whole learning steps, summed in float64
    "mass_drift_float64": at_most(1e-12),
    "mass_drift_float32": at_most(1e-5),
    # the density after random steps
    "random_cases": at_least(500),
    "random_largest_peclet": at_least(1000),
    "minimum_float64": at_least(0),
    "minimum_float32": at_least(0),
    "cases_not_finite": equal_to(0),
    # stationary rate against equation (1), V_min = -6, n = 600, relative
    "stationary_rate": at_most(5e-5),
    "stationary_rate_richardson": at_most(1e-6),
    # observed orders over successive halvings
    "order_v": at_least(1.9),
    "order_t": at_least(0.95),
    "order_w": at_least(0.9),
    # ‖p_ε - p_0‖ = O(ε) at fixed grid; cost per step, largest over smallest for ε = 1, 1e-6, 0
    "epsilon_order": at_least(0.9),
    "epsilon_cost": at_most(1.2),
    "float32_at_tiny_epsilon": at_most(1e-4),
    # learned state against the closed form; relative
    "learned_rate_order": at_least(0.9),
    "learned_rate_error": at_most(5e-3),
    # learned state at weight CFL 50: total variation over twice the maximum, and N̄ at CFL 2
    "sawtooth": at_most(0.02),
    "large_courant_rate": at_most(1e-3),
    # strong inhibition, implicit coupling: the root, at every Δt, without a cycle
    "strong_inhibition_rate": equal_to(0.9152, within=5e-5),
    "strong_inhibition_spread": at_most(1e-6),
    "strong_inhibition_cycle": at_most(1e-6),
    # adaptive steps, 300 nodes, T = 20, a fast transient to t = 1: solves of the best constant step
    # with the same largest error of the rate over theirs; estimated over true error; derivatives
    "adaptive_fewer_solves": at_least(5),
    "adaptive_fewer_solves_others": reported(),
    "adaptive_estimate": within(1 / 5, 5),
    "adaptive_gradient": at_most(1e-6),
    "adaptive_gradient_cost": at_most(5),
    # blow-up, b = 3 from N(-1, 0.5), on three grids
    "blow_up_time": equal_to(3.417, within=0.01),
    "blow_up_time_spread": at_most(2e-3),
    "blow_up_time_lagged": reported(),
    # speed on one core against the float64 peers of the same run
    "float64_over_numba": at_least(1.5),
    "float64_over_numpy": at_least(7),
    "float32_over_numba": at_least(3.5),
    "float32_over_numba_small": reported(),
    # speed over the float64 step tuned by hand, row loops inlined by XLA and not
    "tuned_speed_with_flag_small": at_least(0.85),
    "tuned_speed_with_flag_large": at_least(0.85),
    "tuned_speed_without_flag_small": at_least(0.65),
    "tuned_speed_without_flag_large": at_least(0.65),
    "float32_over_float64": reported(),
    "learning_step_lagged": reported("aim<=2"),
    "learning_step_implicit": reported("aim<=4"),
    # BDF2: orders in time of rate, density and spikes; random ratios of steps; what is kept
    "bdf2_order": at_least(1.9),
    "bdf2_order_random_ratios": at_least(1.9),
    "bdf2_mass_with_rest": at_most(1e-14),
    "bdf2_filter": at_most(2e-4),
    "bdf2_epsilon_order": at_least(0.95),
    "bdf2_float32": at_most(1e-4),
    "bdf2_inhibition_rate": equal_to(0.9152, within=5e-5),
    "bdf2_inhibition_spread": at_most(1e-6),
    "bdf2_gradient": at_most(1e-6),
    # solver x scheme x features, one and two at a time
    "matrix_cells": reported(),
    "matrix_cells_run": reported(),
    "matrix_cells_wrong": equal_to(0),
    # grids of for_model, errors of rate and CV over what is promised; the largest error of the CV
    # that is not warned of
    "voltage_grid_rate": at_most(1),
    "voltage_grid_cv": at_most(1),
    "cv_unwarned": at_most(0.05),
    # compilation
    "new_traces": equal_to(0),
    "new_compilations": equal_to(0),
    "compile_time": below(10),
}

CHECKS = (
    structure.mass_drift,
    structure.random_steps,
    accuracy.stationary_rates,
    accuracy.order_in_voltage,
    accuracy.order_in_time,
    accuracy.order_in_weight,
    accuracy.quasi_static_limit,
    accuracy.single_precision,
    learned.closed_form,
    learned.large_courant_numbers,
    coupling.strong_inhibition,
    coupling.blow_up_times,
    second_order.observed_orders,
    second_order.random_step_ratios,
    second_order.conserved,
    second_order.filters,
    second_order.limit,
    second_order.inhibition,
    second_order.gradients,
    voltage.voltage_grids,
    voltage.coarse_grids,
    matrix.matrix,
    adaptive.estimates,
    adaptive.derivatives,
    performance.speed,
    performance.recompilation,
    performance.compile_time,
)
