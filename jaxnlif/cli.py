"""The command `jaxnlif`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from . import __version__, _interrupt, experiments
from ._parser import Parser
from ._streams import surviving

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
    with _interrupt.raised():
        try:
            with surviving(), warnings.catch_warnings():
                warnings.showwarning = _warn
                return _run(sys.argv[1:] if argv is None else list(argv))
        except OSError as error:  # what was to be printed could not be written
            return _complain(error, 1)
        except KeyboardInterrupt:
            print(_interrupt.LINE, end="", file=sys.stderr)
            return _interrupt.CODE


def _run(argv: list[str]) -> int:
    try:
        arguments = _arguments(argv)
        if arguments.command == "list":
            print("\n".join(_table()))
        else:
            return _run_experiment(arguments)
    except ValueError as error:
        return _complain(error, 2)
    except OSError as error:
        return _complain(error, 1)
    return 0


# What only runs need is imported there: the rest of the command answers at once.


def _run_experiment(arguments: argparse.Namespace) -> int:
    import jax

    from . import execution
    from .integrate.result import SolveError

    with contextlib.suppress(RuntimeError):  # where a process calls `main` that has begun already
        execution.fast_loops()
    jax.config.update("jax_enable_x64", arguments.precision == "float64")
    try:
        arguments.experiment.run(arguments)
    except SolveError as error:
        return _complain(error, 1)
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    """Those of the command line, and those of a file that they name."""
    if argv[:1] == ["run"]:
        argv = ["run", *_named(argv[1:])]
    parser = _parser(argv[1:2])
    arguments, unknown = parser.parse_known_args(argv)
    options = getattr(arguments, "options", parser)
    if unknown:
        options.refuse(unknown[0])
    if arguments.command == "list":
        return arguments

    from .experiments import configuration

    if arguments.config is None:
        return configuration.expanded(options, arguments)
    given = configuration.read(arguments.config, arguments.name, arguments.options)
    return configuration.expanded(options, parser.parse_args([*argv[:2], *given, *argv[2:]]))


def _named(argv: list[str]) -> list[str]:
    """The name of an experiment and its options; a file of options may have the name."""
    finder = Parser(prog="jaxnlif run", add_help=False, allow_abbrev=False)
    finder.add_argument("--config")
    path = finder.parse_known_args(argv)[0].config
    if not argv or not argv[0].startswith("-") or argv[0] in ("-h", "--help"):
        return argv
    if path is None:
        finder.error(f"{argv[0]}: must follow the NAME of an experiment")

    from .experiments import configuration

    return [configuration.experiment(path, experiments.REGISTRY), *argv]


class _Formatter(argparse.HelpFormatter):
    """With room for the names of most options beside what they mean."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=30)


def _parser(named: Sequence[str]) -> Parser:
    """The command line, with the options of those experiments that are named there."""
    parser = Parser(
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
    for name, what in experiments.REGISTRY.items():
        options = names.add_parser(
            name,
            usage=f"jaxnlif run {name} [OPTION ...]",
            description=f"{what[0].upper()}{what[1:]}.",
            formatter_class=_Formatter,
        )
        if name in named:
            experiment = experiments.load(name)
            experiment.add_arguments(options)
            options.set_defaults(experiment=experiment, options=options)
    return parser


def _table() -> list[str]:
    """What can be run, a line for each experiment."""
    return [f"{name:14}{what}" for name, what in experiments.REGISTRY.items()]


def _warn(message: Warning | str, *where: Any, **more: Any) -> None:
    """A warning in one line, without the place in the sources that it comes from."""
    print("jaxnlif: warning:", " ".join(str(message).split()), file=sys.stderr)


def _complain(error: Exception, code: int) -> int:
    print("jaxnlif: error:", " ".join(str(error).split()), file=sys.stderr)
    return code
