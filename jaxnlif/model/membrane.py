r"""How the potential of a neuron moves between spikes, $dX = (f(X) + μ)\,dt + \sqrt{2a}\,dB$."""

from __future__ import annotations

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._check import check, check_finite, check_positive, check_scalar, is_concrete
from .._module import Module
from ._leaf import leaf

_STEPS = 2


class AbstractMembrane(Module):
    r"""A membrane: the drift $f(v)$ of the potential without input.

    A subclass needs `drift` alone, a function that acts number by number. `FluxShift` takes it at
    the interfaces of the voltage grid. `Particles` split it as $f(v) = -λ v + g(v)$: they solve the
    leak λ with input and noise exactly, and $\dot v = g(v)$ by `flow`.

    - `linear`: whether $g = 0$, so that the transition of a particle is exact.
    """

    linear: ClassVar[bool] = False

    @abc.abstractmethod
    def drift(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        r"""The drift $f(v)$ without input, in the shape `(…)` of `v` (voltage / membrane time).

        **Arguments:** `v`: potentials, shape `(…)` (voltage).
        """

    @property
    def leak(self) -> Float[Array, ""] | float:
        r"""The leak $λ ≥ 0$ in $f(v) = -λ v + g(v)$ (1 / membrane time)."""
        return 0.0

    def flow(self, v: Float[Array, "..."], t: Float[Array, "..."]) -> Float[Array, "..."]:
        r"""The solution at time `t` of $\dot v = f(v) + λ v$, in the shape `(…)` of `v` (voltage).

        By default two steps of the Runge–Kutta method of fourth order. A drift that changes much
        within half a step of the particles needs a closed form.

        **Arguments:** `v`: potentials at time 0, shape `(…)` (voltage); `t`: times of either sign,
        of shape `(…)` or a number (membrane time).
        """
        h = t / _STEPS

        def rest(v: Array) -> Array:
            return self.drift(v) + self.leak * v

        for _ in range(_STEPS):
            k1 = rest(v)
            k2 = rest(v + h / 2 * k1)
            k3 = rest(v + h / 2 * k2)
            v = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + rest(v + h * k3))
        return v

    def diffusion(self, noise: Float[Array, "..."]) -> Float[Array, "..."]:
        """The diffusion coefficient a, shape `(…)` as `noise` (voltage² / membrane time).

        **Arguments:** `noise`: that of the network, $a_0 + a_1 N$, shape `(…)`
        (voltage² / membrane time).
        """
        return noise

    def validate(self, v: Float[np.ndarray, " v"]) -> None:
        """Requires a drift that is a finite number at each potential.

        **Arguments:** `v`: potentials of a grid, shape `(v,)` (voltage).

        **Raises:** `ValueError` where the drift is of another shape, or not finite.
        """
        if self.linear:
            return
        # In the precision of a run.
        numbers, rest = eqx.partition(self, eqx.is_inexact_array)
        own = eqx.combine(jax.tree.map(lambda leaf: leaf.astype(v.dtype), numbers), rest)
        drift = jnp.asarray(own.drift(jnp.asarray(v)))
        check(
            drift.shape == v.shape,
            f"membrane: drift of shape {drift.shape}: must be {v.shape}, one for each potential",
        )
        finite = jnp.isfinite(drift)
        where = f" at v = {v[np.argmin(finite)]:g}" if is_concrete(finite) else ""
        check(jnp.all(finite), f"membrane: drift{where}: must be finite on the voltage grid")


class Leaky(AbstractMembrane):
    r"""The leaky neuron, $f(v) = -v$: the potential decays to 0 in a membrane time."""

    linear: ClassVar[bool] = True

    def drift(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        return -v

    @property
    def leak(self) -> float:
        return 1.0

    def flow(self, v: Float[Array, "..."], t: Float[Array, "..."]) -> Float[Array, "..."]:
        return v


class Perfect(AbstractMembrane):
    """The perfect integrator, $f(v) = 0$: the potential is the sum of its input."""

    linear: ClassVar[bool] = True

    def drift(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.zeros_like(v)

    def flow(self, v: Float[Array, "..."], t: Float[Array, "..."]) -> Float[Array, "..."]:
        return v


class Exponential(AbstractMembrane):
    r"""The exponential neuron, $f(v) = -v + Δ_T\,e^{(v - V_T)/Δ_T}$.

    The potential runs away above the onset of spikes; the threshold $V_F$ of the grid is where it
    is cut off.

    **Arguments:** `slope`: $Δ_T > 0$, the sharpness of the onset (voltage); `onset`: $V_T$
    (voltage).

    **Raises:** `ValueError` unless both are finite single numbers and `slope` is positive.

    **Reference:** N. Fourcaud-Trocmé, D. Hansel, C. van Vreeswijk, N. Brunel, *J. Neurosci.*
    23:11628 (2003).
    """

    slope: Float[Array, ""] = eqx.field(converter=leaf("slope"), default=0.2)
    onset: Float[Array, ""] = eqx.field(converter=leaf("onset"), default=1.0)

    def __check_init__(self):
        check_scalar("slope", self.slope)
        check_positive("slope", self.slope)
        check_scalar("onset", self.onset)
        check_finite("onset", self.onset)

    @property
    def leak(self) -> float:
        return 1.0

    def drift(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        return -v + self.slope * jnp.exp((v - self.onset) / self.slope)

    def flow(self, v: Float[Array, "..."], t: Float[Array, "..."]) -> Float[Array, "..."]:
        # e^{-u} falls by t, with u = (v - V_T) / Δ_T, and stays positive.
        u = (v - self.onset) / self.slope
        forward = t > 0
        share = jnp.exp(u + jnp.log(jnp.where(forward, t, 1)))
        most = 1 - jnp.finfo(share.dtype).eps
        later = -u + jnp.log1p(-jnp.minimum(share, most))
        earlier = jnp.logaddexp(-u, jnp.log(jnp.where(forward, 1, -t)))
        return self.onset - self.slope * jnp.where(forward, later, earlier)


class Quadratic(AbstractMembrane):
    r"""The quadratic neuron, $f(v) = v^2$.

    With a threshold and a reset far away it is the normal form of a neuron near the onset of
    firing.

    **Reference:** G. B. Ermentrout, N. Kopell, *SIAM J. Appl. Math.* 46:233 (1986).
    """

    def drift(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v * v

    def flow(self, v: Float[Array, "..."], t: Float[Array, "..."]) -> Float[Array, "..."]:
        left = 1 - t * v  # positive until the potential has run away
        return v / jnp.maximum(left, jnp.finfo(left.dtype).tiny)
