"""Recurrent classifiers, and the settings that have names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi

import equinox as eqx
import jax
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from ..spikes.lif import LIF
from ..spikes.network import Trial
from ..spikes.neuron import AbstractNeuron
from ..spikes.qif import QIF
from ..spikes.readouts import spike_counts
from ..spikes.recurrent import Recurrent
from ..spikes.theta import Theta
from ._classifier_setting import Setting

NEURONS = "theta", "qif", "lif"
READOUTS = "count", "first"


@dataclass(frozen=True)
class RecurrentSetting(Setting):
    """A recurrent network and its training; `hidden` neurons and outputs are connected with all.

    - `neuron`: "theta", which starts at random phases, "qif" or "lif", which start at rest.
    - `readout`: "count", the class whose output makes most spikes, the fraction of the way to the
      next one included, or "first", the class whose output spikes first.
    - `input_scale`: of the initial weights of inputs; neurons that are at rest at first, QIF and
      LIF, have ten times as large ones. `max_events`: room for spikes and inputs.
    - `bound`: of the norm of the gradient.
    """

    neuron: str = "theta"
    readout: str = "count"
    input_scale: float = 1.0
    max_events: int = 1000
    bound: float = 1.0

    @property
    def is_smooth(self) -> bool:
        return self.neuron != "lif"

    @property
    def evaluated(self) -> int:
        return self.batch

    @property
    def room(self) -> int:
        return 4 * self.max_events

    @property
    def limit(self) -> str:
        return f"max_events = {self.max_events} in a trial"

    @property
    def layers(self) -> str:
        return f"{self.hidden[0]} hidden {self.neuron} neurons, readout by {self.readout}"

    def num_weights(self, inputs: int, classes: int) -> int:
        neurons = self.hidden[0] + classes
        return neurons * (neurons + inputs)

    def network(self, inputs: int, classes: int, key: PRNGKeyArray) -> Recurrent:
        n = self.hidden[0]
        neuron, (weights, phases) = self._neuron(), jax.random.split(key)
        net = Recurrent.init(
            neuron,
            [inputs, n + classes],
            key=weights,
            scale=self.scale,
            input_scale=self.input_scale * (1 if isinstance(neuron, Theta) else 10),
            outputs=range(n, n + classes),
            delayed=self.delays,
            max_spikes=self.max_spikes,
            max_events=self.max_events,
        )
        if not isinstance(neuron, Theta):
            return net
        (middle,) = net.initial
        drawn = neuron.period * jax.random.uniform(phases, (n,), middle.dtype)
        return eqx.tree_at(lambda net: net.initial[0], net, middle.at[:n].set(drawn))

    def _neuron(self) -> AbstractNeuron:
        kinds = {"theta": lambda: Theta(self.tau, self.I0), "qif": lambda: QIF(self.tau)}
        return kinds.get(self.neuron, lambda: LIF(self.tau))()

    def answer(self, trial: Trial) -> Float[Array, "*batch classes"]:
        if self.readout == "count":
            return -spike_counts(trial)
        return super().answer(trial) if self.is_smooth else self.ordinary_answer(trial)

    def ordinary_answer(self, trial: Trial) -> Float[Array, "*batch classes"]:
        if self.readout == "count":
            made = trial.num_spikes[..., list(trial.outputs)]
            return -made.astype(trial.times.dtype)
        return super().ordinary_answer(trial)

    def optimiser(self, steps: int) -> optax.GradientTransformation:
        return optax.chain(optax.clip_by_global_norm(self.bound), super().optimiser(steps))


_SMALL = RecurrentSetting(
    hidden=(118,),
    duration=12.0,
    tau=6 / pi,
    first=0.24,
    last=10.2,
    max_spikes=4,
    temperature=0.1,
    regularisation=0.0,
    rate=4e-3,
    schedule="cosine",
    batch=100,
    epochs=10,
    flip=0.0,
    scale=0.2,
    b2=0.99,
)
ROWS = {"small": _SMALL, "full": replace(_SMALL, max_events=2000)}
"""Rows of 14 × 14 pixels, 10 000 images; rows of 28 × 28, all images."""

SHD = {
    "best": replace(
        _SMALL, hidden=(128,), first=None, last=None, batch=50, epochs=5, max_events=4000
    )
}
"""Spikes of spoken digits, or of what stands in for them."""
