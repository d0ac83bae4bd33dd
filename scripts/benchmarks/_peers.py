r"""The implicit flux-shift step written with NumPy and SciPy, and with numba.

All make the step of `jaxnlif.density.flux.shift_flux`: with $A$ the absorbing
Scharfetter–Gummel operator, $\hat y = (κ + A)^{-1} p^*$ and $z = (κ + A)^{-1} e_R$,

$$p = κ (\hat y + s z), \quad s = c\,\hat y_{n-1} / (1 - c\,z_{n-1}), \quad c = up_{n-1}.$$
"""

from __future__ import annotations

from math import expm1

import numba
import numpy as np
from scipy.linalg import solve_banded

from jaxnlif import VoltageGrid


def numpy_step(
    grid: VoltageGrid, kappa: float, drive: np.ndarray, noise: float, density: np.ndarray
) -> np.ndarray:
    """The step for all weights as one long banded system; `density` of shape (w, v)."""
    h, scale = grid.spacing, noise / grid.spacing**2
    peclet = (drive[:, None] - grid.interfaces) * (h / noise)
    peclet[peclet == 0] = np.finfo(float).tiny
    down = scale * (peclet / np.expm1(peclet))
    up = down + scale * peclet

    bands = np.zeros((3, *density.shape))
    bands[0, :, 1:] = -down[:, :-1]
    bands[1] = kappa + up
    bands[1, :, 1:] += down[:, :-1]
    bands[2, :, :-1] = -up[:, :-1]
    rhs = np.zeros((*density.shape, 2))
    rhs[:, :, 0] = density
    rhs[:, grid.reset_index, 1] = 1
    y, z = np.moveaxis(
        solve_banded(
            (1, 1), bands.reshape(3, -1), rhs.reshape(-1, 2), overwrite_ab=True, overwrite_b=True
        ).reshape(rhs.shape),
        -1,
        0,
    )
    exit_rate = up[:, -1]
    shifted = exit_rate * y[:, -1] / (1 - exit_rate * z[:, -1])
    return kappa * (y + shifted[:, None] * z)


@numba.njit(error_model="numpy")
def _bernoulli(x):
    if abs(x) < 1e-3:
        return 1 - x / 2 + x * x / 12
    return x / expm1(x)


@numba.njit(error_model="numpy")
def numba_steps(steps, minimum, h, reset, kappa, drive, noise, p, up, down, cp, y, z):
    """The step with Thomas's algorithm, `steps` times in place; nothing is allocated.

    `p` of shape (v, w) and the work arrays `up`, `down`, `cp`, `y`, `z` of the same shape have the
    weights contiguous, so that the inner loops are vectorised over them.
    """
    n, m = p.shape
    for _ in range(steps):
        a = noise * (1 + 1e-9 * p[0, 0])
        scale = a / h**2
        for i in range(n):
            face = minimum + (i + 0.5) * h
            for j in range(m):
                x = (drive[j] - face) * (h / a)
                b = scale * _bernoulli(x)
                down[i, j] = b
                up[i, j] = b + scale * x
        for j in range(m):
            inverse = 1 / (kappa + up[0, j])
            cp[0, j] = down[0, j] * inverse
            y[0, j] = p[0, j] * inverse
            z[0, j] = 0.0
        for i in range(1, n):
            source = 1.0 if i == reset else 0.0
            for j in range(m):
                below = up[i - 1, j]
                inverse = 1 / (kappa + up[i, j] + down[i - 1, j] - below * cp[i - 1, j])
                cp[i, j] = down[i, j] * inverse
                y[i, j] = (p[i, j] + below * y[i - 1, j]) * inverse
                z[i, j] = (source + below * z[i - 1, j]) * inverse
        for i in range(n - 2, -1, -1):
            for j in range(m):
                y[i, j] += cp[i, j] * y[i + 1, j]
                z[i, j] += cp[i, j] * z[i + 1, j]
        for j in range(m):
            c = up[n - 1, j]
            cp[0, j] = c * y[n - 1, j] / (1 - c * z[n - 1, j])
        for i in range(n):
            for j in range(m):
                p[i, j] = kappa * (y[i, j] + cp[0, j] * z[i, j])


# B_{2k} / (2k)!: the even part of the Bernoulli function for cell Péclet numbers up to 1/2
_C1, _C2, _C3, _C4, _C5, _C6 = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
)


@numba.njit(error_model="numpy")
def numba_tuned_steps(steps, minimum, h, reset, kappa, drive, noise, p, up, down, cp, z):
    """`numba_steps` tuned by hand: no exponential, `z` above the reset only, one sweep down.

    It holds for cell Péclet numbers up to 1/2 only, and subtracts where the library does not.
    """
    n, m = p.shape
    for _ in range(steps):
        a = noise * (1 + 1e-9 * p[0, 0])
        scale = a / h**2
        for i in range(n):
            face = minimum + (i + 0.5) * h
            for j in range(m):
                x = (drive[j] - face) * (h / a)
                q = x * x
                even = scale * (
                    1 + q * (_C1 + q * (_C2 + q * (_C3 + q * (_C4 + q * (_C5 + q * _C6)))))
                )
                up[i, j] = even + 0.5 * scale * x
                down[i, j] = even - 0.5 * scale * x
        for j in range(m):
            inverse = 1 / (kappa + up[0, j])
            cp[0, j] = down[0, j] * inverse
            p[0, j] *= inverse
        for i in range(1, n):
            for j in range(m):
                below = up[i - 1, j]
                inverse = 1 / (kappa + up[i, j] + down[i - 1, j] - below * cp[i - 1, j])
                cp[i, j] = down[i, j] * inverse
                p[i, j] = (p[i, j] + below * p[i - 1, j]) * inverse
                z[i, j] = inverse
            if i > reset:
                for j in range(m):
                    z[i, j] *= up[i - 1, j] * z[i - 1, j]
        for j in range(m):
            c = up[n - 1, j]
            down[0, j] = c * p[n - 1, j] / (1 - c * z[n - 1, j])
            p[n - 1, j] += down[0, j] * z[n - 1, j]
        for i in range(n - 2, -1, -1):
            if i >= reset:
                for j in range(m):
                    p[i, j] += down[0, j] * z[i, j]
            for j in range(m):
                p[i, j] += cp[i, j] * p[i + 1, j]
        for i in range(n):
            for j in range(m):
                p[i, j] *= kappa
