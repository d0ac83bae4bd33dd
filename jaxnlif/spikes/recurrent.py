"""Recurrent networks of spiking neurons, driven by input spikes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from .._check import check, check_finite, check_integer, check_key, check_positive, is_concrete
from .._quantity import brief
from ..model._leaf import as_integers, as_leaf
from .former import RecurrentTrial, batch_of_one
from .inputs import BinnedSpikes, Volleys, as_inputs
from .network import AbstractNetwork, Trial, as_duration, as_moments, check_finished, in_any_batch
from .neuron import AbstractDynamics, AbstractNeuron, State
from .parameters import aligned
from .recurrent_trial import between, read_out, simulate
from .weights import as_weights, drawn_weights, in_precision, one_precision


class Recurrent(AbstractNetwork):
    r"""A network of n neurons with m inputs, followed from event to event.

    Exact: nothing is discretised in time. The gradient is that of an adjoint written by hand, which
    costs less than the trial itself. A neuron's weight to itself is ignored; an input is processed
    before a spike only if it is strictly earlier. `n = 1` is a single neuron driven by inputs.

    **Arguments:**

    - `neuron`: `QIF`, `Theta`, `LIF` or one of your own. One whose parameters are arrays has values
      for each neuron; its gradients cost a few times more.
    - `weights`: from neuron j to neuron i at `[i, j]`, shape `(n, n)` (voltage).
    - `input_weights`: from input j to neuron i at `[i, j]`, shape `(n, m)` (voltage).
    - `initial`: initial values, a tuple of arrays of shape `(n,)`: potentials and currents
      (voltage), or phases of `Theta` (time). Default: at rest.
    - `outputs`: the numbers of the neurons that are read out, all by default.
    - `delays`: of the inputs, shape `(m,)`, or `None` (time). Pseudospikes may jump when a spike
      that is on its way passes the end of the trial.
    - `max_spikes`: how many spike times of a neuron are returned.
    - `max_events`: room for spikes and inputs in a trial; more are reported, never lost silently.
      Unused room costs next to nothing.

    **Raises:** `ValueError` if `neuron` is none or its dynamics hold numbers, for wrong shapes,
    values that are not finite, and phases outside of a period.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """

    neuron: AbstractNeuron
    weights: Float[Array, "n n"]
    input_weights: Float[Array, "n m"]
    initial: tuple[Float[Array, " n"], ...]
    delays: Float[Array, " m"] | None
    outputs: tuple[int, ...] = eqx.field(static=True)
    max_spikes: int = eqx.field(static=True)
    max_events: int = eqx.field(static=True)

    def __init__(
        self,
        neuron: AbstractNeuron,
        weights: Any,
        input_weights: Any,
        initial: Any = None,
        *,
        outputs: Sequence[int] | None = None,
        delays: Any = None,
        max_spikes: int = 2,
        max_events: int = 1000,
    ) -> None:
        _check_neuron(neuron)
        weights = as_weights("weights", weights)
        input_weights = as_weights("input_weights", input_weights)
        n, m = weights.shape[:1], input_weights.shape[1:]
        check(
            weights.shape == n + n and len(n) == 1,
            f"weights: shape {weights.shape}: must be (n, n) for n neurons",
        )
        check(
            input_weights.ndim == 2 and input_weights.shape[:1] == n,
            f"input_weights: shape {input_weights.shape}: must be ({n[0]}, m) for m inputs to "
            f"{n[0]} neurons",
        )
        neuron.check_number(n[0])
        initial = _as_initial(neuron, initial, n[0])
        if delays is not None:
            delays = as_leaf("delays", delays)
            check(
                delays.shape == m,
                f"delays: shape {delays.shape}: must be {m}, one for each input",
            )
            check_positive("delays", delays, allow_zero=True)
            check_finite("delays", delays)
        self.neuron, self.weights, self.input_weights, self.initial, self.delays = one_precision(
            (neuron, weights, input_weights, initial, delays)
        )
        self.outputs = _as_outputs(outputs, n[0])
        self.max_spikes = check_integer("max_spikes", max_spikes, at_least=1)
        self.max_events = check_integer("max_events", max_events, at_least=1)

    @classmethod
    def init(
        cls,
        neuron: AbstractNeuron,
        sizes: Sequence[int],
        *,
        key: PRNGKeyArray,
        scale: float = 0.5,
        input_scale: float = 0.5,
        outputs: Sequence[int] | None = None,
        delayed: bool = False,
        max_spikes: int = 2,
        max_events: int = 1000,
        dtype: Any = None,
    ) -> Recurrent:
        r"""A network with random weights whose neurons start at rest.

        **Arguments:** `neuron`: as in a call of the class; `sizes`: the number of inputs m, then of
        neurons n; `key`: a random key; `scale`: weights are uniform within $± scale/\sqrt n$
        (voltage); `input_scale`: those of inputs within $± input\_scale/\sqrt m$ (voltage);
        `outputs`: the neurons that are read out; `delayed`: whether inputs get trainable delays,
        zero at first; `max_spikes`, `max_events`: room; `dtype`: floating-point type.

        **Raises:** `ValueError` if `neuron` is none, `sizes` are not two positive integers, or
        `key` is no random key.
        """
        _check_neuron(neuron)
        check(
            isinstance(sizes, Sequence) and len(sizes) == 2,
            f"sizes = {brief(sizes)}: must be the number of inputs and of neurons",
        )
        check(isinstance(delayed, bool), f"delayed = {brief(delayed)}: must be True or False")
        m, n = (check_integer("sizes", size, at_least=1) for size in sizes)
        check_key(key)
        one, two = jax.random.split(key)
        dtype = jnp.zeros(()).dtype if dtype is None else dtype
        return cls(
            in_precision(neuron, dtype),
            drawn_weights(one, (n, n), scale, dtype),
            drawn_weights(two, (n, m), input_scale, dtype),
            outputs=outputs,
            delays=jnp.zeros(m, dtype) if delayed else None,
            max_spikes=max_spikes,
            max_events=max_events,
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        n, m = self.input_weights.shape
        return m, n

    def trial(self, inputs: Any, *, duration: ArrayLike) -> Trial:
        """Follows the network through a trial, or each trial of a batch; differentiable.

        A batch given at once is followed together, which takes a fraction of the time of `vmap`.

        **Arguments:** `inputs`: `InputSpikes`, the time of one spike per input of shape
        `(…, inputs)`, `Volleys` or `BinnedSpikes`; `duration`: of the trial (time).

        **Raises:** `ValueError` for wrong inputs; `SolveError` if there are more events than
        `max_events`, or weights overflow. Under transformations both show as `finished` = False and
        NaN in `times` and `end` of that trial.
        """
        duration = as_duration(duration, self.weights.dtype)
        known = as_inputs(inputs, self.sizes[0], duration)
        check(
            self.delays is None or not isinstance(known, Volleys | BinnedSpikes),
            f"inputs: {type(known).__name__} cannot be delayed; give the times of the inputs",
        )
        return check_finished(
            in_any_batch(simulate, self, known, duration),
            f"max_events = {self.max_events}: there are more spikes and inputs in a trial, or the "
            "weights overflow; give more room, or weaken the coupling",
        )

    def __call__(self, inputs: Any, *, duration: ArrayLike, max_events: Any = None) -> Any:
        """Ordinary and pseudospike times of the outputs, ascending: the `times` of `trial`.

        **Arguments:** `inputs`, `duration`: as for `trial`, of shape `(…, inputs)` and `()` (time);
        `max_events`: deprecated; with it a `RecurrentTrial` is returned.

        **Returns:** shape `(…, o, k)` (time).

        **Raises:** `ValueError` for wrong inputs; `SolveError` without room for all events.
        """
        if max_events is None:
            return self.trial(inputs, duration=duration).times
        warnings.warn(
            "max_events in a call: give it to Recurrent(…), and take net.trial(inputs, duration=…)",
            DeprecationWarning,
            stacklevel=2,
        )
        net = replace(self, max_events=max_events)
        return RecurrentTrial(net.trial(inputs, duration=duration))

    def output_times(
        self, trial: RecurrentTrial, num: int, neurons: Sequence[int] | None = None
    ) -> Float[Array, "o {num}"]:
        """Deprecated: `net.trial(inputs, duration=).times`, of `Recurrent(outputs=, max_spikes=)`.

        **Arguments:** `trial`: of a call with `max_events`; `num`: how many spikes; `neurons`: the
        numbers of the neurons, all by default.

        **Returns:** shape `(o, num)` for o neurons (time).

        **Raises:** `ValueError` for a number that is none of a neuron, or `num` below 1.
        """
        warnings.warn(
            "output_times: take net.trial(inputs, duration=…).times of Recurrent(…, outputs=…, "
            "max_spikes=…)",
            DeprecationWarning,
            stacklevel=2,
        )
        net = replace(self, outputs=neurons, max_spikes=num)
        ordinary = trial.spike_times(num)[np.array(net.outputs)]
        end, counts, first = batch_of_one((trial.end, trial.counts, ordinary))
        return read_out(net, between(net.weights), end, counts, first, trial.duration)[0][0]

    def trace(self, trial: Trial, times: Any) -> tuple[Float[Array, "*batch t n"], ...]:
        """What the neurons go through, looked up at some times of a trial.

        **Arguments:** `trial`: of this network; `times`: within it, shape `(t,)` (time).

        **Returns:** potentials and currents (voltage), or the phases of `Theta` (time), each of
        shape `(…, t, n)`.

        **Raises:** `ValueError` for another network's trial, or times that are not within it.
        """
        times, events = as_moments(self, trial, times), trial.events
        if events is None:
            raise ValueError("trial: must be one of a Recurrent")
        unit = aligned(jnp.asarray(self.neuron.time_unit, self.weights.dtype), 2, 1)

        def look(begins: Array, num: Array, states: State) -> State:
            begins = jnp.concatenate([jnp.zeros_like(begins[:1]), begins])
            place = jnp.searchsorted(begins, times, side="right") - 1
            place = jnp.minimum(place, num)
            before = jax.tree.map(lambda x: x[place], states)
            passed = (times - begins[place])[:, None] / unit
            return self.neuron.values(self.neuron.dynamics.evolve(before, passed))

        for _ in trial.finished.shape:
            look = jax.vmap(look)
        return look(events.times, events.num, events.states)

    def trainable(self, *, neuron: bool = False) -> Recurrent:
        """A tree of booleans: true for weights, initial values and delays.

        **Arguments:** `neuron`: true for the parameters of the neurons as well.
        """
        learned = jax.tree.map(lambda _: True, self)
        return eqx.tree_at(
            lambda net: net.neuron, learned, jax.tree.map(lambda _: neuron, self.neuron)
        )

    def clipped(self) -> Recurrent:
        neuron = self.neuron.clipped()
        delays = None if self.delays is None else jnp.maximum(self.delays, 0)
        return eqx.tree_at(
            lambda net: (net.neuron, net.initial, net.delays),
            self,
            (neuron, neuron.clipped_initial(self.initial), delays),
            is_leaf=lambda leaf: leaf is None,
        )


def _check_neuron(neuron: Any) -> None:
    """Requires a type of neuron whose dynamics hold no numbers. **Raises:** `ValueError`."""
    check(
        isinstance(neuron, AbstractNeuron),
        f"neuron = {brief(neuron)}: must be a QIF(), Theta(), LIF() or an AbstractNeuron of yours",
    )
    dynamics = neuron.dynamics
    name = f"{type(neuron).__name__}.dynamics = {type(dynamics).__name__}"
    check(isinstance(dynamics, AbstractDynamics), f"{name}: must be an AbstractDynamics")
    check(
        not jax.tree.leaves(dynamics),
        f"{name}: must hold no numbers; parameters enter by time_unit, weight_unit or the state",
    )


def _as_initial(neuron: AbstractNeuron, initial: Any, num: int) -> State:
    """Initial values of `num` neurons, at rest by default."""
    rest = neuron.rest(num)
    if initial is None:
        return rest
    check(hasattr(initial, "__iter__"), f"initial = {brief(initial)}: must be a tuple of arrays")
    values = tuple(as_leaf("initial", x) for x in initial)
    shapes, expected = (tuple(x.shape for x in xs) for xs in (values, rest))
    check(shapes == expected, f"initial: shapes {shapes}: must be {expected}")
    for value in values:
        check_finite("initial", value)
    neuron.check_initial(values)
    return values


def _as_outputs(outputs: Any, num: int) -> tuple[int, ...]:
    """The numbers of some of `num` neurons, all by default."""
    check(is_concrete(outputs), "outputs: must be plain integers, also under jit, grad and vmap")
    chosen = np.asarray(as_integers("outputs", np.arange(num) if outputs is None else outputs))
    check(
        chosen.ndim == 1 and chosen.size > 0,
        f"outputs: shape {chosen.shape}: must be one-dimensional and not empty",
    )
    for one in chosen[(chosen < 0) | (chosen >= num)][:1]:
        raise ValueError(f"outputs = {one}: must be from 0 to {num - 1}")
    return tuple(map(int, chosen))
