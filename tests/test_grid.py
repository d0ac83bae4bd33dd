"""Voltage nodes, weight cells and their product."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

import jaxnlif as jn


def test_nodes_of_a_grid_computed_by_hand(dtype):
    grid = jn.VoltageGrid(-1.0, 1.0, reset=0.0, num=4)
    np.testing.assert_array_equal(grid.nodes, [-1.0, -0.5, 0.0, 0.5])
    np.testing.assert_array_equal(grid.interfaces, [-0.75, -0.25, 0.25, 0.75])
    assert grid.spacing == 0.5
    assert grid.reset_index == 2
    assert grid.nodes.dtype == grid.interfaces.dtype == grid.dtype == dtype


def test_the_threshold_is_one_spacing_above_the_last_node(dtype):
    grid = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=300)
    assert float(grid.nodes[-1]) + grid.spacing == pytest.approx(
        2.0, rel=float(np.finfo(dtype).eps)
    )


@pytest.mark.parametrize(("num", "index"), [(2, 1), (6, 5), (600, 599)])
def test_reset_may_be_the_node_next_to_the_threshold(num, index):
    grid = jn.VoltageGrid(0.0, float(num), reset=num - 1.0, num=num)
    assert grid.reset_index == index


def test_reset_that_decimals_represent_inexactly_is_a_node():
    # (0.1 + 0.3) / h is not a whole number in floating point.
    assert jn.VoltageGrid(-0.3, 0.7, reset=0.1, num=10).reset_index == 4


@pytest.mark.parametrize("num", [20, 100, 101, 1001])
@pytest.mark.parametrize("reset", [1.0, 0.5, -0.7, 1 / 3])
def test_the_suggested_nums_work_and_are_nearest(num, reset):
    try:
        jn.VoltageGrid(-4.0, 2.0, reset=reset, num=num)
    except ValueError as error:
        message = str(error)
        assert f"num = {num}" in message
        assert f"reset = {reset}" in message
        below, above = (int(word) for word in message.split(": ")[-1].split(" and "))
        assert below < num < above
        for works in (below, above):
            assert jn.VoltageGrid(-4.0, 2.0, reset=reset, num=works).num == works
        for fails in [*range(below + 1, num), *range(num + 1, above)]:
            with pytest.raises(ValueError, match="no node"):
                jn.VoltageGrid(-4.0, 2.0, reset=reset, num=fails)


def test_an_irrational_reset_is_not_answered_with_nums_that_fail():
    reset = 0.5**0.5
    with pytest.raises(ValueError, match="no node") as caught:
        jn.VoltageGrid(0.0, 1.0, reset=reset, num=100)
    for word in str(caught.value).split(": ")[-1].split(" and "):
        if word.isdigit():
            assert jn.VoltageGrid(0.0, 1.0, reset=reset, num=int(word)).num == int(word)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reset": 2.0}, r"reset = 2.0: must lie strictly between"),
        ({"reset": 2.5}, r"reset = 2.5: must lie strictly between"),
        ({"reset": -4.0}, r"reset = -4.0: must lie strictly between"),
        ({"minimum": 3.0}, r"reset = 1.0: must lie strictly between minimum = 3.0"),
        ({"minimum": float("nan")}, r"minimum = nan: must be finite"),
        ({"threshold": float("inf")}, r"threshold = inf: must be finite"),
        ({"num": 0}, r"num = 0: must be at least 2"),
        ({"num": 1}, r"num = 1: must be at least 2"),
        ({"num": -6}, r"num = -6: must be at least 2"),
        ({"num": 301}, r"nearest num that work: 300 and 306"),
        ({"num": 4}, r"nearest num that work: 6"),
        ({"dtype": int}, r"dtype = int(32|64): must be float32 or float64"),
    ],
)
def test_wrong_voltage_grids_are_refused(arguments, message):
    right = {"minimum": -4.0, "threshold": 2.0, "reset": 1.0, "num": 300}
    right |= arguments
    with pytest.raises(ValueError, match=message) as caught:
        jn.VoltageGrid(
            right.pop("minimum"), right.pop("threshold"), reset=right.pop("reset"), **right
        )
    assert "\n" not in str(caught.value)


def test_a_reset_that_rounds_to_the_threshold_is_refused():
    # Within the tolerance of a node, but that node is the threshold, which carries no unknown.
    with pytest.raises(ValueError, match="reset"):
        jn.VoltageGrid(-4.0, 2.0, reset=2.0 - 1e-9, num=24)


@pytest.mark.parametrize(
    ("minimum", "maximum", "num", "message"),
    [
        (1.0, 1.0, 4, r"maximum = 1.0: must exceed minimum = 1.0"),
        (1.0, 0.0, 4, r"maximum = 0.0: must exceed"),
        (0.0, float("inf"), 4, r"maximum = inf: must be finite"),
        (float("nan"), 1.0, 4, r"minimum = nan: must be finite"),
        (0.0, 1.0, 0, r"num = 0: must be at least 1"),
    ],
)
def test_wrong_weight_grids_are_refused(minimum, maximum, num, message):
    with pytest.raises(ValueError, match=message):
        jn.WeightGrid(minimum, maximum, num=num)


def test_cells_of_a_weight_grid_computed_by_hand():
    grid = jn.WeightGrid(-0.5, 1.5, num=4)
    np.testing.assert_array_equal(grid.centers, [-0.25, 0.25, 0.75, 1.25])
    np.testing.assert_array_equal(grid.faces, [0.0, 0.5, 1.0])
    assert jn.WeightGrid(0.0, 1.0, num=1).faces.shape == (0,)


def test_shape_and_area_with_and_without_weights():
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12)
    assert jn.Grid(v=v).shape == (12, 1)
    assert jn.Grid(v=v).cell_area == 0.5
    structured = jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.0, num=5))
    assert structured.shape == (12, 5)
    assert structured.cell_area == pytest.approx(0.1)


def test_mass_and_weight_density_of_a_batch():
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12), w=jn.WeightGrid(0.0, 1.0, num=5))
    density = jnp.ones((3, 12, 5))
    np.testing.assert_allclose(grid.mass(density), [6.0] * 3, rtol=1e-6)
    np.testing.assert_allclose(grid.weight_density(density), np.full((3, 5), 6.0), rtol=1e-6)


def test_mass_of_a_float32_density_is_summed_in_float64():
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=600, dtype=jnp.float32)
    grid = jn.Grid(v=v, w=jn.WeightGrid(0.0, 1.0, num=1000))
    assert grid.dtype == jnp.float32
    density = jnp.full(grid.shape, np.float32(1 / 6))
    mass = grid.mass(density)
    assert mass.dtype == jnp.float64
    # Exact but for the one rounding of 1/6; a float32 sum of so many entries is not.
    assert float(mass) == pytest.approx(float(np.float32(1 / 6)) * 6, rel=1e-13)


def test_a_grid_names_another_precision():
    v, w = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12), jn.WeightGrid(0.0, 1.0, num=5)
    grid = jn.Grid(v, w, dtype=np.float32)
    assert grid.dtype == grid.v.dtype == np.float32
    assert grid == jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12, dtype=np.float32), w)
    sol = jn.solve(
        jn.Network(),
        jn.FluxShift(grid),
        y0=jn.gaussian(grid, v=(0.0, 0.5), w=(0.5, 0.1)),
        t1=0.2,
        dt=0.1,
    )
    assert sol.rate.dtype == np.float32
    assert jn.Grid(v, w).dtype == v.dtype


def test_a_precision_that_is_not_there_is_refused():
    jax.config.update("jax_enable_x64", False)
    with pytest.raises(ValueError, match=r"dtype = float64: needs .*jax_enable_x64"):
        jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12), dtype=np.float64)


V, W = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12), jn.WeightGrid(0.0, 1.0, num=5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((W, V), r"^v = WeightGrid\(.*\): must be a VoltageGrid$"),
        ((V, V), r"^w = VoltageGrid\(.*: must be a WeightGrid, or None$"),
        ((None,), "^v = None: must be a VoltageGrid$"),
    ],
)
def test_wrong_axes_of_a_grid_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        _without_checks(jn.Grid, *arguments)


def _without_checks(function, *arguments):
    """A call without the types that tests check while it runs."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        return function(*arguments)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize(
    "grid",
    [
        lambda: jn.VoltageGrid(-1e308, 1e308, reset=0.0, num=12),
        lambda: jn.WeightGrid(1e16, 1e16 + 4, num=10),
        lambda: jn.Grid(V, jn.WeightGrid(1e4, 1e4 + 1e-3, num=10), dtype=np.float32),
        lambda: jn.VoltageGrid(1e3, 1e3 + 3e-4, reset=1e3 + 1e-4, num=9, dtype=np.float32),
    ],
)
def test_nodes_that_the_precision_does_not_tell_apart_are_refused(grid):
    with pytest.raises(ValueError, match=r"num = .*(is none that float.. resolves|is no node)"):
        grid()


def test_a_grid_has_no_derivative_and_the_network_has():
    """The affine map that the message names, against the stationary rate of another threshold."""
    with pytest.raises(ValueError, match=r"threshold: is traced, .* drive \(I - m\) / s") as caught:
        jax.grad(
            lambda x: (
                _without_checks(lambda x: jn.VoltageGrid(-4.0, x, reset=1.0, num=60), x).spacing
            )
        )(2.0)
    assert "\n" not in str(caught.value)

    drive, noise, noise_slope, weight = 0.8, 0.7, 0.2, 0.4

    def mapped(threshold):
        s = (threshold - 0.9) / (2.0 - 1.0)
        m = 0.9 - s * 1.0
        scaled = (drive - m) / s, noise / s**2, noise_slope / s**2
        return jn.stationary.self_consistent_rate(weight / s, *scaled, guess=0.2)

    def direct(threshold):
        arguments = weight, drive, noise, noise_slope, threshold, 0.9
        return jn.stationary.self_consistent_rate(*arguments, guess=0.2)

    for x, y in zip(jax.value_and_grad(mapped)(2.3), jax.value_and_grad(direct)(2.3), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9)


def test_equal_grids_are_equal_and_hash_alike():
    grids = [
        jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12), w=jn.WeightGrid(0.0, 1.0, num=n))
        for n in (5, 5, 6)
    ]
    assert grids[0] == grids[1]
    assert hash(grids[0]) == hash(grids[1])
    assert grids[0] != grids[2]
