"""What is no checkpoint of this run is refused, and left alone."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif.store import directory as directory_module
from jaxnlif.store import rotation

from . import test_checkpoint
from .test_checkpoint import assert_identical, content, learning, particles, stop, unstructured

_short_chunks = test_checkpoint._short_chunks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": 0.9}, r"model\.noise = 1\.0, here 0\.9"),
        ({"gain": 0.2}, r"model\.learning\.gain = 0\.3, here 0\.2"),
        ({"num": 30}, r"solver\.grid\.v\.num = 24, here 30"),
        ({"saveat": jn.SaveAt(num=3)}, r"saveat\.num = 31, here 3"),
        ({"steps": 330}, r"steps = 300, here 330"),
        pytest.param({"dtype": np.float32}, r"precision = float64, here float32"),
    ],
)
def test_another_run_is_refused_and_left_alone(change, message, tmp_path):
    stop(learning, tmp_path, after=100)
    before = content(tmp_path)
    with pytest.raises(ValueError, match=f"checkpoint: .* holds another run: .*{message}"):
        learning(tmp_path, **change)
    assert content(tmp_path) == before


def test_an_edited_class_of_the_user_is_another_run(tmp_path):
    def drive(factor):
        class Own(jn.AbstractDrive):
            height: float = 1.0

            def __call__(self, t, w):
                return jnp.full_like(w, factor * self.height)

        return Own()

    def run(factor):
        return unstructured(tmp_path, drive=drive(factor), steps=30)

    first = run(1.0)
    assert_identical(run(1.0), first)
    with pytest.raises(ValueError, match=r"another run: model\.drive = .*Own with SHA-256 .*here"):
        run(2.0)


HEIGHT = 1.0


class Own(jn.AbstractDrive):
    def __call__(self, t, w):
        return jnp.full_like(w, HEIGHT)


def test_a_changed_constant_that_a_drive_reads_is_another_run(tmp_path, monkeypatch):
    first = unstructured(tmp_path, drive=Own(), steps=30)
    assert_identical(unstructured(tmp_path, drive=Own(), steps=30), first)
    before = content(tmp_path)
    monkeypatch.setitem(globals(), "HEIGHT", 2.0)
    with pytest.raises(ValueError, match=r"another run: global .*HEIGHT = 1\.0, here 2\.0"):
        unstructured(tmp_path, drive=Own(), steps=30)
    assert content(tmp_path) == before


def test_the_checkpoint_of_a_fit_is_none_of_a_run(tmp_path):
    network = jn.Network(weight=0.0, drive=1.0)
    jn.fit(
        network,
        lambda m: m.noise,
        lambda noise: noise - 1,
        where=lambda m: m.noise,
        steps=1,
        checkpoint=jn.Checkpoint(tmp_path),
    )
    with pytest.raises(ValueError, match="holds no run, but another checkpoint"):
        learning(tmp_path)


def test_another_key_is_another_run(tmp_path):
    stop(particles, tmp_path, after=100)
    with pytest.raises(ValueError, match="holds another run: key = "):
        particles(tmp_path, seed=3)


@pytest.mark.parametrize(
    ("module", "name", "value", "message"),
    [
        (jn, "__version__", "7.0", rf"jaxnlif = {jn.__version__}, here 7\.0"),
        (rotation, "FORMAT", 7, "format = 2, here 7"),
    ],
)
def test_another_version_is_refused_and_left_alone(
    module, name, value, message, tmp_path, monkeypatch
):
    stop(learning, tmp_path, after=100)
    before = content(tmp_path)
    monkeypatch.setattr(module, name, value)
    with pytest.raises(ValueError, match=f"is of another version: {message}"):
        learning(tmp_path)
    assert content(tmp_path) == before


def test_another_machine_is_told(tmp_path, monkeypatch):
    stop(learning, tmp_path, after=100)
    monkeypatch.setattr(rotation, "_machine", lambda: {"jax": "0.0", "device": "abacus"})
    with pytest.warns(UserWarning, match="written elsewhere, by .*here 0.0.*may differ"):
        learning(tmp_path)


def test_two_runs_cannot_share_a_directory(tmp_path):
    with (
        directory_module.exclusive(tmp_path),
        pytest.raises(OSError, match=r"another run is writing to .*; give each a directory"),
    ):
        learning(tmp_path)
    learning(tmp_path)
