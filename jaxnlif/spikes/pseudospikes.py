r"""Pseudospikes: spike times beyond the end of the trial, as functions of the state at the end.

A spike of these neurons can only appear or vanish at the end of a trial. There its time is
continued by that of a pseudospike, so that output times are continuous, and mostly smooth, in every
parameter, silent neurons have gradients, and a gradient can bring in a spike that is missing or
take one away.

After the end of the trial a network is like a network of rates. Every neuron has a pseudorate
between 0, just after a spike, and 1, just before the next: a spike that leaves the trial is
replaced by a pseudorate of the same effect. A neuron that receives the total of these would
oscillate with period Θ; with φ its phase at the end (time since the last spike) the k-th spike
beyond the end comes $kΘ - φ$ after it. A spike that crosses the end changes φ from Θ to 0 and k by
1: the time stays.

Everything is in natural units: times of $1/ω$ and weights of q for theta neurons, times of τ for
QIF neurons.

**Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking neural
networks, arXiv 2309.14523 (2025). For the pseudorates of recurrent theta networks see
`pseudorates`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Num

SOFTNESS = 10.0
"""How softly the pseudodynamics of QIF neurons makes a drive positive (α in the reference)."""


# ---- theta neurons ---------------------------------------------------------------------------


def theta_pseudorate(
    c: Float[Array, "*n"], s: Float[Array, "*n"], total: Float[Array, "*n"]
) -> Float[Array, "*n"]:
    r"""The pseudorate $r = H_W(φ)/Θ$ of theta neurons, H their phase after an input.

    **Arguments:** `c`, `s`: cosine and sine of $ωφ$, the state at the end, of any shape; `total`:
    $W = \sum_j W_{ij} r_j$ over the neurons that each hears, of that shape (q).

    **Returns:** from 0 to 1, in that shape (dimensionless).

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """
    return shifted_angle(c, s, total) / jnp.pi


def theta_pseudospikes(
    c: Float[Array, "..."],
    s: Float[Array, "..."],
    total: Float[Array, "..."],
    numbers: Num[ArrayLike, "..."],
) -> Float[Array, "..."]:
    r"""Pseudospikes $kΘ - H_W(φ)$ of theta neurons, after the end of the trial.

    **Arguments:** of shapes that broadcast: those of `theta_pseudorate`; `numbers`: k, which spike
    beyond the end, where 0 is the last one before it.

    **Returns:** times after the end of the trial, in the broadcast shape (1/ω).

    **Reference:** as `theta_pseudorate`.
    """
    return jnp.asarray(numbers) * jnp.pi - shifted_angle(c, s, total)


def shifted_angle(
    c: Float[Array, "*n"], s: Float[Array, "*n"], weight: Float[Array, "*n"]
) -> Float[Array, "*n"]:
    """The angle in [0, π] to which an input takes the point `(c, s)`."""
    angle = jnp.arctan2(s, c - weight * s)
    # the sine of the rounded π may be negative
    return jnp.where((s < 0) & (c < 0), angle + 2 * jnp.pi, angle)


# ---- QIF neurons with exponential currents ---------------------------------------------------


def qif_pseudospikes(
    n: Float[Array, "..."],
    d: Float[Array, "..."],
    drive: Float[Array, "..."],
    numbers: Num[ArrayLike, "..."],
) -> Float[Array, "..."]:
    r"""Pseudospikes of QIF neurons with exponential currents, after the end of the trial.

    With the positive drive $\tilde I = α \log(1 + e^{x/α})$, α = 10, period and phase are

    $$Θ = π/\sqrt{\tilde I}, \quad φ = (\arctan((V - 1/2)/\sqrt{\tilde I}) + π/2)/\sqrt{\tilde I}.$$

    **Arguments:** of shapes that broadcast: `n`, `d`: the potentials at the end, $V = n/d$ with
    $d ≥ 0$, the limits $±∞$ included; `drive`: $x$, the current at the end plus the summed input
    (voltage); `numbers`: k, which spike beyond the end, where 0 is the last one before it.

    **Returns:** $kΘ - φ$, in the broadcast shape (τ).

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025).
    """
    positive = SOFTNESS * jax.nn.softplus(drive / SOFTNESS)
    # It vanishes for strong inhibition, where root and root³ must stay numbers.
    root = jnp.sqrt(jnp.maximum(positive, jnp.finfo(positive.dtype).tiny ** 0.65))
    return (jnp.asarray(numbers) * jnp.pi - _angle(n, d, root)) / root


def qif_pseudorate(n: Float[Array, "..."], d: Float[Array, "..."]) -> Float[Array, "..."]:
    """What QIF neurons send to others in the pseudodynamics: φ/Θ at zero drive.

    **Arguments:** of the same shape: `n`, `d`: as for `qif_pseudospikes`.

    **Returns:** from 0 to 1, in that shape (dimensionless).

    **Reference:** as `qif_pseudospikes`.
    """
    root = jnp.sqrt(SOFTNESS * jax.nn.softplus(jnp.zeros_like(n)))
    return _angle(n, d, root) / jnp.pi


def _angle(n: Array, d: Array, root: Array) -> Array:
    """The phase as an angle: 0 after a spike, π before the next."""
    return jnp.arctan2(n - d / 2, root * d) + jnp.pi / 2
