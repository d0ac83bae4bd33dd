"""Files whose bytes are changed, or that have changed places: one line, or a right result."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import jaxnlif as jn

SEAL = b"jaxnlif sha256 "
_LONGEST = 20.0
"""Seconds that reading one file may take."""


class Outcome(NamedTuple):
    """How many files were refused in one line, how many were read, and what went wrong."""

    refused: int
    read: int
    faults: list[str]


class _Case(NamedTuple):
    """How a damaged file or directory comes to be, how it is read, and what is right, if known."""

    damage: Callable[[random.Random], None]
    read: Callable[[], Any]
    right: Any


def read(times: int, seed: int) -> Outcome:
    """Reads so many damaged files, of all kinds in turn."""
    rng, refused, whole, faults = random.Random(seed), 0, 0, []
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damage that is made good
        cases = _cases(Path(temporary))
        for number in range(times):
            name, case = list(cases.items())[number % len(cases)]
            case.damage(rng)
            began = time.monotonic()
            try:
                found = case.read()
            except ValueError as error:
                refused += 1
                if "\n" in str(error) or temporary not in str(error):
                    faults.append(f"{number} {name}: {error}")
            except Exception as error:
                faults.append(f"{number} {name}: {type(error).__name__}: {error}")
            else:
                whole += 1
                if case.right is not None and not np.array_equal(found, case.right):
                    faults.append(f"{number} {name}: wrong")
            if time.monotonic() - began > _LONGEST:
                faults.append(f"{number} {name}: took {time.monotonic() - began:.1f} s")
    return Outcome(refused, whole, faults)


def sealed(content: bytes) -> bytes:
    """The content of a NetCDF file with the checksum that `save` puts after it."""
    return content + SEAL + hashlib.sha256(content).hexdigest().encode()


def archive(*entries: tuple[str, bytes]) -> bytes:
    """A compressed archive of these files."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return memory.getvalue()


def changed(content: bytes, rng: random.Random, most: int | None = None) -> bytes:
    """Bytes of which some, among the first `most`, are changed, removed or added."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 2, 20])):
        place = rng.randrange(min(most or len(data), len(data)))
        match rng.randrange(4):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                del data[place : place + rng.randrange(1, 20)]
            case 2:
                data[place:place] = rng.choice([b"9" * 12, b"((", b"\xff" * 8, b"'", b"\n"])
            case _:
                data[place : place + 8] = rng.choice([2**60, 2**40, 2**63 - 1]).to_bytes(
                    8, "little"
                )
    return bytes(data)


def _cases(folder: Path) -> dict[str, _Case]:
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))
    y0 = jn.gaussian(grid, v=(-1.0, 0.5))

    def run(directory: Path | None) -> jn.Solution:
        checkpoint = directory and jn.Checkpoint(directory, every=0)
        saveat = jn.SaveAt(num=6)
        return jn.solve(
            jn.Network(weight=0.5),
            jn.FluxShift(grid),
            y0=y0,
            t1=0.5,
            dt=0.01,
            saveat=saveat,
            checkpoint=checkpoint,
        )

    def sweep(directory: Path | None) -> np.ndarray:
        values = {"x": np.arange(4.0)}
        return np.asarray(
            jn.sweep(lambda x: jnp.sin(x), values, chunk=1, directory=directory).values
        )

    solution = run(None)
    for suffix in (".npz", ".nc"):
        jn.io.save(folder / f"run{suffix}", solution)
    np.save(folder / "run.npy", np.stack([np.arange(5.0), np.ones(5)], 1))
    content = {x: (folder / f"run{x}").read_bytes() for x in (".npy", ".npz", ".nc")}
    body = content[".nc"][: -len(sealed(b""))]
    saved = np.asarray(solution.saved)
    return {
        "array": _file(folder / "a.npy", lambda rng: changed(content[".npy"], rng, 128)),
        "archive": _file(folder / "a.npz", lambda rng: changed(content[".npz"], rng), saved),
        "netcdf": _file(folder / "a.nc", lambda rng: changed(content[".nc"], rng), saved),
        # Forged: with checksums that are right.
        "member": _file(folder / "b.npz", lambda rng: _member(content[".npz"], rng)),
        "sealed": _file(folder / "b.nc", lambda rng: sealed(changed(body, rng))),
        "checkpoint": _directory(folder / "run", lambda x: np.asarray(run(x).saved)),
        "sweep": _directory(folder / "sweep", sweep),
    }


def _file(path: Path, content: Callable[[random.Random], bytes], right: Any = None) -> _Case:
    def read() -> Any:
        if path.suffix == ".npy":
            return jn.io.read_signal(path).values
        return np.asarray(jn.io.load(path).saved)

    return _Case(lambda rng: path.write_bytes(content(rng)) and None, read, right)


def _member(content: bytes, rng: random.Random) -> bytes:
    """An archive with one damaged array."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    name = rng.choice(list(parts))
    return archive(*(parts | {name: changed(parts[name], rng, 128)}).items())


def _directory(path: Path, run: Callable[[Path | None], np.ndarray]) -> _Case:
    """What a run leaves in a directory, of which a file is damaged, or has changed places."""
    run(path)
    whole = path.with_name(f"{path.name}-whole")
    path.rename(whole)

    def damage(rng: random.Random) -> None:
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(whole, path)
        files = sorted(x for x in path.iterdir() if x.stat().st_size)
        one, other = rng.sample(files, 2)
        match rng.randrange(4):
            case 0:
                one.write_bytes(changed(one.read_bytes(), rng))
            case 1:
                one.unlink()
            case 2:
                one.rename(path / "aside")
                other.rename(one)
                (path / "aside").rename(other)
            case _:
                other.write_bytes(one.read_bytes())

    return _Case(damage, lambda: run(path), run(None))
