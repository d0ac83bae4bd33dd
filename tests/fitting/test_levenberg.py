"""`fit` by Levenberg–Marquardt, against closed forms, SciPy, and what it must survive."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

import jaxnlif as jn
from jaxnlif.spikes import QIF, InputSpikes, Recurrent

from .._progress import Counter, Recording
from .test_checkpoint import assert_identical
from .test_fit import both, only_x, residuals, same, valley

LM = jn.LevenbergMarquardt()


def everything(model):
    return model


def test_linear_residuals_take_one_step(dtype):
    rng = np.random.default_rng(0)
    design, data = rng.normal(size=(20, 3)).astype(dtype), rng.normal(size=20).astype(dtype)
    fitted = jn.fit(
        jnp.zeros(3, dtype),
        lambda x: design @ x,
        lambda y: y - data,
        where=everything,
        optimiser=jn.LevenbergMarquardt(damping=1e-9),
        steps=1,
    )
    expected = np.linalg.lstsq(design.astype(float), data.astype(float), rcond=None)[0]
    np.testing.assert_allclose(fitted.values, expected, atol=1e-8 if dtype == np.float64 else 1e-6)
    assert fitted.values.dtype == dtype


def test_more_parameters_than_residuals():
    """By reverse mode; the shortest of all changes that lead to the minimum."""
    design = np.random.default_rng(1).normal(size=(2, 9))
    fitted = jn.fit(
        jnp.zeros(9), lambda x: design @ x, lambda y: y - 1, where=everything, optimiser=LM
    )
    np.testing.assert_allclose(fitted.values, np.linalg.pinv(design) @ np.ones(2), rtol=1e-4)


def test_the_bottom_of_the_valley(dtype):
    fitted = jn.fit(valley(), residuals, same, where=both, optimiser=LM, tolerance=1e-12)
    rtol = 1e-9 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(fitted.values, (1.0, 1.0), rtol=rtol)
    assert fitted.completed[0]
    assert len(fitted.loss) < 40


def test_several_starts_end_together():
    starts = (jnp.array([0.5, -1.0, 2.0]), jnp.array([0.5, 1.0, 0.0]))
    arguments = {"where": both, "optimiser": LM, "tolerance": 1e-12}
    fitted = jn.fit(valley(), residuals, same, starts=starts, **arguments)
    np.testing.assert_allclose(fitted.ends[0], 1.0, rtol=1e-3)
    alone = jn.fit(valley(0.5, 0.5), residuals, same, **arguments)
    np.testing.assert_allclose(fitted.losses[0][:5], alone.loss[:5], rtol=1e-4)


def test_an_exponential_and_its_errors_are_those_of_scipy(dtype):
    rng = np.random.default_rng(2)
    ts = np.linspace(0, 3, 30)
    data = 2 * np.exp(-1.3 * ts) + 0.5 + 0.01 * rng.normal(size=ts.size)

    def curve(x, xp):
        return x[0] * xp.exp(-x[1] * ts) + x[2] - data

    found = least_squares(curve, (1.0, 1.0, 0.0), args=(np,), xtol=1e-14, ftol=1e-14)
    fitted = jn.fit(
        [jnp.asarray(x, dtype) for x in (1.0, 1.0, 0.0)],
        lambda x: curve(x, jnp),
        lambda r: r.astype(dtype),
        where=everything,
        bounds=[jn.Positive(), jn.Between(0.1, 10.0), jn.Free()],
        optimiser=LM,
        tolerance=1e-10,
    )
    rtol = 1e-7 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(fitted.values, found.x, rtol=rtol)
    covariance = np.linalg.inv(found.jac.T @ found.jac) * 2 * found.cost / (ts.size - 3)
    np.testing.assert_allclose(fitted.uncertainty.std, np.sqrt(np.diag(covariance)), rtol=1e-2)
    assert fitted.at_bound == ()


def test_a_region_without_a_loss_is_kept_away_from():
    def fails_beyond(model):
        return jnp.stack([jnp.where(model.x < 0.7, 1, jnp.nan) * (model.x - 1.0)])

    fitted = jn.fit(valley(0.0), fails_beyond, same, where=only_x, optimiser=LM)
    assert 0.6 < float(fitted.values) < 0.7
    assert fitted.result == jn.FitResult.no_way_on
    assert np.any(np.isinf(fitted.loss))
    assert not np.any(np.isnan(fitted.loss))


def test_a_minimum_beside_a_region_without_a_loss():
    def fails_beyond(model):
        return jnp.stack([jnp.where(model.x < 1.05, 1, jnp.nan) * (model.x - 1.0) ** 3, model.x])

    fitted = jn.fit(valley(-3.0), fails_beyond, same, where=only_x, optimiser=LM)
    best = jn.fit(valley(-3.0), fails_beyond, same, where=only_x)
    assert float(fitted.values) == pytest.approx(float(best.values), abs=1e-2)
    assert fitted.completed[0]


def test_a_start_without_a_loss():
    fitted = jn.fit(valley(), lambda m: jnp.stack([jnp.log(m.x)]), same, where=only_x, optimiser=LM)
    assert fitted.result == jn.FitResult.start_failed


def test_an_interrupted_fit_ends_with_the_same_numbers(tmp_path):
    def fitted(directory, stop=np.inf, optimiser=LM):
        return jn.fit(
            valley(),
            residuals,
            same,
            where=both,
            optimiser=optimiser,
            starts=3,
            key=jax.random.key(0),
            steps=12,
            uncertainty=False,
            progress=Recording(Counter(limit=stop)),
            checkpoint=None if directory is None else jn.Checkpoint(directory, every=0),
        )

    assert fitted(tmp_path, stop=7).result == jn.FitResult.interrupted
    with pytest.raises(ValueError, match=r"holds another fit: optimiser.damping = 0.001, here 0.1"):
        fitted(tmp_path, optimiser=jn.LevenbergMarquardt(damping=0.1))
    assert_identical(fitted(tmp_path), fitted(None))


def test_spike_times_have_reverse_mode_alone():
    """Times of two neurons that excite each other, of which the weights are found again."""
    inputs = InputSpikes(jnp.array([0.2, 0.7, 1.5]), jnp.array([0, 1, 0]))

    def times(weights):
        between = jnp.zeros((2, 2)).at[0, 1].set(weights[0]).at[1, 0].set(weights[1])
        net = Recurrent(QIF(), between, 6 * jnp.eye(2), max_spikes=3, max_events=40)
        return net(inputs, duration=4.0)

    wanted = times(jnp.array([1.0, -0.5]))
    fitted = jn.fit(
        jnp.zeros(2),
        times,
        lambda found: 10 * (found - wanted),
        where=everything,
        optimiser=LM,
        tolerance=1e-12,
        uncertainty=False,
    )
    tolerance = 1e-9 if fitted.values.dtype == np.float64 else 1e-3
    np.testing.assert_allclose(fitted.values, [1.0, -0.5], rtol=tolerance)


@pytest.mark.parametrize("damping", [0.0, -1.0, np.nan])
def test_wrong_damping(damping):
    with pytest.raises(ValueError, match="damping = "):
        jn.LevenbergMarquardt(damping)


def test_a_loss_of_one_number_is_refused():
    message = r"loss: returns one number, .*for optimiser = LevenbergMarquardt\(damping=0.001\)"
    with pytest.raises(ValueError, match=message):
        jn.fit(valley(), residuals, lambda r: jnp.sum(r**2), where=both, optimiser=LM)
