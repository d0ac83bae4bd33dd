"""The network in Brian2's C++ standalone mode, run by a Python of its own.

`python _brian.py FOLDER` reads lines of JSON. {"num", "weight", "drive", "dt", "steps", "warm"}
compiles a network and is answered by the version of Brian2; {} runs it and is answered by seconds
of processor time and the mean rate of the steps after the first `warm`.
"""

from __future__ import annotations

import json
import logging
import resource
import sys

import brian2 as brian
import numpy as np


def build(folder: str, num: int, weight: float, drive: float, dt: float, steps: int):
    """Compiles a network, in which all neurons feel the one sum of all spikes of the step."""
    brian.device.reinit()
    brian.device.activate(directory=folder, build_on_run=False)
    brian.prefs.core.default_float_dtype = np.float32
    step = dt * brian.second
    brian.defaultclock.dt = step
    total = brian.NeuronGroup(1, "kick : 1")
    neurons = brian.NeuronGroup(
        num,
        """dv/dt = (drive - v) / second + sqrt(2 / second) * xi : 1
        drive : 1 (shared)
        kick : 1 (linked)""",
        threshold="v > 2",
        reset="v = 1",
        method="euler",
    )
    neurons.kick = brian.linked_var(total, "kick", index=np.zeros(num, int))
    neurons.v, neurons.drive = -1.0, drive
    spikes = brian.Synapses(neurons, total, on_pre=f"kick_post += {weight / num!r}")
    spikes.connect()
    feel = neurons.run_regularly("v += kick", dt=step, when="resets", order=1)
    forget = total.run_regularly("kick = 0", dt=step, when="end")
    rate = brian.PopulationRateMonitor(neurons)
    brian.Network(neurons, total, spikes, feel, forget, rate).run(steps * step)
    brian.device.build(directory=folder, compile=True, run=False)
    return rate


def _run(folder: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    brian.device.run(folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    folder = sys.argv[1]
    logging.captureWarnings(True)
    brian.set_device("cpp_standalone", directory=folder, build_on_run=False)
    rate, warm = None, 0
    for line in sys.stdin:
        job = json.loads(line)
        if job:
            warm = job.pop("warm")
            rate = build(folder, **job)
            answer = {"version": brian.__version__}
        else:
            seconds = _run(folder)
            mean = float(np.mean(np.asarray(rate.rate / brian.Hz)[warm:]))
            answer = {"seconds": seconds, "rate": mean}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
