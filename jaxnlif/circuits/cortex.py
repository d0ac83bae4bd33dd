"""The cortical microcircuit of Potjans and Diesmann: four layers, each of two populations."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._quantity import MILLISECOND, MILLIVOLT
from ..units import Physical
from .circuit import Circuit
from .tables import NOT_NEGATIVE, POSITIVE, one

_SIZES = {
    "2/3E": 20683,
    "2/3I": 5834,
    "4E": 21915,
    "4I": 5479,
    "5E": 4850,
    "5I": 1065,
    "6E": 14395,
    "6I": 2948,
}
_CONNECTED = [  # a row for each target
    [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
    [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
    [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
    [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
    [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
    [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
    [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
    [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
]
_EXTERNAL = [1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100]
_INHIBITS = np.array([name.endswith("I") for name in _SIZES])


def microcircuit(
    *,
    external_rate: Physical = 8.0,
    psp: Physical = 0.1756,
    g: Any = 4.0,
    excitatory_delay: Physical = 1.5,
    inhibitory_delay: Physical = 0.75,
    delay_spread: Any = 0.5,
    delay_minimum: Physical = 0.1,
    delay_slots: int | None = None,
    synaptic_time: Physical = 0.5,
    scale: Physical = None,
    size_fraction: Any = 1.0,
) -> Circuit:
    r"""The cortical microcircuit of Potjans and Diesmann, eight populations under 1 mm².

    They are "2/3E", "2/3I", "4E", "4I", "5E", "5I", "6E" and "6I": 77 169 neurons, with membrane
    times of 10 ms, resting and reset potentials of -65 mV, thresholds of -50 mV and refractory
    periods of 2 ms. Jumps from 4E to 2/3E are twice as large as others.

    **Arguments:**

    - `external_rate`: that of each external input, as in `Circuit` (Hz).
    - `psp`: the jump for an excitatory spike, from the network or from outside; 87.8 pA for 0.5 ms
      on 250 pF (mV).
    - `g`: how many times stronger a jump is that inhibits (dimensionless).
    - `excitatory_delay`, `inhibitory_delay`: the mean delays by source (ms).
    - `delay_spread`: standard deviation over mean of delays; `None` for none (dimensionless).
    - `delay_minimum`: where spread delays are cut below (ms).
    - `delay_slots`, `synaptic_time`, `scale`, `size_fraction`: as in `Circuit`.

    **Returns:** the circuit, in which all but `scale` and `size_fraction` may be traced.

    **Raises:** `ValueError` for numbers of the wrong sign, and as `Circuit`.

    **Reference:** T. C. Potjans, M. Diesmann, *Cereb. Cortex* 24:785 (2014).
    """
    J, g = one("psp", psp, MILLIVOLT, POSITIVE), one("g", g, None, NOT_NEGATIVE)
    longer = one("excitatory_delay", excitatory_delay, MILLISECOND, POSITIVE)
    shorter = one("inhibitory_delay", inhibitory_delay, MILLISECOND, POSITIVE)
    means = _INHIBITS * shorter + ~_INHIBITS * longer
    spread = None if delay_spread is None else one("delay_spread", delay_spread, None, POSITIVE)
    doubled = np.ones((8, 8))
    doubled[0, 2] = 2.0
    return Circuit(
        _SIZES,
        connection_probability=_CONNECTED,
        psp=J * doubled * (~_INHIBITS - g * _INHIBITS),
        external_in_degree=_EXTERNAL,
        external_rate=external_rate,
        external_psp=J,
        membrane_time=10.0,
        threshold=-50.0,
        reset=-65.0,
        rest=-65.0,
        refractory=2.0,
        synaptic_time=synaptic_time,
        delay=means,
        delay_std=None if spread is None else spread * means,
        delay_minimum=None if spread is None else delay_minimum,
        delay_slots=delay_slots,
        scale=scale,
        size_fraction=size_fraction,
    )
