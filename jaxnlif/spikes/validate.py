"""What a feed-forward network requires of its layers and inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._check import check, check_finite, check_positive, check_scalar, is_concrete
from .._quantity import brief
from ..model._leaf import as_leaf
from .encoding import Volleys
from .theta import check_phases


def as_layers(name: str, values: Any) -> tuple[Any, ...]:
    """The arrays of the layers, `None` where there is none."""
    if not isinstance(values, (list, tuple)) and getattr(values, "ndim", 0) == 0:
        raise ValueError(f"{name} = {brief(values)}: must be a list of arrays, one for each layer")
    return tuple(None if one is None else as_leaf(name, one) for one in values)


def check_layers(net: Any) -> None:
    """Requires the layers of a `FeedForward` to fit together. **Raises:** `ValueError`."""
    check(len(net.weights) >= 1, "weights: at least one layer is needed")
    check(
        len(net.initial) == len(net.delays) == len(net.weights),
        f"initial, delays: must be as many as weights, {len(net.weights)}, "
        f"not {len(net.initial)} and {len(net.delays)}",
    )
    for i, (weights, phase, delay) in enumerate(
        zip(net.weights, net.initial, net.delays, strict=True)
    ):
        check(weights.ndim == 2, f"weights[{i}]: shape {weights.shape} must be (before, neurons)")
        before, n = weights.shape
        if i:
            check(
                before == net.weights[i - 1].shape[1],
                f"weights[{i}]: shape {weights.shape} must begin with "
                f"{net.weights[i - 1].shape[1]}, the neurons of layer {i - 1}",
            )
        check(phase.shape == (n,), f"initial[{i}]: shape {phase.shape} must be {(n,)}")
        check_finite(f"weights[{i}]", weights)
        check_phases(f"initial[{i}]", phase, net.neuron)
        if delay is not None:
            check(delay.shape == (before,), f"delays[{i}]: shape {delay.shape} must be {(before,)}")
            check_positive(f"delays[{i}]", delay, allow_zero=True)
    check_scalar("duration", net.duration)
    check_positive("duration", net.duration)


def check_inputs(net: Any, inputs: Any) -> None:
    """Requires the inputs of a `FeedForward` to be as many as its first layer has, and times.

    **Raises:** `ValueError`.
    """
    before = net.weights[0].shape[0]
    if isinstance(inputs, Volleys):
        check(
            net.delays[0] is None, "inputs: Volleys cannot be delayed; give the time of each input"
        )
        shape = inputs.which.shape
    else:
        shape = np.shape(inputs)
        if is_concrete(inputs):
            values = np.asarray(inputs)
            check(not np.any(np.isnan(values)), "inputs: spike times must not be NaN (inf is none)")
            check(not np.any(values < 0), "inputs: spike times must not be negative")
    check(
        len(shape) >= 1 and shape[-1] == before,
        f"inputs: shape {shape} must end with {before}, the number of inputs",
    )
