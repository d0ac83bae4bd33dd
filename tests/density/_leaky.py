"""The pieces of the voltage step of leaky neurons, as functions of plain arrays."""

import jax
import jax.numpy as jnp

from jaxnlif.density import cells, flux, passage
from jaxnlif.density.cells import inputs_of
from jaxnlif.density.transport import Learning
from jaxnlif.density.upwind import Upwind
from jaxnlif.execution import AUTOMATIC
from jaxnlif.machine.layout import ONE_DEVICE
from jaxnlif.machine.machine import Machine
from jaxnlif.model import Leaky

LEAKY = Leaky()


def compiled(*functions):
    """Functions of a grid and of numbers, each compiled once a grid and shape."""
    return [jax.jit(function, static_argnums=0) for function in functions]


def shift_flux(grid, kappa, drive, noise, density, *, execution=AUTOMATIC):
    inputs = inputs_of(grid, LEAKY, kappa, drive, noise)
    return flux.shift_flux(grid, inputs, density, machine=Machine(execution))


def absorb_flux(grid, kappa, drive, noise, density, inflow, *, execution=AUTOMATIC):
    inputs = inputs_of(grid, LEAKY, kappa, drive, noise)
    return flux.absorb_flux(grid, inputs, density, inflow, machine=Machine(execution))


def probe_firing(grid, kappa, drive, noise, density, inflow=None, *, execution=AUTOMATIC):
    inputs = inputs_of(grid, LEAKY, kappa, drive, noise)
    return flux.probe_firing(grid, inputs, density, inflow, machine=Machine(execution))


def exchange_rates(grid, drive, noise):
    return cells.exchange_rates(grid, inputs_of(grid, LEAKY, jnp.ones_like(noise), drive, noise))


def firing_rates(grid, drive, noise, last):
    inputs = inputs_of(grid, LEAKY, jnp.ones_like(noise), drive, noise)
    return cells.firing_rates(grid, inputs, last)


def interval_moments(grid, *arguments, **options):
    return passage.interval_moments(grid, LEAKY, *arguments, **options)


def move_weights(grid, density, *flow, layout=ONE_DEVICE, execution=AUTOMATIC):
    """One upwind step; `flow`: rates, network rate, strength, step and firing."""
    learning = Learning(grid, *flow, Machine(execution, layout))
    return Upwind().move(learning, density)
