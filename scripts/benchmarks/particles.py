"""Particles on one core, in float32, against Brian2's C++ standalone mode.

The same network in both: M neurons that feel the one sum of all spikes. Brian2 runs in the Python
named by JAXNLIF_BRIAN2_PYTHON (it may need an older NumPy), by default in this one; without Brian2
only the particles are timed.

- Throughput: the same steps, in turns; Brian2 tests end points only, the particles also bridges.
- Time to 1 % of the mean rate: each with the longest step that is that good, for the same number of
  neurons and the same time span, which set the statistical error. For particles that is
  ACCURATE_STEP, whose error is printed; the error of Brian2's Euler-Maruyama steps is measured at
  BRIAN_STEP and falls as the square root of the step, which gives its step for 1 %.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from _report import print_value

import jaxnlif as jn

NUM, STEPS, REPEATS = 100_000, 300, 7
TIME_STEP = 1e-2
WEIGHT, DRIVE = 0.5, 0.0
ACCURATE_STEP, ACCURATE_SPAN = 0.2, 40.0
BRIAN_STEP, BRIAN_SPAN = 1e-3, 8.0
WARM = 4.0
"""How long the rates are not looked at (membrane time)."""


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    with tempfile.TemporaryDirectory() as folder:
        brian = Brian.start(folder)
        ours, theirs = _time(brian)
        _print_throughput("jaxnlif_float32", ours)
        rate = _particles_rate(ACCURATE_STEP, ACCURATE_SPAN)
        error = rate / _exact_rate() - 1
        print_value(f"particles_error/dt={ACCURATE_STEP}/jaxnlif_float32", 100 * error, "%")
        if brian is None or theirs is None:
            return
        _print_throughput("brian2_float32", theirs)
        print_value("particles_speedup/jaxnlif_float32/brian2_float32", theirs / ours, "times")
        brian.build(dt=BRIAN_STEP, steps=round(BRIAN_SPAN / BRIAN_STEP))
        bias = brian.run()["rate"] / _exact_rate() - 1
        print_value(f"particles_error/dt={BRIAN_STEP}/brian2_float32", 100 * bias, "%")
        needed = BRIAN_STEP * (0.01 / bias) ** 2
        print_value("particles_step_for_1%/brian2_float32", needed, "membrane times")
        ratio = (theirs / needed) / (ours / ACCURATE_STEP)
        print_value("particles_time_to_1%/jaxnlif_float32", NUM * ours / ACCURATE_STEP, "s/time")
        print_value("particles_time_to_1%/brian2_float32", NUM * theirs / needed, "s/time")
        print_value("particles_speedup_to_1%/jaxnlif_float32/brian2_float32", ratio, "times")


def _print_throughput(name: str, seconds: float) -> None:
    print_value(f"particles_throughput/{name}", 1 / seconds, "neuron-steps/s")


def _time(brian: Brian | None) -> tuple[float, float | None]:
    """Median seconds for each neuron and step, ours and theirs."""
    ours, theirs = [], []
    began = time.process_time()
    _steps()
    print_value("particles_compile/jaxnlif_float32", time.process_time() - began, "s")
    if brian is not None:
        brian.build(dt=TIME_STEP, steps=STEPS)
    for _ in range(REPEATS):
        began = time.process_time()
        _steps()
        ours.append(time.process_time() - began)
        if brian is not None:
            theirs.append(brian.run()["seconds"])
    scale = NUM * STEPS
    return (
        statistics.median(ours) / scale,
        statistics.median(theirs) / scale if theirs else None,
    )


# ---- particles ---------------------------------------------------------------------------------


def _solve(dt: float, t1: float, since: float) -> jn.Solution:
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60, dtype=np.float32))
    return jn.solve(
        jn.Network(weight=WEIGHT, drive=DRIVE),
        jn.Particles(NUM, grid),
        y0=np.full(NUM, -1.0, np.float32),
        t1=t1,
        dt=dt,
        saveat=jn.SaveAt(ts=[since, t1]),
        key=jax.random.key(0),
    )


def _steps() -> None:
    jax.block_until_ready(_solve(TIME_STEP, STEPS * TIME_STEP, 0.0).rate)


def _particles_rate(dt: float, span: float) -> float:
    sol = _solve(dt, span, WARM)
    return float((sol.spikes[1] - sol.spikes[0]) / (sol.ts[1] - sol.ts[0]))


def _exact_rate() -> float:
    return float(jn.stationary.self_consistent_rates(WEIGHT, DRIVE)[0])


# ---- Brian2 ------------------------------------------------------------------------------------


class Brian:
    """A process in which Brian2 builds and runs the network."""

    def __init__(self, process: subprocess.Popen):
        self.process = process

    @classmethod
    def start(cls, folder: str) -> Brian | None:
        """The process, or `None` where Brian2 cannot be imported."""
        python = os.environ.get("JAXNLIF_BRIAN2_PYTHON", sys.executable)
        found = subprocess.run([python, "-c", "import brian2"], capture_output=True, text=True)
        if found.returncode != 0:
            why = found.stderr.strip().splitlines()[-1:] or ["no output"]
            print(f"# Brian2 is skipped: {python} cannot import it ({why[0]})")
            return None
        script = Path(__file__).with_name("_brian.py")
        return cls(
            subprocess.Popen(
                [python, str(script), str(Path(folder) / "network")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )

    def build(self, *, dt: float, steps: int) -> None:
        job = {"num": NUM, "weight": WEIGHT, "drive": DRIVE, "dt": dt, "steps": steps}
        version = self._ask(job | {"warm": min(round(WARM / dt), steps // 2)})["version"]
        print(f"# Brian2 {version}, dt = {dt:g}, {steps} steps")

    def run(self) -> dict[str, float]:
        return self._ask({})

    def _ask(self, question: dict) -> dict:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError("Brian2 ended without an answer")
