"""Films that are unusual: read rightly, alone and in spans, or said."""

from __future__ import annotations

import struct
import subprocess
from fractions import Fraction
from pathlib import Path
from shutil import which

import cv2
import numpy as np
import pytest
from video_kit import corners, moving, read

from posepipe.errors import MediaError, SeekError, UsageError
from posepipe.media._container import open_file
from posepipe.media._reader import Clock
from posepipe.media.sources import open_source
from posepipe.texts import load

MS = Fraction(1, 1000)
B_FRAMES = {"preset": "ultrafast", "crf": "10", "bf": "3", "b_strategy": "0", "g": "15"}


def times(frames):
    return np.array([frame.time_s for frame in frames])


def numbers(frames):
    """Which picture of `moving`, counted from the first frame's, each frame is, by its brightness."""
    return [round((frame.image.mean() - frames[0].image.mean()) / 4) for frame in frames]


def assert_spans_agree(path: Path, at_s: float, **options) -> None:
    """What two spans give is what one reading gives, to the last digit."""
    whole, source = read(path, **options)
    assert source.info.seekable
    parts = [read(path, span_s=span, **options)[0] for span in ((0.0, at_s), (at_s, np.inf))]
    assert all(parts)
    assert times(parts[0] + parts[1]).tolist() == times(whole).tolist()
    for one, other in zip(parts[0] + parts[1], whole, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


# Times


@pytest.mark.parametrize("suffix", ["avi", "mxf"])
def test_b_frames_timed_by_decoding(make_video, suffix):
    frames, source = read(make_video(f"b.{suffix}", moving(40), codec_options=B_FRAMES))
    assert numbers(frames) == list(range(40))
    np.testing.assert_allclose(times(frames), np.arange(40) / 30, atol=1e-9)
    assert not any(frame.time_estimated for frame in frames)
    # Its index counts in the order of decoding.
    assert not source.info.seekable and source.info.fps_hz == 30.0


@pytest.mark.parametrize("span_s", [(0.0, np.inf), (0.7, 1.5)])
def test_pictures_that_nobody_needs_are_neither_decoded_nor_missed(make_video, span_s):
    path = make_video("b.mp4", moving(60), codec_options=B_FRAMES)
    every, _ = read(path, span_s=span_s)
    decoded = []
    reader = open_file(path, span_s, needed=lambda time_s: round(time_s * 30) % 4 == 0)
    look, reader._look_at = reader._look_at, lambda picture, time_s: (decoded.append(time_s), look(picture, time_s))
    some = list(reader.frames())
    reader.close()
    assert times(some).tolist() == times(every).tolist()
    assert [frame.seen for frame in some] == [round(frame.time_s * 30) % 4 == 0 for frame in every]
    for one, other in zip(some, every, strict=True):
        assert not one.seen or np.array_equal(one.image, other.image)
    assert sum(span_s[0] <= time_s < span_s[1] for time_s in set(decoded)) < 0.7 * len(every)


def test_a_span_decodes_what_its_pictures_stand_on_only(make_video):
    path = make_video("b.mp4", moving(60), codec_options=B_FRAMES | {"g": "250"})
    assert_spans_agree(path, 1.0)
    reader = open_file(path)
    try:
        early = [picture for picture in reader._pictures_from(1.0, reader._first.pts) if picture.time < 1.0]
    finally:
        reader.close()
    assert len(early) < 20, "of 30"


def test_b_frames_in_avi_with_a_damaged_one(make_video):
    path = make_video("b.avi", moving(40), codec_options=B_FRAMES)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = np.random.default_rng(1).bytes(4000)
    path.write_bytes(data)
    frames, _ = read(path)
    # A picture lost without a word shifts those after it, for as long as a decoder may hold pictures back.
    np.testing.assert_allclose(times(frames)[-1], 39 / 30, atol=0.11)


def test_film_that_starts_late(make_video):
    path = make_video("late.mkv", moving(60), ticks=[5000 + 40 * i for i in range(60)], time_base=MS, rate=25)
    frames, source = read(path)
    np.testing.assert_allclose(times(frames), np.arange(60) * 0.04, atol=1e-9)
    assert source.info.duration_s == pytest.approx(60 * 0.04) and source.info.frames == 60
    assert source.truncated is None
    assert_spans_agree(path, 1.0)


@pytest.mark.skipif(which("ffmpeg") is None, reason="needs ffmpeg to cut without decoding")
@pytest.mark.parametrize("more", [[], ["-copyts"], ["-avoid_negative_ts", "disabled"]])
def test_copied_cut(make_video, tmp_path, more):
    path, cut = make_video("whole.mp4", moving(48), codec_options=B_FRAMES), tmp_path / "cut.mkv"
    command = ["ffmpeg", "-v", "error", "-ss", "0.7", "-i", str(path), "-c", "copy", *more, str(cut)]
    subprocess.run(command, check=True, timeout=60)
    frames, source = read(cut)
    # The cut begins with the key picture before it.
    assert numbers(frames) == list(range(48 - 15))
    np.testing.assert_allclose(times(frames), np.arange(48 - 15) / 30, atol=1.1e-3)
    assert source.truncated is None


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_jump_of_the_clock(make_video, suffix):
    ticks = [40 * i + (3_600_000 if i >= 20 else 0) for i in range(40)]
    path = make_video(f"jump.{suffix}", moving(40), ticks=ticks, time_base=MS, rate=25)
    frames, source = read(path)
    np.testing.assert_allclose(times(frames), np.arange(40) * 0.04, atol=1.1e-3)
    assert source.truncated is None and any("3600 s" in note for note in source.notes)
    with pytest.raises(SeekError):
        read(path, span_s=(0.0, 1800.0))


def test_clock_keeps_pauses():
    clock = Clock(30.0)
    stamps = [clock.stamp(pts, MS) for pts in (0, 40, 50_040, 50_080)]
    assert stamps == [(0.0, False), (0.04, False), (50.04, False), (50.08, False)] and clock.jumped_s == 0.0


def test_gif_keeps_its_delays(make_video):
    ticks = [0, 10, 15, 40, 140]
    path = make_video(
        "delays.gif", moving(5), codec="gif", pix_fmt="bgr8", ticks=ticks, time_base=Fraction(1, 100), rate=100
    )
    np.testing.assert_allclose(times(read(path)[0]), np.array(ticks) / 100, atol=1e-9)


def test_animated_png(make_video, tmp_path):
    path = make_video("moving.apng", moving(6), codec="apng", pix_fmt="rgb24", rate=10).rename(tmp_path / "moving.png")
    frames, _ = read(path)
    assert numbers(frames) == list(range(6))
    np.testing.assert_allclose(times(frames), np.arange(6) / 10, atol=1e-9)


def test_animated_webp_is_refused(tmp_path):
    path, animation = tmp_path / "moving.webp", cv2.Animation()
    animation.frames, animation.durations = moving(3), np.array([100, 100, 100])
    assert cv2.imwriteanimation(str(path), animation)
    with pytest.raises(MediaError, match="animated WebP"):
        read(path)
    cv2.imwrite(str(path), corners())
    assert len(read(path)[0]) == 1


@pytest.mark.parametrize("part", [0.45, 0.6, 0.75])
def test_fragmented_file(make_video, part):
    options = {"movflags": "frag_keyframe+empty_moov"}
    path = make_video("parts.mp4", moving(60), codec_options=B_FRAMES, options=options)
    frames, source = read(path)
    assert len(frames) == source.info.frames == 60 and source.truncated is None
    assert_spans_agree(path, 1.0)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    frames, source = read(path)
    assert 10 < len(frames) < 60 and source.truncated


def test_home_folder(make_video, monkeypatch):
    path = make_video("home.mp4", moving(2))
    monkeypatch.setenv("HOME", str(path.parent))
    assert len(read("~/home.mp4")[0]) == len(read("~/home.mp4", span_s=(0.0, 1.0))[0]) == 2


# Pictures


def test_size_that_changes(make_video, tmp_path):
    wide, tall = make_video("a.h264", [corners()] * 5), make_video("b.h264", [corners(64, 96)] * 5)
    path = tmp_path / "both.h264"
    path.write_bytes(wide.read_bytes() + tall.read_bytes())
    frames, source = read(path)
    assert {frame.image.shape for frame in frames} == {(64, 96, 3)}
    assert any("96x64 to 64x96" in note for note in source.notes)
    # The tall picture stands whole in the middle: 43 x 64.
    last = frames[-1].image.astype(int)
    assert last[:, :24].max() < 30 and last[:, -24:].max() < 30
    assert np.abs(last[16, 36] - (0, 0, 255)).max() < 40 and np.abs(last[48, 59] - 255).max() < 40


def test_fields_are_not_mixed(make_video):
    picture = np.full((64, 96, 3), 40, np.uint8)
    picture[1::2] = 200
    options = {"crf": "1", "x264-params": "tff=1", "flags": "+ildct+ilme"}
    path = make_video("fields.mp4", [picture] * 40, codec_options=options)
    frames, source = read(path)
    assert any("interlaced" in note for note in source.notes)
    assert np.ptp(frames[5].image[2:-2].astype(int)) < 12
    assert_spans_agree(path, 0.5)


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.58), (18, 0.75)])
def test_hdr_is_brought_to_an_ordinary_screen(make_video, transfer, white):
    levels = np.array([0.0, 0.2, white, 1.0])
    ramp = np.repeat(np.round(255 * levels).astype(np.uint8), 24)[None, :, None].repeat(64, 0).repeat(3, 2)
    path = make_video("hdr.mp4", [ramp] * 3, transfer=transfer, codec_options={"crf": "1"})
    frames, source = read(path)
    assert any("HDR" in note for note in source.notes)
    black, dark, reference, peak = frames[1].image[32, 12::24, 0].astype(int)
    # Reference white (BT.2408) lies well up, as the paper of an ordinary picture does.
    assert black < 4 < dark < reference and 170 < reference < 210 and peak > 240
    assert not read(make_video("sdr.mp4", [ramp] * 3))[1].notes


# Slow motion


ANDROID = "com.android.capture.fps"


def tagged(make_video, rate, value, **more):
    options = {"movflags": "use_metadata_tags"}
    return make_video("phone.mp4", moving(60), rate=rate, metadata={ANDROID: value}, options=options, **more)


@pytest.mark.parametrize(
    ("rate", "tag", "slowed"), [(30, "240.000000", 8.0), (Fraction(30000, 1001), "120", 4.0), (30, "1", 1 / 30)]
)
def test_tag_of_slow_motion(make_video, rate, tag, slowed):
    path = tagged(make_video, rate, tag)
    frames, source = read(path)
    info = source.info
    assert info.slowed == pytest.approx(slowed) and info.capture_fps_hz == float(tag)
    assert info.fps_hz == pytest.approx(rate * slowed) and info.duration_s == pytest.approx(
        60 / rate / slowed, rel=1e-3
    )
    np.testing.assert_allclose(times(frames), np.arange(60) / float(rate) / slowed, atol=1e-4 / slowed)
    assert len(source.notes) == 1
    assert_spans_agree(path, info.duration_s / 2)


@pytest.mark.parametrize(
    ("rate", "tag"), [(240, "240.0"), (Fraction(30000, 1001), "30.0"), (20, "30.0"), (30, "wide"), (30, "0")]
)
def test_tag_of_an_ordinary_film(make_video, rate, tag):
    _, source = read(tagged(make_video, rate, tag))
    assert source.info.slowed == 1.0 and source.info.capture_fps_hz is None and not source.notes


def test_tag_that_may_mean_either_is_said(make_video):
    _, source = read(tagged(make_video, 30, "60.0"))
    assert source.info.slowed == 1.0 and "give its capture rate" in source.notes[0]


def test_tag_as_android_stores_it(make_video):
    # A 32-bit float, type 23; FFmpeg itself writes texts, type 1.
    path = tagged(make_video, 30, "~~~~")
    data = path.read_bytes()
    stored = data.replace(b"data" + struct.pack(">II", 1, 0) + b"~~~~", b"data" + struct.pack(">IIf", 23, 0, 240.0))
    assert stored != data
    path.write_bytes(stored)
    assert read(path)[1].info.slowed == 8.0


def test_left_out_pictures_change_no_slowing(make_video):
    ticks = [i for i in range(70) if i % 7 != 5]
    path = tagged(make_video, 30, "240", ticks=ticks, time_base=Fraction(1, 30))
    frames, source = read(path)
    assert source.info.slowed == 8.0
    np.testing.assert_allclose(times(frames), np.array(ticks) / 240, atol=1e-5)


def test_given_rate_goes_before_the_tag(make_video):
    path = tagged(make_video, 30, "240.0")
    assert read(path, capture_fps_hz=90.0)[1].info.slowed == 3.0
    info = read(path, capture_fps_hz=30.0)[1].info
    assert (info.slowed, info.capture_fps_hz) == (1.0, 30.0)
    assert_spans_agree(path, 0.31, capture_fps_hz=90.0)


def test_rate_of_images(tmp_path):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), corners())
    np.testing.assert_allclose(times(read(tmp_path, capture_fps_hz=100.0)[0]), [0.0, 0.01, 0.02])
    with pytest.raises(UsageError):
        open_source(tmp_path, capture_fps_hz=0.0)


def test_notes_are_said_in_german(make_video):
    for note in (
        *read(tagged(make_video, 30, "60.0"))[1].notes,
        *read(tagged(make_video, 30, "240.0"))[1].notes,
        *read(make_video("hdr.mp4", moving(2), transfer=16))[1].notes,
    ):
        assert load("de").warning(note) != note
