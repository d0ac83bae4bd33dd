"""Parameters found again from data that known ones made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from _report import Measured

import jaxnlif as jn
from jaxnlif.experiments import fit_recovery

from . import _problems as problem


def from_learning() -> Iterator[Measured]:
    """K and the height of the drive from the learned weights and the response."""
    for name, gain in problem.GAINS.items():
        fitted = jn.fit(
            problem.learning(np.full_like(gain, 0.2), height=2.0),
            problem.LEARNING,
            fit_recovery.observe(problem.LEARNING(problem.learning(gain)), noise=0, seed=0),
            where=fit_recovery.where,
            uncertainty=False,
        )
        errors = [
            np.max(np.abs(np.asarray(found) / truth - 1))
            for found, truth in zip(fitted.values, (gain, problem.HEIGHT), strict=True)
        ]
        yield Measured(f"recovery_{name}", max(errors), f"K={errors[0]:.1e},height={errors[1]:.1e}")
        yield Measured("recovery_steps", len(fitted.loss) - 1, name)


def coverage() -> Iterator[Measured]:
    """How often one standard error covers the truth: 20 draws of 2 % noise."""
    for name, gain in problem.GAINS.items():
        model = problem.learning(gain)
        clean, truth = problem.LEARNING(model), np.append(np.ravel(gain), problem.HEIGHT)
        inside = []
        for seed in range(20):
            data = fit_recovery.observe(clean, noise=0.02, seed=seed)
            fitted = jn.fit(model, problem.LEARNING, data, where=fit_recovery.where, absolute=True)
            found = np.concatenate([np.ravel(x) for x in fitted.values])
            inside.append(np.abs(found - truth) <= fitted.uncertainty.std)
        yield Measured("coverage", 100 * float(np.mean(inside)), name)


def from_rates() -> Iterator[Measured]:
    """Noise, coupling and input from a rate in time, from which all three can be told."""
    run = problem.Trace()
    sol = run(problem.unstructured(*problem.TRUTH))
    fitted = jn.fit(
        problem.unstructured(1.0, 0.2, 0.3),
        run,
        jn.losses.Rate(sol.ts, sol.rate),
        where=problem.noise_coupling_input,
        bounds=problem.BOUNDS,
    )
    error = np.max(np.abs(np.array(fitted.values) / problem.TRUTH - 1))
    yield Measured("recovery_rate", float(error), f"flat={len(fitted.uncertainty.flat)}")
    yield Measured("recovery_steps", len(fitted.loss) - 1, "rate")


def flat_directions() -> Iterator[Measured]:
    """From one stationary rate two of three parameters cannot be told, from two of them one."""
    for inputs in ((0.0,), (0.0, 0.5)):

        def run(model, inputs=inputs):
            return jnp.stack(
                [
                    jn.stationary.self_consistent_rate(
                        model.weight, model.drive.value + shift, model.noise, guess=0.2
                    )
                    for shift in inputs
                ]
            )

        rates = run(problem.unstructured(*problem.TRUTH))
        fitted = jn.fit(
            problem.unstructured(1.1, 0.5, 0.6),
            run,
            lambda found, rates=rates: found - rates,
            where=problem.noise_coupling_input,
            bounds=problem.BOUNDS,
        )
        flat = fitted.uncertainty.flat
        missed = abs(len(flat) - (3 - len(inputs)))
        yield Measured("flat_directions", missed, f"rates={len(inputs)},flat={len(flat)}")


def float32() -> Iterator[Measured]:
    """The same optimum in single precision."""
    found = []
    for dtype in (np.float64, np.float32):
        run = replace(problem.LEARNING, dtype=dtype)
        exact, start = problem.learning(problem.GAINS["scalar"]), problem.learning(0.2, height=2.0)
        exact, start = jax.tree.map(lambda x, dtype=dtype: x.astype(dtype), (exact, start))
        data = fit_recovery.observe(run(exact), noise=0.02, seed=0)
        fitted = jn.fit(start, run, data, where=fit_recovery.where, uncertainty=False)
        found.append(np.array([float(x) for x in fitted.values]))
    yield Measured("float32", float(np.max(np.abs(found[1] / found[0] - 1))))


def starts() -> Iterator[Measured]:
    """64 starts in one vmap against one, turn by turn; and how many arrive."""
    run = problem.Trace()
    sol = run(problem.unstructured(*problem.TRUTH))
    data = jn.losses.Rate(sol.ts, sol.rate)
    seconds = {}
    for num in (1, 64):

        def descend(steps, num=num):
            began = time.perf_counter()
            fitted = jn.fit(
                problem.unstructured(1.0, 0.2, 0.3),
                run,
                data,
                where=problem.noise_coupling_input,
                bounds=problem.BOUNDS,
                steps=steps,
                starts=num,
                key=jax.random.key(0),
                uncertainty=False,
            )
            turns = fitted.losses.shape[1]
            return fitted, (time.perf_counter() - began) / turns

        descend(2)
        fitted, seconds[num] = descend(60)
    ends = np.stack([np.asarray(x) for x in fitted.ends], 1)
    arrived = np.all(np.abs(ends / problem.TRUTH - 1) < 0.01, axis=1)
    yield Measured("starts", seconds[64] / seconds[1], f"{1e3 * seconds[1]:.0f}ms/turn")
    yield Measured("starts_found", float(np.mean(arrived)))
