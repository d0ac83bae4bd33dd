"""The page of the documentation that says what works with what, made from what `validate` says.

`cd scripts && python -m references.matrix_page` writes its tables anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax

from .matrix import FEATURES, SCHEMES, SOLVERS, Cell, cells, not_taken, refusal, schemes

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "combinations.md"
BEGIN, END = "<!-- made by scripts/references/matrix_page.py -->\n", "<!-- end -->\n"


def written(page: str) -> str:
    """A page with the tables of today between its marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{_single()}\n{_pairs()}\n{END}{after}"


def _single() -> str:
    """A row for each feature."""
    rows = ["| | " + " | ".join(f"`{solver}`" for solver in SOLVERS) + " |", "|---|---|---|---|"]
    for feature in FEATURES:
        said = [_said([Cell(s, scheme, (feature,)) for scheme in schemes(s)]) for s in SOLVERS]
        rows.append(f"| {feature.name} | " + " | ".join(said) + " |")
    return "\n".join(rows) + "\n"


def _said(with_schemes: list[Cell]) -> str:
    """What is said of a cell, with each scheme where they differ."""
    words = {cell.scheme: _word(cell) for cell in with_schemes}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return "; ".join(f"`{scheme}`: {word}" for scheme, word in words.items())


def _word(cell: Cell) -> str:
    if cell.features[0].axis in ("events", "neurons") and cell.solver != "FluxShift":
        return "always"
    if not_taken(cell):
        return "has none"
    return "no" if refusal(cell) else "yes"


def _pairs() -> str:
    """A row for each reason for which features that run alone do not run together."""
    rows = ["| not together | with | message |", "|---|---|---|"]
    for (solver, reason), pairs in _reasons().items():
        rows.append(f"| {'; '.join(_joined(pairs))} | {solver} | {reason} |")
    return "\n".join(rows) + "\n"


def _reasons() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """The pairs of each solver and message."""
    reasons: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for cell in cells(2):
        if not_taken(cell) or any(refusal(cell._replace(features=(f,))) for f in cell.features):
            continue
        message = refusal(cell)
        if message:
            label = f"`{cell.solver}`"
            if len(SCHEMES) > 1 and cell.scheme:
                label += f", `{cell.scheme}`"
            first, second = (feature.name for feature in cell.features)
            reasons.setdefault((label, message), []).append((first, second))
    return reasons


def _joined(pairs: list[tuple[str, str]]) -> Iterator[str]:
    """Pairs with a common first feature as one."""
    firsts = dict.fromkeys(first for first, _ in pairs)
    for first in firsts:
        seconds = [second for other, second in pairs if other == first]
        yield f"{first} and {' or '.join(seconds)}"


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
