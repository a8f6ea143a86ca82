"""The whole detector: nobody where nobody is, no memory between clips, agreement with MediaPipe."""

from __future__ import annotations

import importlib.util
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from posepipe.errors import ModelError, UsageError
from posepipe.keypoints import DETECTORS, Detector, DetectorStream, open_detector
from posepipe.keypoints.blazepose import BlazePose, BlazePoseSettings, Networks
from posepipe.keypoints.roi import Roi
from posepipe.media.sources import open_source
from posepipe.samples import SAMPLE_VIDEO
from posepipe.types import Frame, Keypoints, same


def run(detector: Detector, frames: list[Frame]) -> list[tuple[Keypoints, ...]]:
    stream = detector.start()
    try:
        return [stream.step(frame) for frame in frames]
    finally:
        stream.close()


def equal(a: list[tuple[Keypoints, ...]], b: list[tuple[Keypoints, ...]]) -> bool:
    return [len(people) for people in a] == [len(people) for people in b] and all(
        same(x, y) for left, right in zip(a, b, strict=True) for x, y in zip(left, right, strict=True)
    )


def test_blank_frames_hold_nobody(blazepose: BlazePose, blank_frames: list[Frame]) -> None:
    assert run(blazepose, blank_frames) == [()] * len(blank_frames)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (8, 8), (15, 300), (16, 16), (17, 3000)])
def test_odd_sizes(blazepose: BlazePose, size: tuple[int, int]) -> None:
    frame = Frame(0, 0.0, np.full((*size, 3), 90, np.uint8))
    assert run(blazepose, [frame]) == [()]


def test_view_of_a_larger_picture(blazepose: BlazePose) -> None:
    """Pictures needn't be contiguous."""
    image = np.full((300, 600, 3), 90, np.uint8)[::2, ::-2]
    assert run(blazepose, [Frame(0, 0.0, image)]) == [()]


def test_lanes_open_the_networks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def slow(*args: object) -> object:
        opened.append(args)
        time.sleep(0.05)
        return object()

    monkeypatch.setattr("posepipe.keypoints.blazepose.Networks", slow)
    detector = BlazePose()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: detector.networks(), range(4)))
    assert len(opened) == 1 and all(one is found[0] for one in found)


def test_protocol(blazepose: BlazePose) -> None:
    assert isinstance(blazepose, Detector)
    assert isinstance(blazepose.start(), DetectorStream)


def test_looks_again_every_frame_while_nobody_is_there(blazepose: BlazePose, blank_frames: list[Frame]) -> None:
    stream = blazepose.start()
    for frame in blank_frames:
        stream.step(frame)
    assert stream.looks == 2 * len(blank_frames), "at the whole picture, and at one tile"


def test_a_person_of_a_fifth_of_the_picture_is_found(blazepose: BlazePose) -> None:
    with open_source(SAMPLE_VIDEO) as source:
        image = next(frame.image for frame in source if frame.index == 150)
    small = cv2.resize(image, None, fx=0.33, fy=0.33, interpolation=cv2.INTER_AREA)
    room = cv2.copyMakeBorder(small, 300, 720 - 300 - small.shape[0], 500, 780 - small.shape[1], cv2.BORDER_REPLICATE)
    stream = blazepose.start()
    found = [stream.step(Frame(i, i / 30.0, room)) for i in range(10)]
    (person,) = found[-1]
    height_px = float(np.ptp(person.xy_px[:, 1]))
    assert 0.15 < height_px / 720.0 < 0.25
    inside = (person.xy_px >= (500, 300)).all(axis=1) & (person.xy_px <= (500 + small.shape[1], 540)).all(axis=1)
    assert inside.all()


def test_settings() -> None:
    assert "blazepose" in DETECTORS
    with pytest.raises(UsageError, match="blazepose, mediapipe"):
        open_detector("openpose")
    with pytest.raises(UsageError, match=r"\.onnx"):
        open_detector("rtmpose")
    with pytest.raises(UsageError):
        open_detector("blazepose", max_people=0)
    with pytest.raises(UsageError, match="lite, full, heavy"):
        open_detector("blazepose:huge")
    for name in ("missing.task", "missing.onnx"):
        with pytest.raises(ModelError, match="missing") as caught:
            open_detector(name)
        assert caught.value.exit_code == 4


def test_task_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "broken.task"
    path.write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match=r"broken\.task"):
        open_detector(path).start()


def test_roi_far_outside_gives_numbers(blazepose: BlazePose) -> None:
    networks: Networks = blazepose.networks()
    person = networks.landmarks(np.zeros((100, 100, 3), np.uint8), Roi(5000.0, -5000.0, 50.0, 1.0))
    assert np.isfinite(person.keypoints.xy_px).all()
    assert (person.keypoints.sigma_px > 0.0).all()


@pytest.mark.shared
def test_no_memory_between_clips(blazepose: BlazePose, squat_frames: list[Frame], walk_frames: list[Frame]) -> None:
    fresh = run(blazepose, walk_frames)
    run(blazepose, squat_frames)
    assert equal(run(blazepose, walk_frames), fresh)
    assert equal(run(BlazePose(threads=1), walk_frames), fresh)


@pytest.mark.shared
def test_two_streams_at_once(blazepose: BlazePose, squat_frames: list[Frame], walk_frames: list[Frame]) -> None:
    alone = run(blazepose, walk_frames)
    a, b = blazepose.start(), blazepose.start()
    mixed = []
    for squat, walk in zip(squat_frames, walk_frames, strict=True):
        a.step(squat)
        mixed.append(b.step(walk))
    assert equal(mixed, alone)


@pytest.mark.shared
@pytest.mark.parametrize("clip", ["squat_frames", "walk_frames"])
def test_agrees_with_mediapipe(blazepose: BlazePose, clip: str, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("mediapipe.python.solutions", reason="MediaPipe 0.10.21, the reference, isn't installed")
    # MediaPipe's Python solution takes every clip for one of 30 frames a second.
    frames = [Frame(f.index, f.index / 30.0, f.image) for f in request.getfixturevalue(clip)]
    ours, theirs = run(blazepose, frames), run(open_detector("mediapipe"), frames)
    gaps = []
    for mine, reference in zip(ours, theirs, strict=True):
        assert len(mine) >= len(reference)
        if reference:
            height_px = np.ptp(reference[0].xy_px, axis=0).max()
            gaps.append(np.linalg.norm(mine[0].xy_px - reference[0].xy_px, axis=1) / height_px)
    assert len(gaps) > 10
    assert np.median(gaps) < 0.001
    assert np.percentile(gaps, 95) < 0.005


def test_mediapipe_1_is_named_where_it_is_missing(tmp_path: Path) -> None:
    if importlib.util.find_spec("mediapipe") is not None:
        pytest.skip("mediapipe is installed")
    with pytest.raises(ModelError, match=r"mediapipe>=1\.2"):
        open_detector(f"mediapipe:{tmp_path / 'x.task'}").start()


@pytest.mark.shared
def test_world_landmarks_agree_with_mediapipe(blazepose: BlazePose, squat_frames: list[Frame]) -> None:
    pytest.importorskip("mediapipe.python.solutions", reason="MediaPipe 0.10.21, the reference, isn't installed")
    ours, theirs = blazepose.start(), open_detector("mediapipe").start()
    ours.step(squat_frames[0])
    theirs.step(squat_frames[0])
    np.testing.assert_allclose(ours.people[0].world_m, theirs.last_world_m, atol=0.005)
    theirs.close()


@pytest.mark.shared
def test_one_person_is_not_found_twice(squat_frames: list[Frame]) -> None:
    stream = BlazePose(max_people=4, threads=1, settings=BlazePoseSettings(redetect_s=0.1)).start()
    counts = [len(stream.step(frame)) for frame in squat_frames]
    assert counts == [1] * len(squat_frames)
    assert stream.looks > 3


@pytest.mark.shared
def test_two_people_side_by_side(squat_frames: list[Frame]) -> None:
    """The same picture twice, beside itself: both people are found, in the same pose."""
    image = squat_frames[0].image
    half = image[:, image.shape[1] // 3 :]
    double = Frame(0, 0.0, np.hstack([half, half]))
    (first, second) = BlazePose(max_people=3, threads=1).start().step(double)
    shift = second.xy_px - first.xy_px
    height_px = np.ptp(first.xy_px, axis=0).max()
    assert abs(abs(np.median(shift[:, 0])) - half.shape[1]) < 0.02 * height_px
    assert abs(np.median(shift[:, 1])) < 0.02 * height_px


@pytest.mark.shared
def test_lost_person_is_looked_for_in_the_same_frame(blazepose: BlazePose, squat_frames: list[Frame]) -> None:
    """After a cut to the mirrored picture the person is found at once, not a frame later."""
    stream = blazepose.start()
    stream.step(squat_frames[0])
    blank = Frame(1, 1 / 30, np.full_like(squat_frames[0].image, 127))
    assert stream.step(blank) == ()
    assert len(stream.step(Frame(2, 2 / 30, squat_frames[1].image))) == 1


def company(present: list[bool]) -> list[int]:
    """How many people are followed at eight pictures a second: one stands there always, a second where it is said."""
    with open_source(SAMPLE_VIDEO) as source:
        image = next(frame.image for frame in source if frame.time_s > 3.0)
    half = image[:, -image.shape[1] // 2 :]
    nobody = np.full_like(half, 127)
    stream = BlazePose(max_people=3, threads=1).start()
    pictures = [np.hstack([half, half if second else nobody]) for second in present]
    return [len(stream.step(Frame(i, i / 8.0, picture))) for i, picture in enumerate(pictures)]


def test_who_comes_later_is_found_within_half_a_second() -> None:
    counts = company([False] * 7 + [True] * 6)
    assert counts[:7] == [1] * 7
    assert counts[12] == 2


def test_who_was_hidden_is_found_again_at_once() -> None:
    assert company([True] * 3 + [False] * 2 + [True] * 2)[2:] == [2, 1, 1, 2, 2]


@pytest.mark.shared
def test_sigma_rises_where_the_body_is_covered(blazepose: BlazePose, squat_frames: list[Frame]) -> None:
    """Visibility alone stays high for hidden joints; the sigma must tell."""
    (clear,) = blazepose.start().step(squat_frames[0])
    knee = clear.layout.index("left_knee")
    x, y = clear.xy_px[knee].astype(int)
    side = int(0.12 * np.ptp(clear.xy_px[:, 1]))
    image = squat_frames[0].image.copy()
    image[y - side : y + side, x - side : x + side] = 127
    (covered,) = blazepose.start().step(Frame(0, 0.0, image))
    assert covered.sigma_px[knee] > 1.3 * clear.sigma_px[knee]
