import os
import stat

import numpy as np
import pytest
from checks.trust.files import Writes, written

from jaxnlif.store import files


def test_arrays_and_metadata_come_back_as_written(tmp_path):
    path = tmp_path / "result.npz"
    arrays = {"rate": np.linspace(0, 1, 5), "count": np.arange(3, dtype=np.int32)}
    metadata = {"gain": 0.3, "phases": ["learning", "Prüfung"], "nested": {"none": None}}
    files.write_arrays(path, arrays, metadata)
    read, content = files.read_arrays(path)
    assert content == metadata
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
    assert os.listdir(tmp_path) == ["result.npz"]


def test_result_files_follow_the_umask(tmp_path):
    files.write_arrays(tmp_path / "result.npz", {}, {})
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE((tmp_path / "result.npz").stat().st_mode) == stat.S_IMODE(
        plain.stat().st_mode
    )


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "figure.png"
    path.write_text("old")
    beside = []

    def write():
        with files.write_atomically(path) as partial:
            partial.write_text("half")
            beside.append(partial)
            raise error

    with pytest.raises(error):
        write()
    assert beside[0].suffix == ".png"
    assert beside[0].parent == tmp_path
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["figure.png"]


def test_wrong_metadata_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="metadata: must be what JSON can hold"):
        files.write_arrays(tmp_path / "result.npz", {}, {"set": {1}})
    with pytest.raises(ValueError, match="'metadata' is reserved"):
        files.write_arrays(tmp_path / "result.npz", {"metadata": np.zeros(1)}, {})
    assert os.listdir(tmp_path) == []


def test_foreign_and_newer_files_are_refused(tmp_path, monkeypatch):
    text = tmp_path / "text.npz"
    text.write_text("not an archive")
    with pytest.raises(ValueError, match=r"text\.npz: must be a result file of jaxnlif"):
        files.read_arrays(text)
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, rate=np.zeros(2))
    with pytest.raises(ValueError, match="must be a result file of jaxnlif"):
        files.read_arrays(foreign)
    monkeypatch.setattr(files, "FORMAT", files.FORMAT + 1)
    files.write_arrays(tmp_path / "newer.npz", {}, {})
    monkeypatch.undo()
    with pytest.raises(ValueError, match="file format 2 is newer than 1"):
        files.read_arrays(tmp_path / "newer.npz")


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "run.npz"
    abandoned = tmp_path / f".run-{'0a' * 16}.npz"
    others = [tmp_path / f".run-{'0a' * 16}.nc", tmp_path / ".run-of-mine.npz"]
    for file in (abandoned, *others):
        file.write_bytes(b"half")
    with files.write_atomically(path) as first:  # another process, which is writing
        files.write_arrays(path, {}, {"number": 2})
        assert first.exists()
    assert not abandoned.exists()
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


def test_on_a_full_disk_every_write_ends_in_a_line_and_leaves_nothing():
    assert written((0, 1000)) == Writes(failed=14, faults=[])
