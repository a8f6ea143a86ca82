"""What lies outside the picture, or was only guessed, isn't seen."""

from dataclasses import replace

import numpy as np

from posepipe.skeleton import BODY21, COCO17
from posepipe.tracking.visible import only_seen, without_unseen
from posepipe.types import KeypointTrack, PoseTrack

SIZE = (640, 360)
F = 270


def track() -> KeypointTrack:
    shape = (F, len(COCO17))
    xy = np.full((*shape, 2), 100.0, np.float32)
    yes = np.ones(shape, bool)
    frame = np.arange(F, dtype=np.int32)
    return KeypointTrack(
        1, COCO17, frame, frame / 30.0, xy, np.full(shape, 2.0, np.float32), np.full(shape, 0.9, np.float32), yes, ~yes
    )


def pose() -> PoseTrack:
    shape = (F, len(BODY21))
    yes = np.ones(shape, bool)
    zero = np.zeros((*shape, 3), np.float32)
    one = np.full(shape, 0.03, np.float32)
    root = np.ones((F, 3), np.float32)
    return PoseTrack(BODY21, np.arange(F) / 30.0, zero, one, root, root, yes, ~yes)


def _part(track: KeypointTrack, count: int) -> KeypointTrack:
    names = ("frame", "time_s", "xy_px", "sigma_px", "score", "valid", "interpolated")
    return replace(track, **{name: getattr(track, name)[:count] for name in names})


def _short(pose: PoseTrack, count: int) -> PoseTrack:
    names = ("time_s", "xyz_m", "sigma_m", "root_m", "root_sigma_m", "valid", "interpolated")
    return replace(pose, **{name: getattr(pose, name)[:count] for name in names})


def test_outside_the_picture_and_guesses_are_not_seen():
    given = track()
    ankle, knee, wrist = COCO17.indices("left_ankle", "left_knee", "right_wrist")
    xy, score = given.xy_px.copy(), given.score.copy()
    xy[:, ankle, 1] = 361.0
    xy[10, wrist, 0] = -0.5
    score[:, knee] = 0.0001
    seen = only_seen(replace(given, xy_px=xy, score=score), SIZE)
    assert not seen.valid[:, [ankle, knee]].any() and np.isnan(seen.xy_px[:, ankle]).all()
    assert not seen.valid[10, wrist] and seen.valid[11, wrist]
    rest = [j for j in range(len(COCO17)) if j not in (ankle, knee, wrist)]
    assert seen.valid[:, rest].all()
    np.testing.assert_array_equal(seen.xy_px[:, rest], xy[:, rest])


def test_joints_filled_in_stay_whatever_their_score():
    given = track()
    filled = given.interpolated.copy()
    filled[5, 3] = True
    score = given.score.copy()
    score[5, 3] = 0.0
    seen = only_seen(replace(given, interpolated=filled, score=score), SIZE)
    assert seen.valid.all() and seen.interpolated[5, 3]


def test_a_limb_out_of_sight_for_long_has_no_3d():
    given = track()
    ankle, wrist, hip = COCO17.indices("left_ankle", "right_wrist", "left_hip")
    xy = given.xy_px.copy()
    xy[20:190, ankle, 1] = 400.0
    xy[20:190, hip, 1] = 400.0
    xy[20:140, wrist, 0] = 700.0
    left = without_unseen(pose(), only_seen(replace(given, xy_px=xy), SIZE))
    column = BODY21.index("left_ankle")
    assert not left.valid[20:190, column].any() and np.isnan(left.xyz_m[20:190, column]).all()
    assert left.valid[:20, column].all() and left.valid[190:, column].all()
    wrist = BODY21.index("right_wrist")
    assert left.valid[:, wrist].all(), "four seconds are bridged, and told"
    assert left.interpolated[20:140, wrist].all() and not left.interpolated[140:, wrist].any()
    assert left.valid[:, BODY21.index("left_hip")].all(), "the trunk stays"


def test_a_limb_never_seen_has_no_3d_in_a_short_clip_either():
    given = _part(track(), 60)
    score = given.score.copy()
    score[:, COCO17.index("left_ankle")] = 0.0
    seen = only_seen(replace(given, score=score), SIZE)
    assert not without_unseen(_short(pose(), 60), seen).valid[:, BODY21.index("left_ankle")].any()
