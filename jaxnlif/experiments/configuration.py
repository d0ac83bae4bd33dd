"""The options of an experiment as TOML: read from a file, and told as they are in effect."""

from __future__ import annotations

import argparse
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._check import check
from .._parser import nearest

_EXPERIMENT = "experiment"
_NO_OPTIONS = ("help", "config")
_PATHS = ("FILE", "DIR")


def add_argument(parser: Any) -> None:
    """Adds the option that names a file to a parser or a group of it."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a TOML file of options, as each run leaves as config.toml in DIR; those given "
        "here override it",
    )


def experiment(path: str, names: Iterable[str]) -> str:
    """The experiment that a file names.

    **Raises:** `ValueError` if it names none of these, or cannot be read.
    """
    found = _load(path).get(_EXPERIMENT)
    check(
        found is not None,
        f'{path}: names no experiment, as {_EXPERIMENT} = "learning"; '
        f"give it: jaxnlif run NAME --config {path}",
    )
    check(isinstance(found, str), f"{path}: {_EXPERIMENT} = {found!r}: must be a text")
    assert isinstance(found, str)
    check(
        found in names,
        f"{path}: {_EXPERIMENT} = {found!r}: unknown, the nearest is {nearest(found, names)!r}",
    )
    return found


def read(path: str, name: str, parser: argparse.ArgumentParser) -> list[str]:
    """The options in a file, as they would be given on the command line.

    **Arguments:** `name` of the experiment, `parser` of its options.

    **Raises:** `ValueError` if the file cannot be read, is of another experiment, or has a key or a
    value that the experiment has not.
    """
    options = {action.dest: action for action in _options(parser)}
    found: dict[str, list[str]] = {}
    for key, value in _load(path).items():
        if key == _EXPERIMENT:
            check(value == name, f"{path}: experiment = {value!r}: must be {name!r}")
            continue
        dest = key.replace("-", "_")
        check(
            dest in options,
            f"{path}: unknown key {key!r}: the nearest is {nearest(dest, options)!r}",
        )
        check(dest not in found, f"{path}: {key!r}: is there twice, with - and with _")
        try:
            found[dest] = _words(options[dest], value)
            parser.parse_args(found[dest])
        except ValueError as error:
            raise ValueError(f"{path}: {key} = {_text(value)}: {error}") from None
    return [word for words in found.values() for word in words]


def write(name: str, parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> str:
    """The options in effect, as a file that `read` understands."""
    lines = [f"{_EXPERIMENT} = {json.dumps(name)}"]
    for action in _options(parser):
        value = getattr(arguments, action.dest)
        if value is not None:  # which TOML has no word for: it is left to the experiment
            lines.append(f"{action.dest} = {_text(value)}")
    return "\n".join(lines) + "\n"


def expanded(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> argparse.Namespace:
    """The options with `~` in paths, those whose values are called FILE or DIR, put in full.

    **Raises:** `ValueError` for what cannot be the name of a file.
    """
    for action in _options(parser):
        if action.metavar in _PATHS:
            given = getattr(arguments, action.dest)
            several = isinstance(given, list)
            name = action.option_strings[0]
            paths = [_path(name, each) for each in (given if several else [given])]
            for path in paths if action.metavar == "FILE" else ():
                _check_no_device(name, path)
            setattr(arguments, action.dest, paths if several else paths[0])
    return arguments


def _path(name: str, given: str | None) -> str | None:
    if given is None:
        return None
    check(given != "", f"{name} = '': must be a path")
    text = given.encode("utf-8", "replace").decode()
    check(text == given and "\0" not in given, f"{name} = {given!r}: must be a path in UTF-8")
    return os.path.expanduser(given)


def _check_no_device(name: str, path: str | None) -> None:
    """Requires of what is to be read that it ends."""
    check(
        path is None or not Path(path).is_char_device(),
        f"{name} = {path!r}: must be a file, which a device is not",
    )


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (action for action in parser._actions if action.dest not in _NO_OPTIONS)


def _load(path: str) -> dict[str, Any]:
    found = _path("--config", path)
    _check_no_device("--config", found)
    try:
        text = Path(found or path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
    try:
        return tomllib.loads(text.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError(f"{path}: must be TOML (it is nested too deeply)") from None
    except ValueError as error:
        raise ValueError(f"{path}: must be TOML ({error})") from None


def _words(action: argparse.Action, value: Any) -> list[str]:
    """An option and its values, as on the command line."""
    option, *negation = action.option_strings
    if negation:
        check(isinstance(value, bool), "must be true or false")
        return [option if value else negation[0]]
    several = isinstance(value, list)
    check(several == (action.nargs is not None), f"must be {_kind(action)}")
    words = []
    for each in value if several else [value]:
        allowed = {int: int, float: int | float}.get(action.type, str)  # pyright: ignore
        check(isinstance(each, allowed) and not isinstance(each, bool), f"must be {_kind(action)}")
        words.append(each if isinstance(each, str) else _plain(each))
    # A value that begins with a dash is none of the options.
    return [option, *words] if several else [f"{option}={words[0]}"]


def _kind(action: argparse.Action) -> str:
    kind = {int: "an integer", float: "a number"}.get(action.type, "a text")  # pyright: ignore
    return kind if action.nargs is None else f"a list whose entries are each {kind}"


def _plain(number: int | float) -> str:
    """Without an exponent, which argparse would take for an option if the number is negative."""
    if isinstance(number, int) or not np.isfinite(number):
        return str(number)
    return np.format_float_positional(number, trim="-")


def _text(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_text, value))}]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
