"""Checks what the README claims: `python scripts/reproduce.py density|synchrony`.

Prints one line per check, `name measured required ok`; the exit code is 1 if one fails.
"""

from __future__ import annotations

import argparse
import importlib
import sys

import jax
from _report import run_checks

SECTIONS = ("density", "synchrony")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--only", metavar="NAME", help="the checks whose function has this name")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    section = importlib.import_module(f"checks.{arguments.section}")
    checks = [c for c in section.CHECKS if arguments.only in (None, c.__name__)]
    return 0 if run_checks(section.REQUIRED, checks) else 1


if __name__ == "__main__":
    sys.exit(main())
