"""One number, one value: what is quoted at several places is equal within its stated error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
NUMBER = r"(\d+(?:\.\d+)?(?:e-?\d+)?)"


class Quantity(NamedTuple):
    """A value, its error, and patterns of what stands before it, as regular expressions.

    `least`: at how many places it is quoted at least.
    """

    value: float
    error: float
    patterns: tuple[str, ...]
    least: int = 2


QUANTITIES = {
    "blow-up of b = 3": Quantity(
        3.417,
        1e-3,
        (
            r"blow-up time, b = 3, extrapolated[^|]*\| ",
            r"\$b = 3\$, extrapolated: ",
            r"short steps the time is ",
            r"\nt = (?=3\.\d+: blow-up)",
            r"times (?=3\.)",
            r"density +\d+ events, the first at ",
        ),
        4,
    ),
    "first interval of b = 3": Quantity(
        0.228,
        2e-3,
        (r"3\.417 ± 0\.001; ", r"density +\d+ events, the first at 3\.\d+, then every "),
    ),
    "rate of b = 0": Quantity(0.11997597, 1e-8, (r"\b(?=0\.1199)",)),
    "rate of b = -1": Quantity(0.10020219, 1e-8, (r"\b(?=0\.1002)",)),
    "rate of b = 0.5": Quantity(0.13477508, 1e-8, (r"\b(?=0\.1347)",)),
    "low rate of b = 1.5": Quantity(0.19236401, 1e-8, (r"\b(?=0\.1923)",)),
    "high rate of b = 1.5": Quantity(2.28912571, 1e-8, (r"\b(?=2\.2891)",)),
    "low rate of b = 2": Quantity(0.29258285, 1e-8, (r"\b(?=0\.2925)",)),
    "high rate of b = 2": Quantity(0.68943384, 1e-8, (r"\b(?=0\.6894)",)),
    "spread of the first event of 10⁵ particles": Quantity(
        0.027,
        2e-3,
        (r"first event of 10⁵ particles; multi-scale[^|]*\| ", r"neurons, against (?=0\.027)"),
    ),
    "learned rate": Quantity(
        0.27, 0.01, (r"learned rate against the closed form, 600 weights \| ", r"\b(?=0\.27 ?\\?%)")
    ),
}


@cache
def texts() -> dict[str, str]:
    """What people read, by file: pages, and the text of notebooks with their printed results."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[path.name] = "\n".join(part for cell in cells for part in _parts(cell))
    return found


def _parts(cell: dict) -> Iterator[str]:
    yield "".join(cell["source"])
    for output in cell.get("outputs", []):
        yield "".join(output.get("text", []))
        yield "".join(output.get("data", {}).get("text/plain", []))


def quoted(quantity: Quantity) -> Iterator[tuple[str, float, float]]:
    """Where it is quoted: the file, the number, and half a unit of its last digit."""
    for name, text in texts().items():
        places = set()
        for pattern in quantity.patterns:
            for match in re.finditer(pattern + NUMBER, text):
                if match.start(1) not in places:
                    places.add(match.start(1))
                    yield name, float(match[1]), _half_a_digit(match[1])


def _half_a_digit(number: str) -> float:
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - digits)


@pytest.mark.parametrize("name", QUANTITIES)
def test_what_is_quoted_twice_is_equal(name):
    quantity = QUANTITIES[name]
    found = list(quoted(quantity))
    assert len(found) >= quantity.least, found
    for place, number, rounding in found:
        assert abs(number - quantity.value) <= quantity.error + rounding * 1.001, (place, number)


def test_another_value_is_found():
    other = Quantity(3.45, 1e-3, QUANTITIES["blow-up of b = 3"].patterns)
    assert all(abs(number - other.value) > other.error for _, number, _ in quoted(other))
