"""What a run returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from .._check import check, check_integer, is_concrete
from .log import Event, Log, Spike, Switch
from .moment import Moment, at
from .result import Result, text
from .solver import AbstractSolver
from .summary import summary
from .warning import warning_flags, warning_messages

if TYPE_CHECKING:
    import xarray


class Solution(eqx.Module):
    r"""The saved course of a run, in the order of time; k saved times, m weights, n voltages.

    - `ts`: saved times, shape `(k,)` (learning time), which for $ε = 1$ is membrane time.
    - `rate`: network rate $\bar N(t)$, `(k,)` (spikes / neuron / membrane time); at `t0` that with
      which the first step begins.
    - `rates`: $N(w, t)$, `(k, m)` (spikes / neuron / membrane time / weight).
    - `weights`: weight density $H(w, t)$, `(k, m)` (1 / weight).
    - `spikes`: $∫ \bar N\,dt$ since the beginning, `(k,)`: ε times the spikes of a neuron
      (spikes / neuron × learning time / membrane time); its differences give mean rates.
    - `refractory`: fraction of the neurons that rest after a spike, `(k,)` (dimensionless).
    - `regime`: the `Regime` of each saved time, `(k,)`.
    - `saved`: what `SaveAt.fn` made of each snapshot; densities `(k, n, m)` by default;
      NumPy memory maps in a run with a `Checkpoint`.
    - `result`: how the run ended, a `Result`; what makes the answer wrong.
    - `t_end`: the time that was reached; the time of a blow-up (learning time).
    - `stats`: `mass_drift` (largest |mass - initial mass|) and `minimum` of the density over the
      saved times, `steps`, `dt`, the length of each (learning time), counts of nonlinear
      iterations, and `differentiable_from`, the time of the last event or switch, at which
      gradients stop (-inf where they flow from the beginning).
    - `logs`: the records behind `events`, `switches` and `raster`.
    - `state`: the solver's last state. `model`, `solver`: what was solved, and how.
    - `holds_density`: whether densities were saved, so that `density` can return them.

    Of a network of p populations `rate`, `spikes`, `refractory` and `rates` are `(k, p)`, one for
    each, and so is `weights`, their mass.

    A run that ends early keeps what was saved before; under `jit`, `grad` and `vmap`, where
    shapes are fixed, the entries after its end repeat the last state.
    """

    ts: Float[Array, " k"]
    rate: Float[Array, "k *p"]
    rates: Float[Array, "k m"]
    weights: Float[Array, "k m"]
    spikes: Float[Array, "k *p"]
    refractory: Float[Array, "k *p"]
    regime: Int[Array, " k"]
    saved: Any
    result: Result
    t_end: Float[Array, ""]
    stats: dict[str, Any]
    logs: dict[str, Log]
    state: Any
    model: Any
    solver: AbstractSolver
    holds_density: bool = eqx.field(static=True)

    @property
    def warnings(self) -> Bool[Array, "*batch flags"]:
        """What makes the answer doubtful though the run was completed.

        Flags in the order of `WarningFlag`, shape `(flags,)`, or `(…, flags)` of a batch. They are
        computed when asked for, also under `jit`, `vmap` and `grad`.
        """
        return warning_flags(self)

    @property
    def message(self) -> str:
        """How the run ended and what makes it doubtful, in words that say what to try.

        **Raises:** `ValueError` under `jit` and for a batch: take one member of it.
        """
        check(
            is_concrete(self.result, self.t_end) and jnp.ndim(self.t_end) == 0,
            "message: is that of a single run outside jit; take one member of the batch",
        )
        return " ".join([text(self.result), *warning_messages(self)])

    def __repr__(self) -> str:
        return summary(self)

    def plot(self, **options: Any) -> Any:
        """Rate, weights, response and density, or rate, density and spikes, in one figure.

        **Arguments:** `options`: those of `jaxnlif.plot.summary`, such as `size`.

        **Returns:** the figure of Matplotlib.

        **Raises:** `ValueError` for several runs.
        """
        from ..plot.overview import summary

        return summary(self, **options)

    def __call__(self, t: ArrayLike | Sequence) -> Moment:
        """Everything that was saved, at times between the saved ones.

        What follows a density is linear between two saved times. What follows particles, and
        everything where neurons fire together or the description changes in between, is that of the
        nearest of them, but for `spikes`, which are always linear. Derivatives flow through both
        the solution and the times.

        **Arguments:** `t`: times of any shape (learning time).

        **Returns:** a `Moment`, whose fields begin with the shape of `t`; for a solution of `vmap`,
        with its axes before.

        **Raises:** `ValueError` for times that were not reached; under `jit`, where values are
        unknown, a `RuntimeError` when it runs.
        """
        check(self.ts.shape[-1] > 0, "t: the run ended before the first time that was to be saved")
        return at(self, t)

    def density(self, index: int) -> Float[Array, "*members n m"]:
        """The density $p(v, w)$ at a saved time, shape `(n, m)` (1 / voltage / weight).

        **Arguments:** `index`: which of the saved times; negative ones count from the end.

        **Raises:** `ValueError` if `SaveAt.fn` saved something else, or there is no such time.
        """
        check(self.holds_density, "density: not saved, because SaveAt was given another fn")
        num = self.ts.shape[-1]
        if is_concrete(index):
            check(
                -num <= check_integer("index", index, at_least=-(2**31)) < num,
                f"index = {index}: must be from {-num} to {num - 1}, there are {num} saved times",
            )
        return jnp.asarray(self.saved[..., index, :, :])

    def members(self) -> Iterator[Solution]:
        """The runs of a solution of `vmap` one after the other; a single one is its only member."""
        if self.ts.ndim == 1:
            yield self
            return
        for k in range(self.ts.shape[0]):
            yield from jax.tree.map(lambda x, k=k: x[k], self).members()

    def to_xarray(self) -> xarray.Dataset:
        """As a labelled dataset, which `jn.io.to_xarray` describes.

        **Raises:** `ImportError` without the extra `io`; `ValueError` if two saved arrays have the
        same name.
        """
        from ..io.dataset import to_xarray  # only here: files need all that solutions hold

        return to_xarray(self)

    @property
    def events(self) -> Event:
        """The multiple firing events: arrays `time` and `size` of shape `(events,)`.

        Of populations `size` has the shape `(events, k)`.

        **Raises:** `ValueError` if the solver records none.
        """
        return self._recorded("events")

    @property
    def switches(self) -> Switch:
        """Changes of the description: arrays `time`, `regime` and `criterion`, shape `(switches,)`.

        **Raises:** `ValueError` if the solver records none.
        """
        return self._recorded("switches")

    @property
    def raster(self) -> Spike:
        """The spikes of some neurons: arrays `time` and `neuron` of shape `(spikes,)`.

        **Raises:** `ValueError` if the solver records none.
        """
        return self._recorded("raster")

    def _recorded(self, name: str) -> Any:
        check(name in self.logs, f"{name}: {type(self.solver).__name__} recorded none in this run")
        return self.logs[name].table()
