r"""The discretised equation of circuits, linearised around a stationary state on a voltage grid.

With the operator A that moves mass m between nodes, κ = λ ε τ, and a modulation of the input,

$$(κ + A)\,δm = -δA\,m_0 + e_R\,e^{-λ τ_{ref}}\,δN, \qquad
  \sum δm + δN\,\frac{1 - e^{-λ τ_{ref}}}{κ} = 0$$

The second equation, that no neuron is lost, stands in place of that for the flux through the
threshold: it is as good at λ = 0, where the flux determines nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Complex, Float

from ..._check import check
from ..._module import Module
from ...grid import Grid, VoltageGrid
from ..cells import Inputs, exchange_rates
from ..passage import moments
from ..stationary._circuit import Circuit, circuit_of
from ..stationary._roots import raise_if
from ..stationary._system import known_vector, newton_vector
from ..stationary.circuit import log_guess

_LARGEST_STEP = 1.0


class Linear(Module):
    r"""Populations around a stationary state: exchange rates and what modulations move.

    - `rates`: $r_k$ on the grid, shape `(k,)`.
    - `up`, `down`: exchange between nodes, `(v, k)` (1 / membrane time).
    - `sources`: the reset node, and $-∂_μ A\,m_0$ and $-∂_a A\,m_0$, shape `(v, 3, k)`.
    """

    circuit: Circuit
    rates: Float[Array, " k"]
    up: Float[Array, "v k"]
    down: Float[Array, "v k"]
    sources: Float[Array, "v 3 k"]


class Passage(Module):
    r"""What one elimination per frequency gives, shape `(λ, k)` each.

    - `drive`, `noise`: responses of the rates $r_k$ to $δμ_k$ and $δa_k$.
    - `lost`: $(1 - F)/κ$, with F the transform of the intervals between spikes.
    """

    drive: Complex[Array, "l k"]
    noise: Complex[Array, "l k"]
    lost: Complex[Array, "l k"]


def given(model: Any, grid: Any) -> tuple[Circuit, VoltageGrid]:
    """The circuit in the numbers of the grid, whose threshold and reset hold by default."""
    grid = voltages(grid)
    ends = {"threshold": grid.threshold, "reset": grid.reset}
    return circuit_of(model, **ends, dtype=grid.dtype), grid


def voltages(grid: Any) -> VoltageGrid:
    """The voltage grid that is given."""
    grid = grid.v if isinstance(grid, Grid) else grid
    check(
        isinstance(grid, VoltageGrid), f"grid = {type(grid).__name__}: must be a VoltageGrid here"
    )
    return grid


def state_near(model: Any, grid: Any, rates: Any) -> tuple[Circuit, VoltageGrid, Array]:
    """The circuit and the grid, and the rates of its stationary state on that near these rates."""
    circuit, grid = given(model, grid)
    log_rates, found = log_state(grid, circuit, log_guess("rates", rates, circuit))
    log_rates = raise_if(~found, log_rates, "rates: no stationary state on the grid near them")
    return circuit, grid, jnp.exp(log_rates)


@partial(jax.jit, static_argnums=0)
def log_state(
    grid: VoltageGrid, circuit: Circuit, start: Float[Array, " k"]
) -> tuple[Float[Array, " k"], Bool[Array, ""]]:
    """Logarithms of the rates of a state on the grid, as functions of the circuit, and whether
    they are."""
    fixed = jax.tree.map(lax.stop_gradient, circuit)
    largest = jnp.full_like(start, _LARGEST_STEP)
    start = lax.stop_gradient(start)
    log_rates, found = newton_vector(partial(log_excess, grid, fixed), start, largest)
    return known_vector(partial(log_excess, grid, circuit), log_rates), found


def log_excess(
    grid: VoltageGrid, circuit: Circuit, log_rates: Float[Array, " k"]
) -> Float[Array, " k"]:
    r"""$\log r_k - \log Φ_k$, with Φ of the first passages on the grid."""
    stretch = _stretch(grid, circuit)
    lowest = circuit.reset - stretch * (grid.reset - grid.minimum)
    drive, noise = circuit.inputs(jnp.exp(log_rates))
    mean = moments(
        circuit.membrane,
        lowest,
        grid.spacing * stretch,
        grid.reset_index,
        grid.num,
        drive,
        noise,
    ).mean
    interval = circuit.rate_time * (mean + circuit.rest_in_membrane_times)
    return log_rates + jnp.log(interval)


def linearised(grid: VoltageGrid, circuit: Circuit, rates: Float[Array, " k"]) -> Linear:
    """The linearisation around the stationary state with these rates."""
    drive, noise = circuit.inputs(rates)
    ones = jnp.ones_like(drive)
    cells = partial(_exchange, grid, circuit)
    (up, down), by_drive = jax.jvp(lambda x: cells(x, noise), (drive,), (ones,))
    by_noise = jax.jvp(lambda x: cells(drive, x), (noise,), (ones,))[1]
    mass = _masses(grid, up, down, circuit.rate_time * rates)
    above = jnp.concatenate([mass[1:], jnp.zeros_like(mass[:1])])

    def source(change: tuple[Array, Array]) -> Array:
        flux = change[0] * mass - change[1] * above
        return jnp.concatenate([-flux[:1], flux[:-1] - flux[1:]])

    at_reset = np.arange(grid.num)[:, None] == grid.reset_index
    at_reset = jnp.broadcast_to(jnp.asarray(at_reset, mass.dtype), mass.shape)
    sources = jnp.stack([at_reset, source(by_drive), source(by_noise)], axis=1)
    return Linear(circuit, rates, up, down, sources)


def passage(linear: Linear, lam: Complex[Array, " l"]) -> Passage:
    r"""The responses of the rates at complex frequencies λ, shape `(λ,)`."""
    circuit = linear.circuit
    tiny = jnp.finfo(linear.rates.dtype).eps ** 2
    lam = (lam + tiny)[:, None]
    kappa = lam * circuit.membrane_time[None]
    held, drive, noise = _remaining(linear, kappa)
    rest = circuit.rest[None]
    resting = circuit.rest_in_membrane_times[None] * _mean_exponential(lam * rest)
    lost = resting + jnp.exp(-lam * rest) * held
    response = -1 / (circuit.rate_time[None] * lost)
    return Passage(response * drive, response * noise, lost)


def _remaining(linear: Linear, kappa: Complex[Array, "l k"]) -> Complex[Array, "3 l k"]:
    r"""$\sum_j x_j$ of $(κ + A)\,x = s$ for all sources, by one sweep up without a way back.

    With the excesses $e_0 = 1$, $e_{j+1} = 1 + down_{j+1} e_j / d_j$ and the pivots
    $d_j = κ e_j + up_j$ the sum is that of $e_j y_j$, $y_j = (s_j + up_{j-1} y_{j-1}) / d_j$.
    """

    def row(carry: tuple[Array, Array, Array], rows: tuple[Array, Array, Array]) -> Any:
        excess, entering, total = carry
        up, down, source = rows
        inverse = 1 / (kappa * excess + up[None])
        y = (source[:, None] + entering) * inverse[None]
        total = total + excess[None] * y
        return (1 + down[None] * excess * inverse, up[None, None] * y, total), None

    zero = jnp.zeros((3, *kappa.shape), kappa.dtype)
    start = jnp.ones_like(kappa), zero, zero
    return lax.scan(row, start, (linear.up, linear.down, linear.sources))[0][2]


def _masses(
    grid: VoltageGrid, up: Float[Array, "v k"], down: Float[Array, "v k"], flux: Float[Array, " k"]
) -> Float[Array, "v k"]:
    """The mass at each node, by which `flux` goes up from the reset node on."""

    def row(above: Array, rows: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        up, down, goes = rows
        mass = (goes * flux + down * above) / up
        return mass, mass

    goes = jnp.asarray(np.arange(grid.num) >= grid.reset_index, up.dtype)
    return lax.scan(row, jnp.zeros_like(flux), (up, down, goes), reverse=True)[1]


def _exchange(
    grid: VoltageGrid, circuit: Circuit, drive: Float[Array, " k"], noise: Float[Array, " k"]
) -> tuple[Float[Array, "v k"], Float[Array, "v k"]]:
    """The exchange of neurons that lie stretched on the grid."""
    stretch = _stretch(grid, circuit)
    from_reset = jnp.asarray(grid.interfaces - grid.reset, grid.dtype)[:, None]
    force = circuit.membrane.drift(circuit.reset[None] + stretch[None] * from_reset)
    force = force / stretch[None]
    extremes = jnp.stack([force[0], force[-1]])
    kappa = jnp.zeros_like(drive)
    inputs = Inputs(kappa, noise / stretch**2, force, extremes, drive / stretch)
    return exchange_rates(grid, inputs)


def _stretch(grid: VoltageGrid, circuit: Circuit) -> Float[Array, " k"]:
    """How many units of the populations' voltages one of the grid is."""
    return (circuit.threshold - circuit.reset) / (grid.threshold - grid.reset)


def _mean_exponential(x: Complex[Array, "..."]) -> Complex[Array, "..."]:
    r"""$(1 - e^{-x})/x$."""
    small = jnp.abs(x) < 0.03
    series = jnp.zeros_like(x)
    for k in range(8, 0, -1):
        series = (1 - jnp.where(small, x, 0) * series) / k
    x = jnp.where(small, 1, x)
    return jnp.where(small, series, (1 - jnp.exp(-x)) / x)
