"""Times between which spikes of a code lie."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array, Float

from .._check import check, check_positive, check_scalar, shown
from ..model._leaf import as_leaf


def check_time(name: str, time: Any) -> Float[Array, ""]:
    """A time. **Raises:** `ValueError` unless it is a single number that is not negative."""
    check_scalar(name, time)
    check_positive(name, time, allow_zero=True)
    return as_leaf(name, time)


def check_span(first: Any, last: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Times of the first and the last spike. **Raises:** `ValueError` unless 0 ≤ first < last."""
    early, late = check_time("first", first), check_time("last", last)
    check(early < late, f"{shown('first', first)}: must be less than {shown('last', last)}")
    return early, late
