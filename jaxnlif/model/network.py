"""The network: one description that every solver understands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check, check_finite, check_positive, check_scalar
from .._module import Module
from ._leaf import as_leaf
from .delay import AbstractDelay, Delay, Never
from .drive import Constant
from .learning import AbstractLearning, Frozen
from .membrane import AbstractMembrane, Leaky
from .response import Identity
from .rest import AbstractRest, NoRest, Rest
from .synapse import AbstractSynapse, DelayedSynapse, Synapse

LEAKY = Leaky()

_NO_REST = NoRest()


class Network(Module):
    r"""A network of noisy integrate-and-fire neurons, structured by synaptic weight.

    $$∂_t p + ∂_w[(K(w) N(w) \bar N - w) p] =
      \tfrac1ε \{-∂_v[(f(v) + I(w,t) + w\,σ(\bar N)) p] + a\,∂_{vv} p + N(w,t)\,δ(v - V_R)\}$$

    with $p(V_F) = 0$, $N(w) = -a\,∂_v p(V_F)$, $\bar N = ∫N\,dw$ and $a = a_0 + a_1 \bar N$; the
    neurons are leaky, $f(v) = -v$, unless another `membrane` is given.
    An unstructured network has one `weight` $b$, no learning and by default $σ(N) = N$, $ε = 1$.
    Every array leaf may be differentiated.

    **Arguments:**

    - `noise`: diffusion $a_0 > 0$ (voltage² / membrane time).
    - `drive`: input $I$: a number, or a callable module $(t, w) \mapsto I$ (voltage).
    - `response`: σ, a callable module of the rate; identity by default (voltage / weight).
    - `learning`: an `AbstractLearning` rule such as `Hebbian`, or `None` to freeze the weights.
    - `epsilon`: ratio $ε ≥ 0$ of membrane time to learning time; 0 is the quasi-static limit.
    - `weight`: the one weight $b$ of an unstructured network, for $σ(N) = N$ in units of
      (voltage × membrane time); `None` for a network on a `WeightGrid`.
    - `noise_slope`: $a_1 ≥ 0$, the part of the noise proportional to the rate (voltage²).
    - `delay`: transmission delay after which the rate is seen: a number, a `Delay`, an
      `ExponentialDelay`, or `None` (learning time).
    - `refractory`: how long a neuron rests between its spike and its re-entry at the reset
      potential: a number, a `Delay`, `Never()`, or `None` (learning time).
    - `membrane`: an `AbstractMembrane` such as `Exponential()`; `Leaky()` by default.
    - `synapse`: an `AbstractSynapse` in place of `weight`, `response` and `delay`.

    **Raises:** `ValueError` if a number is not finite or has the wrong sign, an argument is of
    another kind, `synapse` comes with what it replaces, or an unstructured network is given a
    learning rule.

    **Reference:** Q. He, J. Hu, Z. Zhou, *SIAM J. Sci. Comput.* (2022), arXiv 2109.04667;
    B. Perthame, D. Salort, G. Wainrib, arXiv 1706.05796 (2017); unstructured: M. J. Cáceres,
    J. A. Carrillo, B. Perthame, *J. Math. Neurosci.* 1:7 (2011).
    """

    noise: Float[Array, ""]
    drive: Callable[[Array, Array], Array]
    response: Callable[[Array], Array]
    learning: AbstractLearning | None
    epsilon: Float[Array, ""]
    weight: Float[Array, ""] | None
    noise_slope: Float[Array, ""]
    delay: AbstractDelay | None
    refractory: Delay | Never | None
    membrane: AbstractMembrane = LEAKY
    synapse: AbstractSynapse | None = None

    def __init__(
        self,
        *,
        noise: Any = 1.0,
        drive: Any = 0.0,
        response: Callable[[Array], Array] | None = None,
        learning: AbstractLearning | None = None,
        epsilon: Any = 1.0,
        weight: Any = None,
        noise_slope: Any = 0.0,
        delay: Any = None,
        refractory: Any = None,
        membrane: AbstractMembrane | None = None,
        synapse: AbstractSynapse | None = None,
    ):
        for name, value in (
            ("noise", noise),
            ("epsilon", epsilon),
            ("noise_slope", noise_slope),
            *((("weight", weight),) if weight is not None else ()),
            *((("drive", drive),) if not callable(drive) else ()),
        ):
            check_scalar(name, value)
            check_finite(name, value)
        check(
            response is None or callable(response),
            f"response = {response!r}: must be a callable module of the rate",
        )
        check(
            learning is None or isinstance(learning, AbstractLearning),
            f"learning = {learning!r}: must be a learning rule such as Hebbian(gain), or None",
        )
        membrane = LEAKY if membrane is None else membrane
        check(
            isinstance(membrane, AbstractMembrane),
            f"membrane = {membrane!r}: must be a membrane such as Exponential(), or None",
        )
        self._check_synapse(synapse, weight=weight, response=response, delay=delay)
        own = weight if synapse is None else synapse.weight
        check(
            own is None or learning is None,
            "learning: an unstructured network (weight given) has no weights to learn",
        )
        self.noise, self.noise_slope = as_leaf("noise", noise), as_leaf("noise_slope", noise_slope)
        self.epsilon = as_leaf("epsilon", epsilon)
        self.drive = _as_drive(drive)
        self.response = Identity() if response is None else response
        self.learning = learning
        self.weight = None if weight is None else as_leaf("weight", weight)
        check(not isinstance(delay, Never), "delay = Never(): is for refractory; use weight=0.0")
        self.delay = _as_delay("delay", delay, (AbstractDelay,))
        self.refractory = _as_delay("refractory", refractory, (Delay, Never))
        self.membrane, self.synapse = membrane, synapse

    @staticmethod
    def _check_synapse(synapse: Any, **replaced: Any) -> None:
        if synapse is None:
            return
        check(
            isinstance(synapse, AbstractSynapse),
            f"synapse = {synapse!r}: must be a synapse, a subclass of AbstractSynapse, or None",
        )
        for name, value in replaced.items():
            check(value is None, f"{name}: must not be given together with a synapse, which has it")

    def __check_init__(self):
        check_positive("noise", self.noise)
        check_positive("epsilon", self.epsilon, allow_zero=True)
        check_positive("noise_slope", self.noise_slope, allow_zero=True)

    @property
    def connections(self) -> AbstractSynapse:
        """The `synapse`, or that of weight, response and delay."""
        if self.synapse is not None:
            return self.synapse
        if self.delay is None:
            return Synapse(self.weight, self.response)
        return DelayedSynapse(self.weight, self.response, self.delay)

    @property
    def rest(self) -> AbstractRest:
        """What neurons do after a spike, by the refractory period."""
        return _NO_REST if self.refractory is None else Rest(self.refractory)

    @property
    def plasticity(self) -> AbstractLearning:
        """The rule by which weights move, or that which leaves them."""
        return Frozen() if self.learning is None else self.learning

    def input(
        self, t: Float[Array, ""], w: Float[Array, " w"], rate: Float[Array, ""]
    ) -> Float[Array, " w"]:
        r"""Total input $μ(w) = I(w, t) + w\,σ(\bar N)$, shape `(w,)` (voltage).

        **Arguments:** `t`, a number (learning time); `w`, weights of shape `(w,)` (weight);
        `rate`, $\bar N$ (spikes / neuron / membrane time).
        """
        return self.external(t, w) + self.connections.input(w, jnp.reshape(rate, 1))

    def external(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        """External input $I(w, t)$, shape `(w,)` (voltage).

        **Arguments:** `t`, a number (learning time); `w`, weights of shape `(w,)` (weight).
        """
        return jnp.broadcast_to(self.drive(t, w), w.shape)

    def jumps(self) -> Float[Array, " k"]:
        """The times at which the drive jumps, if it declares any, shape `(k,)` (learning time)."""
        declared = getattr(self.drive, "jumps", None)
        return jnp.zeros(0) if declared is None else declared()

    def diffusion(self, rate: Float[Array, ""]) -> Float[Array, ""]:
        r"""Diffusion coefficient a (voltage² / membrane time).

        It is $a_0 + a_1 \bar N$ for the membranes of this package.

        **Arguments:** `rate`: $\bar N$ (spikes / neuron / membrane time).
        """
        return self.membrane.diffusion(self.noise + self.noise_slope * rate)


def _as_drive(value: Any) -> Any:
    """A number as the drive that is constant; callables unchanged."""
    return value if callable(value) else Constant(value)


def _as_delay(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    """A number as the delay of that duration; delays of these kinds and `None` unchanged."""
    if value is None or isinstance(value, kinds):
        return value
    check(
        not isinstance(value, AbstractDelay),
        f"{name} = {type(value).__name__}: must be a number, "
        f"{' or '.join(kind.__name__ for kind in kinds)}, or None",
    )
    check_scalar(name, value)
    check_positive(name, value)
    return Delay(value)
