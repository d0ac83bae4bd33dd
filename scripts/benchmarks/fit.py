"""Gradients on one core: value and gradient, and a forward-mode derivative, over a forward solve.

The loss is one of the rate and of the last weight density, by coupling or gain and by the drive. At
last a batch of 64 models in one vmap over a single one.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from _report import print_value

import jaxnlif as jn

from ._timing import Case, interleaved

REPEATS, DT = 5, 1e-3
CASES = {
    # voltages, weights, steps, coupling
    "300": (300, None, 4000, jn.Lagged()),
    "300/implicit": (300, None, 1000, jn.Implicit()),
    "96x50": (96, 50, 1000, jn.Lagged()),
    "300x200": (300, 200, 100, jn.Lagged()),
    "300x200/implicit": (300, 200, 50, jn.Implicit()),
}
BATCH = 64


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    for name, (num_v, num_w, steps, coupling) in CASES.items():
        loss, at = make_loss(num_v, num_w, steps, coupling), jnp.asarray([0.3, 1.5])
        both, forward = jax.jit(jax.value_and_grad(loss)), jax.jit(loss)
        tangent = jax.jit(lambda p, loss=loss: jax.jvp(loss, (p,), (jnp.ones_like(p),)))
        _print(
            name,
            {
                "forward": Case(_call(forward, at), steps),
                "gradient": Case(_call(both, at), steps),
                "tangent": Case(_call(tangent, at), steps),
            },
        )
    loss = make_loss(60, None, 200, jn.Lagged())
    many = jnp.linspace(0.1, 0.5, BATCH)[:, None] + jnp.asarray([0.0, 1.2])
    both = jax.value_and_grad(loss)
    one, batch = jax.jit(both), jax.jit(jax.vmap(both))
    timings = interleaved(
        {"one": Case(_call(one, many[0]), 1), "batch": Case(_call(batch, many), 1)},
        repeats=REPEATS,
    )
    ratio = timings["batch"].step / timings["one"].step
    print_value(f"batch/{BATCH}_over_one", ratio, "times")


def _print(name: str, cases: dict[str, Case]) -> None:
    timings = interleaved(cases, repeats=REPEATS)
    for mode, timing in timings.items():
        print_value(f"step/{name}/{mode}", 1e6 * timing.step, "us")
        print_value(f"compile/{name}/{mode}", timing.compile, "s")
    for mode in ("gradient", "tangent"):
        print_value(f"ratio/{name}/{mode}", timings[mode].step / timings["forward"].step, "times")


def _call(function: Callable, at: jax.Array) -> Callable[[], jax.Array]:
    return lambda: function(at)


def make_loss(
    num_v: int, num_w: int | None, steps: int, coupling, saves: int = 11
) -> Callable[[jax.Array], jax.Array]:
    """The loss of `steps` steps as a function of two parameters."""
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num_v)
    grid = jn.Grid(v=v, w=None if num_w is None else jn.WeightGrid(0.0, 1.2, num=num_w))
    y0 = jn.gaussian(grid, v=(-1.0, 0.5), w=None if num_w is None else (0.3, 0.02))

    def loss(p):
        if num_w is None:
            model = jn.Network(weight=p[0], drive=p[1])
        else:
            model = jn.Network(
                drive=jn.Bump(1.0, 2 * p[1], 0.3, 0.1),
                response=jn.Saturating(),
                learning=jn.Hebbian(p[0]),
                epsilon=1e-3,
            )
        sol = jn.solve(
            model,
            jn.FluxShift(grid, coupling),
            y0=y0,
            t1=steps * DT,
            dt=DT,
            saveat=jn.SaveAt(num=saves, fn=None),
        )
        return jnp.mean(sol.rate**2) + jnp.mean(sol.weights[-1] ** 2)

    return loss
