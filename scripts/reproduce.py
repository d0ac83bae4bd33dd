"""Checks what the README claims: `python scripts/reproduce.py density`.

Prints one line per check, `name measured required ok`; the exit code is 1 if one fails.
"""

from __future__ import annotations

import argparse
import importlib
import sys

import jax
from _report import run_checks

SECTIONS = ("density",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", choices=SECTIONS)
    section = parser.parse_args().section
    jax.config.update("jax_enable_x64", True)
    checks = importlib.import_module(f"checks.{section}")
    return 0 if run_checks(checks.REQUIRED, checks.CHECKS) else 1


if __name__ == "__main__":
    sys.exit(main())
