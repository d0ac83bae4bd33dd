"""Between mV, ms and Hz and the dimensionless form in which everything is solved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jax.typing import ArrayLike

from ._check import check_finite, check_positive, check_scalar
from ._module import Module

Quantity = ArrayLike | Sequence


class Units(Module):
    r"""The units of one type of neuron: converts mV, ms and Hz, both ways.

    A neuron with the membrane time $τ$, the resting potential $E$ and the input $R I$ (mV) obeys

    $$τ\,dV = (-(V - E) + R I)\,dt + s \sqrt{2 τ}\,dB,$$

    where $s$ is the standard deviation that its potential would have without a threshold. With the
    scale $S$, the mV in a unit of voltage, it is at $v = (V - E)/S$, has the drive $R I/S$ and the
    noise $a = s^2/S^2$. Rates are in spikes per membrane time; times are in membrane times or,
    where weights are learned, in learning times, $τ_{learning} = τ/ε$.

    Methods named after a quantity make it dimensionless; those that end in a unit lead back:

    ```python
    units = jn.Units(membrane_time=20.0, rest=-70.0, scale=10.0)
    rate = jn.stationary.firing_rate(
        drive=units.drive(15.0),
        noise=units.noise(5.0),
        threshold=units.voltage(-50.0),
        reset=units.voltage(-60.0),
    )
    units.rate_Hz(rate)  # 16.7
    ```

    Numbers give numbers, arrays arrays, and sequences arrays of NumPy.

    **Arguments:**

    - `membrane_time`: $τ$ (ms).
    - `rest`: the potential $E$ to which the leak draws, at $v = 0$ (mV).
    - `scale`: $S$, such as threshold - reset (mV).
    - `learning_time`: in which weights relax; by default the membrane time, $ε = 1$ (ms).

    **Raises:** `ValueError` unless `rest` is finite and the others are positive.
    """

    membrane_time: float = eqx.field(static=True)
    rest: float = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    learning_time: float = eqx.field(static=True)

    def __init__(
        self,
        *,
        membrane_time: float | int,
        rest: float | int,
        scale: float | int,
        learning_time: float | int | None = None,
    ):
        learning_time = membrane_time if learning_time is None else learning_time
        check_scalar("rest", rest)
        check_finite("rest", rest)
        for name, value in (
            ("membrane_time", membrane_time),
            ("scale", scale),
            ("learning_time", learning_time),
        ):
            check_scalar(name, value)
            check_positive(name, value)
        self.membrane_time, self.rest = float(membrane_time), float(rest)
        self.scale, self.learning_time = float(scale), float(learning_time)

    @property
    def epsilon(self) -> float:
        """$ε$, membrane time over learning time (dimensionless)."""
        return self.membrane_time / self.learning_time

    def voltage(self, mV: Quantity) -> Any:
        """The voltage $v$ of a membrane potential `mV` (mV): a threshold, a reset, a mean."""
        return (_plain(mV) - self.rest) / self.scale

    def voltage_mV(self, voltage: Quantity) -> Any:
        """The membrane potential (mV) at a `voltage`."""
        return self.rest + self.scale * _plain(voltage)

    def drive(self, mV: Quantity) -> Any:
        """The drive of an input $R I$, `mV` (mV): how far it alone would depolarise the neuron."""
        return _plain(mV) / self.scale

    def drive_mV(self, drive: Quantity) -> Any:
        """The input $R I$ (mV) of a `drive`."""
        return self.scale * _plain(drive)

    def weight(self, mV: Quantity) -> Any:
        r"""The weight $b$ or $w$ of all synapses of a neuron together, `mV` (mV).

        Where $σ(\bar N) = \bar N$ that is the number of synapses times the jump of the potential
        for a spike in one of them; for a response without a unit, what $w$ times it adds to $R I$.
        """
        return _plain(mV) / self.scale

    def weight_mV(self, weight: Quantity) -> Any:
        """The jumps (mV) of all synapses together, of a `weight`."""
        return self.scale * _plain(weight)

    def noise(self, mV: Quantity) -> Any:
        r"""The noise $a$ of the standard deviation $s$ of potentials without threshold, `mV` (mV).

        Where noise is written as $σ \sqrt τ\,η(t)$, with $η$ white, that is $σ/\sqrt 2$.

        **Raises:** `ValueError` unless it is positive.
        """
        check_positive("mV", mV)
        return (_plain(mV) / self.scale) ** 2

    def noise_mV(self, noise: Quantity) -> Any:
        """The standard deviation (mV) that potentials have, by `noise`, without a threshold.

        **Raises:** `ValueError` if it is negative.
        """
        check_positive("noise", noise, allow_zero=True)
        return self.scale * _plain(noise) ** 0.5

    def time(self, ms: Quantity) -> Any:
        """A time in the unit of `solve`, the learning time: steps, delays, rests, `ms` (ms)."""
        return _plain(ms) / self.learning_time

    def time_ms(self, time: Quantity) -> Any:
        """A `time` of `solve` (ms)."""
        return self.learning_time * _plain(time)

    def rate(self, Hz: Quantity) -> Any:
        """A firing rate `Hz` (Hz) in spikes per neuron and membrane time."""
        return _plain(Hz) * (self.membrane_time / _MS_PER_S)

    def rate_Hz(self, rate: Quantity) -> Any:
        """The firing rate (Hz) of a `rate` in spikes per neuron and membrane time."""
        return _plain(rate) * (_MS_PER_S / self.membrane_time)

    def per_mV(self, density: Quantity) -> Any:
        """A `density` over voltages or weights, such as $H(w)$ or $p(v)$, over mV (1 / mV)."""
        return _plain(density) / self.scale


_MS_PER_S = 1000.0


def _plain(quantity: Any) -> Any:
    """What can be calculated with: sequences as arrays, everything else as it is."""
    return np.asarray(quantity, float) if isinstance(quantity, (list, tuple)) else quantity
