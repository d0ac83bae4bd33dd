"""Between mV, ms and Hz and the dimensionless form in which everything is solved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
from jax.core import Tracer
from jax.typing import ArrayLike

from ._check import as_numbers, check_finite, check_plain, check_positive, check_scalar
from ._module import Module
from ._quantity import HERTZ, MILLISECOND, MILLIVOLT, Unit, is_quantity, magnitude

Quantity = ArrayLike | Sequence
Physical = Any
"""A number, an array or a sequence in mV, ms or Hz, or a quantity in any unit of that kind."""


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

    Numbers give numbers, arrays arrays, and sequences arrays of NumPy. Numbers are in mV, ms and
    Hz; quantities of Brian2, pint, quantities (Neo), astropy and unyt are converted from their own
    unit, as in `units.drive(0.015 * brian2.volt)`. A quantity of another kind is refused.

    **Arguments:**

    - `membrane_time`: $τ$ (ms).
    - `rest`: the potential $E$ to which the leak draws, at $v = 0$ (mV).
    - `scale`: $S$, such as threshold - reset (mV).
    - `learning_time`: in which weights relax; by default the membrane time, $ε = 1$ (ms).

    **Raises:** `ValueError` unless `rest` is finite and the others are positive, and for quantities
    that are no potential or no time.
    """

    membrane_time: float = eqx.field(static=True)
    rest: float = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    learning_time: float = eqx.field(static=True)

    def __init__(
        self,
        *,
        membrane_time: Physical,
        rest: Physical,
        scale: Physical,
        learning_time: Physical = None,
    ):
        self.membrane_time = _one("membrane_time", membrane_time, MILLISECOND)
        self.rest = _one("rest", rest, MILLIVOLT)
        self.scale = _one("scale", scale, MILLIVOLT)
        self.learning_time = (
            self.membrane_time
            if learning_time is None
            else _one("learning_time", learning_time, MILLISECOND)
        )
        for name in ("membrane_time", "scale", "learning_time"):
            check_positive(name, getattr(self, name))

    @property
    def epsilon(self) -> float:
        """$ε$, membrane time over learning time (dimensionless)."""
        return self.membrane_time / self.learning_time

    def voltage(self, mV: Physical) -> Any:
        """The voltage $v$ of a membrane potential `mV` (mV): a threshold, a reset, a mean.

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return (_number("mV", mV, MILLIVOLT) - self.rest) / self.scale

    def voltage_mV(self, voltage: Quantity) -> Any:
        """The membrane potential (mV) at a `voltage`.

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return self.rest + self.scale * _number("voltage", voltage)

    def drive(self, mV: Physical) -> Any:
        """The drive of an input $R I$, `mV` (mV): how far it alone would depolarise the neuron.

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return _number("mV", mV, MILLIVOLT) / self.scale

    def drive_mV(self, drive: Quantity) -> Any:
        """The input $R I$ (mV) of a `drive`.

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return self.scale * _number("drive", drive)

    def weight(self, mV: Physical) -> Any:
        r"""The weight $b$ or $w$ of all synapses of a neuron together, `mV` (mV).

        Where $σ(\bar N) = \bar N$ that is the number of synapses times the jump of the potential
        for a spike in one of them; for a response without a unit, what $w$ times it adds to $R I$.

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return _number("mV", mV, MILLIVOLT) / self.scale

    def weight_mV(self, weight: Quantity) -> Any:
        """The jumps (mV) of all synapses together, of a `weight`.

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return self.scale * _number("weight", weight)

    def noise(self, mV: Physical) -> Any:
        r"""The noise $a$ of the standard deviation $s$ of potentials without threshold, `mV` (mV).

        Where noise is written as $σ \sqrt τ\,η(t)$, with $η$ white, that is $σ/\sqrt 2$.

        **Raises:** `ValueError` unless it is positive.
        """
        std = _number("mV", mV, MILLIVOLT)
        check_positive("mV", std)
        return (std / self.scale) ** 2

    def noise_mV(self, noise: Quantity) -> Any:
        """The standard deviation (mV) that potentials have, by `noise`, without a threshold.

        **Raises:** `ValueError` if it is negative.
        """
        check_positive("noise", noise, allow_zero=True)
        return self.scale * _number("noise", noise) ** 0.5

    def time(self, ms: Physical) -> Any:
        """A time in the unit of `solve`, the learning time: steps, delays, rests, `ms` (ms).

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return _number("ms", ms, MILLISECOND) / self.learning_time

    def time_ms(self, time: Quantity) -> Any:
        """A `time` of `solve` (ms).

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return self.learning_time * _number("time", time)

    def rate(self, Hz: Physical) -> Any:
        """A firing rate `Hz` (Hz) in spikes per neuron and membrane time.

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return _number("Hz", Hz, HERTZ) * (self.membrane_time / _MS_PER_S)

    def rate_Hz(self, rate: Quantity) -> Any:
        """The firing rate (Hz) of a `rate` in spikes per neuron and membrane time.

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return _number("rate", rate) * (_MS_PER_S / self.membrane_time)

    def per_mV(self, density: Quantity) -> Any:
        """A `density` over voltages or weights, such as $H(w)$ or $p(v)$, over mV (1 / mV).

        **Raises:** `ValueError` for what is no number, or a quantity of another dimension.
        """
        return _number("density", density) / self.scale


_MS_PER_S = 1000.0


def _number(name: str, value: Any, unit: Unit | None = None) -> Any:
    """What can be calculated with: quantities in a unit, sequences as arrays, others as they are.

    Without a unit quantities are refused.
    """
    if unit is not None and is_quantity(value):
        value = magnitude(name, value, unit)
    if isinstance(value, Tracer):
        return value
    numbers = as_numbers(name, value)
    counted = (
        isinstance(value, (int, float, jax.Array)) or str(getattr(value, "dtype", "")) in _KEPT
    )
    return value if counted and not isinstance(value, int) else numbers[()]


_KEPT = ("float16", "bfloat16", "float32", "float64")


def _one(name: str, value: Any, unit: Unit) -> float:
    """A single finite number, of a quantity in this unit."""
    check_plain(name, value)
    number = _number(name, value, unit)
    check_scalar(name, number)
    check_finite(name, number)
    return float(number)
