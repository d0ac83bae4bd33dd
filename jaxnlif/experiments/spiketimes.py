r"""`jaxnlif run spiketimes`: spikes moved, created and removed by exact gradients.

**Reference:** C. Klos, R.-M. Memmesheimer, Smooth exact gradient descent learning in spiking neural
networks, Phys. Rev. Lett. 2025, arXiv 2309.14523.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

import numpy as np

from .._check import check, check_integer
from .._files import write_arrays
from ..solve.progress import NoProgress, ProgressBar
from . import spiketimes_concept, spiketimes_recurrent, spiketimes_single
from ._figures import write_figure
from ._options import add_run
from ._output import begin
from ._training import train

HELP = "spikes moved, created and removed by exact gradients"

_TRAININGS = {"single": spiketimes_single, "recurrent": spiketimes_recurrent}
TRIALS = {"single": 3000, "recurrent": 10_000}
SEEDS = {"single": 14, "recurrent": 0}


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
    if name in _TRAININGS:
        arguments.trials = trials = _given("--trials", arguments.trials, TRIALS[name], at_least=2)
        arguments.seed = seed = _given("--seed", arguments.seed, SEEDS[name], at_least=0)
    else:
        for option in ("trials", "seed", "resume"):
            check(not getattr(arguments, option), f"--{option}: the concept task trains nothing")
        trials = seed = 0
    directory = begin(arguments)
    results = directory / f"{name}.npz"
    metadata = {"experiment": "spiketimes", "task": name}
    if name == "concept":
        found = spiketimes_concept.explore()
        arrays, lines = spiketimes_concept.arrays(found), spiketimes_concept.summary(found)
        drawing = spiketimes_concept.draw(found)
    else:
        module = _TRAININGS[name]
        task = module.task(seed)
        checkpoint = directory / f"{name}-checkpoint"
        bar = ProgressBar(name) if arguments.progress else NoProgress()
        try:
            _, arrays = train(
                module.training(task, seed),
                trials,
                checkpoint=checkpoint,
                resume=arguments.resume,
                progress=bar,
            )
        except KeyboardInterrupt:
            print(f"stopped; continue with --resume from {checkpoint}", file=sys.stderr)
            raise
        metadata |= {"seed": seed, "trials": trials}
        lines, drawing = module.summary(task, arrays), module.draw(task, arrays)
    write_arrays(results, {k: np.asarray(x) for k, x in arrays.items()}, metadata)
    figure = write_figure(drawing, directory / name, arguments.format)
    print("\n".join(lines))
    print(f"\nwrote {results} and {figure}")


def _given(name: str, value: int | None, default: int, *, at_least: int) -> int:
    return default if value is None else check_integer(name, value, at_least=at_least)
