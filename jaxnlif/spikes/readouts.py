"""What is read from the outputs of a trial, beside its first spikes `trial.times[..., 0]`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .._check import check_scalar
from .network import AbstractNetwork, Trial


def first_spike(trial: Trial, *, after: ArrayLike) -> Float[Array, "*batch o"]:
    """The first spike of each output after a cue, by a pseudospike if need be.

    It is smooth as long as no spike passes the cue, where it jumps to the next one.

    **Arguments:** `trial`: of a network with room (`max_spikes`) for one spike more than there are
    before the cue; `after`: when the cue comes (time).

    **Returns:** shape `(…, o)`; NaN where there was no room for it, `inf` where there is none, of
    neurons without pseudospikes (time).

    **Raises:** `ValueError` unless `after` is a number.

    **Reference:** jaxnlif's.
    """
    check_scalar("after", after)
    times = trial.times
    later = times > after
    first = jnp.argmax(later, axis=-1)
    found = jnp.take_along_axis(times, first[..., None], axis=-1)[..., 0]
    return jnp.where(jnp.any(later, axis=-1), found, jnp.nan)


def spike_counts(trial: Trial) -> Float[Array, "*batch o"]:
    """How many spikes each output made: `trial.progress`, continuous and differentiable.

    The ordinary spikes and, where there are pseudospikes, the fraction of the way to the next one,
    so that nothing jumps when a spike passes the end of the trial.

    **Arguments:** `trial`: of any network.

    **Returns:** shape `(…, o)` (dimensionless).

    **Reference:** jaxnlif's.
    """
    return trial.progress


def latest_state(net: AbstractNetwork, trial: Trial) -> tuple[Float[Array, "*batch o"], ...]:
    """The state of the outputs at the end of the trial, as `neuron.values` reads it.

    **Arguments:** `net`; `trial`: of this network.

    **Returns:** potentials and currents (voltage), or the phases of `Theta` (time), of shape
    `(…, o)` each. Potentials of QIF neurons are infinite at a spike, and phases jump there.

    **Reference:** jaxnlif's.
    """
    chosen: Any = np.array(trial.outputs)
    end = jax.tree.map(lambda x: x[..., chosen], trial.end)
    return net.neuron.of(chosen).values(end)
