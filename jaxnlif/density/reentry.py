"""Who re-enters at the reset potential in a step, and the voltage step that this asks for."""

from __future__ import annotations

import abc
from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..grid import Grid, VoltageGrid
from ..machine.machine import Machine
from .cells import Inputs
from .flux import absorb_flux, probe_firing, shift_flux


class AbstractReentry(eqx.Module):
    """What re-enters in a step."""

    @abc.abstractmethod
    def after(
        self,
        grid: VoltageGrid,
        inputs: Inputs,
        density: Float[Array, "v w"],
        known: Float[Array, "v w"] | None,
        mass: Float[Array, " w"] | None,
        machine: Machine,
    ) -> Float[Array, "v w"]:
        """The density after a step; `known`, if it has been found before, and only derivatives are
        missing; `mass`, the sum of each column where all re-enter and it is not that at the
        beginning, `(w,)` (1 / voltage / weight)."""

    @abc.abstractmethod
    def rates(
        self, grid: VoltageGrid, inputs: Inputs, density: Float[Array, "v w"], machine: Machine
    ) -> Float[Array, " w"]:
        """The firing rates after a step, by the upward sweep alone."""

    @abc.abstractmethod
    def inflow(self, weights: Float[Array, " w"]) -> Float[Array, " w"]:
        """The rates at which others than those who fire in the step enter, shape `(w,)`."""

    @abc.abstractmethod
    def returned(
        self, grid: Grid, density: Float[Array, "v w"], fired: Float[Array, " w"]
    ) -> Float[Array, "v w"]:
        """The density with those who fired in an instant, a mass `(w,)` (1 / weight)."""


class AtOnce(AbstractReentry):
    """Who fires re-enters in the same instant."""

    def after(
        self,
        grid: VoltageGrid,
        inputs: Inputs,
        density: Float[Array, "v w"],
        known: Float[Array, "v w"] | None,
        mass: Float[Array, " w"] | None,
        machine: Machine,
    ) -> Float[Array, "v w"]:
        step = _by_part(shift_flux, grid, machine, rank=2)
        return step(inputs, density, known, mass)

    def rates(
        self, grid: VoltageGrid, inputs: Inputs, density: Float[Array, "v w"], machine: Machine
    ) -> Float[Array, " w"]:
        return _by_part(probe_firing, grid, machine, rank=1)(inputs, density, None)

    def inflow(self, weights: Float[Array, " w"]) -> Float[Array, " w"]:
        return jnp.zeros_like(weights)

    def returned(
        self, grid: Grid, density: Float[Array, "v w"], fired: Float[Array, " w"]
    ) -> Float[Array, "v w"]:
        reset = np.arange(grid.v.num)[:, None] == grid.v.reset_index
        return density + jnp.where(reset, fired[None] / grid.v.spacing, 0)


class Later(AbstractReentry):
    """Those enter whose rest is over.

    - `entering`: the rates at which they do, shape `(w,)` (1 / membrane time / weight).
    """

    entering: Float[Array, " w"]

    def after(
        self,
        grid: VoltageGrid,
        inputs: Inputs,
        density: Float[Array, "v w"],
        known: Float[Array, "v w"] | None,
        mass: Float[Array, " w"] | None,
        machine: Machine,
    ) -> Float[Array, "v w"]:
        step = _by_part(absorb_flux, grid, machine, rank=2)
        return step(inputs, density, self.entering, known)

    def rates(
        self, grid: VoltageGrid, inputs: Inputs, density: Float[Array, "v w"], machine: Machine
    ) -> Float[Array, " w"]:
        return _by_part(probe_firing, grid, machine, rank=1)(inputs, density, self.entering)

    def inflow(self, weights: Float[Array, " w"]) -> Float[Array, " w"]:
        return self.entering

    def returned(
        self, grid: Grid, density: Float[Array, "v w"], fired: Float[Array, " w"]
    ) -> Float[Array, "v w"]:
        return density


def _by_part(
    function: Callable[..., Array], grid: VoltageGrid, machine: Machine, *, rank: int
) -> Callable[..., Array]:
    """A step, of which each device computes its own columns."""
    return machine.layout.by_part(partial(function, grid, machine=machine), rank=rank)
