"""Faces are covered beyond telling, wherever one may be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posepipe import analyze
from posepipe.errors import UsageError
from posepipe.media.hide import HIDE, Face, faces_at, hide
from posepipe.media.sources import open_source
from tests.record.factory import make_keypoints, make_pose

RATE_HZ = 30.0


def _track(frames: int = 60):
    return make_keypoints(make_pose(np.arange(frames) / RATE_HZ))


def test_face_covers_every_face_joint() -> None:
    track = _track()
    found = faces_at([track], 30, RATE_HZ)
    assert found is not None
    names = [name for name in track.layout.joints if {"nose", "eye", "ear", "mouth"} & set(name.split("_"))]
    for name in names:
        xy = track.xy_px[30, track.layout.joints.index(name)]
        assert np.hypot(xy[0] - found[0].x_px, xy[1] - found[0].y_px) < found[0].radius_px


def test_frames_without_a_known_face_have_none() -> None:
    track = _track()
    assert faces_at([track], 500, RATE_HZ) is None
    assert faces_at([], 3, RATE_HZ) is None
    # A short gap takes the nearest; a long one is unknown.
    gone = track.valid.copy()
    gone[20:24] = False
    assert faces_at([replace(track, valid=gone)], 21, RATE_HZ) is not None
    gone[10:50] = False
    assert faces_at([replace(track, valid=gone)], 30, RATE_HZ) is None


def test_blur_leaves_no_detail_inside_and_all_outside() -> None:
    image = np.random.default_rng(3).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    face = Face(160.0, 100.0, 40.0)
    made = hide(image, "blur", [face])
    rows, columns = np.mgrid[:240, :320]
    inside = np.hypot(columns - 160, rows - 100) < 38
    outside = np.hypot(columns - 160, rows - 100) > 42
    np.testing.assert_array_equal(made[outside], image[outside])
    assert made[inside].std() < 0.15 * image[inside].std()
    assert hide(image, "blur", None).std() < 0.15 * image.std()
    assert hide(image, "figure", None).std() == 0.0
    assert HIDE.cells < 8
    with pytest.raises(UsageError, match="Valid"):
        hide(image, "mask", None)


@pytest.mark.parametrize("way", ["blur", "figure"])
def test_no_picture_of_a_result_shows_the_face(person_clip: Path, tmp_path: Path, way: str) -> None:
    folder = tmp_path / way
    recording = analyze(person_clip, folder, task="pose", anonymise=way, video_out=True)
    track = recording.people[0].keypoints
    with open_source(person_clip) as film, open_source(folder / "annotated.mp4") as shown:
        for before, after in zip(film, shown, strict=True):
            faces = faces_at([track], before.index, film.info.fps_hz)
            assert faces is not None or before.index < track.frame[0] - 9 or before.index > track.frame[-1] + 9
            if faces is None:
                continue
            x, y, r = (int(number) for number in faces[0])
            part = np.s_[max(y - r // 2, 0) : y + r // 2, max(x - r // 2, 0) : x + r // 2]
            one, other = (picture.image[part].astype(float).ravel() for picture in (before, after))
            if one.size > 50:
                assert abs(np.corrcoef(one - one.mean(), other - other.mean())[0, 1]) < 0.95
    assert recording.config["anonymise"] == way
    for picture in recording.people[0].key_frames:
        assert way == "blur" or np.median(picture.image) == 32
