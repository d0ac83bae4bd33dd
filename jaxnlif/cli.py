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
  jaxnlif list                      what can be run
  jaxnlif run learning              run it; results come into a directory
  jaxnlif run learning --help       its options
  jaxnlif run --config my.toml      run what a file says, as each run leaves one
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    0 for success, 1 for a run that failed, 2 for wrong input, 130 for Ctrl-C.
    """
    try:
        arguments = _arguments(sys.argv[1:] if argv is None else list(argv))
        if arguments.command == "list":
            print("\n".join(_table()))
        else:
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
    if argv[:1] == ["run"]:
        argv = ["run", *_named(argv[1:])]
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        _refuse(unknown[0], arguments)
    if getattr(arguments, "config", None) is None:
        return arguments
    given = configuration.read(arguments.config, arguments.name, arguments.options)
    return parser.parse_args([*argv[:2], *given, *argv[2:]])


def _named(argv: list[str]) -> list[str]:
    """The name of an experiment and its options; a file of options may have the name."""
    finder = _Parser(prog="jaxnlif run", add_help=False, allow_abbrev=False)
    finder.add_argument("--config")
    path = finder.parse_known_args(argv)[0].config
    if not argv or not argv[0].startswith("-") or argv[0] in ("-h", "--help"):
        return argv
    if path is None:
        finder.error(f"{argv[0]}: must follow the NAME of an experiment")
    return [configuration.experiment(path, experiments.REGISTRY), *argv]


def _refuse(word: str, arguments: argparse.Namespace) -> NoReturn:
    """Complains about what is no option."""
    options = getattr(arguments, "options", None)
    near = ""
    if options is not None and word.startswith("-"):
        word = word.split("=")[0]
        near = f": the nearest is {configuration.nearest(word, options._option_string_actions)}"
    prog = "jaxnlif" if options is None else options.prog
    raise ValueError(f"unknown option {word}{near} (see {prog} --help)")


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as every other wrong input does."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


class _Formatter(argparse.HelpFormatter):
    """With room for the names of most options beside what they mean."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=30)


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
    run = commands.add_parser(
        "run",
        help="run an experiment",
        usage="jaxnlif run NAME [OPTION ...]\n       jaxnlif run --config FILE [OPTION ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["experiments:", *(f"  {line}" for line in _table())]),
    )
    names = run.add_subparsers(
        dest="name",
        prog="jaxnlif run",
        metavar="NAME",
        required=True,
        help="an experiment, also the one that the file of --config names",
    )
    for name in experiments.REGISTRY:
        experiment = experiments.load(name)
        options = names.add_parser(
            name,
            usage=f"jaxnlif run {name} [OPTION ...]",
            description=f"{experiment.HELP[0].upper()}{experiment.HELP[1:]}.",
            formatter_class=_Formatter,
        )
        experiment.add_arguments(options)
        options.set_defaults(experiment=experiment, options=options)
    return parser


def _table() -> list[str]:
    """What can be run, a line for each experiment."""
    return [f"{name:12}{experiments.load(name).HELP}" for name in experiments.REGISTRY]


def _complain(error: Exception, code: int) -> int:
    print("jaxnlif: error:", " ".join(str(error).split()), file=sys.stderr)
    return code
