"""Heat maps and curves of the density."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxnlif as jn

from ._artists import bars, lines


def texts(ax):
    return {text.get_text().strip(): text for text in ax.texts}


def test_a_map_shows_the_density_with_reset_and_threshold(learned):
    grid = learned.solver.grid
    ax = Figure().subplots()
    assert jn.plot.density(learned.density(0), grid, ax) is ax
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), learned.density(0))
    left, right, bottom, top = image.get_extent()
    assert (left, right) == (0.0, 1.2)
    np.testing.assert_allclose((bottom, top), (-4.1, 1.9))  # nodes in the middle of their cells
    assert {"reset $V_R$", "threshold $V_F$"} == set(texts(ax))
    assert sorted(line.get_ydata()[0] for line in ax.get_lines()) == [1.0, 2.0]
    (bar,) = bars(ax)
    assert "1 / voltage / weight" in bar.get_ylabel()


def test_of_a_solution_the_last_state_is_drawn(learned):
    ax = jn.plot.density(learned)
    np.testing.assert_array_equal(ax.images[0].get_array(), learned.density(-1))


def test_of_one_weight_the_density_is_a_curve_down_to_the_threshold(blown_up):
    ax = jn.plot.density(blown_up)
    curve = np.asarray(ax.get_lines()[0].get_xydata())
    np.testing.assert_array_equal(curve[:-1, 1], jn.plot.final_density(blown_up)[:, 0])
    np.testing.assert_array_equal(curve[-1], [2.0, 0.0])
    assert "1 / voltage" in ax.get_ylabel()
    assert {"$V_R$", "$V_F$"} == set(texts(ax))


def test_the_density_of_one_weight_in_time(switching):
    ax = jn.plot.density_over_time(switching, vmax=0.7)
    (mesh,) = ax.collections
    np.testing.assert_array_equal(mesh.get_array(), np.asarray(switching.saved)[:, :, 0].T)
    assert mesh.get_clim() == (0, 0.7)
    assert ax.get_xlim() == (0.0, 1.0)
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, 0, 1], -4 - 0.025)
    np.testing.assert_allclose(corners[-1, 0, 1], 2 - 0.025)
    assert ax.get_xlabel() == "time $t$ (membrane times)"
    largest = np.max(np.asarray(switching.saved), axis=(1, 2))
    end = jn.plot.density_over_time(switching).collections[0].get_clim()[1]
    assert np.mean(largest <= end) >= 0.9
    assert end < largest.max()  # a few high densities leave the rest to be seen


def test_what_cannot_be_drawn_is_refused(learned, statistic):
    with pytest.raises(ValueError, match="grid: must be given"):
        jn.plot.density(learned.density(0))
    with pytest.raises(ValueError, match=r"shape \(2, 2\): must be that of its grid"):
        jn.plot.density(np.zeros((2, 2)), learned.solver.grid)
    with pytest.raises(ValueError, match="has a weight axis; weights_over_time and animate"):
        jn.plot.density_over_time(learned)
    with pytest.raises(ValueError, match="holds no densities, because SaveAt was given another"):
        jn.plot.density_over_time(statistic)


def test_without_saved_densities_the_last_one_is_drawn(statistic):
    assert lines(jn.plot.density(statistic))
