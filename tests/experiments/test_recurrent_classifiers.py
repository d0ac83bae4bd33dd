"""Recurrent classifiers: rows of images, generated spikes, several networks at once."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.cli import main
from jaxnlif.experiments import _recurrent_setting as settings
from jaxnlif.experiments import rows, shd
from jaxnlif.experiments._classifier_training import train
from jaxnlif.spikes.data import moving_tones, save_events
from jaxnlif.spikes.data.idx import Images
from jaxnlif.store.files import read_arrays

pytestmark = pytest.mark.slow

TINY = replace(settings.ROWS["small"], hidden=(16,), batch=20, epochs=6, max_events=200)


@pytest.fixture(autouse=True)
def _single():
    jax.config.update("jax_enable_x64", False)


@pytest.fixture(scope="module")
def images():
    """Four classes: which row is bright, or which column, of 8 × 8 pixels."""
    rng = np.random.default_rng(0)

    def draw(num):
        labels = rng.integers(0, 4, num)
        pixels = rng.integers(0, 60, (num, 8, 8))
        for k, label in enumerate(labels):
            place = 1 if label % 2 else 6
            (pixels[k] if label < 2 else pixels[k].T)[place] = 250
        return pixels.reshape(num, 64).astype(np.uint8), labels.astype(np.uint8)

    return Images(*draw(300), *draw(100), 8)


def test_rows_are_seen_one_after_the_other(images):
    encoder = rows.task(images, replace(TINY, bins=2), 4).encoder
    inputs = encoder(jnp.asarray([[255, 150, 0, 0] * 4], jnp.uint8), None)
    assert inputs.counts.shape == (1, 8, 4)
    np.testing.assert_array_equal(inputs.counts[0, 0], [1, 0, 0, 0])
    np.testing.assert_array_equal(inputs.counts[0, 1], [0, 1, 0, 0])
    assert jnp.all(jnp.diff(inputs.times) > 0)


def test_rows_and_columns_are_told_apart(images):
    history = train(TINY, rows.task(images, TINY, 8), 0).history
    assert history["accuracy"][-1] > 0.9 > history["accuracy"][0]


def test_networks_that_train_together_are_those_that_train_alone(tmp_path, monkeypatch):
    tiny = replace(TINY, hidden=(6,), batch=5, epochs=2, max_events=3000)
    monkeypatch.setitem(settings.SHD, "best", tiny)
    tones = [
        moving_tones(size, seed=seed, channels=12, classes=4) for size, seed in ((20, 1), (9, 2))
    ]
    small = [one.subset(range(len(one.labels))) for one in tones]
    monkeypatch.setattr(shd, "generated", lambda sizes=None: small)
    found = []
    for name, options in (("together", ["--together"]), ("alone", [])):
        out = tmp_path / name
        arguments = ["--seeds", "2", "--no-progress", "--out", str(out), *options]
        assert main(["run", "shd", *arguments]) == 0
        found.append([read_arrays(out / f"shd-{seed}.npz")[0] for seed in (0, 1)])
        assert (out / "shd.png").stat().st_size > 10_000
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one["loss"], other["loss"], rtol=2e-3)
    assert found[0][0]["loss"][0] != found[0][1]["loss"][0]


WRONG = {
    "--neuron": (["--neuron", "pulse"], "--neuron"),
    "--hidden": (["--hidden", "3", "4"], "--hidden = 3 4: a recurrent network has one number"),
    "--data": (["--data", "nowhere"], "--data = nowhere: must hold shd_train.h5 and shd_test.h5"),
    "--samples": (["--samples", "0", "4"], "--samples = 0: must be at least 1"),
    "--rate": (["--rate", "-1"], "--rate = -1: must be positive"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options_are_one_line(name, capsys, tmp_path):
    options, message = WRONG[name]
    with pytest.raises(SystemExit):
        raise SystemExit(main(["run", "shd", "--out", str(tmp_path / "out"), *options]))
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_files_in_the_place_of_generated_spikes(tmp_path):
    for name, size in (("shd_train.h5", 12), ("shd_test.h5", 6)):
        save_events(tmp_path / name, moving_tones(size, seed=size, channels=700, classes=20))
    train_set, test_set = shd.read(str(tmp_path), [10, 5])
    assert len(train_set.labels) == 10
    task = shd.task(train_set, test_set, TINY)
    assert (task.inputs, task.classes) == (700, 20)
    inputs = task.encoder(jax.tree.map(lambda x: x[:2], task.test.x), None)
    last = jnp.max(jnp.where(jnp.isfinite(inputs.times), inputs.times, 0))
    assert 0.5 * TINY.duration < float(last) < TINY.duration
