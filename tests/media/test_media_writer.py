from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_kit import BLUE, GREEN, RED, WHITE, corners, moving, read

from posepipe.errors import OutputError, UsageError
from posepipe.media.writer import VideoWriter


def write(path, images, times, fps_hz=30.0, **options):
    height, width = images[0].shape[:2]
    with VideoWriter(path, width, height, fps_hz, **options) as writer:
        for image, time_s in zip(images, times, strict=True):
            writer.write(image, time_s)
    return path


def atoms(path):
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        names.append(name.decode())
        at += size
    assert at == len(data)
    return names


def test_read_back_by_ffprobe(tmp_path):
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    times = [0.0, 0.033, 0.1, 0.5, 0.511, 2.0]
    path = write(tmp_path / "größe 1.mp4", moving(6, 65, 47), times)
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_frames", str(path)]
    facts = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    (stream,) = facts["streams"]
    assert (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")
    assert (stream["width"], stream["height"]) == (66, 48)
    assert (stream["color_space"], stream["color_range"]) == ("bt709", "tv")
    got = [float(frame["pts_time"]) for frame in facts["frames"]]
    np.testing.assert_allclose(got, times, atol=1e-3)


def test_index_stands_in_front(tmp_path):
    names = atoms(write(tmp_path / "a.mp4", moving(5), np.arange(5) / 30))
    assert names.index("moov") < names.index("mdat")


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast"])
def test_times_are_kept(tmp_path, preset):
    times = np.cumsum(np.random.default_rng(0).uniform(0.004, 0.2, 40))
    times -= times[0]
    frames, _ = read(write(tmp_path / "vfr.mp4", moving(40), times, preset=preset))
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-4)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60000, 1001)])
def test_ntsc_rates_do_not_drift_over_a_minute(tmp_path, rate):
    count = round(60 * rate)
    times = np.arange(count) / float(rate)
    frames, source = read(write(tmp_path / "a.mp4", [np.zeros((16, 16, 3), np.uint8)] * count, times, float(rate)))
    assert len(frames) == count
    assert abs(frames[-1].time_s - times[-1]) < 1e-3
    assert source.info.fps_hz == pytest.approx(float(rate), rel=1e-5)
    assert source.info.duration_s == pytest.approx(count / float(rate), abs=2e-3)


@pytest.mark.parametrize("size", [(96, 64), (97, 63), (1, 1), (2, 2), (3, 301)])
def test_even_size_by_repeating_the_edge(tmp_path, size):
    width, height = size
    image = np.full((height, width, 3), (30, 60, 200), np.uint8)
    frames, _ = read(write(tmp_path / "a.mp4", [image] * 2, [0.0, 0.1]))
    assert frames[0].image.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(frames[0].image.astype(int) - (30, 60, 200)).max() <= 6


def test_colours_survive(tmp_path):
    frames, _ = read(write(tmp_path / "a.mp4", [corners()], [0.0]))
    image = frames[0].image.astype(int)
    for (y, x), color in {(16, 24): RED, (16, 72): GREEN, (48, 24): BLUE, (48, 72): WHITE}.items():
        assert np.abs(image[y, x] - color).max() <= 6


def test_times_closer_than_the_clock_of_the_file(tmp_path):
    times = [0.0, 1e-9, 2e-9, 0.1]
    frames, _ = read(write(tmp_path / "a.mp4", moving(4), times))
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-4)


def test_slow_rate(tmp_path):
    frames, _ = read(write(tmp_path / "a.mp4", moving(2), [0.0, 3000.0], fps_hz=1 / 3000))
    assert frames[1].time_s == pytest.approx(3000.0, abs=1e-3)


def test_one_frame_and_a_view_of_another_array(tmp_path):
    image = corners(192, 128)[::2, ::2]
    assert not image.flags.c_contiguous
    assert len(read(write(tmp_path / "a.mp4", [image], [0.0]))[0]) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_nothing(tmp_path, error):
    with pytest.raises(error), VideoWriter(tmp_path / "a.mp4", 64, 48, 30.0) as writer:
        writer.write(moving(1)[0], 0.0)
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_block_passes_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError), VideoWriter(tmp_path / "a.mp4", 64, 48, 30.0):
        raise FileNotFoundError(errno.ENOENT, "an input")


def test_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = write(tmp_path / "a.mp4", moving(3), [0.0, 0.1, 0.2])
    before = path.read_bytes()
    with pytest.raises(ValueError), VideoWriter(path, 64, 48, 30.0) as writer:
        writer.write(moving(1)[0], 0.0)
        raise ValueError
    assert path.read_bytes() == before
    write(path, moving(5), np.arange(5) / 10)
    assert len(read(path)[0]) == 5
    assert list(tmp_path.iterdir()) == [path]


def test_no_picture(tmp_path):
    with pytest.raises(OutputError, match="no picture"), VideoWriter(tmp_path / "a.mp4", 64, 48, 30.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_full_disk(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="disk is full"), VideoWriter(tmp_path / "a.mp4", 64, 48, 30.0) as writer:
        writer.write(moving(1)[0], 0.0)

        class Full:
            def mux(self, packets):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            def close(self):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        writer._container.close()
        monkeypatch.setattr(writer, "_container", Full())
        writer.write(moving(1)[0], 0.1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_as_libav_reports_it(tmp_path, monkeypatch):
    import av

    real = av.open
    monkeypatch.setattr(av, "open", lambda url, mode, **_: real("/dev/full", mode, format="mp4"))
    rng = np.random.default_rng(0)
    with pytest.raises(OutputError, match="disk is full"), VideoWriter(tmp_path / "a.mp4", 320, 240, 30.0) as writer:
        for i in range(20):
            writer.write(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8), i / 30)
    assert list(tmp_path.iterdir()) == []


def test_wrong_use(tmp_path):
    image = moving(1)[0]
    nan = float("nan")
    bad_settings = [("a.mp4", 0, 48, 30.0), ("a.mp4", 64, 48, 0.0), ("a.mp4", 64, 48, nan), ("a.gif", 64, 48, 30.0)]
    for arguments in bad_settings:
        with pytest.raises(UsageError), VideoWriter(tmp_path / arguments[0], *arguments[1:]):
            pass
    with pytest.raises(UsageError, match="not open"):
        VideoWriter(tmp_path / "a.mp4", 64, 48, 30.0).write(image, 0.0)
    bad = [(image[:, :60], 0.1), (image.astype(np.float32), 0.1), (image, 0.0), (image, -1.0), (image, float("nan"))]
    for picture, time_s in bad:
        with pytest.raises(UsageError), VideoWriter(tmp_path / "a.mp4", 64, 48, 30.0) as writer:
            writer.write(image, 0.0)
            writer.write(picture, time_s)
    assert list(tmp_path.iterdir()) == []
