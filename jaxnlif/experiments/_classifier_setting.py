"""How a classifier is built and trained, and the settings that have names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import pi
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from ..spikes.feedforward import FeedForward
from ..spikes.network import Trial
from ..spikes.recurrent import Recurrent
from ..spikes.theta import Theta


@dataclass(frozen=True)
class Setting:
    """A feed-forward network of theta neurons and its training.

    - `hidden`: neurons in the hidden layers. `duration`: T of a trial. `tau`, `I0`: the neuron.
    - `bins`: spike times of an image; `first`, `last`: when the brightest and the darkest pixels
      that spike do, by default as published. `max_spikes`: room for spikes per neuron and trial.
    - `copies`: neurons per input; `delays`: whether those have trainable axonal delays.
    - `temperature`, `regularisation`: θ and γ of the loss.
    - `rate`, `schedule`: learning rate, and how it changes: "exponential", by 1/e in `decay`
      epochs with AdaBelief, or "cosine" to 0 after a tenth of warm-up with AdamW.
    - `weight_decay`: of AdamW, `b2`: its β₂. `batch`: samples in a step. `epochs`: passes
      through the data.
    - `flip`: probability that a pixel becomes its negative. `shift`: largest shift of an image in
      each direction (pixels). `mirror`: whether images are mirrored at random. `scale`: of the
      initial weights.
    """

    hidden: tuple[int, ...] = (100, 100)
    duration: float = 2.0
    tau: float = 6 / pi
    I0: float = 1.25
    bins: int = 1
    max_spikes: int = 2
    copies: int = 1
    delays: bool = False
    temperature: float = 1.0
    regularisation: float = 0.01
    rate: float = 4e-3
    schedule: str = "exponential"
    decay: float = 100.0
    weight_decay: float = 0.0
    batch: int = 1000
    epochs: int = 100
    flip: float = 0.02
    shift: int = 0
    scale: float = 0.5
    first: float | None = None
    last: float | None = None
    b2: float = 0.999
    mirror: bool = False

    @property
    def is_smooth(self) -> bool:
        """Whether the neurons have pseudospikes."""
        return True

    @property
    def evaluated(self) -> int:
        """How many samples are evaluated together."""
        return 1000

    @property
    def room(self) -> int:
        """Numbers that are kept of each neuron in a trial."""
        return self.max_spikes

    @property
    def limit(self) -> str:
        """The room for spikes, in words."""
        return f"max_spikes = {self.max_spikes} of a neuron"

    @property
    def layers(self) -> str:
        """The hidden neurons, in words."""
        return f"hidden {self.hidden}"

    def num_weights(self, inputs: int, classes: int) -> int:
        """Of a network with so many inputs and classes."""
        sizes = [inputs * self.copies, *self.hidden, classes]
        return sum(a * b for a, b in pairwise(sizes))

    def network(self, inputs: int, classes: int, key: PRNGKeyArray) -> FeedForward | Recurrent:
        """A network with random weights."""
        return FeedForward.init(
            Theta(self.tau, self.I0),
            [inputs * self.copies, *self.hidden, classes],
            key=key,
            scale=self.scale,
            max_spikes=self.max_spikes,
            delayed=(0,) if self.delays else (),
        )

    def answer(self, trial: Trial) -> Float[Array, "*batch classes"]:
        """What tells the classes apart, here the first spikes: the least is the answer."""
        return trial.times[..., 0]

    def ordinary_answer(self, trial: Trial) -> Float[Array, "*batch classes"]:
        """The same without pseudospikes: a silent output counts as one that spikes at the end."""
        return jnp.minimum(trial.times[..., 0], self.duration)

    def optimiser(self, steps: int) -> optax.GradientTransformation:
        """The optimiser for epochs of `steps` steps."""
        if self.schedule == "exponential":
            decay = optax.exponential_decay(self.rate, round(self.decay * steps), 0.36787944117)
            return optax.adabelief(decay, b1=0.9, b2=0.999)
        total = self.epochs * steps
        schedule = optax.warmup_cosine_decay_schedule(0.0, self.rate, total // 10, total)
        decay = self.weight_decay
        return optax.adamw(schedule, b2=self.b2, weight_decay=decay, mask=_weights)


def _weights(params: Any) -> Any:
    """Weight decay acts on weights alone, the matrices."""
    return jax.tree.map(lambda leaf: leaf.ndim == 2, params)


_BEST = Setting(
    hidden=(350,),
    duration=4.0,
    max_spikes=4,
    temperature=0.3,
    regularisation=0.03,
    rate=8e-3,
    schedule="cosine",
    batch=250,
    epochs=60,
    flip=0.0,
    shift=1,
)
_GREY = replace(
    _BEST,
    duration=6.0,
    max_spikes=6,
    bins=8,
    first=0.02,
    last=0.9,
    temperature=0.12,
    rate=3e-3,
    weight_decay=0.003,
    epochs=14,
    shift=0,
)
MNIST = {
    "published": Setting(),
    "best": _BEST,
    "best-plain": replace(_BEST, weight_decay=0.1, epochs=25, flip=0.03, shift=0),
    "grey": _GREY,
    "fashion": replace(_GREY, hidden=(400,), epochs=28, mirror=True),
}
"""The setting of the reference; those that classify best with and without shifted images; one with
grey levels as times, for images that are told apart by them; and the same for Fashion-MNIST, whose
images may be mirrored."""

_DISC = Setting(
    hidden=(30,),
    duration=6.0,
    max_spikes=6,
    temperature=0.3,
    regularisation=0.05,
    rate=8e-3,
    schedule="cosine",
    batch=100,
    epochs=200,
    flip=0.0,
    scale=2.0,
)
YIN_YANG = {"plain": _DISC, "delays": replace(_DISC, copies=4, delays=True)}
"""Without delays, and with four trained axonal delays of each input."""
