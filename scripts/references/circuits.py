"""What is known of two circuits that everyone in the field knows."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

import jaxnlif as jn

BRUNEL_POINTS = {
    # (g, η): stationary rate in Hz, leading eigenvalue in 1/s and its frequency in Hz
    (3.0, 2.0): (327.008, 231.9, 660.6),
    (6.0, 4.0): (55.8413, 51.50, 190.2),
    (5.0, 2.0): (37.9497, -134.9, 124.3),
    (4.5, 0.9): (6.51670, 7.93, 29.00),
}
"""Of Brunel's example points, from two calculations that agree."""

BRUNEL_HOPF = {6.0: (3.2550, 176.2, 43.77), 4.5: (0.9126, 31.81, 7.370)}
"""By g: the η of the Hopf point, its frequency in Hz and the rate there in Hz."""

LOWEST = {(3.0, 2.0): -20.0, (6.0, 4.0): -40.0, (5.0, 2.0): -20.0, (4.5, 0.9): -10.0}
"""How low the potentials of Brunel's points reach (mV)."""


def brunel(g: Any, eta: Any) -> jn.Network:
    """Brunel's network of alike excitatory and inhibitory neurons, folded into one population.

    In milliseconds and millivolts, with threshold and reset of the grid.

    **Reference:** N. Brunel, J. Comput. Neurosci. 8:183 (2000), model A.
    """
    return jn.Network(
        weight=jnp.reshape(20 * 100 * (1 - g / 4), (1, 1)),
        noise_slope=jnp.reshape(20 * 5 * (1 + g * g / 4), (1, 1)),
        drive=20 * eta,
        noise=eta,
        delay=1.5,
        refractory=2.0,
        time_constant=20.0,
    )


def brunel_pair(g: Any, eta: Any) -> jn.Network:
    """The same as two populations, in membrane times of 20 ms and in units of 10 mV."""
    return jn.circuits.brunel(g, eta).network


def brunel_grid(point: tuple[float, float], per_mv: int) -> jn.VoltageGrid:
    """The voltages of one of the points, with so many nodes per mV."""
    lowest = LOWEST[point]
    return jn.VoltageGrid(lowest, 20.0, reset=10.0, num=round((20 - lowest) * per_mv))


MICROCIRCUIT = {
    False: (0.8209, 3.0087, 4.6328, 6.1042, 7.1366, 8.9049, 1.0430, 8.0722),
    True: (0.7542, 2.7937, 4.4402, 5.8229, 7.1536, 8.4698, 1.1597, 7.7557),
}
"""Stationary rates of the microcircuit in Hz, without and with the synaptic shift."""

SIMULATED = 0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829
"""Rates of 77 169 spiking neurons of the microcircuit in Hz."""
