from __future__ import annotations

import gc
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_kit import BLUE, GREEN, RED, WHITE, corners, decoder_threads, moving, read

from posepipe.errors import MediaError, UsageError
from posepipe.media.sources import open_source

QUARTERS = {(0.25, 0.25): RED, (0.75, 0.25): GREEN, (0.25, 0.75): BLUE, (0.75, 0.75): WHITE}


def assert_corners(image, tolerance=24):
    height, width = image.shape[:2]
    for (x, y), color in QUARTERS.items():
        got = image[int(y * height), int(x * width)].astype(int)
        assert np.abs(got - color).max() <= tolerance, (x, y, got, color)


# Pictures


@pytest.mark.parametrize("rotation", [None, 90, 180, 270])
def test_every_rotation_gives_the_same_upright_picture(make_video, rotation):
    upright = corners()
    stored = np.ascontiguousarray(np.rot90(upright, -(rotation or 0) // 90))
    frames, source = read(make_video("turned.mp4", [stored] * 3, rotation=rotation))
    assert source.info.rotation_deg == (rotation or 0)
    assert (source.info.width_px, source.info.height_px) == (96, 64)
    assert len(frames) == 3
    for frame in frames:
        assert frame.image.shape == (64, 96, 3)
        assert frame.image.flags.c_contiguous and frame.image.dtype == np.uint8
        assert_corners(frame.image)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_mirrored_display_matrix_matches_its_definition(make_video, rotation):
    frames, source = read(make_video("mirrored.mp4", [corners()], rotation=rotation, hflip=True))
    # libavutil flips the columns of the stored picture's matrix: first turned, then mirrored.
    expected = np.rot90(corners(), rotation // 90)[:, ::-1]
    np.testing.assert_allclose(frames[0].image.astype(int), expected, atol=40)
    assert source.info.rotation_deg in (rotation, (rotation + 180) % 360)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [
        ("libx264", "yuv420p", "mp4"),
        ("libx264", "yuv420p10le", "mp4"),
        ("libx264", "yuv444p", "mkv"),
        ("mpeg4", "yuv420p", "avi"),
        ("mjpeg", "yuvj420p", "mov"),
        ("ffv1", "bgra", "mkv"),
    ],
)
def test_pixel_formats_give_the_right_colours(make_video, codec, pix_fmt, suffix):
    frames, source = read(make_video(f"clip.{suffix}", [corners()] * 2, codec=codec, pix_fmt=pix_fmt))
    assert len(frames) == 2
    assert source.info.codec == {"libx264": "h264"}.get(codec, codec)
    assert_corners(frames[1].image)


def test_grey(make_video):
    ramp = np.repeat(np.arange(16, 236, 4, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(32, axis=0)
    frames, _ = read(make_video("full.mkv", [ramp] * 2, codec="ffv1", pix_fmt="gray"))
    np.testing.assert_array_equal(frames[1].image, ramp)
    # H.264 without a range flag is limited: 16 is black, 235 white.
    frames, _ = read(make_video("limited.mkv", [ramp] * 2, pix_fmt="gray", codec_options={"qp": "1"}))
    np.testing.assert_allclose(frames[1].image, (ramp.astype(float) - 16) * 255 / 219, atol=3)


@pytest.mark.parametrize(("space", "name"), [(1, "ITU709"), (5, "ITU601")])
@pytest.mark.parametrize(("full", "range_name"), [(False, "MPEG"), (True, "JPEG")])
def test_matrix_and_range_come_from_the_file(tmp_path, space, name, full, range_name):
    path = tmp_path / "tagged.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = space, 2 if full else 1
        picture = av.VideoFrame.from_ndarray(corners(), format="bgr24")
        picture = picture.reformat(format="yuv420p", dst_colorspace=name, dst_color_range=range_name)
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    assert_corners(read(path)[0][0].image, tolerance=10)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (97, 63), (2, 400)])
def test_odd_and_tiny_sizes(make_video, size):
    width, height = size
    image = np.full((height, width, 3), (30, 60, 200), np.uint8)
    frames, source = read(make_video("odd.mkv", [image] * 2, codec="ffv1", pix_fmt="bgr0"))
    assert [frame.image.shape for frame in frames] == [(height, width, 3)] * 2
    assert (source.info.width_px, source.info.height_px) == size
    np.testing.assert_array_equal(frames[0].image, image)


@pytest.mark.parametrize(
    ("aspect", "size"), [("4/3", (128, 64)), ("2/3", (96, 96)), ("1", (96, 64)), ("719/718", (96, 64))]
)
@pytest.mark.parametrize("rotation", [None, 90])
def test_pixels_are_made_square(tmp_path, aspect, size, rotation):
    path = tmp_path / "anamorphic.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if rotation:
            stream.set_display_rotation(rotation)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(), format="bgr24")))
        container.mux(stream.encode(None))
    frames, source = read(path)
    assert frames[0].size_px == (source.info.width_px, source.info.height_px) == (size[::-1] if rotation else size)
    assert_corners(np.rot90(frames[0].image, -(rotation or 0) // 90))


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [("libx264", "yuv420p", "mp4"), ("libx264", "yuv420p10le", "mp4"), ("libx264", "yuv444p", "mkv"),
     ("mjpeg", "yuvj420p", "mov"), ("ffv1", "bgra", "mkv")],
)  # fmt: skip
def test_a_smaller_picture_shows_the_same(make_video, codec, pix_fmt, suffix):
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(60, 200, (4, 6, 3), np.uint8), (384, 256), interpolation=cv2.INTER_CUBIC)
    path = make_video(f"scene.{suffix}", [scene] * 2, codec=codec, pix_fmt=pix_fmt)
    large, small = read(path)[0][1].image, read(path, most_px=192)[0][1].image
    half = cv2.resize(large, (192, 128), interpolation=cv2.INTER_AREA)
    assert small.shape == half.shape
    assert np.abs(small.astype(int) - half).mean() < 1.5 and np.abs(small.astype(int) - half).max() <= 24


@pytest.mark.parametrize("rotation", [None, 90])
@pytest.mark.parametrize("span_s", [None, (0.0, 9.0)])
def test_a_picture_may_come_smaller(make_video, rotation, span_s):
    upright = corners()
    stored = np.ascontiguousarray(np.rot90(upright, -(rotation or 0) // 90))
    path = make_video("large.mp4", [stored] * 3, rotation=rotation)
    frames, source = read(path, span_s=span_s, most_px=48)
    info = source.info
    assert (info.width_px, info.height_px, info.reduced) == (96, 64, 2)
    assert [frame.image.shape for frame in frames] == [(32, 48, 3)] * 3
    assert_corners(frames[1].image)


@pytest.mark.parametrize(("size", "most_px", "times"), [((96, 64), 96, 1), ((96, 64), 49, 1), ((96, 64), 20, 4),
                                                         ((98, 49), 40, 1), ((99, 66), 33, 3)])  # fmt: skip
def test_only_by_a_whole_factor_of_both_sides(make_video, size, most_px, times):
    image = np.full((size[1], size[0], 3), (30, 60, 200), np.uint8)
    frames, source = read(make_video("odd.mkv", [image], codec="ffv1", pix_fmt="bgr0"), most_px=most_px)
    assert source.info.reduced == times
    assert frames[0].size_px == (size[0] // times, size[1] // times)
    np.testing.assert_allclose(frames[0].image.astype(int), image[::times, ::times], atol=1)


def test_8k(tmp_path):
    planes = np.full((4320 * 3 // 2, 7680), 128, np.uint8)
    planes[:2160] = 200
    with av.open(str(tmp_path / "8k.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
    count = 0
    with open_source(tmp_path / "8k.mp4") as source:
        assert (source.info.width_px, source.info.height_px) == (7680, 4320)
        for frame in source:
            assert frame.image.shape == (4320, 7680, 3)
            assert frame.image[1000, 10, 0] > frame.image[4000, 10, 0] + 50
            count += 1
    assert count == 1


# Times


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60000, 1001), Fraction(24000, 1001), Fraction(25)])
def test_rate_is_exact_over_a_minute(make_video, rate):
    count = round(60 * rate)
    image = np.zeros((16, 16, 3), np.uint8)
    frames, source = read(make_video("minute.mp4", [image] * count, rate=rate))
    assert source.info.fps_hz == pytest.approx(float(rate), rel=1e-9)
    assert source.info.frames == len(frames) == count
    assert source.info.duration_s == pytest.approx(count / rate, abs=1e-3)
    expected = np.arange(count) / float(rate)
    assert np.abs(np.array([frame.time_s for frame in frames]) - expected).max() < 1e-3
    assert not any(frame.time_estimated for frame in frames)


def test_variable_rate_is_kept(make_video):
    ticks = [0, 33, 66, 200, 210, 700, 1000, 1033]
    path = make_video("vfr.mp4", moving(8), ticks=ticks, time_base=Fraction(1, 1000))
    frames, _ = read(path)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(ticks) / 1000, atol=5e-4)
    assert [frame.index for frame in frames] == list(range(8))


def test_first_frame_is_time_zero(make_video):
    path = make_video("late.mkv", moving(3), ticks=[5000, 5040, 5080], time_base=Fraction(1, 1000))
    np.testing.assert_allclose([frame.time_s for frame in read(path)[0]], [0, 0.04, 0.08], atol=1e-3)


def test_missing_timestamps_come_from_the_rate_and_say_so(make_video):
    # A bare H.264 stream has none.
    frames, _ = read(make_video("bare.h264", moving(10), rate=25))
    times = np.array([frame.time_s for frame in frames])
    np.testing.assert_allclose(times, np.arange(10) / 25, atol=1e-9)
    assert all(frame.time_estimated for frame in frames)


def test_two_clips_one_after_the_other_each_start_at_zero(make_video):
    path = make_video("twice.mp4", moving(4))
    assert [f.time_s for f in read(path)[0]] == [f.time_s for f in read(path)[0]]


# Facts


def test_info(make_video):
    info = read(make_video("Übung 1 – Kniebeuge.mp4", moving(6), rate=25))[1].info
    assert (info.name, info.kind, info.codec, info.live) == ("Übung 1 – Kniebeuge.mp4", "video", "h264", False)
    assert (info.frames, info.fps_hz, info.rotation_deg, info.focal_px) == (6, 25.0, 0, None)


def test_focal_length_from_quicktime_metadata(make_video):
    key = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    path = make_video("phone.mov", [corners()], metadata={key: "26"}, options={"movflags": "use_metadata_tags"})
    assert read(path)[1].info.focal_px == pytest.approx(26 * np.hypot(96, 64) / np.hypot(36, 24))


@pytest.mark.parametrize("value", ["0", "nan", "wide"])
def test_senseless_focal_length_is_left_out(make_video, value):
    key = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    path = make_video("phone.mov", [corners()], metadata={key: value}, options={"movflags": "use_metadata_tags"})
    assert read(path)[1].info.focal_px is None


def test_tags_that_are_not_utf8(make_video):
    path = make_video("latin.mkv", moving(2), metadata={"focal_length_35mm": "Uebung"})
    path.write_bytes(path.read_bytes().replace(b"Uebung", b"\xdcbung\xff"))
    frames, source = read(path)
    assert len(frames) == 2 and source.info.focal_px is None


@pytest.mark.parametrize("name", ["a b/c d.mp4", "日本語/видео.mp4", "C:drive.mp4", "50%d [x]*.mp4", "-i.mp4"])
def test_awkward_paths(make_video, name):
    path = make_video("plain.mp4", moving(2))
    target = path.parent / name
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    assert len(read(target)[0]) == len(read(str(target))[0]) == 2


# Bad inputs


def assert_refused(spec, word):
    with pytest.raises(MediaError) as caught:
        read(spec)
    assert word in caught.value.what
    assert caught.value.where and caught.value.hint and caught.value.exit_code == 3
    return caught.value


def test_missing_file(tmp_path):
    assert "nowhere.mp4" in assert_refused(tmp_path / "nowhere.mp4", "no such file").where


def test_empty_file(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert_refused(tmp_path / "empty.mp4", "empty")


@pytest.mark.parametrize("name", ["text.mp4", "text.avi", "text.txt", "noextension"])
def test_text_is_no_video(tmp_path, name):
    (tmp_path / name).write_text("this is no video\n" * 400)
    assert_refused(tmp_path / name, "")


def test_playlist_in_disguise_opens_no_network(tmp_path):
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    start = time.monotonic()
    assert_refused(path, "")
    assert time.monotonic() - start < 5


def test_sound_only(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert_refused(path, "sound")


def test_no_frame_in_it(make_video):
    path = make_video("none.mp4", moving(1), options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    assert_refused(path, "")


def test_cut_off_before_its_index(make_video):
    path = make_video("cut.mp4", moving(60))
    path.write_bytes(path.read_bytes()[:20_000])
    assert_refused(path, "")


def test_cut_off_but_decodable(make_video):
    path = make_video("cut.mp4", moving(60), options={"movflags": "faststart"})
    whole, source = read(path)
    assert source.truncated is None and len(whole) == 60
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    frames, source = read(path)
    assert 10 < len(frames) < 50
    assert source.truncated is not None and "of the 60 pictures" in source.truncated
    assert [frame.time_s for frame in frames] == [frame.time_s for frame in whole[: len(frames)]]


def test_edit_list_is_no_cut(make_video):
    path = make_video("edited.mp4", moving(60), rate=30)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    # Shows the first second only (1000 ticks of the movie's clock).
    data[at : at + 4] = (1000).to_bytes(4, "big")
    path.write_bytes(data)
    frames, source = read(path)
    assert len(frames) == source.info.frames == 30
    assert source.truncated is None


def test_cut_off_matroska(make_video):
    path = make_video("cut.mkv", moving(90))
    assert read(path)[1].truncated is None
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames, source = read(path)
    assert 10 < len(frames) < 80 and source.truncated is not None


def test_damage_in_the_middle_is_skipped_and_counted(make_video):
    options = {"preset": "ultrafast", "crf": "10", "g": "10"}
    path = make_video("hurt.mp4", moving(60), codec_options=options, options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 9000] = np.random.default_rng(1).bytes(9000)
    path.write_bytes(data)
    frames, source = read(path)
    assert source.skipped_frames >= 1
    assert 45 < len(frames) < 60
    assert frames[-1].time_s == pytest.approx(59 / 30, abs=1e-3)
    assert (np.diff([frame.time_s for frame in frames]) > 0).all()


def test_no_input_and_bad_arguments(tmp_path):
    with pytest.raises(MediaError):
        open_source("")
    with pytest.raises(UsageError):
        open_source(tmp_path, ahead=-1)
    with pytest.raises(UsageError):
        open_source(tmp_path, image_fps_hz=0.0)


def test_refused_stream_says_so_without_the_password():
    with pytest.raises(MediaError) as caught:
        open_source("rtsp://me:secret@127.0.0.1:9/live")
    assert "secret" not in str(caught.value) and "127.0.0.1" in caught.value.where


# Streams


def test_http_file_is_read_like_a_file(make_video):
    import functools
    import http.server
    import threading

    path = make_video("served.mp4", moving(12), options={"movflags": "faststart"})

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=path.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        frames, source = read(f"http://127.0.0.1:{server.server_port}/served.mp4")
        server.shutdown()
    assert len(frames) == 12 and source.info.kind == "stream" and not source.info.live


# Threads


def test_early_close_ends_the_thread(make_video):
    with open_source(make_video("long.mp4", moving(200))) as source:
        next(source)
        assert len(decoder_threads()) == 1
        start = time.monotonic()
    assert time.monotonic() - start < 2.0
    assert not decoder_threads()
    assert list(source) == []
    source.close()


def test_opening_for_its_facts_starts_no_thread(make_video):
    with open_source(make_video("facts.mp4", moving(3))) as source:
        assert source.info.frames == 3
        assert not decoder_threads()


@pytest.mark.parametrize("rotation", [None, 90])
def test_no_picture_outlives_its_source(make_video, rotation):
    """None waits for Python to look for circles: an 8K picture is 50 MB."""
    path = make_video("clip.mp4", moving(4), rotation=rotation)

    def pictures():
        # By type: isinstance would ask lazy objects of other libraries, some of which warn.
        return sum(issubclass(type(item), av.VideoFrame) for item in gc.get_objects())

    gc.collect()
    before = pictures()
    gc.disable()
    try:
        open_source(path).close()
        read(path)
        assert pictures() == before
    finally:
        gc.enable()


def test_decoding_each_frame_when_asked_for_takes_no_thread(make_video):
    path = make_video("here.mp4", moving(20))
    whole, _ = read(path)
    with open_source(path, ahead=0) as source:
        here = list(source)
        assert not decoder_threads()
    assert [frame.time_s for frame in here] == [frame.time_s for frame in whole]
    for one, other in zip(here, whole, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_forgotten_source_ends_its_thread(make_video):
    source = open_source(make_video("lost.mp4", moving(100)), ahead=2)
    next(source)
    del source
    gc.collect()
    until = time.monotonic() + 10
    while decoder_threads() and time.monotonic() < until:
        time.sleep(0.01)
    assert not decoder_threads()


@pytest.mark.shared
def test_real_clips(shared_videos: Path):
    import csv

    with (shared_videos / "videos.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["frames"]))[:6]
    for row in rows:
        frames, source = read(shared_videos / row["file"])
        assert len(frames) == int(row["frames"]), row["file"]
        assert (source.info.width_px, source.info.height_px) == (int(row["width"]), int(row["height"]))
        assert source.info.fps_hz == pytest.approx(float(row["fps"]), abs=0.01)
        assert (np.diff([frame.time_s for frame in frames]) > 0).all()
        assert source.truncated is None and source.skipped_frames == 0
