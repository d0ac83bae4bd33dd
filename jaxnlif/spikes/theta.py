"""The theta neuron: a quadratic integrate-and-fire neuron that oscillates, with pulse coupling."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check, check_finite, check_positive, check_scalar, is_concrete
from ..model._leaf import as_leaf


class Theta(eqx.Module):
    r"""The theta neuron, or oscillating quadratic integrate-and-fire neuron.

    $$τ \dot V = V (V - 1) + I_0 + τ \sum_i w_i \sum_{t_i} δ(t - t_i)$$

    With $q = \sqrt{I_0 - 1/4}$ and $ω = q/τ$, the phase $φ ∈ (0, Θ)$, $Θ = π/ω$, with
    $V - 1/2 = -q \cot ωφ$ grows at speed 1 between inputs. The neuron spikes at $φ = Θ$, where V
    reaches infinity, and starts again at $φ = 0$; an input adds its weight to V.

    **Arguments:** `tau`: time constant $τ > 0$ (time); `I0`: drive $I_0 > 1/4$ (voltage units).

    **Raises:** `ValueError` unless both are numbers in these ranges.

    **Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking
    neural networks, arXiv 2309.14523 (2025).
    """

    tau: Float[Array, ""] = eqx.field(converter=as_leaf, default=1.0)
    I0: Float[Array, ""] = eqx.field(converter=as_leaf, default=1.25)

    def __check_init__(self):
        check_scalar("tau", self.tau)
        check_positive("tau", self.tau)
        check_scalar("I0", self.I0)
        check_finite("I0", self.I0)
        if is_concrete(self.I0):
            check(bool(self.I0 > 0.25), f"I0 = {float(self.I0):g}: must be greater than 1/4")

    @property
    def q(self) -> Float[Array, ""]:
        r"""$q = \sqrt{I_0 - 1/4}$ (voltage units)."""
        return jnp.sqrt(self.I0 - 0.25)

    @property
    def omega(self) -> Float[Array, ""]:
        """$ω = q/τ$ (1/time)."""
        return self.q / self.tau

    @property
    def period(self) -> Float[Array, ""]:
        """$Θ = π/ω$: the time between spikes without input, and the phase of the spike (time)."""
        return jnp.pi / self.omega

    def voltage(self, phase: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """V at a phase strictly between 0 and Θ (voltage units)."""
        return 0.5 - self.q / jnp.tan(self.omega * phase)

    def phase(self, voltage: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """φ at a voltage; from 0 to Θ for voltages from −∞ to ∞ (time)."""
        return (jnp.arctan((voltage - 0.5) / self.q) + jnp.pi / 2) / self.omega

    def shifted(self, phase: Float[Array, "*n"], weight: Float[Array, "*n"]) -> Float[Array, "*n"]:
        r"""The phase $H_w(φ) = φ(V(φ) + w)$ after an input, smooth on all of [0, Θ].

        **Arguments:** `phase` in [0, Θ] (time); `weight` (voltage units). **Returns:** a phase.
        """
        angle = self.omega * phase
        return self.shifted_point(jnp.cos(angle), jnp.sin(angle), weight)

    def shifted_point(
        self, c: Float[Array, "*n"], s: Float[Array, "*n"], weight: Float[Array, "*n"]
    ) -> Float[Array, "*n"]:
        r"""`shifted` for the phase with $(c, s) = (\cos ωφ, \sin ωφ)$ (time)."""
        angle = jnp.arctan2(s, c - weight / self.q * s)
        # the sine of the rounded π may be negative
        return jnp.where((s < 0) & (c < 0), angle + 2 * jnp.pi, angle) / self.omega
