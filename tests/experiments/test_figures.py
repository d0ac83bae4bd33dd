"""Figures as files: formats, names, and that each file is whole."""

import argparse

import numpy as np
import pytest

from jaxnlif import experiments, plot
from jaxnlif.cli import main
from jaxnlif.experiments import _classifier_run
from jaxnlif.experiments._figures import write_figures

BEGINS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


def test_each_format_is_what_it_says(tmp_path):
    figure, ax = plot.figure(size=plot.COLUMN)
    plot.training(np.ones(3), ax)
    said = write_figures(tmp_path, "one.two", figure, ["svg", "png", "pdf", "svg"])
    assert said == " and ".join(str(tmp_path / f"one.two.{x}") for x in ("svg", "png", "pdf"))
    assert {path.name for path in tmp_path.iterdir()} == {f"one.two.{x}" for x in BEGINS}
    for suffix, begin in BEGINS.items():
        assert (tmp_path / f"one.two.{suffix}").read_bytes().startswith(begin)


@pytest.mark.parametrize("name", experiments.REGISTRY)
def test_every_experiment_has_the_option(name, capsys):
    parser = argparse.ArgumentParser()
    experiments.load(name).add_arguments(parser)
    assert parser.parse_args([]).format == ["png"]
    assert parser.parse_args(["--format", "pdf", "svg"]).format == ["pdf", "svg"]
    assert main(["run", name, "--format", "jpeg"]) == 2
    assert "--format = 'jpeg': must be one of png, pdf, svg" in capsys.readouterr().err


@pytest.mark.parametrize(("seeds", "line"), [(1, "0.5000"), (2, "0.5000 +- 0.0000")])
def test_one_network_has_no_spread(seeds, line):
    history = {name: np.array([0.5]) for name in _classifier_run.Measures._fields}
    trainings = [_classifier_run.Training(None, history)] * seeds
    first, *rest = _classifier_run.summary(_classifier_run.Setting(), trainings)
    assert first.startswith(f"{seeds} network{'s' if seeds > 1 else ''}, ")
    assert all(one.split(maxsplit=1)[1] == line for one in rest)
