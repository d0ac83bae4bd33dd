"""Animations: their frames, their files, and what cannot be animated."""

import numpy as np
import pytest
from matplotlib.animation import FFMpegWriter, writers
from PIL import Image

import jaxnlif as jn

SMALL = jn.plot.Size(2.0, 1.5, 6, dpi=50)


def watched(sol, **options):
    """An animation that is looked at but never saved, of which matplotlib does not complain."""
    moving = jn.plot.animate(sol, **options)
    moving._draw_was_started = True
    return moving


def test_a_file_holds_a_frame_for_each_saved_time(learned, tmp_path):
    path = tmp_path / "density.gif"
    jn.plot.animate(learned, path, fps=10, size=SMALL)
    with Image.open(path) as image:
        assert image.format == "GIF"
        assert image.n_frames == len(learned.ts)
        assert image.size == (100, 75)
        assert image.info["duration"] == 100  # ms
        image.seek(0)
        first = np.asarray(image.convert("RGB"))
        image.seek(4)
        assert np.any(first != np.asarray(image.convert("RGB")))
    assert [one.name for one in tmp_path.iterdir()] == ["density.gif"]


def test_frames_show_densities_and_times(learned):
    _, ax = jn.plot.figure(size=SMALL)
    moving = watched(learned, ax=ax)
    for frame in (3, 1):
        moving._draw_frame(frame)
        np.testing.assert_array_equal(ax.images[0].get_array(), learned.density(frame))
        assert ax.get_title("left") == f"$t$ = {0.25 * frame:g} (learning times)"


def test_a_notebook_shows_all_frames(blown_up):
    shown = jn.plot.animate(blown_up, size=SMALL).to_jshtml()
    assert shown.count("data:image/png;base64") == len(blown_up.ts)


def test_the_density_of_one_weight_moves_as_a_curve(blown_up):
    _, ax = jn.plot.figure(size=SMALL)
    moving = watched(blown_up, ax=ax, vmax=3)
    moving._draw_frame(1)
    curve = ax.get_lines()[0].get_ydata()
    np.testing.assert_array_equal(curve[:-1], blown_up.density(1)[:, 0])
    assert ax.get_ylim() == pytest.approx((0, 3.15))


def test_scales_stay_and_leave_out_a_narrow_start(learned):
    narrow = np.asarray(learned.saved).copy()
    narrow[0] *= 100
    spiky = type(learned)(**{**vars(learned), "saved": narrow})
    _, ax = jn.plot.figure(size=SMALL)
    moving = watched(spiky, ax=ax)
    limits = ax.images[0].get_clim()
    assert limits[1] < narrow.max()
    moving._draw_frame(4)
    assert ax.images[0].get_clim() == limits


def test_a_film_is_written_where_ffmpeg_is(learned, tmp_path):
    path = tmp_path / "density.mp4"
    if writers.is_available("ffmpeg"):
        jn.plot.animate(learned, path, size=SMALL)
        assert path.read_bytes()[4:8] == b"ftyp"
    else:
        with pytest.raises(ValueError, match="needs ffmpeg, which is not"):
            jn.plot.animate(learned, path)


def test_without_ffmpeg_the_message_says_so(learned, monkeypatch, tmp_path):
    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(ValueError, match="needs ffmpeg, which is not installed"):
        jn.plot.animate(learned, tmp_path / "density.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_what_was_there(learned, monkeypatch, tmp_path):
    path = tmp_path / "density.gif"
    path.write_bytes(b"earlier")

    def fail(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr("matplotlib.animation.PillowWriter.finish", fail)
    with pytest.raises(OSError, match="no space left"):
        jn.plot.animate(learned, path, size=SMALL)
    assert path.read_bytes() == b"earlier"
    assert [one.name for one in tmp_path.iterdir()] == ["density.gif"]


def test_what_cannot_be_animated_is_refused(learned, statistic, tmp_path):
    with pytest.raises(ValueError, match=r"x.avi': must end in .gif or .mp4"):
        jn.plot.animate(learned, tmp_path / "x.avi")
    with pytest.raises(ValueError, match="its directory must exist"):
        jn.plot.animate(learned, tmp_path / "none" / "x.gif")
    with pytest.raises(ValueError, match="fps = 0: must be positive"):
        jn.plot.animate(learned, fps=0)
    with pytest.raises(ValueError, match="vmax = 0: must be positive"):
        jn.plot.animate(learned, vmax=0)
    with pytest.raises(ValueError, match="holds no densities, because SaveAt was given another"):
        jn.plot.animate(statistic)
