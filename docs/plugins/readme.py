"""Puts sections of the README where a page asks for them, so that figures stand in one place.

A line `<!-- README: Heading -->` is replaced by what follows that heading.
"""

from __future__ import annotations

import re
from pathlib import Path

_README = Path(__file__).parents[2] / "README.md"
_WANTED = re.compile(r"^<!-- README: (?P<heading>.+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_) -> str:
    """The page with its sections of the README; called by MkDocs."""
    return _WANTED.sub(lambda match: section(match["heading"]), markdown)


def section(heading: str) -> str:
    """What stands under a heading of the README, up to the next one.

    **Raises:** `ValueError` if there is no such heading.
    """
    parts = re.split(r"^## (.+)\n", _README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if heading not in sections:
        raise ValueError(f"README.md: has no section {heading!r}")
    return sections[heading].strip()
