"""Options in files: the same as on the command line, and wrong ones in one line."""

import argparse
import tomllib

import numpy as np
import pytest

from jaxnlif import experiments
from jaxnlif.cli import main
from jaxnlif.experiments import _learning_figure, configuration, learning, spiketimes
from jaxnlif.store import files

from ..test_cli import PRECISION, complaint, run


def written(tmp_path, text):
    path = tmp_path / "my.toml"
    path.write_text(text)
    return path


def test_the_file_that_a_run_leaves_gives_the_same_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_learning_figure, "draw", lambda *_: None)
    monkeypatch.setattr(learning, "write_figures", lambda *_: "no figure")
    one, other = tmp_path / "one", tmp_path / "other"
    assert run("--out", one, "--no-progress", "--gain", 0.123456789, "--coupling", "implicit") == 0
    printed = capsys.readouterr().out
    effective = (one / "config.toml").read_text()
    assert printed.startswith(effective)
    options = tomllib.loads(effective)
    assert (options["experiment"], options["gain"], options["num_v"]) == (
        "learning",
        0.123456789,
        30,
    )
    assert options["progress"] is False
    assert main(["run", "--config", str(one / "config.toml"), "--out", str(other)]) == 0
    assert (other / "config.toml").read_text() == effective.replace(str(one), str(other))
    first, second = (files.read_arrays(x / "learning.npz")[0] for x in (one, other))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_the_command_line_overrides_the_file(tmp_path, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(learning, "run", seen.append)
    path = written(
        tmp_path,
        f'num-v = 60\nt1 = 2\ngain = 1e-7\nprogress = false\nprecision = "{PRECISION[1]}"\n',
    )
    assert main(["run", "learning", "--config", str(path), "--t1", "3", "--progress"]) == 0
    (options,) = seen
    assert (options.num_v, options.t1, options.gain) == (60, 3.0, 1e-7)
    assert (options.progress, options.precision) == (True, PRECISION[1])


def test_defaults_that_depend_on_others_are_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(spiketimes, "train", lambda *_, **__: pytest.fail("stopped here"))
    with pytest.raises(pytest.fail.Exception, match="stopped here"):
        main(["run", "spiketimes", "--task", "recurrent", "--out", str(tmp_path), *PRECISION])
    options = tomllib.loads((tmp_path / "config.toml").read_text())
    assert (options["trials"], options["seed"]) == (10_000, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t1 = 2", "names no experiment"),
        ('experiment = "lerning"', "experiment = 'lerning': unknown, the nearest is 'learning'"),
        ("experiment = [1]", "experiment = [1]: must be a text"),
    ],
)
def test_a_file_alone_must_name_an_experiment(text, message, tmp_path, capsys):
    assert main(["run", "--config", str(written(tmp_path, text))]) == 2
    assert message in complaint(capsys)


def parser():
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--pair", type=float, nargs=2)
    parser.add_argument("--names", nargs="+")
    parser.add_argument("--flag", action=argparse.BooleanOptionalAction)
    parser.add_argument("--text")
    return parser


def test_every_kind_of_option_comes_back(tmp_path):
    words = ["--pair", "-1.5", "0.5", "--names", "ä b", 'c"d', "--flag", "--text=-1 \\"]
    given = parser().parse_args(words)
    path = written(tmp_path, configuration.write("any", parser(), given))
    assert parser().parse_args(configuration.read(str(path), "any", parser())) == given
    small = argparse.Namespace(pair=[-1e-300, 1e300], names=None, flag=False, text=None)
    path = written(tmp_path, configuration.write("any", parser(), small))
    assert parser().parse_args(configuration.read(str(path), "any", parser())) == small


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gian = 0.2", "unknown key 'gian': the nearest is 'gain'"),
        ('gain = "x"', 'gain = "x": must be a number'),
        ("gain = true", "gain = true: must be a number"),
        ("gain = [1, 2]", r"gain = \[1, 2\]: must be a number"),
        ("[gain]", "must be a number"),
        ("num_v = 3.5", "num_v = 3.5: must be an integer"),
        ('tests = "x"', 'tests = "x": must be a list whose entries are each a text'),
        ("tests = [1]", r"tests = \[1\]: must be a list whose entries are each a text"),
        ("progress = 1", "progress = 1: must be true or false"),
        ("no_progress = true", "unknown key 'no_progress': the nearest is 'progress'"),
        ("num-v = 30\nnum_v = 36", "'num_v': is there twice, with - and with _"),
        ('coupling = "both"', "coupling = \"both\": --coupling = 'both': must be one of"),
        ("out = 1", "out = 1: must be a text"),
        ('experiment = "fit"', "experiment = 'fit': must be 'learning'"),
        ("gain =", "must be TOML"),
        ("gain = -1", "--gain = -1: must be positive"),
    ],
)
def test_wrong_files_are_refused_before_any_work(text, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(learning, "_setting", lambda *_: pytest.fail("work was begun"))
    path = written(tmp_path, text)
    assert main(["run", "learning", "--config", str(path), *PRECISION]) == 2
    said = complaint(capsys)
    assert message.replace("\\", "") in said
    assert [x.name for x in tmp_path.iterdir()] == ["my.toml"]


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["run", "learning", "--config", str(tmp_path / "no.toml")]) == 2
    assert "no.toml: must be a readable file" in complaint(capsys)


@pytest.mark.parametrize("name", experiments.REGISTRY)
def test_help_of_every_experiment_fits_one_screen(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["run", name, "--help"])
    text = capsys.readouterr().out
    # Recordings need more to be said: when they began, of what, in which units.
    assert len(text.splitlines()) <= (60 if name == "fit" else 48)
    assert "--config FILE" in text
