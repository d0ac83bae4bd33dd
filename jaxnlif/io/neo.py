"""`to_neo`: spike trains and rates for Neo, and with it for Elephant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._check import check, check_positive
from ..solve.result import Result
from ..solve.solution import Solution
from ._extra import require_neo
from .dataset import description

if TYPE_CHECKING:
    import neo


def to_neo(sol: Any, *, membrane_time: float | int) -> neo.Block:
    r"""A solution as a `neo.Block` with one segment, in seconds and Hz.

    Its spike trains are those of the recorded neurons (`Particles(..., raster=n)`), silent ones
    included; its signal is the network rate, and its events are the multiple firing events, where a
    solver records any. Model, solver and versions are annotations of the block, as texts (JSON).

    **Arguments:** `sol`: a `Solution` of one run; `membrane_time`: τ (seconds). Learning times are
    τ/ε long.

    **Raises:** `ImportError` without the extra `io`; `ValueError` for what is no solution or a
    batch, for ε = 0, in which time is not that of membranes, or if τ is not positive.
    """
    check(isinstance(sol, Solution), f"sol = {type(sol).__name__}: must be a Solution")
    check(np.ndim(sol.t_end) == 0, "sol: holds a batch of runs; select one, x[i] of every array")
    check_positive("membrane_time", membrane_time)
    epsilon = float(sol.model.epsilon)
    check(epsilon > 0, "sol: epsilon = 0: its time is that of learning, not of membranes")
    neo, quantities = require_neo()
    second, unit = quantities.s, membrane_time / epsilon
    times = np.asarray(sol.ts, float)
    begin, end = times[0] * unit, max(times[-1], float(sol.t_end)) * unit

    segment = neo.Segment(name=Result[sol.result])  # pyright: ignore
    if "raster" in sol.logs:
        spikes, number = sol.raster, _recorded(sol)
        for neuron in range(number):
            train = np.asarray(spikes.time, float)[np.asarray(spikes.neuron) == neuron] * unit
            # Steps end at t0 + n Δt, which rounding may put beyond the last saved time.
            train = np.clip(train, begin, end)
            about = {"name": f"neuron {neuron}", "neuron": neuron}
            segment.spiketrains.append(
                neo.SpikeTrain(train * second, t_start=begin * second, t_stop=end * second, **about)
            )
    rate = np.asarray(sol.rate, float) / membrane_time * quantities.Hz
    period = (times[-1] - times[0]) / max(len(times) - 1, 1)
    if np.allclose(np.diff(times), period, rtol=1e-3):
        signal = neo.AnalogSignal(
            rate,
            t_start=begin * second,
            sampling_period=period * unit * second,
            name="network rate",
        )
        segment.analogsignals.append(signal)
    else:
        signal = neo.IrregularlySampledSignal(times * unit * second, rate, name="network rate")
        segment.irregularlysampledsignals.append(signal)
    if "events" in sol.logs:
        happened = sol.events
        sizes = [f"{float(size):.3g} of all neurons" for size in happened.size]
        at = np.asarray(happened.time, float) * unit * second
        segment.events.append(neo.Event(at, labels=sizes, name="multiple firing events"))
    block = neo.Block(name="jaxnlif", membrane_time=membrane_time, **description(sol))
    block.segments.append(segment)
    return block


def _recorded(sol: Solution) -> int:
    """How many neurons have their spikes recorded."""
    solver = sol.solver
    return (getattr(solver, "micro", None) or solver).raster
