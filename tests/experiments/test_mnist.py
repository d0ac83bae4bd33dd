"""Classification by the first spike, on small images that are easily told apart."""

import os
import struct
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnlif.cli import main
from jaxnlif.experiments import _classifier_setting as settings
from jaxnlif.experiments import mnist
from jaxnlif.experiments._classifier_training import Training, check_together, train
from jaxnlif.spikes.data.idx import FILES, load_images
from jaxnlif.store.files import read_arrays
from jaxnlif.store.leaves import to_arrays

from .._progress import Counter, Recording

pytestmark = pytest.mark.slow  # in single precision, whatever that of the run

TINY = replace(settings.Setting(), hidden=(12,), batch=50, epochs=2, rate=2e-2, shift=1)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Images of a bright cell of a grid, ten classes, with noise."""
    path = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for images, labels, num in ((FILES[0], FILES[1], 400), (FILES[2], FILES[3], 130)):
        classes = rng.integers(0, 10, num)
        pixels = rng.integers(0, 60, (num, 8, 8))
        row, column = classes // 4 * 2, classes % 4 * 2
        for k in range(num):
            pixels[k, row[k] : row[k] + 2, column[k] : column[k] + 2] = 250
        for name, array in ((images, pixels), (labels, classes)):
            header = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape)
            (path / name).write_bytes(header + array.astype(np.uint8).tobytes())
    return path


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setitem(settings.MNIST, "published", TINY)


@pytest.fixture(scope="module")
def trained(directory, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.MNIST, "published", TINY)
        assert run(directory, out, "--epochs", "4") == 0
    return out


def run(directory, out, *options):
    arguments = ["--data", str(directory), "--out", str(out), "--no-progress", *options]
    return main(["run", "mnist", *arguments])


def test_command_learns_and_writes(trained):
    arrays, metadata = read_arrays(trained / "mnist-0.npz")
    assert metadata["task"] == "mnist"
    assert len(arrays["accuracy"]) == 5
    assert arrays["loss"][-1] < arrays["loss"][0]
    assert arrays["spikes_per_neuron"][0] == 0
    assert (trained / "mnist.png").stat().st_size > 10_000


def test_resumed_training_is_the_same_bit_for_bit(directory, trained, tmp_path):
    task = mnist.task(load_images(directory), TINY)
    path = tmp_path / "checkpoint"
    longer = replace(TINY, epochs=4)

    jax.config.update("jax_enable_x64", False)
    with pytest.raises(KeyboardInterrupt):
        train(longer, task, 0, path, progress=Recording(Counter(limit=2)))
    assert len(read_arrays(max(path.glob("state-*.npz")))[0]["loss"]) == 3
    resumed = train(longer, task, 0, path, resume=True)
    resumed = to_arrays(resumed.state) | resumed.history
    whole = read_arrays(trained / "mnist-0.npz")[0]
    assert whole.keys() == resumed.keys()
    for name in whole.keys() - {"seconds"}:
        np.testing.assert_array_equal(resumed[name], whole[name])


def test_other_data_are_not_taken_up(directory, trained, tmp_path):
    images = load_images(directory)
    other = mnist.task(images._replace(test=255 - images.test), TINY)
    with pytest.raises(ValueError, match="is of another training, by its data"):
        train(TINY, other, 0, trained / "mnist-0-checkpoint", resume=True)


def test_shifted_images():
    image = jnp.zeros((200, 9), jnp.uint8).at[:, 4].set(9)
    moved = mnist.shifted(image, 3, 1, key=jax.random.key(0))
    assert np.all(np.sum(np.asarray(moved), 1) == 9)
    assert set(np.argmax(np.asarray(moved), 1)) == set(range(9))


def test_mirrored_images():
    images = jnp.arange(9, dtype=jnp.uint8)[None].repeat(50, 0)
    moved = np.asarray(mnist.mirrored(images, 3, key=jax.random.key(0)))
    assert {tuple(image) for image in moved} == {
        (0, 1, 2, 3, 4, 5, 6, 7, 8),
        (2, 1, 0, 5, 4, 3, 8, 7, 6),
    }


def test_trainings_at_different_epochs_do_not_go_on_together():
    begun = Training(None, {"loss": np.zeros(3)})
    assert check_together([begun, begun]) == 2
    with pytest.raises(ValueError, match="--together: the checkpoints have come to epochs 0 and 2"):
        check_together([begun, None])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "--epochs = 0: must be at least 1"),
        (["--hidden", "5", "0"], "--hidden = 0: must be at least 1"),
        (["--seeds", "0"], "--seeds = 0: must be at least 1"),
        (["--setting", "good"], "--setting = 'good': must be one of"),
        (["--validate"], "training set: must have more than 10000 images"),
    ],
)
def test_wrong_arguments(options, message, directory, tmp_path, capsys):
    assert run(directory, tmp_path / "new", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_missing_data_are_named(tmp_path, capsys):
    assert run(tmp_path, tmp_path / "out") == 2
    assert "must hold train-images-idx3-ubyte, " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_checkpoints_of_other_settings_are_refused(directory, trained, capsys):
    assert run(directory, trained, "--epochs", "5", "--resume") == 2
    assert "is of another training, by its setting" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif("JAXNLIF_MNIST" not in os.environ, reason="JAXNLIF_MNIST names no directory")
def test_an_epoch_of_mnist(tmp_path):
    setting = replace(settings.Setting(), epochs=1)
    task = mnist.task(load_images(os.environ["JAXNLIF_MNIST"]), setting)
    assert train(setting, task, 0).history["accuracy"][-1] > 0.88
