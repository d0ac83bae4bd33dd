"""The options of an experiment as TOML: read from a file, and told as they are in effect."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from .._check import check

_EXPERIMENT = "experiment"
_NO_OPTIONS = ("help", "config")


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the option that names a file."""
    parser.add_argument(
        "--config",
        metavar="FILE.toml",
        help="options by name, which those given here override; runs leave one in --out",
    )


def read(path: str, name: str, parser: argparse.ArgumentParser) -> list[str]:
    """The options in a file, as they would be given on the command line.

    **Arguments:** `name` of the experiment, `parser` of its options.

    **Raises:** `ValueError` if the file cannot be read, is of another experiment, or has a key or a
    value that the experiment has not.
    """
    options = {action.dest: action for action in _options(parser)}
    found: list[str] = []
    for key, value in _load(path).items():
        if key == _EXPERIMENT:
            check(value == name, f"{path}: experiment = {value!r}: must be {name!r}")
            continue
        dest = key.replace("-", "_")
        if dest not in options:
            nearest = get_close_matches(dest, options, n=1, cutoff=0)
            raise ValueError(f"{path}: unknown key {key!r}: the nearest is {nearest[0]!r}")
        try:
            words = _words(options[dest], value)
            parser.parse_args(words)
        except ValueError as error:
            raise ValueError(f"{path}: {key} = {_text(value)}: {error}") from None
        found += words
    return found


def write(name: str, parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> str:
    """The options in effect, as a file that `read` understands."""
    lines = [f"{_EXPERIMENT} = {json.dumps(name)}"]
    for action in _options(parser):
        value = getattr(arguments, action.dest)
        if value is not None:  # which TOML has no word for: it is left to the experiment
            lines.append(f"{action.dest} = {_text(value)}")
    return "\n".join(lines) + "\n"


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (action for action in parser._actions if action.dest not in _NO_OPTIONS)


def _load(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: must be a readable file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: must be TOML ({error})") from None


def _words(action: argparse.Action, value: Any) -> list[str]:
    """An option and its values, as on the command line."""
    option = action.option_strings[-1]
    if action.nargs == 0:  # a flag
        check(isinstance(value, bool), "must be true or false")
        return [option] if value else []
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
    return json.dumps(str(value), ensure_ascii=False)
