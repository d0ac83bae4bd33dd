"""Recurrent networks against the authors' code: values and gradients."""

from __future__ import annotations

import os
from collections.abc import Iterator

from _report import Measured
from benchmarks import spikes_recurrent

EPS = (1e-6, 1e-8, 1e-10, 1e-12)
"""Where the authors' code cuts potentials off; too small a value costs it digits."""


def against_spikegd(directory: str | os.PathLike) -> Iterator[Measured]:
    """Loss and gradient, at the cut-off that brings the two nearest."""
    setting = spikes_recurrent.load(directory)
    found = [spikes_recurrent.difference(setting, eps) for eps in EPS]
    yield Measured("spikegd_loss", min(loss for loss, _ in found), "recurrent")
    yield Measured("spikegd_gradient", min(slope for _, slope in found), "recurrent")
