"""`to_neo`: a run as a recording, for Neo and with it for Elephant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from .._check import check, equally_spaced
from .._quantity import brief
from ..integrate.log import Log, Switch
from ..integrate.result import text
from ..integrate.solution import Solution
from ..integrate.solver import Regime
from ..multiscale.solver import MultiScale
from ..spikes.network import Trial
from ..units import Units
from ._extra import require_neo
from .dataset import description, population_names

if TYPE_CHECKING:
    import neo

_ROUNDING = 1e-5
_MS_PER_S = 1000.0


def to_neo(sol: Any, *, units: Units | None = None, membrane_time: Any = None) -> neo.Block:
    r"""A solution as a `neo.Block` in seconds and Hz, with a segment for each member of a batch.

    A segment begins at the first saved time, ends where the run did, and holds

    - spike trains of the recorded neurons, `Particles(..., raster=n)`, silent ones included;
      multi-scale runs have spikes only in the epochs "particles", each those of other neurons;
    - the signal "network rate", whichever solver it comes from, or of each population a signal
      "rate of E", annotated with its name, `population="E"`;
    - the events "multiple firing events", where a solver records any.

    Model, solver and versions are annotations of the block, as texts (JSON), and the membrane time
    (seconds).

    **Arguments:**

    - `sol`: a `Solution`, or a `Trial` of `jn.spikes`, whose segment has the spike trains of all
      neurons.
    - `units`: the `Units` of the neurons. Times of a `Solution` are in its learning time, those of
      a trial in its membrane time.
    - `membrane_time`: was the membrane time in seconds, which `units` has in ms; refused.

    **Raises:** `ImportError` without the extra `io`; `ValueError` for what is neither of the two,
    without `units` or with those of another ε than the network's, for ε = 0, in which time is not
    that of membranes, if there was no room for all spikes of the raster, or if a trial did not
    finish.
    """
    check(
        membrane_time is None,
        f"membrane_time = {brief(membrane_time)}: is an argument no more; give "
        "units=jaxnlif.Units(membrane_time=..., rest=..., scale=...), in ms and mV",
    )
    if not isinstance(units, Units):
        kind = type(units).__name__
        raise ValueError(f"units = {kind}: must be Units(membrane_time=..., ...)")
    seconds = units.membrane_time / _MS_PER_S
    if isinstance(sol, Solution):
        annotations, segments = description(sol), _segments(sol, units)
    else:
        kind = type(sol).__name__
        check(
            isinstance(sol, Trial),
            f"sol = {kind}: must be a Solution or a Trial of jaxnlif.spikes",
        )
        annotations, segments = {}, _trials(sol, seconds)
    block = require_neo()[0].Block(name="jaxnlif", membrane_time=seconds, **annotations)
    block.segments.extend(list(segments))
    block.check_relationships()
    return block


# ---- of a solution ---------------------------------------------------------------------------


def _segments(sol: Solution, units: Units) -> Iterator[neo.Segment]:
    """Those of its members."""
    ends = np.asarray(sol.t_end, float)
    epsilons = np.broadcast_to(np.asarray(sol.model.epsilon, float), ends.shape)
    check(
        bool(np.all(epsilons > 0)),
        "sol: epsilon = 0: its time is that of learning, not of membranes",
    )
    for epsilon in epsilons[np.abs(epsilons / units.epsilon - 1) > _ROUNDING].flat[:1]:
        raise ValueError(
            f"units: learning_time = {units.learning_time:g} ms: must be "
            f"{units.membrane_time / epsilon:g} ms, membrane_time / epsilon for epsilon = "
            f"{epsilon:g} of the network"
        )
    for member in np.ndindex(ends.shape):
        one = _Member(sol, member, units.learning_time / _MS_PER_S)
        yield _segment(one, units.membrane_time / _MS_PER_S)


class _Member(NamedTuple):
    """One run of a batch, and the seconds in a unit of its times."""

    sol: Solution
    place: tuple[int, ...]
    unit: float

    def get(self, array: Any) -> Any:
        """Its part of an array of the solution."""
        return np.asarray(array, float)[self.place]

    def seconds(self, array: Any) -> Any:
        """Its part of an array of times."""
        return self.get(array) * self.unit

    def rows(self, log: Log) -> Any:
        """Its part of a record."""
        count = min(int(self.get(log.count)), log.capacity)
        return type(log.rows)(*(np.asarray(rows)[self.place][:count] for rows in log.rows))


def _segment(member: _Member, membrane_time: float) -> neo.Segment:
    neo, sol = require_neo()[0], member.sol
    ts, end = member.seconds(sol.ts), float(member.seconds(sol.t_end))
    saved = ts <= end + _ROUNDING * abs(end)  # later entries of a batch repeat the last state
    end = max(end, float(ts[saved][-1]))
    how = text(jax.tree.map(lambda x: x[member.place], sol.result))
    segment = neo.Segment(name=" ".join(["run", *map(str, member.place)]), description=how)
    for about, rate in _courses(sol, member.get(sol.rate)[saved] / membrane_time):
        segment.add(_signal(ts[saved], rate, **about))
    if "raster" in sol.logs:
        solver: Any = sol.solver.micro if isinstance(sol.solver, MultiScale) else sol.solver
        log = sol.logs["raster"]
        check(
            int(member.get(log.count)) <= log.capacity,
            f"sol: {int(member.get(log.count))} spikes in the raster, of which {log.capacity} were "
            "kept; the run needs a larger raster_capacity",
        )
        spikes = member.rows(log)
        span = float(ts[0]), end
        segment.add(*_trains(spikes.time * member.unit, spikes.neuron, solver.raster, span))
    if "events" in sol.logs:
        events = member.rows(sol.logs["events"])
        sizes = [_size(member.sol, np.asarray(size)) for size in events.size]
        times, labels = events.time * member.unit, np.array(sizes, dtype="U")
        segment.add(neo.Event(times, labels, units="s", name="multiple firing events"))
    if "switches" in sol.logs:
        segment.add(_epochs(member.rows(sol.logs["switches"]), member.unit, end))
    return segment


def _courses(sol: Solution, rate: np.ndarray) -> Iterator[tuple[dict[str, str], np.ndarray]]:
    """The names of rates, and the rates `(k,)`."""
    num = sol.solver.grid.populations
    if num is None:
        yield {"name": "network rate"}, rate
        return
    for k, name in enumerate(population_names(sol.model.names, num)):
        yield {"name": f"rate of {name}", "population": name}, rate[:, k]


def _size(sol: Solution, size: np.ndarray) -> str:
    """Which part of the neurons, or of each population, fired together."""
    if not size.ndim:
        return f"{size:.3g} of all neurons"
    names = sol.model.names or range(len(size))
    return ", ".join(f"{part:.3g} of {name}" for part, name in zip(size, names, strict=True))


def _signal(
    ts: np.ndarray, rate: np.ndarray, **about: str
) -> neo.AnalogSignal | neo.IrregularlySampledSignal:
    """A rate (Hz) at times (s)."""
    neo, quantities = require_neo()
    about["units"] = "Hz"
    if len(ts) < 2 or not equally_spaced(ts):
        return neo.IrregularlySampledSignal(ts, rate, time_units="s", **about)
    begin, period = ts[0] * quantities.s, (ts[-1] - ts[0]) / (len(ts) - 1) * quantities.s
    return neo.AnalogSignal(rate, t_start=begin, sampling_period=period, **about)


def _epochs(switches: Switch, unit: float, end: float) -> neo.Epoch:
    """When particles were followed; runs begin with the density."""
    times, woke = switches.time * unit, switches.regime == Regime.particles
    begins, ends = times[woke], np.append(times[~woke], end)[: woke.sum()]
    labels = np.array(["particles"] * len(begins), dtype="U")
    return require_neo()[0].Epoch(begins, ends - begins, labels, units="s", name="particles")


# ---- of a trial ------------------------------------------------------------------------------


def _trials(trial: Trial, unit: float) -> Iterator[neo.Segment]:
    """Those of its members, where a unit of its times has so many seconds."""
    check(
        bool(np.all(trial.finished)), "sol: did not finish; the network needs room for more spikes"
    )
    ends = np.broadcast_to(trial.duration, np.shape(trial.finished))
    for member in np.ndindex(ends.shape):
        counts = np.asarray(trial.num_spikes)[member]
        if trial.events is None:
            found = np.asarray(trial.spike_times)[member]
            sources, which = np.nonzero(np.isfinite(found))
            times = found[sources, which]
        else:
            times, sources = (np.asarray(x)[member] for x in trial.events[:2])
        segment = require_neo()[0].Segment(name=" ".join(["trial", *map(str, member)]))
        span = 0.0, float(ends[member]) * unit
        segment.add(*_trains(times * unit, sources, len(counts), span))
        yield segment


def _trains(
    times: np.ndarray, sources: np.ndarray, neurons: int, span: tuple[float, float]
) -> Iterator[neo.SpikeTrain]:
    """Those of the neurons 0 to `neurons` - 1, of spikes in a span of time (s)."""
    begin, end = span
    times = np.minimum(times, end)  # which rounding may have let them pass
    for neuron in range(neurons):
        found = times[(sources == neuron) & (times >= begin)]
        yield require_neo()[0].SpikeTrain(
            found, units="s", t_start=begin, t_stop=end, name=f"neuron {neuron}", neuron=neuron
        )
