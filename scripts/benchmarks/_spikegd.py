"""The authors' code for comparison: a copy of the repository chklos/spikegd."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jax
from _report import print_value

from ._timing import Case, interleaved


def module(directory: str | os.PathLike, name: str, experiment: str = "") -> ModuleType:
    """A module of theirs, of an experiment if one is named.

    PyTorch, which only loads their data, is left out.
    """
    for stub in ("torch", "torch.utils", "torch.utils.data", "torchvision"):
        if stub not in sys.modules:
            sys.modules[stub] = ModuleType(stub)
    vars(sys.modules["torch"]).setdefault("Tensor", object)
    vars(sys.modules["torch.utils.data"]).update(DataLoader=object, TensorDataset=object)
    vars(sys.modules["torchvision"]).setdefault("datasets", SimpleNamespace(MNIST=object))
    for part in ("", f"experiments/{experiment}"):
        path = str(Path(directory) / part)
        if path not in sys.path:
            sys.path.insert(0, path)
    return importlib.import_module(name)


def compare(task: str, steps: dict[str, tuple[Any, tuple]], *, runs: int, repeats: int) -> None:
    """Times compiled steps, given with their arguments, in turn; prints what they take.

    `runs`: steps between two looks at the clock.
    """
    timings = interleaved(
        {who: _repeated(*step, runs) for who, step in steps.items()}, repeats=repeats
    )
    memory = {who: _temporaries(*step) for who, step in steps.items()}
    for who, timing in timings.items():
        print_value(f"{task}_step/{who}", 1e3 * timing.step, "ms")
        print_value(f"{task}_compile/{who}", timing.compile, "s")
        print_value(f"{task}_temporaries/{who}", memory[who] / 2**20, "MiB")
    if "spikegd" in steps:
        ratio = timings["spikegd"].step / timings["jaxnlif"].step
        print_value(f"{task}_speedup/spikegd", ratio, "times")
        print_value(f"{task}_memory/spikegd", memory["jaxnlif"] / memory["spikegd"], "times")


def _repeated(step, arguments, runs: int) -> Case:
    def many():
        for _ in range(runs):
            jax.block_until_ready(step(*arguments))

    return Case(many, runs)


def _temporaries(step, arguments) -> int:
    compiled = step.lower(*arguments).compile()
    # equinox wraps the compiled function of JAX
    return getattr(compiled, "compiled", compiled).memory_analysis().temp_size_in_bytes
