"""Where the density lives: voltage nodes, weight cells, and their product."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.dtypes
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._check import check, check_finite, check_integer, check_positive, check_scalar, is_concrete
from ._module import Module
from ._quantity import brief

_SEARCHED = 100_000
"""How far from a number of nodes that does not work others are looked for."""

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _resolve_dtype(dtype: Any) -> np.dtype:
    """The floating dtype asked for, or JAX's default."""
    default = np.dtype(jax.dtypes.canonicalize_dtype(np.float64))
    if dtype is None or dtype is float:
        return default
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise ValueError(f"dtype = {brief(dtype)}: must be float32 or float64") from None
    check(wanted in _DTYPES, f"dtype = {wanted.name}: must be float32 or float64")
    enabled = wanted.itemsize <= default.itemsize
    check(enabled, "dtype = float64: needs jax.config.update('jax_enable_x64', True)")
    return wanted


def _check_places(**places: object) -> None:
    """Requires single finite numbers that are not traced: no grid has a derivative in them."""
    for name, value in places.items():
        check(
            is_concrete(value),
            f"{name}: is traced, but a grid is fixed; differentiate the network instead: with "
            "v = s x + m, drive (I - m) / s, noise a / s², noise_slope / s² and weight b / s on "
            "one grid have the threshold s V_F + m and the reset s V_R + m",
        )
        check_scalar(name, value)
        check_finite(name, value)


def _check_distinct(num: int, spacing: float, ends: tuple[float, float], dtype: np.dtype) -> None:
    """Requires that numbers of a type tell neighbours on an axis apart."""
    resolved = 2 * float(np.finfo(dtype).eps) * max(map(abs, ends))
    check(
        np.isfinite(spacing) and spacing > max(resolved, float(np.finfo(dtype).tiny)),
        f"num = {num}: a spacing of {spacing:.3g} between {ends[0]:g} and {ends[1]:g} "
        f"is none that {dtype.name} resolves",
    )


class VoltageGrid(Module):
    """Uniform membrane-potential nodes $v_i = V_{min} + i h$, $i = 0, …, n-1$.

    The threshold $V_F = V_{min} + n h$ carries no unknown, because $p(V_F) = 0$. The reset
    potential must be a node: the flux that leaves at threshold re-enters exactly there.

    **Arguments:**

    - `minimum`: lower end $V_{min}$ of the grid, where the flux vanishes (voltage).
    - `threshold`: firing threshold $V_F$ (voltage).
    - `reset`: reset potential $V_R$, `minimum < reset < threshold` (voltage).
    - `num`: number of nodes $n$.
    - `dtype`: floating-point type of everything computed on this grid; JAX's default if `None`.

    **Raises:** `ValueError` if the ends are not finite, out of order or traced, `num` is not an
    integer above 1, `dtype` is not float32 or float64, its numbers do not tell the nodes apart, or
    `reset` is no node (the message lists the nearest `num` that work).
    """

    minimum: float = eqx.field(static=True)
    threshold: float = eqx.field(static=True)
    reset: float = eqx.field(static=True)
    num: int = eqx.field(static=True)
    dtype: np.dtype = eqx.field(static=True)

    def __init__(
        self,
        minimum: float | int,
        threshold: float | int,
        *,
        reset: float | int,
        num: int,
        dtype: Any = None,
    ):
        _check_places(minimum=minimum, threshold=threshold, reset=reset)
        self.minimum, self.threshold, self.reset = float(minimum), float(threshold), float(reset)
        self.num = check_integer("num", num, at_least=2)
        self.dtype = _resolve_dtype(dtype)
        check(
            self.minimum < self.reset < self.threshold,
            f"reset = {reset}: must lie strictly between minimum = {minimum} "
            f"and threshold = {threshold}",
        )
        if not self._reset_is_node(np.array([self.num])).all():
            raise ValueError(
                f"num = {num}: reset = {reset} is no node of this grid; "
                f"nearest num that work: {self._working_nums()}"
            )
        _check_distinct(self.num, self.spacing, (self.minimum, self.threshold), self.dtype)

    @classmethod
    def for_model(
        cls,
        model: Any,
        rtol: float = 1e-3,
        *,
        threshold: float | int = 2.0,
        reset: float | int = 1.0,
        w: WeightGrid | None = None,
        t0: float = 0.0,
        t1: float | None = None,
        dtype: Any = None,
    ) -> VoltageGrid:
        """The grid that a network needs: low enough, and fine enough for its noise.

        On it the stationary rates of the neurons err by at most `rtol`, and the coefficients of
        variation of their intervals by ten times that. The initial density must fit as well, and
        what the network does far from its stationary states. Of populations it resolves each, in
        all stationary states that `stationary.circuit_rates` finds.

        **Arguments:**

        - `model`: a `Network`; its drive is looked up at times from `t0` to `t1` (learning time).
        - `rtol`: relative error of the rate (dimensionless).
        - `threshold`, `reset`: $V_F > V_R$ of the grid, on which populations with their own lie
          stretched (voltage).
        - `w`: the weights of a structured network, taken as if neurons were spread over all.
        - `dtype`: as in `VoltageGrid`.

        **Raises:** `ValueError` if an argument breaks its rule, or more than 100 000 nodes are
        needed.
        """
        from .density.advice import grid_for_model  # it knows networks, of which grids know nothing

        check_scalar("rtol", rtol)
        check_positive("rtol", rtol)
        _check_places(threshold=threshold, reset=reset, t0=t0, t1=t0 if t1 is None else t1)
        check(rtol < 0.1, f"rtol = {rtol}: must be less than 0.1")
        check(reset < threshold, f"reset = {reset}: must be below threshold = {threshold}")
        threshold, reset = float(threshold), float(reset)
        gap = threshold - reset
        like = cls(reset - gap, threshold, reset=reset, num=2, dtype=dtype)
        span = float(t0), float(t0 if t1 is None else t1)
        return grid_for_model(model, float(rtol), like, w, span)

    def _reset_is_node(self, num: np.ndarray) -> np.ndarray:
        position = (self.reset - self.minimum) / (self.threshold - self.minimum) * num
        inside = (np.rint(position) > 0) & (np.rint(position) < num)
        return inside & (np.abs(position - np.rint(position)) <= 1e-6)

    def _working_nums(self) -> str:
        nums = np.arange(
            max(2, self.num - _SEARCHED), self.num + min(9 * self.num, _SEARCHED) + 1000
        )
        nums = nums[self._reset_is_node(nums)]
        nearest = [*nums[nums < self.num][-1:], *nums[nums > self.num][:1]]
        return " and ".join(map(str, nearest)) or "none nearby, so choose another reset"

    @property
    def spacing(self) -> float:
        """Node spacing $h$ (voltage)."""
        return (self.threshold - self.minimum) / self.num

    @property
    def reset_index(self) -> int:
        """Index of the node $V_R$."""
        return round((self.reset - self.minimum) / self.spacing)

    @property
    def nodes(self) -> Float[np.ndarray, " v"]:
        """Node positions $v_i$, shape `(v,)` (voltage)."""
        nodes = self.minimum + self.spacing * np.arange(self.num)
        return nodes.astype(self.dtype)

    @property
    def interfaces(self) -> Float[np.ndarray, " v"]:
        """Interfaces $v_{i+1/2}$ above the nodes, shape `(v,)` (voltage).

        Neurons fire through the last.
        """
        interfaces = self.minimum + self.spacing * (np.arange(self.num) + 0.5)
        return interfaces.astype(self.dtype)


class WeightGrid(Module):
    """Uniform synaptic-weight cells; $w_j$ is the centre of cell $j$.

    **Arguments:**

    - `minimum`, `maximum`: ends of the weight axis (weight); no mass crosses them.
    - `num`: number of cells $m$.

    **Raises:** `ValueError` if the ends are not finite, out of order or traced, or `num` is not a
    positive integer, or so large that cells are no longer told apart.
    """

    minimum: float = eqx.field(static=True)
    maximum: float = eqx.field(static=True)
    num: int = eqx.field(static=True)

    def __init__(self, minimum: float | int, maximum: float | int, *, num: int):
        _check_places(minimum=minimum, maximum=maximum)
        check(minimum < maximum, f"maximum = {maximum}: must exceed minimum = {minimum}")
        self.minimum, self.maximum = float(minimum), float(maximum)
        self.num = check_integer("num", num, at_least=1)
        ends = self.minimum, self.maximum
        _check_distinct(self.num, self.spacing, ends, np.dtype(np.float64))

    @property
    def spacing(self) -> float:
        """Cell width $Δw$ (weight)."""
        return (self.maximum - self.minimum) / self.num

    @property
    def centers(self) -> Float[np.ndarray, " w"]:
        """Cell centres $w_j$, shape `(w,)` (weight)."""
        return self.minimum + self.spacing * (np.arange(self.num) + 0.5)

    @property
    def faces(self) -> Float[np.ndarray, " faces"]:
        """Inner cell faces $w_{j+1/2}$, shape `(w - 1,)` (weight)."""
        return self.minimum + self.spacing * np.arange(1, self.num)


class Grid(Module):
    """The product of a voltage grid and a weight grid; densities on it have shape `(v, w)`.

    Without a weight grid the network is unstructured: all neurons share the one weight of the
    model, the weight axis has length 1 and unit width, and the same code solves it. A network of
    populations has a column of unit width for each, of mass 1.

    **Arguments:**

    - `v`: a `VoltageGrid`; its `dtype` is that of the whole grid.
    - `w`: a `WeightGrid`, or `None` for an unstructured network.
    - `dtype`: floating-point type of everything computed on this grid; that of `v` if `None`.
    - `populations`: how many there are; `None` for a network that is one, or is structured.

    **Raises:** `ValueError` unless `v` and `w` are such grids, `dtype` is float32 or float64, and
    `populations` a positive integer that comes without `w`.
    """

    v: VoltageGrid
    w: WeightGrid | None
    populations: int | None = eqx.field(static=True, default=None)

    def __init__(
        self,
        v: VoltageGrid,
        w: WeightGrid | None = None,
        *,
        dtype: Any = None,
        populations: Any = None,
    ):
        for name, value, kind in (("v", v, VoltageGrid), ("w", w, WeightGrid | None)):
            rule = "must be a VoltageGrid" if name == "v" else "must be a WeightGrid, or None"
            check(isinstance(value, kind), f"{name} = {brief(value)}: {rule}")
        if dtype is not None and _resolve_dtype(dtype) != v.dtype:
            v = VoltageGrid(v.minimum, v.threshold, reset=v.reset, num=v.num, dtype=dtype)
        if w is not None:
            _check_distinct(w.num, w.spacing, (w.minimum, w.maximum), v.dtype)
        if populations is not None:
            populations = check_integer("populations", populations, at_least=1)
            check(w is None, "populations: have no weight axis; give w or populations, not both")
        self.v, self.w, self.populations = v, w, populations

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type of everything computed on this grid."""
        return self.v.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Shape `(v, w)` of a density on this grid."""
        return self.v.num, (self.populations or 1) if self.w is None else self.w.num

    @property
    def weight_spacing(self) -> float:
        """Width of a weight cell; 1 for an unstructured network (weight)."""
        return 1.0 if self.w is None else self.w.spacing

    @property
    def cell_area(self) -> float:
        """Area $h Δw$ of a cell: `density.sum() * cell_area` is the mass (voltage × weight)."""
        return self.v.spacing * self.weight_spacing

    def mass(self, density: Float[Array, "*batch v w"]) -> Float[Array, "*network"]:
        """Total mass $∫∫ p\\,dv\\,dw$, summed in float64 where that is enabled.

        **Arguments:** `density`: $p$, shape `(…, v, w)` (1 / voltage / weight).
        **Returns:** shape `(…)`, of populations that of each, `(…, k)` (dimensionless).
        """
        wide = jax.dtypes.canonicalize_dtype(np.float64)
        axes = (-2, -1) if self.populations is None else -2
        return jnp.sum(density, axis=axes, dtype=wide) * self.cell_area

    def network_rate(self, rates: Float[Array, "*batch w"]) -> Float[Array, "*network"]:
        r"""The rate of the network, $∫ N(w)\,dw$, or those of its populations.

        **Arguments:** `rates`: of the columns, shape `(…, w)` (spikes / neuron / membrane time /
        weight).
        **Returns:** shape `(…)`, of populations that of each, `(…, k)`
        (spikes / neuron / membrane time).
        """
        if self.populations is not None:
            return rates
        return jnp.sum(rates, axis=-1) * self.weight_spacing

    def weight_density(self, density: Float[Array, "*batch v w"]) -> Float[Array, "*batch w"]:
        """Weight density $H(w) = ∫ p\\,dv$.

        **Arguments:** `density`: $p$, shape `(…, v, w)` (1 / voltage / weight).
        **Returns:** shape `(…, w)` (1 / weight).
        """
        return jnp.sum(density, axis=-2) * self.v.spacing
