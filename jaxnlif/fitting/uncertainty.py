r"""How well the data determine the parameters: Gauss–Newton at the best point.

With residuals r and their Jacobian $J = ∂r/∂θ$ the covariance of the estimate is
$σ^2 (J^T J)^{-1}$, the inverse of the Fisher information of Gaussian noise. A direction of the
parameters is *flat* if the data leave it open: the residuals do not change along it, or so little
that the standard error is several times the size of the parameters. There the truth is taken to be
no farther away than the parameters are large, where the data, too, say nothing of it. Flat
directions are named and left out of the covariance; the parameters that they move are unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import numpy as np
from jaxtyping import Float

from .. import _tolerance
from .._module import Module

_LOOSE = 3  # standard errors of so many times the size of the parameters tell nothing of them
_SMALL = 0.5  # of a standard error, by which a flat direction may move a parameter that is known
_NAMED = 4  # parts of a flat direction that are told one by one


class Uncertainty(Module):
    """Standard errors of fitted numbers, in the order of `Fit.names`.

    - `std`: standard errors `(p,)`, each in the unit of its parameter; infinite where the data
      leave the parameter open, or where the noise is unknown.
    - `covariance`: `(p, p)`, in the unit of two parameters' product, without what the data leave
      open; infinite where the noise is unknown.
    - `singular_values`: of the Jacobian by changes relative to the parameters' sizes, descending
      `(p,)`, in the unit of the residuals. A number is taken to be as large as 1 at least, one in
      an array as large as the root mean square of all in it.
    - `flat`: the flat directions in words, by the same changes, as
      `"0.71 noise - 0.70 drive.value"`; empty if none. Of several, those that span them all and
      move few parameters each.
    - `noise`: the standard deviation by which errors are scaled, in the unit of the residuals;
      infinite if there are no more residuals than the parameters explain, which leaves it unknown.

    **Reference:** D. M. Bates, D. G. Watts, *Nonlinear Regression Analysis and Its Applications*
    (1988), chapter 2.
    """

    std: Float[np.ndarray, " p"]
    covariance: Float[np.ndarray, "p p"]
    singular_values: Float[np.ndarray, " p"]
    flat: tuple[str, ...] = eqx.field(static=True)
    noise: float = eqx.field(static=True)


def estimate(
    jacobian: Float[np.ndarray, "r p"],
    residuals: Float[np.ndarray, " r"],
    size: Float[np.ndarray, " p"],
    names: Sequence[str],
    *,
    absolute: bool,
) -> Uncertainty:
    """Standard errors from the Jacobian of the residuals at the best point.

    **Arguments:** `size`: how large the parameters are, positive; `absolute`: whether residuals are
    in units of the noise, so that its standard deviation is 1; otherwise it is estimated from them.
    """
    tolerance = _tolerance.jacobian(jacobian.dtype)
    jacobian, residuals = np.asarray(jacobian, float), np.asarray(residuals, float)
    rank = _rank(jacobian, tolerance)
    noise = 1.0 if absolute else _noise(residuals, rank)
    known = np.isfinite(noise)
    size = np.asarray(size, float)
    singular, directions = _decomposed(jacobian * size)
    flat = np.arange(size.size) >= rank
    if known:
        flat |= noise > _LOOSE * singular
    covariance = np.full(2 * size.shape, np.inf)
    if known:
        covariance = noise**2 * _inverse(jacobian, size[:, None] * directions[~flat].T, tolerance)
    std = np.sqrt(np.diag(covariance))
    moved = _LOOSE * np.max(np.abs(directions[flat]), axis=0, initial=0) * size
    lost = moved > np.maximum(_SMALL * np.where(known, std, 0), tolerance**0.5 * size)
    return Uncertainty(
        std=np.where(lost, np.inf, std),
        covariance=covariance,
        singular_values=singular,
        flat=tuple(_in_words(direction, names) for direction in _sparse(directions[flat])),
        noise=noise,
    )


def _rank(jacobian: Float[np.ndarray, "r p"], tolerance: float) -> int:
    """How many directions change the residuals at all."""
    singular, _ = _decomposed(jacobian / _lengths(jacobian))
    return int(np.sum(singular > tolerance * singular[0]))


def _inverse(
    jacobian: Float[np.ndarray, "r p"], basis: Float[np.ndarray, "p q"], tolerance: float
) -> Float[np.ndarray, "p p"]:
    """$(J^T J)^{-1}$ among the changes of the parameters that a basis spans."""
    along = jacobian @ basis
    lengths = _lengths(along)
    singular, directions = _decomposed(along / lengths)
    seen = singular > tolerance * np.max(singular, initial=0)
    root = (directions[seen] / singular[seen, None] / lengths) @ basis.T
    return root.T @ root


def _lengths(jacobian: Float[np.ndarray, "r p"]) -> Float[np.ndarray, " p"]:
    """The lengths of the columns, by which parameters' units and sizes do not matter."""
    lengths = np.linalg.norm(jacobian, axis=0)
    return np.where(lengths > 0, lengths, 1)


def _decomposed(
    jacobian: Float[np.ndarray, "r p"],
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "p p"]]:
    """Singular values, zero for what fewer residuals than parameters cannot tell, and rows of
    directions."""
    residuals, parameters = jacobian.shape
    _, singular, directions = np.linalg.svd(jacobian, full_matrices=residuals < parameters)
    return np.append(singular, np.zeros(parameters - singular.size)), directions


def _sparse(directions: Float[np.ndarray, "f p"]) -> Float[np.ndarray, "f p"]:
    """Directions of length 1 that span the same, in each of which one parameter moves that moves in
    no other: the ones of which that much can be said.

    Parameters are chosen one after the other, by how much of the directions is left in them."""
    rest, chosen = directions.copy(), []
    for _ in directions:
        chosen.append(int(np.argmax(np.linalg.norm(rest, axis=0))))
        unit = rest[:, chosen[-1]] / np.linalg.norm(rest[:, chosen[-1]])
        rest -= np.outer(unit, unit @ rest)
    chosen.sort()
    spanning = np.linalg.solve(directions[:, chosen], directions)
    return spanning / np.linalg.norm(spanning, axis=1, keepdims=True)


def _noise(residuals: Float[np.ndarray, " r"], explained: int) -> float:
    """The standard deviation of residuals of which so many numbers explain as many."""
    freedom = residuals.size - explained
    return float(np.sqrt(residuals @ residuals / freedom)) if freedom > 0 else float("inf")


def _in_words(direction: np.ndarray, names: Sequence[str]) -> str:
    """The largest parts of a direction, as "0.71 noise - 0.70 drive.value", and how many more."""
    order = np.argsort(-np.abs(direction))
    large = [k for k in order if abs(direction[k]) > 0.1 * abs(direction[order[0]])]
    direction = direction * np.sign(direction[large[0]])
    terms = [
        f"{'-' if direction[k] < 0 else '+'} {abs(direction[k]):.2f} {names[k]}"
        for k in large[:_NAMED]
    ]
    more = len(large) - len(terms)
    return " ".join(terms).removeprefix("+ ") + (f" and {more} more" if more else "")
