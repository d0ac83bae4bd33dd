"""The files that `jaxnlif run fit` reads, and those it refuses."""

import re

import numpy as np
import pytest

from jaxnlif.experiments.fit_data import Rates, Spikes, read_recording

from .test_fit import written


def test_rates_are_read(tmp_path):
    path = written(tmp_path, "# by hand\nt, Rate\n0, 1 # start\n\n0.5, 3\n1, 2\n")
    recording = read_recording(path)
    assert isinstance(recording, Rates)
    np.testing.assert_array_equal(recording.ts, [0, 0.5, 1])
    np.testing.assert_array_equal(recording.rate, [1, 3, 2])


def test_spikes_are_read(tmp_path):
    recording = read_recording(written(tmp_path, "t\n0.1\n0.3\n0.3\n"))
    assert isinstance(recording, Spikes)
    np.testing.assert_array_equal(recording.ts, [0.1, 0.3, 0.3])
    assert recording.neurons is None


SAME = (
    "t,rate,std\n0,1,0.1\n0.5,3,0.2\n",
    "std,t,rate\n0.1,0,1\n0.2,0.5,3\n",
    "T;Rate;Std\r\n0;1;0.1\r\n0.5;3;0.2\r\n",
    "rate\tt\tstd\n1\t0\t0.1\n3\t0.5\t0.2\n",
    '"t", "rate", "std"\n"0", "1", "0.1"  # by hand\n\n0.5,"3",0.2\n',
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", SAME)
def test_names_decide_which_column_is_which(tmp_path, text, encoding):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode(encoding))
    recording = read_recording(path)
    assert isinstance(recording, Rates)
    np.testing.assert_array_equal(recording.ts, [0, 0.5])
    np.testing.assert_array_equal(recording.rate, [1, 3])
    np.testing.assert_array_equal(recording.std, [0.1, 0.2])


def test_trials_follow_one_another(tmp_path):
    recording = read_recording(written(tmp_path, "neuron,trial,t\n3,1,0.5\n4,1,0.9\n3,2,0.1\n"))
    assert isinstance(recording, Spikes)
    np.testing.assert_array_equal(recording.ts, [0.5, 0.9, 0.1])
    assert (recording.neurons, recording.trials) == (2, 2)


def test_neurons_that_spike_are_counted(tmp_path):
    recording = read_recording(written(tmp_path, "t,neuron\n0.1,7\n0.3,2\n0.3,7\n"))
    assert isinstance(recording, Spikes)
    assert recording.neurons == 2


def test_arrays_are_read(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, [[0.0, 1.0], [0.5, 3.0]])
    recording = read_recording(path)
    assert isinstance(recording, Rates)
    np.testing.assert_array_equal(recording.rate, [1, 3])
    np.save(path, np.float32([0.1, 0.3]))
    recording = read_recording(path)
    assert isinstance(recording, Spikes)
    np.testing.assert_array_equal(recording.ts, np.float32([0.1, 0.3]))
    for array, message in (
        (np.zeros(0), "holds no spike"),
        (np.ones((2, 3)), "row 0: '1.0,1.0,1.0' has 3 columns; a row must have 1, t"),
        (np.ones((2, 2)), "row 1: time 1 follows 1; times must increase"),
    ):
        np.save(path, array)
        with pytest.raises(ValueError, match=re.escape(f"{path}")) as caught:
            read_recording(path)
        assert message in str(caught.value)


HEADERS = "must be the header 't,rate', with std"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; its first line must be the header 't,rate'"),
        ("# nothing\n\n", "is empty"),
        ("0,1\n1,2\n", f"line 1: '0,1' {HEADERS}"),
        ("\ntime,rate\n0,1\n", f"line 2: 'time,rate' {HEADERS}"),
        ("t,rate,neuron\n0,1,1\n", f"line 1: 't,rate,neuron' {HEADERS}"),
        ("t,std\n0,1\n", f"line 1: 't,std' {HEADERS}"),
        ("t,t,rate\n0,1,1\n", "line 1: names a column twice, t"),
        ("t rate\n0 1\n", "line 1: 't rate' must be the header .* parted by commas"),
        ("t,rate\n", "0 rows of numbers; rates must have at least 2"),
        ("t,rate\n0,1\n", "1 rows of numbers; rates must have at least 2"),
        ("t,rate\n0,1\n1\n", "line 3: '1' has 1 columns; a row must have 2, t,rate"),
        ("t,rate\n0,1\n1,2,3\n", "line 3: '1,2,3' has 3 columns"),
        ("t,rate\n0,5,1,2\n", "'0,5,1,2' has 4 columns; .*; a comma parts columns, not decimals"),
        ("t;rate\n0,5;1\n", "line 2: '0,5' must be a number with a decimal point, not a comma"),
        ('t,rate\n"0,5",1\n', "line 2: '0,5' must be a number with a decimal point, not a comma"),
        ('t,rate\n0,"1\n', "line 2: '0,\"1' must close its quotes"),
        ("t,rate\n0,1\n1,two\n", "line 3: 'two' must be a number"),
        ("t,rate\n0,1\n1,2_0\n", "line 3: '2_0' must be a number"),
        ("t,rate\n0,1\n1,\n", "line 3: '' must be a number"),
        ("t,rate\n0,1\n1,nan\n", "line 3: 'nan' must be finite"),
        ("t,rate\n0,1\ninf,1\n", "line 3: 'inf' must be finite"),
        ("t,rate\n0,1\n1,-2\n", "line 3: rate -2 must not be negative"),
        ("t,rate\n0,1\n1,1e300\n", "line 3: rate 1e.300 must be at most 1e.12"),
        ("t,rate,std\n0,1,1\n1,1,0\n", "line 3: std 0 must be positive"),
        ("t,rate\n0,1\n2,1\n1,1\n", "line 4: time 1 follows 2; times must increase"),
        ("t,rate\n0,1\n0,2\n", "line 3: time 0 follows 0; times must increase"),
        ("t,rate\n0,0\n1,0\n", "all rates are 0; at least one must be positive"),
        ("t\n", "holds no spike; there must be at least one"),
        ("t\n1\n0.5\n", "line 3: time 0.5 follows 1; times must not decrease"),
        ("t\n1,2\n", "line 2: '1,2' has 2 columns; a row must have 1, t"),
        ("t,neuron\n1,0.5\n", "line 2: neuron 0.5 must be an integer"),
        ("t,neuron\n1,x\n", "line 2: 'x' must be a number"),
        ("trial,t\n0.5,1\n", "line 2: trial 0.5 must be an integer"),
        ("trial,t\n1,1\n2,0.5\n1,0.9\n", "line 4: time 0.9 follows 1; times must not decrease"),
    ],
)
def test_wrong_files_are_refused(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        read_recording(path)
    assert str(path) in str(caught.value)


def test_what_is_no_text_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a readable file"):
        read_recording(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be a text file"):
        read_recording(tmp_path / "binary.csv")
