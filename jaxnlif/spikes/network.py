"""Feed-forward networks of theta neurons, simulated layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from .._check import check, check_integer, check_key
from .._module import Module
from ..execution import AUTOMATIC, AbstractExecution
from ..model._leaf import as_leaf
from .encoding import Volleys
from .layer import LayerSpikes, simulate
from .order import ascending
from .pseudospikes import theta_pseudorate, theta_pseudospikes
from .theta import Theta
from .validate import as_layers, check_inputs, check_layers

_PRECISION = "highest"
"""Of products of matrices: GPUs round float32 to three digits otherwise."""


class Trial(eqx.Module):
    """What happens in a trial; `n` neurons of a layer, `k` spikes of each.

    - `times`: spike times of the output neurons, ascending: ordinary ones, before the end of the
      trial, then pseudospikes; NaN for a sample in which a neuron spiked more often than there is
      room for. Shape `(…, n, k)` (time).
    - `counts`: for each layer the number of ordinary spikes, all of them; shape `(…, n)`
      (dimensionless).
    - `spikes`: for each layer the times of the ordinary spikes, `inf` where there are no more;
      shape `(…, n, k)` (time).
    - `phases`: for each layer the phases at the end of the trial; shape `(…, n)` (time).
    """

    times: Float[Array, "*batch n k"]
    counts: tuple[Float[Array, "..."], ...]
    spikes: tuple[Float[Array, "..."], ...]
    phases: tuple[Float[Array, "..."], ...]

    @property
    def overflow(self) -> Bool[Array, "*batch"]:
        """Whether a neuron spiked more often than `max_spikes`, shape `(…)` of the samples."""
        room = self.times.shape[-1]
        return jnp.any(jnp.stack([jnp.any(n > room, axis=-1) for n in self.counts]), axis=0)


class FeedForward(Module):
    """Layers of theta neurons, each connected to the next.

    **Arguments:**

    - `weights`: for each layer, from what is before it, shape `(before, neurons)` (voltage).
    - `initial`: phases at time 0, in [0, Θ]; for each layer, shape `(neurons,)` (time).
    - `neuron`: the `Theta` that all neurons are.
    - `duration`: T of a trial (time).
    - `delays`: axonal delays of what is before each layer, shape `(before,)`, or `None` (time).
    - `max_spikes`: room for spikes per neuron and trial; more are reported, never lost silently.
    - `execution`: loops over events or kernels; `Automatic()` takes what is fast.

    `init` draws a network. Every array leaf may be differentiated; gradients are exact, and
    smooth where spikes come and go at the end of the trial.

    **Raises:** `ValueError` if shapes do not match or a value is not finite or out of its range.

    **Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking
    neural networks, arXiv 2309.14523 (2025).
    """

    weights: tuple[Float[Array, "before n"], ...]
    initial: tuple[Float[Array, " n"], ...]
    neuron: Theta
    duration: Float[Array, ""]
    delays: tuple[Float[Array, " before"] | None, ...]
    max_spikes: int = eqx.field(static=True)
    execution: AbstractExecution

    def __init__(
        self,
        weights: Any,
        initial: Any,
        neuron: Any,
        *,
        duration: Any = 2.0,
        delays: Any = None,
        max_spikes: Any = 2,
        execution: Any = AUTOMATIC,
    ):
        self.weights = as_layers("weights", weights)
        self.initial = as_layers("initial", initial)
        check(isinstance(neuron, Theta), f"neuron = {neuron!r}: must be a Theta")
        self.neuron = neuron
        self.duration = as_leaf("duration", duration)
        self.delays = (None,) * len(self.weights) if delays is None else as_layers("delays", delays)
        self.max_spikes = check_integer("max_spikes", max_spikes, at_least=1)
        is_execution = isinstance(execution, AbstractExecution)
        check(is_execution, f"execution = {execution!r}: must be one of jaxnlif.execution")
        self.execution = execution
        check_layers(self)

    @classmethod
    def init(
        cls,
        sizes: Sequence[int],
        neuron: Theta,
        *,
        key: PRNGKeyArray,
        duration: float = 2.0,
        scale: float = 0.5,
        max_spikes: int = 2,
        delayed: Sequence[int] = (),
        dtype: Any = None,
        execution: AbstractExecution = AUTOMATIC,
    ) -> FeedForward:
        r"""A network with random weights whose neurons start in the middle of their period.

        **Arguments:** `sizes`: number of inputs, then of neurons in each layer; `neuron`: the
        `Theta` that all are; `key`: a random key; `duration`: of a trial (time); `scale`: weights
        are uniform within $± scale/\sqrt{before}$ (voltage); `max_spikes`: room for spikes of each
        neuron; `delayed`: the layers, from 0, that get trainable delays, zero at first; `dtype`:
        floating-point type; `execution`: as in a call of the class.

        **Raises:** `ValueError` if `neuron` is no `Theta`, a size or `max_spikes` no positive
        integer, a layer not there, `duration` not positive, or `key` no random key.
        """
        check(isinstance(neuron, Theta), f"neuron = {neuron!r}: must be a Theta")
        check(len(sizes) >= 2, f"sizes = {sizes}: must name the inputs and at least one layer")
        sizes = [check_integer("sizes", size, at_least=1) for size in sizes]
        for layer in delayed:
            check(0 <= layer < len(sizes) - 1, f"delayed = {layer}: must be a layer, from 0")
        check_key(key)
        keys = jax.random.split(key, len(sizes) - 1)
        shapes = list(pairwise(sizes))
        dtype = jnp.zeros(()).dtype if dtype is None else dtype
        weights = [
            jax.random.uniform(one, shape, dtype, -1, 1) * (scale / np.sqrt(shape[0])).astype(dtype)
            for one, shape in zip(keys, shapes, strict=True)
        ]
        middle = neuron.period / 2
        return cls(
            weights,
            [jnp.full(n, middle, dtype) for n in sizes[1:]],
            neuron,
            duration=duration,
            delays=[
                jnp.zeros(n, dtype) if i in delayed else None for i, n in enumerate(sizes[:-1])
            ],
            max_spikes=max_spikes,
            execution=execution,
        )

    def __call__(
        self, inputs: Float[Array, "*batch before"] | Volleys
    ) -> Float[Array, "*batch n k"]:
        """Ordinary and pseudospike times of the output neurons, ascending.

        A whole batch given at once has its weight gradients summed as they arise, which takes much
        less memory than `vmap`.

        **Arguments:** `inputs`: the time of one spike per input, `inf` for none, shape
        `(…, before)` (time); or `Volleys`.

        **Returns:** shape `(…, n, max_spikes)` (time); NaN for a sample with more spikes than that.

        **Raises:** `ValueError` if the inputs have the wrong number, or a time is NaN or negative.
        """
        return self.trial(inputs).times

    def trial(self, inputs: Float[Array, "*batch before"] | Volleys) -> Trial:
        """All that happens in a trial.

        **Arguments:** `inputs`: as for a call of the network, shape `(…, before)` (time).

        **Raises:** `ValueError` if the inputs have the wrong number, or a time is NaN or negative.
        """
        if not isinstance(inputs, Volleys):
            inputs = as_leaf("inputs", inputs)
        check_inputs(self, inputs)
        self.execution.validate()
        return _trial(self, inputs)

    def clipped(self) -> FeedForward:
        """The network with initial phases and delays back in their ranges, after a step."""
        initial = [jnp.clip(phase, 0, self.neuron.period) for phase in self.initial]
        delays = [None if delay is None else jnp.maximum(delay, 0) for delay in self.delays]
        return eqx.tree_at(
            lambda net: (net.initial, net.delays),
            self,
            (tuple(initial), tuple(delays)),
            is_leaf=lambda leaf: leaf is None,
        )

    def trainable(self) -> FeedForward:
        """A tree of booleans: true for weights, initial phases and delays."""
        learned = jax.tree.map(lambda _: False, self)
        return eqx.tree_at(
            lambda net: (net.weights, net.initial, net.delays),
            learned,
            jax.tree.map(lambda _: True, (self.weights, self.initial, self.delays)),
            is_leaf=lambda leaf: leaf is None,
        )


@eqx.filter_jit
def _trial(net: FeedForward, inputs: Float[Array, "*batch before"] | Volleys) -> Trial:
    dtype = net.weights[0].dtype
    net, inputs = jax.tree.map(
        lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, (net, inputs)
    )
    omega, q = net.neuron.omega, net.neuron.q
    shape = (inputs.which if isinstance(inputs, Volleys) else inputs).shape
    batch, samples = shape[:-1], int(np.prod(shape[:-1]))
    end = omega * net.duration

    layers: list[LayerSpikes] = []
    for weights, phase, delay in zip(net.weights, net.initial, net.delays, strict=True):
        if layers:
            rows, times = _events(_within(layers[-1].times, end), omega, delay, end)
            table = weights / q
        elif isinstance(inputs, Volleys):
            table, rows, times = _volleys(inputs, weights / q, omega, end)
        else:
            rows, times = _events(
                _natural(inputs.reshape(1, samples, -1), omega), omega, delay, end
            )
            table = weights / q
        start = omega * phase
        layers.append(simulate(table, rows, times, start, end, net.max_spikes, net.execution))

    def shaped(array: Array) -> Array:
        return array.reshape(*batch, *array.shape[1:])

    trial = Trial(
        times=shaped(_output_times(net, layers)),
        counts=tuple(shaped(layer.count) for layer in layers),
        spikes=tuple(shaped(_real(jnp.moveaxis(layer.times, 0, -1), omega)) for layer in layers),
        phases=tuple(shaped(jnp.arctan2(layer.sin, layer.cos) / omega) for layer in layers),
    )
    times = jnp.where(trial.overflow[..., None, None], jnp.nan, trial.times)
    return eqx.tree_at(lambda one: one.times, trial, times)


def _output_times(net: FeedForward, layers: list[LayerSpikes]) -> Float[Array, "b n k"]:
    """Ordinary spikes of the last layer, and its pseudospikes where there are no more."""
    q, omega, output = net.neuron.q, net.neuron.omega, layers[-1]
    total = jnp.zeros_like(layers[0].cos)
    for layer, weights in zip(layers[:-1], net.weights[1:], strict=True):
        rates = theta_pseudorate(layer.cos, layer.sin, total)
        total = jnp.matmul(rates, weights / q, precision=_PRECISION)
    index = jnp.arange(1, net.max_spikes + 1, dtype=total.dtype)
    number = index[None, None] - output.count[..., None]
    cos, sin, total = (x[..., None] for x in (output.cos, output.sin, total))
    later = theta_pseudospikes(cos, sin, total, jnp.maximum(number, 1))
    pseudo = net.duration + later / omega
    ordinary = _real(jnp.moveaxis(output.times, 0, -1), omega)
    return jnp.where(number >= 1, pseudo, ordinary)


# ---- the events of a layer, in natural units -------------------------------------------------


def _events(
    times: Float[Array, "k b n"],
    omega: Float[Array, ""],
    delay: Float[Array, " n"] | None,
    end: Float[Array, ""],
) -> tuple[Array, Array]:
    """Rows of the weights and times of what arrives in the trial, sample by sample in order."""
    k, b, n = times.shape
    if delay is not None:
        times = times + (omega * delay)[None, None]
    flat = jnp.moveaxis(times, 2, 1).reshape(k * n, b)
    order = ascending(jax.lax.stop_gradient(flat), flat < end)
    present = order < k * n
    sorted_times = flat.at[jnp.where(present, order, 0), jnp.arange(b)[None]].get()
    return jnp.where(present, order % n, n), jnp.where(present, sorted_times, end)


def _within(times: Float[Array, "k b n"], end: Float[Array, ""]) -> Float[Array, "k b n"]:
    """Spike times before the end, at which rounding may have put one."""
    end = jax.lax.stop_gradient(end)
    late = jnp.maximum(times - jnp.nextafter(end, jnp.zeros_like(end)), 0)
    return times - jax.lax.stop_gradient(jnp.where(jnp.isfinite(times), late, 0))


def _volleys(
    inputs: Volleys,
    weights: Float[Array, "before n"],
    omega: Float[Array, ""],
    end: Float[Array, ""],
) -> tuple[Array, Array, Array]:
    """A table of what each volley adds in each sample, its rows, and the times."""
    which = inputs.which.reshape(-1, inputs.which.shape[-1])
    e, b = inputs.times.shape[0], which.shape[0]
    volleys = [(which == k).astype(weights.dtype) for k in range(e)]
    kicks = jnp.concatenate([jnp.matmul(x, weights, precision=_PRECISION) for x in volleys])
    times = (omega * inputs.times).astype(weights.dtype)[:, None]
    arrives = times < end
    rows = jnp.where(arrives, jnp.arange(e * b).reshape(e, b), e * b)
    return kicks, rows, jnp.broadcast_to(jnp.where(arrives, times, end), (e, b))


def _natural(times: Array, omega: Array) -> Array:
    """Times in units of 1/ω; `inf`, of which nothing has a derivative, stays."""
    present = jnp.isfinite(times)
    return jnp.where(present, omega * jnp.where(present, times, 0), jnp.inf)


def _real(times: Array, omega: Array) -> Array:
    """The inverse of `_natural`."""
    return _natural(times, 1 / omega)
