"""What all spiking networks have in common: trials, and how they are trained."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from .._check import check, check_positive, check_scalar, is_concrete
from .._module import Module
from ..integrate.result import SolveError
from ..model._leaf import as_leaf
from .event_loop import Events
from .inputs import Known, batch_of


class Trial(eqx.Module):
    """What a network did in a trial, or in each trial of a batch.

    There are n neurons, in layers one layer after the other; o of them are outputs; k is the
    `max_spikes` of the network.

    - `times`: spike times of the outputs, ascending: ordinary ones, before the end of the trial,
      then pseudospikes, `inf` for neurons that have none; shape `(…, o, k)` (time).
    - `progress`: ordinary spikes of the outputs, all of them, and how far each is on its way to the
      next, from 0 to 1: continuous and differentiable where pseudospikes are; shape `(…, o)`
      (dimensionless).
    - `spike_times`: ordinary spikes of all neurons, `inf` where there are no more, `(…, n, k)`
      (time).
    - `num_spikes`: how many ordinary spikes each neuron made, all of them, shape `(…, n)`.
    - `end`: the state at the end, as `neuron.values` reads it, shape `(…, n)` each.
    - `duration`: of the trial (time). `inputs`: what the network received.
    - `finished`: whether there was room for all spikes, all numbers were finite and all inputs
      right; shape `(…)`. If not, `times`, `progress` and `end` of that trial are NaN.
    - `consistent`: whether pseudorates that agree with one another were found, shape `(…)`. Only
      very strong weights between neurons leave it open; pseudospikes of that trial then come from
      the rates of neurons without coupling, and may jump where a spike passes the end.
    - `events`: of a `Recurrent`, all spikes and inputs in the order of time; else `None`.
    - `outputs`: the numbers of the outputs.
    """

    times: Float[Array, "*batch o k"]
    progress: Float[Array, "*batch o"]
    spike_times: Float[Array, "*batch n k"]
    num_spikes: Int[Array, "*batch n"]
    end: Any
    duration: Float[Array, ""]
    inputs: Known
    finished: Bool[Array, "*batch"]
    consistent: Bool[Array, "*batch"]
    events: Events | None
    outputs: tuple[int, ...] = eqx.field(static=True)

    @property
    def first_output(self) -> Float[Array, "*batch"]:
        """When the first output spikes, by a pseudospike if need be, shape `(…)` (time)."""
        return jnp.min(self.times[..., 0], axis=-1)

    def activity(self, until: ArrayLike = jnp.inf) -> Float[Array, "*batch"]:
        """Spikes of a neuron that is no output, on average, up to a time.

        Later spikes than there is room for, `max_spikes` of each neuron, are counted only if
        `until` is not given.

        **Arguments:** `until`: one time, or one for each trial such as `first_output`, shape `(…)`
        (time).

        **Returns:** shape `(…)`, 0 if all neurons are outputs (dimensionless).
        """
        spikes = self.hidden_spikes(until)
        mean = jnp.sum(spikes, axis=-1) / max(spikes.shape[-1], 1)
        return mean.astype(self.times.dtype)

    def hidden_spikes(self, until: ArrayLike = jnp.inf) -> Int[Array, "*batch h"]:
        """How many spikes each neuron that is no output makes up to a time.

        Later spikes than there is room for, `max_spikes` of each neuron, are counted only if
        `until` is not given.

        **Arguments:** `until`: one time, or one for each trial such as `first_output`, shape `(…)`
        (time).

        **Returns:** shape `(…, h)`, in the order of the neurons (dimensionless).
        """
        hidden = np.setdiff1d(np.arange(self.num_spikes.shape[-1]), self.outputs)
        if is_concrete(until) and np.all(np.isposinf(np.asarray(until))):
            return self.num_spikes[..., hidden]
        times = self.spike_times[..., hidden, :]
        until = jnp.broadcast_to(until, times.shape[:-2])[..., None, None]
        return jnp.sum(jnp.isfinite(times) & (times <= until), axis=-1)

    def silent_fraction(self, until: ArrayLike = jnp.inf) -> Float[Array, ""]:
        """The fraction of neurons, outputs left out, that spike in no trial of the batch.

        **Arguments:** `until`: spikes later than that do not count: one time, or one for each
        trial, shape `(…)` (time).

        **Returns:** shape `()` (dimensionless).
        """
        silent = self.hidden_spikes(until) == 0
        silent = jnp.all(silent.reshape(-1, silent.shape[-1]), axis=0)
        fraction = jnp.sum(silent) / max(silent.shape[0], 1)
        return fraction.astype(self.times.dtype)

    def __getattr__(self, name: str) -> Any:
        raise former(self, name, _FORMER)


_FORMER = {
    "counts": "num_spikes, of all neurons in one array, which net.per_layer splits in layers",
    "spikes": "spike_times, of all neurons in one array, which net.per_layer splits in layers",
    "phases": "net.neuron.values(trial.end)[0], of all neurons",
    "overflow": "the opposite of finished",
    "sources": "events.sources",
    "ranks": "events.ranks",
    "num": "events.num",
    "states": "events.states",
}


class AbstractNetwork(Module):
    """A network of spiking neurons.

    `FeedForward` and `Recurrent` share how trials are made and what they are, and how parameters
    are picked, moved and kept in range: a training step is the same for both.

    **Arguments** of the methods:

    - `inputs`: the time of one spike per input, `inf` for none, shape `(…, inputs)` (time), or
      `InputSpikes`, `Volleys` or `BinnedSpikes`.
    - `duration`: of the trial, shape `()` (time).
    - `trial`: of this network. `times`: within it, shape `(t,)` (time).
    - `neuron`: whether parameters of the neurons are learned as well.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """

    neuron: eqx.AbstractVar[Any]
    max_spikes: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """The number of inputs, then of the neurons of each layer; all of a `Recurrent` are one."""

    @abc.abstractmethod
    def trial(self, inputs: Any, *, duration: ArrayLike) -> Trial:
        """All that happens in a trial, or in each trial of a batch.

        **Raises:** `ValueError` for wrong inputs; `SolveError` without room for all spikes.
        """

    @abc.abstractmethod
    def trace(self, trial: Trial, times: Any) -> tuple[Float[Array, "*batch t n"], ...]:
        """What the neurons go through in a trial.

        **Returns:** potentials and currents (voltage), or phases (time), shape `(…, t, n)` each.
        """

    @abc.abstractmethod
    def trainable(self, *, neuron: bool = False) -> AbstractNetwork:
        """A tree of booleans: which leaves are learned."""

    @abc.abstractmethod
    def clipped(self) -> AbstractNetwork:
        """The network with every parameter back in its range."""

    def __call__(self, inputs: Any, *, duration: ArrayLike) -> Any:
        """Ordinary and pseudospike times of the outputs, ascending: the `times` of `trial`.

        **Arguments:** `inputs`: the time of one spike per input, `inf` for none, shape
        `(…, inputs)` (time), or `InputSpikes`, `Volleys` or `BinnedSpikes`; `duration`: of the
        trial, shape `()` (time).

        **Returns:** shape `(…, o, k)` (time).

        **Raises:** `ValueError` for wrong inputs; `SolveError` without room for all spikes.
        """
        return self.trial(inputs, duration=duration).times

    def per_layer(self, values: Float[Array, "*batch n ..."], axis: int = -1) -> list[Array]:
        """Values of all neurons, split into layers.

        **Arguments:** `values`: with an axis over all neurons, shape `(…, n, …)`, of any unit;
        `axis`: which that is, -1 for `num_spikes`, -2 for `spike_times`.

        **Returns:** a list of arrays of such a shape, one for each layer, of any unit.
        """
        ends = np.cumsum(self.sizes[1:])[:-1]
        return jnp.split(values, ends, axis=axis)


def update(net: Any, updates: Any) -> Any:
    """The network after a step of an optimiser, every parameter within its range.

    ```python
    learned, fixed = eqx.partition(net, net.trainable())
    gradient = jax.grad(lambda learned: loss(eqx.combine(learned, fixed)))(learned)
    updates, state = optimiser.update(gradient, state, learned)
    net = jn.spikes.update(net, updates)
    ```

    **Arguments:** `net`: a `FeedForward` or `Recurrent`; `updates`: what an optax optimiser
    returns, `None` for leaves that are not learned.

    **Raises:** `ValueError` if `net` is no network, or only the part of one that is learned.

    **Reference:** jaxnlif's.
    """
    if not isinstance(net, AbstractNetwork):
        raise ValueError(f"net = {type(net).__name__}: must be a FeedForward or a Recurrent")
    parameters = jax.tree.leaves(net.neuron, is_leaf=lambda leaf: leaf is None)
    check(
        all(one is not None for one in parameters),
        "net: must be the whole network, not only the part that is learned",
    )
    return eqx.apply_updates(net, updates).clipped()


def former(thing: Any, name: str, names: dict[str, str]) -> AttributeError:
    """The error for an attribute that is missing; for a former one it says what took its place."""
    if name in names:
        return AttributeError(f"{name}: is no more; it is {names[name]}")
    return AttributeError(f"{type(thing).__name__!r} object has no attribute {name!r}")


# ---- what networks share -----------------------------------------------------------------------


def as_duration(duration: Any, dtype: Any) -> Float[Array, ""]:
    """The duration of a trial. **Raises:** `ValueError` unless it is a positive number."""
    check_scalar("duration", duration)
    check_positive("duration", duration)
    return as_leaf("duration", duration).astype(dtype)


def check_finished(trial: Trial, reason: str) -> Trial:
    """The trial. **Raises:** `SolveError` with the reason if it is known not to have finished."""
    if is_concrete(trial.finished) and not np.all(np.asarray(trial.finished)):
        sample = np.argwhere(~np.asarray(trial.finished))[0]
        where = f" (sample {', '.join(map(str, sample))})" if sample.size else ""
        raise SolveError(reason + where)
    return trial


def are_finite(tree: Any, samples: int) -> Bool[Array, " samples"]:
    """Whether all numbers of each sample, the first axis, are finite."""
    finite = [
        jnp.all(jnp.isfinite(x).reshape(samples, -1), axis=-1)
        for x in jax.tree.leaves(tree)
        if eqx.is_inexact_array(x)
    ]
    return jnp.all(jnp.stack(finite), axis=0)


def squares_fit(weights: Float[Array, "..."]) -> Bool[Array, ""]:
    """Whether weights are so small that a product of their squares is still a number."""
    largest = float(jnp.finfo(weights.dtype).max) ** 0.5 / 64
    return jnp.all(jnp.abs(weights) <= largest)


def as_moments(net: AbstractNetwork, trial: Any, times: Any) -> Float[Array, " t"]:
    """Times within a trial of this network. **Raises:** `ValueError` if they are not."""
    num = sum(net.sizes[1:])
    check(
        isinstance(trial, Trial) and trial.num_spikes.shape[-1] == num,
        "trial: must be one of this network",
    )
    moments = as_leaf("times", times)
    check(moments.ndim == 1, f"times: shape {moments.shape}: must be one-dimensional")
    if is_concrete(moments, trial.duration):
        end = float(np.asarray(trial.duration))
        values = np.asarray(moments)
        for wrong in values[~((values >= 0) & (values <= end * (1 + 1e-6)))][:1]:
            raise ValueError(f"times = {wrong:g}: must be within the trial, of duration {end:g}")
    return moments


def in_any_batch(
    run: Callable[[Any, Known, Float[Array, ""]], Trial],
    net: Any,
    inputs: Known,
    duration: Float[Array, ""],
) -> Trial:
    """The trial of a batch; of one without samples, that of one sample less that sample."""
    batch = batch_of(inputs)
    if 0 not in batch:
        return run(net, inputs, duration)
    trial = run(net, jnp.full((1, net.sizes[0]), jnp.inf, duration.dtype), duration)
    nothing = jax.tree.map(
        lambda x: x[:0].reshape(*batch, *x.shape[1:]),
        {name: getattr(trial, name) for name in _PER_SAMPLE},
    )
    return replace(trial, inputs=inputs, **nothing)


_PER_SAMPLE = (
    *("times", "progress", "spike_times", "num_spikes"),
    *("end", "finished", "consistent", "events"),
)
"""What of a trial has the axes of the batch."""
