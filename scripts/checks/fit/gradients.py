"""Gradients through every solver that claims them, in both modes, for ε from 1 to 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured
from references import gradients as reference
from references.gradients import GRID, LINE, Parameters, difference, directions, loss_of

import jaxnlif as jn
from jaxnlif import stationary as toolbox
from jaxnlif.density.coupling import Corrected

EPSILONS = (1.0, 0.05, 1e-4, 1e-10, 0.0)
Y0 = jn.gaussian(GRID, v=(0.0, 0.5), w=(0.3, 0.1))
SPAN = {"t1": 0.5, "dt": 0.05, "saveat": jn.SaveAt(num=3)}


def structured() -> Iterator[Measured]:
    """The learning network with both couplings."""
    for coupling in (jn.Lagged(), jn.Implicit()):
        solver = jn.FluxShift(GRID, coupling)

        def loss(p: Parameters, solver=solver):
            return loss_of(jn.solve(reference.structured(p), solver, y0=Y0, **SPAN))

        name = type(coupling).__name__
        yield from _compare(loss, reference.structured_parameters(), f"structured,{name}", EPSILONS)


def unstructured() -> Iterator[Measured]:
    """One weight: every coupling, events, the multi-scale solver, delay and refractory period."""
    lagged = jn.FluxShift(LINE)
    fine = jn.FluxShift(jn.Grid(v=jn.VoltageGrid(-2.0, 2.0, reset=1.0, num=60)))
    calm = jn.MultiScale(fine, jn.Particles(1000), finite_size_noise=False)
    for name, solver, epsilons, arguments in (
        ("Lagged", lagged, EPSILONS, {}),
        ("Implicit", jn.FluxShift(LINE, jn.Implicit()), EPSILONS, {}),
        ("Corrected", jn.FluxShift(LINE, Corrected()), (1.0,), {}),
        ("events", jn.FluxShift(LINE, events=jn.Cascade()), (1.0,), {}),
        ("MultiScale", calm, (1.0,), {}),
        ("delays", lagged, (1.0,), {"delay": 0.12, "refractory": 0.13}),
        ("exponential", lagged, (1.0,), {"delay": 0.12}),
    ):
        p = reference.unstructured_parameters(**arguments)

        def loss(p: Parameters, name=name, solver=solver):
            delays = {}
            if name == "delays":
                delays = {k: jn.Delay(p[k], slots=8) for k in ("delay", "refractory")}
            if name == "exponential":
                delays = {"delay": jn.ExponentialDelay(p["delay"])}
            network = reference.unstructured(p, **delays)
            y0 = jn.gaussian(solver.grid, v=(0.0, 0.5))
            return loss_of(jn.solve(network, solver, y0=y0, key=jax.random.key(0), **SPAN))

        yield from _compare(loss, p, f"unstructured,{name}", epsilons)


def _compare(
    loss: Callable[[Parameters], jax.Array], p: Parameters, case: str, epsilons: tuple[float, ...]
) -> Iterator[Measured]:
    """Reverse mode against differences and forward mode, and at ε = 1e-10 against ε = 0."""
    value, gradient = jax.jit(loss), jax.jit(jax.grad(loss))
    tangent = jax.jit(lambda p, direction: jax.jvp(loss, (p,), (direction,))[1])
    found = {}
    for epsilon in epsilons:
        p = p | {"epsilon": jnp.asarray(epsilon)}
        found[epsilon] = {name: float(g) for name, g in gradient(p).items()}
        scale = max(abs(g) for g in found[epsilon].values())
        by_difference = by_forward = 0.0
        for name, direction in directions(p):
            mine = found[epsilon][name]
            forward = abs(float(tangent(p, direction)) - mine) / max(abs(mine), 1e-3 * scale)
            by_forward = max(by_forward, forward)
            if name == "epsilon" and epsilon < 0.01:
                continue  # a central difference would step below zero, or be rounding alone
            expected = difference(value, p, direction, 1e-3 * max(abs(float(p[name])), 0.1))
            error = abs(float(expected) - mine) / max(abs(mine), 1e-3 * scale)
            by_difference = max(by_difference, error)
        yield Measured("gradient_difference", by_difference, f"{case},{epsilon:g}")
        yield Measured("gradient_forward", by_forward, f"{case},{epsilon:g}")
    if 1e-10 in found:
        small, limit = (_without_epsilon(found[epsilon]) for epsilon in (1e-10, 0.0))
        error = np.abs(small - limit) / np.maximum(np.abs(limit), 1e-3 * np.abs(limit).max())
        yield Measured("gradient_asymptotic", float(error.max()), case)


def _without_epsilon(gradient: dict[str, float]) -> np.ndarray:
    return np.array([slope for name, slope in gradient.items() if name != "epsilon"])


def stationary() -> Iterator[Measured]:
    """The stationary toolbox, without any time stepping."""
    rate = {"weight": 0.5, "drive": 0.3, "noise": 0.8, "noise_slope": 0.1}
    neuron = {"drive": 0.3, "noise": 0.8, "threshold": 2.0, "reset": 1.0}

    def learned(p):
        drive = jn.Bump(p["base"], p["height"], 0.3, 0.2)
        response = jn.Saturating()
        state = toolbox.learned_state(
            p["gain"], lambda w: drive(0.0, w), response, p["noise"], bracket=(0.1, 3.0)
        )
        return state.rate + state.support

    for name, function, at in (
        ("firing_rate", lambda p: toolbox.firing_rate(**p), neuron),
        ("self_consistent_rate", lambda p: toolbox.self_consistent_rate(**p, guess=0.2), rate),
        ("fold", lambda p: toolbox.fold(**p).coupling, {"drive": 0.2, "noise": 0.9}),
        ("learned_state", learned, {"gain": 0.3, "base": 1.0, "height": 3.0, "noise": 1.0}),
    ):
        p = {k: jnp.asarray(v) for k, v in at.items()}
        value, gradient = jax.jit(function), jax.jit(jax.grad(function))(p)
        worst = 0.0
        for k, direction in directions(p):
            expected = float(difference(value, p, direction, 1e-3))
            worst = max(worst, abs(float(gradient[k]) / expected - 1))
        yield Measured("gradient_stationary", worst, name)
