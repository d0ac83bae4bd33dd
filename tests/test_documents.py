"""Every code block of the README and of the documentation does what it says.

The blocks of a page run in order: those in Python in one namespace, the commands as a user would
give them, all in an empty directory. A `text` block after one in Python is what that prints. What
cannot run here is marked `<!-- not run: reason -->` in the line above. Like installations, it is
checked as far as that goes: extras, scripts and options must exist, and Python must be Python.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax
import pytest

from jaxnlif import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
OPTIONS = PROJECT["tool"]["pytest"]["ini_options"]

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^ *```$", re.M | re.S
)
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+) -->\n *$")
SHOWN = {"text", "csv", "bibtex"}


class Block(NamedTuple):
    """A code block: its language, its text, and the line of the page on which that begins."""

    language: str
    text: str
    line: int
    runs: bool


def blocks(path: Path) -> Iterator[Block]:
    page = path.read_text(encoding="utf-8")
    for fence in FENCE.finditer(page):
        marked = NOT_RUN.search(page[: fence.start()])
        yield Block(
            fence["language"],
            textwrap.dedent(fence["text"]),
            page[: fence.start("text")].count("\n"),
            runs=marked is None,
        )


def page_of(path: Path):
    """A page as a parameter; that of the README takes long."""
    marks = pytest.mark.slow if path.parent == ROOT else ()
    return pytest.param(path, id=path.relative_to(ROOT).as_posix(), marks=marks)


@pytest.mark.parametrize("path", [page_of(page) for page in PAGES if list(blocks(page))])
def test_blocks(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace, printed = {"__name__": "__main__"}, None
    for block in blocks(path):
        if block.language == "python":
            code = compile("\n" * block.line + block.text, str(path), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(code if block.runs else "", namespace)
            printed = output.getvalue()
        elif block.language == "text" and printed is not None:
            assert_same(printed, block.text)
            printed = None
        elif block.language == "bash":
            for commands in chains(block.text):
                follow(commands, runs=block.runs)


def test_blocks_are_of_known_languages():
    """A block without a language, or of one that nothing runs, would go unnoticed."""
    found = {block.language for page in PAGES for block in blocks(page)}
    assert found <= {"python", "bash"} | SHOWN


def test_what_a_page_shows_is_compared():
    assert_same("rate   0.1200\n", "rate 0.1200\n")
    for other in ("rate 0.13\n", "rate 0.1201\n", "mean 0.1200\n", "rate 0.1200 0.1200\n"):
        with pytest.raises(AssertionError):
            assert_same("rate 0.1200\n", other)


def assert_same(printed: str, shown: str) -> None:
    """Requires the same words and numbers, to the last digit."""
    assert printed.split() == shown.split(), printed


# ---- commands --------------------------------------------------------------------------------


def chains(text: str) -> Iterator[list[list[str]]]:
    """The lines of a block, each as commands joined by `&&`."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield [shlex.split(part, comments=True) for part in line.split("&&")]


def follow(commands: list[list[str]], *, runs: bool) -> None:
    """Runs what can run here; what stands in a line with an installation is only looked at."""
    installs = any("pip" in Path(word).name for words in commands for word in words)
    for words in commands:
        while "=" in words[0]:
            words = words[1:]
        program, *arguments = words
        COMMANDS[Path(program).name](arguments, runs and not installs)


def jaxnlif(arguments: list[str], runs: bool) -> None:
    if not runs:
        cli._parser(arguments[1:2]).parse_args(arguments)
        return
    double = jax.config.jax_enable_x64
    assert cli.main(arguments) == 0
    jax.config.update("jax_enable_x64", double)


def pip(arguments: list[str], _: bool) -> None:
    assert arguments[0] == "install"
    for extras in re.findall(r"\[(.+?)\]", " ".join(arguments)):
        assert set(extras.split(",")) <= EXTRAS.keys()


def python(arguments: list[str], runs: bool) -> None:
    if arguments[0] != "-m":
        script(*arguments)
    elif arguments[1] == "jaxnlif":
        jaxnlif(arguments[2:], runs)
    elif arguments[1] == "pytest":
        pytest_options(arguments[2:])
    else:
        assert arguments[1] == "venv"


def pytest_options(arguments: list[str]) -> None:
    """Requires the paths and the marks that are named to exist."""
    marks = {mark.split(":")[0] for mark in OPTIONS["markers"]}
    for option, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if option == "-m":
            assert set(value.split()) - {"not", "and", "or"} <= marks
        if option.startswith("tests"):
            assert (ROOT / option).exists()


def script(path: str, *arguments: str) -> None:
    """Requires a script that knows the arguments; what it does takes long."""
    known = usage(path)
    for argument in arguments:
        assert re.search(rf"[\s{{,\[]{re.escape(argument)}\b", known), f"{path}: {argument}"


@cache
def usage(path: str) -> str:
    command = [sys.executable, str(ROOT / path), "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def export(arguments: list[str], _: bool) -> None:
    assert all("=" in argument for argument in arguments)


def tool(arguments: list[str], _: bool) -> None:
    """Those that other tests run, with the options that are named here."""
    assert arguments in ([], ["check", "."], ["format", "."], ["serve"], ["build", "--strict"])


COMMANDS = {
    "export": export,
    "jaxnlif": jaxnlif,
    "mkdocs": tool,
    "pip": pip,
    "pyright": tool,
    "python": python,
    "python3": python,
    "ruff": tool,
}
