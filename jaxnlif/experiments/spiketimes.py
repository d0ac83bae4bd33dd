r"""`jaxnlif run spiketimes`: spikes moved, created and removed by exact gradients.

**Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking neural
networks, Phys. Rev. Lett. 2025, arXiv 2309.14523.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._check import check, check_integer
from .._memory import check_memory
from ..integrate.progress import NoProgress, ProgressBar
from ..store.files import write_arrays
from . import spiketimes_concept, spiketimes_recurrent, spiketimes_single
from ._figures import figure_files, write_figures
from ._options import add_run, check_seed
from ._output import begin
from ._training import bytes_per_trial, resumed, train

_TRAININGS = {"single": spiketimes_single, "recurrent": spiketimes_recurrent}
TRIALS = {"single": 3000, "recurrent": 10_000}
SEEDS = {"single": 14, "recurrent": 0}
_COPIES = 4  # of the records of all trials, while new ones are added, written and drawn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the experiment."""
    parser.add_argument(
        "--task",
        choices=("concept", *_TRAININGS),
        default="single",
        metavar="NAME",
        help="single: one neuron learns spike times; recurrent: a network does; concept: spike "
        "times and their gradients, of QIF beside LIF (default: %(default)s)",
    )
    parser.add_argument("--trials", type=int, metavar="N", help=f"how many ({_of(TRIALS)})")
    parser.add_argument(
        "--optimiser",
        choices=tuple(spiketimes_single.OPTIMISERS),
        metavar="NAME",
        help="of the single neuron: fixed rate, as published; line-search: the gradient, as far as "
        "the error falls; lbfgs: the same along better directions (default: fixed)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help=f"of the inputs ({_of(SEEDS)})")
    add_run(parser, out="spiketimes", files="arrays and a figure, named as the task", resume=True)


def _of(defaults: Mapping[str, int]) -> str:
    return "default: " + ", ".join(f"{number} {task}" for task, number in defaults.items())


def run(arguments: argparse.Namespace) -> None:
    """Runs the task, writes arrays and figure, and prints a summary.

    **Raises:** `ValueError` for wrong arguments, before anything compiles or is written;
    `SolveError` if a trial has more spikes than there is room for. On Ctrl-C the training so far is
    kept, and `--resume` continues it bit for bit.
    """
    name = arguments.task
    figures = figure_files(name, arguments.format)
    bar = ProgressBar(name) if arguments.progress else NoProgress()
    metadata: dict[str, Any] = {"experiment": "spiketimes", "task": name}
    if name != "single":
        given = arguments.optimiser
        check(given is None, f"--optimiser = {given!r}: is of the single task")
    if name == "concept":
        for option in ("trials", "seed", "resume"):
            given = getattr(arguments, option)
            check(given is None or given is False, f"--{option}: the concept task trains nothing")
        directory = begin(arguments, f"{name}.npz", *figures)
        found = spiketimes_concept.explore(progress=bar)
        arrays, lines = spiketimes_concept.arrays(found), spiketimes_concept.summary(found)
        drawing = spiketimes_concept.draw(found)
    else:
        module, trials, seed = _TRAININGS[name], *_numbers(arguments)
        task = module.task(seed)
        training = module.training(task, seed, **_optimiser(arguments))
        check_memory(_COPIES * trials * bytes_per_trial(training), f"--trials = {trials}")
        checkpoint = Path(arguments.out) / f"{name}-checkpoint"
        if arguments.resume:
            resumed(training, checkpoint)
        directory = begin(arguments, f"{name}.npz", *figures, checkpoint.name)
        try:
            _, arrays = train(
                training, trials, checkpoint=checkpoint, resume=arguments.resume, progress=bar
            )
        except KeyboardInterrupt:
            print(f"stopped; continue with --resume from {checkpoint}", file=sys.stderr)
            raise
        metadata |= {"seed": seed, "trials": trials} | _optimiser(arguments)
        lines, drawing = module.summary(task, arrays), module.draw(task, arrays)
    results = directory / f"{name}.npz"
    write_arrays(results, {k: np.asarray(x) for k, x in arrays.items()}, metadata)
    figure = write_figures(directory, name, drawing, arguments.format)
    print("\n".join(lines))
    print(f"\nwrote {results} and {figure}")


def _optimiser(arguments: argparse.Namespace) -> dict[str, str]:
    """How the single neuron learns, filled in where it is not given; other tasks have no choice."""
    if arguments.task != "single":
        return {}
    arguments.optimiser = arguments.optimiser or "fixed"
    return {"optimiser": arguments.optimiser}


def _numbers(arguments: argparse.Namespace) -> tuple[int, int]:
    """How many trials, and the seed; filled in where they are not given."""
    for option, defaults in (("trials", TRIALS), ("seed", SEEDS)):
        if getattr(arguments, option) is None:
            setattr(arguments, option, defaults[arguments.task])
    check_integer("--trials", arguments.trials, at_least=2)
    return arguments.trials, check_seed("--seed", arguments.seed)
