"""Second order in time, `BDF2`: observed orders, what is kept, delays and filters, gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from jax import lax
from references.problems import line

import jaxnlif as jn
from jaxnlif.model.course import Course

from .coupling import steep_inhibition

STEPS = (160, 320, 640, 1280)
REFERENCE = 10_240
DRAWS = 6
TIME_CONSTANTS = (0.002, 0.005, 0.02, 0.05, 0.2)
EPSILONS = (1e-2, 1e-4, 1e-6, 1e-8)


def smooth(t, w):
    """A drive that is smooth in time."""
    return 0.5 + 0.5 * jnp.sin(3 * t) + 0 * w


def solved(
    model: jn.Network, num: int, *, grid: jn.Grid | None = None, t1: float = 1.0, **solver
) -> jn.Solution:
    """A run in `num` steps from N(-1, 0.05), far from the threshold."""
    grid = line(300) if grid is None else grid
    return jn.solve(
        model,
        jn.FluxShift(grid, scheme=jn.BDF2(), **solver),
        y0=jn.gaussian(grid, v=(-1.0, 0.05)),
        t1=t1,
        dt=t1 / num,
        saveat=jn.SaveAt(num=11),
        throw=True,
    )


def observed_orders() -> Iterator[Measured]:
    """Orders of the rate, the density and the spikes, by a much finer run."""
    cases = {
        "excites": {"weight": 0.5},
        "inhibits": {"weight": -5.0},
        "delay": {"weight": 1.5, "delay": _delay(0.1)},
        "delay between steps": {"weight": 1.5, "delay": _delay(0.1 * 1.3**0.5)},
        "refractory": {"weight": 0.5, "refractory": _delay(0.1)},
        "refractory between steps": {"weight": 0.5, "refractory": _delay(0.1 * 1.3**0.5)},
        "adaptation": {"weight": 0.5, "adaptation": jn.Adaptation(3.0, 0.2)},
    }
    for name, network in cases.items():
        model = jn.Network(drive=smooth, **network)
        errors = errors_of(lambda num, model=model: solved(model, num), STEPS, REFERENCE)
        yield from _orders("bdf2_order", errors, name)


def _delay(duration: float) -> jn.Delay:
    """One with room for the steps of the reference."""
    return jn.Delay(duration, slots=2048)


def errors_of(run: Callable[[int], jn.Solution], nums, reference: int) -> dict[str, list[float]]:
    """Errors of runs in so many steps, by one in `reference` steps: of rate and spikes the largest
    at the saved times, of which a single one may be small by chance, and of the last density."""
    true, found = run(reference), [run(num) for num in nums]
    errors = {
        "rate": lambda sol, true: jnp.max(jnp.abs(sol.rate - true.rate)[1:]),
        "density": lambda sol, true: jnp.sum(jnp.abs(sol.density(-1) - true.density(-1))),
        "spikes": lambda sol, true: jnp.max(jnp.abs(sol.spikes - true.spikes)),
    }
    return {name: [float(error(sol, true)) for sol in found] for name, error in errors.items()}


def _orders(row: str, errors: dict[str, list[float]], case: str) -> Iterator[Measured]:
    """The order over the whole range, as single ones are lost where an error changes its sign."""
    halvings = len(STEPS) - 1
    for name, found in errors.items():
        yield Measured(row, float(np.log2(found[0] / found[-1]) / halvings), f"{case},{name}")


def random_step_ratios() -> Iterator[Measured]:
    """Steps whose successive ratios are random between 1/2 and 2."""
    model = jn.Network(weight=0.5, drive=smooth)
    rng = np.random.default_rng(7)
    sizes = (80, 160, 320, 640, 1280)
    true = through(model, np.full(REFERENCE, 1 / REFERENCE))

    def errors(num: int) -> list[float]:
        state = through(model, _random_lengths(rng, num))
        density = jnp.sum(jnp.abs(state.density - true.density))
        spikes = state.spikes.total - true.spikes.total
        return [abs(float(x)) for x in (state.rate - true.rate, density, spikes)]

    found = [np.sqrt(np.mean(np.square([errors(n) for _ in range(DRAWS)]), 0)) for n in sizes]
    for name, each in zip(("rate", "density", "spikes"), np.transpose(found), strict=True):
        order = -np.polyfit(np.log(sizes), np.log(each), 1)[0]
        yield Measured("bdf2_order_random_ratios", float(order), name)


def _random_lengths(rng: np.random.Generator, num: int) -> np.ndarray:
    """So many steps, of sum 1, each between half and twice as long as the one before."""
    exponents = np.zeros(num)
    for k in range(1, num):
        low, high = max(-1.0, -1 - exponents[k - 1]), min(1.0, 1 - exponents[k - 1])
        exponents[k] = exponents[k - 1] + rng.uniform(low, high)
    lengths = 2.0**exponents
    return lengths / lengths.sum()


def through(model: jn.Network, lengths: np.ndarray, grid: jn.Grid | None = None):
    """The state after steps of these lengths."""
    grid = line(300) if grid is None else grid
    solver = jn.FluxShift(grid, scheme=jn.BDF2())

    @eqx.filter_jit
    def run(model, lengths):
        zero, y0 = jnp.zeros(()), jn.gaussian(grid, v=(-1.0, 0.05))
        state = solver.start(model, zero, lengths[0], solver.init(model, zero, y0, None))

        def step(carry, dt):
            state, t = carry
            return (solver.step(model, t, dt, state), t + dt), None

        return lax.scan(step, (state, zero), lengths)[0][0]

    return run(model, jnp.asarray(lengths))


class RandomParts(jn.AbstractStepSize):
    """Parts of a step of the run, the next of which is at most twice as long, at random."""

    max_substeps: int = eqx.field(static=True, default=1000)

    def longest(self, situation):
        noise = jnp.sum(situation.density) * 1e5 + situation.rate * 7919.77
        return situation.dt / 4 * 2 ** (noise - jnp.floor(noise) - 0.5)


def conserved() -> Iterator[Measured]:
    """Density and resting neurons together, over random steps."""
    model = jn.Network(weight=0.5, drive=smooth, refractory=0.1)
    sol = solved(model, 40, step_size=RandomParts())
    yield Measured("bdf2_mass_with_rest", float(sol.stats["mass_drift"]))


def filters() -> Iterator[Measured]:
    """Filters of 0.002 … 0.2 behind a delay of 0.1, at steps of 0.0125, of a given smooth signal:
    the largest error over time, in units of the largest signal."""
    dt, steps = 0.0125, 160
    times = dt * np.arange(steps + 1)
    for tau in TIME_CONSTANTS:
        model = jn.Network(
            weight=jnp.ones((2, 2)), drive=0.0, delay=0.1, synaptic_time_constant=tau
        )
        synapse, felt = model.connections, []
        memory = synapse.start_course(jnp.zeros(2))
        for before, after in pairwise(times):
            mean = (_mean_signal(after) * after - _mean_signal(before) * before) / dt
            course = Course(*(jnp.full(2, x) for x in (mean, _signal(before), _signal(after))))
            felt.append(synapse.at_end(memory, course, jnp.asarray(dt))[0])
            memory = synapse.record_course(memory, course, jnp.asarray(dt))
        error = np.max(np.abs(np.asarray(felt) - _filtered_signal(times[1:] - 0.1, tau)))
        yield Measured("bdf2_filter", float(error), f"tau={tau:g}")


def _signal(t):
    """$(1 - cos 3t)/2$."""
    return (1 - np.cos(3 * t)) / 2


def _mean_signal(t):
    """The mean of the signal from 0 to t."""
    return (1 - np.sin(3 * t) / (3 * t)) / 2 if t > 0 else 0.0


def _filtered_signal(t, tau):
    """The solution of τ y' = s - y from y(0) = 0."""
    a = 3 * tau
    oscillating = (np.cos(3 * t) + a * np.sin(3 * t)) / (1 + a * a)
    found = (1 - oscillating) / 2 - (1 - 1 / (1 + a * a)) / 2 * np.exp(-t / tau)
    return np.where(t > 0, found, 0)


def limit() -> Iterator[Measured]:
    """How a step of fixed length becomes the quasi-static one, and what single precision does."""
    still = jn.Network(weight=0.5, drive=smooth, epsilon=0.0)
    limit = solved(still, 40).density(-1)
    differences = [
        float(jnp.sum(jnp.abs(solved(eqx.tree_at(_epsilon, still, e), 40).density(-1) - limit)))
        for e in EPSILONS
    ]
    for (a, b), epsilon in zip(pairwise(differences), EPSILONS[1:], strict=True):
        yield Measured("bdf2_epsilon_order", float(np.log(a / b) / np.log(100)), f"{epsilon:g}")
    single = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300, dtype=np.float32))
    for epsilon, num in ((1e-12, 40), (1.0, 1000)):
        model = eqx.tree_at(_epsilon, still, epsilon)
        double, short = solved(model, num).rate, solved(model, num, grid=single).rate
        error = np.max(np.abs(np.asarray(double) / np.asarray(short, float) - 1)[1:])
        yield Measured("bdf2_float32", float(error), f"epsilon={epsilon:g}")


def _epsilon(model: jn.Network):
    return model.epsilon


def inhibition() -> Iterator[Measured]:
    """Strong inhibition: one steady rate, the root, at any step."""
    found = []
    for dt in (1e-2, 1.0, 100.0):
        before, last = steep_inhibition(dt, scheme=jn.BDF2())
        yield Measured("bdf2_inhibition_rate", float(last), f"dt={dt:g}")
        found += [float(before), float(last)]
    yield Measured("bdf2_inhibition_spread", float(np.ptp(found)))


def gradients() -> Iterator[Measured]:
    """The gradient of a run against central differences."""
    grid = line(300)
    y0 = jn.gaussian(grid, v=(-0.5, 0.1))
    for name, network in {
        "excites": {"weight": 0.5},
        "inhibits": {"weight": -0.8},
        "delay": {"weight": 0.5, "delay": 0.1},
        "refractory": {"weight": 0.5, "refractory": 0.1},
    }.items():

        def loss(x, network=network):
            model = jn.Network(drive=lambda t, w: x * smooth(t, w), noise=1 + 0.1 * x, **network)
            sol = jn.solve(
                model,
                jn.FluxShift(grid, scheme=jn.BDF2()),
                y0=y0,
                t1=1.0,
                dt=0.02,
                saveat=jn.SaveAt(num=6, fn=None),
            )
            return jnp.sum(sol.rate**2) + sol.spikes[-1]

        value, both = jax.jit(loss), jax.jit(jax.value_and_grad(loss))
        h = 1e-4
        difference = float(value(1 + h) - value(1 - h)) / (2 * h)
        error = abs(float(both(1.0)[1]) / difference - 1)
        yield Measured("bdf2_gradient", error, name)
