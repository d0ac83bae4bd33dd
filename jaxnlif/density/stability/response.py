"""Linear response of populations and of circuits, as transfer functions of the rates."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float, Inexact

from ..._check import check
from ..._module import Module
from ...grid import VoltageGrid
from ...model import Network
from ..stationary._circuit import Circuit
from ._linear import Linear, linearised, passage, state_near


class Response(Module):
    r"""How rates follow modulations $δe^{λt}$ of the drive and of the noise.

    - `drive`: of the rates by the drive (spikes / neuron / time / voltage).
    - `noise`: of the rates by the noise
      (spikes / neuron / time / voltage² × membrane time).

    Of `transfer` the shape is that of λ and `(k,)`, of `response` and `(k, k)`: of population k to
    the input of l.

    **Reference:** as `transfer`.
    """

    drive: Complex[Array, "..."]
    noise: Complex[Array, "..."]


def transfer(
    model: Network,
    grid: VoltageGrid,
    rates: Float[ArrayLike, "..."],
    lam: Inexact[ArrayLike, "..."],
) -> Response:
    r"""Transfer functions of single populations: of $r_k$ to $μ_k$ and $a_k$, without feedback.

    The equation of the voltage grid is linearised, with what rests after a spike, and so are the
    stationary states it is linearised around: they are those of `FluxShift` in short steps. The
    error of the grid is of second order in its spacing: of results x on n and 2n nodes,
    $(4 x_{2n} - x_n)/3$ is better by far. With $λ = iω$ these are the responses to oscillations.

    **Arguments:**

    - `model`: a `Network` with a weight, of populations or of one; drive and noise are constant.
    - `grid`: a `VoltageGrid`; populations with thresholds of their own lie stretched on it.
    - `rates`: stationary rates, as `stationary.circuit_rates` finds them, shape `(k,)`: the state
      on the grid is that near them (spikes / neuron / time).
    - `lam`: λ, complex numbers of any shape `(…)` (1 / time).

    **Returns:** a `Response` of arrays `(…, k)`, differentiable in the model and in λ.

    **Raises:** `ValueError` where an argument breaks its rule, for networks that are no circuit
    with constant input, or if no state of the grid is near `rates`.

    **Reference:** N. Brunel, V. Hakim, *Neural Comput.* 11:1621 (1999); M. J. E. Richardson,
    *Phys. Rev. E* 76:021919 (2007).
    """
    circuit, grid, rates = state_near(model, grid, rates)
    lam = frequencies("lam", lam, grid)
    found = _transfer(grid, circuit, rates, jnp.ravel(lam))
    shape = (*lam.shape, rates.shape[0])
    return Response(*(jnp.reshape(x, shape) for x in found))


def response(
    model: Network,
    grid: VoltageGrid,
    rates: Float[ArrayLike, "..."],
    lam: Inexact[ArrayLike, "..."],
) -> Response:
    r"""Response of the rates of a circuit to modulations of its external drive and noise.

    $$δr = (1 - G)^{-1} (R_μ\,δI + R_a\,δa_0), \qquad
      G_{kl} = D_{kl}(λ)\,(b_{kl} R_{μ,k} + c_{kl} R_{a,k})$$

    with D the transform of delay and synaptic filter. Adaptation takes
    $R_{μ,k}\,A_k/(1 + λ τ_{A,k})$ from $G_{kk}$.

    **Arguments:** as `transfer`.

    **Returns:** a `Response` of arrays `(…, k, k)`: of the rate of k to the input of l.

    **Raises:** as `transfer`.

    **Reference:** as `transfer`.
    """
    circuit, grid, rates = state_near(model, grid, rates)
    lam = frequencies("lam", lam, grid)
    found = _response(grid, circuit, rates, jnp.ravel(lam))
    num = rates.shape[0]
    return Response(*(jnp.reshape(x, (*lam.shape, num, num)) for x in found))


@partial(jax.jit, static_argnums=0)
def _transfer(grid: VoltageGrid, circuit: Circuit, rates: Array, lam: Array) -> tuple[Array, Array]:
    found = passage(linearised(grid, circuit, rates), lam)
    return found.drive, found.noise


@partial(jax.jit, static_argnums=0)
def _response(grid: VoltageGrid, circuit: Circuit, rates: Array, lam: Array) -> tuple[Array, Array]:
    linear = linearised(grid, circuit, rates)
    found = passage(linear, lam)
    feedback = resolvent(linear, found.drive, found.noise, lam)
    return feedback * found.drive[:, None], feedback * found.noise[:, None]


def resolvent(linear: Linear, drive: Array, noise: Array, lam: Array) -> Complex[Array, "l k k"]:
    r"""$(1 - G)^{-1}$."""
    return jnp.linalg.inv(closed(linear, drive, noise, lam))


def closed(
    linear: Linear,
    drive: Complex[Array, "l k"],
    noise: Complex[Array, "l k"],
    lam: Complex[Array, " l"],
) -> Complex[Array, "l k k"]:
    r"""$1 - G$ of responses of single populations."""
    circuit = linear.circuit
    gain = circuit.noise_gain(linear.rates)
    loop = circuit.weight[None] * drive[..., None] + gain[None] * noise[..., None]
    single = jnp.eye(gain.shape[0], dtype=loop.dtype)[None]
    open_ = single - _synapses(circuit, lam) * loop
    if circuit.adaptation is None:
        return open_
    lowered = jax.vmap(circuit.adaptation.transform)(lam)
    return open_ + single * (lowered * drive)[..., None]


def _synapses(circuit: Circuit, lam: Complex[Array, " l"]) -> Complex[Array, "l k k"]:
    """The transform of delays and filters."""
    table = jnp.ones(circuit.weight.shape, lam.dtype)

    def at(lam: Array) -> Array:
        found = table if circuit.delay is None else table * circuit.delay.transform(lam)
        return found if circuit.filter is None else found / (1 + lam * circuit.filter)[None]

    return jax.vmap(at)(lam)


def frequencies(name: str, lam: Any, grid: VoltageGrid) -> Complex[Array, "..."]:
    """Complex numbers in the precision of the grid."""
    array = jnp.asarray(lam)
    check(
        jnp.issubdtype(array.dtype, jnp.number),
        f"{name}: of type {array.dtype}: must be complex numbers",
    )
    check(jnp.all(jnp.isfinite(array)), f"{name}: must be finite")
    return array.astype(jnp.result_type(grid.dtype, jnp.complex64))
