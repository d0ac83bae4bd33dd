"""Runs that go on while there is no room for their checkpoints."""

import errno
import os

import numpy as np
import pytest

from jaxnlif.integrate import checkpoint as checkpoint_module
from jaxnlif.integrate.progress import AbstractProgress, NoProgress
from jaxnlif.store import rotation

from . import test_checkpoint
from .test_checkpoint import assert_identical, learning, states, stop

_short_chunks, whole = test_checkpoint._short_chunks, test_checkpoint.whole


class Disk:
    """A disk on which there is room for so many bytes more."""

    def __init__(self):
        self.room = 2**30

    def take(self, size, *, at_least=1):
        if self.room < at_least:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(size, self.room)
        self.room -= taken
        return taken

    def open(self, path, mode, buffering=-1):
        file = open(path, mode, buffering)  # noqa: SIM115
        return Records(file, self) if buffering == 0 else file


class Records:
    """A file on such a disk, which like others may be written in part."""

    def __init__(self, file, disk):
        self.fileno, self.seek, self.close = file.fileno, file.seek, file.close
        self.write = lambda data: file.write(data[: disk.take(len(data))])


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    write_bytes = rotation.write_bytes
    monkeypatch.setattr(checkpoint_module, "open", disk.open, raising=False)

    def write(path, content):
        disk.take(1, at_least=2**20)
        write_bytes(path, content)

    monkeypatch.setattr(rotation, "write_bytes", write)
    return disk


def test_on_a_full_disk_the_run_goes_on_and_the_checkpoint_before_is_kept(whole, tmp_path, disk):
    stop(learning, tmp_path, after=100)
    before = states(tmp_path)
    disk.room = 1000  # less than a record, or a record and a half
    with pytest.warns(UserWarning, match="No space left on device; the run goes on"):
        solution = learning(tmp_path)
    assert_identical(solution, whole)
    assert states(tmp_path) == before
    disk.room = 2**30
    assert_identical(learning(tmp_path), whole)
    assert len(states(tmp_path)) == 2


def test_what_waits_for_room_is_written_when_there_is_some(whole, tmp_path, disk):
    class MakeRoom(AbstractProgress):
        def start(self, total):
            bar = NoProgress().start(total)
            bar.update = lambda steps: setattr(disk, "room", 2**30)
            return bar

    disk.room = 0
    with pytest.warns(UserWarning, match="No space left"):
        solution = learning(tmp_path, progress=MakeRoom())
    assert_identical(solution, whole)
    assert isinstance(solution.saved, np.memmap)


def test_another_fault_of_the_disk_is_an_error(tmp_path, monkeypatch):
    def broken(path, content):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(rotation, "write_bytes", broken)
    with pytest.raises(OSError, match="broken"):
        learning(tmp_path)
