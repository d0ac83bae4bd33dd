"""What `MultiScale` requires of its arguments, of a model and of a grid."""

from __future__ import annotations

from typing import Any

from .._check import check
from ..density.adaptive import Adaptive
from ..density.solver import FluxShift
from ..grid import VoltageGrid
from ..model import Network
from ..particles.solver import Particles
from .switch import AbstractSwitch


def check_arguments(macro: Any, micro: Any, switch: Any, noisy: bool) -> None:
    """Requires a density without events and neurons, particles, and a switch; `noisy`, whether the
    density is to carry the noise of the particles."""
    for name, value, kind in (("macro", macro, FluxShift), ("micro", micro, Particles)):
        check(
            isinstance(value, kind),
            f"{name}: is a {type(value).__name__}, must be a {kind.__name__}",
        )
    check(
        isinstance(switch, AbstractSwitch),
        f"switch = {switch!r}: must be a switch such as CascadeSwitch() or RateSwitch()",
    )
    check(
        not isinstance(micro.num, tuple),
        "micro: has populations, which Particles follow and MultiScale does not",
    )
    check(macro.events is None, "macro: has events; particles follow them here, so leave them")
    check(macro.neurons is None, "macro: has neurons; those of micro count here, so leave them")
    check(
        not isinstance(macro.step_size, Adaptive),
        "macro: has Adaptive steps, which the switch does not follow; leave out step_size",
    )
    check(
        not noisy or macro.scheme.order == 1,
        f"macro: {type(macro.scheme).__name__} does not carry the noise of finitely many neurons; "
        "take scheme=Euler(), or finite_size_noise=False",
    )


def check_network(model: Network) -> None:
    """Requires spikes that act at once, and neurons that restart at once."""
    check(
        model.populations is None,
        "model: has populations, which FluxShift and Particles follow and MultiScale does not",
    )
    check(
        not model.connections.delayed,
        "delay: delayed networks have no instantaneous events to follow",
    )
    check(model.adaptation is None, "adaptation: must be None for a multi-scale solver")
    check(not model.rest.rests, "refractory: must be None for a multi-scale solver")


def check_spacing(v: VoltageGrid) -> None:
    """Requires a grid on which particles near the reset potential can be deposited."""
    h, gap = v.spacing, v.threshold - v.reset
    check(
        h <= gap / 15 * (1 + 1e-9),
        f"grid: spacing {h:g} must be at most {gap / 15:g}, a 15th of threshold - reset, "
        "to receive particles near the reset potential",
    )
