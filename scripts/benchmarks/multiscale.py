"""Synchronising networks on one core: density with events, multi-scale solver, particles.

Every case of `jaxnlif run synchrony` at M = 10⁵ with particles at Δt = 10⁻³, in turn.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
from _report import print_value

import jaxnlif as jn
from jaxnlif.experiments import synchrony_cases as cases

from ._timing import Case, interleaved

NEURONS, REPEATS = 100_000, 3


def run() -> None:
    """Prints everything that is measured as `name value unit`."""
    for name, case in cases.CASES.items():
        timings = interleaved(
            {
                "density": Case(_job(case.network, cases.density_solver()), 1),
                "multiscale": Case(
                    _job(case.network, cases.multiscale_solver(NEURONS, raster=0)), 1
                ),
                "particles": Case(_job(case.network, cases.particle_solver(NEURONS, raster=0)), 1),
            },
            repeats=REPEATS,
        )
        for solver, timing in timings.items():
            print_value(f"run/{name}/{solver}", timing.step, "s")
        for solver in ("density", "multiscale"):
            ratio = timings["particles"].step / timings[solver].step
            print_value(f"speedup/{name}/{solver}", ratio, "times")
    _print_never_switching()


def _print_never_switching() -> None:
    """The weak case, which never switches, against the density it then is."""
    network = cases.CASES["weak"].network
    multiscale = cases.multiscale_solver(NEURONS, raster=0)
    timings = interleaved(
        {
            "density": Case(_job(network, multiscale.macro), 1),
            "multiscale": Case(_job(network, multiscale), 1),
        },
        repeats=9,
    )
    for solver, timing in timings.items():
        print_value(f"never_switching/{solver}", timing.step, "s")
    ratio = timings["multiscale"].step / timings["density"].step
    print_value("never_switching/ratio", ratio, "times")


def _job(network: jn.Network, solver) -> Callable[[], jax.Array]:
    dt = cases.PARTICLE_STEP if isinstance(solver, jn.Particles) else cases.DENSITY_STEP
    y0 = jn.gaussian(solver.grid, v=cases.START)

    def job() -> jax.Array:
        return jn.solve(
            network,
            solver,
            y0=y0,
            t1=cases.DURATION,
            dt=dt,
            saveat=jn.SaveAt(num=2, fn=None),
            key=jax.random.key(1),
        ).spikes

    return job
