"""The same network in Brian2 and in jaxnlif: rates on top of each other, in a figure.

`python scripts/compare_brian.py [--out FILE.png]`, with the extra `bench` installed, which brings
Brian2. A network of excitatory leaky integrate-and-fire neurons with white noise and an input that
goes up and down. Potentials v are (V - V_rest) / 10 mV, times t / τ.

Euler steps do not see neurons that cross the threshold and come back within a step: at 0.02 ms
Brian2 misses some 6 % of the spikes, in proportion to the square root of the step.
"""

from __future__ import annotations

import argparse
import sys

import brian2 as b2
import jax
import jax.numpy as jnp
import numpy as np

import jaxnlif as jn

NUM = 4000
TAU = 20.0  # ms
REST, THRESHOLD, RESET, UNIT = -70.0, -50.0, -60.0, 10.0  # mV
INPUT, SWING, PERIOD = 10.0, 6.0, 100.0  # mV, mV, ms
COUPLING = 5.0  # mV: how far all of the others, firing at once, would lift a neuron
NOISE = 10.0  # mV: standard deviation of potentials that never fire
DURATION = 400.0  # ms
BIN = 4.0  # ms


def brian(num: int = NUM, dt: float = 0.02) -> np.ndarray:
    """Mean rates in bins (Hz), by Euler steps of `dt` (ms)."""
    b2.start_scope()
    b2.prefs.codegen.target = "numpy"
    b2.seed(1)
    b2.defaultclock.dt = dt * b2.ms
    names = {
        "tau": TAU * b2.ms,
        "rest": REST * b2.mV,
        "mean": INPUT * b2.mV,
        "swing": SWING * b2.mV,
        "period": PERIOD * b2.ms,
        "sigma": NOISE * b2.mV,
        "threshold": THRESHOLD * b2.mV,
        "reset": RESET * b2.mV,
        "kick": COUPLING / num * b2.mV,
    }
    total = b2.NeuronGroup(1, "count : 1")
    neurons = b2.NeuronGroup(
        num,
        """dV/dt = (rest - V + mean + swing * sin(2 * pi * t / period)) / tau
                   + sigma * sqrt(2 / tau) * xi : volt
           spikes : 1 (linked)""",
        threshold="V > threshold",
        reset="V = reset",
        method="euler",
        namespace=names,
    )
    neurons.spikes = b2.linked_var(total, "count", index=np.zeros(num, int))
    neurons.V = (REST + NOISE * np.random.default_rng(0).normal(-1, 0.5, num)) * b2.mV
    synapses = b2.Synapses(neurons, total, on_pre="count_post += 1")
    synapses.connect()
    feel = neurons.run_regularly("V += kick * spikes", when="resets", order=1)
    forget = total.run_regularly("count = 0", when="end")
    monitor = b2.PopulationRateMonitor(neurons)
    b2.Network(total, neurons, synapses, feel, forget, monitor).run(DURATION * b2.ms)
    rates = np.asarray(monitor.rate / b2.Hz)
    return rates.reshape(-1, round(BIN / dt)).mean(1)


def jaxnlif(solver: jn.FluxShift | jn.Particles, grid: jn.Grid, *, dt: float = 0.2) -> np.ndarray:
    """The same of a density or of particles; steps of `dt` (ms)."""
    model = jn.Network(
        noise=(NOISE / UNIT) ** 2,
        weight=COUPLING / UNIT,
        drive=jn.Sinusoid(INPUT / UNIT, SWING / UNIT, period=PERIOD / TAU),
    )
    sol = jn.solve(
        model,
        solver,
        y0=jn.gaussian(grid, v=(-1.0, 0.25)),
        t1=DURATION / TAU,
        dt=dt / TAU,
        saveat=jn.SaveAt(num=round(DURATION / BIN) + 1, fn=None),
        key=jax.random.key(0),
    )
    return np.asarray(jnp.diff(sol.spikes)) / (BIN * 1e-3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="brian.png", metavar="FILE.png", help="the figure")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    top, reset = (THRESHOLD - REST) / UNIT, (RESET - REST) / UNIT
    grid = jn.Grid(v=jn.VoltageGrid(-6.0, top, reset=reset, num=320))
    density = jaxnlif(jn.FluxShift(grid, jn.Implicit()), grid)
    rates = {
        "Brian2": brian(),
        "particles": jaxnlif(jn.Particles(NUM, grid), grid),
    }
    error = np.sqrt(density / (NUM * BIN * 1e-3))
    for name, rate in rates.items():
        deviation = (rate - density)[5:] / error[5:]
        print(
            f"{name}: mean rate {rate.mean():.2f} Hz, density {density.mean():.2f} Hz; bins differ"
        )
        print(f"  by {np.mean(deviation):+.2f} ± {np.std(deviation):.2f} standard errors of spikes")

    figure, ax = jn.plot.figure(size=jn.plot.Size(7.0, 3.2, 10))
    centers = BIN * (np.arange(len(density)) + 0.5)
    for (name, rate), color in zip(rates.items(), (jn.plot.RED, jn.plot.SKY), strict=True):
        ax.plot(centers, rate, color=color, label=f"{name}, {NUM} neurons")
    ax.plot(centers, density, color=jn.plot.BLUE, label="density")
    ax.set(xlabel="time (ms)", ylabel="rate (Hz)", ylim=(0, None))
    ax.legend(frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    figure.savefig(arguments.out)
    print(f"wrote {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
