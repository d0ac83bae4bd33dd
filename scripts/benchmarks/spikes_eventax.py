"""Loss and gradient of a recurrent LIF network beside Eventax, which integrates between events.

Ten neurons and five inputs, the same weights and input times in both, float64. Eventax integrates
with diffrax' Tsit5 at a fixed step, searches for the crossings of the threshold by Newton's method,
and differentiates through all of it. With twice the step its search fails. The loss is over all
spikes of the trial.
"""

from __future__ import annotations

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
from _report import print_value

from jaxnlif.spikes import LIF, InputSpikes, Recurrent

from ._timing import Case, interleaved

NEURONS, INPUTS, PER_INPUT, DURATION = 10, 5, 4, 3.0
MAX_SPIKES, MAX_EVENTS = 100, 128
"""More than all neurons make together, which is what Eventax counts; and than spikes and inputs."""
STEP = 0.05
"""Of the integration (membrane time)."""

TIMES, GRADIENTS = 1e-6, 1e-5
"""How far spike times may be from each other, and gradients, relative, to be compared at all."""


def problem(seed: int = 0) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """Weights between neurons and from inputs, to by from, and input times."""
    rng = np.random.default_rng(seed)
    weights = 0.5 * rng.normal(size=(NEURONS, NEURONS))
    np.fill_diagonal(weights, 0)
    input_weights = rng.uniform(0, 2, (NEURONS, INPUTS))
    times = np.sort(rng.uniform(0, DURATION, (INPUTS, PER_INPUT)), axis=-1)
    return (jnp.asarray(weights), jnp.asarray(input_weights)), jnp.asarray(times)


def _of_times(times):
    """The loss, a smooth function of spike times, `inf` for none."""
    made = jnp.isfinite(times)
    return jnp.sum(jnp.where(made, jnp.sin(jnp.where(made, times, 0)), 0)), times


def our_step(times):
    """Loss and spike times, with the gradient in all weights, compiled."""
    order = np.argsort(np.ravel(times))
    inputs = InputSpikes(times.ravel()[order], jnp.arange(times.size)[order] // PER_INPUT)

    def loss(weights):
        net = Recurrent(LIF(1.0), *weights, max_spikes=MAX_SPIKES, max_events=MAX_EVENTS)
        return _of_times(net.trial(inputs, duration=DURATION).times)

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def their_step(times):
    """The same with Eventax."""
    import diffrax
    import equinox as eqx
    import optimistix
    from eventax.evnn import EvNN
    from eventax.neuron_models import LIF as TheirLIF

    net = EvNN(
        TheirLIF,
        NEURONS,
        DURATION,
        INPUTS,
        key=jax.random.key(0),
        wmask=jnp.ones((NEURONS + INPUTS, NEURONS)),
        solver_stepsize=STEP,
        solver=diffrax.Tsit5(),
        root_finder=optimistix.Newton(1e-10, 1e-10),
        max_event_steps=MAX_EVENTS,
        dtype=jnp.float64,
        thresh=1.0,
        tmem=1.0,
        tsyn=0.5,
        init_weights=0.0,
        init_bias=0.0,
    )

    def loss(weights):
        table = jnp.concatenate([x.T for x in weights])
        one = eqx.tree_at(lambda net: net.neuron_model.weights, net, table)
        return _of_times(one.spikes_until_t(times, DURATION, MAX_SPIKES))

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def run() -> None:
    """Prints everything that is measured as `name value unit`, if Eventax is installed."""
    if importlib.util.find_spec("eventax") is None:
        print("# eventax: left out, as it is not installed")
        return
    weights, times = problem()
    steps = {"jaxnlif": our_step(times), "eventax": their_step(times)}
    results = {who: step(weights) for who, step in steps.items()}
    spikes, slopes = ({who: r[k] for who, r in results.items()} for k in (0, 1))
    ours, theirs = (np.asarray(spikes[who][1]) for who in steps)
    if not np.array_equal(np.isfinite(ours), np.isfinite(theirs)):
        raise RuntimeError("eventax: numbers of spikes differ")
    made = np.isfinite(ours)
    apart = float(np.abs(ours[made] - theirs[made]).max())
    one, other = (np.concatenate([np.ravel(x) for x in slopes[who]]) for who in steps)
    off_diagonal = np.append(~np.eye(NEURONS, dtype=bool).ravel(), np.ones(NEURONS * INPUTS, bool))
    error = np.linalg.norm((one - other)[off_diagonal]) / np.linalg.norm(one)
    print_value("eventax_spikes", made.sum(), "spikes")
    print_value("eventax_apart/times", apart, "membrane times")
    print_value("eventax_apart/gradients", float(error), "relative")
    if not (apart <= TIMES and error <= GRADIENTS):
        raise RuntimeError("eventax: too far from each other to be compared")
    cases = {
        who: Case(lambda step=step: jax.block_until_ready(step(weights)), 1)
        for who, step in steps.items()
    }
    timings = interleaved(cases, repeats=9)
    for who, timing in timings.items():
        print_value(f"eventax_step/{who}", 1e3 * timing.step, "ms")
    print_value(
        "eventax_speedup/eventax", timings["eventax"].step / timings["jaxnlif"].step, "times"
    )
