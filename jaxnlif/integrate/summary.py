"""The summary of a solution in one line."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from .._check import is_concrete
from .result import Result, outcome
from .warning import WarningFlag


def summary(sol: Any) -> str:
    """How a run ended and when, at how many times it was saved, its last rate, its warnings.

    Of a batch of runs: how many ended in which way. Of a run that is being traced, or of a pytree
    of other leaves, the shapes only.
    """
    saved = getattr(sol.ts, "shape", ())
    numbers = all(isinstance(x, jax.Array | np.ndarray) for x in (sol.ts, sol.rate, sol.t_end))
    if not (numbers and saved and is_concrete(sol)):
        return f"Solution(ts: {saved}, without numbers)"
    times = f"{saved[-1]} saved time{'' if saved[-1] == 1 else 's'}"
    if len(saved) > 1:
        return f"Solution({saved[:-1]} runs with {times}: {_outcomes(sol.result)})"
    last = f", last rate {_last_rate(sol)}" if saved[-1] else ""
    end = f"{outcome(sol.result)} at t = {float(sol.t_end):.4g}"
    return f"Solution({end}, {times}{last}{_warned(sol)})"


def _last_rate(sol: Any) -> str:
    """The last rate that was saved, of each population, with its error where that is estimated."""
    rates = np.atleast_1d(sol.rate[-1])
    errors = sol.stats.get("rate_error")
    if errors is None or float(sol.ts[-1]) != float(sol.t_end):
        return " ".join(f"{float(x):.4g}" for x in rates)
    pairs = zip(rates, np.atleast_1d(errors), strict=True)
    return " ".join(_with_error(float(rate), float(error)) for rate, error in pairs)


def _with_error(value: float, error: float) -> str:
    """As many digits as the error leaves."""
    if not (0 < error < abs(value)):
        return f"{value:.4g} ± {error:.1g}"
    digits = min(max(math.ceil(math.log10(abs(value) / error)) + 1, 4), 12)
    return f"{value:.{digits}g} ± {error:.1g}"


def _outcomes(result: Any) -> str:
    """How many of several runs ended in which way."""
    counts = {
        outcome(item): int(np.sum(np.asarray(result == item)))
        for item in Result._name_to_item.values()
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _warned(sol: Any) -> str:
    flags = np.asarray(sol.warnings)
    names = [flag.name.replace("_", " ") for flag in WarningFlag if flags[flag]]
    return f", warnings: {', '.join(names)}" if names else ""
