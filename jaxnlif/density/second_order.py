r"""A learning step of second order in time: the weights of a density, before its voltage step.

Columns exchange mass, so that a limiter for each of them would not conserve it. The two-step
formula of backward differences for the weights is therefore a lag of fluxes: with
$ω = Δt_n/Δt_{n-1}$ and $g = ω^2/(1 + 2ω)$, a part g of the flux of the last step is repeated,
and the flux at the end of the step acts for $(1 - g/ω)\,Δt$. Splitting weights from voltages costs
an error of order ε Δt, which is taken out by what the last voltage step changed.

The step is positive and keeps the mass, for every step size and ε.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from .. import _tolerance
from ..grid import Grid
from ..tridiagonal import mmatrix
from ..tridiagonal.sharded import solve_along_weights
from .advection import Courant, advect
from .law import TURNS, refrozen
from .learning_flow import Exchange, LearningFlow, exchange_of
from .limited import divergence, over, positive_sum
from .transport import Learning

_LARGEST_RATIO = 2.0


class LearningPast(eqx.Module):
    r"""What a learning step leaves for the next, besides the density $p^n$.

    - `before`: $p^{n-1}$, `(v, w)`; `weights`: its weight density $H^{n-1}$, `(w,)`.
    - `change`: D, what the last voltage step took away, `(v, w)`; `effective`: the time
      $γ_j$ for which it acted, `(w,)` (learning time).
    - `conditional`, `rate`: rates $r^{n-1}_j = N_j/H_j$, `(w,)`, and network rate $\bar N^{n-1}$.
    - `fluxes`: mass that passed each inner face in the last step, upwards, over the spacing,
      `(faces,)`.
    - `dt`: the length of the last step (learning time); `mass`: that of the run at its beginning.
    - `age`: steps since the start or a jump of the drive; before the first, nothing is known.
    """

    before: Float[Array, "v w"]
    weights: Float[Array, " w"]
    change: Float[Array, "v w"]
    effective: Float[Array, " w"]
    conditional: Float[Array, " w"]
    rate: Float[Array, ""]
    fluxes: Float[Array, " faces"]
    dt: Float[Array, ""]
    mass: Float[Array, ""]
    age: Int[Array, ""]


class MovedWeights(eqx.Module):
    r"""What the weights of a step come to.

    - `density`: $p^*$, with which the voltage step begins, `(v, w)`.
    - `effective`: $γ_j$, `(w,)`: the voltage step is that of $κ_j = ε/γ_j$.
    - `rate`: the network rate extrapolated to the end of the step.
    - `iterations`: how many it took; `converged`: whether they converged.
    - `past`: what was at the beginning of the step, but for the change.
    """

    density: Float[Array, "v w"]
    effective: Float[Array, " w"]
    rate: Float[Array, ""]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]
    past: LearningPast


def start(grid: Grid, density: Float[Array, "v w"]) -> LearningPast:
    """The past of a run that begins with a density."""
    weights = grid.weight_density(density)
    none, zero = jnp.zeros_like(weights), jnp.zeros((), density.dtype)
    return LearningPast(
        before=density,
        weights=weights,
        change=jnp.zeros_like(density),
        effective=none + 1,
        conditional=none,
        rate=zero,
        fluxes=none[1:],
        dt=zero + 1,
        mass=jnp.sum(weights),
        age=jnp.zeros((), jnp.int32),
    )


def restarted(past: LearningPast) -> LearningPast:
    """The past after a jump of the drive, of which nothing is used but the mass."""
    return eqx.tree_at(lambda past: past.age, past, jnp.zeros_like(past.age))


def after(moved: MovedWeights, density: Float[Array, "v w"]) -> LearningPast:
    """The past for the next step, with the density after the voltage step."""
    return eqx.tree_at(lambda past: past.change, moved.past, moved.density - density)


class _Law(eqx.Module):
    """The scalar problem of a step: what the weight density is at its beginning and in the past."""

    flow: LearningFlow
    past: LearningPast
    ratio: Float[Array, ""]
    lag: Float[Array, ""]

    def lags(self) -> Float[Array, " faces"]:
        """The part of each flux of the last step that is repeated, as far as the cell that gives
        has the mass; none beside an empty cell."""
        fluxes, weights = self.past.fluxes, self.flow.weights
        up, down = jnp.maximum(fluxes, 0), jnp.maximum(-fluxes, 0)
        given = self.lag * (jnp.pad(up, (0, 1)) + jnp.pad(down, (1, 0)))
        enough = jnp.where(given > weights, weights, 1) / jnp.where(given > weights, given, 1)
        donor = jnp.where(fluxes > 0, enough[:-1], enough[1:])
        held = weights > self.flow.least()
        return jnp.where(held[:-1] & held[1:], self.lag * donor, 0)

    def solved(self, conditional: Float[Array, " w"]) -> tuple[Exchange, _Lagged]:
        """The exchange at given conditional rates, and how mass of the past moves on."""
        flow, lags = self.flow, self.lags()
        one = jnp.ones(1, lags.dtype)
        repeated = lags * self.past.fluxes
        begin = jnp.maximum(flow.weights - _outflow(repeated), 0)[:, None]
        courant = flow.courant(conditional, 1 - self.lag / self.ratio)
        guess, iterations, converged = self._guess(courant, begin)
        law = flow.law(conditional, 1 - lags / self.ratio)
        found, faces = refrozen(law, begin, guess, flow.machine)
        up, down = faces.exchange(found)
        end = mmatrix.solve(one, up, down, begin, machine=flow.machine)
        through = (up[:-1] * end[:-1] - down[:-1] * end[1:])[:, 0]
        total = jnp.sum(end)
        end = end * (self.past.mass / jnp.where(total > 0, total, 1))
        exchange = Exchange(up, down, end, iterations + TURNS, converged)
        return exchange, _Lagged(begin[:, 0], repeated + through)

    def _guess(self, courant: Courant, begin: Array) -> tuple[Array, Array, Array]:
        """The extrapolated weight density, or that of the upwind law where it is rough."""
        weights, past = self.flow.weights, self.past
        known = past.age > 0
        ahead = jnp.maximum(weights + self.ratio * (weights - past.weights), 0)
        rough = jnp.sum(jnp.abs(ahead - weights)) > 0.5 * jnp.sum(jnp.abs(jnp.diff(weights)))
        fast = jnp.max(jnp.abs(courant.hebbian[:, 0]) * weights) > 1
        fast = fast | (jnp.max(courant.fall + courant.rise, initial=0) > 1)

        def search() -> tuple[Array, Array, Array]:
            found = advect(courant, begin, self.flow.machine)
            return found.weights, found.iterations, found.converged

        def extrapolate() -> tuple[Array, Array, Array]:
            return ahead[:, None], jnp.zeros((), jnp.int32), jnp.ones((), bool)

        return lax.cond(~known | (rough & fast), search, extrapolate)


class _Lagged(NamedTuple):
    """The weight density with the repeated fluxes, and the fluxes of the step."""

    weights: Float[Array, " w"]
    fluxes: Float[Array, " faces"]


def move(
    learning: Learning, past: LearningPast, density: Float[Array, "v w"], *, limited: bool
) -> MovedWeights:
    r"""The weights of a step of second order.

    **Arguments:** `learning`, what moves them, with the rates at the beginning of the step; in the
    first step, those that one voltage step results in; what is `past`; `density` $p^n$, `(v, w)`;
    whether faces are `limited`.

    **Returns:** a `MovedWeights`.
    """
    grid, dt = learning.grid, learning.dt
    known = past.age > 0
    ratio = jnp.where(known, dt / past.dt, 1)
    lag = jnp.where(known & (ratio <= _LARGEST_RATIO), ratio**2 / (1 + 2 * ratio), 0)

    weights = grid.weight_density(density)
    flow = LearningFlow.of(learning, density, limited=limited)
    conditional = flow.conditional(learning.rates)
    trend = jnp.where(past.age > 1, ratio, 0)
    trends = jnp.where(past.weights > flow.least(), trend, 0)
    ahead = jnp.maximum(conditional + trends * (conditional - past.conditional), 0)
    rate = jnp.maximum(learning.rate + trend * (learning.rate - past.rate), 0)
    flow = replace(flow, rates=ahead * weights, rate=rate)
    law = _Law(flow, past, ratio, lag)
    exchange, lagged = exchange_of(flow, learning.firing, density, _Law.solved, law)
    end = exchange.weights[:, 0]

    begin, lags = _lagged(grid, past, density, lagged.weights, lag)
    effective = (1 - lags / ratio) * dt
    kept = jnp.where(known, effective / past.effective, 0) * over(end, weights)
    change = kept[None] * past.change
    carried = [begin, change]
    if limited:
        trend = jnp.where(known, ratio, 0)
        ahead = jnp.maximum(density + trend * (density - past.before), 0)
        carried.append(divergence(grid, exchange, ahead, most=1.0))
    right = jnp.concatenate(carried)
    solved = solve_along_weights(exchange.up, exchange.down, right, learning.machine)
    moved, changed, *left = jnp.split(solved, len(carried))
    # Each limited by itself: slopes at a front must not take the splitting correction away.
    moved = positive_sum(grid, moved, change - changed, end)
    for leaving in left:
        moved = positive_sum(grid, moved, -leaving, end)
    new = LearningPast(
        before=density,
        weights=weights,
        change=past.change,
        effective=effective,
        conditional=conditional,
        rate=learning.rate,
        fluxes=lagged.fluxes,
        dt=dt,
        mass=past.mass,
        age=past.age + 1,
    )
    return MovedWeights(moved, effective, rate, exchange.iterations, exchange.converged, new)


def _lagged(
    grid: Grid,
    past: LearningPast,
    density: Float[Array, "v w"],
    given: Float[Array, " w"],
    lag: Float[Array, ""],
) -> tuple[Float[Array, "v w"], Float[Array, " w"]]:
    r"""The right side of the two-step formula, $c = p^n + g (p^n - p^{n-1})$, and g of each column.

    Profiles change by the formula and masses by fluxes, so that what is multiplied by g has none.
    The limiter leaves out cells that hold next to nothing, where c is clipped.

    **Arguments:** `given`, the weight density with the repeated fluxes.
    """
    weights = grid.weight_density(density)
    begin = over(given, weights, 1.0)[None] * density
    trend = over(past.weights, weights)[None] * density - past.before
    trend = jnp.where(lag > 0, trend, 0)
    little = jnp.finfo(density.dtype).eps ** 0.5 * jnp.max(density, 0, keepdims=True)
    little = jnp.maximum(little, _tolerance.divisor(density.dtype))
    falling = (-lag * trend > begin) & (density > little)
    most = jnp.where(falling, begin, lag) / jnp.where(falling, -trend, 1)
    lags = jnp.minimum(jnp.min(most, 0), lag)
    found = jnp.maximum(begin + lags[None] * trend, 0)
    return found * over(given, grid.weight_density(found), 1.0)[None], lags


def _outflow(fluxes: Float[Array, " faces"]) -> Float[Array, " w"]:
    """What leaves each cell through its faces."""
    return jnp.diff(jnp.pad(fluxes, 1))
