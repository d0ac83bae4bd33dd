"""Recordings of a network, rates or spike times, from files in their own unit of time."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from .._check import check
from ..io._rows import Table, read_table

_RULE = (
    "must be the header 't,rate', with std if standard errors are known, or 't' or 't,neuron' of "
    "spike times, with trial if there were several, parted by commas"
)
_RATES, _SPIKES = ({"t", "rate"}, {"std"}), ({"t"}, {"neuron", "trial"})
_HIGHEST_RATE = 1e12


class Rates(NamedTuple):
    """Rates, spikes per neuron in a unit of time, at increasing times, both `(k,)`, and their
    standard errors, if they are known."""

    ts: Float[np.ndarray, " k"]
    rate: Float[np.ndarray, " k"]
    std: Float[np.ndarray, " k"] | None = None


class Spikes(NamedTuple):
    """The times `(k,)` of all spikes, and of how many neurons and trials, where that is known."""

    ts: Float[np.ndarray, " k"]
    neurons: int | None = None
    trials: int | None = None


def read_recording(path: str | os.PathLike) -> Rates | Spikes:
    """The recording in a CSV file, whose header tells what is in which column.

    Columns are `t` and `rate`, and `std` if the standard errors of rates are known; or `t`, the
    times of spikes, and `neuron` and `trial`, integers that tell whose and when. An array in a
    `.npy` file holds times and rates, `(k, 2)`, or spike times, `(k,)`.

    **Raises:** `ValueError` that names the file, the place in it, the value and the rule.
    """
    table = read_table(path)
    if os.fspath(path).lower().endswith(".npy"):
        rates = bool(table.rows) and len(table.rows[0]) == 2
        table = table.named(("t", "rate") if rates else ("t",))
    else:
        check(
            table.names is not None or bool(table.rows), f"{path}: is empty; its first line {_RULE}"
        )
        given = ",".join(table.rows[0] if table.names is None else table.names)
        check(
            _holds(table, *_RATES) or _holds(table, *_SPIKES),
            f"{path}, {table.place}: {given!r} {_RULE}",
        )
        assert table.names is not None
        table = table.named(table.names)
    return _rates(table) if _holds(table, *_RATES) else _spikes(table)


def _holds(table: Table, needed: set[str], possible: set[str]) -> bool:
    """Whether a table has these columns, and of others only those that are possible."""
    return table.names is not None and needed <= set(table.names) <= needed | possible


def _rates(table: Table) -> Rates:
    ts, rates = table.column("t"), table.column("rate")
    _check_times(table, table.places, ts, strictly=True)
    check(
        len(rates) >= 2, f"{table.path}: {len(rates)} rows of numbers; rates must have at least 2"
    )
    for place, rate in zip(table.places, rates, strict=True):
        where = f"{table.path}, {place}: rate {rate:g}"
        check(rate >= 0, f"{where} must not be negative")
        check(rate <= _HIGHEST_RATE, f"{where} must be at most {_HIGHEST_RATE:g}")
    check(max(rates) > 0, f"{table.path}: all rates are 0; at least one must be positive")
    assert table.names is not None
    if "std" not in table.names:
        return Rates(np.array(ts), np.array(rates))
    std = table.column("std")
    for place, error in zip(table.places, std, strict=True):
        check(error > 0, f"{table.path}, {place}: std {error:g} must be positive")
    return Rates(np.array(ts), np.array(rates), np.array(std))


def _spikes(table: Table) -> Spikes:
    ts = table.column("t")
    check(len(ts) > 0, f"{table.path}: holds no spike; there must be at least one")
    trials = _labels(table, "trial")
    of_trial: dict[int, list[int]] = defaultdict(list)
    for row, trial in enumerate(trials or [0] * len(ts)):
        of_trial[trial].append(row)
    for rows in of_trial.values():
        places = [table.places[row] for row in rows]
        _check_times(table, places, [ts[row] for row in rows], strictly=False)
    neurons = _labels(table, "neuron")
    return Spikes(
        np.array(ts),
        None if neurons is None else len(set(neurons)),
        None if trials is None else len(set(trials)),
    )


def _labels(table: Table, name: str) -> list[int] | None:
    """The integers in a column, if there is one of this name."""
    assert table.names is not None
    if name not in table.names:
        return None
    labels = table.column(name)
    for place, label in zip(table.places, labels, strict=True):
        check(label.is_integer(), f"{table.path}, {place}: {name} {label:g} must be an integer")
    return [int(label) for label in labels]


def _check_times(table: Table, places: list[str], ts: list[float], *, strictly: bool) -> None:
    rule = "increase" if strictly else "not decrease, but between trials that a column names"
    for place, (before, t) in zip(places[1:], pairwise(ts), strict=True):
        check(
            before < t or (before == t and not strictly),
            f"{table.path}, {place}: time {t:g} follows {before:g}; times must {rule}",
        )
