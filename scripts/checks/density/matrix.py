"""Every solver with every feature and every pair of them: right, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator

import jax
from _report import Measured
from references.matrix import SOLVERS, Cell, cells, names_a_feature, not_taken, refusal
from references.matrix_rates import outcome


def matrix() -> Iterator[Measured]:
    """Cells that are wrong without a word, and how many there are, run, and are refused.

    It takes most of an hour of one core, for compilation.
    """
    for solver in SOLVERS:
        run, refused, wrong = 0, 0, 0
        for cell in _cells_of(solver):
            message = refusal(cell)
            if message is None:
                run += 1
                fault = _fault(cell)
            else:
                refused += 1
                fault = "" if names_a_feature(message, cell) else message
            if fault:
                wrong += 1
                print(f"# {cell.name}: {fault}", flush=True)
        yield Measured("matrix_cells", run + refused, solver)
        yield Measured("matrix_cells_run", run, solver)
        yield Measured("matrix_cells_wrong", wrong, solver)
        jax.clear_caches()


def _cells_of(solver: str) -> Iterator[Cell]:
    for number in range(3):
        for cell in cells(number):
            if cell.solver == solver and not not_taken(cell):
                yield cell


def _fault(cell: Cell) -> str:
    """What is wrong with a cell that is not refused."""
    try:
        found = outcome(cell)
    except Exception as error:  # what is raised after validation is a defect, whatever it is
        return f"{type(error).__name__}: {error}"
    if found.right:
        return ""
    return f"error {found.error:.2g}, allowed {found.allowed:.2g} {found.message}"
