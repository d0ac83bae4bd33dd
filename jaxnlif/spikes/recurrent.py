"""Recurrent networks of spiking neurons, driven by input spikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from .._check import check, check_finite, check_integer, check_positive, check_scalar, is_concrete
from .._module import Module
from .._quantity import brief
from ..integrate.result import SolveError
from ..model._leaf import as_integers, as_leaf
from .event_loop import Events, InputSpikes, follow
from .neuron import AbstractNeuron, AbstractSmoothNeuron


class RecurrentTrial(eqx.Module):
    """What a network did in a trial; arrays over events are as long as there is room for.

    - `times`: of the events, shape `(k,)`, the end of the trial where there was none (time).
      Differentiable.
    - `sources`: whose, shape `(k,)`: a neuron below n, n + j for input j, n + m where there was
      none.
    - `ranks`: which spike of its neuron it is, or which of the input spikes, from 0 on; `(k,)`.
    - `counts`: how many spikes each neuron made, shape `(n,)`. `num`: how many events there were.
    - `end`: the state at the end of the trial, as `neuron.values` reads it. Differentiable.
    - `duration`: of the trial (time).
    - `finished`: whether the budget of events was enough, and times and sources of the inputs were
      right. If not, `times` and `end` are NaN.
    - `states`: states at the begin of the trial and after each event. Not differentiable.
    """

    times: Float[Array, " k"]
    sources: Int[Array, " k"]
    ranks: Int[Array, " k"]
    counts: Int[Array, " n"]
    num: Int[Array, ""]
    end: Any
    duration: Float[Array, ""]
    finished: Bool[Array, ""]
    states: Any

    def spike_times(self, num: int) -> Float[Array, "n {num}"]:
        """The first `num` spikes of each neuron, shape `(n, num)`, `inf` if missing (time)."""
        empty = jnp.full((self.counts.shape[0], num), jnp.inf, self.times.dtype)
        return empty.at[self.sources, self.ranks].set(self.times, mode="drop")


class Recurrent(Module):
    r"""A network of n neurons with m inputs, followed from event to event.

    Exact: nothing is discretised in time. The gradient is that of an adjoint written by hand, which
    costs less than the trial itself. A neuron's weight to itself is ignored; an input is processed
    before a spike only if it is strictly earlier. `n = 1` is a single neuron driven by inputs.

    **Arguments:**

    - `neuron`: `QIF`, `Theta` or `LIF`.
    - `weights`: from neuron j to neuron i at `[i, j]`, shape `(n, n)` (voltage).
    - `input_weights`: from input j to neuron i at `[i, j]`, shape `(n, m)` (voltage).
    - `initial`: initial values, a tuple of arrays of shape `(n,)`: potentials and currents
      (voltage), or phases of `Theta` (time). Default: at rest.

    **Raises:** `ValueError` if `neuron` is none, for wrong shapes, values that are not finite, and
    phases outside of a period.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """

    neuron: AbstractNeuron
    weights: Float[Array, "n n"]
    input_weights: Float[Array, "n m"]
    initial: tuple[Float[Array, " n"], ...]

    def __init__(
        self, neuron: AbstractNeuron, weights: Any, input_weights: Any, initial: Any = None
    ) -> None:
        check(
            isinstance(neuron, AbstractNeuron),
            f"neuron = {neuron!r}: must be a QIF(), Theta() or LIF()",
        )
        self.weights = as_leaf("weights", weights)
        self.input_weights = as_leaf("input_weights", input_weights)
        shape = self.weights.shape
        check(
            len(shape) == 2 and shape[0] == shape[1],
            f"weights: shape {shape}: must be (n, n) for n neurons",
        )
        check(
            self.input_weights.ndim == 2 and self.input_weights.shape[0] == shape[0],
            f"input_weights: shape {self.input_weights.shape}: must be ({shape[0]}, m) for m "
            f"inputs to {shape[0]} neurons",
        )
        rest = neuron.rest(shape[0])
        if initial is not None and not hasattr(initial, "__iter__"):
            raise ValueError(f"initial = {brief(initial)}: must be a tuple of arrays")
        initial = rest if initial is None else tuple(as_leaf("initial", x) for x in initial)
        shapes = tuple(x.shape for x in initial)
        expected = tuple(x.shape for x in rest)
        check(shapes == expected, f"initial: shapes {shapes}: must be {expected}")
        for name, value in (("weights", weights), ("input_weights", input_weights)):
            check_finite(name, value)
        for value in initial:
            check_finite("initial", value)
        neuron.check_initial(initial)
        dtype = jnp.result_type(self.weights, self.input_weights, *initial)
        self.neuron = jax.tree.map(lambda x: x.astype(dtype), neuron)
        self.weights = self.weights.astype(dtype)
        self.input_weights = self.input_weights.astype(dtype)
        self.initial = tuple(x.astype(dtype) for x in initial)

    def __call__(
        self, inputs: InputSpikes, *, duration: ArrayLike, max_events: int
    ) -> RecurrentTrial:
        """Follows the network through a trial; differentiable and `vmap`-able.

        **Arguments:** `inputs`: input spikes at ascending times ≥ 0, `inf` where there is none;
        `duration`: of the trial (time); `max_events`: room for spikes and inputs. Unused room costs
        next to nothing.

        **Raises:** `ValueError` for wrong inputs; `SolveError` if there are more events than
        `max_events`. Under transformations both show as `finished` = False and NaN in `times` and
        `end`.
        """
        inputs = _checked_inputs(self, inputs)
        check_integer("max_events", max_events, at_least=1)
        check_scalar("duration", duration)
        check_positive("duration", duration)
        trial = _simulate(self, inputs, as_leaf("duration", duration), int(max_events))
        if is_concrete(trial.finished) and not np.all(trial.finished):
            raise SolveError(
                f"max_events = {max_events}: there are more spikes and inputs in a trial of "
                f"{float(np.asarray(duration)):g}; give more room, or weaken the coupling"
            )
        return trial

    def output_times(
        self, trial: RecurrentTrial, num: int, neurons: Sequence[int] | None = None
    ) -> Float[Array, "o {num}"]:
        """The first `num` spikes of some neurons; pseudospikes where ordinary ones are missing.

        With `Theta` neurons and weights of more than πq in total to one of them, times may jump
        where a spike passes the end of the trial: see `theta_pseudorates`.

        **Arguments:** `trial`: of this network; `num`: how many spikes; `neurons`: the numbers of
        the neurons, all by default.

        **Returns:** shape `(o, num)` for o neurons (time).

        **Raises:** `ValueError` for a type of neuron without pseudospikes, a number that is none of
        a neuron, or `num` below 1; `SolveError` if no pseudorates are found.
        """
        neuron, n = self.neuron, self.weights.shape[0]
        if not isinstance(neuron, AbstractSmoothNeuron):
            raise ValueError(f"neuron: {type(neuron).__name__} has no pseudospikes")
        num = check_integer("num", num, at_least=1)
        chosen = _neurons(neurons, n)
        some = jax.tree.map(lambda x: x[chosen], trial.end)
        weights = _between(self.weights)
        counts = trial.counts[chosen][:, None]
        places = jnp.arange(num)[None]
        ordinary = places < counts
        rates = neuron.rates(trial.end, weights)
        found = ~jnp.any(jnp.isnan(rates))
        if is_concrete(found, trial) and bool(trial.finished & ~found & ~jnp.all(ordinary)):
            raise SolveError("weights: too strong to find pseudorates that agree with one another")
        # A product with NaN is NaN in the derivatives of ordinary spikes too.
        drive = weights[chosen] @ jnp.where(found, rates, 0)
        later = trial.duration + neuron.pseudospikes(some, drive, places + 1 - counts)
        later = jnp.where(found, later, jnp.nan)
        return jnp.where(ordinary, trial.spike_times(num)[chosen], later)

    def trace(self, trial: RecurrentTrial, times: ArrayLike) -> tuple[Float[Array, "t n"], ...]:
        """What the neurons go through, looked up at some times of a trial.

        **Arguments:** `trial`: of this network; `times`: within it, shape `(t,)` (time).

        **Returns:** potentials and currents (voltage), or the phases of `Theta` (time), each of
        shape `(t, n)`.
        """
        times = as_leaf("times", times)
        begins = jnp.concatenate([jnp.zeros_like(trial.times[:1]), trial.times])
        place = jnp.searchsorted(begins[: trial.states[0].shape[0]], times, side="right") - 1
        place = jnp.minimum(place, trial.num)
        before = jax.tree.map(lambda x: x[place], trial.states)
        passed = (times - begins[place]) / self.neuron.time_unit
        return self.neuron.values(self.neuron.dynamics.evolve(before, passed[:, None]))


@eqx.filter_jit
def _simulate(
    net: Recurrent, inputs: InputSpikes, duration: Array, max_events: int
) -> RecurrentTrial:
    neuron, dtype = net.neuron, net.weights.dtype
    time_unit = neuron.time_unit.astype(dtype)
    duration = duration.astype(dtype)
    table = jnp.concatenate([_between(net.weights).T, net.input_weights.T])
    events: Events = follow(
        neuron.dynamics,
        max_events,
        table / neuron.weight_unit.astype(dtype),
        neuron.state(net.initial),
        InputSpikes(_scale(inputs.times.astype(dtype), time_unit), inputs.sources),
        duration / time_unit,
    )

    # What is traced could not be looked at before.
    times, sources, m = inputs.times, inputs.sources, net.input_weights.shape[1]
    ascend = jnp.all(times >= 0) & jnp.all(times[1:] >= times[:-1])
    finished = events.finished & ascend & jnp.all((sources >= 0) & (sources < m))

    def valid(x: Array) -> Array:
        return jnp.where(finished, x, jnp.nan)

    happened = events.sources < table.shape[0]
    return RecurrentTrial(
        times=valid(jnp.where(happened, events.times * time_unit, duration)),
        sources=events.sources,
        ranks=events.ranks,
        counts=events.counts,
        num=events.num,
        end=jax.tree.map(valid, events.end),
        duration=duration,
        finished=finished,
        states=lax.stop_gradient(events.states),
    )


def _between(weights: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The weights without those of neurons to themselves."""
    return jnp.where(jnp.eye(weights.shape[0], dtype=bool), 0, weights)


def _scale(times: Array, unit: Array) -> Array:
    """Times in another unit; infinite ones have no derivative in it."""
    finite = jnp.isfinite(times)
    return jnp.where(finite, jnp.where(finite, times, 0) / unit, jnp.inf)


def _neurons(neurons: Any, n: int) -> np.ndarray:
    """The numbers of some of n neurons, all by default."""
    check(is_concrete(neurons), "neurons: must be plain integers, also under jit, grad and vmap")
    chosen = np.asarray(as_integers("neurons", np.arange(n) if neurons is None else neurons))
    check(chosen.ndim == 1, f"neurons: shape {chosen.shape}: must be one-dimensional")
    for one in chosen[(chosen < 0) | (chosen >= n)][:1]:
        raise ValueError(f"neurons = {one}: must be from 0 to {n - 1}")
    return chosen


def _checked_inputs(net: Recurrent, inputs: InputSpikes) -> InputSpikes:
    """The inputs of a trial, looked at where they can be; their sources in JAX's integers."""
    check(
        isinstance(inputs, tuple) and len(inputs) == 2,
        f"inputs = {type(inputs).__name__}: must be InputSpikes(times, sources)",
    )
    times = as_leaf("inputs: times", inputs[0])
    sources = as_integers("inputs: sources", inputs[1])
    check(
        times.ndim == 1 and times.shape == sources.shape,
        f"inputs: times of shape {times.shape} and sources of shape {sources.shape}: must be "
        "one-dimensional and as many",
    )
    if is_concrete(inputs[0]):
        _check_times(np.asarray(inputs[0], float))
    if is_concrete(sources):
        numbers, m = np.asarray(sources), net.input_weights.shape[1]
        for k in np.flatnonzero((numbers < 0) | (numbers >= m))[:1]:
            raise ValueError(
                f"inputs: source {numbers[k]} at [{k}]: must be from 0 to {m - 1}, "
                f"one of {m} inputs"
            )
    return InputSpikes(times, jnp.asarray(sources))


def _check_times(values: np.ndarray) -> None:
    """Looks at the times of inputs."""
    for k in np.flatnonzero(np.isnan(values) | (values < 0))[:1]:
        raise ValueError(
            f"inputs: time {values[k]:g} at [{k}]: must be a number that is at least 0"
        )
    for k in np.flatnonzero(values[1:] < values[:-1])[:1]:
        raise ValueError(
            f"inputs: time {values[k + 1]:g} at [{k + 1}] after {values[k]:g}: times must ascend "
            "(sorted_spikes sorts them)"
        )


def sorted_spikes(times: Float[Array, " m"], sources: Int[Array, " m"]) -> InputSpikes:
    """Input spikes in the order of their times; differentiable in the times.

    **Arguments:** `times`: shape `(m,)` (time); `sources`: the number of the input of each, shape
    `(m,)`.

    **Raises:** `ValueError` if `sources` are no integers, or not as many as `times`.
    """
    given, numbers = as_leaf("times", times), as_integers("sources", sources)
    check(
        given.ndim == 1 and given.shape == numbers.shape,
        f"sources: shape {numbers.shape}: must be (m,), as of times, {given.shape}",
    )
    order = jnp.argsort(given)
    return InputSpikes(jnp.asarray(given)[order], jnp.asarray(numbers)[order])
