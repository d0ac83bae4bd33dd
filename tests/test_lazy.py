"""What is imported for little, and that public names are found where they are first used."""

from __future__ import annotations

import ast
import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import jaxnlif as jn

ROOT = Path(__file__).parents[1]
STUB = ast.parse(Path(str(jn.__file__)).with_suffix(".pyi").read_text(encoding="utf-8"))
NAMES = [name.name for x in STUB.body if isinstance(x, ast.ImportFrom) for name in x.names]

HEAVY = {
    *("h5py", "jax.experimental.multihost_utils", "jax.experimental.pallas", "matplotlib", "neo"),
    *("numpy.polynomial", "optax", "optimistix", "pandas", "scipy", "tqdm", "xarray"),
    *("jaxnlif.experiments", "jaxnlif.fitting", "jaxnlif.io", "jaxnlif.plot", "jaxnlif.spikes"),
}


def loaded(*command: str) -> set[str]:
    """The modules that a fresh process imports."""
    report = "import atexit, sys; atexit.register(lambda: print(*sys.modules, sep='\\n'))"
    run = "import runpy; sys.argv = {!r}; runpy.run_module({!r}, run_name='__main__')"
    code = command[0] if len(command) == 1 else run.format(list(command), command[0])
    done = subprocess.run(
        [sys.executable, "-c", f"{report}\n{code}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def of_a_network() -> set[str]:
    return loaded("import jaxnlif as jn; jn.Network, jn.FluxShift, jn.solve")


def test_a_network_loads_what_it_needs(of_a_network):
    assert {"jaxnlif.integrate.solve", "jaxnlif.density.solver", "jax"} <= of_a_network
    assert not HEAVY & of_a_network


def test_the_command_answers_without_jax():
    found = loaded("jaxnlif", "list")
    assert {"jaxnlif.cli", "jaxnlif.experiments"} <= found
    assert not (HEAVY - {"jaxnlif.experiments"} | {"equinox", "jax", "numpy"}) & found


def test_the_package_alone_loads_nothing():
    assert not {"equinox", "jax", "numpy"} & loaded("import jaxnlif; dir(jaxnlif)")


def test_heavy_modules_exist():
    """A name that is misspelt would be loaded by nobody."""
    known = {name for name in HEAVY if name.startswith("jaxnlif")} | {"matplotlib", "optax"}
    assert all(importlib.util.find_spec(name) for name in known)


def test_every_name_is_found_and_listed():
    assert len(NAMES) == len(set(NAMES)) > 50
    assert set(NAMES) <= set(dir(jn))
    assert sorted(NAMES) == jn.__all__
    for name in NAMES:
        thing = getattr(jn, name)
        assert thing is getattr(jn, name)
        assert getattr(thing, "__qualname__", name) == name
    assert jn.sweep.__module__ == "jaxnlif.sweeping.sweep"
    assert jn.stationary.__name__ == "jaxnlif.density.stationary"


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="module 'jaxnlif' has no attribute 'Netwrok'"):
        jn.Netwrok  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Netwrok'"):
        from jaxnlif import Netwrok  # noqa: F401


def test_public_names_are_pickled():
    for name in ("Network", "solve", "Result"):
        assert pickle.loads(pickle.dumps(getattr(jn, name))) is getattr(jn, name)
