"""The comparison with Brian2, where it is installed."""

import sys

import compare_brian
import numpy as np
import pytest

NETWORKS, NUM = 4, 500


@pytest.fixture(scope="module")
def density():
    return np.asarray(compare_brian.density())


def deviation(rates, density):
    """Of the mean rate, and its standard error, both over those of the density."""
    means = rates.mean(1) / density.mean()
    return means.mean() - 1, means.std(ddof=1) / np.sqrt(len(means))


def test_particles_agree_with_the_density(density):
    rates = np.asarray(compare_brian.particles(NETWORKS, NUM))
    off, error = deviation(rates, density)
    assert abs(off) < 4 * error < 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_brian_agrees_with_the_density_but_for_its_steps(density):
    pytest.importorskip("brian2", reason="Brian2 is part of the extra bench, and not installed")
    long, short = (
        compare_brian.brian(NETWORKS, NUM, dt)
        for dt in (compare_brian.LONG_STEP, compare_brian.SHORT_STEP)
    )
    missed, error = deviation(short, density)
    assert -0.1 < missed < -3 * error
    off, error = deviation(compare_brian.without_step(long, short), density)
    assert abs(off) < 4 * error < 0.15


def test_rates_without_a_step_are_found():
    step = np.array([compare_brian.LONG_STEP, compare_brian.SHORT_STEP])
    long, short = 3 - 0.7 * np.sqrt(step)
    np.testing.assert_allclose(compare_brian.without_step(long, short), 3)


def test_without_brian_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "brian2", None)
    monkeypatch.setattr(sys, "argv", ["compare_brian.py"])
    assert compare_brian.main() == 2
    assert 'pip install ".[bench]"' in capsys.readouterr().err


def test_the_figure_is_drawn(tmp_path):
    expected = np.linspace(1, 2, 50)
    rates = expected + np.random.default_rng(0).normal(size=(3, 50))
    names = ("particles", "Brian2, 0.08 ms", "Brian2, 0.02 ms", "Brian2, no step")
    compare_brian.draw(dict.fromkeys(names, rates), expected, str(tmp_path / "figure.png"))
    assert (tmp_path / "figure.png").stat().st_size > 10_000
