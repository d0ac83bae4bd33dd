r"""Pseudospikes: spike times that go on beyond the end of the trial.

A spike of these neurons can only appear or vanish at the end T of a trial. There its time is
continued by that of a pseudospike, so that output times are continuous, and mostly smooth, in every
parameter and silent neurons have gradients. After T a network is like a network of rates: every
neuron has a pseudorate that depends on its phase at T and on the pseudorates it receives.

**Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking neural
networks, arXiv 2309.14523 (2025).
"""

from __future__ import annotations

from jaxtyping import Array, Float

from .theta import Theta


def theta_pseudorate(
    neuron: Theta, c: Float[Array, "*n"], s: Float[Array, "*n"], total: Float[Array, "*n"]
) -> Float[Array, "*n"]:
    r"""The pseudorate $r = H_W(φ(T))/Θ$ of theta neurons.

    It grows from 0 just after a spike to 1 just before the next. A spike that leaves the trial is
    thus replaced by a pseudorate that has the same effect.

    **Arguments:** `c`, `s`: cosine and sine of $ωφ(T)$, the state at the end; `total`:
    $W = \sum_j W_{ij} r_j$ over the neurons before (voltage units).
    """
    return neuron.shifted_point(c, s, total) / neuron.period


def theta_pseudospikes(
    neuron: Theta,
    c: Float[Array, "*n"],
    s: Float[Array, "*n"],
    total: Float[Array, "*n"],
    number: Float[Array, "*n k"],
    end: Float[Array, ""],
) -> Float[Array, "*n k"]:
    r"""The times $T + kΘ - H_W(φ(T))$ of the k-th pseudospikes of theta neurons.

    **Arguments:** `c`, `s` and `total` as for `theta_pseudorate`; `number`: k = 1, 2, …; `end`: T
    (time). **Returns:** times not before T (time).
    """
    return end + number * neuron.period - neuron.shifted_point(c, s, total)[..., None]
