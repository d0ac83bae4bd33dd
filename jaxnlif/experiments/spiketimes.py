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
from . import (
    spiketimes_concept,
    spiketimes_cut,
    spiketimes_recurrent,
    spiketimes_restarts,
    spiketimes_single,
)
from ._figures import figure_files, write_figures
from ._options import add_run, check_seed
from ._output import begin
from ._training import Training, bytes_per_trial, resumed, train

_TRAININGS = {"single": spiketimes_single, "recurrent": spiketimes_recurrent}
TRIALS = {"single": 3000, "recurrent": 10_000}
SEEDS = {"single": 14, "recurrent": 0}
OPTIMISERS = {"single": tuple(spiketimes_single.OPTIMISERS), "recurrent": ("adam", "lm")}
"""Of each task, the default first."""
STEPS = spiketimes_restarts.RESTARTS * spiketimes_restarts.STEPS
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
    parser.add_argument(
        "--optimiser",
        metavar="NAME",
        help="of the single neuron: fixed rate, as published; line-search: the gradient, as far as "
        "the error falls; lbfgs: the same along better directions. Of the recurrent task: adam; or "
        "lm, Levenberg-Marquardt after some trials of Adam, begun again until all targets are met "
        "(default: the first)",
    )
    parser.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help=f"how many ({_of(TRIALS)}); steps of lm, at most (default: {STEPS})",
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
    pictures = [name, "recurrent-cut"] if name == "recurrent" else [name]
    figures = [file for picture in pictures for file in figure_files(picture, arguments.format)]
    bar = ProgressBar(name) if arguments.progress else NoProgress()
    metadata: dict[str, Any] = {"experiment": "spiketimes", "task": name}
    if name == "concept":
        for option in ("optimiser", "trials", "seed", "resume"):
            given = getattr(arguments, option)
            check(given is None or given is False, f"--{option}: the concept task trains nothing")
        directory = begin(arguments, f"{name}.npz", *figures)
        found = spiketimes_concept.explore(progress=bar)
        arrays, lines = spiketimes_concept.arrays(found), spiketimes_concept.summary(found)
        drawings = [spiketimes_concept.draw(found)]
    else:
        module, trials, seed = _TRAININGS[name], *_numbers(arguments)
        task = module.task(seed)
        training = _training(module, task, seed, trials, arguments.optimiser)
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
        metadata |= {"seed": seed, "trials": trials, "optimiser": arguments.optimiser}
        lines, drawings = module.summary(task, arrays), [module.draw(task, arrays)]
        if name == "recurrent":
            cut = spiketimes_cut.compared(task, arrays)
            lines += spiketimes_cut.summary(cut)
            drawings.append(spiketimes_cut.draw(task, cut))
    results = directory / f"{name}.npz"
    write_arrays(results, {k: np.asarray(x) for k, x in arrays.items()}, metadata)
    written = [
        str(write_figures(directory, picture, drawing, arguments.format))
        for picture, drawing in zip(pictures, drawings, strict=True)
    ]
    print("\n".join(lines))
    print(f"\nwrote {results} and {' and '.join(written)}")


def _training(module: Any, task: Any, seed: int, trials: int, optimiser: str) -> Training:
    """The training of a task by one of its optimisers."""
    if optimiser == "lm":
        return spiketimes_restarts.training(task, seed)
    options = {"optimiser": optimiser} if module is spiketimes_single else {}
    return module.training(task, seed, trials, **options)


def _numbers(arguments: argparse.Namespace) -> tuple[int, int]:
    """How many trials, and the seed; filled in, with the optimiser, where they are not given."""
    names = OPTIMISERS[arguments.task]
    arguments.optimiser = arguments.optimiser or names[0]
    check(
        arguments.optimiser in names,
        f"--optimiser = {arguments.optimiser!r}: must be one of {', '.join(names)} in the "
        f"{arguments.task} task",
    )
    if arguments.optimiser == "lm" and arguments.trials is None:
        arguments.trials = STEPS
    for option, defaults in (("trials", TRIALS), ("seed", SEEDS)):
        if getattr(arguments, option) is None:
            setattr(arguments, option, defaults[arguments.task])
    check_integer("--trials", arguments.trials, at_least=2)
    return arguments.trials, check_seed("--seed", arguments.seed)
