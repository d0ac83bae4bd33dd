"""Which of several ways to compute the same thing is taken.

All ways agree to rounding and guarantee the same; what differs is their cost. On a GPU every turn
of a loop over rows launches kernels of its own, so that there a few steps in logarithmic depth, or
one kernel for all rows, are faster; on a CPU loops are.
"""

from __future__ import annotations

import abc
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
from jax import lax

from . import _pallas
from ._check import check
from ._module import Module

Way = Callable[..., Any]


class AbstractExecution(Module):
    """Chooses a way to compute something, while it is traced."""

    @abc.abstractmethod
    def __call__(
        self,
        *arguments: Any,
        loops: Way,
        log_depth: Way | None = None,
        kernel: Way | None = None,
    ) -> Any:
        """Goes the chosen way; where there is none, the next, from kernels to loops.

        **Arguments:** `arguments` of all ways; `loops`, `log_depth` and `kernel`: the functions,
        `None` where there is none.
        """

    @staticmethod
    def validate() -> None:
        """Requires a device here to go the chosen way.

        **Raises:** `ValueError` otherwise.
        """


class Automatic(AbstractExecution):
    """Loops on a CPU, and on a GPU kernels where it runs them, else logarithmic depth."""

    def __call__(
        self, *arguments: Any, loops: Way, log_depth: Way | None = None, kernel: Way | None = None
    ) -> Any:
        if not _on_gpus():
            return loops(*arguments)
        levels = loops if log_depth is None else log_depth
        fastest = kernel if kernel is not None and _pallas.available() else levels
        return lax.platform_dependent(*arguments, cuda=fastest, rocm=levels, default=loops)


class Loops(AbstractExecution):
    """Row after row."""

    def __call__(
        self, *arguments: Any, loops: Way, log_depth: Way | None = None, kernel: Way | None = None
    ) -> Any:
        return loops(*arguments)


class LogDepth(AbstractExecution):
    """Associative scans, whose depth is the logarithm of the number of rows."""

    def __call__(
        self, *arguments: Any, loops: Way, log_depth: Way | None = None, kernel: Way | None = None
    ) -> Any:
        return (loops if log_depth is None else log_depth)(*arguments)


class Kernels(AbstractExecution):
    """One kernel for all rows; Hopper GPUs and newer."""

    def __call__(
        self, *arguments: Any, loops: Way, log_depth: Way | None = None, kernel: Way | None = None
    ) -> Any:
        if kernel is None:
            return LogDepth()(*arguments, loops=loops, log_depth=log_depth)
        return kernel(*arguments)

    @staticmethod
    def validate() -> None:
        """Requires a GPU that runs kernels.

        **Raises:** `ValueError` otherwise.
        """
        check(_pallas.available(), "execution = Kernels(): needs a Hopper GPU or a newer one")


AUTOMATIC = Automatic()


_OPTION = "xla_cpu_small_while_loop_byte_threshold"
INLINED_LOOPS = f"--xla_backend_extra_options={_OPTION}=1000000"
"""The option of XLA that `fast_loops` adds to `XLA_FLAGS`."""


def fast_loops() -> None:
    """Has XLA inline loops over rows on CPUs, which makes steps of the density faster.

    To be called before the first computation: JAX reads the environment variable `XLA_FLAGS`, to
    which this adds an option, only once. What `XLA_FLAGS` says of that option already is left as it
    is. Results change by rounding at most. The command line does it by itself.

    **Raises:** `RuntimeError` where JAX has computed something already, and nothing can be changed.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _OPTION in flags:
        return
    if _has_begun():
        raise RuntimeError(
            "fast_loops(): too late, since JAX has computed something already: call it first, or "
            f"set XLA_FLAGS={INLINED_LOOPS} before Python starts"
        )
    os.environ["XLA_FLAGS"] = f"{flags} {INLINED_LOOPS}".strip()


def _has_begun() -> bool:
    """Whether JAX knows its devices already: then it takes no other number of CPUs."""
    num = jax.config.jax_num_cpu_devices  # pyright: ignore[reportAttributeAccessIssue]
    try:
        jax.config.update("jax_num_cpu_devices", num + 1)
    except RuntimeError:
        return True
    jax.config.update("jax_num_cpu_devices", num)
    return False


@cache
def _on_gpus() -> bool:
    for platform in ("cuda", "rocm"):
        try:
            if jax.local_devices(backend=platform):
                return True
        except RuntimeError:
            continue
    return False
