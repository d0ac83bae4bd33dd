r"""Stationary states: the rate that a rate leads to, and where they are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from .._check import check, check_positive
from ..density import stationary
from ..model import Network
from . import lines
from ._data import numbers
from .size import GREY, SCREEN, Size
from .style import drawing, finish

_LOWEST, _HIGHEST = 1e-6, 1e3
"""Between which self-consistent rates are sought (1 / membrane time)."""


def firing_rate_curve(
    model: Network,
    ax: Axes | None = None,
    *,
    rates: ArrayLike | None = None,
    threshold: float | int = 2.0,
    reset: float | int = 1.0,
    size: Size = SCREEN,
    **line: Any,
) -> Axes:
    r"""The rate $G(N) = r(I + bσ(N), a_0 + a_1 N)$ with which neurons answer to a rate N.

    With a refractory period of the network it is that of neurons which rest after each spike.

    Self-consistent rates, $G(N) = N$, are where the curve meets the diagonal. Those at which it
    crosses it from below repel the rate, and are hollow.

    **Arguments:**

    - `model`: an unstructured network whose drive does not change; its drive at time 0 is taken.
    - `rates`: N, shape `(k,)` (1 / membrane time); by default up to a third beyond the largest
      self-consistent rate.
    - `threshold`, `reset`: $V_F > V_R$ (voltage).
    - `ax`, `size`, `line`: as for `rate`.

    **Raises:** `ValueError` for a network without a weight, or whose neurons never come back, for
    wrong rates, and for no keyword of a line.
    """
    keywords = lines.options(line, label="$G(N)$")
    check(isinstance(model, Network), f"model = {type(model).__name__}: must be a Network")
    check(
        model.populations is None,
        "model: has populations; plot.firing_rate_curve takes a network that is one",
    )
    weight = model.connections.weight
    if weight is None:
        raise ValueError("model: must be an unstructured network, which has one weight")
    t, w = jnp.zeros(()), jnp.asarray(weight)[None]
    # in membrane times, as rates are
    rest = 0.0 if model.refractory is None else model.refractory.duration / model.epsilon
    neuron = threshold, reset, rest
    check(bool(jnp.isfinite(rest)), "model: has no stationary rate with refractory = Never()")

    def answer(rate: np.ndarray) -> np.ndarray:
        total, noise = jax.vmap(
            lambda n: (model.settled(n).input(t, w, n)[0], model.diffusion(n, t))
        )(rate)
        rates = stationary.firing_rate(total, noise, *neuron, membrane=model.membrane)
        return np.asarray(rates)

    if rates is None:
        found = _roots(answer, np.geomspace(_LOWEST, _HIGHEST, 2000))
        given = np.linspace(0, 4 / 3 * found.max(initial=0.75), 400)
    else:
        given = numbers("rates", rates, (None,))
        check_positive("rates", given, allow_zero=True)
        check(bool(np.all(np.diff(given) > 0)), "rates: must be strictly increasing")
        found = _roots(answer, given)
    with drawing(ax, size) as ax:
        (curve,) = ax.plot(given, answer(given), **keywords)
        diagonal = {"color": GREY, "linestyle": "--", "label": lines.once(ax, "$G(N) = N$")}
        ax.plot(given[[0, -1]], given[[0, -1]], **diagonal)
        _mark(answer, found, ax, curve.get_color())
        unit = "(1 / membrane time)"
        return finish(ax, f"network rate $N$ {unit}", f"rate in answer $G(N)$\n{unit}")


def _mark(
    answer: Callable[[np.ndarray], np.ndarray], found: np.ndarray, ax: Axes, color: Any
) -> None:
    """Marks the self-consistent rates."""
    nearby = found * (1 + 1e-3)
    repels = answer(nearby) > nearby
    for rate, hollow in zip(found, repels, strict=True):
        fill: dict[str, Any] = {"markerfacecolor": "white"} if hollow else {}
        label = f"$N$ = {rate:.4g}" + (", repels" if hollow else "")
        mark = {"color": color, "zorder": 3, "label": lines.once(ax, label)}
        ax.plot(rate, rate, "o", **mark, **fill)


def _roots(answer: Callable[[np.ndarray], np.ndarray], rates: np.ndarray) -> np.ndarray:
    """The self-consistent rates between these."""
    above = answer(rates) > rates
    changes = np.flatnonzero(above[1:] != above[:-1])
    low, high, falling = rates[changes], rates[changes + 1], above[changes]
    for _ in range(50):
        middle = (low + high) / 2
        left = (answer(middle) > middle) == falling
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return (low + high) / 2
