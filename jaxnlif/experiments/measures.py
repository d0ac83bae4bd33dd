r"""What a network has learned, in numbers.

**Reference:** Q. He, J. Hu, Z. Zhou, SIAM J. Sci. Comput. (2022), arXiv 2109.04667, section 5:
after learning, the learned input is answered by rates linear in the weight, another is not.
"""

from __future__ import annotations

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Bool, Float


def learned_support(
    rates: Float[ArrayLike, " w"], fraction: float = 1e-3
) -> Bool[np.ndarray, " w"]:
    """The weights that take part: where $N(w)$ exceeds `fraction` of its maximum.

    **Arguments:** `rates`: $N(w)$, shape `(w,)` (any unit).
    """
    rates = np.asarray(rates)
    return rates > fraction * rates.max()


def up_to_peak(rates: Float[ArrayLike, " w"]) -> Bool[np.ndarray, " w"]:
    """The learned support up to the peak of $N(w)$, without the jump to zero behind it.

    A learned response ends in a jump, which a grid smears over a few cells.

    **Arguments:** `rates`: $N(w)$, shape `(w,)` (any unit).
    """
    rates = np.asarray(rates)
    return learned_support(rates) & (np.arange(rates.size) <= rates.argmax())


def linearity(
    w: Float[ArrayLike, " w"], rates: Float[ArrayLike, " w"], support: Bool[ArrayLike, " w"]
) -> float:
    r"""How straight a response is: $R^2$ of $N(w)$ against $c\,w$ on the learned support.

    $$R^2 = 1 - \frac{\sum (N - c w)^2}{\sum (N - \langle N \rangle)^2},
      \qquad c = \frac{\sum w N}{\sum w^2}$$

    1 for a straight ramp through the origin; negative for what a constant would fit better.

    **Arguments:** `w`: weights; `rates`: $N(w)$; `support`: the weights to look at, all of shape
    `(w,)`. **Returns:** a dimensionless number, NaN where $N$ is constant on the support.
    """
    support = np.asarray(support)
    w, rates = np.asarray(w)[support], np.asarray(rates)[support]
    if np.ptp(rates) == 0:
        return float("nan")
    slope = np.sum(w * rates) / np.sum(w**2)
    return float(1 - np.sum((rates - slope * w) ** 2) / np.sum((rates - rates.mean()) ** 2))


def discrimination(rates: Float[ArrayLike, " w"], learned: Float[ArrayLike, " w"]) -> float:
    r"""How differently from the learned input a test input is answered.

    $$\frac{\|n_\text{test} - n_\text{learned}\|_2}{\|n_\text{learned}\|_2},
      \qquad n = N(w) / \bar N$$

    **Arguments:** `rates`, `learned`: $N(w)$ in answer to the test and to the learned input, shape
    `(w,)`, on the same equal weight cells (any unit). **Returns:** a dimensionless number, 0 for
    answers of the same shape; NaN if either network is silent.
    """
    rates, learned = np.asarray(rates), np.asarray(learned)
    if rates.sum() <= 0 or learned.sum() <= 0:
        return float("nan")
    test, reference = rates / rates.sum(), learned / learned.sum()
    return float(np.linalg.norm(test - reference) / np.linalg.norm(reference))
