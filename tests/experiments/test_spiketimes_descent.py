"""Training whose steps a line search finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.experiments import _descent, _training, spiketimes_single
from jaxnlif.integrate.progress import NoProgress

SEARCHES = {"line-search": _descent.gradient, "lbfgs": _descent.lbfgs}


@pytest.mark.parametrize("name", SEARCHES)
def test_the_loss_never_grows_and_parameters_stay_in_range(name, dtype):
    """A narrow valley whose bottom is beyond the range: the minimum is on its edge."""
    method = SEARCHES[name]()

    def loss(x):
        return (x[0] - 2) ** 2 + 30 * (x[1] - x[0] ** 2) ** 2

    def clip(x):
        return jnp.clip(x, -1, 1)

    @jax.jit
    def step(x, memory):
        value, slope = jax.value_and_grad(loss)(x)
        x, memory = method.step(loss, clip, x, memory, value, slope)
        return x, memory, value

    x = jnp.asarray([-0.9, 0.2], dtype)
    memory, values = method.init(x), []
    for _ in range(60):
        x, memory, value = step(x, memory)
        assert x.dtype == dtype
        assert np.all(np.abs(x) <= 1)
        values.append(float(value))
    assert np.all(np.diff(values) <= 0)
    np.testing.assert_allclose(x, [1, 1], atol=1e-3)
    np.testing.assert_allclose(values[-1], 1, rtol=1e-3)


def test_steps_that_make_nothing_better_are_not_made():
    """Where the slope is wrong, or the loss is no number beyond."""
    method = _descent.lbfgs()
    x = jnp.asarray([0.5])
    wrong = (lambda x: jnp.sum(x**2), lambda x: jnp.where(x[0] == 0.5, 1.0, jnp.nan))
    for loss in wrong:
        value = loss(x)
        moved, _ = method.step(loss, lambda x: x, x, method.init(x), value, jnp.asarray([-1.0]))
        np.testing.assert_array_equal(moved, x)


@pytest.mark.parametrize(
    ("name", "trials", "reached"), [("line-search", 40, 5), ("lbfgs", 80, 1e-20)]
)
def test_a_neuron_learns_spike_times_by_a_line_search(name, trials, reached, tmp_path):
    task = spiketimes_single.task(14)
    training = spiketimes_single.training(task, 14, 60, name)
    options = {"checkpoint": tmp_path, "resume": False, "progress": NoProgress()}
    _, history = _training.train(training, trials, **options)
    loss = history["loss"]
    assert loss[-1] < reached < loss[0]
    assert np.all(np.diff(loss) <= 1e-10 * loss[1:] + 1e-27)
    assert 0 <= history["input_times"].min() <= history["input_times"].max() <= 10

    other = spiketimes_single.training(task, 14, 60)
    with pytest.raises(ValueError, match="is of another training, by its optimiser"):
        _training.resumed(other, tmp_path)
