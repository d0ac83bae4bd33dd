"""Phase diagrams: cells, points and curves, and members that failed."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

from ._artists import bars, legend, lines

WEIGHTS, NOISES = [2.0, -1.0, 5.0], [0.1, 1.0, 10.0, 100.0]


def member(weight, noise=1.0):
    """Fails for the largest weight."""
    return {"sum": jnp.where(weight > 4, jnp.nan, weight + noise)}


def total(output):
    return output["sum"]


@pytest.fixture(scope="module")
def grid():
    return jn.sweep(member, {"weight": WEIGHTS, "noise": NOISES})


def cells(ax):
    """The values of the map, and its corners along each axis."""
    mesh = ax.collections[0]
    corners = mesh.get_coordinates()
    return np.ma.filled(mesh.get_array(), np.nan), corners[0, :, 0], corners[:, 0, 1]


def test_a_grid_is_a_map_in_ascending_order(grid):
    ax = jn.plot.phase_diagram(grid, total, label="sum (units)")
    values, x, y = cells(ax)
    np.testing.assert_allclose(values[:, :2], np.add.outer(NOISES, [-1.0, 2.0]), rtol=1e-6)
    assert np.all(np.isnan(values[:, 2]))
    np.testing.assert_allclose(x, [-2.5, 0.5, 3.5, 6.5])
    np.testing.assert_allclose(y, 10 ** np.array([-1.5, -0.5, 0.5, 1.5, 2.5]), rtol=1e-5)
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert ax.get_xlabel() == "weight\n(voltage × membrane time)"
    assert ax.get_ylabel() == "noise\n(voltage² / membrane time)"
    assert bars(ax)[0].get_ylabel() == "sum (units)"


def test_axes_can_be_exchanged(grid):
    values, x, y = cells(jn.plot.phase_diagram(grid, total, x="noise"))
    assert (x.size, y.size) == (5, 4)
    np.testing.assert_allclose(values[:2], np.add.outer([-1.0, 2.0], NOISES), rtol=1e-6)
    same, _, _ = cells(jn.plot.phase_diagram(grid, total, y="weight"))
    np.testing.assert_array_equal(values, same)


def test_failed_members_are_hatched_where_they_are(grid):
    ax = jn.plot.phase_diagram(grid, total)
    assert legend(ax) == ["non-finite"]
    hatched = ax.collections[1]
    assert hatched.get_hatch()
    corners = np.array([path.vertices[:4] for path in hatched.get_paths()])
    assert len(corners) == 4
    np.testing.assert_allclose(corners[:, :, 0].min(), 3.5)
    np.testing.assert_allclose(corners[:, :, 0].max(), 6.5)
    np.testing.assert_allclose(np.sort(corners[:, 0, 1]), 10 ** np.array([-1.5, -0.5, 0.5, 1.5]))


def test_numbers_may_be_given_for_all_members(grid):
    numbers = np.arange(12.0).reshape(3, 4)
    values, _, _ = cells(jn.plot.phase_diagram(grid, numbers))
    np.testing.assert_array_equal(values, numbers[[1, 0, 2]].T)
    with pytest.raises(ValueError, match=r"value: shape \(2,\): must be \(3, 4\)"):
        jn.plot.phase_diagram(grid, np.zeros(2))
    with pytest.raises(ValueError, match=r"value: shape \(2,\): must be \(\)"):
        jn.plot.phase_diagram(grid, lambda _: np.zeros(2))


def test_a_list_is_drawn_by_points():
    found = jn.sweep(member, {"weight": WEIGHTS, "noise": NOISES[:3]}, product=False)
    ax = jn.plot.phase_diagram(found, total)
    points = ax.collections[0]
    np.testing.assert_allclose(points.get_offsets(), [[2.0, 0.1], [-1.0, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(points.get_array(), [2.1, 0.0], atol=1e-6)
    np.testing.assert_allclose(lines(ax)["non-finite"], [[5.0, 10.0]])


def test_one_parameter_is_drawn_as_a_curve():
    found = jn.sweep(member, {"weight": WEIGHTS})
    ax = jn.plot.phase_diagram(found, total, label="sum")
    curve, failed = [np.asarray(line.get_xydata()) for line in ax.get_lines()]
    np.testing.assert_array_equal(curve, [[-1, 0], [2, 3], [5, np.nan]])
    assert failed[:, 0] == [5]
    assert ax.get_ylabel() == "sum"


def test_parameters_that_are_no_numbers_are_counted():
    drives = [jn.Constant(2.0), jn.Constant(4.0)]
    found = jn.sweep(lambda drive, weight: drive.value * weight, {"drive": drives, "weight": [1.0]})
    ax = jn.plot.phase_diagram(found, lambda x: x)
    values, x, _ = cells(ax)
    np.testing.assert_array_equal(values, [[2, 4]])
    np.testing.assert_array_equal(x, [-0.5, 0.5, 1.5])
    assert ax.get_xlabel() == "drive (counted from 0)"


def test_solutions_are_members(learned):
    line = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))
    y0 = jn.gaussian(line, v=(1.0, 0.3))

    def run(weight):
        saveat = jn.SaveAt(num=3)
        return jn.solve(
            jn.Network(weight=weight), jn.FluxShift(line), y0=y0, t1=0.2, dt=0.02, saveat=saveat
        )

    found = jn.sweep(run, {"weight": [0.0, 8.0]})
    ax = jn.plot.phase_diagram(found, lambda sol: sol.density(-1).max() * sol.rate[-1])
    curve, failed = [np.asarray(line.get_xydata()) for line in ax.get_lines()]
    alone = found[0]
    np.testing.assert_allclose(curve[0], [0, alone.density(-1).max() * alone.rate[-1]], rtol=1e-6)
    assert np.isnan(curve[1, 1])
    assert failed[:, 0] == [8]
    assert legend(ax) == ["blow-up"]


def test_if_all_fail_there_is_still_a_figure():
    found = jn.sweep(member, {"weight": [5.0, 6.0], "noise": NOISES})
    ax = jn.plot.phase_diagram(found, total)
    assert bars(ax) == []
    assert legend(ax) == ["non-finite"]


def test_what_cannot_be_drawn_is_refused(grid):
    with pytest.raises(ValueError, match="x = 'wieght': must be one of the parameters weight, noi"):
        jn.plot.phase_diagram(grid, total, x="wieght")
    with pytest.raises(ValueError, match="y = 'noise': must be another parameter than x"):
        jn.plot.phase_diagram(grid, total, x="noise", y="noise")
    values = {"a": [1.0, 2.0], "b": [1.0], "c": [1.0]}
    cube = jn.sweep(lambda a, b, c: a + b + c, values)
    with pytest.raises(ValueError, match="sweep: 3 parameters: must be at most two in a grid"):
        jn.plot.phase_diagram(cube, lambda x: x)
