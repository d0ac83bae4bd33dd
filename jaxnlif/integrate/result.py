"""How a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import equinox as eqx

if TYPE_CHECKING:
    from .solution import Solution


class Result(eqx.Enumeration):
    """The outcome of a run; `Result[item]` is a message that says what to try."""

    completed = "completed"
    blow_up = (
        "blow-up: the firing carries itself and the rate grows without bound, which is a property "
        "of the equation. Stop before `Solution.ts[-1]`, weaken the coupling, or describe the "
        "synchrony with a solver that follows it."
    )
    no_self_consistent_rate = (
        "no self-consistent rate: the quasi-static network (epsilon = 0) has no rate that "
        "reproduces itself. Try epsilon > 0, weaker weights or a bounded response."
    )
    event_budget_exceeded = (
        "event budget exceeded: more multiple firing events happened than there is room for, or "
        "they follow one another within a step, so that time stands still. Try a smaller dt, a "
        "weaker coupling, or more `max_events`."
    )
    non_finite = (
        "non-finite: the state overflowed or became NaN. Check the drive and response for "
        "non-finite values, and try float64."
    )
    rate_cycle = (
        "rate cycle: the rate jumps to and fro from step to step, because neurons see the rate of "
        "the step before, and not around the rate that reproduces itself. Try "
        "`FluxShift(grid, Implicit())`, or a smaller dt."
    )
    rate_not_found = (
        "rate not found: a step has a rate that reproduces itself, but the search for it ended "
        "before. Try a smaller dt, or more `max_evaluations`."
    )
    weights_not_converged = (
        "weights not converged: Newton's method for the weight density of a step ended before its "
        "residual was small. Try a smaller dt, or fewer weights."
    )
    invalid_argument = (
        "invalid argument: a value that was traced is out of its range, as a delay shorter than a "
        "step or longer than its slots, an initial density whose mass is not 1, or a negative "
        "noise or epsilon. No step was made; `solve` called without jit, grad and vmap says which."
    )
    tolerance_not_met = (
        "tolerance not met: the error of a step exceeds the tolerance however short the step, or "
        "the steps are so short that more than `max_substeps` follow one another. Declare the "
        "jumps of the drive (`jumps`), take larger tolerances, or float64."
    )


def text(result: Any) -> str:
    """The message of one result."""
    return cast(Any, Result)[result]  # equinox types the lookup by names alone


def outcome(result: Any) -> str:
    """What comes first in it, as "blow-up"."""
    return text(result).partition(":")[0]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during `solve`.

    **Arguments:** `solution`: a `Solution` with what was saved until then.
    """

    def __init__(self, solution: "Solution") -> None:
        super().__init__("solve: interrupted")
        self.solution = solution


class SolveError(RuntimeError):
    """Raised by `solve(..., throw=True)` when a run does not complete."""
