"""Brunel's network of excitatory and inhibitory neurons."""

from __future__ import annotations

from typing import Any

from .._quantity import MILLISECOND, MILLIVOLT
from ..units import Physical
from .circuit import HZ_PER_MS, Circuit
from .tables import NOT_NEGATIVE, POSITIVE, one


def brunel(
    g: Any,
    eta: Any,
    *,
    sizes: Any = (10_000, 2_500),
    in_degree: Any = 1000.0,
    inhibitory_part: Any = 0.25,
    psp: Physical = 0.1,
    membrane_time: Physical = 20.0,
    threshold: Physical = 20.0,
    reset: Physical = 10.0,
    refractory: Physical = 2.0,
    delay: Physical = 1.5,
    scale: Physical = None,
    size_fraction: Any = 1.0,
) -> Circuit:
    r"""Brunel's network: excitatory and inhibitory neurons, "E" and "I", that are alike.

    Each has $C_E$ inputs of J from E, $γ C_E$ of $-g J$ from I, and $C_E$ external ones of J at the
    rate $η ν_{thr}$, where $ν_{thr} = V_F/(C_E J τ)$ is that of which the mean input is the
    threshold. Potentials are counted from that at rest.

    **Arguments:**

    - `g`: how many times stronger a jump is that inhibits than one that excites (dimensionless).
    - `eta`: η, the external rate in units of $ν_{thr}$ (dimensionless).
    - `sizes`: the numbers of E and I.
    - `in_degree`: $C_E$ (dimensionless).
    - `inhibitory_part`: γ (dimensionless).
    - `psp`: J (mV).
    - `membrane_time`, `refractory`, `delay`: as in `Circuit` (ms).
    - `threshold`, `reset`, `scale`: as in `Circuit` (mV).
    - `size_fraction`: as in `Circuit`.

    **Returns:** the circuit, in which `g`, `eta`, `in_degree`, `inhibitory_part` and `psp` may be
    traced.

    **Raises:** `ValueError` for numbers of the wrong sign, and as `Circuit`.

    **Reference:** N. Brunel, *J. Comput. Neurosci.* 8:183 (2000), model A.
    """
    g, gamma = one("g", g, None, NOT_NEGATIVE), one("inhibitory_part", inhibitory_part, None)
    eta, K = one("eta", eta, None, POSITIVE), one("in_degree", in_degree, None, POSITIVE)
    J = one("psp", psp, MILLIVOLT, POSITIVE)
    tau = one("membrane_time", membrane_time, MILLISECOND, POSITIVE)
    V_F = one("threshold", threshold, MILLIVOLT, POSITIVE)
    return Circuit(
        sizes,
        names=("E", "I"),
        in_degree=[K, gamma * K],
        psp=[J, -g * J],
        external_in_degree=K,
        external_rate=eta * V_F / (K * J * tau) * HZ_PER_MS,
        external_psp=J,
        membrane_time=tau,
        threshold=V_F,
        reset=reset,
        rest=0.0,
        refractory=refractory,
        delay=delay,
        scale=scale,
        size_fraction=size_fraction,
    )
