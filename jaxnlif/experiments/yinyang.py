"""`jaxnlif run yinyang`: the Yin-Yang points classified by the first spike.

**Reference:** L. Kriener, J. Göltz, M. A. Petrovici, The Yin-Yang dataset, arXiv 2102.08211; the
network and its gradients follow C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .._check import check
from ..spikes.data.yin_yang import yin_yang
from . import _classifier_options as options
from . import _classifier_run as classifier
from ._classifier import Samples, Task
from ._classifier_setting import YIN_YANG, Setting

_POINTS = 5000, 1000
_SEEDS = 42, 41
"""Of the points to learn from and to judge by; settings were chosen on those of seed 40."""
_FIRST, _RANGE = 0.1, 1.9


@dataclass(frozen=True)
class PointEncoder:
    """Coordinates x as spikes at 0.1 + 1.9 x, each by as many inputs as a setting says."""

    copies: int

    def __call__(
        self, points: Float[Array, "n x"], key: PRNGKeyArray | None
    ) -> Float[Array, "n inputs"]:
        return jnp.tile(_FIRST + _RANGE * points, (1, self.copies))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    options.add_arguments(
        parser, YIN_YANG, name="yinyang", without={"bins", "first", "last", *options.RECURRENT}
    )


def run(arguments: argparse.Namespace) -> None:
    """Trains, prints measures, writes checkpoints and the figure.

    **Raises:** `ValueError` for wrong arguments, before anything compiles or is written.
    """
    setting = options.chosen(arguments, YIN_YANG)
    last = _FIRST + _RANGE
    check(
        setting.duration > last,
        f"--duration = {setting.duration:g}: must be more than {last:g}, when inputs may spike",
    )
    classifier.run(arguments, setting, task(setting))


def task(setting: Setting) -> Task:
    """Learning to tell yin, yang and dots apart."""
    dtype = jnp.zeros(()).dtype

    def samples(num: int, seed: int) -> Samples:
        points, labels = yin_yang(num, seed=seed)
        return Samples(points.astype(dtype), labels.astype(np.int32))

    return Task(
        "yinyang",
        samples(_POINTS[0], _SEEDS[0]),
        samples(_POINTS[1], _SEEDS[1]),
        3,
        4,
        PointEncoder(setting.copies),
    )
