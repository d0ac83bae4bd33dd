r"""When to change between the density and particles.

A switch computes one number from the state, compares it with an upper and a lower threshold
(hysteresis), and asks that it has stayed below the lower one for a dwell time before the density
takes over again.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check, check_positive, check_scalar
from .._module import Module
from ..grid import Grid
from ..model._leaf import leaf
from ..model.synapse import visible_jump


class AbstractSwitch(Module):
    """Particles from `up` on; the density again after a `dwell` time below `down`.

    **Arguments** of the methods:

    - `grid`: the `Grid` of the run.
    - `rate`: network rate (spikes / neuron / membrane time).
    - `kick`: how far potentials jump for each unit of mass that fires, shape `(w,)` for a density,
      a number or `(m,)` for particles (voltage).
    """

    up: eqx.AbstractVar[Float[Array, ""]]
    down: eqx.AbstractVar[Float[Array, ""]]
    dwell: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def of_density(
        self,
        grid: Grid,
        density: Float[Array, "v w"],
        rate: Float[Array, ""],
        kick: Float[Array, " w"],
    ) -> Float[Array, ""]:
        """The number that decides, from a density, in the unit of `up` and `down`.

        **Arguments:** `density`, shape `(v, w)` (1 / voltage / weight).
        """

    @abc.abstractmethod
    def of_particles(
        self,
        grid: Grid,
        potentials: Float[Array, " m"],
        rate: Float[Array, ""],
        kick: Float[Array, "#m"],
    ) -> Float[Array, ""]:
        """The number that decides, from particles, in the unit of `up` and `down`.

        **Arguments:** `potentials`, shape `(m,)` (voltage).
        """

    def _check_thresholds(self) -> None:
        for name in ("up", "down", "dwell"):
            check_scalar(name, getattr(self, name))
            check_positive(name, getattr(self, name), allow_zero=name == "dwell")
        check(
            float(self.down) < float(self.up),
            f"down = {float(self.down):g}: must be less than up = {float(self.up):g}, "
            "or the descriptions would change at every step",
        )


class RateSwitch(AbstractSwitch):
    """Changes at a firing rate.

    **Arguments:** `up`, `down`: rates (spikes / neuron / membrane time); `dwell`: time below
    `down` before the density takes over again (learning time).

    **Raises:** `ValueError` unless 0 < `down` < `up` and `dwell` ≥ 0.

    **Reference:** Z. Du, Y. Xie, Z. Zhou, arXiv 2305.05915 (2023).
    """

    up: Float[Array, ""] = eqx.field(converter=leaf("up"), default=3.0)
    down: Float[Array, ""] = eqx.field(converter=leaf("down"), default=1.0)
    dwell: Float[Array, ""] = eqx.field(converter=leaf("dwell"), default=0.02)

    def __check_init__(self):
        self._check_thresholds()

    def of_density(
        self,
        grid: Grid,
        density: Float[Array, "v w"],
        rate: Float[Array, ""],
        kick: Float[Array, " w"],
    ) -> Float[Array, ""]:
        return rate

    def of_particles(
        self,
        grid: Grid,
        potentials: Float[Array, " m"],
        rate: Float[Array, ""],
        kick: Float[Array, "#m"],
    ) -> Float[Array, ""]:
        return rate


class CascadeSwitch(AbstractSwitch):
    r"""Changes when a cascade can carry itself, whatever the mesh and the rate.

    With $x$ a tenth of $V_F - V_R$ and $G_j(x)$ the mass within $x$ of the threshold, the number is
    the gain $\sum_j k_j^+ G_j(x)/x$: how many neurons each neuron that fires makes fire, on average
    over the depth $x$. A cascade grows where it exceeds 1.

    **Arguments:** `up`, `down`: gains (dimensionless); `dwell`: time below `down` before the
    density takes over again (learning time).

    **Raises:** `ValueError` unless 0 < `down` < `up` and `dwell` ≥ 0.

    **Reference:** jaxnlif's.
    """

    up: Float[Array, ""] = eqx.field(converter=leaf("up"), default=0.3)
    down: Float[Array, ""] = eqx.field(converter=leaf("down"), default=0.1)
    dwell: Float[Array, ""] = eqx.field(converter=leaf("dwell"), default=0.02)

    def __check_init__(self):
        self._check_thresholds()

    def of_density(
        self,
        grid: Grid,
        density: Float[Array, "v w"],
        rate: Float[Array, ""],
        kick: Float[Array, " w"],
    ) -> Float[Array, ""]:
        # Cells within the depth whole, the one at its end in part; that at V_F is half a cell.
        cells = jnp.asarray((grid.v.threshold - grid.v.nodes) / grid.v.spacing, grid.dtype)
        share = jnp.clip(self._depth(grid) / grid.v.spacing - cells + 0.5, 0, 1)
        near = share @ density * grid.v.spacing
        return jnp.sum(jnp.maximum(kick, 0) * near) * grid.weight_spacing / self._depth(grid)

    def of_particles(
        self,
        grid: Grid,
        potentials: Float[Array, " m"],
        rate: Float[Array, ""],
        kick: Float[Array, "#m"],
    ) -> Float[Array, ""]:
        near = potentials > grid.v.threshold - self._depth(grid)
        return jnp.mean(jnp.maximum(kick, 0) * near) / self._depth(grid)

    @staticmethod
    def _depth(grid: Grid) -> float:
        return visible_jump(grid.v.threshold - grid.v.reset)
