"""A circuit of populations from the tables in which circuits are published, in mV, ms and Hz."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._check import as_numbers, check, check_plain, check_scalar, is_concrete
from .._module import Module
from .._quantity import HERTZ, MILLISECOND, MILLIVOLT, brief
from ..model import AbstractDelay, Adaptation, Delay, Network, NormalDelay
from ..model._leaf import as_leaf
from ..units import Physical, Units
from .external import ExternalDrive, ExternalNoise, check_rate
from .tables import (
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    Numbers,
    Populations,
    Rule,
    broadcast,
    read_sizes,
)

HZ_PER_MS = 1000.0

_NOISY = Rule(lambda x: x > 0, "must be positive: external spikes are the noise of neurons")
_KICKS = Rule(lambda x: x != 0, "must not be zero: external spikes are the noise of neurons")


class Circuit(Module):
    r"""Populations of leaky neurons that hear each other, and external spikes, at random.

    A neuron of population k has $K_{kl}$ inputs from population l, each a jump of the potential by
    $J_{kl}$, and $K_k$ external ones at the rate $ν_k$. In the diffusion approximation these are

    $$b_{kl} = τ_k K_{kl} J_{kl}, \quad c_{kl} = \tfrac12 τ_k K_{kl} J_{kl}^2, \quad
      I_k = τ_k K_k J_k ν_k, \quad a_{0,k} = \tfrac12 τ_k K_k J_k^2 ν_k$$

    of the `network`, in which a unit of voltage is `scale` and a unit of time the membrane time of
    the first population; `units` leads back to mV, ms and Hz. With `connection_probability` C, of
    any pair to be connected once or more often, the in-degree is
    $K_{kl} = \ln(1 - C_{kl}) / \ln(1 - 1/(N_l N_k)) / N_k$.

    Numbers are in mV, ms and Hz; quantities with units are converted from their own. Of populations
    each argument is one number for all, or one for each, shape `(k,)`, or a mapping from names. Of
    projections it is one number for all, one for each *source*, shape `(k,)` or a mapping, or a
    matrix (to, from), shape `(k, k)`. All but sizes, membrane times, `rest` and what gives the
    scale may be traced, so that a loss that makes the circuit is differentiable in them; so is one
    that replaces leaves of the network, such as `network.drive.value`.

    **Arguments:**

    - `sizes`: the number of neurons of each population, shape `(k,)`, or a mapping, whose keys are
      their names.
    - `connection_probability`: C, of projections; or
    - `in_degree`: K, of projections, how many inputs a neuron has (dimensionless). One of the two
      must be given. The field of that name has shape `(k, k)`.
    - `psp`: J, of projections, positive where they excite and negative where they inhibit (mV).
    - `external_in_degree`: how many external inputs a neuron of each population has.
    - `external_rate`: that of each external input, of populations; or a function of the time in ms,
      which JAX can trace, that returns one or one for each (Hz). One with a method `jumps` says
      at which times in ms it jumps. Where it is negative a run ends as non-finite.
    - `external_psp`: the jump for a spike in an external input, of populations (mV).
    - `membrane_time`: τ, of populations (ms).
    - `threshold`, `reset`, `rest`: the potentials $V_F$, $V_R$ and that to which the leak draws, of
      populations (mV).
    - `refractory`: how long neurons rest after a spike, of populations; `None` for none (ms).
    - `synaptic_time`: the time constant of exponential synapses of each source, in which a jump is
      spread out; `None` for jumps (ms).
    - `adaptation`: by how much each spike of a neuron lowers its own input, in the potential to
      which that draws it, of populations; `None` for neurons that do not adapt (mV).
    - `adaptation_time`: the time constant with which that decays, of populations (ms).
    - `delay`: from a spike to its effect, of projections; `None` for none (ms).
    - `delay_std`, `delay_minimum`: of projections, for delays that are normally distributed with
      the mean `delay` before they are cut below, as in `NormalDelay` (ms).
    - `delay_slots`: how many steps of a run delays can be long; that of `Delay` or `NormalDelay`.
    - `names`: of the populations.
    - `scale`: the mV in a unit of voltage, by default threshold - reset of the first population.
    - `size_fraction`: for small networks, of each size this part is there, with the in-degrees of
      the full sizes.

    **Raises:** `ValueError` naming the argument and the population, for what does not fit, is of
    the wrong sign or unit, or no population; for a matrix `psp` that is (from, to), so that its
    rows and not its columns are of one sign; and without external spikes, which are the noise.

    **Reference:** N. Brunel, *J. Comput. Neurosci.* 8:183 (2000); T. C. Potjans, M. Diesmann,
    *Cereb. Cortex* 24:785 (2014).
    """

    network: Network
    units: Units
    in_degree: Float[Array, "k k"]
    sizes: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        sizes: Any,
        *,
        connection_probability: Any = None,
        in_degree: Any = None,
        psp: Physical,
        external_in_degree: Any,
        external_rate: Physical,
        external_psp: Physical,
        membrane_time: Physical,
        threshold: Physical,
        reset: Physical,
        rest: Physical,
        refractory: Physical = None,
        synaptic_time: Physical = None,
        adaptation: Physical = None,
        adaptation_time: Physical = None,
        delay: Physical = None,
        delay_std: Physical = None,
        delay_minimum: Physical = None,
        delay_slots: int | None = None,
        names: Any = None,
        scale: Physical = None,
        size_fraction: Any = 1.0,
    ):
        every, full = read_sizes(sizes, names)
        K = _in_degrees(every, full, connection_probability, in_degree)
        J = every.pairs("psp", psp, MILLIVOLT)
        _check_sources(J)
        V_F, V_R, E = (
            every.each(name, value, MILLIVOLT)
            for name, value in (("threshold", threshold), ("reset", reset), ("rest", rest))
        )
        every.require("threshold", V_F, V_F > V_R, "must be above reset")
        tau = every.each("membrane_time", membrane_time, MILLISECOND, POSITIVE)
        units = _units(tau, E, V_F - V_R, scale)

        def time(name: str, value: Any, rule: Rule, *, pairs: bool = False) -> Numbers | None:
            if value is None:
                return None
            return every.numbers(name, value, MILLISECOND, rule, pairs=pairs) / units.learning_time

        S, T = units.scale, tau / units.membrane_time
        Kx = every.each("external_in_degree", external_in_degree, None, _NOISY)
        Jx = every.each("external_psp", external_psp, MILLIVOLT, _KICKS)
        per_Hz = tau * Kx / HZ_PER_MS  # spikes in a membrane time
        with np.errstate(over="ignore"):  # Network refuses what is not finite
            drive, noise = _external(
                every, external_rate, per_Hz * Jx / S, per_Hz * Jx**2 / (2 * S**2), E, units
            )
            self.network = Network(
                weight=T[:, None] * K * J / S,
                noise_slope=T[:, None] * K * J**2 / (2 * S**2),
                drive=drive,
                noise=noise,
                threshold=(V_F - units.rest) / S,
                reset=(V_R - units.rest) / S,
                time_constant=T,
                refractory=_resting(every, time("refractory", refractory, NOT_NEGATIVE)),
                synaptic_time_constant=time("synaptic_time", synaptic_time, POSITIVE),
                delay=_delay(
                    every.num,
                    time("delay", delay, POSITIVE, pairs=True),
                    time("delay_std", delay_std, POSITIVE, pairs=True),
                    time("delay_minimum", delay_minimum, NOT_NEGATIVE, pairs=True),
                    delay_slots,
                ),
                names=every.names,
                adaptation=_adapting(
                    None if adaptation is None else every.each("adaptation", adaptation, MILLIVOLT),
                    time("adaptation_time", adaptation_time, POSITIVE),
                    S,
                ),
            )
        self.units = units
        self.in_degree = as_leaf("in_degree", K)
        self.sizes = _part(every, full, size_fraction)

    @property
    def names(self) -> tuple[str, ...] | None:
        """What the populations are called."""
        return self.network.names

    def index(self, name: str) -> int:
        """The place of the population `name` among rates and sizes.

        **Raises:** `ValueError` if there is none of that name.
        """
        names = self.names or ()
        check(bool(names), f"population {brief(name)} is not there: populations have no names")
        check(name in names, f"population {brief(name)} is not there, but {', '.join(names)}")
        return names.index(name)


def _in_degrees(every: Populations, sizes: np.ndarray, probability: Any, in_degree: Any) -> Numbers:
    r"""$K = \ln(1 - C)/\ln(1 - 1/(N_l N_k))/N_k$, or K as it is given, shape `(k, k)`."""
    check(
        (probability is None) != (in_degree is None),
        "connection_probability, in_degree: one of the two must be given",
    )
    if probability is None:
        return every.pairs("in_degree", in_degree, None, NOT_NEGATIVE)
    C = every.pairs("connection_probability", probability, None, PROBABILITY)
    pairs = sizes[:, None] * sizes
    every.require(
        "connection_probability",
        C,
        (pairs > 1) | (C == 0),
        "must be 0 between single neurons, of which it gives no in_degree",
    )
    by = np if is_concrete(C) else jnp
    return by.log1p(-C) / np.log1p(-1 / np.maximum(pairs, 2)) / sizes[:, None]


def _check_sources(J: Numbers) -> None:
    """Requires of jumps not to be given (from, to): a source excites all targets, or inhibits."""
    if not is_concrete(J):
        return
    signs = np.sign(np.asarray(J))

    def of_one_sign(axis: int) -> bool:
        return not np.any((signs > 0).any(axis) & (signs < 0).any(axis))

    check(
        of_one_sign(0) or not of_one_sign(1),
        "psp: its rows, and not its columns, are of one sign; must be (to, from), a column for "
        "each source",
    )


def _units(tau: Numbers, E: Numbers, distance: Numbers, scale: Any) -> Units:
    """Those of the first population."""
    for name, value in (("membrane_time", tau), ("rest", E)):
        check_plain(name, value)
    if scale is None:
        check_plain("threshold and reset without scale", distance)
        scale = float(distance[0])
    return Units(membrane_time=float(tau[0]), rest=float(E[0]), scale=scale)


def _external(
    every: Populations, rate: Any, drive: Numbers, noise: Numbers, E: Numbers, units: Units
) -> tuple[Any, Any]:
    """The drive and the noise of external spikes, from those per Hz, and of the leak to E."""
    leak = (E - units.rest) / units.scale
    if callable(rate):
        check_rate(rate, every.num)
        gain = as_leaf("noise", noise)
        ms = units.learning_time
        moving = ExternalDrive(rate, as_leaf("drive", drive), as_leaf("rest", leak), ms)
        return moving, ExternalNoise(rate, gain, ms)
    nu = every.each("external_rate", rate, HERTZ, _NOISY)
    return drive * nu + leak, noise * nu


def _resting(every: Populations, refractory: Numbers | None) -> Numbers | None:
    if refractory is None or (is_concrete(refractory) and not np.any(refractory)):
        return None
    every.require("refractory", refractory, refractory > 0, "must be positive, or 0 for all")
    return refractory


def _adapting(jump: Numbers | None, time: Numbers | None, scale: float) -> Adaptation | None:
    """To spikes each of which lowers the input by a jump that decays in a time."""
    check(jump is None or time is not None, "adaptation: needs adaptation_time")
    check(time is None or jump is not None, "adaptation_time: needs adaptation")
    return None if jump is None or time is None else Adaptation(jump * time / scale, time)


def _delay(num: int, mean: Any, std: Any, minimum: Any, slots: int | None) -> AbstractDelay | None:
    """One delay for all projections if all is given as single numbers, else one for each."""
    held = {} if slots is None else {"slots": slots}
    for name, value, needed, other in (
        ("delay_std", std, mean, "delay"),
        ("delay_minimum", minimum, std, "delay_std"),
        ("delay_slots", slots, mean, "delay"),
    ):
        check(value is None or needed is not None, f"{name}: needs {other}")
    if mean is None:
        return None
    given = [mean, std, 0.0 if minimum is None else minimum]
    if any(np.ndim(x) for x in given if x is not None):
        given = [None if x is None else broadcast(x, (num, num)) for x in given]
    mean, std, minimum = given
    return Delay(mean, **held) if std is None else NormalDelay(mean, std, minimum, **held)


def _part(every: Populations, sizes: np.ndarray, fraction: Any) -> tuple[int, ...]:
    """The sizes of a smaller circuit."""
    check_plain("size_fraction", fraction)
    check_scalar("size_fraction", fraction)
    part = float(as_numbers("size_fraction", fraction))
    check(0 < part <= 1, f"size_fraction = {part:g}: must be above 0 and at most 1")
    rounded = np.rint(sizes * part)
    every.require("sizes", sizes, rounded >= 1, f"size_fraction = {part:g} leaves no neuron")
    return tuple(int(n) for n in rounded)
