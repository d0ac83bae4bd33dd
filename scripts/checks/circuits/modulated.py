"""The response in time to an external rate that oscillates, against the transfer function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured

import jaxnlif as jn

_PART = 0.05
"""Of the external rate."""
_FREQUENCIES = 5.0, 20.0, 50.0, 100.0, 200.0
"""In Hz."""
_WARM, _JUDGED = 8.0, 4.0
"""Times before, and at least so long in which a response is taken (membrane times)."""
_STEPS = 400
"""In a period, or twice as many in one longer than `_LONG` membrane times; and twice that, from
which the response is extrapolated."""
_LONG = 2.0


class _Oscillating(eqx.Module):
    """Drive or noise of each population, both in proportion to the external rate."""

    value: jax.Array
    omega: jax.Array

    def __call__(self, t: Any, w: Any = None) -> jax.Array:
        return self.value * (1 + _PART * jnp.sin(self.omega * t))


def modulated() -> Iterator[Measured]:
    """Amplitude and phase of the rate of Brunel's (5, 2)."""
    circuit = jn.circuits.brunel(5.0, 2.0)
    model, v = circuit.network, jn.VoltageGrid(-2.0, 2.0, reset=1.0, num=400)
    rates = jn.stationary.circuit_rates(model).rates[0]
    for hertz in _FREQUENCIES:
        omega = 2 * np.pi * hertz * circuit.units.membrane_time / 1e3
        steps = _STEPS * (2 if 2 * np.pi / omega >= _LONG else 1)
        coarse, fine = (_response(model, v, omega, n) for n in (steps, 2 * steps))
        expected = jn.stability.response(model, v, rates, 1j * omega)
        drive, noise = (np.asarray(x)[0] for x in (expected.drive, expected.noise))
        theory = _PART * (drive @ np.asarray(model.drive.value) + noise @ np.asarray(model.noise))
        ratio = (2 * fine - coarse) / theory
        yield Measured("modulated_amplitude", abs(abs(ratio) - 1), f"{hertz:g}Hz")
        yield Measured("modulated_degrees", abs(np.degrees(np.angle(ratio))), f"{hertz:g}Hz")


def _response(model: jn.Network, v: jn.VoltageGrid, omega: float, steps: int) -> complex:
    """Of the first population, with so many steps in a period."""
    grid, period = jn.Grid(v, populations=2), 2 * np.pi / omega
    judged, warm = (int(np.ceil(x / period)) for x in (_JUDGED, _WARM))
    total = (judged + warm) * steps
    changing = {"drive": model.drive.value, "noise": model.noise}
    changing = {name: _Oscillating(x, jnp.asarray(omega)) for name, x in changing.items()}
    moved = eqx.tree_at(lambda m: [getattr(m, k) for k in changing], model, [*changing.values()])
    sol = jn.solve(
        moved,
        jn.FluxShift(grid),
        y0=jn.gaussian(grid, v=(0.5, 0.1)),
        t1=(judged + warm) * period,
        dt=period / steps,
        saveat=jn.SaveAt(num=total + 1, fn=None),
    )
    last = slice(-judged * steps, None)
    waves = np.asarray(sol.rate)[last, 0] * np.exp(-1j * omega * np.asarray(sol.ts)[last])
    return complex(2j * np.mean(waves))
