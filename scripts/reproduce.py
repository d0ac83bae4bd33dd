"""Checks what the README claims: `python scripts/reproduce.py SECTION`.

Prints one line per check, `name measured required ok`; the exit code is 1 if one fails.
"""

from __future__ import annotations

import argparse
import importlib
import sys

import jax
from _report import run_checks

SECTIONS = ("circuits", "density", "synchrony", "spikes", "fit", "scale", "trust")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--only", metavar="NAME", help="the checks whose function has this name")
    spikes = parser.add_argument_group("spikes")
    spikes.add_argument("--long", action="store_true", help="train as well; takes an hour or more")
    spikes.add_argument(
        "--keep", metavar="DIR", help="keep the trainings there, and go on with those found there"
    )
    spikes.add_argument("--data", default="data/mnist", metavar="DIR", help="IDX files of MNIST")
    spikes.add_argument(
        "--fashion", default="data/fashion-mnist", metavar="DIR", help="those of Fashion-MNIST"
    )
    spikes.add_argument("--spikegd", metavar="DIR", help="a copy of chklos/spikegd to compare with")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    section = importlib.import_module(f"checks.{arguments.section}")
    if arguments.section == "spikes":
        required, checks = section.table(arguments)
    else:
        required, checks = section.REQUIRED, section.CHECKS
    checks = [c for c in checks if arguments.only in (None, c.__name__)]
    return 0 if run_checks(required, checks) else 1


if __name__ == "__main__":
    sys.exit(main())
