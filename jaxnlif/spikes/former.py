"""What a call of a `Recurrent` with `max_events` returns: the former form of a trial."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .network import Trial


class RecurrentTrial(eqx.Module):
    """A trial as `net(inputs, duration=, max_events=)` returns it, whose place `Trial` has taken.

    Its `times`, `sources`, `ranks`, `num` and `states` are those of `trial.events`, and `counts`
    are `num_spikes`. `net.output_times` takes it.

    **Arguments:** `trial`: the trial in its present form.
    """

    trial: Trial

    @property
    def times(self) -> Float[Array, " k"]:
        """When events happened, shape `(k,)` (time)."""
        return self._events.times

    @property
    def sources(self) -> Int[Array, " k"]:
        """Whose events they are, shape `(k,)`."""
        return self._events.sources

    @property
    def ranks(self) -> Int[Array, " k"]:
        """Which spike of its neuron, or which input, an event is, shape `(k,)`."""
        return self._events.ranks

    @property
    def counts(self) -> Int[Array, " n"]:
        """How many spikes each neuron made, shape `(n,)`."""
        return self.trial.num_spikes

    @property
    def num(self) -> Int[Array, ""]:
        """How many events there were, shape `()`."""
        return self._events.num

    @property
    def end(self) -> Any:
        """The state at the end."""
        return self.trial.end

    @property
    def duration(self) -> Float[Array, ""]:
        """Of the trial, shape `()` (time)."""
        return self.trial.duration

    @property
    def finished(self) -> Bool[Array, ""]:
        """Whether there was room for all events, shape `()`."""
        return self.trial.finished

    @property
    def states(self) -> Any:
        """States at the begin of the trial and after each event."""
        return self._events.states

    @property
    def _events(self) -> Any:
        return self.trial.events

    def spike_times(self, num: int) -> Float[Array, "n {num}"]:
        """The first `num` spikes of each neuron, shape `(n, num)`, `inf` if missing (time)."""
        empty = jnp.full((self.counts.shape[0], num), jnp.inf, self.times.dtype)
        return empty.at[self.sources, self.ranks].set(self.times, mode="drop")


def batch_of_one(tree: Any) -> Any:
    """Arrays with an axis for one sample."""
    return jax.tree.map(lambda x: x[None], tree)
