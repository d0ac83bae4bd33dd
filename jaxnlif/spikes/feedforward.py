"""Feed-forward networks of theta neurons, simulated layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from .._check import check, check_integer, check_key
from .._quantity import brief
from ..execution import AUTOMATIC, AbstractExecution
from .arrivals import arriving, first_arrivals, later_arrivals, real
from .inputs import PRECISION, Known, are_in_order, as_inputs
from .layer import LayerSpikes
from .network import (
    AbstractNetwork,
    Trial,
    are_finite,
    as_duration,
    as_moments,
    check_finished,
    former,
    in_any_batch,
    squares_fit,
)
from .pseudospikes import theta_pseudorate, theta_pseudospikes
from .theta import Theta, ThetaState
from .validate import as_layers, as_weight_layers, check_layers, check_undelayed
from .weights import drawn_weights, in_precision, one_precision


class FeedForward(AbstractNetwork):
    """Layers of theta neurons, each connected to the next.

    **Arguments:**

    - `neuron`: the `Theta` that all neurons are.
    - `layer_weights`: for each layer, from neuron or input j before it to its neuron i at `[i, j]`,
      shape `(neurons, before)` (voltage).
    - `initial`: phases at time 0, in [0, Θ]; for each layer, shape `(neurons,)` (time). Default:
      the middle of the period.
    - `delays`: for each layer `None`, axonal delays of what is before it, shape `(before,)`, or
      delays of each synapse, shape `(neurons, before)` (time). Those of synapses cost as many
      events as there are synapses that transmit a spike. Pseudospikes may jump when a spike that is
      on its way passes the end of the trial.
    - `max_spikes`: room for spikes per neuron and trial; more are reported, never lost silently.
    - `execution`: loops over events or kernels; `Automatic()` takes what is fast.
    - `former`: none; what this class had before is refused by name.

    `init` draws a network. Every array leaf may be differentiated; gradients are exact, and
    smooth where spikes come and go at the end of the trial.

    **Raises:** `ValueError` if shapes do not match, a value is not finite or out of its range, or
    an argument is given elsewhere now; `TypeError` for an argument that is unknown.

    **Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking
    neural networks, arXiv 2309.14523 (2025).
    """

    neuron: Theta
    layer_weights: tuple[Float[Array, "n before"], ...]
    initial: tuple[Float[Array, " n"], ...]
    delays: tuple[Float[Array, "..."] | None, ...]
    max_spikes: int = eqx.field(static=True)
    execution: AbstractExecution

    def __init__(
        self,
        neuron: Any = None,
        layer_weights: Any = None,
        initial: Any = None,
        *,
        delays: Any = None,
        max_spikes: Any = 2,
        execution: Any = AUTOMATIC,
        **former: Any,
    ):
        _refuse_former(former)
        check(
            isinstance(neuron, Theta),
            f"neuron = {brief(neuron)}: must be a Theta: FeedForward(neuron, layer_weights, …)",
        )
        check(
            neuron.tau.ndim == neuron.I0.ndim == 0,
            "neuron: one number for tau and I0 in a FeedForward; a Recurrent takes one per neuron",
        )
        layers = as_weight_layers(layer_weights)
        middle = [jnp.full(one.shape[:1], neuron.period / 2, one.dtype) for one in layers]
        starts = tuple(middle) if initial is None else as_layers("initial", initial)
        delayed = (None,) * len(layers) if delays is None else as_layers("delays", delays)
        check_layers(neuron, layers, starts, delayed)
        self.neuron, self.layer_weights, self.initial, self.delays = one_precision(
            (neuron, layers, starts, delayed)
        )
        self.max_spikes = check_integer("max_spikes", max_spikes, at_least=1)
        is_execution = isinstance(execution, AbstractExecution)
        check(is_execution, f"execution = {brief(execution)}: must be one of jaxnlif.execution")
        self.execution = execution

    @classmethod
    def init(
        cls,
        neuron: Theta,
        sizes: Sequence[int],
        *,
        key: PRNGKeyArray,
        scale: float = 0.5,
        max_spikes: int = 2,
        delayed: Sequence[int] = (),
        dtype: Any = None,
        execution: AbstractExecution = AUTOMATIC,
        **former: Any,
    ) -> FeedForward:
        r"""A network with random weights whose neurons start in the middle of their period.

        **Arguments:** `neuron`: the `Theta` that all are; `sizes`: number of inputs, then of
        neurons in each layer; `key`: a random key; `scale`: weights are uniform within
        $± scale/\sqrt{before}$ (voltage); `max_spikes`: room for spikes of each neuron; `delayed`:
        the layers, from 0, that get trainable axonal delays, zero at first; `dtype`:
        floating-point type; `execution`: as in a call of the class; `former`: none, but for what
        this class had before.

        **Raises:** `ValueError` if `neuron` is no `Theta`, a size or `max_spikes` no positive
        integer, a layer not there, `key` no random key, or an argument is given elsewhere now;
        `TypeError` for an argument that is unknown.
        """
        _refuse_former(former)
        check(
            isinstance(neuron, Theta),
            f"neuron = {brief(neuron)}: must be a Theta: FeedForward.init(neuron, sizes, …)",
        )
        check(
            isinstance(sizes, Sequence) and len(sizes) >= 2,
            f"sizes = {brief(sizes)}: must name the inputs and at least one layer",
        )
        check(
            isinstance(delayed, Sequence),
            f"delayed = {brief(delayed)}: must be a list of layers, from 0",
        )
        sizes = [check_integer("sizes", size, at_least=1) for size in sizes]
        for layer in delayed:
            check(0 <= layer < len(sizes) - 1, f"delayed = {layer}: must be a layer, from 0")
        check_key(key)
        keys = jax.random.split(key, len(sizes) - 1)
        dtype = jnp.zeros(()).dtype if dtype is None else dtype
        return cls(
            in_precision(neuron, dtype),
            [
                drawn_weights(one, (n, before), scale, dtype)
                for one, (before, n) in zip(keys, pairwise(sizes), strict=True)
            ],
            delays=[
                jnp.zeros(n, dtype) if i in delayed else None for i, n in enumerate(sizes[:-1])
            ],
            max_spikes=max_spikes,
            execution=execution,
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.layer_weights[0].shape[1], *(one.shape[0] for one in self.layer_weights))

    def trial(self, inputs: Any, *, duration: ArrayLike) -> Trial:
        """All that happens in a trial, or in each trial of a batch; differentiable.

        A batch given at once has its weight gradients summed as they arise, which takes much less
        memory than `vmap`.

        **Arguments:** `inputs`: the time of one spike per input, `inf` for none, shape
        `(…, before)` (time); or `InputSpikes`, `Volleys` or `BinnedSpikes`; `duration`: T of the
        trial (time).

        **Raises:** `ValueError` for wrong inputs; `SolveError` if a neuron spikes more often than
        `max_spikes` or weights overflow. Under transformations both show as `finished` = False and
        NaN in `times` and `end` of that trial.
        """
        duration = as_duration(duration, self.layer_weights[0].dtype)
        known = as_inputs(inputs, self.sizes[0], duration)
        check_undelayed(self.delays[0], known)
        self.execution.validate()
        return check_finished(
            in_any_batch(_trial, self, known, duration),
            f"max_spikes = {self.max_spikes}: a neuron spikes more often in a trial, or the "
            "weights overflow; give more room, or weaken the weights",
        )

    def trace(self, trial: Trial, times: Any) -> tuple[Float[Array, "*batch t n"]]:
        """The phases of all neurons at some times of a trial, which is followed until each of them.

        **Arguments:** `trial`: of this network; `times`: within it, shape `(t,)` (time).

        **Returns:** a tuple of one array of shape `(…, t, n)` (time).

        **Raises:** `ValueError` for another network's trial, or times that are not within it.
        """
        times = as_moments(self, trial, times).astype(self.layer_weights[0].dtype)
        return (_phases(self, trial.inputs, times),)

    def trainable(self, *, neuron: bool = False) -> FeedForward:
        """A tree of booleans: true for weights, initial phases and delays.

        **Arguments:** `neuron`: true for the parameters of the neuron as well.
        """
        learned = jax.tree.map(lambda _: True, self)
        return eqx.tree_at(
            lambda net: net.neuron, learned, jax.tree.map(lambda _: neuron, self.neuron)
        )

    def clipped(self) -> FeedForward:
        """The network with parameters back in their ranges, after a step."""
        neuron = self.neuron.clipped()
        initial = tuple(jnp.clip(phase, 0, neuron.period) for phase in self.initial)
        delays = tuple(None if one is None else jnp.maximum(one, 0) for one in self.delays)
        return eqx.tree_at(
            lambda net: (net.neuron, net.initial, net.delays),
            self,
            (neuron, initial, delays),
            is_leaf=lambda leaf: leaf is None,
        )

    def __getattr__(self, name: str) -> Any:
        raise former(self, name, _FORMER)


_FORMER = {
    "weights": "layer_weights, transposed: (to, from) for each layer",
    "duration": "the duration of a trial, net.trial(inputs, duration=…)",
}


def _refuse_former(former: dict[str, Any]) -> None:
    """Refuses arguments that this class had, and says what takes their place."""
    if "weights" in former:
        raise ValueError(
            "weights: were (from, to); give them (to, from), transposed, as layer_weights"
        )
    if "duration" in former:
        raise ValueError("duration: is given to a trial, net.trial(inputs, duration=…)")
    if former:
        raise TypeError(f"unexpected argument {next(iter(former))!r}")


@eqx.filter_jit
def _trial(net: FeedForward, inputs: Known, duration: Float[Array, ""]) -> Trial:
    batch, layers = _layers(net, inputs, duration)
    omega, samples = net.neuron.omega, int(np.prod(batch))
    counts = jnp.concatenate([layer.count for layer in layers], axis=-1)
    end = ThetaState(
        *(jnp.concatenate(x, axis=-1) for x in zip(*((x.cos, x.sin) for x in layers), strict=True))
    )
    enough = jnp.all(counts <= net.max_spikes, axis=-1)
    for weights in net.layer_weights:
        enough = enough & squares_fit(weights)
    right = jnp.broadcast_to(are_in_order(inputs, net.sizes[0]), batch).reshape(samples)
    finished = enough & are_finite((end, counts), samples) & right

    def valid(x: Array) -> Array:
        return jnp.where(finished.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.nan)

    def shaped(x: Array) -> Array:
        return x.reshape(*batch, *x.shape[1:])

    times, progress = _read_out(net, layers, duration)
    spikes = [real(jnp.moveaxis(layer.times, 0, -1), omega) for layer in layers]
    num = counts.shape[-1]
    return Trial(
        times=shaped(valid(times)),
        progress=shaped(valid(progress)),
        spike_times=shaped(jnp.concatenate(spikes, axis=-2)),
        num_spikes=shaped(jnp.where(jnp.isfinite(counts), counts, 0).astype(jnp.int32)),
        end=jax.tree.map(lambda x: shaped(valid(x)), end),
        duration=duration,
        inputs=inputs,
        finished=finished.reshape(batch),
        consistent=jnp.ones(batch, bool),
        events=None,
        outputs=tuple(range(num - net.sizes[-1], num)),
    )


def _layers(
    net: FeedForward, inputs: Known, duration: Float[Array, ""]
) -> tuple[tuple[int, ...], list[LayerSpikes]]:
    """The batch, and what each layer does, in natural units."""
    omega, q = net.neuron.omega, net.neuron.q
    end = omega * duration
    layers: list[LayerSpikes] = []
    batch, arrivals = first_arrivals(inputs, omega)
    for weights, phase, delay in zip(net.layer_weights, net.initial, net.delays, strict=True):
        if layers:
            arrivals = later_arrivals(layers[-1].times, end)
        one = arriving(
            arrivals, weights / q, None if delay is None else omega * delay, omega * phase, end
        )
        layers.append(one(net.max_spikes, net.execution))
    return batch, layers


@eqx.filter_jit
def _phases(
    net: FeedForward, inputs: Known, times: Float[Array, " t"]
) -> Float[Array, "*batch t n"]:
    """The phases at the end of ever longer trials."""

    def at(time: Float[Array, ""]) -> Float[Array, "*batch n"]:
        batch, layers = _layers(net, inputs, time)
        angles = jnp.concatenate([jnp.arctan2(x.sin, x.cos) for x in layers], axis=-1)
        return angles.reshape(*batch, -1) / net.neuron.omega

    return jnp.moveaxis(lax.map(at, times), 0, -2)


def _read_out(
    net: FeedForward, layers: list[LayerSpikes], duration: Float[Array, ""]
) -> tuple[Float[Array, "b n k"], Float[Array, "b n"]]:
    """Spikes of the last layer, pseudospikes where there are no more, and progress."""
    q, omega, output = net.neuron.q, net.neuron.omega, layers[-1]
    total = jnp.zeros_like(layers[0].cos)
    for layer, weights in zip(layers[:-1], net.layer_weights[1:], strict=True):
        rates = theta_pseudorate(layer.cos, layer.sin, total)
        total = jnp.matmul(rates, weights.T / q, precision=PRECISION)
    progress = output.count + theta_pseudorate(output.cos, output.sin, total)
    index = jnp.arange(1, net.max_spikes + 1, dtype=total.dtype)
    number = index[None, None] - output.count[..., None]
    cos, sin, total = (x[..., None] for x in (output.cos, output.sin, total))
    later = theta_pseudospikes(cos, sin, total, jnp.maximum(number, 1))
    pseudo = duration + later / omega
    ordinary = real(jnp.moveaxis(output.times, 0, -1), omega)
    return jnp.where(number >= 1, pseudo, ordinary), progress
