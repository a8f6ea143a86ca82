"""Left and right settled by a lifter's doubt; the lifter here is a stand-in that knows the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.lifting.lifter import Lifter, assumed_camera
from posepipe.lifting.sides import settle_sides
from posepipe.skeleton import BLAZEPOSE33, BODY21
from posepipe.synth.body import BodyShape
from posepipe.synth.camera import SynthCamera
from posepipe.synth.walking import walk
from posepipe.types import KeypointTrack

CAMERA = assumed_camera(640, 480)
ARM, LEG = BODY21.indices("left_elbow", "right_elbow"), BODY21.indices("left_knee", "right_knee")


class Knowing:
    """Doubts every pose whose left elbow or left knee isn't to the right in the picture."""

    def __init__(self, fall: float = 0.6) -> None:
        self.fall = fall

    def lift_rays(self, rays, sigma, seen, guess):  # type: ignore[no-untyped-def]
        wrong = sum((rays[:, left, 0] < rays[:, right, 0]).astype(float) for left, right in (ARM, LEG))
        doubt = 0.05 * np.exp(self.fall * wrong)
        return None, np.repeat(doubt[:, None], len(BODY21), axis=1), seen.any(axis=1)


def track(frames: int = 60) -> KeypointTrack:
    """Everything on the left side lies to the right in the picture, as in somebody who faces the camera."""
    xy = np.zeros((frames, len(BLAZEPOSE33), 2), dtype=np.float32)
    for j, name in enumerate(BLAZEPOSE33.joints):
        xy[:, j] = (320 + (40 if "left" in name else -40 if "right" in name else 0), 100 + 8 * j)
    there = np.ones(xy.shape[:2], dtype=bool)
    sigma = np.full(there.shape, 2.0, dtype=np.float32)
    time_s = np.arange(frames) / 30.0
    frame = np.arange(frames, dtype=np.int32)
    return KeypointTrack(1, BLAZEPOSE33, frame, time_s, xy, sigma, sigma.copy(), there, np.zeros_like(there))


def exchanged(whole: KeypointTrack, rows: slice, part: str) -> KeypointTrack:
    order = np.arange(len(BLAZEPOSE33))
    legs = ("hip", "knee", "ankle", "heel", "foot")
    for j, name in enumerate(BLAZEPOSE33.joints):
        if part == "body" or (part == "legs") == any(word in name for word in legs):
            order[j] = BLAZEPOSE33.mirror[j]
    xy = whole.xy_px.copy()
    xy[rows] = xy[rows][:, order]
    return replace(whole, xy_px=xy)


@pytest.mark.parametrize("part", ["arms", "legs", "body"])
def test_what_the_lifter_doubts_is_put_in_order(part: str) -> None:
    whole = track()
    found, changes = settle_sides(exchanged(whole, slice(0, 60), part), Knowing(), CAMERA)  # type: ignore[arg-type]
    assert [(c.group, c.frames, c.start_s) for c in changes] == [(part, 60, 0.0)]
    assert np.array_equal(found.xy_px, whole.xy_px)
    assert changes[0].gain > 0.35


def test_a_part_of_a_track_and_not_more() -> None:
    whole = track()
    found, changes = settle_sides(exchanged(whole, slice(30, 60), "body"), Knowing(), CAMERA)  # type: ignore[arg-type]
    assert len(changes) == 1
    assert changes[0].start_s == pytest.approx(1.0, abs=0.2)
    assert np.array_equal(found.xy_px[:24], whole.xy_px[:24])
    assert np.array_equal(found.xy_px[-20:], whole.xy_px[-20:])


def test_little_doubt_short_moments_and_good_labels_change_nothing() -> None:
    whole = track()
    for case, lifter in (
        (whole, Knowing()),
        (exchanged(whole, slice(0, 60), "legs"), Knowing(fall=0.2)),
        (exchanged(whole, slice(30, 32), "legs"), Knowing()),
    ):
        found, changes = settle_sides(case, lifter, CAMERA)  # type: ignore[arg-type]
        assert found is case and changes == ()


def test_frames_without_keypoints_say_nothing() -> None:
    whole = exchanged(track(), slice(0, 60), "arms")
    there = whole.valid.copy()
    there[10:50] = False
    xy = np.where(there[..., None], whole.xy_px, np.nan).astype(np.float32)
    found, changes = settle_sides(replace(whole, xy_px=xy, valid=there), Knowing(), CAMERA)  # type: ignore[arg-type]
    assert [(c.group, c.frames) for c in changes] == [("arms", 10), ("arms", 10)]
    assert not found.valid[10:50].any()
    assert np.isfinite(found.xy_px[:10]).all()


@pytest.mark.parametrize("heading_deg", [0, 60, 120, 180, 240, 300])
def test_the_shipped_lifter_leaves_a_walker_alone(heading_deg: float) -> None:
    xyz = walk(BodyShape(), 1.5).xyz_m
    middle = xyz[:, 0].mean(axis=0)
    way = np.array([np.cos(np.radians(heading_deg)), np.sin(np.radians(heading_deg)), 0.1])
    camera = SynthCamera(tuple((middle + 4.0 * way).tolist()), tuple(middle.tolist()), 600.0, 640, 480)
    xy = camera.project(xyz)[0].astype(np.float32)
    there = np.ones(xy.shape[:2], dtype=bool)
    sigma = np.full(there.shape, 2.0, dtype=np.float32)
    frame = np.arange(len(xy), dtype=np.int32)
    one = KeypointTrack(1, BODY21, frame, frame / 30.0, xy, sigma, sigma.copy(), there, np.zeros_like(there))
    assert settle_sides(one, Lifter(), camera.intrinsics)[1] == ()
