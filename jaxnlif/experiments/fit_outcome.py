"""What a fit came to, in words and as what JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from ..fitting.result import Fit
from ..model import Network
from .fit_task import Task


class Outcome(NamedTuple):
    """A task and its fit, in words and as what JSON can hold; `steps` on all grids."""

    task: Task
    fitted: Fit
    steps: int
    seconds: float

    def columns(self) -> dict[str, np.ndarray]:
        """Start, fitted value, standard error and, where it is known, truth of each number."""
        assert self.fitted.uncertainty is not None
        columns = {
            "start": self._numbers(self.task.first),
            "fitted": self._numbers(self.fitted.model),
            "std": self.fitted.uncertainty.std,
        }
        if self.task.truth is not None:
            columns["truth"] = self._numbers(self.task.truth)
        return columns

    def summary(self) -> Iterator[str]:
        """A row for each number, and how the fit ended."""
        assert self.fitted.uncertainty is not None
        columns, names = self.columns(), self.fitted.names
        truth, std = columns.get("truth"), columns["std"]
        if truth is not None:
            columns["error"] = columns["fitted"] - truth
        width = max(map(len, names))
        yield " " * width + "".join(f"{name:>12}" for name in columns)
        for name, *row in zip(names, *columns.values(), strict=True):
            numbers = (f"{x:12.4g}" if np.isfinite(x) else f"{'unknown':>12}" for x in row)
            yield f"{name:{width}}" + "".join(numbers)
        if truth is not None:
            known = np.isfinite(std)
            near = np.abs(columns["error"][known]) <= 2 * std[known]
            yield f"{near.sum()} of {near.size} truths lie within 2 standard errors" + (
                "" if np.all(known) else f"; the data leave {np.sum(~known)} open"
            )
        for direction in self.fitted.uncertainty.flat:
            yield f"flat, not determined by the data: {direction}"
        yield f"{self.fitted.message} ({self.steps} steps, {self.seconds:.1f} s with compilation)"

    def description(self) -> dict[str, Any]:
        """What `fit.json` holds; errors that the data do not determine are null."""
        fitted, columns = self.fitted, self.columns()
        assert fitted.uncertainty is not None
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return {
            "experiment": "fit",
            "title": self.task.title,
            "voltages": self.task.voltages(),
            "parameters": {
                name: {column: _finite(x) for column, x in zip(columns, row, strict=True)}
                for name, row in zip(fitted.names, rows, strict=True)
            },
            "flat": fitted.uncertainty.flat,
            "at_bound": fitted.at_bound,
            "message": fitted.message,
            "loss": float(np.min(fitted.loss)),
            "noise": _finite(fitted.uncertainty.noise),
            "steps": self.steps,
            "seconds": self.seconds,
        }

    def _numbers(self, model: Network) -> np.ndarray:
        """The free numbers of a model, in the order of their names."""
        leaves = jax.tree.leaves(self.task.where(model))
        return np.concatenate([np.ravel(leaf) for leaf in leaves]).astype(float)


def _finite(x: float) -> float | None:
    """What JSON can hold of a number."""
    return x if math.isfinite(x) else None
