"""The same network in Brian2 and in jaxnlif: rates on top of each other, in a figure.

Needs Brian2, which needs NumPy before 2.4: pip install ".[bench]", in an environment of its own.

A network of excitatory leaky integrate-and-fire neurons with white noise and an input that goes up
and down, several times over. In Brian2 potentials are V (mV) and times ms; in jaxnlif, potentials
are v = (V - V_rest) / 10 mV and times t / τ.

Euler's method does not see neurons that cross the threshold and come back within a step: Brian2
misses some 6 % of the spikes at 0.02 ms, and twice as many at 0.08 ms, in proportion to the square
root of the step. What two steps say of none is compared, too.
"""

from __future__ import annotations

import argparse
import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxnlif as jn

NETWORKS, NUM = 10, 1000
TAU = 20.0  # ms
REST, THRESHOLD, RESET, UNIT = -70.0, -50.0, -60.0, 10.0  # mV
INPUT, SWING, PERIOD = 10.0, 6.0, 100.0  # mV, mV, ms
COUPLING = 5.0  # mV: how far all of the others, firing at once, would lift a neuron
NOISE = 10.0  # mV: standard deviation of potentials that never fire
DURATION = 400.0  # ms
BIN = 8.0  # ms
LONG_STEP, SHORT_STEP = 0.08, 0.02  # ms, of Brian2


def grid() -> jn.Grid:
    """Potentials from -130 mV to the threshold."""
    threshold, reset = ((v - REST) / UNIT for v in (THRESHOLD, RESET))
    return jn.Grid(v=jn.VoltageGrid(-6.0, threshold, reset=reset, num=320))


def brian(networks: int = NETWORKS, num: int = NUM, dt: float = SHORT_STEP) -> np.ndarray:
    """Mean rates of each network in bins (Hz), by Euler steps of `dt` (ms)."""
    import brian2 as b2

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
    neurons = b2.NeuronGroup(
        networks * num,
        """dV/dt = (rest - V + mean + swing * sin(2 * pi * t / period)) / tau
                   + sigma * sqrt(2 / tau) * xi : volt
           spikes : 1 (linked)""",
        threshold="V > threshold",
        reset="V = reset",
        method="euler",
        namespace=names,
    )
    # Each network counts its spikes of a step, which all of its neurons feel.
    network = np.repeat(np.arange(networks), num)
    total = b2.NeuronGroup(networks, "count : 1")
    neurons.spikes = b2.linked_var(total, "count", index=network)
    normal = np.random.default_rng(0).normal(-1, 0.5, networks * num)
    neurons.V = (REST + UNIT * normal) * b2.mV
    synapses = b2.Synapses(neurons, total, on_pre="count_post += 1")
    synapses.connect(i=np.arange(networks * num), j=network)
    feel = neurons.run_regularly("V += kick * spikes", when="resets", order=1)
    forget = total.run_regularly("count = 0", when="end")
    monitor = b2.SpikeMonitor(neurons)
    b2.Network(total, neurons, synapses, feel, forget, monitor).run(DURATION * b2.ms)
    edges = np.arange(networks + 1) * num, BIN * np.arange(round(DURATION / BIN) + 1)
    counts = np.histogram2d(monitor.i, monitor.t / b2.ms, edges)[0]
    return counts / (num * BIN * 1e-3)


def density(dt: float = 0.2) -> np.ndarray:
    """The rate of infinitely many neurons in bins (Hz); steps of `dt` (ms)."""
    return _jaxnlif(jn.FluxShift(grid(), jn.Implicit()), jax.random.key(0), dt)


def particles(networks: int = NETWORKS, num: int = NUM, dt: float = 0.2) -> np.ndarray:
    """Mean rates of each network in bins (Hz); steps of `dt` (ms)."""
    keys = jax.random.split(jax.random.key(0), networks)
    return jax.vmap(lambda key: _jaxnlif(jn.Particles(num, grid()), key, dt))(keys)


def _jaxnlif(solver: jn.FluxShift | jn.Particles, key: jax.Array, dt: float) -> jax.Array:
    model = jn.Network(
        noise=(NOISE / UNIT) ** 2,
        weight=COUPLING / UNIT,
        drive=jn.Sinusoid(INPUT / UNIT, SWING / UNIT, period=PERIOD / TAU),
    )
    sol = jn.solve(
        model,
        solver,
        y0=jn.gaussian(solver.grid, v=(-1.0, 0.25)),
        t1=DURATION / TAU,
        dt=dt / TAU,
        saveat=jn.SaveAt(num=round(DURATION / BIN) + 1, fn=None),
        key=key,
    )
    return jnp.diff(sol.spikes) / (BIN * 1e-3)


def without_step(long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """What rates at two steps are at none, if errors go with the square root of the step."""
    ratio = np.sqrt(LONG_STEP / SHORT_STEP)
    return (ratio * short - long) / (ratio - 1)


def report(rates: dict[str, np.ndarray], expected: np.ndarray) -> None:
    """Prints how far rates of networks in bins are from those of the density."""
    print(f"{'':20}{'rate (Hz)':>16}{'from the density':>22}{'each bin, rms':>16}")
    print(f"{'density':20}{expected.mean():>8.3f}")
    for name, rate in rates.items():
        scale = np.sqrt(len(rate))
        mean, error = rate.mean(), rate.mean(1).std(ddof=1) / scale
        bins = (rate.mean(0) - expected)[3:] / (rate.std(0, ddof=1)[3:] / scale)
        off = mean - expected.mean()
        print(
            f"{name:20}{mean:8.3f} ± {error:.3f}{f'{off:+.3f} = {off / error:+.1f} s.e.':>22}"
            f"{np.sqrt(np.mean(bins**2)):11.2f} s.e."
        )


def draw(rates: dict[str, np.ndarray], expected: np.ndarray, path: str) -> None:
    """The rates, those of networks with two standard errors."""
    figure, ax = jn.plot.figure(size=jn.plot.Size(7.0, 3.4, 10))
    centers = BIN * (np.arange(len(expected)) + 0.5)
    ax.plot(centers, expected, color=jn.plot.BLUE, label="density")
    colors = jn.plot.SKY, jn.plot.GREY, jn.plot.ORANGE, jn.plot.RED
    for (name, rate), color in zip(rates.items(), colors, strict=True):
        mean, error = rate.mean(0), rate.std(0, ddof=1) / np.sqrt(len(rate))
        if name.endswith("ms"):
            ax.plot(centers, mean, color=color, linewidth=1, linestyle="--", label=name)
        else:
            marks = {"fmt": ".", "markersize": 5, "elinewidth": 1, "zorder": 3}
            ax.errorbar(centers, mean, 2 * error, color=color, label=name, **marks)
    ax.set(xlabel="time (ms)", ylabel="rate (Hz)", xlim=(0, DURATION), ylim=(0, None))
    ax.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", default="brian.png", metavar="FILE.png", help="the figure (default: %(default)s)"
    )
    arguments = parser.parse_args()
    try:
        import brian2
    except ImportError as error:
        print(f'{error}: pip install ".[bench]" installs Brian2', file=sys.stderr)
        return 2
    print(f"Brian2 {brian2.__version__}; {NETWORKS} networks of {NUM} neurons, {DURATION:g} ms")
    jax.config.update("jax_enable_x64", True)
    expected = np.asarray(density())
    long, short = brian(dt=LONG_STEP), brian(dt=SHORT_STEP)
    rates = {
        "particles": np.asarray(particles()),
        f"Brian2, {LONG_STEP:g} ms": long,
        f"Brian2, {SHORT_STEP:g} ms": short,
        "Brian2, no step": without_step(long, short),
    }
    report(rates, expected)
    draw(rates, expected, arguments.out)
    print(f"wrote {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
