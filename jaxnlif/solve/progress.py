"""Progress of a long run, shown from the host between compiled chunks."""

from __future__ import annotations

import abc
import sys
from typing import Any

import equinox as eqx
from tqdm import tqdm


class AbstractProgress(eqx.Module):
    """Something that shows how far a run is. Silent under `jit`, `grad` and `vmap`."""

    @abc.abstractmethod
    def start(self, total: int) -> Any:
        """A display of `total` steps: an object with `update(steps)` and `close()`."""


class ProgressBar(AbstractProgress):
    """A tqdm bar with time left; a widget in notebooks.

    **Arguments:** `label`: a short text before the bar.
    """

    label: str = "solve"

    def start(self, total: int) -> Any:
        from tqdm.auto import tqdm as widget  # only here: without widgets, notebooks make it warn

        return widget(total=total, desc=self.label, unit="step", file=sys.stderr, leave=False)


class NoProgress(AbstractProgress):
    """Shows nothing."""

    def start(self, total: int) -> Any:
        return tqdm(total=total, disable=True)
