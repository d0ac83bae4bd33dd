r"""The scheme in time: with what the voltage step of a part of a run begins.

Every scheme makes one implicit voltage step, $(κ' + A)\,p^{n+1} = κ' p^*$ with the flux shift. It
says what $p^*$ and $κ' = ε/Δt'$ are.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._module import Module
from ..grid import Grid
from .coupling import AbstractCoupling
from .events import Fired
from .reentry import AbstractReentry
from .state import DensityState
from .step_size import AbstractStepSize, FixedStep
from .transport import AbstractTransport, Learning, Moved


class Part(NamedTuple):
    """A part of a run that is to be stepped over.

    - `learning`, `transport`: what moves the weights, and how.
    - `dt`: its length (learning time); `epsilon`.
    - `restarts`: whether it begins where the drive jumps.
    - `reentry`: who re-enters at the reset potential; `entering`, the mass of those whose rest is
      over, shape `(w,)` (1 / weight).
    """

    learning: Learning
    transport: AbstractTransport
    dt: Float[Array, ""]
    epsilon: Float[Array, ""]
    restarts: Bool[Array, ""] | bool
    reentry: AbstractReentry
    entering: Float[Array, " w"]


class Begun(NamedTuple):
    r"""With what a voltage step begins.

    - `moved`: $p^*$, shape `(v, w)` (1 / voltage / weight), and how the weights were moved.
    - `length`: $Δt'$, a number or `(w,)` (learning time).
    - `reentry`: who re-enters by itself.
    - `previous`: the signals from which the coupling goes on, `(s,)` (spikes / neuron / membrane
      time).
    - `fresh`: whether nothing is known of earlier steps.
    - `fired`: $∫N(w)\,dt$ besides $N Δt'$, of the form of `length` (spikes / neuron × learning time
      / membrane time / weight).
    - `mass`: the sum over voltages of each column, where that of $p^*$ is off by rounding, `(w,)`
      (1 / voltage / weight).
    - `kept`: what the scheme wants to find again after the step.
    """

    moved: Moved
    length: Float[Array, " *w"]
    reentry: AbstractReentry
    previous: Float[Array, " s"]
    fresh: Bool[Array, ""] | bool
    fired: Float[Array, " *w"] | float
    kept: Any = None
    mass: Float[Array, " w"] | None = None


class AbstractScheme(Module):
    r"""A scheme in time.

    - `order`: in time.

    **Arguments** of the methods:

    - `grid`, `density`: the initial density on it, shape `(v, w)` (1 / voltage / weight).
    - `rate`: a rate of the network, `()`, of populations `(k,)` (spikes / neuron / membrane time).
    - `learns`: whether its weights move.
    - `state`: that at the beginning of a part; `part`: the `Part`.
    - `begun`, `fired`: what `begin` returned, and what the voltage step came to.
    - `spikes`: $∫N(w)\,dt$, shape `(w,)` (spikes / neuron × learning time / membrane time /
      weight).
    - `dt`: the length of a step, shape `()` (learning time).
    - `coupling`: the one that is given; `jumps`: whether the drive has any.
    """

    order: ClassVar[int] = 1

    @abc.abstractmethod
    def start(
        self, grid: Grid, density: Float[Array, "v w"], rate: Float[Array, "*k"], *, learns: bool
    ) -> Any:
        """What is kept of earlier steps, when there were none."""

    @abc.abstractmethod
    def begin(self, part: Part, state: DensityState) -> Begun:
        """With what the voltage step begins."""

    @abc.abstractmethod
    def after(
        self, part: Part, begun: Begun, state: DensityState, fired: Fired, spikes: Array
    ) -> Any:
        """What is kept for later steps."""

    def ahead(self, state: DensityState, dt: Float[Array, ""]) -> Float[Array, " s"]:
        """The signals at the end of a step, by what is known at its beginning.

        **Returns:** shape `(s,)` (spikes / neuron / membrane time).
        """
        return jnp.atleast_1d(state.rate)

    def coupling(self, coupling: AbstractCoupling) -> AbstractCoupling:
        """The coupling of the run, of the one that is given."""
        return coupling

    def step_size(self, *, jumps: bool) -> AbstractStepSize:
        """How steps are divided unless that is given."""
        return FixedStep()


class Euler(AbstractScheme):
    """Backward Euler: first order in time, exact in mass and sign at every step.

    **Reference:** J. Hu, J.-G. Liu, Y. Xie, Z. Zhou, arXiv 1911.07619 (2019).
    """

    def start(
        self, grid: Grid, density: Float[Array, "v w"], rate: Float[Array, "*k"], *, learns: bool
    ) -> None:
        return None

    def begin(self, part: Part, state: DensityState) -> Begun:
        moved = part.transport.move(part.learning, state.density)
        previous = jnp.atleast_1d(state.rate)
        return Begun(moved, part.dt, part.reentry, previous, False, 0.0)

    def after(
        self, part: Part, begun: Begun, state: DensityState, fired: Fired, spikes: Array
    ) -> None:
        return None
