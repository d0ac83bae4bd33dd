"""Tables of populations and of the projections between them, read and checked by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from .._check import as_numbers, check, is_concrete
from .._quantity import Unit, brief, is_quantity, magnitude
from ..model._leaf import as_leaf
from ..model.populations import check_names

Numbers = Any
"""An array or a number of NumPy, unless it is traced."""


class Rule(NamedTuple):
    """What each number of a table has to be."""

    holds: Callable[[Numbers], Numbers]
    text: str


FINITE = Rule(lambda x: np.isfinite(x) if is_concrete(x) else jnp.isfinite(x), "must be finite")
POSITIVE = Rule(lambda x: x > 0, "must be positive")
NOT_NEGATIVE = Rule(lambda x: x >= 0, "must not be negative")
PROBABILITY = Rule(
    lambda x: (x >= 0) & (x < 1), "must be at least 0 and less than 1; in_degree takes any number"
)


@dataclass(frozen=True)
class Populations:
    """How many there are and what they are called: what tables of them have to fit."""

    num: int
    names: tuple[str, ...] | None

    def numbers(
        self, name: str, value: Any, unit: Unit | None, rule: Rule = FINITE, *, pairs: bool
    ) -> Numbers:
        """The numbers of a table: of shape `()`, `(k,)` or, where `pairs` is true, `(k, k)`.

        A vector is that of populations or, where there may be a matrix, of sources.
        """
        if isinstance(value, Mapping):
            value = self._listed(name, value)
        numbers = _bare(name, value, unit)
        k = self.num
        fitting: tuple[tuple[int, ...], ...] = ((), (k,), (k, k)) if pairs else ((), (k,))
        one = f"one for each source, ({k},), or one for each projection, (to, from), ({k}, {k})"
        check(
            numbers.shape in fitting,
            f"{name}: of shape {numbers.shape}: must be a number, "
            f"{one if pairs else f'or one for each population, ({k},)'}",
        )
        for required in (FINITE, rule):
            self.require(name, numbers, required.holds(numbers), required.text, source=pairs)
        return numbers

    def each(self, name: str, value: Any, unit: Unit | None, rule: Rule = FINITE) -> Numbers:
        """One number for each population, shape `(k,)`."""
        return broadcast(self.numbers(name, value, unit, rule, pairs=False), (self.num,))

    def pairs(self, name: str, value: Any, unit: Unit | None, rule: Rule = FINITE) -> Numbers:
        """One number for each projection, shape `(k, k)`, (to, from)."""
        return broadcast(self.numbers(name, value, unit, rule, pairs=True), (self.num, self.num))

    def require(
        self, name: str, numbers: Numbers, holds: Numbers, rule: str, *, source: bool = False
    ) -> None:
        """Requires what holds, or says of which population it does not.

        **Raises:** `ValueError`.
        """
        if not is_concrete(holds):
            check(jnp.all(holds), f"{name}: {rule}")
            return
        for found in np.argwhere(~np.asarray(holds)):
            place = tuple(int(k) for k in found)
            value = f" = {float(numbers[place]):g}" if is_concrete(numbers) else ""
            raise ValueError(f"{name}{value}{self._where(place, source)}: {rule}")

    def called(self, k: int) -> str:
        """What an error calls a population."""
        return f"population {k}" if self.names is None else repr(self.names[k])

    def _where(self, place: tuple[int, ...], source: bool) -> str:
        if len(place) == 2:
            return f" to {self.called(place[0])} from {self.called(place[1])}"
        return "".join(f" {'from' if source else 'of'} {self.called(k)}" for k in place)

    def _listed(self, name: str, value: Mapping[Any, Any]) -> list[Any]:
        """The values of a mapping in the order of the populations."""
        check(self.names is not None, f"{name}: is by name, but populations have no names")
        assert self.names is not None
        for key in value:
            check(
                key in self.names,
                f"{name}: population {brief(key)} is not there, but {', '.join(self.names)}",
            )
        for key in self.names:
            check(key in value, f"{name}: has nothing of population {key!r}")
        return [value[key] for key in self.names]


def one(name: str, value: Any, unit: Unit | None, rule: Rule = FINITE) -> Numbers:
    """A single number, shape `()`."""
    numbers = _bare(name, value, unit)
    check(numbers.shape == (), f"{name}: of shape {numbers.shape}: must be a single number")
    for required in (FINITE, rule):
        Populations(1, None).require(name, numbers, required.holds(numbers), required.text)
    return numbers


def _bare(name: str, value: Any, unit: Unit | None) -> Numbers:
    """Numbers in a unit: in NumPy, unless they are traced."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.tolist()
    if unit is not None and _is_quantity(value):
        value = magnitude(name, value, unit)
    return as_numbers(name, value) if is_concrete(value) else as_leaf(name, value)


def _is_quantity(value: Any) -> bool:
    try:
        return is_quantity(value)
    except RecursionError:  # a list in itself, which is refused as no numbers
        return False


def broadcast(numbers: Numbers, shape: tuple[int, ...]) -> Numbers:
    """In NumPy, unless they are traced."""
    by = np if is_concrete(numbers) else jnp
    return by.broadcast_to(numbers, shape)


def read_sizes(sizes: Any, names: Any) -> tuple[Populations, np.ndarray]:
    """The populations that there are, and how many neurons each has, shape `(k,)`."""
    if isinstance(sizes, Mapping):
        check(names is None, "names: are those of sizes; must be None")
        names, sizes = list(sizes), list(sizes.values())
    check(is_concrete(sizes), "sizes: must be plain numbers, also under jit, grad and vmap")
    numbers = as_numbers("sizes", sizes)
    check(
        numbers.ndim == 1 and numbers.size > 0,
        f"sizes: of shape {numbers.shape}: must be one for each population",
    )
    populations = Populations(numbers.size, check_names(numbers.size, names))
    whole = np.isfinite(numbers) & (numbers >= 1) & (numbers == np.floor(numbers))
    populations.require("sizes", numbers, whole, "must be a positive whole number of neurons")
    return populations, numbers
