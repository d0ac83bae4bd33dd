"""`to_neo`: a run as a recording, for Elephant and whatever else reads Neo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._check import check, check_positive, check_scalar, equally_spaced
from ..multiscale.solver import MultiScale
from ..solve.log import Log, Switch
from ..solve.solution import Solution
from ..solve.solver import Regime
from ..spikes.recurrent import RecurrentTrial
from ._extra import require_neo, require_quantities
from .dataset import provenance

if TYPE_CHECKING:
    import neo


def to_neo(run: Any, *, membrane_time: float | int) -> neo.Block:
    """A run as a `neo.Block` in physical units, with a segment for each member of a batch.

    A segment of a `Solution` begins at its first saved time, ends where the run did, and holds

    - spike trains of the neurons in the raster, `Particles(raster=...)`, silent ones included;
      a multi-scale run has spikes only in the epochs `particles`, each with other neurons;
    - the signal `rate`, the network rate in Hz, which solvers of the density have as well;
    - the events `multiple firing`, labelled by the fraction of the neurons that fired together.

    A segment of a `RecurrentTrial` of `jn.spikes` holds the spike trains of its neurons.

    ```python
    block = jn.io.to_neo(sol, membrane_time=20.0)
    elephant.statistics.mean_firing_rate(block.segments[0].spiketrains[0])
    ```

    **Arguments:** `membrane_time` (ms); for a trial, the ms in one unit of its times.

    **Raises:** `ImportError` without the extra `io`; `ValueError` for what is no run, a membrane
    time that is not positive, ε = 0, for which times are not in membrane times, spikes for which
    the raster had no room, or a trial that did not finish.
    """
    check_scalar("membrane_time", membrane_time)
    check_positive("membrane_time", membrane_time)
    seconds = float(membrane_time) / 1000
    if isinstance(run, Solution):
        block = require_neo().Block(name="jaxnlif.Solution", **provenance(run))
        block.segments.extend(list(_segments(run, seconds)))
    else:
        kind = type(run).__name__
        check(
            isinstance(run, RecurrentTrial),
            f"run = {kind}: must be a Solution or a RecurrentTrial",
        )
        block = require_neo().Block(name="jaxnlif.RecurrentTrial")
        block.segments.extend(list(_trials(run, seconds)))
    block.check_relationships()
    return block


# ---- of a solution ---------------------------------------------------------------------------


def _segments(sol: Solution, membrane_time: float) -> Iterator[neo.Segment]:
    """Those of its members; the membrane time in seconds, as all times below."""
    ends = np.asarray(sol.t_end, float)
    epsilon = np.broadcast_to(np.asarray(sol.model.epsilon, float), ends.shape)
    check(bool(np.all(epsilon > 0)), "epsilon = 0: must be positive, for times to be in seconds")
    for member in np.ndindex(ends.shape):
        unit = membrane_time / float(epsilon[member])
        yield _segment(_Member(sol, member, unit), membrane_time)


class _Member(NamedTuple):
    """One run of a batch, and the seconds in a unit of its times."""

    sol: Solution
    index: tuple[int, ...]
    unit: float

    def get(self, array: Any) -> Any:
        """Its part of an array of the solution."""
        return np.asarray(array, float)[self.index]

    def seconds(self, array: Any) -> Any:
        """Its part of an array of times."""
        return self.get(array) * self.unit

    def rows(self, log: Log) -> Any:
        """Its part of a record, in which there must have been room for all."""
        count = int(self.get(log.count))
        check(
            count <= log.capacity,
            f"raster, events, switches: {count} rows, of which {log.capacity} were kept; the run "
            "needs a larger raster_capacity, max_events or max_switches",
        )
        return type(log.rows)(*(np.asarray(rows)[self.index][:count] for rows in log.rows))


def _segment(member: _Member, membrane_time: float) -> neo.Segment:
    neo, sol = require_neo(), member.sol
    ts, end = member.seconds(sol.ts), float(member.seconds(sol.t_end))
    span = float(ts[0]), end
    segment = neo.Segment(name=" ".join(["run", *map(str, member.index)]))
    rate = member.get(sol.rate) / membrane_time
    segment.add(_signal(ts[ts <= end], rate[ts <= end]))
    if "raster" in sol.logs:
        solver = sol.solver.micro if isinstance(sol.solver, MultiScale) else sol.solver
        spikes = member.rows(sol.logs["raster"])
        segment.add(*_trains(spikes.time * member.unit, spikes.neuron, solver.raster, span))
    if "events" in sol.logs:
        events = member.rows(sol.logs["events"])
        times, sizes = events.time * member.unit, [f"{size:.6g}" for size in events.size]
        labels = np.array(sizes, dtype="U")
        segment.add(neo.Event(times, labels, units="s", name="multiple firing"))
    if "switches" in sol.logs:
        segment.add(_epochs(member.rows(sol.logs["switches"]), member.unit, end))
    return segment


def _signal(ts: np.ndarray, rate: np.ndarray) -> neo.AnalogSignal | neo.IrregularlySampledSignal:
    """A rate (Hz) at times (s)."""
    neo, quantities = require_neo(), require_quantities()
    if len(ts) < 2 or not equally_spaced(ts):
        return neo.IrregularlySampledSignal(ts, rate, units="Hz", time_units="s", name="rate")
    period = (ts[-1] - ts[0]) / (len(ts) - 1) * quantities.s
    begin = ts[0] * quantities.s
    return neo.AnalogSignal(rate, units="Hz", t_start=begin, sampling_period=period, name="rate")


def _epochs(switches: Switch, unit: float, end: float) -> neo.Epoch:
    """When particles were followed; runs begin with the density."""
    times, woke = switches.time * unit, switches.regime == Regime.particles
    begins, ends = times[woke], np.append(times[~woke], end)[: woke.sum()]
    labels = np.array(["particles"] * len(begins), dtype="U")
    return require_neo().Epoch(begins, ends - begins, labels, units="s", name="particles")


# ---- of a trial ------------------------------------------------------------------------------


def _trials(trial: RecurrentTrial, unit: float) -> Iterator[neo.Segment]:
    """Those of its members, where a unit of its times has so many seconds."""
    check(bool(np.all(trial.finished)), "run: did not finish; max_events must be larger")
    for member in np.ndindex(np.shape(trial.num)):
        times, sources, counts = (
            np.asarray(x)[member] for x in (trial.times, trial.sources, trial.counts)
        )
        segment = require_neo().Segment(name=" ".join(["trial", *map(str, member)]))
        end = float(np.asarray(trial.duration)[member])
        segment.add(*_trains(times * unit, sources, len(counts), (0.0, end * unit)))
        yield segment


def _trains(
    times: np.ndarray, sources: np.ndarray, neurons: int, span: tuple[float, float]
) -> Iterator[neo.SpikeTrain]:
    """Those of the neurons 0 to `neurons` - 1, of spikes in a span of time (s)."""
    begin, end = span
    times = np.minimum(times, end)  # which rounding may have let them pass
    for neuron in range(neurons):
        found = times[(sources == neuron) & (times >= begin)]
        yield require_neo().SpikeTrain(
            found, units="s", t_start=begin, t_stop=end, name=f"neuron {neuron}", neuron=neuron
        )
