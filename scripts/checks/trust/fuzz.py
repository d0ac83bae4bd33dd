"""Wrong command lines, TOML files, signals and spike files, by the thousand in one process.

Each ends in one line and exit code 2 with nothing written, or is accepted. Some of the accepted are
short runs that are carried out; the others stop where the run would begin.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from _report import Measured, at_least, at_most, equal_to

from jaxnlif import experiments
from jaxnlif._parser import Parser
from jaxnlif.cli import main
from jaxnlif.store.files import read_arrays

from ._wrong import VALUES, array_file, changed_bytes, changed_text, number

REQUIRED = {
    "fuzz_cases": at_least(3000),
    "fuzz_runs": at_most(100),
    "fuzz_refused": at_least(2000),
    "fuzz_wrong": equal_to(0),
}
_SECONDS = 300
_ENDS = {".npz", ".png", ".toml", ".json", ".csv"}


class Case(NamedTuple):
    """A command line, and whether it is carried out if it is accepted."""

    argv: list[str]
    runs: bool = False


class Accepted(BaseException):
    """Stands in the place of a run."""


class TooLong(BaseException):
    """Stands in the place of a hang."""


def fuzz() -> Iterator[Measured]:
    """Many cases, and those of them that went wrong."""
    with tempfile.TemporaryDirectory() as directory:
        outcomes = list(tried(Path(directory), cases=3200, runs=90, seed=0))
    counts = Counter(outcome.split(":")[0] for outcome in outcomes)
    yield Measured("fuzz_cases", len(outcomes))
    yield Measured("fuzz_runs", counts["ran"])
    yield Measured("fuzz_refused", counts["refused"])
    wrong = [outcome for outcome in outcomes if outcome.startswith("wrong")]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    yield Measured("fuzz_wrong", len(wrong))


def tried(directory: Path, *, cases: int, runs: int, seed: int) -> Iterator[str]:
    """What became of each case: "refused", "accepted", "ran", "helped", or "wrong: …"."""
    with chdir(directory), mock.patch.dict(os.environ, {"HOME": str(directory / "home")}):
        Path("home").mkdir()
        for k in range(cases):
            draw = random.Random(f"{seed} {k}")
            case = _run(draw) if k % (cases // runs) == 0 else _any(draw)
            yield _outcome(case)


# ---- what happens ----------------------------------------------------------------------------


def _outcome(case: Case) -> str:
    before = _files()
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err), _limited(), _stopped(case.runs):
            code = main(case.argv)
    except Accepted:
        code = "accepted"
    except SystemExit as stop:
        code = f"helped {stop.code}"
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return _wrong(case, f"{error!r} in {last.filename}:{last.lineno}")
    new = _files() - before
    try:
        return _judged(case, code, out.getvalue(), err.getvalue(), new)
    finally:
        for name in new:
            shutil.rmtree(name) if Path(name).is_dir() else Path(name).unlink(missing_ok=True)


def _judged(case: Case, code: int | str, out: str, err: str, new: set[str]) -> str:
    lines = err.splitlines()
    if code == 2:
        fine = len(lines) == 1 and lines[0].startswith("jaxnlif: error: ") and not out and not new
        return "refused" if fine else _wrong(case, f"refused with {lines}, {out!r}, {sorted(new)}")
    if code == "helped 0":
        return "helped" if out and not err and not new else _wrong(case, f"helped with {err}")
    if code == "accepted":
        return "accepted"
    if code == 0 and not case.runs:
        return "helped" if out and not err else _wrong(case, f"listed with {err}")
    if code not in (0, 1) or (code == 1 and not lines[-1].startswith("jaxnlif: error: ")):
        return _wrong(case, f"exit code {code} with {lines}")
    return next((_wrong(case, fault) for fault in _faults(code, new)), "ran")


def _faults(code: int | str, new: set[str]) -> Iterator[str]:
    """What is wrong with the files of a run."""
    for path in (path for name in sorted(new) for path in Path(name).rglob("*")):
        if path.name.startswith(".") or (path.is_file() and path.suffix not in {*_ENDS, ""}):
            yield f"left {path}"
        if path.suffix == ".npz" and "checkpoint" not in str(path):
            arrays, _ = read_arrays(path)
            endless = [k for k, x in arrays.items() if x.dtype.kind == "f" and np.isnan(x).any()]
            if code == 0 and endless:
                yield f"no numbers in {endless}"


def _wrong(case: Case, what: str) -> str:
    return f"wrong: {[word[:200] for word in case.argv]}: {what}"


def _files() -> set[str]:
    return {name for name in os.listdir() if name not in ("home", "given")} | {
        f"home/{name}" for name in os.listdir("home")
    }


@contextmanager
def _limited() -> Iterator[None]:
    """Raises `TooLong` after a while, where the system can."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _stopped(runs: bool) -> Iterator[None]:
    """Runs end where they would begin: with the directory and the options written."""
    if runs:
        yield
        return
    patches = []
    for name in (*experiments.REGISTRY, "_classifier_run"):
        module = experiments.load(name)
        if hasattr(module, "begin"):
            patches.append(mock.patch.object(module, "begin", _after(module.begin)))
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def _after(begin: Callable) -> Callable:
    def stop(*arguments, **options):
        begin(*arguments, **options)
        raise Accepted

    return stop


# ---- what is tried ---------------------------------------------------------------------------

_TINY = {
    "learning": {"num_v": 30, "num_w": 20, "t1": 0.2, "dt": 0.02},
    "synchrony": {"neurons": 30, "t1": 0.2},
    "spiketimes": {"trials": 3},
    "fit": {"steps": 2, "dt": 0.5},
    "brunel": {"num_g": 2, "num_eta": 2, "num_v": 80, "t1": 50.0},
    "excitatory": {"num_v": 16, "num_w": 4},
    "microcircuit": {"num_v": 40, "t1": 100.0},
    "yinyang": {"epochs": 1, "hidden": 3},
    "mnist": {"epochs": 1, "data": "."},
    "rows": {"epochs": 1, "data": "."},
    "shd": {"epochs": 1, "data": "."},
}
"""Options that are right, beside which others are wrong."""


def _options(name: str) -> dict:
    parser = Parser()
    experiments.load(name).add_arguments(parser)
    return {action.dest: action for action in parser._actions if action.dest != "help"}


def _words(options: dict) -> list[str]:
    return [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]


def _run(draw: random.Random) -> Case:
    """A short run with numbers of any size that the rules allow."""
    if draw.random() < 0.9:
        given = {
            **_TINY["learning"],
            "gain": f"{10 ** draw.uniform(-9, 9):.3g}",
            "epsilon": draw.choice([0, f"{10 ** draw.uniform(-9, 2):.3g}"]),
            "noise": f"{10 ** draw.uniform(-9, 9):.3g}",
            "w_max": draw.choice([1e-9, 1.2, 1e9]),  # of which each compiles anew
            "coupling": draw.choice(["lagged", "implicit"]),
            "precision": draw.choice(["float64", "float32"]),
        }
        return Case(["run", "learning", *_words(given), "--out=out", "--no-progress"], True)
    given = {
        **_TINY["synchrony"],
        "weight": f"{draw.uniform(-100, 100):.3g}",
        "noise": f"{10 ** draw.uniform(-1, 1):.3g}",
        "case": draw.choice(["weak", "periodic"]),
    }
    return Case(["run", "synchrony", *_words(given), "--out=out", "--no-progress"], True)


def _any(draw: random.Random) -> Case:
    shutil.rmtree("given", ignore_errors=True)
    Path("given").mkdir()
    kinds = (_line, _line, _line, _toml, _toml, _signal, _recording)
    return draw.choice(kinds)(draw)


def _line(draw: random.Random) -> Case:
    """A command line with words that are wrong."""
    name = draw.choice(list(experiments.REGISTRY))
    options = _options(name)
    words = ["run", name, *_words(_TINY[name]), "--out=out"]
    for _ in range(draw.randint(1, 3)):
        action = draw.choice(list(options.values()))
        option = draw.choice(action.option_strings)
        value = draw.choice([*map(str, action.choices or ()), number(draw), draw.choice(VALUES)])
        words += draw.choice([[f"{option}={value}"], [option, value], [option], [value]])
    if draw.random() < 0.2:
        draw.shuffle(words)
    if draw.random() < 0.2:
        place = draw.randrange(len(words))
        words[place] = changed_text(draw, words[place])
    if draw.random() < 0.1:
        del words[draw.randrange(len(words))]
    return Case(words)


def _toml(draw: random.Random) -> Case:
    """A file of options with values of any kind, or cut and changed."""
    name = draw.choice(list(experiments.REGISTRY))
    values = ["1", "-1", "1.5", "1e400", "nan", "true", '"x"', '"\\u0000"', "[1]", "[]", '["a"]']
    values += ["{}", "{a = 1}", "1979-05-27", "07:32:00", "[[1]]", "9" * 30, "9" * 5000, "''", "0x"]
    lines = [f'experiment = "{name}"']
    lines += [f"{key} = {value!r}" for key, value in _TINY[name].items() if key != "data"]
    for key in draw.sample(list(_options(name)), draw.randint(1, 3)):
        lines.append(
            f"{draw.choice([key, key.replace('_', '-'), key[:-1]])} = {draw.choice(values)}"
        )
    content = "\n".join(lines).encode()
    if draw.random() < 0.5:
        content = changed_bytes(draw, content)
    if draw.random() < 0.05:
        content = b"a = " + b"[" * 5000
    Path("given/my.toml").write_bytes(content)
    words = ["run", *draw.choice([[name], []]), "--config", "given/my.toml", "--out=out"]
    return Case(words)


def _signal(draw: random.Random) -> Case:
    """A signal for `learning`, as text or as an array."""
    rows = [f"{w},{draw.uniform(-3, 3):.3g}" for w in np.linspace(0, 1.2, draw.randint(2, 6))]
    path = _written(draw, draw.choice(["w,value", "", "# a comment"]), rows)
    option = draw.choice(["--signal", "--tests"])
    return Case(["run", "learning", *_words(_TINY["learning"]), option, path, "--out=out"])


def _recording(draw: random.Random) -> Case:
    """Rates or spikes for `fit`, as text or as an array."""
    header = draw.choice(["t,rate", "t", "t,neuron"])
    times = np.cumsum([draw.expovariate(2) for _ in range(draw.randint(1, 40))])
    second = {
        "t,rate": lambda: f",{draw.random():.3g}",
        "t,neuron": lambda: f",{draw.randint(0, 9)}",
    }
    rows = [f"{t:.4g}{second.get(header, str)()}" for t in times]
    path = _written(draw, header, rows)
    words = ["run", "fit", *_words(_TINY["fit"]), "--data", path, "--out=out"]
    for option in ("--bin", "--neurons", "--membrane-time"):
        if draw.random() < 0.2:
            words.append(f"{option}={number(draw)}")
    return Case(words)


def _written(draw: random.Random, header: str, rows: list[str]) -> str:
    if draw.random() < 0.3:
        path = Path("given/data.npy")
        path.write_bytes(array_file(draw))
        return str(path)
    path = Path("given/data.csv")
    text = "\n".join([*([header] if header else []), *rows])
    content = text.encode(draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"]))
    path.write_bytes(changed_bytes(draw, content) if draw.random() < 0.7 else content)
    return str(path)


CHECKS = (fuzz,)
