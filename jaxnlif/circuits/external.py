"""Input of external Poisson spikes whose rate varies: it moves both the drive and the noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._check import check
from .._module import Module
from .._quantity import HERTZ, is_quantity, magnitude
from ..model._leaf import as_leaf
from ..model.drive import AbstractDrive


class ExternalDrive(AbstractDrive):
    r"""The mean input $base + gain\,ν(t)$ of spikes at the rate ν, of which `gain` is per Hz.

    **Arguments:** `rate`: ν in Hz, a function of time in ms; `gain`, `base`: shape `(k,)`;
    `ms`: how many ms are a unit of time.
    """

    rate: Callable[[Array], Any]
    gain: Float[Array, " k"]
    base: Float[Array, " k"]
    ms: float = eqx.field(static=True)

    def __call__(self, t: Float[Array, ""], w: Float[Array, " w"]) -> Float[Array, " w"]:
        return self.base + self.gain * rate_at(self.rate, t * self.ms)

    def jumps(self) -> Float[Array, " k"]:
        """Those that the rate declares, in units of time."""
        declared = getattr(self.rate, "jumps", None)
        return jnp.zeros(0) if declared is None else declared() / self.ms


class ExternalNoise(Module):
    r"""The diffusion $gain\,ν(t)$ of the same spikes.

    **Arguments:** as for `ExternalDrive`.
    """

    rate: Callable[[Array], Any]
    gain: Float[Array, " k"]
    ms: float = eqx.field(static=True)

    def __call__(self, t: Float[Array, ""]) -> Float[Array, " k"]:
        return self.gain * rate_at(self.rate, t * self.ms)


def rate_at(rate: Callable[[Array], Any], ms: Array) -> Float[Array, "..."]:
    """The rate (Hz) at a time (ms): NaN, which ends a run, where it is negative."""
    found = rate(ms)
    if is_quantity(found):
        found = magnitude("external_rate", found, HERTZ)
    found = as_leaf("external_rate", found)
    return jnp.where(found >= 0, found, jnp.nan)


def check_rate(rate: Callable[[Array], Any], num: int) -> None:
    """Requires a function that returns one rate, or one for each population.

    **Raises:** `ValueError`.
    """
    try:
        shape = jax.eval_shape(
            lambda ms: rate_at(rate, ms), jax.ShapeDtypeStruct((), jnp.zeros(0).dtype)
        ).shape
    except TypeError as error:
        said = str(error).splitlines()[0]
        raise ValueError(
            f"external_rate: must be a function of the time in ms that JAX can trace: {said}"
        ) from None
    check(
        shape in ((), (num,)),
        f"external_rate: returns shape {shape}: must be one rate, or one for each population, "
        f"({num},)",
    )
