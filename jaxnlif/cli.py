"""The command `jaxnlif`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

import jax

from . import SolveError, __version__, experiments
from .experiments import configuration

_EXAMPLES = """\
examples:
  jaxnlif list                          what can be run
  jaxnlif run learning                  a network learns a signal, then tells signals apart
  jaxnlif run learning --help           the options of an experiment
  jaxnlif run learning --config my.toml the options of a file
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    0 for success, 1 for a run that failed, 2 for wrong input, 130 for Ctrl-C.
    """
    try:
        arguments = _arguments(sys.argv[1:] if argv is None else list(argv))
        if arguments.command == "list":
            _list()
        else:
            arguments.configuration = configuration.write(
                arguments.name, arguments.options, arguments
            )
            jax.config.update("jax_enable_x64", arguments.precision == "float64")
            arguments.experiment.run(arguments)
    except ValueError as error:
        return _complain(error, 2)
    except (SolveError, OSError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        print("jaxnlif: interrupted", file=sys.stderr)
        return 130
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    """Those of the command line, and those of a file that they name."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if getattr(arguments, "config", None) is None:
        return arguments
    name = arguments.name
    given = configuration.read(arguments.config, name, arguments.options)
    after = argv.index(name) + 1
    return parser.parse_args([*argv[:after], *given, *argv[after:]])


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as every other wrong input does."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="jaxnlif",
        description="Noisy leaky integrate-and-fire networks in JAX.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jaxnlif {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("list", help="list the experiments")
    run = commands.add_parser("run", help="run an experiment")
    names = run.add_subparsers(dest="name", metavar="NAME", required=True)
    for name in experiments.REGISTRY:
        experiment = experiments.load(name)
        options = names.add_parser(name, help=experiment.HELP, description=experiment.HELP)
        experiment.add_arguments(options)
        options.add_argument(
            "--precision",
            choices=("float64", "float32"),
            default=getattr(experiment, "PRECISION", "float64"),
            help="floating-point type (default: %(default)s)",
        )
        configuration.add_argument(options)
        options.set_defaults(experiment=experiment, options=options)
    return parser


def _list() -> None:
    for name in experiments.REGISTRY:
        print(f"{name:12} {experiments.load(name).HELP}")


def _complain(error: Exception, code: int) -> int:
    print("jaxnlif: error:", " ".join(str(error).split()), file=sys.stderr)
    return code
