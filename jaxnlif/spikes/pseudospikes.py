r"""Pseudospikes: spike times beyond the end of the trial, as functions of the state at the end.

They extend the times of ordinary spikes continuously, so that a gradient can bring in a spike that
is missing or take one away. After the end of the trial a neuron of a suitable constant drive would
oscillate with period Θ; with φ its phase at the end (time since the last spike) the k-th spike
beyond the end comes $kΘ - φ$ after it. A spike that crosses the end changes φ from Θ to 0 and the
number k by 1: the time stays.

**Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

SOFTNESS = 10.0
"""How softly the pseudodynamics of QIF neurons makes a drive positive (α in the reference)."""


def qif_pseudospikes(
    n: Float[Array, "..."],
    d: Float[Array, "..."],
    drive: Float[Array, "..."],
    numbers: Int[ArrayLike, "..."],
) -> Float[Array, "..."]:
    r"""Pseudospikes of QIF neurons with exponential currents, after the end of the trial.

    With the positive drive $\tilde I = α \log(1 + e^{x/α})$, α = 10, period and phase are

    $$Θ = π/\sqrt{\tilde I}, \quad φ = (\arctan((V - 1/2)/\sqrt{\tilde I}) + π/2)/\sqrt{\tilde I}.$$

    **Arguments:** `n`, `d` ≥ 0: the potentials at the end, $V = n/d$, the limits $±∞$ included;
    `drive`: $x$, the current at the end plus the summed input; `numbers`: k, which spike beyond the
    end (0 is the last one before it); shapes that broadcast. **Returns:** $kΘ - φ$ (in units of τ).
    """
    root = jnp.sqrt(SOFTNESS * jax.nn.softplus(drive / SOFTNESS))
    return (jnp.asarray(numbers) * jnp.pi - _angle(n, d, root)) / root


def qif_pseudorate(n: Float[Array, "..."], d: Float[Array, "..."]) -> Float[Array, "..."]:
    """What QIF neurons send to others in the pseudodynamics: φ/Θ at zero drive, from 0 to 1."""
    root = jnp.sqrt(SOFTNESS * jax.nn.softplus(jnp.zeros_like(n)))
    return _angle(n, d, root) / jnp.pi


def _angle(n: Array, d: Array, root: Array) -> Array:
    """The phase as an angle: 0 after a spike, π before the next."""
    return jnp.arctan2(n - d / 2, root * d) + jnp.pi / 2
