"""What the scripts print: one line per check, or one line per measured value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """What a measured value must satisfy; `text` is how the table of a script shows it."""

    text: str
    holds: Callable[[float], bool]


def at_most(limit: float) -> Rule:
    """The value is at most `limit` (NaN is not)."""
    return Rule(f"<={limit:g}", lambda value: value <= limit)


def at_least(limit: float) -> Rule:
    """The value is at least `limit` (NaN is not)."""
    return Rule(f">={limit:g}", lambda value: value >= limit)


def below(limit: float) -> Rule:
    """The value is less than `limit` (NaN is not)."""
    return Rule(f"<{limit:g}", lambda value: value < limit)


def equal_to(expected: float, *, within: float = 0.0) -> Rule:
    """The value differs from `expected` by no more than `within`."""
    text = f"={expected:g}" + (f"+-{within:g}" if within else "")
    return Rule(text, lambda value: abs(value - expected) <= within)


def within(low: float, high: float) -> Rule:
    """The value lies between `low` and `high`."""
    return Rule(f"{low:.3g}..{high:.3g}", lambda value: low <= value <= high)


def reported(aim: str = "") -> Rule:
    """Any value: it is printed, with what is aimed at."""
    return Rule("reported" + (f"({aim})" if aim else ""), lambda value: True)


@dataclass(frozen=True)
class Measured:
    """One measured value: the row of the table it belongs to, and what distinguishes it there."""

    row: str
    value: float
    detail: str = ""

    @property
    def name(self) -> str:
        return f"{self.row}[{self.detail}]" if self.detail else self.row


Checks = Iterable[Callable[[], Iterable[Measured]]]


def run_checks(required: Mapping[str, Rule], checks: Checks) -> bool:
    """Prints `name measured required ok` for everything the checks measure; whether all held.

    A row of the table that no check measured has failed.
    """
    print(f"{'name':<56} {'measured':>12} {'required':>22} ok")
    held = dict.fromkeys(required, False)
    seen: set[str] = set()
    for check in checks:
        for measured in check():
            rule = required[measured.row]
            ok = bool(rule.holds(measured.value))
            held[measured.row] = ok and (measured.row not in seen or held[measured.row])
            seen.add(measured.row)
            word = "ok" if ok else "FAILED"
            print(f"{measured.name:<56} {measured.value:>12.6g} {rule.text:>22} {word}", flush=True)
    failed = [row for row, ok in held.items() if not ok]
    print(f"# {len(held) - len(failed)} of {len(held)} rows hold", *failed)
    return not failed


def print_value(name: str, value: float, unit: str) -> None:
    """Prints one line `name value unit`."""
    print(f"{name} {value:.5g} {unit}", flush=True)


def parse_values(output: str) -> dict[str, float]:
    """The values by name from what `print_value` printed; lines that begin with # are comments."""
    lines = (line.split() for line in output.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value, *_ in lines}
