import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif import plot
from jaxnlif.experiments import _learning_figure, learning, measures
from jaxnlif.experiments._trial import Setting, phases
from jaxnlif.experiments.signals import read_signal
from jaxnlif.store import files

W = np.linspace(0.05, 1.15, 12)
RAMP = np.where(W < 0.8, 2 * W, 0)


def test_a_ramp_is_perfectly_linear_up_to_its_peak():
    support = measures.learned_support(RAMP)
    np.testing.assert_array_equal(support, W < 0.8)
    np.testing.assert_array_equal(measures.up_to_peak(RAMP), support)
    assert measures.linearity(W, RAMP, support) == pytest.approx(1, abs=1e-14)


def test_linearity_by_hand():
    # c = (1·1 + 2·2 + 3·1)/14 = 4/7; residuals 3/7, 6/7, -5/7; spread 2/3
    value = measures.linearity(np.array([1.0, 2, 3]), np.array([1.0, 2, 1]), np.ones(3, bool))
    assert value == pytest.approx(1 - (70 / 49) / (2 / 3))


def test_the_smeared_jump_is_not_part_of_the_rise():
    smeared = np.where(W < 0.8, 2 * W, np.where(W < 0.9, 0.4, 1e-9))
    assert measures.learned_support(smeared).sum() == measures.up_to_peak(smeared).sum() + 1


def test_linearity_of_a_constant_is_undefined():
    assert np.isnan(measures.linearity(W, np.ones_like(W), np.ones(12, bool)))


def test_discrimination():
    assert measures.discrimination(RAMP, RAMP) == 0
    assert measures.discrimination(7 * RAMP, RAMP) == pytest.approx(0, abs=1e-15)
    # disjoint responses of equal shape: the squares of both norms add
    other = np.roll(np.array([1.0, 2, 0, 0]), 2)
    assert measures.discrimination(other, np.array([1.0, 2, 0, 0])) == pytest.approx(np.sqrt(2))
    assert np.isnan(measures.discrimination(np.zeros(12), RAMP))


@pytest.fixture(scope="module")
def trial():
    weights = jn.WeightGrid(0.0, 1.2, num=120)
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60), w=weights)
    w = weights.centers
    bump = 1 + 3 * np.exp(-0.5 * ((w - 0.3) / 0.1) ** 2)
    setting = Setting(
        solver=jn.FluxShift(grid),
        initial=jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02)),
        signal=bump,
        tests={"same": bump, "flat": np.full_like(w, 2.0), "weak": 0.5 * bump},
        gain=0.3,
        epsilon=1e-3,
        noise=1.0,
        t1=8.0,
        dt=0.05,
        progress=False,
    )
    return setting, list(phases(setting))


def test_the_learned_input_is_answered_by_a_ramp(trial):
    setting, (learned, *_) = trial
    rates, rate = learned.solution.rates[-1], float(learned.solution.rate[-1])
    rise = measures.up_to_peak(rates)
    assert measures.linearity(setting.weights, rates, rise) > 0.99
    # First order in the weight spacing 0.01: the response ends at A, give or take two cells.
    end = rate * np.sqrt(2 * setting.gain)
    half = setting.weights[np.flatnonzero(np.asarray(rates) > 0.5 * np.max(rates))[-1]]
    assert half == pytest.approx(end, abs=0.02)


def test_tests_tell_inputs_apart(trial):
    _, (learned, *tests) = trial
    scores = {
        phase.name: measures.discrimination(phase.solution.rates[-1], learned.solution.rates[-1])
        for phase in tests
    }
    assert scores["same"] < 1e-3  # the two phases differ by O(ε) and by the order of splitting
    assert scores["flat"] > 0.1
    assert scores["weak"] > 0.1


def test_tests_keep_the_weights(trial):
    _, (learned, *tests) = trial
    for phase in tests:
        np.testing.assert_allclose(
            phase.solution.weights[-1], learned.solution.weights[-1], rtol=1e-3, atol=1e-4
        )
        np.testing.assert_allclose(phase.solution.rates[-1], phase.solution.rates[-13], rtol=1e-3)


def test_the_figure_shows_everything(trial):
    setting, done = trial
    figure = _learning_figure.draw(setting, done)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert sum(bool(title) for title in titles) == 5
    assert plot.RATES in [ax.get_ylabel() for ax in figure.axes]


GRID = jn.WeightGrid(0.0, 1.0, num=4)


def test_a_signal_is_read(tmp_path):
    path = tmp_path / "signal.csv"
    path.write_text("# measured by hand\nw, value\n0, 1 # start\n\n0.5, 3\n1, 2\n")
    signal = read_signal(path, GRID)
    np.testing.assert_array_equal(signal.w, [0, 0.5, 1])
    np.testing.assert_array_equal(signal.values, [1, 3, 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows of numbers; a signal must have at least 2"),
        ("w,value\n", "0 rows of numbers"),
        ("w,value\n0,1\n", "1 rows of numbers"),
        ("0,1\n1,two\n", "line 2: 'two' must be a number"),
        ("w,value\nw,value\n0,1\n1,2\n", "line 2: 'w' must be a number"),
        ("0,1\n0.5,nan\n1,2\n", "line 2: 'nan' must be finite"),
        ("0,1\n0.5,-inf\n1,2\n", "line 2: '-inf' must be finite"),
        ("0,1\n0.5,\n1,2\n", "line 2: '' must be a number"),
        ("0,1\n0.5\n1,2\n", "line 2: '0.5' has 1 columns; a row must have 2"),
        ("0,1\n0.5,1,2\n", "line 2: '0.5,1,2' has 3 columns"),
        ("0,1\n0.7,2\n0.6,1\n1,0\n", "line 3: 0.6 follows 0.7; the column of w must increase"),
        ("0,1\n0,2\n1,0\n", "line 2: 0 follows 0"),
        ("0.3,1\n1,2\n", "line 1: weight 0.3; .* must start at 0.125 or below"),
        ("0,1\n0.8,2\n", "line 2: weight 0.8; .* must end at 0.875 or above"),
        ("0,1\n2,2\n", "line 2: weight 2 must lie on the weight grid, from 0 to 1"),
    ],
)
def test_wrong_signals_are_refused(tmp_path, text, message):
    path = tmp_path / "signal.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_signal(path, GRID)
    assert str(path) in str(caught.value)


def test_what_is_no_text_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a readable file"):
        read_signal(tmp_path / "missing.csv", GRID)
    with pytest.raises(ValueError, match="must be a readable file"):
        read_signal(tmp_path, GRID)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be a text file"):
        read_signal(tmp_path / "binary.csv", GRID)


def test_results_are_named_and_described(trial, tmp_path):
    setting, done = trial
    findings = learning._findings(setting, done)
    path = learning._write_results(tmp_path, setting, done, findings)
    arrays, metadata = files.read_arrays(path)
    assert metadata["findings"] == findings
    assert metadata["phases"] == ["learning", "same", "flat", "weak"]
    assert arrays["phase0_rates"].shape == (len(arrays["phase0_t"]), len(arrays["w"]))
    assert arrays["phase0_density"].shape == (len(arrays["v"]), len(arrays["w"]))
