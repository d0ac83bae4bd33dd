"""Fits go on from their checkpoints bit for bit, and nothing else is taken for one."""

import equinox as eqx
import jax
import numpy as np
import pytest

import jaxnlif as jn

from .._progress import Counter, Recording
from .test_fit import both, residuals, same, valley


def fitted(directory, *, steps=30, starts=3, loss=same, start=-1.2, stop=np.inf):
    counter = Counter(limit=stop)
    fit = jn.fit(
        valley(start),
        residuals,
        loss,
        where=both,
        starts=starts,
        key=jax.random.key(0),
        steps=steps,
        uncertainty=False,
        progress=Recording(counter),
        checkpoint=None if directory is None else jn.Checkpoint(directory, every=0),
    )
    return fit, counter


def assert_identical(one, other):
    for a, b in zip(
        *(jax.tree.leaves(eqx.filter(x, eqx.is_array)) for x in (one, other)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.losses, other.losses)


def test_an_interrupted_fit_ends_with_the_same_numbers(tmp_path):
    whole, _ = fitted(None)
    first, _ = fitted(tmp_path, stop=7)
    assert first.result == jn.FitResult.interrupted
    second, counter = fitted(tmp_path)
    assert counter.updates[0] == 8  # the seven before, and the first
    assert_identical(second, whole)


def test_a_fit_that_is_over_returns_at_once(tmp_path):
    first, _ = fitted(tmp_path, steps=300)
    assert first.result != jn.FitResult.step_limit
    again, counter = fitted(tmp_path, steps=300)
    assert counter.updates == []
    assert_identical(again, first)


def test_more_steps_go_on(tmp_path):
    fitted(tmp_path, steps=5)
    more, _ = fitted(tmp_path, steps=30)
    assert_identical(more, fitted(None)[0])


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    whole, _ = fitted(None)
    fitted(tmp_path, stop=7)
    newest = max(tmp_path.glob("state-*.npz"))
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="is damaged"):
        again, counter = fitted(tmp_path)
    assert counter.updates[0] == 7
    assert_identical(again, whole)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"start": -1.1}, "holds another fit: problem.parameters.model.x"),
        ({"loss": lambda r: 2 * r}, "holds another fit: problem.loss"),
        ({"starts": 2}, "holds another fit: "),
    ],
)
def test_another_fit_is_refused(tmp_path, given, message):
    fitted(tmp_path, steps=3)
    with pytest.raises(ValueError, match=message):
        fitted(tmp_path, **given)


def test_what_is_no_checkpoint():
    with pytest.raises(ValueError, match="checkpoint = 'here': must be a Checkpoint"):
        jn.fit(valley(), residuals, same, where=both, checkpoint="here")
