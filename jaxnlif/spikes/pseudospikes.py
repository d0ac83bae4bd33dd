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
networks, arXiv 2309.14523 (2025); the self-consistent pseudorates of recurrent theta networks are
jaxnlif's.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Num

SOFTNESS = 10.0
"""How softly the pseudodynamics of QIF neurons makes a drive positive (α in the reference)."""

_STAGES, _ITERATIONS = 8, 50
"""Of the continuation in the strength of the coupling, and of Newton's method in each."""


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


def theta_pseudorates(
    c: Float[Array, " n"], s: Float[Array, " n"], weights: Float[Array, "n n"]
) -> Float[Array, " n"]:
    r"""The pseudorates of a recurrent network, $r_i = H_{(Wr)_i}(φ_i)/Θ$ for all neurons at once.

    Kicks add up: with the spike of a neuron at the end of the trial its pseudorate falls from 1 to
    0 and the potentials of the others jump by what they received from it, so that the solution
    stays a solution. It is the only one where no neuron hears weights of more than π in total
    (absolute values); with stronger weights there may be others, and spike times may jump where a
    spike passes the end. The one that is found is continued from that of a network without
    coupling; NaN where none is found. Its derivative is that of the implicit function.

    **Arguments:** `c`, `s`: cosine and sine of $ωφ$, the state at the end, shape `(n,)`; `weights`:
    from neuron j to neuron i at `[i, j]`, shape `(n, n)` (q).

    **Returns:** from 0 to 1, shape `(n,)` (dimensionless).

    **Reference:** jaxnlif's, after `theta_pseudorate`.
    """

    def excess(
        rates: Float[Array, " n"], share: Float[Array, ""] | float = 1.0
    ) -> Float[Array, " n"]:
        return rates - theta_pseudorate(c, s, share * (weights @ rates))

    strength = 1 + jnp.max(jnp.sum(jnp.abs(weights), 1))
    tolerance = 8 * jnp.finfo(c.dtype).eps * strength

    def stage(k: Int[Array, ""], rates: Float[Array, " n"]) -> Float[Array, " n"]:
        return _newton(lambda x: excess(x, (k + 1) / _STAGES), rates, tolerance)

    rates = lax.fori_loop(0, _STAGES, stage, theta_pseudorate(c, s, jnp.zeros_like(c)))
    rates = lax.stop_gradient(rates)
    found = lax.stop_gradient(jnp.max(jnp.abs(excess(rates))) <= tolerance)

    # Where none is found the stand-in has a slope, so that what does not need them keeps its own.
    rates = lax.custom_root(
        lambda x: jnp.where(found, excess(x), x - rates),
        rates,
        lambda _, start: start,
        lambda linear, y: jnp.linalg.solve(jax.jacfwd(linear)(y), y),
    )
    return jnp.where(found, rates, jnp.nan)


def shifted_angle(
    c: Float[Array, "*n"], s: Float[Array, "*n"], weight: Float[Array, "*n"]
) -> Float[Array, "*n"]:
    """The angle in [0, π] to which an input takes the point `(c, s)`."""
    angle = jnp.arctan2(s, c - weight * s)
    # the sine of the rounded π may be negative
    return jnp.where((s < 0) & (c < 0), angle + 2 * jnp.pi, angle)


def _newton(
    function: Callable[[Array], Array], start: Float[Array, " n"], tolerance: Array
) -> Float[Array, " n"]:
    """A zero of the function near `start`, by Newton steps that shrink until they help.

    Where they no longer do, what they have come to. `optimistix.Newton` does not shorten its steps,
    and with strong weights finds other solutions than those that the continuation leads to.
    """

    def size(x: Float[Array, " n"]) -> Float[Array, ""]:
        return jnp.max(jnp.abs(function(x)))

    def step(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        x, share, now, n = carry
        change = jnp.linalg.solve(jax.jacfwd(function)(x), function(x))
        tried = jnp.clip(x - share * change, 0, 1)
        then = size(tried)
        better = then < now
        return (
            jnp.where(better, tried, x),
            jnp.where(better, jnp.minimum(2 * share, 1), share / 2),
            jnp.where(better, then, now),
            n + 1,
        )

    def unfinished(carry: tuple[Array, Array, Array, Array]) -> Bool[Array, ""]:
        return (carry[2] > tolerance) & (carry[3] < _ITERATIONS)

    begin = start, jnp.ones((), start.dtype), size(start), jnp.zeros((), jnp.int32)
    return lax.while_loop(unfinished, step, begin)[0]


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
