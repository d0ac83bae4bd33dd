"""The network: one description that every solver understands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check, check_finite, check_positive, check_scalar
from .._module import Module
from ._leaf import as_leaf
from .adaptation import Adaptation, Lowered, numbers_of
from .delay import AbstractDelay, Delay, Never
from .drive import Constant
from .learning import AbstractLearning, Frozen
from .membrane import AbstractMembrane, Leaky
from .populations import check_names, check_shapes, count_populations
from .projections import projected, projections
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

    A network of k populations has a `weight` for each pair of them, a matrix (to, from):

    $$τ_k ∂_t p_k = -∂_v[(f(v) + μ_k) p_k] + a_k ∂_{vv} p_k + τ_k r_k\,δ(v - V_R), \quad
      μ_k = I_k + \sum_l b_{kl} s_{kl}, \quad a_k = a_{0,k} + \sum_l c_{kl} s_{kl}$$

    with the rates $r_k = -(a_k/τ_k)\,∂_v p_k(V_F)$ and $s_{kl}$ that of population l after the
    delay and the synaptic filter of the projection $l → k$. Each of its arguments is one number for
    all, or one for each population. The membrane time, in which rates and weights of populations
    count, is then the unit in which the time constants are given.

    **Arguments:**

    - `noise`: diffusion $a_0 > 0$ (voltage² / membrane time); of populations numbers of shape
      `(k,)`, or a callable module $t \mapsto a_0$ that returns them.
    - `drive`: input $I$: a number, of populations numbers of shape `(k,)`, or a callable module
      $(t, w) \mapsto I$, in which populations have the weights 0 (voltage).
    - `response`: σ, a callable module of the rate; identity by default (voltage / weight).
    - `learning`: an `AbstractLearning` rule such as `Hebbian`, or `None` to freeze the weights.
    - `epsilon`: ratio $ε ≥ 0$ of membrane time to learning time; 0 is the quasi-static limit.
    - `weight`: the one weight $b$ of an unstructured network, for $σ(N) = N$ in units of
      (voltage × membrane time); `None` for a network on a `WeightGrid`; of populations $b_{kl}$, to
      k from l, shape `(k, k)` (voltage × membrane time).
    - `noise_slope`: $a_1 ≥ 0$, the part of the noise proportional to the rate (voltage²); of
      populations $c_{kl}$, shape `(k, k)`.
    - `delay`: transmission delay after which the rate is seen: a number, a `Delay`, an
      `ExponentialDelay`, a `NormalDelay`, a `GammaDelay`, or `None`; of populations one for all, or
      with durations of shape `(k, k)` (learning time).
    - `refractory`: how long a neuron rests between its spike and its re-entry at the reset
      potential: a number, a `Delay`, `Never()`, or `None`; of populations shape `(k,)`
      (learning time).
    - `adaptation`: an `Adaptation` to own spikes, of an unstructured network or of populations.
    - `membrane`: an `AbstractMembrane` such as `Exponential()`; `Leaky()` by default.
    - `synapse`: an `AbstractSynapse` in place of `weight`, `response` and `delay`.
    - `threshold`, `reset`: of populations, $V_F$ and $V_R$ of each, shape `(k,)`; by default those
      of the voltage grid, on which each population lies stretched (voltage).
    - `time_constant`: of populations, the membrane time constants $τ_k$, a number or shape `(k,)`
      (learning time).
    - `synaptic_time_constant`: of populations, that of the exponential synapses of each source, a
      number or shape `(k,)`; `None` for synapses that act at once (learning time).
    - `names`: of populations, one text for each.

    **Raises:** `ValueError` if a number is not finite or has the wrong sign, an argument is of
    another kind or shape, `synapse` comes with what it replaces, an unstructured network is given a
    learning rule, or what populations have is given without them.

    **Reference:** Q. He, J. Hu, Z. Zhou, *SIAM J. Sci. Comput.* (2022), arXiv 2109.04667;
    B. Perthame, D. Salort, G. Wainrib, arXiv 1706.05796 (2017); unstructured: M. J. Cáceres,
    J. A. Carrillo, B. Perthame, *J. Math. Neurosci.* 1:7 (2011).
    """

    noise: Float[Array, "..."] | Callable[[Array], Array]
    drive: Callable[[Array, Array], Array]
    response: Callable[[Array], Array]
    learning: AbstractLearning | None
    epsilon: Float[Array, ""]
    weight: Float[Array, ""] | None
    noise_slope: Float[Array, "..."]
    delay: AbstractDelay | None
    refractory: Delay | Never | None
    membrane: AbstractMembrane = LEAKY
    synapse: AbstractSynapse | None = None
    threshold: Float[Array, "..."] | None = None
    reset: Float[Array, "..."] | None = None
    time_constant: Float[Array, "..."] | None = None
    synaptic_time_constant: Float[Array, "..."] | None = None
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)
    adaptation: Adaptation | None = None

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
        threshold: Any = None,
        reset: Any = None,
        time_constant: Any = None,
        synaptic_time_constant: Any = None,
        names: Any = None,
        adaptation: Any = None,
    ):
        numbers = {"noise": noise, "drive": drive, "weight": weight, "noise_slope": noise_slope}
        own = {"threshold": threshold, "reset": reset, "time_constant": time_constant}
        own["synaptic_time_constant"] = synaptic_time_constant
        num = count_populations(weight)
        durations = {"delay": _duration(delay), "refractory": _duration(refractory)}
        check_shapes(num, **{k: x for k, x in numbers.items() if k != "weight"}, **own, **durations)
        check_shapes(num, **numbers_of(adaptation))
        check_scalar("epsilon", epsilon)
        for name, value in (numbers | own | {"epsilon": epsilon}).items():
            if value is not None and not callable(value):
                check_finite(name, value)
        for name, value in own.items():
            check(
                value is None or num is not None,
                f"{name}: is that of populations, which need a weight for each pair of them, "
                "(to, from)",
            )
        check(
            response is None or callable(response),
            f"response = {response!r}: must be a callable module of the rate",
        )
        check(
            response is None or num is None,
            "response: populations feel the weight times the rate; must be None",
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
        check(
            adaptation is None or not (weight is None and synapse is None),
            "adaptation: is that of an unstructured network or of populations; give a weight",
        )
        self._check_synapse(synapse, weight=weight, response=response, delay=delay)
        one = weight if synapse is None else synapse.weight
        check(
            one is None or learning is None,
            "learning: an unstructured network (weight given) has no weights to learn",
        )
        self.noise = cast(Any, noise) if callable(noise) else as_leaf("noise", noise)
        self.noise_slope = as_leaf("noise_slope", noise_slope)
        self.epsilon = as_leaf("epsilon", epsilon)
        self.drive = _as_drive(drive)
        self.response = Identity() if response is None else response
        self.learning = learning
        self.weight = None if weight is None else as_leaf("weight", weight)
        check(not isinstance(delay, Never), "delay = Never(): is for refractory; use weight=0.0")
        self.delay = _as_delay("delay", delay, (AbstractDelay,))
        self.refractory = _as_delay("refractory", refractory, (Delay, Never))
        self.membrane, self.synapse, self.adaptation = membrane, synapse, adaptation
        for name, value in own.items():
            setattr(self, name, None if value is None else as_leaf(name, value))
        self.names = check_names(num, names)

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
        if not callable(self.noise):
            check_positive("noise", self.noise)
        for name in ("time_constant", "synaptic_time_constant"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        check_positive("epsilon", self.epsilon, allow_zero=True)
        check_positive("noise_slope", self.noise_slope, allow_zero=True)

    @property
    def populations(self) -> int | None:
        """How many populations there are; `None` for a network that is one, or is structured."""
        return self.weight.shape[0] if self.weight is not None and self.weight.ndim else None

    @property
    def connections(self) -> AbstractSynapse:
        """The `synapse`, or that of weight, response and delay."""
        if self.synapse is not None:
            return self.synapse
        if self.weight is not None and self.weight.ndim:
            return projections(self.weight, self.delay, self.synaptic_time_constant)
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
        """External input $I(w, t)$ or, of populations, $I_k(t)$, shape `(w,)` (voltage).

        **Arguments:** `t`, a number (learning time); `w`, weights of shape `(w,)` (weight).
        """
        return jnp.broadcast_to(self.drive(t, w), w.shape)

    @property
    def membrane_time(self) -> Float[Array, "..."] | float:
        """The time constants of the membranes, shape `()` or `(k,)` (learning time).

        Without, 1: the unit of time.
        """
        return 1.0 if self.time_constant is None else self.time_constant

    def given(
        self, t: Float[Array, ""], w: Float[Array, " w"], signals: Float[Array, " s"]
    ) -> tuple[Float[Array, " w"], Float[Array, "..."]]:
        r"""Total input μ (voltage) and noise a (voltage² / membrane time), shape `(w,)` or `()`.

        **Arguments:** `t`, a number (learning time); `w`, weights of the columns, `(w,)` (weight);
        `signals` that are felt, `(s,)` (spikes / neuron / membrane time), which may be negative.

        **Returns:** input, shape `(w,)` (voltage), and noise, shape `()` or `(w,)`
        (voltage² / membrane time).
        """
        drive = self.external(t, w) + self.connections.input(w, signals)
        # Kicks may be negative; noise is not.
        positive = jnp.where(signals < 0, 0, signals)
        return drive, self.diffusion(positive if self.populations else positive[0], t)

    def lowered(self, amount: Float[Array, "..."]) -> Network:
        """This network, its external input lowered by an amount.

        **Arguments:** `amount`, a number, or of populations shape `(k,)` (voltage).
        """
        drive: Any = Lowered(self.drive, amount)
        return eqx.tree_at(lambda model: model.drive, self, drive)

    def settled(self, rate: Float[Array, "*k"]) -> Network:
        """This network, its adaptation that of neurons which have long fired at a rate.

        **Arguments:** `rate`, a number or shape `(k,)` (spikes / neuron / membrane time).
        """
        adaptation = self.adaptation
        return self if adaptation is None else self.lowered(adaptation.strength * rate)

    def jumps(self) -> Float[Array, " k"]:
        """The times at which the drive jumps, if it declares any, shape `(k,)` (learning time)."""
        declared = getattr(self.drive, "jumps", None)
        return jnp.zeros(0) if declared is None else declared()

    def diffusion(
        self, rate: Float[Array, "*s"], t: Float[Array, ""] | float = 0.0
    ) -> Float[Array, "..."]:
        r"""Diffusion coefficient a, shape `()` or `(k,)` (voltage² / membrane time).

        It is $a_0 + a_1 \bar N$ for the membranes of this package.

        **Arguments:** `rate`: $\bar N$ (spikes / neuron / membrane time), or the rates that
        populations feel, shape `(k,)` or `(k * k,)` (spikes / neuron / membrane time); `t`, a
        number, for noise that varies (learning time).
        """
        noise: Any = self.noise
        if callable(noise):
            noise = noise(jnp.asarray(t))
        num = self.populations
        if num is None:
            return self.membrane.diffusion(noise + self.noise_slope * rate)
        slope = jnp.broadcast_to(self.noise_slope, (num, num))
        return self.membrane.diffusion(noise + projected(slope, rate))


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
    check_positive(name, value)
    return Delay(value)


def _duration(value: Any) -> Any:
    """That of a delay, of which numbers are one."""
    return value.duration if isinstance(value, AbstractDelay) else value
