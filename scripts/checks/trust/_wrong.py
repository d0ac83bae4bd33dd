"""Values that are no values, and texts, bytes and arrays that were changed at random."""

from __future__ import annotations

import io
import random

import numpy as np

VALUES = (
    *("", " ", "-", "--", "---", "=", "x", "none", "true", "nan", "inf", "-inf", "-nan", "1e"),
    *("0x10", "1_0", "1,5", "1.5.2", "½", "١", "ε", "∞", "N̄", "🙂", "\ud800", "\x00", "\n", "e1"),
    *("a\x00b", "%s", "%(default)s", "{}", "9" * 400, "9" * 5000, "-" + "9" * 400, "x" * 3000),
    *("~", "~/out", "~nobody/out", ".", "..", "/", "out", "given", "given/none.csv", "\t"),
    *("/dev/null", "/dev/zero", "/dev/full", "/proc/self/status", "--help", "-h", "--config"),
    *("--config=given", "--config=/dev/zero", "--config=given/none.toml", "list", "run"),
)
_PIECES = (
    *("", "0", "-1", "1e400", "nan", "inf", ",", ",,", ";", "\t", "\n", "\r\n", "\r", '"', "'"),
    *("=", "[", "]", "{", "}", "\\", "\x00", "\ufeff", "ε", "x", " ", "t,rate", "value", "-", "#"),
)


def number(draw: random.Random) -> str:
    """A number of any size and sign, as text."""
    size = 10 ** draw.uniform(-1, 1) if draw.random() < 0.5 else 10 ** draw.uniform(-307, 307)
    value = draw.choice([1, 1, 1, -1]) * size
    whole = draw.random() < 0.5
    return draw.choice(["0", "1", "-1", str(int(value)) if whole else f"{value:.4g}"])


def changed_text(draw: random.Random, text: str) -> str:
    """A text with pieces put in, left out or exchanged."""
    for _ in range(draw.randint(1, 4)):
        first, last = sorted(draw.randint(0, len(text)) for _ in range(2))
        last = draw.choice([first, min(last, first + 3), last])
        text = text[:first] + draw.choice(_PIECES) + text[last:]
    return text


def changed_bytes(draw: random.Random, content: bytes) -> bytes:
    """Bytes with others put in, left out or exchanged."""
    for _ in range(draw.randint(1, 4)):
        first, last = sorted(draw.randint(0, len(content)) for _ in range(2))
        last = draw.choice([first, min(last, first + 3), last])
        piece = draw.choice([draw.choice(_PIECES).encode(), draw.randbytes(draw.randint(1, 3))])
        content = content[:first] + piece + content[last:]
    return content


def array_file(draw: random.Random) -> bytes:
    """An array in NumPy's format, of any kind and shape, sometimes damaged."""
    shape = draw.choice([(), (0,), (1,), (5,), (2, 2), (5, 2), (5, 3), (0, 2), (2, 2, 2)])
    kind = draw.choice(["f8", "f4", "i8", "u1", "c16", "U3", "S2", "?", "M8[s]", "O", "i4,f8"])
    array = np.zeros(shape, kind)
    if kind in ("f8", "f4", "i8", "u1") and array.size:
        values = [draw.choice([0, 1, 2, 1e300, np.nan, np.inf, -1]) for _ in range(array.size)]
        ordered = np.linspace(0, 1.2, array.size) if draw.random() < 0.5 else values
        with np.errstate(all="ignore"):
            array = np.reshape(ordered, shape).astype(kind)
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    content = file.getvalue()
    if draw.random() < 0.1:
        return content.replace(b"(5, 2)", b"(1152921504606846976, 2)")
    return changed_bytes(draw, content) if draw.random() < 0.4 else content
