"""Response function $σ(N̄)$: how the network's firing rate acts back on its neurons."""

from __future__ import annotations

import abc

from jaxtyping import Array, Float

from .._module import Module


class AbstractResponse(Module):
    """A non-decreasing response, $σ(0) = 0$; any callable module with this signature will do."""

    @abc.abstractmethod
    def __call__(self, rate: Float[Array, "..."]) -> Float[Array, "..."]:
        """The response $σ(N̄)$ to a firing rate, in its shape (voltage / weight).

        **Arguments:** `rate`: any shape (spikes / neuron / membrane time).
        """


class Identity(AbstractResponse):
    """σ(N̄) = N̄, the coupling of the unstructured network; unbounded."""

    def __call__(self, rate: Float[Array, "..."]) -> Float[Array, "..."]:
        return rate


class Saturating(AbstractResponse):
    """σ(N̄) = N̄ / (1 + N̄), bounded by 1."""

    def __call__(self, rate: Float[Array, "..."]) -> Float[Array, "..."]:
        return rate / (1 + rate)
