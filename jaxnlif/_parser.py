"""A command line whose mistakes are told in one line: the argument, its value, the rule."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

_LARGEST = 2**63 - 1
_RULES = {int: "must be an integer", float: "must be a number"}


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that is most like a word."""
    return get_close_matches(word, names, n=1, cutoff=0)[0]


class Parser(argparse.ArgumentParser):
    """Raises `ValueError` with the argument, its value and the rule, where argparse would exit."""

    def __init__(self, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **settings)
        # Values, not options: before Python 3.14, argparse knew neither exponents nor infinity.
        self._negative_number_matcher = re.compile(r"-(\d|\.\d|inf$|nan$).*", re.IGNORECASE)

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")

    def refuse(self, word: str) -> NoReturn:
        """Complains about what is no option, and names the one that is most like it."""
        near, options = "", self._option_string_actions
        if word.startswith("-"):
            word = word.split("=")[0]
            near = f": the nearest is {nearest(word, options)}"
        self.error(f"unknown option {word}{near}")

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        try:
            value = super()._get_value(action, arg_string)
        except argparse.ArgumentError as error:
            rule = _RULES.get(action.type, error.message)  # pyright: ignore
            self.error(f"{_name(action)} = {arg_string!r}: {rule}")
        if isinstance(value, int) and abs(value) > _LARGEST:
            self.error(f"{_name(action)} = {arg_string}: must be an integer of at most 64 bits")
        return value

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = ", ".join(map(str, action.choices))
            near = nearest(value, map(str, action.choices))
            self.error(
                f"{_name(action)} = {value!r}: must be one of {known}; the nearest is {near}"
            )


def _name(action: argparse.Action) -> str:
    return action.option_strings[0] if action.option_strings else str(action.metavar)
