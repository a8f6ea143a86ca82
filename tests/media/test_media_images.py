from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from video_kit import read

from posepipe.errors import MediaError
from posepipe.media import _images
from posepipe.media.sources import open_source


def write(path, value=0, size=(8, 6), data=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((size[1], size[0], 3), (value, 0, 255), np.uint8) if data is None else data
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


@pytest.fixture
def folder(tmp_path):
    for number in (10, 2, 1, 100, 9):
        write(tmp_path / "Bilder ä" / f"img{number}.png", value=number)
    (tmp_path / "Bilder ä" / "notes.txt").write_text("no image")
    (tmp_path / "Bilder ä" / ".img0.png").write_bytes(b"hidden")
    return tmp_path / "Bilder ä"


def test_folder_in_natural_order(folder):
    frames, source = read(folder, image_fps_hz=25.0)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 2, 9, 10, 100]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert all(frame.time_estimated for frame in frames)
    info = source.info
    assert (info.kind, info.frames, info.fps_hz, info.codec, info.live) == ("images", 5, 25.0, "png", False)
    assert (info.width_px, info.height_px, info.duration_s) == (8, 6, 0.2)


@pytest.mark.parametrize(("pattern", "values"), [("*.png", [1, 2, 9, 10, 100]), ("img1*.png", [1, 10, 100])])
def test_pattern(folder, pattern, values):
    frames, _ = read(f"{folder}/{pattern}")
    assert [int(frame.image[0, 0, 0]) for frame in frames] == values


def test_pattern_relative_to_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert len(read("img?.png")[0]) == 3


def test_single_image(folder):
    frames, source = read(folder / "img9.png")
    assert len(frames) == 1 and source.info.name == "img9.png"
    np.testing.assert_array_equal(frames[0].image[0, 0], (9, 0, 255))


@pytest.mark.parametrize("suffix", [".bmp", ".jpg", ".png", ".tiff", ".webp", ".PNG"])
def test_formats_keep_red_red(tmp_path, suffix):
    frames, _ = read(write(tmp_path / f"red{suffix}", size=(64, 48)))
    assert np.abs(frames[0].image.astype(int) - (0, 0, 255)).max() < 10


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 4])
def test_grey_alpha_and_16_bit(tmp_path, dtype, channels):
    data = np.full((5, 7, channels), np.iinfo(dtype).max // 2, dtype)
    frames, _ = read(write(tmp_path / "a.png", data=data))
    assert frames[0].image.shape == (5, 7, 3)
    assert np.abs(frames[0].image.astype(int) - 127).max() <= 1


def test_broken_image_is_skipped_and_time_goes_on(folder):
    (folder / "img2.png").write_bytes(b"\x89PNG\r\n broken")
    (folder / "img9.png").write_bytes(b"")
    frames, source = read(folder, image_fps_hz=10.0)
    assert [frame.index for frame in frames] == [0, 3, 4]
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.3, 0.4])
    assert source.skipped_frames == 2


def test_another_size_crosses_the_thread_as_an_error(folder):
    write(folder / "img50.png", size=(4, 4))
    with pytest.raises(MediaError, match=r"img50\.png.*4x4.*8x6"):
        read(folder)


def test_refused(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"x")
    (tmp_path / "bad.png").write_text("text")
    for spec in (tmp_path / "empty", tmp_path / "videos", f"{folder}/*.jpg", tmp_path / "bad.png"):
        with pytest.raises(MediaError) as caught:
            open_source(spec)
        assert caught.value.where and caught.value.hint


def exif(order: str, orientation: int, focal_mm: int) -> bytes:
    """APP1 segment with the orientation in the first directory and the focal length in the EXIF directory."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    first = struct.pack(order + "H HHIHH HHII I", 2, 0x0112, 3, 1, orientation, 0, 0x8769, 4, 1, 38, 0)
    second = struct.pack(order + "H HHIHH I", 1, 0xA405, 3, 1, focal_mm, 0, 0)
    body = b"Exif\0\0" + mark + struct.pack(order + "I", 8) + first + second
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientation_and_focal_length(tmp_path, order):
    path = write(tmp_path / "phone.jpg", size=(64, 48))
    data = path.read_bytes()
    path.write_bytes(data[:2] + exif(order, 6, 26) + data[2:])
    frames, source = read(path)
    assert frames[0].image.shape == (64, 48, 3)
    assert source.info.focal_px == pytest.approx(26 * np.hypot(64, 48) / np.hypot(36, 24))


def test_exif_cut_short_is_no_error(tmp_path):
    path = write(tmp_path / "phone.jpg", size=(64, 48))
    data = path.read_bytes()
    broken = exif("<", 6, 26)[:40]
    path.write_bytes(data[:2] + broken[:2] + struct.pack(">H", len(broken) - 2) + broken[4:] + data[2:])
    assert read(path)[1].info.focal_px is None


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_jpeg_is_the_same_where_opencv_is_old(orientation, tmp_path, monkeypatch) -> None:
    image_module = pytest.importorskip("PIL.Image")
    path = tmp_path / "phone.jpg"
    exif = image_module.Exif()
    exif[0x0112] = orientation
    ramp = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    image_module.fromarray(ramp).save(path, exif=exif, quality=95)
    new = _images._read(path)
    monkeypatch.setattr(_images, "_OLD_JPEG", True)
    old = _images._read(path)
    assert new is not None and old is not None
    assert old.shape == new.shape
    assert np.abs(old.astype(int) - new).max() <= 3
    path.write_bytes(path.read_bytes()[:100])
    assert _images._read(path) is None
