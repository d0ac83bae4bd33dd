r"""How well the data determine the parameters: Gauss–Newton at the best point.

With residuals r and their Jacobian $J = ∂r/∂θ$ the covariance of the estimate is
$σ^2 (J^T J)^{-1}$, the inverse of the Fisher information of Gaussian noise. A direction of the
parameters along which the residuals hardly change is *flat*: the data do not tell where on it the
truth lies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

_AT_ONCE = 8  # derivatives that forward mode carries together
_SMALLEST_SCALE = 1e-2  # of a parameter, in units of the threshold scale


class Uncertainty(eqx.Module):
    """Standard errors of fitted numbers, in the order of `Fit.names`.

    - `std`: standard errors `(p,)`, in the parameters' units; infinite in flat directions.
    - `covariance`: `(p, p)`, of what the data determine.
    - `singular_values`: of the Jacobian by relative changes of the parameters, descending `(p,)`.
    - `flat`: the flat directions in words, as `"0.71 noise - 0.70 drive.value"`; empty if none.
    - `noise`: the standard deviation of the residuals by which errors are scaled.
    """

    std: Float[np.ndarray, " p"]
    covariance: Float[np.ndarray, "p p"]
    singular_values: Float[np.ndarray, " p"]
    flat: tuple[str, ...] = eqx.field(static=True)
    noise: float = eqx.field(static=True)


def jacobian(
    function: Callable[[Array], Float[Array, " r"]], at: Float[Array, " p"]
) -> Float[Array, "r p"]:
    """The Jacobian by forward mode, several columns at once in bounded memory."""

    def column(direction):
        return jax.jvp(function, (at,), (direction,))[1]

    return lax.map(column, jnp.eye(at.size, dtype=at.dtype), batch_size=_AT_ONCE).T


def estimate(
    jacobian: Float[np.ndarray, "r p"],
    residuals: Float[np.ndarray, " r"],
    values: Float[np.ndarray, " p"],
    names: Sequence[str],
    *,
    absolute: bool,
) -> Uncertainty:
    """Standard errors from the Jacobian of the residuals at the best point.

    **Arguments:** `absolute`: whether residuals are in units of the noise, so that its standard
    deviation is 1; otherwise it is estimated from them.
    """
    precision = float(np.finfo(jacobian.dtype).eps)
    jacobian, residuals = np.asarray(jacobian, float), np.asarray(residuals, float)
    degrees = residuals.size - values.size
    noise = 1.0 if absolute else float(np.sqrt(residuals @ residuals / max(degrees, 1)))
    # Relative changes, so that the parameters' units do not matter.
    scale = np.maximum(np.abs(np.asarray(values, float)), _SMALLEST_SCALE)
    _, singular, directions = np.linalg.svd(jacobian * scale, full_matrices=False)
    missing = values.size - singular.size
    if missing > 0:  # fewer residuals than parameters
        singular = np.append(singular, np.zeros(missing))
        directions = np.linalg.svd(jacobian * scale, full_matrices=True)[2]
    # Flat: a change as large as the parameters themselves is lost in the noise or in rounding.
    is_flat = singular <= max(noise, precision**0.5 * float(singular[0]))
    resolved = directions[~is_flat] / singular[~is_flat, None]
    covariance = noise**2 * np.outer(scale, scale) * (resolved.T @ resolved)
    lost = np.any(np.abs(directions[is_flat]) > 0.1, axis=0)
    return Uncertainty(
        std=np.where(lost, np.inf, np.sqrt(np.diag(covariance))),
        covariance=covariance,
        singular_values=singular,
        flat=tuple(_in_words(direction, names) for direction in directions[is_flat]),
        noise=noise,
    )


def _in_words(direction: np.ndarray, names: Sequence[str]) -> str:
    """The largest parts of a direction, as "0.71 noise - 0.70 drive.value"."""
    order = np.argsort(-np.abs(direction))
    large = [k for k in order if abs(direction[k]) > 0.1][:4]
    direction = direction * np.sign(direction[large[0]])
    terms = [
        f"{'-' if direction[k] < 0 else '+'} {abs(direction[k]):.2f} {names[k]}" for k in large
    ]
    return " ".join(terms).removeprefix("+ ")
