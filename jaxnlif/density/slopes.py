r"""Limited slopes in weight, and the values at faces that they give.

The slope of a cell is the harmonic mean of the differences to both neighbours, and none where these
differ in sign or where a neighbour is missing: B. van Leer, *J. Comput. Phys.* 14:361 (1974). Half
of it is never more than what a cell holds, so that values at faces are not negative.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import _tolerance


def half_slopes(values: Float[Array, "*v w"]) -> Float[Array, "*v w"]:
    """Half the limited slope of each cell, along the last axis (value)."""
    if values.shape[-1] < 3:
        return jnp.zeros_like(values)
    steps = values[..., 1:] - values[..., :-1]
    below, above = steps[..., :-1], steps[..., 1:]
    rising, falling = (below > 0) & (above > 0), (below < 0) & (above < 0)
    sloping = rising | falling
    share = above / jnp.where(sloping, below + above, 1)
    inner = jnp.where(sloping, below * share, 0)
    return jnp.pad(inner, [(0, 0)] * (values.ndim - 1) + [(1, 1)])


def face_factors(values: Float[Array, " w"]) -> tuple[Float[Array, " w"], Float[Array, " w"]]:
    """The values at the upper and the lower face of each cell over that in the cell.

    They are between 0 and 2, and 1 in cells that are empty.
    """
    held = values > _tolerance.divisor(values.dtype)
    half = jnp.where(held, half_slopes(values), 0) / jnp.where(held, values, 1)
    return jnp.clip(1 + half, 0, 2), jnp.clip(1 - half, 0, 2)
