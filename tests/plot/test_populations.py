"""Runs of populations, by name: their rates, densities, spectra, films, datasets and recordings."""

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxnlif as jn

from ._artists import legend, lines

GRID = jn.Grid(jn.VoltageGrid(-1.0, 2.0, reset=1.0, num=12), populations=2)
THRESHOLD, RESET = np.array([2.0, 4.0]), np.array([1.0, 0.0])


def run(weight=0.0, names=("E", "I"), grid=GRID, **options):
    num = grid.populations
    model = jn.Network(weight=jnp.full((num, num), weight), noise=0.5, names=names, **options)
    y0, save = jn.gaussian(grid, v=(0.5, 0.2)), jn.SaveAt(num=3)
    return jn.solve(model, jn.FluxShift(grid), y0=y0, t1=0.2, dt=0.05, saveat=save)


@pytest.fixture(scope="module")
def own():
    """Two populations with thresholds and resets of their own."""
    return run(threshold=THRESHOLD, reset=RESET)


def test_rates_have_names_and_looks_of_their_own(own):
    ax = jn.plot.rate(own)
    assert legend(ax) == ["E", "I"]
    assert "rates $r_k$" in ax.get_ylabel()
    np.testing.assert_array_equal(lines(ax)["I"], np.stack([own.ts, own.rate[:, 1]], 1))
    jn.plot.rate(own, ax, label="again", linestyle=":")
    assert legend(ax) == ["E", "I", "again E", "again I"]


def test_eight_populations_look_different():
    many = jn.plot.spectrum([1.0, 2.0], np.ones((2, 8)))
    looks = {(line.get_color(), line.get_linestyle()) for line in many.get_lines()}
    assert len(looks) == len(legend(many)) == 8


def test_long_names_leave_room_for_the_panel():
    names = [f"excitatory neurons of layer {k} of the cortex" for k in range(8)]
    ax = jn.plot.spectrum([1.0, 2.0], np.ones((2, 8)), labels=names)
    ax.figure.draw_without_rendering()
    assert ax.get_window_extent().height > 0.6 * ax.figure.bbox.height
    assert legend(ax) == names


def test_densities_lie_over_the_voltages_of_their_population(own):
    ax = jn.plot.density(own)
    for k, name in enumerate(("E", "I")):
        v, p = lines(ax)[name].T
        assert v[-1] == THRESHOLD[k]
        assert v[GRID.v.reset_index] == pytest.approx(RESET[k])
        assert np.sum(p) * (v[1] - v[0]) == pytest.approx(1, abs=1e-6)
    drawn = sorted(line.get_xdata()[0] for line in ax.get_lines()[2:])
    assert drawn == [0.0, 1.0, 2.0, 4.0]
    with_grid = jn.plot.density(np.asarray(own.saved[-1]), GRID)
    assert legend(with_grid) == ["0", "1"]
    assert lines(with_grid)["1"][-1, 0] == 2.0


def test_the_course_of_one_density(own):
    ax = jn.plot.density_over_time(own, population="I")
    (mesh,) = ax.collections
    np.testing.assert_allclose(mesh.get_array(), np.asarray(own.saved)[:, :, 1].T / 4)
    assert mesh.get_coordinates()[-1, 0, 1] == pytest.approx(4 - 0.5)
    assert ax.get_title(loc="left") == "I"
    with pytest.raises(ValueError, match="population = None: must be one of E, I"):
        jn.plot.density_over_time(own)
    with pytest.raises(ValueError, match="population = 'X': must be one of E, I"):
        jn.plot.density_over_time(own, population="X")


def test_one_population_alone_and_without_a_name():
    alone = run(names=None, grid=jn.Grid(GRID.v, populations=1))
    assert jn.plot.density_over_time(alone).get_title(loc="left") == "0"
    assert legend(jn.plot.rate(alone)) == ["0"]


def test_a_film_and_a_summary(own):
    film = jn.plot.animate(own)
    (ax,) = film._fig.axes
    last = lines(ax)["I"]
    film._func(2)
    assert not np.array_equal(last, lines(ax)["I"])
    np.testing.assert_allclose(lines(ax)["I"][:-1, 1], np.asarray(own.saved)[2, :, 1] / 4)
    film._draw_was_started = True
    panels = own.plot().axes
    assert [legend(panel) for panel in panels] == [["E", "I"], ["E", "I"]]


def test_spectra_by_name():
    k, power = np.arange(1.0, 4.0), np.arange(6.0).reshape(3, 2)
    ax = jn.plot.spectrum(k, power, labels=["E", "I"])
    np.testing.assert_array_equal(lines(ax)["I"][:, 1], power[:, 1])
    assert "r_k" in ax.get_ylabel()
    assert legend(jn.plot.autocorrelation(k, power, labels=["E", "I"])) == ["E", "I"]
    with pytest.raises(ValueError, match=r"labels = .'E'.: must be 2 texts, one for each curve"):
        jn.plot.spectrum(k, power, labels=["E"])
    with pytest.raises(ValueError, match="labels: are of several curves"):
        jn.plot.spectrum(k, power[:, 0], labels=["E"])


@pytest.mark.parametrize("draw", ["weights", "weights_over_time", "response"])
def test_what_populations_do_not_have_is_refused(own, draw):
    with pytest.raises(ValueError, match="sol: of a network of populations, which have no weight"):
        getattr(jn.plot, draw)(own, Figure().subplots())


# ---- files -------------------------------------------------------------------------------------


def test_recordings_have_a_signal_of_each_population(own):
    units = jn.Units(membrane_time=10.0, rest=-65.0, scale=5.0)
    (segment,) = jn.io.to_neo(own, units=units).segments
    assert [signal.name for signal in segment.analogsignals] == ["rate of E", "rate of I"]
    assert segment.analogsignals[1].annotations["population"] == "I"
    found = np.ravel(segment.analogsignals[1].rescale("Hz").magnitude)
    np.testing.assert_allclose(found, units.rate_Hz(np.asarray(own.rate[:, 1])))


def test_tables_have_a_column_of_each_population(own):
    table = own.to_xarray()["rate"].to_pandas()
    assert table.to_csv().splitlines()[0] == "time,E,I"


def test_sweeps_have_the_names(own):
    found = jn.sweep(lambda weight: run(weight), {"weight": [0.0, 0.1]})
    dataset = found.to_xarray()
    assert dataset["rate"].dims == ("weight", "time", "population")
    assert list(dataset["population"].values) == ["E", "I"]
    np.testing.assert_allclose(dataset["rate"].sel(population="I")[0], run().rate[:, 1], rtol=1e-6)
    ax = jn.plot.phase_diagram(found, lambda sol: sol.rate[-1, 1])
    assert len(ax.get_lines()) == 1
    with pytest.raises(ValueError, match=r"value: shape \(2,\): must be \(\)"):
        jn.plot.phase_diagram(found, lambda sol: sol.rate[-1])
