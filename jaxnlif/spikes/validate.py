"""What a feed-forward network requires of its layers and inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import check, check_finite, check_positive
from .._quantity import brief
from ..model._leaf import as_leaf
from .inputs import BinnedSpikes, Known, Volleys
from .theta import Theta, check_phases
from .weights import as_weights


def as_layers(name: str, values: Any) -> tuple[Any, ...]:
    """The arrays of the layers, `None` where there is none."""
    _check_sequence(name, values)
    return tuple(
        None if one is None else as_leaf(f"{name}[{i}]", one) for i, one in enumerate(values)
    )


def as_weight_layers(values: Any) -> tuple[Any, ...]:
    """The weights of the layers. **Raises:** `ValueError` if there are none or one is no matrix."""
    _check_sequence("layer_weights", values)
    layers = tuple(as_weights(f"layer_weights[{i}]", one) for i, one in enumerate(values))
    check(len(layers) >= 1, "layer_weights: at least one layer is needed")
    for i, weights in enumerate(layers):
        check(
            weights.ndim == 2,
            f"layer_weights[{i}]: shape {weights.shape} must be (neurons, before)",
        )
    return layers


def _check_sequence(name: str, values: Any) -> None:
    if not isinstance(values, (list, tuple)) and np.ndim(values) == 0:
        raise ValueError(f"{name} = {brief(values)}: must be a list of arrays, one for each layer")


def check_layers(neuron: Theta, weights: Any, initial: Any, delays: Any) -> None:
    """Requires the layers of a `FeedForward` to fit together. **Raises:** `ValueError`."""
    check(
        len(initial) == len(delays) == len(weights),
        f"initial, delays: must be as many as layer_weights, {len(weights)}, "
        f"not {len(initial)} and {len(delays)}",
    )
    for i, (one, phase, delay) in enumerate(zip(weights, initial, delays, strict=True)):
        n, before = one.shape
        if i:
            check(
                before == weights[i - 1].shape[0],
                f"layer_weights[{i}]: shape {one.shape} must end with "
                f"{weights[i - 1].shape[0]}, the neurons of layer {i - 1}",
            )
        check(
            phase is not None and phase.shape == (n,),
            f"initial[{i}]: shape {getattr(phase, 'shape', None)} must be {(n,)}",
        )
        start: Any = phase
        check_phases(f"initial[{i}]", start, neuron)
        if delay is not None:
            check(
                delay.shape in ((before,), (n, before)),
                f"delays[{i}]: shape {delay.shape} must be {(before,)} or {(n, before)}",
            )
            check_positive(f"delays[{i}]", delay, allow_zero=True)
            check_finite(f"delays[{i}]", delay)


def check_undelayed(delay: Any, inputs: Known) -> None:
    """Refuses delays of inputs that share their times. **Raises:** `ValueError`."""
    check(
        delay is None or not isinstance(inputs, Volleys | BinnedSpikes),
        f"inputs: {type(inputs).__name__} cannot be delayed; give the times of the inputs",
    )
