"""What is to be computed, once it has been checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, PRNGKeyArray

from ..machine.layout import AbstractLayout
from ..model import Network
from .saveat import SaveAt, Saves
from .solver import AbstractSolver, Snapshot


@dataclass(frozen=True)
class Run:
    """The arguments of `solve`, checked, and in the types in which they are computed with.

    - `fn`: that of `saveat`, with the traced values that it closes over as leaves.
    - `t0`, `dt`: where the first step begins, and the length of each (learning time).
    - `saves`: when something is saved; `steps`: how many there are.
    - `layout`: on which devices arrays lie; it is not yet applied to the `solver`.
    """

    model: Network
    solver: AbstractSolver
    saveat: SaveAt
    fn: Callable[[Snapshot], Any] | None
    y0: Any
    key: PRNGKeyArray | None
    t0: Float[np.ndarray, ""]
    dt: Float[np.ndarray, ""]
    saves: Saves
    steps: int
    layout: AbstractLayout
