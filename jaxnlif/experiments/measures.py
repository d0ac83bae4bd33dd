r"""What a network has learned, in numbers (MATH.md, section 1.5).

**Reference:** J. He, J. Hu, Z. Zhou, SIAM J. Sci. Comput. (2022), arXiv 2109.04667, section 5:
after learning, the learned input is answered by rates linear in the weight, another is not.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike


def learned_support(
    rates: Float[ArrayLike, " w"], fraction: float = 1e-3
) -> Bool[np.ndarray, " w"]:
    """The weights that take part: where $N(w)$ exceeds `fraction` of its maximum.

    **Arguments:** `rates`: $N(w)$, shape `(w,)` (any unit).
    """
    rates = np.asarray(rates)
    return rates > fraction * rates.max()


def linearity(w: Float[ArrayLike, " w"], rates: Float[ArrayLike, " w"]) -> float:
    r"""How straight a response is: $R^2$ of $N(w)$ against $c\,w$ on the learned support.

    $$R^2 = 1 - \frac{\sum (N - c w)^2}{\sum (N - \langle N \rangle)^2},
      \qquad c = \frac{\sum w N}{\sum w^2}$$

    1 for a straight ramp through the origin; it may be negative, for worse than a constant.

    **Arguments:** `w`: weights; `rates`: $N(w)$; shape `(w,)`. **Returns:** a dimensionless
    number, NaN where $N$ is constant on the support.
    """
    support = learned_support(rates)
    w, rates = np.asarray(w)[support], np.asarray(rates)[support]
    slope = np.sum(w * rates) / np.sum(w**2)
    spread = np.sum((rates - rates.mean()) ** 2) if rates.size else 0.0
    return float(1 - np.sum((rates - slope * w) ** 2) / spread) if spread > 0 else float("nan")


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
