"""What the command line says of a classifier: a named setting, and what is different in it."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from .._check import check, check_integer
from ._classifier_setting import Setting
from ._options import add_run, add_switch, check_between, check_magnitude, check_seed
from ._recurrent_setting import NEURONS, READOUTS, RecurrentSetting

_MOST = 1_000_000
"""Epochs, samples of a step and spikes of a neuron at most."""


class _Option(NamedTuple):
    """An option that takes the place of a field of a setting."""

    field: str
    kind: type
    text: str
    several: bool = False

    @property
    def name(self) -> str:
        return "--" + self.field.replace("_", "-")


OPTIONS = {
    option.field: option
    for option in (
        _Option("epochs", int, "passes through the data"),
        _Option("hidden", int, "neurons in each hidden layer", several=True),
        _Option("duration", float, "of a trial (T)"),
        _Option("bins", int, "spike times of an input"),
        _Option("first", float, "time of the first bin, or row; they are then equally spaced"),
        _Option("last", float, "time of the last bin, or row"),
        _Option("temperature", float, "of the softmax of the loss"),
        _Option("regularisation", float, "how strongly early spikes are wanted (γ)"),
        _Option("rate", float, "learning rate"),
        _Option("weight_decay", float, "of settings that learn by AdamW"),
        _Option("batch", int, "samples in a step"),
        _Option("max_spikes", int, "room for spikes of each neuron"),
        _Option("neuron", str, "theta, qif or lif"),
        _Option("readout", str, "count (of the output spikes) or first (spike)"),
        _Option("max_events", int, "room for spikes and inputs in a trial"),
    )
}
"""Options of all classifiers; an experiment leaves out those that have no meaning for it."""

CHOICES = {"neuron": NEURONS, "readout": READOUTS}

RECURRENT = frozenset({"neuron", "readout", "max_events"})
"""Those that only recurrent networks have."""

_FREE = "epochs", "hidden"
"""What may be changed in a setting of the literature, as it always could."""


def add_arguments(
    parser: argparse.ArgumentParser,
    settings: Mapping[str, Setting],
    *,
    name: str,
    without: Collection[str] = RECURRENT,
) -> None:
    """Adds the options that all classifiers share.

    **Arguments:** `settings`: those that have names, the default first; `name`: of the task;
    `without`: fields of a setting that are no options.
    """
    parser.add_argument(
        "--setting",
        choices=settings,
        metavar="NAME",
        help=f"network and training: {', '.join(settings)} (default: {next(iter(settings))})",
    )
    group = parser.add_argument_group("instead of what the setting says")
    for option in OPTIONS.values():
        if option.field in without:
            continue
        group.add_argument(
            option.name,
            type=option.kind,
            nargs="+" if option.several else None,
            choices=CHOICES.get(option.field),
            metavar={int: "N", float: "X", str: "NAME"}[option.kind],
            help=option.text,
        )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="networks to train (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the first one (default: %(default)s)"
    )
    add_switch(parser, "--together", "train all networks at once, in one program")
    files = f"{name}-*.npz, {name}.png"
    add_run(parser, out=name, files=files, resume=True, precision="float32")


def chosen(arguments: argparse.Namespace, settings: Mapping[str, Setting]) -> Setting:
    """The setting that the options describe.

    **Raises:** `ValueError` if a number is out of its range, or contradicts the setting "published"
    that is asked for by name.
    """
    check_integer("--seeds", arguments.seeds, at_least=1)
    check_seed("--seed", arguments.seed)
    check_seed("--seed", arguments.seed + arguments.seeds - 1)
    named = arguments.setting
    arguments.setting = named or next(iter(settings))
    setting = settings[arguments.setting]
    changed: dict[str, Any] = {}
    for field, option in OPTIONS.items():
        value = getattr(arguments, field, None)
        if value is None:
            continue
        value = tuple(value) if option.several else value
        _check_value(option, value)
        own = getattr(setting, field)
        if option.several and isinstance(setting, RecurrentSetting):
            given = " ".join(map(str, value))
            check(len(value) == 1, f"{option.name} = {given}: a recurrent network has one number")
        check(
            named != "published" or field in _FREE or value == own,
            f"{option.name} = {value}: contradicts --setting published, which has {own}; leave one "
            "of the two out",
        )
        changed[field] = value
    if changed.get("bins") == 1 and "last" not in changed and setting.bins > 1:
        changed["last"] = None  # one bin has the time of the first
    setting = replace(setting, **changed)
    check(
        not (setting.weight_decay and setting.schedule != "cosine"),
        f"--weight-decay = {setting.weight_decay:g}: this setting learns by AdaBelief, which has "
        "none; choose --setting best",
    )
    _check_times(setting)
    return setting


def _check_value(option: _Option, value: Any) -> None:
    if option.kind is str:
        return
    if option.kind is int:
        for number in value if option.several else (value,):
            check_integer(option.name, number, at_least=1)
            check(number <= _MOST, f"{option.name} = {number}: must be at most {_MOST}")
    else:
        allow_zero = option.field in ("first", "regularisation", "weight_decay")
        check_magnitude(option.name, value, allow_zero=allow_zero)


def _check_times(setting: Setting) -> None:
    """Requires of the times of bins what `time_to_first_spike` does, in the names of options."""
    first, last = setting.first, setting.last
    if first is None:
        check(last is None, f"--last = {last}: needs --first too, the time of the first bin")
        check(setting.bins < 100, f"--bins = {setting.bins}: must be less than 100 without --first")
        return
    check(setting.bins < 256, f"--bins = {setting.bins}: must be less than 256")
    check_between("--first", first, 0, setting.duration)
    if setting.bins == 1 and not isinstance(setting, RecurrentSetting):
        check(last is None, f"--last = {last}: one bin has the time --first; give --bins too")
        return
    check(last is not None, f"--first = {first:g}: needs --last too, the time of the last bin")
    assert last is not None
    check(
        first < last < setting.duration,
        f"--last = {last:g}: must be after --first, {first:g}, and within --duration, "
        f"{setting.duration:g}",
    )
