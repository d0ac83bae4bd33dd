"""`solve`: check the arguments, run the loop, gather the solution."""

from __future__ import annotations

import math
from contextlib import closing
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, PRNGKeyArray

from .._check import (
    as_numbers,
    check,
    check_finite,
    check_positive,
    check_scalar,
    is_concrete,
    unseen,
)
from .._closures import opened
from .._fresh import forget_if_changed, has_own, remember
from ..machine.layout import layout_of
from ..model import Network
from ..model.drive import is_still
from .checkpoint import Checkpoint, FileRecorder
from .host import run_from_host
from .progress import AbstractProgress, NoProgress
from .recorder import MemoryRecorder
from .result import Result, SolveError, text
from .run import Run
from .saveat import SaveAt
from .solution import Solution
from .solver import AbstractSolver
from .traced import run_traced

_SILENT = NoProgress()


@jax.jit
def _nothing() -> Array:
    return jnp.zeros(())


def solve(
    model: Any,
    solver: AbstractSolver,
    *,
    y0: Any,
    t0: ArrayLike = 0.0,
    t1: ArrayLike,
    dt: ArrayLike,
    saveat: SaveAt | None = None,
    key: PRNGKeyArray | None = None,
    progress: AbstractProgress | None = None,
    checkpoint: Checkpoint | None = None,
    sharding: Any = None,
    store_every: int | None = None,
    throw: bool | None = None,
) -> Solution:
    r"""Solves a network from `t0` to `t1`.

    Called plainly, the loop runs in compiled chunks from the host: progress is shown, Ctrl-C
    raises `Interrupted` with what was saved so far as its `.solution`, and new
    parameters or times at equal shapes never recompile. Under `jit`, `grad`, `jvp` or `vmap` it is
    one nested scan, in forward and in reverse mode.

    With `sharding` the run is spread over devices, and equals that of one device to rounding: a
    density is split by its weights, particles by their numbers, which the number of devices must
    divide. In a network of processes (`jax.distributed`) all of them call `solve` with the same
    arguments and get the same `Solution`, whose `state` stays split.

    **Arguments:**

    - `model`: what to solve, a `Network`.
    - `solver`: how, for example `FluxShift(grid)`.
    - `y0`: initial state, for `FluxShift` a density of mass 1, shape `(v, w)`
      (1 / voltage / weight).
    - `t0`, `t1`: first and last time (learning time), which for $ε = 1$ is membrane time.
    - `dt`: longest step (learning time); steps are `t1 - t0` divided by the next whole number.
    - `saveat`: what is saved and when; 101 equally spaced times by default.
    - `key`: random key, for solvers that draw numbers.
    - `progress`: for example `ProgressBar()`.
    - `checkpoint`: a `Checkpoint(directory)` writes the run there every now and then, and goes on
      from what it finds there; for plain calls only.
    - `sharding`: the devices, a `jax.sharding.Mesh` with one axis, or a `NamedSharding` whose spec
      names one axis of its mesh; by default, one device.
    - `store_every`: steps between the states that reverse mode stores, and repeats from; by default
      the square root of half their number, which makes memory grow as that root too.
    - `throw`: whether a run that does not complete raises an error. By default it does where it is
      differentiated, as does a derivative across an event or a switch, which would be wrong; the
      value alone comes with a `Solution.result`. `False` never raises, `True` always does.

    **Returns:** a `Solution`.

    **Raises:** `ValueError`, before anything compiles, naming the argument, its value and the rule
    (a run with such a value that is traced makes no step, and ends as `Result.invalid_argument`);
    as `throw` says, `SolveError`, or, from compiled code, another `RuntimeError`; `Interrupted` at
    Ctrl-C; `ValueError` if the directory of the checkpoint holds another run, `OSError` if
    another process is using it.
    """
    saveat = SaveAt(num=101) if saveat is None else saveat
    progress = _SILENT if progress is None else progress
    for name, value, kind, rule in (
        ("saveat", saveat, SaveAt, "must be a SaveAt"),
        ("progress", progress, AbstractProgress, "must be a progress display, as ProgressBar()"),
        ("checkpoint", checkpoint, Checkpoint | None, "must be a Checkpoint(directory)"),
        ("solver", solver, AbstractSolver, "must be a solver such as FluxShift(grid)"),
        ("model", model, Network, "must be a Network"),
    ):
        if not isinstance(value, kind):
            raise ValueError(f"{name} = {value!r}: {rule}")
    own, fn = has_own(model, solver, saveat), saveat.fn
    if own:
        model, solver, fn = opened("model", model), opened("solver", solver), opened("saveat", fn)
    layout = layout_of(sharding)
    y0 = layout.fetched(_arrays(y0))
    num_steps = _count_steps(t0, t1, dt)
    first, last = _number(t0), _number(t1)
    step = (last - first) / num_steps
    # Inside jit what this computes is traced even where no argument is.
    eager = is_concrete(model, fn, y0, key, _nothing())
    if own:
        forget_if_changed(model, solver, saveat)
    with unseen() as conditions:
        layout.applied(solver).validate(model, y0, step, key)
        _check_again(model)
    saves = saveat.saves(first, last, num_steps, solver.dtype)
    if not is_still(model.drive):
        _check_resolved(first, last, num_steps, solver.dtype)
    model = _cast(model, solver.dtype)
    begin, dt = (np.asarray(x, solver.dtype) for x in (t0, step))
    run = Run(model, solver, saveat, fn, y0, key, begin, dt, saves, num_steps, layout)
    if eager:
        check(
            checkpoint is None or jax.process_count() == 1,
            "checkpoint: a run of several processes is not written; leave it out",
        )
        recorder = MemoryRecorder() if checkpoint is None else FileRecorder(checkpoint, run)
        with recorder, closing(progress.start(num_steps)) as bar:
            solution = run_from_host(run, bar, recorder)
        if own:
            remember(model, solver, saveat)
        if throw and solution.result != Result.completed:
            raise SolveError(f"t = {float(solution.t_end):g}: {text(solution.result)}")
        return solution
    check(checkpoint is None, "checkpoint: none is written under jit, grad and vmap; leave it out")
    valid = jnp.all(jnp.stack(conditions)) if conditions else None
    solution = run_traced(run, store_every, throw, valid)
    if own:
        remember(model, solver, saveat)
    return solution


def _arrays(y0: Any) -> Any:
    """Sequences, and arrays of types that JAX lacks, as arrays of numbers; others unchanged."""
    if isinstance(y0, tuple):
        return tuple(map(_arrays, y0))
    known = isinstance(y0, np.ndarray) and y0.dtype.kind in "iuf" and y0.dtype.itemsize <= 8
    return y0 if known or isinstance(y0, jax.Array) else as_numbers("y0", y0)


def _number(value: ArrayLike) -> float:
    return float(np.asarray(value))


def _count_steps(t0: ArrayLike, t1: ArrayLike, dt: ArrayLike) -> int:
    for name, value in (("t0", t0), ("t1", t1), ("dt", dt)):
        if type(value) is float and math.isfinite(value):
            continue
        check(
            is_concrete(value),
            f"{name}: must be a plain number, also under jit, because it sets the number of steps",
        )
        check_scalar(name, value)
        check_finite(name, value)
    check_positive("dt", dt)
    check(_number(t1) > _number(t0), f"t1 = {t1}: must exceed t0 = {t0}")
    steps = (_number(t1) - _number(t0)) / _number(dt) * (1 - 1e-12)
    check(steps < 2**31 - 2, f"dt = {dt}: gives {steps:.3g} steps, more than can be counted")
    return max(1, math.ceil(steps))


def _check_resolved(t0: float, t1: float, num_steps: int, dtype: np.dtype) -> None:
    """Requires steps at whose times a drive can be looked up."""
    latest = max(abs(t0), abs(t1))
    step, apart = (t1 - t0) / num_steps, float(np.spacing(dtype.type(latest)))
    check(
        apart <= step / 2,
        f"dt = {step:g}: must be twice what numbers of {dtype} near t = {latest:g} are apart, "
        f"{apart:.2g}, where the drive changes in time; begin at t0 = 0, or take a float64 grid",
    )


def _check_again(tree: Any) -> None:
    """Checks what the parts of a model could not when they were made of traced values."""
    checks = getattr(tree, "__check_init__", None)
    if checks is not None and type(tree).__module__.startswith("jaxnlif."):
        checks()
    if isinstance(tree, eqx.Module):
        for part in vars(tree).values():
            _check_again(part)


def _cast(model: Any, dtype: np.dtype) -> Any:
    """Floating-point leaves in the dtype of the run, so that new values never recompile."""

    def cast(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array) and leaf.dtype == dtype and not leaf.weak_type:
            return leaf
        inexact = isinstance(leaf, float) or eqx.is_inexact_array(leaf)
        return jnp.asarray(leaf, dtype) if inexact else leaf

    return jax.tree.map(cast, model)
