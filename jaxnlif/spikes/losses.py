"""What is minimised: losses of spike times."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._check import is_concrete


def first_spike_cross_entropy(
    times: Float[Array, "*batch n"],
    label: Int[Array, "*batch"],
    *,
    duration: Float[Array, ""] | float,
    temperature: Float[Array, ""] | float = 1.0,
    regularisation: Float[Array, ""] | float = 0.01,
) -> Float[Array, "*batch"]:
    r"""Cross-entropy of the class whose neuron spikes first, and a pull towards early spikes.

    $$L = -\log \mathrm{softmax}(-t/θ)_y + γ (e^{t_y/T} - 1)$$

    **Arguments:** `times`: first spike times of the n output neurons, shape `(…, n)` (time);
    `label`: y, from 0, shape `(…)`; `duration`: T (time); `temperature`: θ (time);
    `regularisation`: γ.

    **Returns:** shape `(…)` (dimensionless).

    **Raises:** `ValueError` for a label that no neuron has, unless it is traced.

    **Reference:** C. Klos, R.-M. Memmesheimer, arXiv 2309.14523 (2025); there θ = 1.
    """
    if is_concrete(label):
        labels, last = np.asarray(label), times.shape[-1] - 1
        for wrong in labels[(labels < 0) | (labels > last)].flat:
            raise ValueError(f"label = {wrong}: must be from 0 to {last}")
    at = label[..., None]
    chosen = jnp.take_along_axis(jax.nn.log_softmax(-times / temperature), at, axis=-1)
    late = jnp.expm1(jnp.take_along_axis(times, at, axis=-1) / duration)
    return (regularisation * late - chosen)[..., 0]


def spike_time_loss(
    times: Float[Array, "*batch n"], targets: Float[Array, "*batch n"]
) -> Float[Array, "*batch"]:
    r"""Half the squared distance $\frac12 \sum_k (t_k - t^*_k)²$ of spike times from targets.

    **Arguments:** `times`, `targets`: shape `(…, n)` (time).

    **Returns:** shape `(…)` (time²).
    """
    return 0.5 * jnp.sum((times - targets) ** 2, axis=-1)
