"""Training a network of spiking neurons to classify."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..spikes.feedforward import FeedForward
from ..spikes.losses import first_spike_cross_entropy
from ..spikes.network import Trial, update
from ..spikes.recurrent import Recurrent
from ._classifier_setting import Setting


class Samples(NamedTuple):
    """What is classified, in whatever form the encoder takes it, and the classes."""

    x: Any
    label: Any


class Measures(NamedTuple):
    """How well a set is classified, with and without pseudospikes, and how active the net is.

    Without pseudospikes a silent output neuron counts as one that spikes at the end of the trial.
    Of hidden neurons: their spikes on average, and the fraction that spike for no sample; both in
    the whole trial, and before the first output spike, with which the class is known.
    """

    loss: Array
    accuracy: Array
    loss_ordinary: Array
    accuracy_ordinary: Array
    spikes_per_neuron: Array
    silent_fraction: Array
    spikes_before_output: Array
    silent_before_output: Array


Encoder = Callable[[Any, Any], Any]
"""Turns a batch of samples, and a random key or `None` for no augmentation, into inputs."""


class Task(NamedTuple):
    """What is learned: samples to learn from and to judge by, and how they become spikes."""

    name: str
    train: Samples
    test: Samples
    classes: int
    inputs: int
    encoder: Encoder


class State(NamedTuple):
    """A training between two epochs: the network, and the state of the optimiser."""

    net: FeedForward | Recurrent
    optimiser: Any


def start(setting: Setting, sizes: tuple[int, int], steps: int, key: PRNGKeyArray) -> State:
    """A network for `sizes` inputs and classes, and a fresh optimiser."""
    net = setting.network(*sizes, key)
    return State(net, setting.optimiser(steps).init(_split(net)[0]))


class Trainer(eqx.Module):
    """An epoch and an evaluation of a setting, each compiled once."""

    setting: Setting = eqx.field(static=True)
    encoder: Encoder = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    @eqx.filter_jit
    def epoch(
        self, state: State, data: Samples, key: PRNGKeyArray
    ) -> tuple[State, Float[Array, ""]]:
        """A pass through the data in random order; also the mean loss on the way.

        What is left over beyond whole batches takes its turn in another epoch.
        """
        n, batch = data.label.shape[0], self.setting.batch
        order_key, key = jax.random.split(key)
        order = jax.random.permutation(order_key, n)[: self.steps * batch]
        fixed = _split(state.net)[1]

        def step(
            carry: tuple[Any, Any], inputs: tuple[Int[Array, " batch"], PRNGKeyArray]
        ) -> tuple[tuple[Any, Any], Float[Array, ""]]:
            params, optimiser = carry
            rows, key = inputs
            net, optimiser, loss = self.step(
                State(eqx.combine(params, fixed), optimiser),
                jax.tree.map(lambda x: x[rows], data),
                key,
            )
            return (_split(net)[0], optimiser), loss

        carry = _split(state.net)[0], state.optimiser
        keys = jax.random.split(key, self.steps)
        carry, losses = lax.scan(step, carry, (order.reshape(self.steps, batch), keys))
        return State(eqx.combine(carry[0], fixed), carry[1]), jnp.mean(losses)

    @eqx.filter_jit
    def epoch_of_all(
        self, states: State, data: Samples, keys: Any
    ) -> tuple[State, Float[Array, " seeds"]]:
        """`epoch` of several trainings at once, along the leading axis of their arrays."""
        return jax.vmap(self.epoch, (0, None, 0))(states, data, keys)

    @eqx.filter_jit
    def measures_of_all(self, nets: FeedForward | Recurrent, data: Samples) -> Measures:
        """`evaluate` of several networks at once."""
        return jax.vmap(self.evaluate, (0, None))(nets, data)

    def step(
        self, state: State, data: Samples, key: PRNGKeyArray
    ) -> tuple[FeedForward | Recurrent, Any, Float[Array, ""]]:
        """Loss, gradient and update for one batch."""
        params, fixed = _split(state.net)
        inputs = self.encoder(data.x, key)

        def loss(params: Any) -> Float[Array, ""]:
            trial = eqx.combine(params, fixed).trial(inputs, duration=self.setting.duration)
            return jnp.mean(self._loss(self.setting.answer(trial), data.label))

        value, gradient = jax.value_and_grad(loss)(params)
        optimiser = self.setting.optimiser(self.steps)
        updates, new = optimiser.update(gradient, state.optimiser, params)
        return update(state.net, updates), new, value

    @eqx.filter_jit
    def evaluate(self, net: FeedForward | Recurrent, data: Samples) -> Measures:
        """Measures on a whole set, batch by batch."""

        def one(batch: Samples) -> tuple[Measures, Array]:
            inputs = self.encoder(batch.x, None)
            trial = net.trial(inputs, duration=self.setting.duration)
            return self._measures(trial, batch.label)

        n = data.label.shape[0]
        size = min(self.setting.evaluated, n)
        whole = n // size * size
        batches = jax.tree.map(lambda x: x[:whole].reshape(-1, size, *x.shape[1:]), data)
        measures, active = lax.map(one, batches)
        total = jax.tree.map(lambda x: size * jnp.sum(x), measures)
        active = jnp.any(active, axis=0)
        if whole < n:
            rest, also = one(jax.tree.map(lambda x: x[whole:], data))
            total = jax.tree.map(lambda x, y: x + (n - whole) * y, total, rest)
            active = active | also
        mean = jax.tree.map(lambda x: x / n, total)
        silent, silent_before = jnp.mean(~active, axis=-1)
        return mean._replace(silent_fraction=silent, silent_before_output=silent_before)

    def _measures(self, trial: Trial, label: Array) -> tuple[Measures, Array]:
        """Those of a batch but for silent neurons, and who spikes in it, also before the output."""
        first, ordinary = self.setting.answer(trial), self.setting.ordinary_answer(trial)
        spikes = jnp.stack([trial.hidden_spikes(), trial.hidden_spikes(trial.first_output)])
        total, before = jnp.mean(spikes, axis=(1, 2))
        measures = Measures(
            loss=jnp.mean(self._loss(first, label)),
            accuracy=_right(first, label),
            loss_ordinary=jnp.mean(self._loss(ordinary, label)),
            accuracy_ordinary=_right(jnp.where(jnp.isnan(first), first, ordinary), label),
            spikes_per_neuron=total,
            silent_fraction=jnp.zeros(()),
            spikes_before_output=before,
            silent_before_output=jnp.zeros(()),
        )
        return measures, jnp.any(spikes > 0, axis=1)

    def _loss(self, first: Array, label: Array) -> Array:
        return first_spike_cross_entropy(
            first,
            label,
            duration=self.setting.duration,
            temperature=self.setting.temperature,
            regularisation=self.setting.regularisation,
        )


def _right(answer: Float[Array, "b classes"], label: Array) -> Float[Array, ""]:
    """How often the least is the right one; NaN if there is no answer."""
    right = jnp.argmin(answer, axis=-1) == label
    return jnp.mean(jnp.where(jnp.any(jnp.isnan(answer), axis=-1), jnp.nan, right))


def _split(net: FeedForward | Recurrent) -> tuple[Any, Any]:
    return eqx.partition(net, net.trainable())
