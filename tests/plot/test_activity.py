"""Rate, events, regimes, raster, spectrum and autocorrelation."""

import equinox as eqx
import jax
import numpy as np
import pytest
from matplotlib.figure import Figure

import jaxnlif as jn

from ._artists import legend, lines


def test_rate_of_a_learning_network_counts_learning_times(learned):
    ax = jn.plot.rate(learned)
    (drawn,) = lines(ax).values()
    np.testing.assert_array_equal(drawn, np.stack([learned.ts, learned.rate], 1))
    assert ax.get_xlabel() == "time $t$ (learning times)"
    assert "spikes / neuron / membrane time" in ax.get_ylabel()
    assert ax.get_yscale() == "linear"


def test_rate_shows_where_a_run_blew_up(blown_up):
    ax = jn.plot.rate(blown_up)
    end = float(blown_up.t_end)
    assert legend(ax) == [f"blow-up at t = {end:.4g}"]
    np.testing.assert_array_equal(lines(ax)[legend(ax)[0]][:, 0], end)
    assert ax.get_xlim()[1] > end
    assert ax.get_xlabel() == "time $t$ (membrane times)"


def test_rate_shows_events_and_regimes_and_what_is_between_events(switching):
    ax = jn.plot.rate(switching)
    number = switching.events.time.size
    assert legend(ax) == ["particles", f"{number} events"]
    np.testing.assert_array_equal(lines(ax)[f"{number} events"][:, 0], switching.events.time)
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[0] >= 1e-3


def test_one_event_is_no_events(switching):
    one = eqx.tree_at(lambda sol: sol.logs["events"].count, switching, np.array(1))
    assert one.events.time.size == 1
    assert legend(jn.plot.finish(jn.plot.events(one, Figure().subplots()), "", "")) == ["1 event"]


def test_shades_are_where_neurons_are_followed(switching):
    ax = Figure().subplots()
    assert jn.plot.regimes(switching, ax) is ax
    (shade,) = ax.collections
    follows = np.asarray(switching.regime) == jn.Regime.particles
    x = np.concatenate([path.vertices[:, 0] for path in shade.get_paths()])
    times = np.asarray(switching.ts)[follows]
    step = float(switching.ts[1] - switching.ts[0])
    assert all(np.min(np.abs(x - t)) <= step for t in times)
    assert all(np.min(np.abs(times - t)) <= step for t in x)


def test_no_shade_without_a_change_of_regime(learned):
    ax = Figure().subplots()
    jn.plot.regimes(learned, ax)
    assert len(ax.collections) == 0


def test_raster_has_a_mark_for_each_spike(switching):
    ax = jn.plot.raster(switching)
    (marks,) = ax.get_lines()
    spikes = np.stack([switching.raster.time, switching.raster.neuron], 1)
    np.testing.assert_array_equal(marks.get_xydata(), spikes)
    height = 3.6 * 72 / 20  # of a row, a little less than that of the figure
    assert 0.5 * height < marks.get_markersize() < 0.8 * height
    assert ax.get_xlim() == (switching.ts[0], switching.ts[-1])
    assert ax.get_ylabel() == "neuron"


def test_without_records_there_is_no_raster_and_are_no_events(blown_up):
    with pytest.raises(ValueError, match="raster: FluxShift recorded none"):
        jn.plot.raster(blown_up)
    with pytest.raises(ValueError, match="events: FluxShift recorded none"):
        jn.plot.events(blown_up, Figure().subplots())


def test_spectrum_and_autocorrelation_are_as_given():
    x, y = np.linspace(0, 5, 11), np.linspace(1, 2, 11)
    ax = jn.plot.spectrum(x, y)
    np.testing.assert_array_equal(ax.get_lines()[-1].get_xydata(), np.stack([x, y], 1))
    assert ax.get_xlabel() == "frequency (1 / membrane time)"
    assert ax.get_yscale() == "log"
    ax = jn.plot.autocorrelation(x, -y)
    np.testing.assert_array_equal(ax.get_lines()[-1].get_xydata(), np.stack([x, -y], 1))
    assert ax.get_xlabel() == "lag (membrane times)"


def test_the_power_of_the_mean_does_not_set_the_scale():
    x, y = np.linspace(0, 5, 11), np.concatenate([[1e-30], np.linspace(1, 2, 10)])
    assert jn.plot.spectrum(x, y).get_ylim()[0] == 0.5
    assert jn.plot.spectrum(x, 0 * y).get_yscale() == "linear"


def test_statistics_of_a_run_are_drawn_as_they_come(learned):
    ts, rate = learned.ts, learned.rate
    power = jn.statistics.power_spectrum(ts, rate, segment=4)
    np.testing.assert_array_equal(lines(jn.plot.spectrum(*power))["_child0"][:, 1], power[1])
    correlation = jn.statistics.autocorrelation(ts, rate)
    ax = jn.plot.autocorrelation(*correlation)
    np.testing.assert_array_equal(ax.get_lines()[-1].get_ydata(), correlation[1])


def test_what_cannot_be_a_curve_is_refused():
    with pytest.raises(ValueError, match=r"power: shape \(3,\): must be \(2,\)"):
        jn.plot.spectrum(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"lag: shape \(0,\): must be \(k,\)"):
        jn.plot.autocorrelation(np.zeros(0), np.zeros(0))


def test_a_raster_without_a_spike_says_so(switching):
    logs = switching.logs | {"raster": jax.tree.map(np.zeros_like, switching.logs["raster"])}
    silent = eqx.tree_at(lambda sol: sol.logs, switching, logs)
    assert silent.raster.time.size == 0
    (text,) = jn.plot.raster(silent).texts
    assert text.get_text() == "no spike"
    density = eqx.tree_at(lambda sol: sol.regime, silent, np.full_like(silent.regime, 0))
    (text,) = jn.plot.raster(density).texts
    assert text.get_text().startswith("no spike recorded")
