"""Small disturbances of the stationary state in time, against the leading eigenvalue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from jax import lax
from references.circuits import BRUNEL_HOPF

import jaxnlif as jn

_G = 6.0
_BESIDE = 0.97, 1.03
"""External rates, in those of the Hopf point."""
_SETTLED, _WATCHED = 40.0, 8.0
"""Times at 0.9 of the Hopf point, and at the rate (membrane times)."""
_RAMPS = 1.0, 12.0
"""On the way from there: what grows must be small, what decays must be seen (membrane times)."""
_STEP = 4e-4
"""Of the run, and half of it, from which is extrapolated (membrane times)."""
_STRIDE = 0.0125
"""Between the rates that are compared (membrane times)."""
_GRID = jn.VoltageGrid(-1.5, 2.0, reset=1.0, num=350)


def disturbed() -> Iterator[Measured]:
    """Growth and frequency three percent before and beyond the Hopf point at g = 6."""
    boundary = BRUNEL_HOPF[_G][0]
    membrane_time = jn.circuits.brunel(_G, boundary).units.membrane_time / 1e3
    for part, ramp in zip(_BESIDE, _RAMPS, strict=True):
        eta = part * boundary
        model = _folded(eta)
        state = jn.stationary.circuit_rates(model, threshold=2.0, reset=1.0).rates[0]
        expected = complex(jn.stability.eigenvalues(model, _GRID, state, num=1)[0])
        coarse, fine = (_exponent(0.9 * boundary, eta, ramp, dt) for dt in (_STEP, _STEP / 2))
        found = 2 * fine - coarse
        detail = f"{part:g},{expected.real / membrane_time:+.2f}/s"
        yield Measured("disturbed_growth", abs(found.real / expected.real - 1), detail)
        yield Measured("disturbed_frequency", abs(found.imag / expected.imag - 1), detail)


def _folded(eta: Any) -> jn.Network:
    """Brunel's populations, which are alike, as one."""
    two = jn.circuits.brunel(_G, eta).network
    delay, rest = (
        jn.Delay(jnp.ravel(x.duration)[0], slots=2048) for x in (two.delay, two.refractory)
    )
    return jn.Network(
        weight=jnp.sum(two.weight[0]),
        noise_slope=jnp.sum(two.noise_slope[0]),
        noise=two.noise[0],
        drive=two.drive.value[0],
        delay=delay,
        refractory=rest,
    )


def _exponent(begin: float, eta: float, over: float, dt: float) -> complex:
    """λ of the rates at `eta`, to which a smooth ramp leads from a settled state."""
    grid, t, step = jn.Grid(_GRID), jnp.zeros(()), jnp.asarray(dt)
    solver = jn.FluxShift(grid)

    @jax.jit
    def run(state: Any, etas: jax.Array) -> Any:
        def one(state: Any, eta: jax.Array) -> Any:
            state = solver.step(_folded(eta), t, step, state)
            return state, state.rate

        return lax.scan(one, state, etas)

    model = _folded(begin)
    state = solver.init(model, t, jn.gaussian(grid, v=(0.8, 0.1)), None)
    state = solver.start(model, t, step, state)
    settled, ramp, watched = (round(x / dt) for x in (_SETTLED, over, _WATCHED))
    x = jnp.linspace(0, 1, ramp)
    smooth = begin + (eta - begin) * x**3 * (10 - 15 * x + 6 * x**2)
    etas = jnp.full(settled, begin), smooth, jnp.full(watched, eta)
    rates = np.asarray(run(state, jnp.concatenate(etas))[1])[-watched:]
    stride = round(_STRIDE / dt)
    some = rates[round(3 / dt) :: stride]
    # x'' = a x' + b x + c for successive ones: roots of z² - a z - b are e^{λ stride}
    table = np.stack([some[1:-1], some[:-2], np.ones(len(some) - 2)], axis=1)
    a, b, _ = np.linalg.lstsq(table, some[2:], rcond=None)[0]
    roots = np.roots([1, -a, -b])
    return complex(np.log(roots[np.argmax(roots.imag)]) / (stride * dt))
