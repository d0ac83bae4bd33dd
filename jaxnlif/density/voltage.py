"""The voltage step: what the density becomes in a time, for signals that the neurons feel."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ..grid import Grid
from ..machine.machine import HERE, Machine
from ..model import Leaky, Network
from ..model.adaptation import Lowering
from ..stretched import kicks, stretched
from .blowup import edge_weight
from .cells import Inputs, firing_rates, inputs_of
from .reentry import AbstractReentry, AtOnce, Later


class VoltageStep(eqx.Module):
    r"""The voltage step of a time, as functions of the signals that are felt, shape `(s,)`.

    - `weights`: synaptic weights of the columns, `(w,)`.
    - `time`: when the drive is looked up; `kappa`: $ε/Δt$, or one of each column
      `(w,)` (1 / membrane time).
    - `density`: $p^*$ at the beginning, `(v, w)`.
    - `reentry`: who re-enters at the reset potential.
    - `machine`: how columns are stepped, and on which devices.
    - `extra`: what is felt besides the signals, of either sign, `(s,)` (spikes / neuron / membrane
      time).
    - `known`: the signals that arrive, if they were sent in earlier steps. Those that are felt are
      then the rates to which neurons adapt.
    - `lowering`: by how much adaptation lowers the input, if there is any.
    """

    grid: Grid
    model: Network
    weights: Float[Array, " w"]
    time: Float[Array, ""]
    kappa: Float[Array, "*w"]
    density: Float[Array, "v w"]
    reentry: AbstractReentry = AtOnce()
    machine: Machine = HERE
    extra: Float[Array, " s"] | float = 0.0
    known: Float[Array, " s2"] | None = None
    lowering: Lowering | None = None

    def crossing(self, signals: Float[Array, " s"]) -> Float[Array, " w"]:
        """The firing rates at the beginning."""
        return self._rates(self.inputs(signals), self.density[-1])

    def after(
        self, signals: Float[Array, " s"], known: Float[Array, "v w"] | None = None
    ) -> tuple[Float[Array, "v w"], Float[Array, " w"]]:
        """Density and firing rates at the end; `known`, that density if it has been found before,
        and only derivatives are missing."""
        return self._after(self.reentry, signals, known)

    def absorbed(
        self, signals: Float[Array, " s"]
    ) -> tuple[Float[Array, "v w"], Float[Array, " w"]]:
        """The same if nobody who fires in the step re-enters in it."""
        return self._after(Later(self.reentry.inflow(self.weights)), signals, None)

    def firing(self, signals: Float[Array, " s"]) -> Float[Array, " s"]:
        """The signals that are sent at the end, by the upward sweep alone."""
        return self.sent(self.rates(signals))

    def rates(self, signals: Float[Array, " s"]) -> Float[Array, " w"]:
        """The firing rates at the end, by the upward sweep alone."""
        inputs = self.inputs(signals)
        rates = self.reentry.rates(self.grid.v, inputs, self.density, self._machine)
        return self._per_time(rates)

    def inputs(self, signals: Float[Array, " s"]) -> Inputs:
        """What the neurons are given."""
        heard = self.heard(signals) + self.extra
        drive, noise = self.model.given(self.time, self.weights, heard)
        drive = drive if self.lowering is None else drive - self.lowering.of(signals)
        membrane, unit = stretched(self.grid.v, self.model)
        kappa = self.kappa * self.model.membrane_time
        return inputs_of(self.grid.v, membrane, kappa, drive / unit, noise / unit**2)

    def heard(self, signals: Float[Array, " s"]) -> Float[Array, " s2"]:
        """The signals of other neurons among those that are felt."""
        return signals if self.known is None else self.known

    def received(self, signals: Float[Array, " s"]) -> Float[Array, " w"]:
        """What the neurons are given because of the signals (voltage)."""
        given = self.model.connections.input(self.weights, self.heard(signals))
        return given if self.lowering is None else given - self.lowering.of(signals)

    def sent(self, rates: Float[Array, " w"]) -> Float[Array, " s"]:
        r"""The signals of neurons that fire at these rates: $\bar N = ∫N(w)\,dw$."""
        return jnp.atleast_1d(self.network_rate(rates))

    def network_rate(self, rates: Float[Array, " w"]) -> Float[Array, "*k"]:
        r"""$\bar N = ∫N(w)\,dw$, of populations that of each."""
        return self.grid.network_rate(rates)

    def mass_given(self) -> Float[Array, " w"]:
        """Mass at the beginning and what enters by itself (1 / weight)."""
        inflow = self.reentry.inflow(self.weights)
        entered = inflow / (self.kappa * self.model.membrane_time)
        return self.grid.weight_density(self.density) + entered

    def kick(self) -> Float[Array, "*k w"]:
        """The jump of each weight when unit mass fires at once, of populations of each when unit
        mass of each does (voltage)."""
        return kicks(self.grid.v, self.model, self.weights)

    def edge(self, signals: Float[Array, " s"]) -> Float[Array, " w"]:
        """The weight of the layer below the threshold."""
        inputs = self.inputs(signals)
        membrane, _ = stretched(self.grid.v, self.model)
        top = membrane.drift(jnp.asarray(self.grid.v.threshold, self.grid.dtype))
        return edge_weight(self.grid.v, inputs.drive + top, inputs.noise)

    @property
    def _machine(self) -> Machine:
        """Kernels make the drift of leaky neurons alone, of one membrane time."""
        leaky = isinstance(self.model.membrane, Leaky) and self.grid.populations is None
        return Machine(self.machine.execution, self.machine.layout, leaky)

    def _after(
        self,
        reentry: AbstractReentry,
        signals: Float[Array, " s"],
        known: Float[Array, "v w"] | None,
    ) -> tuple[Float[Array, "v w"], Float[Array, " w"]]:
        inputs = self.inputs(signals)
        density = reentry.after(self.grid.v, inputs, self.density, known, self._machine)
        return density, self._rates(inputs, density[-1])

    def _rates(self, inputs: Inputs, last: Float[Array, " w"]) -> Float[Array, " w"]:
        return self._per_time(firing_rates(self.grid.v, inputs, last))

    def _per_time(self, rates: Float[Array, " w"]) -> Float[Array, " w"]:
        """Rates, which a step has in membrane times, in the time of the network."""
        if self.model.time_constant is None:
            return rates
        return rates / self.model.membrane_time


def frozen(tree: Any) -> Any:
    """The same values, through which no derivative flows."""
    return jax.tree.map(lambda x: lax.stop_gradient(x) if eqx.is_array(x) else x, tree)
