"""A function of one variable given by its values at knots."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._check import check, check_finite, is_concrete
from .._module import Module
from ._leaf import leaf


class Table(Module):
    """Piecewise-linear function through `(knots, values)`, constant beyond the ends.

    **Arguments:**

    - `knots`: strictly increasing abscissae, shape `(k,)`, $k ≥ 2$, in the unit of the argument.
    - `values`: ordinates, shape `(k,)`, in the unit of the function; differentiable leaves.

    **Raises:** `ValueError` if shapes differ, there are fewer than two knots, knots are not
    increasing, or anything is not finite.
    """

    knots: Float[Array, " k"] = eqx.field(converter=leaf("knots"))
    values: Float[Array, " k"] = eqx.field(converter=leaf("values"))

    def __check_init__(self):
        check_knots("knots", self.knots)
        check_finite("values", self.values)
        check(
            self.values.shape == self.knots.shape,
            f"values: shape {self.values.shape} must equal the shape {self.knots.shape} of knots",
        )

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The interpolated values in the shape of `x` and the unit of `values`.

        **Arguments:** `x`: any shape, in the unit of `knots`.
        """
        return jnp.interp(x, self.knots, self.values)


def check_knots(name: str, knots: Float[Array, " k"]) -> None:
    """Requires at least two finite, strictly increasing knots."""
    check(
        knots.ndim == 1 and knots.shape[0] >= 2,
        f"{name}: shape {knots.shape} must be (k,) with k at least 2",
    )
    check_finite(name, knots)
    if not is_concrete(knots):
        check(jnp.all(jnp.diff(knots) > 0), f"{name}: must be strictly increasing")
    else:
        falls = np.flatnonzero(np.diff(np.asarray(knots)) <= 0)
        if falls.size:
            i = int(falls[0])
            raise ValueError(
                f"{name}: must be strictly increasing, but entry {i + 1} = {knots[i + 1]:g} "
                f"follows entry {i} = {knots[i]:g}"
            )
