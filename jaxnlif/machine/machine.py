"""How and where something is computed: what solvers hand down to whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx

from ..execution import AUTOMATIC, AbstractExecution
from .layout import ONE_DEVICE, AbstractLayout


class Machine(eqx.Module):
    """The kind of loop by which systems are solved, and the devices over which arrays are split.

    - `kernels`: whether kernels know the systems that are solved.
    """

    execution: AbstractExecution = AUTOMATIC
    layout: AbstractLayout = ONE_DEVICE
    kernels: bool = eqx.field(static=True, default=True)

    def run(
        self,
        *arguments: Any,
        loops: Callable[..., Any],
        log_depth: Callable[..., Any] | None = None,
        kernel: Callable[..., Any] | None = None,
    ) -> Any:
        """The result of the function that the execution chooses: see `AbstractExecution`."""
        kernel = kernel if self.kernels else None
        return self.execution(*arguments, loops=loops, log_depth=log_depth, kernel=kernel)


HERE = Machine()
"""What is fast on the default device, on that device alone."""
