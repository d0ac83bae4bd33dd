"""What a fit returns."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float

from .._module import Module
from .uncertainty import Uncertainty


class FitResult(eqx.Enumeration):
    """How a fit ended; `FitResult[item]` is a message."""

    converged = "converged: the loss no longer falls"
    gradient_vanished = "converged: the gradient has vanished"
    step_limit = "step limit: the loss was still falling; allow more steps or larger ones"
    no_way_on = (
        "no way on: the gradient has not vanished, but where it leads the run does not complete "
        "(blow-up) or its loss is no number; bounds, or another start, keep away from there"
    )
    start_failed = (
        "start: the run does not complete or its loss is no number there, so that no gradient "
        "leads on; start from weaker coupling or input"
    )
    interrupted = "interrupted: the best point so far is returned"


class Fit(Module):
    """The best point that a fit has seen, and the way there.

    - `model`: the model with the fitted values. `values`: those values, as `where` picks them.
    - `names`: the names of all fitted numbers.
    - `loss`: the loss before each step, half the sum of the squared residuals or the one number,
      shape `(k,)`, of the start that led to the best point; infinite where a run did not complete.
    - `result`: how that descent ended, a `FitResult`. `message`: the same in words, with what is
      at a bound, and what the run of the fitted model warns of.
    - `at_bound`: the names of the numbers that ended at a bound.
    - `uncertainty`: standard errors and flat directions, an `Uncertainty`; `None` for a loss that
      is one number, for a failed start, or if not asked for.
    - `losses`: those of all starts, `(starts, iterations)`, with NaN after a start has ended.
    - `ends`: the values at which each start ended, as `values`, with a leading axis.
    - `completed`: which starts ended without failure, `(starts,)`. `best`: the index of the best.
    """

    model: Any
    values: Any
    names: tuple[str, ...] = eqx.field(static=True)
    loss: Float[np.ndarray, " k"]
    result: FitResult
    message: str = eqx.field(static=True)
    at_bound: tuple[str, ...] = eqx.field(static=True)
    uncertainty: Uncertainty | None
    losses: Float[np.ndarray, "starts iterations"]
    ends: Any
    completed: Bool[np.ndarray, " starts"]
    best: int = eqx.field(static=True)
