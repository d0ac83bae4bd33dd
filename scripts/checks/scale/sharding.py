"""Runs over many devices: equal to those on one, positive, and with their mass."""

from __future__ import annotations

from collections.abc import Iterator

from _report import Measured
from references.devices import RUNS, compare, gradient

_ROWS = {"difference": "difference", "mass_drift": "mass", "minimum": "minimum"}


def devices() -> Iterator[Measured]:
    """Eight virtual devices in one process."""
    yield from _measured("8 devices", compare((*RUNS, gradient.__name__), devices=8))


def processes() -> Iterator[Measured]:
    """Two processes, the worse of which counts."""
    cases = ("lagged", "implicit", "particles", "multiscale")
    yield from _measured("2 processes", compare(cases, devices=2, processes=2))


def _measured(where: str, measured: list[dict[str, float]]) -> Iterator[Measured]:
    for name in measured[0]:
        case, value = name.split("/")
        worst = min if value == "minimum" else max
        row = f"sharding_{_ROWS[value]}"
        yield Measured(row, worst(one[name] for one in measured), f"{where}, {case}")
