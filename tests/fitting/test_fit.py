"""`fit`: descents on functions that cost nothing, then on a network."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnlif as jn
from jaxnlif.fitting import descents
from jaxnlif.integrate.progress import AbstractProgress


class Valley(eqx.Module):
    """Rosenbrock's valley, as a model with two leaves and one that stays."""

    x: jax.Array
    y: jax.Array
    other: jax.Array


def valley(x=-1.2, y=1.0):
    # No weak types: descents give them up, so that an iteration would be compiled twice.
    return Valley(*(jnp.asarray(value, float) for value in (x, y, 10.0)))


def residuals(model):
    return jnp.stack([model.other * (model.y - model.x**2), 1 - model.x])


def both(model):
    return model.x, model.y


def only_x(model):
    return model.x


def same(output):
    return output


ADAM = optax.adam(0.1)


def test_the_bottom_of_the_valley(dtype):
    fitted = jn.fit(valley(), residuals, lambda r: 100 * r, where=both, absolute=True)
    # The valley is so flat that in float32 its gradient vanishes before the bottom.
    rtol = 1e-3 if dtype == np.float64 else 1e-2
    np.testing.assert_allclose(fitted.values, (1.0, 1.0), rtol=rtol)
    assert fitted.result in (jn.FitResult.gradient_vanished, jn.FitResult.converged)
    assert fitted.names == ("x", "y")
    assert float(fitted.model.other) == 10
    assert np.all(np.diff(np.minimum.accumulate(fitted.loss)) <= 0)
    # The covariance of (x, y) at (1, 1): (JᵀJ)⁻¹ with J = [[-20, 10], [-1, 0]].
    expected = np.linalg.inv(np.array([[401.0, -200.0], [-200.0, 100.0]]))
    np.testing.assert_allclose(1e4 * fitted.uncertainty.covariance, expected, rtol=2e-2)


def test_any_optimiser_and_one_number_as_loss():
    fitted = jn.fit(
        valley(0.5, 0.3),
        residuals,
        lambda r: jnp.sum(r**2),
        where=lambda model: model.y,
        optimiser=optax.adam(0.02),
        steps=300,
    )
    assert float(fitted.values) == pytest.approx(0.25, abs=1e-3)
    assert fitted.uncertainty is None


def test_bounds_hold_and_are_told():
    fitted = jn.fit(
        valley(0.5, 0.6), residuals, same, where=both, bounds=(jn.Free(), jn.Between(0.5, 0.9))
    )
    assert 0.5 < float(fitted.values[1]) <= 0.9
    assert fitted.at_bound == ("y",)
    assert fitted.message.endswith("at a bound: y")


@pytest.mark.parametrize(
    ("bounds", "optimum"), [(jn.Between(0.0, 1000.0), 0.5), (jn.Positive(), 5e-7)]
)
def test_an_optimum_near_a_bound_is_not_at_it(bounds, optimum):
    fitted = jn.fit(
        valley(2 * optimum),
        same,
        lambda m: jnp.stack([m.x / optimum - 1, m.x / optimum - 0.98, m.x / optimum - 1.02]),
        where=lambda m: m.x,
        bounds=bounds,
    )
    assert float(fitted.values) == pytest.approx(optimum, rel=1e-3)
    assert fitted.at_bound == ()


def test_several_starts_end_together():
    starts = (jnp.array([0.5, -1.0, 2.0]), jnp.array([0.5, 1.0, 0.0]))
    fitted = jn.fit(valley(), residuals, same, where=both, starts=starts)
    assert fitted.ends[0].shape == (3,)
    np.testing.assert_allclose(fitted.ends[0], 1.0, rtol=2e-3)
    assert fitted.losses.shape[0] == 3
    assert list(fitted.completed) == [True] * 3
    alone = jn.fit(valley(0.5, 0.5), residuals, same, where=both)
    np.testing.assert_allclose(fitted.losses[0][:5], alone.loss[:5], rtol=1e-4)


def test_drawn_starts_keep_the_model_as_the_first():
    fitted = jn.fit(valley(), residuals, same, where=both, starts=4, key=jax.random.key(0), steps=1)
    own = jn.fit(valley(), residuals, same, where=both, steps=1)
    assert len(own.loss) == 2
    assert fitted.losses[0][0] == pytest.approx(own.loss[0], rel=1e-5)
    assert len(set(fitted.losses[:, 0])) == 4


def test_a_region_without_a_loss_is_kept_away_from():
    def fails_beyond(model):
        return jnp.stack([jnp.where(model.x < 0.7, 1, jnp.nan) * (model.x - 1.0)])

    fitted = jn.fit(valley(0.0), fails_beyond, same, where=lambda m: m.x)
    assert 0.5 < float(fitted.values) < 0.7
    assert np.isfinite(fitted.loss[fitted.loss < np.inf]).all()
    assert not np.any(np.isnan(fitted.loss))
    assert fitted.result == jn.FitResult.no_way_on
    assert not fitted.completed[0]


def test_a_minimum_beside_a_region_without_a_loss():
    def fails_beyond(model):
        return jnp.stack([jnp.where(model.x < 1.05, 1, jnp.nan) * (model.x - 1.0), 0.5 + model.x])

    fitted = jn.fit(valley(-3.0), fails_beyond, same, where=lambda m: m.x)
    assert float(fitted.values) == pytest.approx(0.25, abs=1e-3)
    assert fitted.completed[0]


def test_as_many_residuals_as_parameters_tell_no_standard_errors():
    fitted = jn.fit(valley(0.8, 0.8), residuals, same, where=both)
    assert np.all(np.isinf(fitted.uncertainty.std))
    assert "no standard errors: no more residuals than parameters" in fitted.message


class Bowl(eqx.Module):
    """A parabola, so far above or below zero."""

    offset: jax.Array

    def __call__(self, model):
        return (model.x - 1) ** 2 + self.offset


@pytest.mark.parametrize("offset", [-5.0, 0.5, 5.0])
def test_patience_does_not_depend_on_the_sign_of_the_loss(offset):
    fitted = jn.fit(
        valley(0.0),
        same,
        Bowl(jnp.asarray(offset, float)),
        where=only_x,
        optimiser=ADAM,
        steps=400,
        patience=10,
        tolerance=1e-30,
    )
    assert fitted.result == jn.FitResult.converged
    assert float(fitted.values) == pytest.approx(1.0, abs=0.1)


def test_steps_that_are_much_too_long():
    def steep(model):
        return jnp.stack([model.x + 1, model.x**3])

    fitted = jn.fit(
        valley(0.5), steep, same, where=lambda m: m.x, optimiser=optax.sgd(1e6), steps=300
    )
    best = jn.fit(valley(0.5), steep, same, where=lambda m: m.x)
    assert float(fitted.values) == pytest.approx(float(best.values), abs=0.01)
    assert not np.any(np.isnan(fitted.loss))


def test_an_optimiser_that_collects_several_gradients():
    several = optax.MultiSteps(optax.adam(0.05), 2)
    fitted = jn.fit(
        valley(0.5, 0.3), residuals, same, where=lambda m: m.y, optimiser=several, steps=300
    )
    assert float(fitted.values) == pytest.approx(0.25, abs=1e-3)


def test_a_python_number_is_a_loss():
    fitted = jn.fit(valley(), same, lambda m: 1.0, where=both, steps=1)
    assert fitted.loss[0] == 1


def test_a_start_without_a_loss():
    fitted = jn.fit(valley(), lambda m: jnp.stack([jnp.log(m.x)]), same, where=lambda m: m.x)
    assert fitted.result == jn.FitResult.start_failed
    assert float(fitted.values) == pytest.approx(-1.2)
    assert fitted.uncertainty is None
    assert "start" in fitted.message


def test_a_table_is_named_number_by_number():
    model = jn.Network(weight=0.1, drive=jn.Tabulated([1.0, 2.0], t=[0.0, 1.0]))
    fitted = jn.fit(
        model,
        lambda m: m.drive.values - jnp.array([3.0, 4.0]),
        same,
        where=lambda m: m.drive.values,
    )
    assert fitted.names == ("drive.values[0]", "drive.values[1]")
    np.testing.assert_allclose(fitted.values, [3.0, 4.0], rtol=1e-4)


class Interrupting(AbstractProgress):
    """A bar that is stopped at the fifth turn."""

    def start(self, total):
        class Bar:
            count = 0

            def update(self, steps):
                self.count += 1
                if self.count == 5:
                    raise KeyboardInterrupt

            def close(self):
                pass

        return Bar()


def test_an_interrupt_returns_the_best_so_far():
    fitted = jn.fit(valley(), residuals, same, where=both, progress=Interrupting())
    assert fitted.result == jn.FitResult.interrupted
    assert len(fitted.loss) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"where": "x"}, "where = 'x': must be a function"),
        ({"where": lambda m: ()}, "where: picks no leaf"),
        ({"bounds": jn.Positive()}, r"x = -1.2: must lie strictly inside Positive\(\)"),
        ({"bounds": (jn.Free(),)}, "bounds = .*as many of them"),
        ({"optimiser": 0.1}, "optimiser = 0.1: must be an optax optimiser"),
        ({"steps": 0}, "steps = 0: must be at least 1"),
        ({"starts": 3}, "key: needed"),
        ({"starts": (jnp.zeros(2), jnp.zeros(3))}, "starts: shapes"),
        ({"starts": 2.0}, r"starts: shapes \[\(\)\] must be .*or starts an integer"),
        ({"starts": (0.1, 0.2)}, r"starts: shapes \[\(\), \(\)\] must be"),
        ({"starts": (jnp.zeros(0), jnp.zeros(0))}, "starts: shapes .*not empty"),
        ({"starts": "x"}, "starts = 'x': must be a number"),
        ({"where": lambda m: (m.x, m.x)}, "where: picks x more than once; must pick whole leaves"),
        ({"where": lambda m: m.z}, "where: .*no attribute 'z'; must pick whole leaves"),
        ({"where": lambda m: m.x[1:]}, "where: .*must pick whole leaves"),
        ({"where": lambda m: m.x * 2}, "where: .*must pick whole leaves"),
        ({"progress": "bar"}, "progress = 'bar': must be one such as ProgressBar"),
        ({"loss": lambda m: ()}, r"loss: returns \(\); must return residuals or one number"),
        ({"loss": lambda m: None}, "loss: returns None; must return"),
        ({"loss": lambda m: jnp.asarray(1)}, r"loss: returns int\d\d\[\]; must return"),
        ({"loss": lambda m: m[:0]}, r"loss: returns float\d\d\[0\]; must return"),
        ({"spread": 0.0}, "spread = 0: must be positive"),
        ({"tolerance": -1.0}, "tolerance = -1: must be positive"),
        ({"absolute": "no"}, "absolute = 'no': must be True or False"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        jn.fit(valley(), residuals, **({"loss": same, "where": both} | arguments))


@pytest.mark.parametrize("transformed", [jax.jit, jax.grad, jax.vmap])
def test_a_fit_runs_on_the_host(transformed):
    def fitted(x):
        return jn.fit(valley(), lambda m: residuals(m) * x, same, where=both).loss[-1]

    with pytest.raises(ValueError, match="a fit runs on the host, not under jit, grad or vmap"):
        transformed(fitted)(jnp.ones(2) if transformed is jax.vmap else 1.0)


def test_a_part_of_a_leaf_cannot_be_fitted():
    model = jn.Network(weight=0.1, drive=jn.Tabulated([1.0, 2.0], t=[0.0, 1.0]))
    with pytest.raises(ValueError, match=r"where: .*must pick whole leaves of the model"):
        jn.fit(model, same, lambda m: m.drive.values, where=lambda m: m.drive.values[1:])


def test_leaves_that_cannot_be_fitted():
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))
    with pytest.raises(ValueError, match="which is no array of floating-point numbers"):
        jn.fit(jn.FluxShift(grid, neurons=10), same, same, where=lambda solver: solver.neurons)


# ---- a network; more in tests/experiments/test_fit.py -----------------------------------------

LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))
SOLVER = jn.FluxShift(LINE)
Y0 = jn.gaussian(LINE, v=(-1.0, 0.5))


def simulate(model):
    saveat = jn.SaveAt(num=21, fn=None)
    return jn.solve(model, SOLVER, y0=Y0, t1=2.0, dt=0.05, saveat=saveat, throw=False)


def test_data_are_held_against_the_run():
    late = jn.losses.Rate([0.0, 3.0], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"ts = 0 … 3: must lie within the saved times of the run"):
        jn.fit(jn.Network(weight=0.1), simulate, late, where=lambda model: model.weight)


def test_descents_in_parts_are_those_of_one_batch(monkeypatch):
    """Each part in a thread of its own, with the precision of whoever calls."""
    ends = []
    for parts in (1, 4):
        monkeypatch.setattr(descents, "_parts", lambda _, parts=parts: parts)
        with jax.enable_x64(False):
            fitted = jn.fit(
                valley(),
                residuals,
                same,
                where=both,
                starts=12,
                key=jax.random.key(1),
                steps=40,
                uncertainty=False,
            )
        ends.append(fitted.ends)
        assert fitted.ends[0].dtype == np.float32
    np.testing.assert_allclose(*ends, rtol=1e-3, atol=1e-4)


def test_parts_are_equal(monkeypatch):
    monkeypatch.setattr(descents, "_cores", lambda: 6)
    assert [descents._parts(num) for num in (1, 15, 16, 34, 51, 64)] == [1, 1, 2, 2, 3, 4]
