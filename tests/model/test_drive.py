"""Input currents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn


def weights():
    return jnp.array([-1.0, 0.0, 0.25, 0.5, 2.0])


def now():
    return jnp.asarray(0.0)


def test_constant_is_the_same_everywhere():
    np.testing.assert_array_equal(jn.Constant(2)(now(), weights()), np.full(5, 2.0))


def test_bump_by_its_formula(dtype):
    bump = jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1)
    expected = 1 + 3 * np.exp(-((np.asarray(weights(), float) - 0.3) ** 2) / (2 * 0.1**2))
    # The exponent reaches 144, whose rounding is magnified as much.
    np.testing.assert_allclose(bump(now(), weights()), expected, rtol=300 * np.finfo(dtype).eps)


def test_table_in_weight_is_linear_between_and_constant_beyond():
    drive = jn.Tabulated([1.0, 3.0, 2.0], w=[0.0, 0.5, 1.0])
    np.testing.assert_allclose(drive(now(), weights()), [1.0, 1.0, 2.0, 3.0, 2.0])


@pytest.mark.parametrize(("t", "value"), [(-1.0, 1.0), (0.0, 1.0), (0.25, 1.5), (1.0, 3.0)])
def test_table_in_time_is_linear_between_and_constant_beyond(t, value):
    drive = jn.Tabulated([1.0, 2.0, 3.0], t=[0.0, 0.5, 1.0])
    np.testing.assert_allclose(drive(jnp.asarray(t), weights()), np.full(5, value))


def test_table_in_both_is_bilinear():
    drive = jn.Tabulated([[0.0, 1.0], [2.0, 5.0]], t=[0.0, 1.0], w=[0.0, 1.0])
    at = drive(jnp.asarray(0.5), jnp.array([0.0, 0.5, 1.0, 7.0]))
    np.testing.assert_allclose(at, [1.0, 2.0, 3.0, 3.0])


def test_table_that_is_constant_in_time_equals_the_table_in_weight():
    values, w = [1.0, 3.0, 2.0], [0.0, 0.5, 1.0]
    twice = jn.Tabulated([values, values], t=[0.0, 1.0], w=w)
    np.testing.assert_allclose(
        twice(jnp.asarray(0.3), weights()), jn.Tabulated(values, w=w)(now(), weights())
    )


def test_gradient_reaches_the_values_with_the_weights_of_interpolation():
    def at(values):
        drive = jn.Tabulated(values, t=[0.0, 1.0], w=[0.0, 1.0])
        return drive(jnp.asarray(0.25), jnp.array([0.5]))[0]

    gradient = jax.grad(at)(jnp.zeros((2, 2)))
    np.testing.assert_allclose(gradient, [[0.375, 0.375], [0.125, 0.125]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jn.Constant(float("nan")), "value = nan: must be finite"),
        (lambda: jn.Constant(None), "must be a number"),
        (lambda: jn.Bump(1, 3, 0.3, 0), "width = 0: must be positive"),
        (lambda: jn.Bump(1, 3, 0.3, -0.1), "width = -0.1: must be positive"),
        (lambda: jn.Bump(1, float("inf"), 0.3, 1), "height = inf: must be finite"),
        (lambda: jn.Tabulated([1, 2, 3]), "at least one axis"),
        (lambda: jn.Tabulated([1, 2, 3], w=[0, 1]), r"values: shape \(3,\) must be \(2,\)"),
        (lambda: jn.Tabulated([1, 2], t=[0, 1], w=[0, 1]), r"values: shape \(2,\) must be \(2, 2"),
        (lambda: jn.Tabulated([1, 2, 3], w=[0, 2, 1]), "w: must be strictly increasing, but ent"),
        (lambda: jn.Tabulated([1, 2, 3], t=[0, 1, 1]), "t: must be strictly increasing, but ent"),
        (lambda: jn.Tabulated([1, float("nan")], w=[0, 1]), r"values = nan at \[1\]"),
        (lambda: jn.Tabulated([1, 2], w=[0, float("inf")]), r"w = inf at \[1\]"),
        (lambda: jn.Tabulated([1], w=[0]), r"w: shape \(1,\) must be \(k,\) with k at least 2"),
        (lambda: jn.Tabulated("signal", w=[0, 1]), "'signal': must be a number"),
    ],
)
def test_wrong_drives_are_refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("t", "value"), [(0.0, 1.0), (0.5, 4.0), (0.9, 4.0), (1.0, 1.0)])
def test_pulse_is_on_from_its_start_for_its_duration(t, value):
    pulse = jn.Pulse(base=1.0, height=3.0, start=0.5, duration=0.5)
    np.testing.assert_array_equal(pulse(jnp.asarray(t), weights()), np.full(5, value))
    np.testing.assert_allclose(jn.Network(weight=1.0, drive=pulse).jumps(), [0.5, 1.0])


def test_sinusoid_by_its_formula():
    drive = jn.Sinusoid(base=1.0, amplitude=2.0, period=4.0)
    np.testing.assert_allclose(drive(jnp.asarray(1.0), weights()), np.full(5, 3.0), rtol=1e-6)
    assert drive.jumps().shape == (0,)
