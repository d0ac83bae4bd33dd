r"""First passage from reset to threshold, by the exchange between voltage nodes.

The discretised neuron is a birth–death chain: from node i it moves up at the rate $u_i$ and down at
$d_i$. The time $τ_i$ it takes from node i to i + 1 has the moments

$$⟨τ_i⟩ = \frac{1 + d_i ⟨τ_{i-1}⟩}{u_i}, \qquad
  \mathrm{Var}\,τ_i = \frac{1}{u_i (u_i + d_i)} + \frac{d_i}{u_i} \mathrm{Var}\,τ_{i-1}
    + \frac{d_i}{u_i + d_i} (⟨τ_{i-1}⟩ + ⟨τ_i⟩)^2$$

and the Laplace transform $1 - g_i(λ)$ with $g_i = (λ + d_i g_{i-1}) / (λ + u_i + d_i g_{i-1})$. An
interval between spikes is the sum over the nodes from reset to threshold. Nothing is subtracted in
these recursions, so that every moment is accurate to rounding at any noise.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float

from ..grid import VoltageGrid
from ..model import AbstractMembrane
from .bernoulli import bernoulli


class Moments(NamedTuple):
    """Mean (membrane time) and variance (membrane time²) of interspike intervals."""

    mean: Float[Array, "..."]
    variance: Float[Array, "..."]

    @property
    def cv(self) -> Float[Array, "..."]:
        """Coefficient of variation (dimensionless)."""
        return jnp.sqrt(self.variance) / self.mean


_Way = tuple[Array, Array, Array, Moments]
"""The rate down from a node, mean and variance of the time from the one below, sums so far."""


def interval_moments(
    grid: VoltageGrid,
    membrane: AbstractMembrane,
    drive: Float[Array, "..."],
    noise: Float[Array, "..."],
    *,
    refine: int = 1,
    wall: bool = True,
) -> Moments:
    r"""Mean and variance of the intervals of neurons with constant input.

    **Arguments:** `grid`; `membrane`; input μ (voltage) and noise a (voltage² / membrane time), of
    shapes that broadcast; `refine`, into how many parts each cell of the grid is divided; `wall`,
    whether the grid ends at its lowest node, or neurons may go below and return, which is
    approximated.
    **Returns:** the moments, of the shape of μ; infinite where they exceed the range of the dtype.
    """
    below = None
    if not wall:
        # From the node below to the lowest: h ψ/a, and 2h ψ³/a² for a slowly varying ψ.
        psi = tail_length(grid, membrane, drive, noise)
        step = grid.spacing / (refine * noise)
        below = step * psi, 2 * step * psi**3 / noise
    return moments(membrane, *_numbers(grid, refine), drive, noise, below)


def tail_length(
    grid: VoltageGrid,
    membrane: AbstractMembrane,
    drive: Float[Array, "..."],
    noise: Float[Array, "..."],
) -> Float[Array, "..."]:
    r"""$ψ = ∫_{-∞}^{V_{min}} e^{φ(V_{min}) - φ(v)} dv$ with $φ' = -(f + μ)/a$: mass over density.

    With the drift $D = f(V_{min}) + μ$ and its slope $-λ$ there, the density below is Gaussian or,
    for λ = 0, exponential, and $ψ = 4a / (3D + \sqrt{D^2 + 8aλ})$ by Sampford's bound on Mills'
    ratio, which is good to 2 % for $D > \sqrt{aλ}$ and not used below $-\sqrt{aλ}/2$.

    **Arguments:** input μ and noise a, of shapes that broadcast. **Returns:** ψ (voltage).

    **Reference:** M. R. Sampford, *Ann. Math. Stat.* 24:130 (1953).
    """
    lowest = jnp.asarray(grid.minimum, grid.dtype)
    own, slope = (
        jnp.broadcast_to(x, jnp.shape(drive))
        for x in jax.jvp(membrane.drift, (lowest,), (jnp.ones_like(lowest),))
    )
    spread = noise * jnp.maximum(-slope, 0)
    deviation = jnp.sqrt(noise)
    least = jnp.where(spread > 0, -0.5 * jnp.sqrt(spread), 1e-6 * deviation)
    drift = jnp.clip(drive + own, least, 1e6 * deviation)
    return 4 * noise / (3 * drift + jnp.sqrt(drift * drift + 8 * spread))


def moments(
    membrane: AbstractMembrane,
    minimum: float | Array,
    h: float | Array,
    first: int | Array,
    num: int | Array,
    drive: Array,
    noise: Array,
    below: tuple[Array, Array] | None = None,
) -> Moments:
    """The same for a grid given by its numbers: lowest node, spacing, index of reset, nodes; and
    mean and variance of the time it takes to the lowest node from the one below, if there is one.

    They may be traced, so that another grid is not another function; derivatives in reverse mode
    need a known `num`.
    """

    def up_one_node(node: Array, carry: _Way) -> _Way:
        down, time, spread, total = carry
        up, down_next = _exchange(membrane, minimum, h, node, drive, noise)
        new_time = (1 + down * time) / up
        new_spread = 1 / (up * (up + down)) + down / up * spread
        new_spread = new_spread + down / (up + down) * (time + new_time) ** 2
        mean = total.mean + jnp.where(node >= first, new_time, 0)
        variance = total.variance + jnp.where(node >= first, new_spread, 0)
        return down_next, new_time, new_spread, Moments(mean, variance)

    none = jnp.zeros_like(drive)
    down, time, spread = none, none, none
    if below is not None:
        down = _exchange(membrane, minimum, h, -1, drive, noise)[1]
        time, spread = (none + x for x in below)
    begin = down, time, spread, Moments(none, none)
    return lax.fori_loop(0, num, up_one_node, begin)[-1]


def interval_transform(
    grid: VoltageGrid,
    membrane: AbstractMembrane,
    frequency: Complex[Array, "..."],
    drive: Float[Array, ""],
    noise: Float[Array, ""],
    *,
    refine: int = 1,
) -> Complex[Array, "..."]:
    r"""The Laplace transform $⟨e^{-λT}⟩$ of the interval T of a neuron with constant input.

    **Arguments:** as `interval_moments`, for one neuron; `frequency`, λ (1 / membrane time).
    **Returns:** the transform, of the shape of λ (dimensionless).
    """
    minimum, h, first, num = _numbers(grid, refine)

    def up_one_node(node: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        down, below, total = carry
        up, down_next = _exchange(membrane, minimum, h, node, drive, noise)
        stays = frequency + down * below
        new = up / (stays + up)
        return down_next, stays / (stays + up), jnp.where(node >= first, total * new, total)

    begin = jnp.zeros_like(drive), jnp.zeros_like(frequency), jnp.ones_like(frequency)
    return lax.fori_loop(0, num, up_one_node, begin)[-1]


def _numbers(grid: VoltageGrid, refine: int) -> tuple[float, float, int, int]:
    return grid.minimum, grid.spacing / refine, grid.reset_index * refine, grid.num * refine


def _exchange(
    membrane: AbstractMembrane,
    minimum: float | Array,
    h: float | Array,
    node: int | Array,
    drive: Array,
    noise: Array,
) -> tuple[Array, Array]:
    """The rates from a node to the next one and back."""
    interface = jnp.asarray(minimum + h * (node + 0.5), drive.dtype)
    force = jnp.broadcast_to(membrane.drift(interface), jnp.shape(drive))
    peclet = (drive + force) * (h / noise)
    return noise / h**2 * bernoulli(-peclet), noise / h**2 * bernoulli(peclet)
