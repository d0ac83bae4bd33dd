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
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .._check import check, check_finite, check_integer, check_key, check_positive, is_concrete
from .._quantity import brief
from ..model._leaf import as_integers, as_leaf
from .autodiff import PerNeuron
from .event_loop import Arrivals, Course, Events, follow
from .inputs import (
    PRECISION,
    BinnedSpikes,
    Inputs,
    InputSpikes,
    Known,
    Volleys,
    are_in_order,
    as_inputs,
    volley_kicks,
)
from .network import AbstractNetwork, Trial, are_finite, as_duration, check_finished
from .neuron import AbstractNeuron, AbstractSmoothNeuron, State
from .parameters import aligned
from .weights import as_weights, drawn_weights, one_precision


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
    - `delays`: of the inputs, shape `(m,)`, or `None` (time).
    - `max_spikes`: how many spike times of a neuron are returned.
    - `max_events`: room for spikes and inputs in a trial; more are reported, never lost silently.
      Unused room costs next to nothing.

    **Raises:** `ValueError` if `neuron` is none, for wrong shapes, values that are not finite, and
    phases outside of a period.

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
        check(
            isinstance(neuron, AbstractNeuron),
            f"neuron = {brief(neuron)}: must be a QIF(), Theta() or LIF()",
        )
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
        check(
            isinstance(neuron, AbstractNeuron),
            f"neuron = {brief(neuron)}: must be a QIF(), Theta() or LIF()",
        )
        check(len(sizes) == 2, f"sizes = {sizes}: must be the number of inputs and of neurons")
        m, n = (check_integer("sizes", size, at_least=1) for size in sizes)
        check_key(key)
        one, two = jax.random.split(key)
        dtype = jnp.zeros(()).dtype if dtype is None else dtype
        return cls(
            neuron,
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

    def trial(self, inputs: Inputs, *, duration: ArrayLike) -> Trial:
        """Follows the network through a trial, or each trial of a batch; differentiable.

        A batch given at once is followed together, which takes a fraction of the time of `vmap`.

        **Arguments:** `inputs`: `InputSpikes`, the time of one spike per input of shape
        `(…, inputs)`, `Volleys` or `BinnedSpikes`; `duration`: of the trial (time).

        **Raises:** `ValueError` for wrong inputs; `SolveError` if there are more events than
        `max_events`, or weights overflow. Under transformations both show as `finished` = False and
        NaN in `times` and `end` of that trial.
        """
        inputs = as_inputs(inputs, self.sizes[0])
        check(
            self.delays is None or not isinstance(inputs, Volleys | BinnedSpikes),
            f"inputs: {type(inputs).__name__} cannot be delayed; give the times of the inputs",
        )
        duration = as_duration(duration, self.weights.dtype)
        return check_finished(
            _trial(self, inputs, duration),
            f"max_events = {self.max_events}: there are more spikes and inputs in a trial, or the "
            "weights overflow; give more room, or weaken the coupling",
        )

    def trace(self, trial: Trial, times: ArrayLike) -> tuple[Float[Array, "*batch t n"], ...]:
        """What the neurons go through, looked up at some times of a trial.

        **Arguments:** `trial`: of this network; `times`: within it, shape `(t,)` (time).

        **Returns:** potentials and currents (voltage), or the phases of `Theta` (time), each of
        shape `(…, t, n)`.
        """
        times = as_leaf("times", times)
        events = trial.events
        assert events is not None

        def look(begins: Array, num: Array, states: State) -> State:
            begins = jnp.concatenate([jnp.zeros_like(begins[:1]), begins])
            place = jnp.searchsorted(begins, times, side="right") - 1
            place = jnp.minimum(place, num)
            before = jax.tree.map(lambda x: x[place], states)
            passed = (times - begins[place])[:, None] / aligned(self.neuron.time_unit, 2, 1)
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

    @property
    def output_times(self) -> Any:
        raise AttributeError(
            "output_times: are the times of net.trial(inputs, duration=…); which neurons and how "
            "many spikes is said by Recurrent(…, outputs=…, max_spikes=…)"
        )


@eqx.filter_jit
def _trial(net: Recurrent, inputs: Known, duration: Float[Array, ""]) -> Trial:
    dtype, neuron = net.weights.dtype, net.neuron
    batch, arrivals, kicks = _arrivals(net, inputs)
    samples, n = arrivals.times.shape[0], net.weights.shape[0]
    weights, start = _between(net.weights), neuron.state(net.initial)
    own = neuron.time_unit.ndim + neuron.weight_unit.ndim > 0
    time_unit, weight_unit = jnp.ones((), dtype), jnp.ones((), dtype)
    dynamics = neuron.dynamics
    if own:
        units = (jnp.broadcast_to(1 / x, (n,)) for x in (neuron.time_unit, neuron.weight_unit))
        dynamics, start = PerNeuron(dynamics), (start, *units)
    else:
        time_unit, weight_unit = neuron.time_unit, neuron.weight_unit
    course: Course = follow(
        dynamics,
        net.max_events,
        weights.T / weight_unit,
        kicks / weight_unit,
        jax.tree.map(lambda x: jnp.broadcast_to(x, (samples, *x.shape)), start),
        arrivals._replace(times=_scale(arrivals.times, time_unit)),
        duration / time_unit,
    )
    end, states = (x[0] if own else x for x in (course.end, course.states))
    right = jnp.broadcast_to(are_in_order(inputs, net.sizes[0]), batch).reshape(samples)
    finished = course.finished & are_finite(end, samples) & right

    def valid(x: Array) -> Array:
        return jnp.where(finished.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.nan)

    def shaped(x: Array) -> Array:
        return x.reshape(*batch, *x.shape[1:])

    happened = course.rows < n + kicks.shape[0]
    times = valid(jnp.where(happened, course.times * time_unit, duration).T)
    who = _spike_table(course, times, net.max_spikes)
    outputs = np.array(net.outputs, int)
    end = jax.tree.map(valid, end)
    read, progress, consistent = _read_out(
        net, weights, end, course.counts, who[:, outputs], duration
    )
    sources = _sources(course.rows.T, inputs, n, samples)
    return Trial(
        times=shaped(valid(read)),
        progress=shaped(valid(progress)),
        spike_times=shaped(who),
        num_spikes=shaped(course.counts),
        end=jax.tree.map(shaped, end),
        duration=duration,
        inputs=inputs,
        finished=finished.reshape(batch),
        consistent=consistent.reshape(batch),
        events=Events(
            times=shaped(times),
            sources=shaped(sources),
            ranks=shaped(course.ranks.T),
            num=course.num.reshape(batch),
            states=jax.tree.map(lambda x: shaped(lax.stop_gradient(jnp.moveaxis(x, 0, 1))), states),
        ),
        outputs=net.outputs,
    )


def _arrivals(
    net: Recurrent, inputs: Known
) -> tuple[tuple[int, ...], Arrivals, Float[Array, "r n"]]:
    """The batch, what arrives in each of its trials, and the table of what it adds."""
    dtype, table = net.weights.dtype, net.input_weights.T
    if isinstance(inputs, Volleys | BinnedSpikes):
        batch = inputs.shape[:-1]
        kicks = volley_kicks(inputs, table)
        e, samples, n = kicks.shape
        times = jnp.broadcast_to(inputs.times.astype(dtype), (samples, e))
        rows = jnp.arange(e * samples).reshape(e, samples).T
        return batch, Arrivals(times, rows), kicks.reshape(e * samples, n)
    if isinstance(inputs, InputSpikes):
        times, sources = inputs
    else:
        times, sources = inputs, jnp.broadcast_to(jnp.arange(inputs.shape[-1]), inputs.shape)
    batch, m = times.shape[:-1], times.shape[-1]
    samples = int(np.prod(batch))
    times = times.astype(dtype).reshape(samples, m)
    sources = sources.reshape(samples, m)
    if net.delays is not None:
        times = times + net.delays[sources]
    if net.delays is not None or not isinstance(inputs, InputSpikes):
        order = jnp.argsort(lax.stop_gradient(times), axis=-1)
        times, sources = (jnp.take_along_axis(x, order, axis=-1) for x in (times, sources))
    return batch, Arrivals(times, sources), table


def _spike_table(course: Course, times: Float[Array, "b k"], num: int) -> Float[Array, "b n {num}"]:
    """The first spikes of each neuron, `inf` where there are no more."""
    samples, n = course.counts.shape
    empty = jnp.full((samples, n, num), jnp.inf, times.dtype)
    # What is no spike is beyond the table, and dropped.
    rows = jnp.where(course.rows < n, course.rows, n).T
    return empty.at[jnp.arange(samples)[:, None], rows, course.ranks.T].set(times, mode="drop")


def _read_out(
    net: Recurrent,
    weights: Float[Array, "n n"],
    end: State,
    counts: Int[Array, "b n"],
    ordinary: Float[Array, "b o k"],
    duration: Float[Array, ""],
) -> tuple[Float[Array, "b o k"], Float[Array, "b o"], Bool[Array, " b"]]:
    """Times of the outputs, with pseudospikes where ordinary ones are missing, and progress.

    Also whether pseudorates that agree with one another were found.
    """
    outputs = np.array(net.outputs, int)
    made = counts[:, outputs]
    if not isinstance(net.neuron, AbstractSmoothNeuron):
        return ordinary, made.astype(ordinary.dtype), jnp.ones(made.shape[0], bool)
    rates, consistent = net.neuron.rates(end, weights)
    drive = jnp.matmul(rates, weights[outputs].T, precision=PRECISION)
    some = jax.tree.map(lambda x: x[:, outputs], end)
    numbers = jnp.arange(1, net.max_spikes + 1)[None, None] - made[..., None]
    neuron = net.neuron.of(outputs)
    assert isinstance(neuron, AbstractSmoothNeuron)
    last = jnp.broadcast_to(jnp.array([0, 1]), (*made.shape, 2))
    later = neuron.pseudospikes(some, drive, jnp.concatenate([numbers, last], axis=-1))
    before, after = later[..., -2], later[..., -1]
    progress = made - before / (after - before)
    return jnp.where(numbers < 1, ordinary, duration + later[..., :-2]), progress, consistent


def _sources(rows: Int[Array, "b k"], inputs: Known, n: int, samples: int) -> Int[Array, "b k"]:
    """Neurons, then n more than the number of an input, volley or bin."""
    if isinstance(inputs, Volleys | BinnedSpikes):
        return jnp.where(rows < n, rows, n + (rows - n) // max(samples, 1))
    return rows


def _between(weights: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The weights without those of neurons to themselves."""
    return jnp.where(jnp.eye(weights.shape[0], dtype=bool), 0, weights)


def _scale(times: Array, unit: Array) -> Array:
    """Times in another unit; infinite ones have no derivative in it."""
    finite = jnp.isfinite(times)
    return jnp.where(finite, jnp.where(finite, times, 0) / unit, jnp.inf)


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
