r"""Spectra of finite circuits by linear response, and of single neurons as renewal processes.

**Reference:** B. Lindner, B. Doiron, A. Longtin, Phys. Rev. E 72:061919 (2005).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float, Real

from ..._check import check, check_finite, check_positive
from ...grid import VoltageGrid
from ...model import Network
from ..stationary._circuit import Circuit
from ._linear import linearised, passage, state_near
from .response import resolvent


def spectrum(
    model: Network,
    grid: VoltageGrid,
    rates: Float[ArrayLike, "..."],
    sizes: Real[ArrayLike, "..."] | tuple[int, ...],
    omega: Real[ArrayLike, "..."],
) -> Complex[Array, "..."]:
    r"""Power spectra and cross-spectra of the rates of finite populations, by linear response.

    $$C(ω) = (1 - G)^{-1}\, \mathrm{diag}(C^0_k/M_k)\, (1 - G)^{-†}$$

    with $C^0$ of `neuron_spectrum` and $G(iω)$ of `response`: two-sided, as
    $∫⟨δr_k(t + s)\,δr_l(t)⟩\,e^{-iωs}\,ds$. It holds for large populations whose stationary state
    is stable, which `eigenvalues` tell.

    **Arguments:** those of `transfer` without λ, and

    - `sizes`: the numbers of neurons $M_k > 0$, one for all or shape `(k,)` (dimensionless).
    - `omega`: angular frequencies ω, any shape `(…)` (1 / time).

    **Returns:** shape `(…, k, k)`, Hermitian; the power spectra are its diagonal
    (spikes² / neuron² / time).

    **Raises:** as `transfer`.

    **Reference:** B. Lindner, B. Doiron, A. Longtin, *Phys. Rev. E* 72:061919 (2005).
    """
    circuit, grid, rates = state_near(model, grid, rates)
    num = rates.shape[0]
    check(
        np.shape(sizes) in ((), (num,)),
        f"sizes: of shape {np.shape(sizes)}: must be ({num},), one for each population",
    )
    check_positive("sizes", sizes)
    sizes = jnp.broadcast_to(jnp.asarray(sizes, grid.dtype), (num,))
    omega = _angular(omega, grid)
    found = _spectrum(grid, circuit, rates, sizes, jnp.ravel(omega))
    return jnp.reshape(found, (*omega.shape, num, num))


def neuron_spectrum(
    model: Network,
    grid: VoltageGrid,
    rates: Float[ArrayLike, "..."],
    omega: Real[ArrayLike, "..."],
) -> Float[Array, "..."]:
    r"""The power spectrum of the spikes of one neuron of each population, a renewal process.

    $$C^0 = r\,\frac{1 - |F|^2}{|1 - F|^2}, \qquad F = ⟨e^{-iωT}⟩$$

    with T the interval between spikes. At ω = 0 it is $r\,\mathrm{CV}^2$, and r far above.

    **Arguments:** those of `transfer` without λ, and `omega`: as in `spectrum`.

    **Returns:** shape `(…, k)` (spikes² / neuron² / time).

    **Raises:** as `transfer`.

    **Reference:** D. R. Cox, *Renewal Theory* (1962).
    """
    circuit, grid, rates = state_near(model, grid, rates)
    omega = _angular(omega, grid)
    found = _neuron_spectrum(grid, circuit, rates, jnp.ravel(omega))
    return jnp.reshape(found, (*omega.shape, rates.shape[0]))


def interval_cv(
    model: Network, grid: VoltageGrid, rates: Float[ArrayLike, "..."]
) -> Float[Array, " k"]:
    r"""The coefficients of variation of the intervals between spikes, $C^0(0) = r\,\mathrm{CV}^2$.

    **Arguments:** those of `transfer` without λ.

    **Returns:** shape `(k,)` (dimensionless). `statistics.intervals` has the distribution.

    **Raises:** as `transfer`.

    **Reference:** as `neuron_spectrum`.
    """
    circuit, grid, rates = state_near(model, grid, rates)
    at_zero = _neuron_spectrum(grid, circuit, rates, jnp.zeros(1, grid.dtype))[0]
    return jnp.sqrt(at_zero / rates)


@partial(jax.jit, static_argnums=0)
def _neuron_spectrum(grid: VoltageGrid, circuit: Circuit, rates: Array, omega: Array) -> Array:
    lam = _imaginary(circuit, omega)
    return _renewal(circuit, rates, lam, passage(linearised(grid, circuit, rates), lam).lost)


@partial(jax.jit, static_argnums=0)
def _spectrum(
    grid: VoltageGrid, circuit: Circuit, rates: Array, sizes: Array, omega: Array
) -> Array:
    linear, lam = linearised(grid, circuit, rates), _imaginary(circuit, omega)
    found = passage(linear, lam)
    feedback = resolvent(linear, found.drive, found.noise, lam)
    own = _renewal(circuit, rates, lam, found.lost) / sizes[None]
    return jnp.einsum("okm,om,olm->okl", feedback, own.astype(feedback.dtype), feedback.conj())


def _renewal(
    circuit: Circuit, rates: Array, lam: Complex[Array, " o"], lost: Complex[Array, "o k"]
) -> Float[Array, "o k"]:
    r"""$r (1 - |F|^2)/|1 - F|^2 = r\,(2\,\mathrm{Re}\,(1 - F)^{-1} - 1)$."""
    left = lam[:, None] * circuit.membrane_time[None] * lost  # 1 - F
    return rates[None] * (2 * jnp.real(1 / left) - 1)


def _imaginary(circuit: Circuit, omega: Array) -> Complex[Array, " o"]:
    """iω, with a frequency in the place of 0 that is low enough to be the limit."""
    low = jnp.finfo(omega.dtype).eps ** 0.4 / jnp.max(circuit.membrane_time)
    omega = jnp.where(jnp.abs(omega) < low, low, omega)
    return jax.lax.complex(jnp.zeros_like(omega), omega)


def _angular(omega: Any, grid: VoltageGrid) -> Float[Array, "..."]:
    check_finite("omega", omega)
    return jnp.asarray(omega, grid.dtype)
