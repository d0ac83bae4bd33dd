"""What a sweep returns."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from ..integrate.result import Result
from .axes import Axes
from .dataset import to_xarray
from .member import Member
from .parts import AbstractParts

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, repr=False, eq=False)
class Sweep:
    """What the members of a sweep returned, each in its place in the grid of the parameters.

    - `result`: how each member ended, a `Result` of the shape of the grid: the first early end
      among those that it returned, or, if it returned none, `non_finite` where its numbers are not.

    With a directory, outputs stay there until they are asked for.
    """

    result: Result
    _axes: Axes
    _member: Member
    _part: int
    _parts: AbstractParts

    def __repr__(self) -> str:
        counts = zip(self.parameters, self._axes.lengths, strict=True)
        values = ", ".join(f"{name}: {count} values" for name, count in counts)
        return f"Sweep({values}; {self.completed.sum()} of {self._axes.size} completed)"

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of each parameter, by name."""
        return self._axes.values

    @property
    def product(self) -> bool:
        """Whether members are all combinations of the values."""
        return self._axes.product

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the grid: an axis for each parameter, or one for all."""
        return self._axes.shape

    @property
    def completed(self) -> Bool[np.ndarray, "..."]:
        """Which members ran to their end, in the shape of the grid."""
        return np.asarray(self.result == Result.completed)

    @property
    def values(self) -> Any:
        """All outputs as one: arrays of NumPy, of shapes that begin with that of the grid."""
        first, _ = self._parts.read(0)
        leaves = [np.empty((self._axes.size, *x.shape[1:]), x.dtype) for x in first]
        for number in range(-(-self._axes.size // self._part)):
            start = number * self._part
            for leaf, part in zip(leaves, self._parts.read(number)[0], strict=True):
                leaf[start : start + len(part)] = part
        return self._member.restored([x.reshape(self.shape + x.shape[1:]) for x in leaves])

    def __iter__(self) -> Iterator[Any]:
        """The outputs of all members, one after the other."""
        return (self[place] for place in np.ndindex(self.shape))

    def __getitem__(self, index: Any) -> Any:
        """The output of one member.

        **Arguments:** `index`: its place in the grid, an integer or one for each axis.

        **Raises:** `IndexError` if there is none.
        """
        number = self._number(index)
        leaves, _ = self._parts.read(number // self._part)
        return self._member.restored([jnp.asarray(x[number % self._part]) for x in leaves])

    def _number(self, index: Any) -> int:
        """Which member has this place in the grid."""
        try:
            place = [operator.index(k) for k in (index if isinstance(index, tuple) else (index,))]
            inside = all(-n <= k < n for k, n in zip(place, self.shape, strict=True))
        except (TypeError, ValueError):
            place, inside = [], False
        if not inside:
            rule = f"must be an integer for each axis, of members of shape {self.shape}"
            raise IndexError(f"index = {index!r}: {rule}")
        return int(np.ravel_multi_index(place, self.shape, mode="wrap"))

    def to_xarray(self) -> xarray.Dataset:
        """All outputs as an `xarray.Dataset`.

        It has a dimension for each parameter (`member` for a list) with the values as coordinates.
        Solutions give the variables of `io.to_xarray`; other outputs those of their paths, and
        `output` for a single array.

        **Raises:** `ImportError` without the extra `io`; `ValueError` if two saved arrays have the
        same name.
        """
        return to_xarray(self)
