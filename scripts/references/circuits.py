"""Two circuits that everyone in the field knows, in milliseconds and millivolts."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

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
    """Brunel's sparse network of alike excitatory and inhibitory neurons, folded into one.

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
    """The same as two populations, excitatory and inhibitory."""
    to_both = jnp.ones((2, 1))
    return jn.Network(
        weight=to_both * 20 * jnp.stack([100 * jnp.ones(()), -25.0 * g])[None],
        noise_slope=to_both * 20 * jnp.stack([5 * jnp.ones(()), 1.25 * g * g])[None],
        drive=20 * eta,
        noise=eta,
        delay=1.5,
        refractory=2.0,
        time_constant=20.0,
        names=("E", "I"),
    )


def brunel_grid(point: tuple[float, float], per_mv: int) -> jn.VoltageGrid:
    """The voltages of one of the points, with so many nodes per mV."""
    lowest = LOWEST[point]
    return jn.VoltageGrid(lowest, 20.0, reset=10.0, num=round((20 - lowest) * per_mv))


MICROCIRCUIT = {
    False: (0.8209, 3.0087, 4.6328, 6.1042, 7.1366, 8.9049, 1.0430, 8.0722),
    True: (0.7542, 2.7937, 4.4402, 5.8229, 7.1536, 8.4698, 1.1597, 7.7557),
}
"""Stationary rates of the microcircuit in Hz, without and with the synaptic shift."""

_SIZES = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
_EXTERNAL = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)
_PROBABILITIES = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)


def microcircuit() -> jn.Network:
    """The cortical microcircuit, its eight populations 2/3E 2/3I 4E 4I 5E 5I 6E 6I.

    **Reference:** T. C. Potjans, M. Diesmann, Cereb. Cortex 24:785 (2014).
    """
    sizes, external = np.asarray(_SIZES, float), np.asarray(_EXTERNAL, float)
    pairs = np.log1p(-1 / np.outer(sizes, sizes))
    in_degrees = np.log1p(-np.asarray(_PROBABILITIES)) / pairs / sizes[:, None]
    jump, tau, rate = 0.1756, 10.0, 0.008
    jumps = np.tile([jump, -4 * jump], (8, 4))
    jumps[0, 2] *= 2
    means = np.tile([1.5, 0.75], (8, 4))
    return jn.Network(
        weight=tau * in_degrees * jumps,
        noise_slope=tau * in_degrees * jumps**2 / 2,
        drive=tau * external * jump * rate,
        noise=tau * external * jump**2 * rate / 2,
        delay=jn.NormalDelay(means, means / 2, 0.1),
        refractory=2.0,
        threshold=[15.0] * 8,
        reset=[0.0] * 8,
        time_constant=tau,
        synaptic_time_constant=0.5,
        names=("2/3E", "2/3I", "4E", "4I", "5E", "5I", "6E", "6I"),
    )
