"""Clips made hard: what is done to the pictures, and how the answers are compared."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from posepipe.errors import InputError, UsageError
from posepipe.lab import hard
from posepipe.lab.hard import HARD, Clip, clips_in, evaluate_hard, make_hard, nearness, sides_exchanged
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.skeleton import BLAZEPOSE33
from posepipe.types import KeypointTrack

SIZE = (320, 240)
FRAMES = 30
PLACES = {"shoulder": 90.0, "elbow": 110.0, "wrist": 130.0, "hip": 140.0, "knee": 170.0, "ankle": 200.0}


def standing() -> KeypointTrack:
    """Faces the camera: left at the right side of the picture, head at (160, 60)."""
    xy = np.full((FRAMES, 33, 2), (160.0, 60.0), np.float32)
    for part, y in PLACES.items():
        for side, x in (("left", 20.0), ("right", -20.0)):
            xy[:, BLAZEPOSE33.index(f"{side}_{part}")] = (160.0 + x, y)
    shape = (FRAMES, 33)
    yes = np.ones(shape, bool)
    frame = np.arange(FRAMES, dtype=np.int32)
    sigma, score = np.full(shape, 2.0, np.float32), np.full(shape, 0.9, np.float32)
    return KeypointTrack(1, BLAZEPOSE33, frame, frame / 30.0, xy, sigma, score, yes, ~yes)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("clip") / "one.mp4"
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    cv2.rectangle(image, (140, 40), (180, 210), (40, 200, 230), -1)
    cv2.circle(image, (160, 60), 6, (10, 10, 250), -1)
    with VideoWriter(path, *SIZE, 30.0, crf=10) as writer:
        for i in range(FRAMES):
            writer.write(image, i / 30.0)
    return Clip(path, standing(), SIZE, 30.0, image, 0)


def pictures(path: Path) -> list[np.ndarray]:
    with open_source(path) as source:
        return [frame.image for frame in source]


@pytest.mark.parametrize("kind", ["head_blurred", "head_boxed", "head_pixelated"])
def test_a_cover_changes_the_head_and_nothing_else(clip, kind, tmp_path):
    before, after = (
        pictures(clip.video)[5].astype(int),
        pictures(make_hard(clip, kind, tmp_path / "a.mp4"))[5].astype(int),
    )
    gone = np.abs(after - before).max(axis=2)
    assert gone[56:64, 156:164].mean() > 60
    assert gone[120:].max() < 25 and gone[:, :120].max() < 25


def test_rates_leave_frames_out(clip, tmp_path):
    for kind, frames in (("rate_10_hz", 10), ("rate_12_hz", 12)):
        with open_source(make_hard(clip, kind, tmp_path / f"{kind}.mp4")) as source:
            times = [frame.time_s for frame in source]
        assert len(times) == frames
        assert np.diff(times).min() > 0.05


def test_turned_films_are_turned(clip, tmp_path):
    before = pictures(clip.video)[0].astype(int)
    turned = pictures(make_hard(clip, "turned_90", tmp_path / "a.mp4"))[0].astype(int)
    assert turned.shape == (SIZE[0], SIZE[1], 3)
    assert np.abs(np.rot90(turned) - before).mean() < 6
    assert (
        np.abs(pictures(make_hard(clip, "turned_180", tmp_path / "b.mp4"))[0][::-1, ::-1].astype(int) - before).mean()
        < 6
    )


def test_small_people_are_a_fifth_of_the_picture_and_their_place_is_known(clip, tmp_path):
    kind = HARD["small"]
    image = pictures(make_hard(clip, "small", tmp_path / "a.mp4"))[0]
    assert image.shape == (SIZE[1], SIZE[0], 3)
    there = (image[..., 2].astype(int) > 180) & (image[..., 0] < 110)
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    low = np.array([columns[0], rows[0]], float)
    place = kind.place(clip)
    np.testing.assert_allclose(place[:, :2] @ low + place[:, 2], (140, 40), atol=6)
    assert (np.ptp(rows) + 1) / SIZE[1] == pytest.approx(0.2 * 170 / 140, abs=0.03)


def test_text_and_poster_are_drawn(clip, tmp_path):
    before = pictures(clip.video)[0].astype(int)
    text = pictures(make_hard(clip, "text", tmp_path / "a.mp4"))[0].astype(int)
    assert (np.abs(text - before).max(axis=2) > 60).mean() > 0.01
    poster = pictures(make_hard(clip, "poster", tmp_path / "b.mp4"))
    assert poster[0].shape[1] > SIZE[0]
    assert np.abs(poster[0][:, : SIZE[0]].astype(int) - before).mean() < 6
    assert np.abs(poster[0][:, SIZE[0] + 20 :].astype(int) - poster[20][:, SIZE[0] + 20 :].astype(int)).mean() < 2


def test_sides_and_place_are_compared_with_the_untouched_clip():
    same, track = np.eye(2, 3), standing()
    assert sides_exchanged(track, track, same) == 0.0 and nearness(track, track, same) == 0.0
    mirrored = replace(track, xy_px=track.xy_px[:, BLAZEPOSE33.mirror])
    assert sides_exchanged(mirrored, track, same) == 1.0 and nearness(mirrored, track, same) == 0.0
    assert nearness(replace(track, xy_px=track.xy_px + 70.0), track, same) > 0.3
    half = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    assert nearness(replace(track, xy_px=0.5 * track.xy_px), track, half) == pytest.approx(0.0, abs=1e-6)
    nobody = replace(track, xy_px=np.full_like(track.xy_px, np.nan), valid=np.zeros_like(track.valid))
    assert nearness(nobody, track, same) == float("inf")


def test_only_single_people_of_a_table_are_taken(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in clips_in(tmp_path)] == ["a.mp4", "b.mp4"]
    (tmp_path / "videos.csv").write_text("file,persons\na.mp4,2\nb.mp4,1\n", encoding="utf-8")
    assert [path.name for path in clips_in(tmp_path)] == ["b.mp4"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError):
        clips_in(empty)


def test_wrong_kinds_are_named(clip, tmp_path):
    with pytest.raises(UsageError, match="head_blurred"):
        evaluate_hard(tmp_path, kinds=["hat"])
    with pytest.raises(UsageError, match="turned_90"):
        make_hard(clip, "hat", tmp_path / "a.mp4")


def test_nobody_found_is_wrong_and_shares_are_over_clips(clip):
    rows = [{"clip": "a", "kind": "text", "right": True}, {"clip": "b", "kind": "text", "right": False}]
    assert hard._metrics(rows) == {"clips": 2.0, "right/text": 0.5}
