"""Left and right put in order: by where limbs were going, live and with hindsight, and by a lifter's doubt."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.body.left_right import in_order
from posepipe.body.lift import Lifter, assumed_camera
from posepipe.body.side_costs import eased
from posepipe.body.sides import SwapGuard, repair_swaps, settle_sides
from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.gait import make_walk
from posepipe.skeleton import BLAZEPOSE33, BODY21
from posepipe.types import Keypoints, KeypointTrack, Swap

from .bodies import UP, body, rotate

LEG_JOINTS = np.array([any(p in j for p in ("hip", "knee", "ankle", "heel", "foot")) for j in BODY21.joints])


@cache
def steps(fps: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Times, and (F, 21, 3) joints of somebody walking on the spot."""
    time_s = np.arange(int(fps * seconds)) / fps
    is_left = np.array([j.startswith("left") for j in BODY21.joints])[:, None]
    frames = []
    for t in time_s:
        swing = 25.0 * np.sin(2 * np.pi * 0.9 * t)
        knees = 15.0 + 25.0 * np.sin(2 * np.pi * 0.9 * t + np.array([0.8, 0.8 + np.pi]))
        left = body(hip=10 + swing, knee=knees[0], shoulder=-swing, elbow=20)
        right = body(hip=10 - swing, knee=knees[1], shoulder=swing, elbow=20)
        frames.append(np.where(is_left, left, right))
    return time_s, np.stack(frames)


def walker(yaw: float, fps: float = 30.0, seconds: float = 4.0, noise_px: float = 1.5, seed: int = 0) -> KeypointTrack:
    """A walker, 500 px tall, seen from `yaw` (90: from the left)."""
    rng = np.random.default_rng(seed)
    time_s, frames = steps(fps, seconds)
    xyz = rotate(frames.reshape(-1, 3), UP, -yaw).reshape(len(time_s), 21, 3)
    xy = 300.0 * xyz[..., :2] + 400.0
    xy = xy + rng.normal(0, noise_px, xy.shape) + np.cumsum(rng.normal(0, 0.2, (len(time_s), 1, 2)), axis=0)
    shape = xy.shape[:2]
    return KeypointTrack(
        person=1,
        layout=BODY21,
        frame=np.arange(len(time_s), dtype=np.int32),
        time_s=time_s,
        xy_px=xy.astype(np.float32),
        sigma_px=np.full(shape, 4.0, np.float32),
        score=np.full(shape, 0.9, np.float32),
        valid=np.ones(shape, bool),
        interpolated=np.zeros(shape, bool),
    )


def swapped(track: KeypointTrack, frames: slice | list[int], joints: np.ndarray) -> KeypointTrack:
    xy = track.xy_px.copy()
    order = np.where(joints, BODY21.mirror, np.arange(21))
    xy[frames] = xy[frames][:, order]
    return KeypointTrack(
        track.person,
        track.layout,
        track.frame,
        track.time_s,
        xy,
        track.sigma_px,
        track.score,
        track.valid,
        track.interpolated,
    )


WHOLE = np.ones(21, bool)


@pytest.mark.parametrize("yaw", [0.0, 30.0, 180.0, -40.0])
@pytest.mark.parametrize("frames", [[50], [50, 51, 52], slice(40, 75), [20, 50, 51, 90]])
def test_whole_body_is_put_right(yaw, frames):
    clean = walker(yaw)
    fixed, swaps = repair_swaps(swapped(clean, frames, WHOLE))
    np.testing.assert_array_equal(fixed.xy_px, clean.xy_px)
    assert swaps and all(s.repaired and s.group == "body" for s in swaps)
    assert sum(s.frames for s in swaps) == len(np.arange(120)[frames])


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_legs_alone(fps):
    clean = walker(10.0, fps=fps)
    part = slice(int(1.0 * fps), int(1.4 * fps))
    fixed, swaps = repair_swaps(swapped(clean, part, LEG_JOINTS))
    np.testing.assert_array_equal(fixed.xy_px, clean.xy_px)
    assert [s.group for s in swaps] == ["legs"]
    assert swaps[0].start_s == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    yaw=st.floats(-180, 180),
    fps=st.sampled_from([10.0, 24.0, 30.0, 60.0]),
    noise=st.floats(0.5, 4.0),
    seed=st.integers(0, 99),
)
def test_no_false_swap_from_any_side(yaw, fps, noise, seed):
    clean = walker(yaw, fps=fps, seconds=3.0, noise_px=noise, seed=seed)
    fixed, swaps = repair_swaps(clean)
    assert not [s for s in swaps if s.repaired]
    np.testing.assert_array_equal(fixed.xy_px, clean.xy_px)


@pytest.mark.parametrize("yaw", [90.0, -90.0, 75.0])
@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_legs_that_cross_from_the_side_are_left_alone(yaw, fps):
    for seed in range(2):
        clean = walker(yaw, fps=fps, seconds=3.0, seed=seed)
        assert repair_swaps(clean)[1] == ()
        assert live(clean)[0] == pytest.approx(clean.xy_px)


def _passing(track: KeypointTrack) -> np.ndarray:
    """Frames after which one ankle has passed the other."""
    apart = track.xy_px[:, BODY21.index("left_ankle"), 0] - track.xy_px[:, BODY21.index("right_ankle"), 0]
    return np.flatnonzero(np.diff(np.sign(apart))) + 1


@pytest.mark.parametrize("yaw", [90.0, -90.0, 70.0])
@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_legs_exchanged_where_they_pass_are_put_right(yaw, fps):
    clean = walker(yaw, fps=fps, seed=3)
    at = _passing(clean)
    fixed, swaps = repair_swaps(swapped(clean, slice(at[2], at[3]), LEG_JOINTS))
    feet = BODY21.indices("left_ankle", "right_ankle", "left_heel", "right_heel")
    wrong = np.abs(fixed.xy_px - clean.xy_px)[:, feet].max(axis=(1, 2)) > 20.0
    assert wrong.sum() <= 2  # At the passing itself both labels are as good.
    assert [s.group for s in swaps if s.repaired] == ["legs"]


@pytest.mark.parametrize("yaw", [90.0, -90.0])
def test_legs_exchanged_and_merged_while_far_apart(yaw):
    """The commonest fault from the side: with both feet on the ground labels flicker, and both legs come out as one."""
    clean = walker(yaw, seed=4)
    at = _passing(clean)
    middle = (at[2] + at[3]) // 2
    flicker = [middle - 3, middle - 2, middle - 1, middle + 1, middle + 2]
    broken = swapped(clean, flicker, LEG_JOINTS)
    xy, sigma = broken.xy_px.copy(), broken.sigma_px.copy()
    both = 0.5 * (xy[middle] + xy[middle][BODY21.mirror])
    xy[middle, LEG_JOINTS], sigma[middle, LEG_JOINTS] = both[LEG_JOINTS], 25.0
    broken = KeypointTrack(
        1, BODY21, clean.frame, clean.time_s, xy, sigma, clean.score, clean.valid, clean.interpolated
    )
    fixed, _ = repair_swaps(broken)
    others = np.arange(len(clean)) != middle
    np.testing.assert_array_equal(fixed.xy_px[others], clean.xy_px[others])


def _unsure_at_a_passing(clean: KeypointTrack, at: int) -> tuple[KeypointTrack, np.ndarray]:
    """Labels that change several times while the legs pass, unsure at every change; and the frames worth checking."""
    wrong, merged = [at - 6, at - 5, at - 4, at + 3, at + 4], [at - 1, at, at + 1, at + 5]
    broken = swapped(clean, wrong, LEG_JOINTS)
    xy, sigma = broken.xy_px.copy(), broken.sigma_px.copy()
    both = 0.5 * (xy + xy[:, BODY21.mirror])
    for frame in merged:
        xy[frame, LEG_JOINTS], sigma[frame, LEG_JOINTS] = both[frame, LEG_JOINTS], 20.0
    sigma[[[at - 7], [at - 3], [at + 3]], LEG_JOINTS] = 10.0
    track = KeypointTrack(1, BODY21, clean.frame, clean.time_s, xy, sigma, clean.score, clean.valid, clean.interpolated)
    sure = np.ones(len(clean), bool)
    sure[[*merged, at + 2, at - 2]] = False
    return track, sure


@pytest.mark.parametrize("yaw", [90.0, -90.0])
@pytest.mark.parametrize("seed", range(4))
def test_labels_that_change_where_legs_pass_do_not_make_them_bounce(yaw, seed):
    clean = walker(yaw, seed=seed)
    broken, sure = _unsure_at_a_passing(clean, int(_passing(clean)[3]))
    fixed, _ = repair_swaps(broken)
    np.testing.assert_array_equal(fixed.xy_px[sure], clean.xy_px[sure])


def test_labels_change_at_less_cost_only_where_the_detector_is_unsure():
    var = np.full((6, 5), 4.0)
    var[3] = 16.0
    var[1, 0] = 100.0  # One joint alone says nothing about the legs.
    np.testing.assert_array_equal(eased(var, np.full(5, 4.0)) > 0.0, [False, False, False, True, True, False])


def test_a_foot_drawn_up_to_the_other_is_no_exchange():
    clean = walker(90.0, seed=5)
    ankle = BODY21.index("left_ankle")
    phase = 2.0 * np.pi * 0.7 * clean.time_s
    xy = np.repeat(clean.xy_px[:1], len(clean), axis=0)
    for part in ("knee", "ankle", "heel", "foot_index"):
        left, right = BODY21.indices(f"left_{part}", f"right_{part}")
        xy[:, left] = xy[:, right]
        xy[:, left, 0] += (60.0 if part != "knee" else 30.0) * (1.0 + np.cos(phase))
    xy += np.random.default_rng(5).normal(0.0, 1.5, xy.shape).astype(np.float32)
    track = KeypointTrack(
        1, BODY21, clean.frame, clean.time_s, xy, clean.sigma_px, clean.score, clean.valid, clean.interpolated
    )
    fixed, _ = repair_swaps(track)
    apart = np.abs(xy[:, ankle, 0] - xy[:, BODY21.mirror[ankle], 0]) > 20.0
    np.testing.assert_array_equal(fixed.xy_px[apart], xy[apart])


def test_sigma_rises_where_repaired_and_at_the_ends():
    clean = walker(0.0)
    fixed, _ = repair_swaps(swapped(clean, slice(40, 60), WHOLE))
    knee = BODY21.index("left_knee")
    assert fixed.sigma_px[50, knee] == pytest.approx(6.0)
    assert fixed.sigma_px[40, knee] > 7.0 and fixed.sigma_px[39, knee] > 4.5
    assert fixed.sigma_px[20, knee] == 4.0
    assert np.all(fixed.sigma_px >= clean.sigma_px)


def test_half_the_clip_is_too_uncertain_to_touch():
    clean = walker(0.0)
    broken = swapped(clean, slice(0, 60), WHOLE)
    fixed, swaps = repair_swaps(broken)
    np.testing.assert_array_equal(fixed.xy_px, broken.xy_px)
    assert swaps and not any(s.repaired for s in swaps)
    frames = slice(0, 60) if swaps[0].start_s == 0.0 else slice(60, 120)
    knee = BODY21.index("left_knee")
    assert np.all(fixed.sigma_px[frames, knee] > broken.sigma_px[frames, knee])


def test_a_doubtful_frame_does_not_carry_a_swap_across():
    clean = swapped(walker(0.0), slice(50, 70), WHOLE)
    xy, sigma = clean.xy_px.copy(), clean.sigma_px.copy()
    middle = 0.5 * (xy[49] + xy[49][BODY21.mirror])
    xy[49], sigma[49] = middle, 60.0
    track = KeypointTrack(1, BODY21, clean.frame, clean.time_s, xy, sigma, clean.score, clean.valid, clean.interpolated)
    _, swaps = repair_swaps(track)
    assert [(s.group, s.frames) for s in swaps] == [("body", 20)]


def test_gaps_and_tiny_tracks():
    track = swapped(walker(0.0), slice(60, 70), WHOLE)
    track.valid[30:45] = False
    track.xy_px[30:45] = np.nan
    fixed, swaps = repair_swaps(track)
    assert [(s.group, s.frames) for s in swaps] == [("body", 10)]
    assert np.isnan(fixed.xy_px[30:45]).all()
    two = KeypointTrack(
        1,
        BODY21,
        *(getattr(track, f)[:2] for f in ("frame", "time_s", "xy_px", "sigma_px", "score", "valid", "interpolated")),
    )
    assert repair_swaps(two) == (two, ())


def live(track: KeypointTrack) -> tuple[np.ndarray, np.ndarray]:
    guard = SwapGuard()
    people = [
        guard.step(float(t), Keypoints(BODY21, track.xy_px[i], track.sigma_px[i], track.score[i]))
        for i, t in enumerate(track.time_s)
    ]
    return np.stack([p.xy_px for p in people]), np.stack([p.sigma_px for p in people])


@pytest.mark.parametrize("frames", [[50], slice(50, 70), [50, 51, 52, 80]])
def test_live_guard_repairs_a_front_view(frames):
    clean = walker(0.0)
    got, sigma = live(swapped(clean, frames, WHOLE))
    np.testing.assert_array_equal(got, clean.xy_px)
    assert np.all(sigma[frames, BODY21.index("left_knee")] == 6.0)


def test_live_guard_is_causal():
    track = swapped(walker(20.0), slice(50, 70), WHOLE)
    other = walker(20.0, seed=9)
    later = KeypointTrack(
        1,
        BODY21,
        track.frame,
        track.time_s,
        np.concatenate([track.xy_px[:60], other.xy_px[60:]]),
        track.sigma_px,
        track.score,
        track.valid,
        track.interpolated,
    )
    np.testing.assert_array_equal(live(track)[0][:60], live(later)[0][:60])


def test_live_guard_gives_back_what_most_of_the_time_says():
    clean = walker(0.0)
    track = swapped(clean, slice(0, 30), WHOLE)  # the detector is wrong first, then right for good
    got, _ = live(track)
    np.testing.assert_array_equal(got[100:], clean.xy_px[100:])


CAMERA = assumed_camera(640, 480)
ARM, LEG = BODY21.indices("left_elbow", "right_elbow"), BODY21.indices("left_knee", "right_knee")


class Knowing:
    """A lifter that knows the truth: it doubts a pose whose left elbow or knee isn't to the right in the picture."""

    def __init__(self, fall: float = 0.6) -> None:
        self.fall = fall

    def lift_rays(self, rays, sigma, seen, guess):  # type: ignore[no-untyped-def]
        wrong = sum((rays[:, left, 0] < rays[:, right, 0]).astype(float) for left, right in (ARM, LEG))
        doubt = 0.05 * np.exp(self.fall * wrong)
        return None, np.repeat(doubt[:, None], len(BODY21), axis=1), seen.any(axis=1)


def standing_still(frames: int = 60) -> KeypointTrack:
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
    whole = standing_still()
    found, changes = settle_sides(exchanged(whole, slice(0, 60), part), Knowing(), CAMERA)  # type: ignore[arg-type]
    assert [(c.group, c.frames, c.start_s) for c in changes] == [(part, 60, 0.0)]
    assert np.array_equal(found.xy_px, whole.xy_px)
    assert changes[0].gain > 0.35


def test_a_few_frames_of_many_are_tried() -> None:
    class Counting(Knowing):
        frames = 0

        def lift_rays(self, *rays: np.ndarray) -> tuple[np.ndarray, ...]:
            Counting.frames += len(rays[0])
            return super().lift_rays(*rays)  # type: ignore[no-any-return]

    track = exchanged(standing_still(), slice(0, 60), "body")
    settle_sides(track, Counting(), CAMERA)  # type: ignore[arg-type]
    assert 40 < Counting.frames <= 4 * 22


def test_what_something_surer_has_told_stays() -> None:
    track = exchanged(standing_still(), slice(0, 60), "body")
    told = (Swap("body", 0.0, float(track.time_s[-1]), 60, 1.0, repaired=True),)
    found, changes = settle_sides(track, Knowing(), CAMERA, told=told)  # type: ignore[arg-type]
    assert found is track and changes == ()


def test_what_a_sudden_turn_told_outweighs_the_lifter() -> None:
    class Fooled(Knowing):
        def lift_rays(self, rays: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
            return super().lift_rays(-rays, *others)  # type: ignore[no-any-return]

    whole = standing_still()
    found, changes = in_order(exchanged(whole, slice(20, 30), "body"), Fooled(), CAMERA)  # type: ignore[arg-type]
    assert np.array_equal(found.xy_px, whole.xy_px)
    assert [(change.group, change.frames) for change in changes] == [("body", 10)]


def test_a_part_of_a_track_and_not_more() -> None:
    whole = standing_still()
    found, changes = settle_sides(exchanged(whole, slice(30, 60), "body"), Knowing(), CAMERA)  # type: ignore[arg-type]
    assert len(changes) == 1
    assert changes[0].start_s == pytest.approx(1.0, abs=0.2)
    assert np.array_equal(found.xy_px[:24], whole.xy_px[:24])
    assert np.array_equal(found.xy_px[-20:], whole.xy_px[-20:])


def test_little_doubt_short_moments_and_good_labels_change_nothing() -> None:
    whole = standing_still()
    for case, lifter in (
        (whole, Knowing()),
        (exchanged(whole, slice(0, 60), "legs"), Knowing(fall=0.2)),
        (exchanged(whole, slice(30, 32), "legs"), Knowing()),
    ):
        found, changes = settle_sides(case, lifter, CAMERA)  # type: ignore[arg-type]
        assert found is case and changes == ()


def test_frames_without_keypoints_say_nothing() -> None:
    whole = exchanged(standing_still(), slice(0, 60), "arms")
    there = whole.valid.copy()
    there[10:50] = False
    xy = np.where(there[..., None], whole.xy_px, np.nan).astype(np.float32)
    found, changes = settle_sides(replace(whole, xy_px=xy, valid=there), Knowing(), CAMERA)  # type: ignore[arg-type]
    assert [(c.group, c.frames) for c in changes] == [("arms", 10), ("arms", 10)]
    assert not found.valid[10:50].any()
    assert np.isfinite(found.xy_px[:10]).all()


@pytest.mark.parametrize("heading_deg", [0, 60, 120, 180, 240, 300])
def test_the_shipped_lifter_leaves_a_walker_alone(heading_deg: float) -> None:
    xyz = make_walk(np.random.default_rng(0), shape=BodyShape(), duration_s=1.5, fps_hz=30.0).xyz_m
    middle = xyz[:, 0].mean(axis=0)
    way = np.array([np.cos(np.radians(heading_deg)), np.sin(np.radians(heading_deg)), 0.1])
    camera = SynthCamera(tuple((middle + 4.0 * way).tolist()), tuple(middle.tolist()), 600.0, 640, 480)
    xy = camera.project(xyz)[0].astype(np.float32)
    there = np.ones(xy.shape[:2], dtype=bool)
    sigma = np.full(there.shape, 2.0, dtype=np.float32)
    frame = np.arange(len(xy), dtype=np.int32)
    one = KeypointTrack(1, BODY21, frame, frame / 30.0, xy, sigma, sigma.copy(), there, np.zeros_like(there))
    assert settle_sides(one, Lifter(), camera.intrinsics)[1] == ()
