"""Damaged and forged files are refused in one line, and never read anything but themselves."""

import dataclasses
import io

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
from checks.trust import damage
from checks.trust.damage import SEAL, archive, sealed

import jaxnlif as jn
from jaxnlif.store import files

from . import _solutions as solutions


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A saved solution by suffix, and an array."""
    directory = tmp_path_factory.mktemp("written")
    for suffix in ("npz", "nc"):
        jn.io.save(directory / f"run.{suffix}", solutions.solution("unstructured"))
    np.save(directory / "run.npy", np.stack([np.arange(5.0), np.ones(5)], 1))
    return {path.suffix: path.read_bytes() for path in directory.iterdir()}


def forged(content: bytes, change) -> bytes:
    """A NetCDF file with its seal after `change` of what it holds."""
    memory = io.BytesIO(content[: content.rfind(SEAL)])
    with h5py.File(memory, "r+") as file:
        change(file)
    return sealed(memory.getvalue())


def header(descr="'<f8'", shape="(2, 2)", order="False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header(shape="(((2,2)"),
        header(shape="(10000000000000, 2)"),
        header(shape="(1152921504606846976,)"),
        header(shape="(-2, -2)") + bytes(32),
        header(shape="(99999999999999999999999999, 2)"),
        header(shape="(" * 3000),
        header(descr="'<U0'", shape="(10000000000000,)"),
        header(descr="'|O'", shape="(2,)") + bytes(16),
        header() + bytes(33),
        header() + bytes(31),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
        b"",
    ],
)
def test_a_damaged_array_is_refused(content, tmp_path):
    path = tmp_path / "signal.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"signal\.npy: must be an array of real numbers"):
        jn.io.read_signal(path)


def test_what_is_no_regular_file_is_refused(tmp_path):
    for name in ("a.npy", "a.npz", "a.nc"):
        (tmp_path / name).mkdir()
        read = jn.io.read_signal if name.endswith("y") else jn.io.load
        with pytest.raises(ValueError, match=r"must be an? |is a directory"):
            read(tmp_path / name)


def test_archives_that_grow_are_refused_before_they_do(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnlif.store.npy._ALWAYS", 10**5)
    path = tmp_path / "run.npz"
    bomb = ("x.npy", header(shape="(1000, 1000)") + bytes(8 * 10**6))
    path.write_bytes(archive(bomb))
    size = path.stat().st_size
    rule = (
        rf"declares 80000\d\d bytes of arrays; a file of {size} bytes may hold at most {100 * size}"
    )
    with pytest.raises(ValueError, match=rule):
        jn.io.load(path)
    twice = archive(("x.npy", header(shape="(0,)")), ("y.npy", header(shape="(0,)")))
    path.write_bytes(twice.replace(b"y.npy", b"x.npy"))
    with pytest.raises(ValueError, match="must be a result file"):
        jn.io.load(path)


def test_what_compresses_too_well_is_written_plain(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnlif.store.npy._ALWAYS", 10**4)
    zeros = np.zeros((5, 10**5))
    files.write_arrays(tmp_path / "run.npz", {"x": zeros}, {})
    np.testing.assert_array_equal(files.read_arrays(tmp_path / "run.npz")[0]["x"], zeros)
    sol = dataclasses.replace(solutions.solution("unstructured"), saved=jnp.zeros((6, 10**5)))
    for name in ("run.npz", "run.nc"):
        jn.io.save(tmp_path / name, sol)
        assert jn.io.load(tmp_path / name).saved.shape == (6, 10**5)
        assert (tmp_path / name).stat().st_size > 10**6


def doubly_compressed(file):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((10,))
    plist.set_deflate(9)
    plist.set_deflate(9)
    space = h5py.h5s.create_simple((10,))
    h5py.h5d.create(file["jaxnlif"].id, b"leak", h5py.h5t.NATIVE_DOUBLE, space, plist)


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "x", (3,))
    file["jaxnlif"].create_virtual_dataset("leak", layout)


def elsewhere(file):
    del file["jaxnlif"]
    file["jaxnlif"] = h5py.ExternalLink("secret.h5", "/")


FORGERIES = {
    "stored in another file": lambda file: file["jaxnlif"].create_dataset(
        "leak", (3,), "u1", external=[("secret", 0, 3)]
    ),
    "made of other files": virtual,
    "leak must lie in the file itself": lambda file: file["jaxnlif"].__setitem__(
        "leak", h5py.ExternalLink("secret.h5", "/x")
    ),
    "rate_ must lie in the file itself": lambda file: file.__setitem__(
        "rate_", h5py.SoftLink("/rate")
    ),
    "jaxnlif must lie in the file itself": elsewhere,
    r"has filters \[1, 1\]": doubly_compressed,
    "leak must hold numbers": lambda file: file["jaxnlif"].create_dataset(
        "leak", (3,), h5py.vlen_dtype(np.float64)
    ),
    r"declares 8\d{12} bytes of arrays": lambda file: file["jaxnlif"].create_dataset(
        "leak", (10**6, 10**6), "f8", chunks=(100, 100), compression="gzip"
    ),
    r"declares 8\d{11} bytes of arrays": lambda file: (
        file["jaxnlif"].create_dataset("leak", (1,), "f8", chunks=(10**8,), maxshape=(None,))
        and file["jaxnlif"].create_dataset("more", (10**11,), "f8")
    ),
}


@pytest.mark.parametrize("message", FORGERIES)
def test_a_file_of_netcdf_holds_itself_only(message, written, tmp_path):
    path = tmp_path / "run.nc"
    path.write_bytes(forged(written[".nc"], FORGERIES[message]))
    with pytest.raises(ValueError, match=message):
        jn.io.load(path)


def test_damage_of_any_kind_is_a_line_or_a_right_result():
    outcome = damage.read(140, seed=0)
    assert outcome.faults == []
    assert outcome.refused > 70
    assert outcome.read > 20


def test_a_text_that_is_none_is_refused(written, tmp_path):
    body = written[".nc"][: -len(sealed(b""))]
    path = tmp_path / "run.nc"
    path.write_bytes(sealed(body.replace(b'"kind"', b"\xba" * 6)))
    with pytest.raises(ValueError, match=r"run\.nc: must be a NetCDF file written by jaxnlif"):
        jn.io.load(path)
