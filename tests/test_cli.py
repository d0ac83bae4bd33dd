import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif import experiments
from jaxnlif.cli import main
from jaxnlif.experiments import _trial, learning
from jaxnlif.experiments.signals import read_signal
from jaxnlif.integrate.progress import AbstractProgress
from jaxnlif.store import files

PRECISION = ["--precision", "float64"]
TINY = ["--num-v", "30", "--num-w", "20", "--t1", "0.5", "--dt", "0.01", *PRECISION]


def run(*options):
    return main(["run", "learning", *TINY, *map(str, options)])


def complaint(capsys) -> str:
    """What was said about wrong input: one line, and nothing else."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("jaxnlif: error: ")
    assert err.count("\n") == 1
    return err


def test_list_names_every_experiment(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(experiments.REGISTRY)
    assert max(map(len, lines)) <= 80


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"jaxnlif {jn.__version__}\n"


def test_help_fits_one_screen():
    command = [sys.executable, "-m", "jaxnlif", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) <= 24
    assert "jaxnlif run learning" in done.stdout


def test_a_run_writes_what_it_says(tmp_path, capsys):
    out = tmp_path / "deep" / "results"
    signal = tmp_path / "steps.csv"
    signal.write_text("w,value\n0,1\n0.6,3\n1.2,1\n")
    assert run("--out", out, "--signal", signal, "--tests", signal, "--no-progress") == 0
    printed, errors = capsys.readouterr()
    assert errors == ""
    for word in (
        "network rate",
        "learned support",
        "linearity",
        "mass drift",
        "steps",
        "raise --t1",
    ):
        assert word in printed
    assert sorted(path.name for path in out.iterdir()) == [
        "config.toml",
        "learning.npz",
        "learning.png",
    ]
    arrays, metadata = files.read_arrays(out / "learning.npz")
    assert metadata["precision"] == PRECISION[1]
    assert metadata["phases"] == ["learning", "learned input", "steps"]
    assert metadata["findings"]["tests"]["learned input"]["discrimination"] < 0.05
    np.testing.assert_allclose(arrays["phase0_signal"].max(), 3, atol=0.1)


def test_new_values_share_one_compilation(tmp_path, monkeypatch):
    """A second run, with other parameters and signals, compiles nothing; nor does a second test."""
    looks = []
    drive = jn.Tabulated.__call__

    def counted(self, t, w):
        looks.extend([1] * isinstance(w, jax.core.Tracer))  # a shape that is known is not traced
        return drive(self, t, w)

    signal = tmp_path / "signal.csv"
    signal.write_text("0,2\n1.2,1\n")
    options = ("--out", tmp_path, "--no-progress", "--tests", signal)
    assert run(*options) == 0
    monkeypatch.setattr(jn.Tabulated, "__call__", counted)
    assert run(*options, "--signal", signal, "--gain", 0.2, "--epsilon", 0.002) == 0
    assert not looks


WRONG_OPTIONS = {
    "--t1": ("0", "--t1 = 0: must be positive"),
    "--dt": ("nan", "--dt = nan: must be finite"),
    "--gain": ("-1", "--gain = -1: must be positive"),
    "--epsilon": ("-1", "--epsilon = -1: must not be negative"),
    "--w-max": ("inf", "--w-max = inf: must be finite"),
    "--num-w": ("0", "--num-w = 0: must be at least 2"),
    "--num-v": ("31", "--num-v = 31: must be a multiple of 6"),
    "--noise": ("-1e-1", "--noise = -0.1: must be positive"),
    "--coupling": ("both", "--coupling = 'both': must be one of lagged, implicit"),
    "--precision": ("float16", "--precision = 'float16': must be one of float64, float32"),
    "--signal": ("missing.csv", "missing.csv: must be a readable file"),
    "--tests": ("missing.csv", "missing.csv: must be a readable file"),
}


@pytest.mark.parametrize("option", WRONG_OPTIONS)
def test_wrong_options_are_refused_before_any_work(option, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learning, "_setting", lambda *_: pytest.fail("work was begun"))
    value, message = WRONG_OPTIONS[option]
    out = tmp_path / "out"
    assert run("--out", out, option, value) == 2
    assert message in complaint(capsys)
    assert not out.exists()


@pytest.mark.parametrize("text", ["", "w,value\n", "0,a\n1,2\n", "0,nan\n1,2\n", "1,2\n0,1\n"])
@pytest.mark.parametrize("option", ["--signal", "--tests"])
def test_wrong_signals_are_refused(option, text, tmp_path, capsys):
    signal, out = tmp_path / "signal.csv", tmp_path / "out"
    signal.write_text(text)
    assert run("--out", out, option, signal) == 2
    assert str(signal) in complaint(capsys)
    assert not out.exists()


def test_a_signal_from_an_array_is_that_from_text(tmp_path):
    rows = np.array([[0.0, 1.0], [0.6, 3.25], [1.2, 1.0]])
    text, array = tmp_path / "signal.csv", tmp_path / "signal.npy"
    text.write_text("\n".join(f"{w},{value}" for w, value in rows))
    np.save(array, rows)
    grid = jn.WeightGrid(0.0, 1.2, num=20)
    one, other = (read_signal(path, grid) for path in (text, array))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.w, other.w)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "row 0: '0.0' has 1 columns; a row must have 2"),
        (np.array([["a", "b"]]), "must be an array of real numbers"),
        (np.array([[0.0, 1.0, 2.0]]), "row 0: '0.0,1.0,2.0' has 3 columns"),
        (np.array([[0.0, np.nan], [1.2, 1.0]]), "row 0: 'nan' must be finite"),
        (np.array([[object(), 1]]), "must be an array of real numbers"),
    ],
)
def test_wrong_arrays_are_refused(array, message, tmp_path, capsys):
    np.save(tmp_path / "signal.npy", array)
    assert run("--out", tmp_path / "out", "--signal", tmp_path / "signal.npy") == 2
    assert message in complaint(capsys)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    assert run("--out", tmp_path / "out", "--signal", tmp_path / "cut.npy") == 2
    assert "cut.npy: must be an array" in complaint(capsys)


@pytest.mark.parametrize("place", ["file", "file/below/it"])
def test_an_output_directory_that_cannot_be_is_refused(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learning, "phases", lambda *_: pytest.fail("work was begun"))
    (tmp_path / "file").write_text("in the way")
    assert run("--out", tmp_path / place) == 2
    assert "must be a directory that can be made and written" in complaint(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_directories_made_in_vain_are_removed(tmp_path, capsys, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert run("--out", tmp_path / "new" / "deep") == 2
    assert "(Permission denied)" in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: COMMAND (see jaxnlif --help)"),
        (["walk"], "COMMAND = 'walk': must be one of list, run"),
        (["list", "x"], "unknown option x (see jaxnlif --help)"),
        (["run"], "required: NAME (see jaxnlif run --help)"),
        (["run", "nothing"], "NAME = 'nothing': must be one of brunel"),
        (["run", "--t1", "3"], "--t1: must follow the NAME of an experiment"),
        (["run", "--config"], "argument --config: expected one argument"),
        (["run", "learning", "x"], "unknown option x (see jaxnlif run learning --help)"),
        (["run", "learning", "--gian=3"], "unknown option --gian: the nearest is --gain"),
    ],
)
def test_wrong_commands_are_refused(argv, message, capsys):
    assert main(argv) == 2
    said = complaint(capsys)
    assert message in said
    assert "--help" in said


class _CtrlC(AbstractProgress):
    """A progress bar at whose second look, in the phase `pressed_in`, Ctrl-C is pressed."""

    label: str
    pressed_in: str

    def start(self, total):
        return _Looks(2 if self.label == self.pressed_in else -1)


class _Looks:
    def __init__(self, last):
        self.left = last

    def update(self, steps):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def close(self):
        pass


@pytest.mark.parametrize("phase", ["learning", "learned input"])
def test_ctrl_c_leaves_what_was_saved(phase, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_trial, "ProgressBar", lambda label: _CtrlC(label, phase))
    assert run("--out", tmp_path, "--epsilon", 0.05) == 130
    errors = capsys.readouterr().err
    assert f"stopped in phase {phase!r}; saved so far: {tmp_path / 'learning.npz'}" in errors
    assert errors.endswith("jaxnlif: interrupted\n")
    arrays, metadata = files.read_arrays(tmp_path / "learning.npz")
    assert metadata["phases"][-1] == phase
    assert len(arrays["phase0_t"]) > 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "learning.npz"]


def test_ctrl_c_before_anything_was_saved(tmp_path, capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(learning, "phases", interrupt)
    assert run("--out", tmp_path) == 130
    assert capsys.readouterr().err == "jaxnlif: interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_failed_run_is_reported(tmp_path, capsys, monkeypatch):
    def fail(_):
        raise jn.SolveError("learning, t = 1: non-finite")
        yield

    monkeypatch.setattr(learning, "phases", fail)
    assert run("--out", tmp_path) == 1
    assert capsys.readouterr().err == "jaxnlif: error: learning, t = 1: non-finite\n"


def test_a_silent_network_is_reported_and_its_run_kept(tmp_path, capsys):
    signal, out = tmp_path / "silent.csv", tmp_path / "out"
    signal.write_text("0,-200\n1.2,-200\n")
    assert run("--out", out, "--signal", signal, "--no-progress", "--epsilon", 0) == 1
    assert "the network fell silent" in capsys.readouterr().err
    assert files.read_arrays(out / "learning.npz")[1]["phases"] == ["learning"]
