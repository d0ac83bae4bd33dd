"""Ctrl-C, closed pipes, encodings, and sizes beyond memory: one line, and nothing left behind."""

import io
import os
import subprocess
import sys
import warnings

import pytest

import jaxnlif as jn
from jaxnlif import _memory
from jaxnlif._streams import surviving
from jaxnlif.cli import main
from jaxnlif.experiments import learning

from .test_cli import complaint, run

PRESSED = """
import os, signal, sys
sys.argv = ["jaxnlif", "run", "learning", "--out", {out!r}]

class Finder:
    def find_spec(self, name, *where):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from jaxnlif.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["jax", "jaxnlif.experiments.learning"])
def test_ctrl_c_while_something_is_imported(module, tmp_path):
    code = PRESSED.format(module=module, out=str(tmp_path / "out"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "jaxnlif: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_letters_that_an_encoding_lacks_are_spelled(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with surviving():
        print("N̄ ≤ √(2K), ε = ∞, Δt ± 1, ä, 🙂")
    assert sys.stdout is stream
    assert stream.errors == "strict"
    stream.seek(0)
    assert stream.read() == "N <= sqrt(2K), epsilon = inf, Deltat +- 1, a, ?\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_pipe_ends_nothing(name, monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:
        monkeypatch.setattr(sys, name, stream)
        with surviving():
            for _ in range(3):
                print("x" * 100_000, file=getattr(sys, name), flush=True)
            print("what is still in the buffer", file=getattr(sys, name))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
def test_output_that_cannot_be_written_is_reported(monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["list"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("jaxnlif: error: [Errno 28]")
    assert error.count("\n") == 1


def test_warnings_are_lines(capsys, monkeypatch):
    def warn(*_):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("a checkpoint\nis damaged", stacklevel=1)
        return ["listed"]

    monkeypatch.setattr("jaxnlif.cli._table", warn)
    assert main(["list"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert set(lines) == {"jaxnlif: warning: a checkpoint is damaged"}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("learning --num-v 600000", "--num-v x --num-w = 2.4e+08 cells: needs about 48 GB"),
        ("learning --num-w 9223372036854775807", "--num-v x --num-w = 2.76701e+21 cells: needs"),
        ("excitatory --num-v 8000000", "--num-v x --num-w = 1.6e+08 cells: needs about"),
        ("synchrony --neurons 1000000000", "--neurons = 1000000000, --t1 = 4.9, 1 runs: needs"),
        ("synchrony --t1 1e6", "--neurons = 20000, --t1 = 1e+06, 1 runs: needs about"),
        ("spiketimes --trials 1000000000", "--trials = 1000000000: needs about"),
        ("yinyang --hidden 90000 90000", "--hidden = 90000 90000, --seeds = 1: needs about"),
        ("yinyang --seeds 100000000", "--hidden = 30, --seeds = 100000000: needs about"),
        ("learning --num-v " + "9" * 30, "must be an integer of at most 64 bits"),
    ],
)
def test_sizes_beyond_memory_are_refused(command, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_memory, "_installed", lambda: 16e9)
    assert main(["run", *command.split(), "--out", str(tmp_path / "out")]) == 2
    assert message in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


def test_memory_is_found():
    assert 1e8 < _memory._installed() < 1e15


def test_home_is_put_in_full_and_overwriting_is_announced(tmp_path, capsys, monkeypatch):
    def fail(_):
        raise jn.SolveError("stopped here")
        yield

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(learning, "phases", fail)
    assert run("--out=~/out") == 1
    assert f'out = "{tmp_path}/out"' in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (tmp_path / "out" / "learning.npz").write_bytes(b"")
    assert run("--out=~/out") == 1
    note = f"note: overwrites config.toml, learning.npz in {tmp_path}/out\n"
    assert capsys.readouterr().err == note + "jaxnlif: error: stopped here\n"
    assert run("--config=~/none.toml") == 2
    assert "none.toml: must be a readable file" in complaint(capsys)
