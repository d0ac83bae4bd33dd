"""Event files, and what is wrong with them."""

import sys

import h5py
import numpy as np
import pytest

from jaxnlif.spikes.data import load_events, save_events

TIMES = [[0.1, 0.25, 0.25], [], [0.5]]
UNITS = [[3, 0, 2], [], [699]]


@pytest.fixture
def write(tmp_path):
    """Writes a file of three samples, some of whose fields are others, or left out if `None`."""

    def write(times=TIMES, units=UNITS, labels=(19, 0, 4), kind=np.float16, unit_kind=np.uint16):
        path = tmp_path / "events.h5"
        with h5py.File(path, "w") as file:
            for name, rows, dtype in (("times", times, kind), ("units", units, unit_kind)):
                if rows is not None:
                    field = file.create_dataset(
                        f"spikes/{name}", len(rows), h5py.vlen_dtype(np.dtype(dtype))
                    )
                    for k, row in enumerate(rows):
                        field[k] = np.array(row, dtype)
            if labels is not None:
                file["labels"] = labels
        return path

    return write


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_spikes_lie_one_sample_after_the_other(write, kind):
    events = load_events(write(kind=kind))
    assert events.times.dtype == np.promote_types(kind, np.float32)
    np.testing.assert_array_equal(events.times, np.array([0.1, 0.25, 0.25, 0.5], kind))
    assert events.units.dtype == np.uint16
    assert events.units.tolist() == [3, 0, 2, 699]
    assert events.offsets.tolist() == [0, 3, 3, 4]
    assert events.num_spikes.tolist() == [3, 0, 1]
    assert events.labels.tolist() == [19, 0, 4]
    assert (events.channels, events.classes) == (700, 20)


def test_spikes_are_pairs_that_are_sorted_by_time(write):
    path = write(times=[[0.5, 0.25, 0.25], [0.125], [0.75, 0.0]], units=[[1, 2, 3], [4], [5, 6]])
    events = load_events(path)
    assert events.times.tolist() == [0.25, 0.25, 0.5, 0.125, 0.0, 0.75]
    assert events.units.tolist() == [2, 3, 1, 4, 6, 5]


@pytest.mark.parametrize("samples", [[2, 0, 2], [1], [], np.arange(3)])
def test_written_and_read_again(write, tmp_path, samples):
    events = load_events(write())
    some = events.subset(samples)
    assert some.num_spikes.tolist() == [[3, 0, 1][k] for k in samples]
    for k, sample in enumerate(samples):
        ours = slice(some.offsets[k], some.offsets[k + 1])
        assert some.units[ours].tolist() == UNITS[sample]
    if len(samples):
        save_events(tmp_path / "some.h5", some)
        for one, other in zip(load_events(tmp_path / "some.h5"), some, strict=True):
            np.testing.assert_array_equal(one, other)


def test_samples_that_do_not_exist(write):
    with pytest.raises(ValueError, match=r"^samples = 3: must be from 0 to 2$"):
        load_events(write()).subset([0, 3])


NAN, NEGATIVE = [[0.1, np.nan, 0.2], [], [0.5]], [[0.1, 0.2, 0.3], [], [-0.5]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"times": None}, "must have the field spikes/times"),
        ({"units": None}, "must have the field spikes/units"),
        ({"labels": None}, "must have the field labels"),
        ({"units": UNITS[:2]}, "times of 3 samples and units of 2: must be as many"),
        ({"units": [[3, 0], [], [1]]}, "sample 0 has 3 times and 2 units; must be as many"),
        ({"labels": [0, 1]}, "2 labels: must be as many as samples, 3"),
        ({"labels": [0, 20, 1]}, "label 20 of sample 1: must be from 0 to 19, one of 20 classes"),
        ({"labels": [0, -1, 1]}, "label -1 of sample 1: must be from 0 to 19"),
        ({"labels": [0.0, 1.0, 2.0]}, "labels must be a sequence of integers"),
        ({"labels": [[0, 1, 2]]}, "labels must be a sequence of integers"),
        ({"times": NAN}, "time nan at spike 1 of sample 0: must be a number of seconds"),
        ({"times": NEGATIVE}, "time -0.5 at spike 0 of sample 2: must be a number of seconds"),
        ({"times": [[0.1, np.inf, 0.2], [], [0.5]]}, "time inf at spike 1 of sample 0"),
        ({"units": [[3, 0, 2], [], [700]]}, "unit 700 at spike 0 of sample 2: must be from 0 to"),
        (
            {"units": [[3, -1, 2], [], [0]], "unit_kind": np.int64},
            "unit -1 at spike 1 of sample 0: must be from 0 to 699, one of 700 channels",
        ),
        ({"kind": np.int32, "times": UNITS}, "spikes/times must be a sequence of arrays of var"),
        ({"unit_kind": np.float32}, "spikes/units must be a sequence of arrays of variable length"),
        ({"times": [], "units": [], "labels": np.zeros(0, int)}, "must hold at least one sample"),
    ],
)
def test_data_that_do_not_fit(write, fields, message):
    path = write(**fields)
    with pytest.raises(ValueError, match=message) as error:
        load_events(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_fields_of_another_form(write):
    path = write()
    with h5py.File(path, "a") as file:
        del file["spikes/times"]
        file["spikes/times"] = np.zeros((3, 2))
    with pytest.raises(ValueError, match="spikes/times must be a sequence of arrays of variable"):
        load_events(path)
    with h5py.File(path, "a") as file:
        del file["spikes/times"]
        file.create_group("spikes/times")
    with pytest.raises(ValueError, match="spikes/times must be an array, not a group"):
        load_events(path)
    path = write()
    with h5py.File(path, "a") as file:
        del file["labels"]
        file["labels"] = h5py.SoftLink("/spikes/units")
    with pytest.raises(ValueError, match="labels must lie in the file itself"):
        load_events(path)


def test_few_bytes_that_stand_for_many(write):
    path = write(labels=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("labels", 10**12, np.uint8, chunks=(1024,))  # never written
    with pytest.raises(ValueError, match="1000000000000 labels are more than a file of its size"):
        load_events(path)


@pytest.mark.parametrize("content", [b"", b"no HDF5", None])
def test_files_that_are_no_hdf5(write, content):
    path = write()
    path.write_bytes(path.read_bytes()[:-300] if content is None else content)
    with pytest.raises(ValueError, match="must be an HDF5 file that can be read") as error:
        load_events(path)
    assert str(error.value).startswith(f"{path}: ")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"events\.h5"):
        load_events(tmp_path / "events.h5")
    with pytest.raises(ValueError, match="must be an HDF5 file that can be read"):
        load_events(tmp_path)


def test_without_h5py(write, monkeypatch):
    path = write()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"^event files need h5py: pip install 'jaxnlif\[io\]'$"):
        load_events(path)
