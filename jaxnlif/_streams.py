"""Standard output and error that any encoding can hold, and that a closed pipe does not end."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ASCII = {
    "∞": "inf",
    "√": "sqrt",
    "∫": "int",
    "²": "^2",
    "±": "+-",
    "×": "x",
    "·": "*",
    "…": "...",
    "−": "-",
    "–": "-",
    "—": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
}


@contextmanager
def surviving() -> Iterator[None]:
    """`sys.stdout` and `sys.stderr` write what they can, and never raise for the rest."""
    before = sys.stdout, sys.stderr
    with _spelling(before[0]), _spelling(before[1]):
        sys.stdout, sys.stderr = (x and _Pipe(x) for x in before)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream:
                    stream.flush()
            sys.stdout, sys.stderr = before


class _Pipe:
    """A stream that goes on into nothing once nobody reads it."""

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        with self._given_up_if_broken():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._given_up_if_broken():
            self._stream.flush()

    @contextmanager
    def _given_up_if_broken(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self._give_up()
        except OSError:
            self._give_up()
            raise

    def _give_up(self) -> None:
        # What is left in the buffer goes there too, when the interpreter ends.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _spelling(stream: Any) -> Iterator[None]:
    """Letters that the encoding of a stream lacks are spelled with those that it has."""
    if not hasattr(stream, "reconfigure"):
        yield
        return
    errors = stream.errors
    stream.reconfigure(errors=_spelled.__name__)
    try:
        yield
    finally:
        stream.reconfigure(errors=errors)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """ε becomes epsilon, N̄ becomes N, ∞ becomes inf, and what has no name a question mark."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_letter, error.object[error.start : error.end])), error.end


def _letter(letter: str) -> str:
    if letter in _ASCII:
        return _ASCII[letter]
    name = unicodedata.name(letter, "")
    if name.startswith("COMBINING"):
        return ""
    if name.startswith("GREEK"):
        word = name.split()[3 if "LETTER" in name else -1]
        return word.capitalize() if "CAPITAL" in name else word.lower()
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"


codecs.register_error(_spelled.__name__, _spelled)
