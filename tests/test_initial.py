"""Initial densities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


def make_grid():
    return jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60), w=jn.WeightGrid(0.0, 1.0, num=20)
    )


def make_line():
    return jn.Grid(v=make_grid().v)


def moments(density):
    p = np.asarray(density, float).sum(axis=1) * make_grid().cell_area
    mean = (p * make_grid().v.nodes).sum()
    return mean, (p * (make_grid().v.nodes - mean) ** 2).sum()


def test_gaussian_has_mass_mean_and_variance(dtype):
    density = jn.gaussian(make_grid(), v=(-1.0, 0.25), w=(0.4, 0.01))
    assert density.dtype == dtype
    assert float(make_grid().mass(density)) == pytest.approx(1, rel=50 * float(np.finfo(dtype).eps))
    # The nodes sample a Gaussian of width 5 h; its tails end on the grid.
    np.testing.assert_allclose(moments(density), [-1.0, 0.25], rtol=1e-3)


@pytest.mark.parametrize("variance", [1e-30, 1e-6, 1e6])
def test_however_narrow_or_wide_the_mass_is_one(variance, dtype):
    density = jn.gaussian(make_line(), v=(0.05, variance))
    assert np.all(np.isfinite(density))
    assert float(make_line().mass(density)) == pytest.approx(1, rel=50 * float(np.finfo(dtype).eps))


def test_gaussian_is_differentiable():
    def mean(m):
        density = jn.gaussian(make_line(), v=(m, 0.25))
        return jnp.sum(density[:, 0] * make_line().v.nodes) * make_line().cell_area

    np.testing.assert_allclose(jax.grad(mean)(-1.0), 1.0, rtol=1e-4)


def test_normalise_scales_to_mass_one(dtype):
    density = jn.normalise(make_grid(), np.arange(1200).reshape(60, 20))
    assert density.dtype == dtype
    assert float(make_grid().mass(density)) == pytest.approx(1, rel=50 * float(np.finfo(dtype).eps))
    ratio = np.asarray(density)[1:, 1:] / np.arange(1200).reshape(60, 20)[1:, 1:]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)


def test_samples_fall_into_their_cells():
    line = jn.Grid(v=jn.VoltageGrid(0.0, 1.0, reset=0.5, num=4), w=jn.WeightGrid(0.0, 1.0, num=2))
    density = jn.from_samples(line, v=[0.0, 0.26, 0.3, 1.0], w=[0.0, 0.2, 0.9, 1.0])
    expected = np.zeros((4, 2))
    expected[0, 0] = expected[1, 0] = expected[1, 1] = expected[3, 1] = 0.25 / (0.25 * 0.5)
    np.testing.assert_allclose(density, expected)


def test_many_samples_come_close_to_their_distribution():
    samples = np.random.default_rng(0).normal(-1, 0.5, 20_000)
    density = jn.from_samples(make_line(), v=samples)
    exact = jn.gaussian(make_line(), v=(-1.0, 0.25))
    # 20 000 draws: the largest relative deviation of a bin of 4 % is near 3/√800.
    assert float(jnp.max(jnp.abs(density - exact))) < 0.12 * float(jnp.max(exact))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: jn.gaussian(make_grid(), v=(5.0, 1.0), w=(0.3, 0.1)),
            r"v mean = 5.0: must lie on the",
        ),
        (
            lambda: jn.gaussian(make_grid(), v=(0.0, 1.0), w=(-0.3, 0.1)),
            r"w mean = -0.3: must lie on the",
        ),
        (
            lambda: jn.gaussian(make_grid(), v=(0.0, 0.0), w=(0.3, 0.1)),
            r"v variance = 0: must be posi",
        ),
        (
            lambda: jn.gaussian(make_grid(), v=(0.0, 1.0), w=(0.3, -0.1)),
            r"w variance = -0.1: must be po",
        ),
        (
            lambda: jn.gaussian(make_grid(), v=(float("nan"), 1.0), w=(0.3, 0.1)),
            r"v mean = nan: must be",
        ),
        (lambda: jn.gaussian(make_grid(), v=(0.0, 1.0)), r"w: must be given for a structured"),
        (lambda: jn.gaussian(make_line(), v=(0.0, 1.0), w=(0.3, 0.1)), r"w: must not be given"),
        (lambda: jn.normalise(make_grid(), np.zeros((60, 20))), r"values: have the mass 0, which"),
        (
            lambda: jn.normalise(make_grid(), -np.ones((60, 20))),
            r"= -1 at \[0, 0\]: must not be negative",
        ),
        (lambda: jn.normalise(make_grid(), np.ones(60)), r"shape \(60,\): must be \(60, 20\)"),
        (
            lambda: jn.normalise(make_grid(), np.full((60, 20), np.nan)),
            r"= nan at \[0, 0\]: must be fin",
        ),
        (lambda: jn.from_samples(make_grid(), v=[0.0], w=[2.0]), r"w = 2: must lie on the grid"),
        (lambda: jn.from_samples(make_grid(), v=[3.0], w=[0.2]), r"v = 3: must lie on the grid"),
        (lambda: jn.from_samples(make_grid(), v=[0.0, 1.0], w=[0.2]), r"w: 1 samples, but v has 2"),
        (lambda: jn.from_samples(make_line(), v=np.zeros(0)), r"v: samples must be a non-empty"),
        (
            lambda: jn.from_samples(make_line(), v=[0.0, float("nan")]),
            r"v = nan at \[1\]: must be finite",
        ),
    ],
)
def test_wrong_initial_densities_are_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
