"""Spikes: times and gradients, continuity, what is learned, and what it costs."""

from __future__ import annotations

import argparse
from functools import partial, update_wrapper

from _report import Checks, Rule, at_least, at_most, below, reported, within

from . import continuity, feedforward, training

ACCURACY: dict[str, Rule] = {
    "theta_times_ode": at_most(1e-8),
    "theta_gradient_differences": at_most(1e-8),
    "theta_times_float32": at_most(2e-5),
    "theta_gradient_float32": at_most(1e-4),
    # a spike pushed through the end, 10⁴ points, after subtracting slope × step
    "theta_continuity": at_most(1e-12),
}

PEER: dict[str, Rule] = {
    "mnist_loss_spikegd": at_most(1e-10),
    "mnist_gradient_spikegd": at_most(1e-10),
    "mnist_step_float32": at_least(20),
    "mnist_step_float64": at_least(12),
    "mnist_temporaries": at_most(1 / 8),
}

TRAINING: dict[str, Rule] = {
    # percent, means over seeds, with and without pseudospikes
    "mnist_published": within(97.45, 97.75),
    "mnist_published_ordinary": at_least(97.2),
    "mnist_published_initial_spikes": at_most(0),
    "mnist_published_minutes": below(10),
    "mnist_best": at_least(98.3),
    "mnist_best_ordinary": at_least(98.2),
    "mnist_best_plain": at_least(98.0),
    "mnist_best_minutes": at_most(15),
    "yin_yang": at_least(98.5),
    "yin_yang_ordinary": at_least(98.2),
    "yin_yang_delays": reported("99.2"),
    "yin_yang_delays_ordinary": reported(),
    "fashion": reported(),
}


def table(arguments: argparse.Namespace) -> tuple[dict[str, Rule], Checks]:
    """The rows and the checks that the options of the command line allow for."""
    rows = dict(ACCURACY)
    checks = [
        feedforward.against_differential_equations,
        feedforward.against_differences,
        feedforward.float32,
        continuity.feedforward,
    ]
    if arguments.spikegd is not None:
        rows |= PEER
        checks += [
            _given(feedforward.against_spikegd, arguments.spikegd),
            _given(feedforward.cost, arguments.spikegd),
        ]
    if arguments.long:
        rows |= TRAINING
        checks += [
            _given(training.published, arguments.data),
            _given(training.best, arguments.data),
            _given(training.fashion, arguments.fashion),
            training.yin_yang,
        ]
    return rows, checks


def _given(check, *arguments):
    return update_wrapper(partial(check, *arguments), check)
