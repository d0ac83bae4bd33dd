"""What is drawn of solutions: checked, and as arrays of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from .._check import check
from ..grid import Grid
from ..integrate.solution import Solution


def grid_of(sol: Any, *, populations: bool = False) -> Grid:
    """The grid of one run; `populations`, whether there may be several.

    **Raises:** `ValueError` for what is no solution, or several.
    """
    check(isinstance(sol, Solution), f"sol = {type(sol).__name__}: must be a Solution")
    check(sol.ts.ndim == 1, "sol: holds a batch of runs; select one, jax.tree.map(lambda x: x[i])")
    grid = sol.solver.grid
    check(
        populations or grid.populations is None,
        "sol: of a network of populations, which have no weight axis to draw",
    )
    return grid


def population_names(sol: Solution) -> tuple[str, ...] | None:
    """Those of the populations, by number where they have no names."""
    num = sol.solver.grid.populations
    return None if num is None else sol.model.names or numbered(num)


def numbered(num: int) -> tuple[str, ...]:
    """Numbers for names."""
    return tuple(str(k) for k in range(num))


def place_of(sol: Solution, population: Any) -> int:
    """The column of a population by its name or number; 0 of a network that has none.

    **Raises:** `ValueError` if there is none of that name or number, or several and none is named.
    """
    names = population_names(sol)
    if names is None:
        check(population is None, f"population = {population!r}: the run has none; must be None")
        return 0
    if population is None and len(names) == 1:
        return 0
    found: Any = names.index(population) if population in names else population
    whole = isinstance(found, (int, np.integer)) and not isinstance(found, bool)
    check(
        whole and 0 <= found < len(names),
        f"population = {population!r}: must be one of {', '.join(names)}",
    )
    return int(found)


def weight_axis(sol: Any) -> Float[np.ndarray, " m"]:
    """The weights of one run. **Raises:** `ValueError` for an unstructured network."""
    grid = grid_of(sol)
    if grid.w is None:
        raise ValueError("sol: an unstructured network has no weight axis to draw")
    return grid.w.centers


def time_unit(sol: Solution) -> str:
    """What times are counted in."""
    return "membrane times" if float(sol.model.epsilon) == 1 else "learning times"


def time_label(sol: Solution) -> str:
    """The label of an axis of time."""
    return f"time $t$ ({time_unit(sol)})"


def final_density(sol: Solution) -> Float[np.ndarray, "v w"]:
    """The density at the end of a run, whatever `SaveAt.fn` saved.

    **Arguments:** `sol`: a `Solution` of one run. **Returns:** shape `(v, w)`
    (1 / voltage / weight).
    """
    return np.asarray(sol.solver.observe(sol.state).density)


def edges(centers: Float[np.ndarray, " k"]) -> Float[np.ndarray, " ends"]:
    """The ends of cells around increasing centres, half-way between them."""
    if centers.size == 1:
        return centers[0] + np.array([-0.5, 0.5])
    middle = (centers[1:] + centers[:-1]) / 2
    first, last = 2 * centers[0] - middle[0], 2 * centers[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def numbers(name: str, value: Any, *shapes: tuple[int | None, ...]) -> np.ndarray:
    """An array of numbers of one of these shapes, `None` standing for any length but 0.

    **Raises:** `ValueError` naming the argument and its shape.
    """
    rule = " or ".join(_in_words(shape) for shape in shapes)
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {value!r}: must be numbers, shape {rule}") from None
    fits = any(_fits(array.shape, shape) for shape in shapes)
    check(fits, f"{name}: shape {array.shape}: must be {rule}")
    return array


def _fits(shape: tuple[int, ...], rule: tuple[int | None, ...]) -> bool:
    return len(shape) == len(rule) and all(
        n > 0 if wanted is None else n == wanted for n, wanted in zip(shape, rule, strict=True)
    )


def _in_words(shape: tuple[int | None, ...]) -> str:
    letters = iter("kn" if shape[:1] == (None,) else "n")
    text = ", ".join(str(next(letters) if n is None else n) for n in shape)
    return f"({text},)" if len(shape) == 1 else f"({text})"
