"""Runs of walking: gaps, turns, directions, views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.gait.signals import find_heading, view_of
from posepipe.gait.types import HEEL_STRIKE, TOE_OFF
from posepipe.gait.walk import find_walk, pieces
from posepipe.lab.people.sample import sample_motion, sample_shape
from posepipe.reasons import Reason
from tests.gait.filmed import mirrored, remade, seen, times, walk_motion, walker, without
from tests.gait.walks import motion_of, noisy


def test_an_absence_isnt_walked_through() -> None:
    walk = walker(31, seconds=8.0)
    found = find_walk(without(seen(walk), 3.6, 4.1))
    assert len(found.passes) == 2
    assert found.passes[0].end_s <= 3.6 <= 4.1 <= found.passes[1].start_s + 0.01
    assert not any(3.6 < event.time_s < 4.1 for event in found.events)
    assert not any(stride.start_s < 3.6 < stride.end_s for stride in found.strides)
    whole = find_walk(seen(walk))
    assert len(found.strides) < len(whole.strides)
    mean = [np.mean([s.duration_s for s in w.strides]) for w in (found, whole)]
    assert mean[0] == pytest.approx(mean[1], rel=0.02)


def test_a_blink_is_bridged() -> None:
    walk = walker(31, seconds=8.0)
    found = find_walk(without(seen(walk), 4.0, 4.09))
    assert len(found.passes) == 1


def test_always_gone_again() -> None:
    motion = seen(walker(32))
    for at in np.arange(0.0, 6.0, 0.8):
        motion = without(motion, at, at + 0.3)
    assert find_walk(motion).withheld == Reason.GAPS


def test_too_short() -> None:
    assert find_walk(seen(walker(33, seconds=0.7))).withheld == Reason.TOO_SHORT


def test_never_seen() -> None:
    motion = seen(walker(33))
    assert find_walk(without(motion, -1.0, 99.0)).withheld == Reason.JOINT_UNSEEN


def test_turning_round_makes_two_passes() -> None:
    walk = walker(34, seconds=10.0, turn_m=4.0)
    found = find_walk(seen(walk, 90.0, "pan"))
    assert [span.direction for span in found.passes] == [-1, 1]
    assert abs(found.passes[0].yaw_deg - 90.0) < 40.0
    assert abs(found.passes[1].yaw_deg + 90.0) < 40.0
    turn = 0.5 * (found.passes[0].end_s + found.passes[1].start_s)
    assert not any(stride.start_s < turn < stride.end_s for stride in found.strides)
    assert {stride.pass_index for stride in found.strides} == {0, 1}


@pytest.mark.parametrize(
    ("yaw_deg", "view", "direction"),
    [(90.0, "side", -1), (-90.0, "side", 1), (0.0, "front", -1), (180.0, "back", 1), (45.0, "oblique", -1)],
)
def test_views(yaw_deg: float, view: str, direction: int) -> None:
    found = find_walk(seen(walker(35), yaw_deg))
    assert [(span.view, span.direction) for span in found.passes] == [(view, direction)]
    turn = (found.passes[0].yaw_deg - yaw_deg + 180.0) % 360.0 - 180.0
    assert abs(turn) < 8.0


@pytest.mark.parametrize(
    ("yaw_deg", "view"),
    [(0.0, "front"), (-20.0, "front"), (30.0, "oblique"), (-75.0, "side"), (130.0, "oblique"), (-170.0, "back")],
)
def test_view_names(yaw_deg: float, view: str) -> None:
    assert view_of(yaw_deg) == view_of(yaw_deg + 360.0) == view


def test_heading_needs_no_picture() -> None:
    motion = walk_motion(walker(36))
    heading = find_heading(motion)
    assert np.nanmax(np.abs(heading.forward @ motion.up)) < 1e-6
    assert np.nanmedian(heading.forward[:, 0]) > 0.99  # The walk goes along x.
    assert find_walk(motion).passes[0].kind == "unknown"


def test_marching_with_high_knees_isnt_walking() -> None:
    walk = walker(37)
    motion = walk_motion(walk)
    assert find_walk(motion).strides
    xyz = motion.xyz_m.copy()
    for side in ("left", "right"):
        ankle = motion.layout.index(f"{side}_ankle")
        ahead = xyz[:, ankle, 0] - xyz[:, 0, 0]
        xyz[:, motion.layout.indices(f"{side}_ankle", f"{side}_heel", f"{side}_foot_index"), 1] -= np.clip(
            1.6 * ahead, 0.0, 0.5
        )[:, None]
    assert find_walk(remade(motion, xyz, motion.valid)).withheld == Reason.NOT_WALKING


def test_pieces_split_at_gaps_only() -> None:
    time_s = np.arange(10) / 30.0
    seen_frames = np.array([1, 1, 0, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    assert [(run.start, run.stop) for run in pieces(time_s, seen_frames)] == [(0, 6)]
    time_s[4:] += 1.0
    assert [(run.start, run.stop) for run in pieces(time_s, seen_frames)] == [(0, 4), (4, 6)]


@pytest.mark.parametrize("filmed", [True, False])
def test_a_turn_has_steps_time_and_angle(filmed: bool) -> None:
    walk = walker(34, seconds=10.0, turn_m=4.0)
    found = find_walk(seen(walk, 90.0, "pan") if filmed else walk_motion(walk))
    assert len(found.turns) == 1
    turn = found.turns[0]
    assert abs(abs(turn.angle_deg) - 180.0) < 25.0
    assert 0.7 < turn.end_s - turn.start_s < 4.0
    true = [e for e in walk.events if e.kind == "heel_strike" and turn.start_s <= e.time_s <= turn.end_s]
    assert abs(turn.steps - len(true)) <= 1
    turning = [e for e in found.events if e.turning]
    assert turning
    assert not set(turning) & set(found.steady)
    inside = [e for e in found.events if turn.start_s < e.time_s < turn.end_s]
    assert all(e.turning for e in inside)
    assert not any(s.start_s < turn.end_s and s.end_s > turn.start_s for s in found.strides)


def test_feet_leave_the_ground_in_a_turn_when_they_do() -> None:
    away = []
    for seed in range(30, 34):
        walk = walker(seed, seconds=10.0, turn_m=4.0)
        turning = [e for e in find_walk(walk_motion(walk)).events if e.turning and e.type == TOE_OFF]
        true = [(e.side, e.time_s) for e in walk.events if e.kind == TOE_OFF]
        away += [min(abs(t - e.time_s) for side, t in true if side == e.side) for e in turning]
    assert len(away) >= 6
    assert np.median(away) < 0.03
    assert np.percentile(away, 90.0) < 0.1


def test_which_way_it_turns() -> None:
    motion = walk_motion(walker(34, seconds=10.0, turn_m=4.0))
    plain, other = find_walk(motion).turns, find_walk(mirrored(motion)).turns
    assert [round(-turn.angle_deg) for turn in plain] == [round(turn.angle_deg) for turn in other]
    way = motion.joint("left_hip").astype(np.float64) - motion.joint("right_hip").astype(np.float64)
    at = [int(np.searchsorted(motion.time_s, t)) for t in (plain[0].start_s, plain[0].end_s)]
    middle = int(np.mean(at))
    # Seen from above, whoever turns left turns the line from right hip to left hip counter-clockwise.
    cross = float(np.cross(way[at[0]], way[middle]) @ motion.up)
    assert np.sign(cross) == np.sign(plain[0].angle_deg)


def test_walking_backwards_is_named_and_not_counted() -> None:
    motion = walk_motion(walker(38))
    assert not any(span.backward for span in find_walk(motion).passes)
    back = remade(motion, motion.xyz_m[::-1].copy(), motion.valid[::-1].copy())
    found = find_walk(back)
    assert found.passes and all(span.backward for span in found.passes)
    assert found.events == found.strides == ()
    assert found.withheld is Reason.UNSTEADY


@pytest.mark.parametrize("yaw_deg", [90.0, -90.0])
def test_a_foot_that_leaps_at_the_pictures_edge_isnt_walking_backwards(yaw_deg: float) -> None:
    motion = seen(walker(39, seconds=3.5), yaw_deg)
    track = motion.keypoints
    assert track is not None
    xy = track.xy_px.copy()
    foot = list(track.layout.indices("left_ankle", "left_heel", "left_foot_index"))
    leg_px = 0.24 * float(np.ptp(track.xy_px[0, :, 1]))
    xy[-4:, foot, 0] += 1.5 * leg_px if yaw_deg > 0 else -1.5 * leg_px  # Back, in a thirtieth of a second.
    found = find_walk(replace(motion, keypoints=replace(track, xy_px=xy)))
    assert [span.backward for span in found.passes] == [False]


def test_who_stands_before_the_walk_takes_no_steps_then() -> None:
    walk = walker(14)
    still = 120  # Frames; 4 seconds.
    frame = np.concatenate([np.zeros(still, int), np.arange(len(walk))])
    stood = replace(walk, time_s=np.arange(len(frame)) / 30.0, xyz_m=walk.xyz_m[frame], events=())
    motion = walk_motion(stood)
    found = find_walk(motion)
    assert [span.start_s > 3.0 for span in found.passes] == [True]
    assert times(found, "left", HEEL_STRIKE) - 4.0 == pytest.approx(
        times(find_walk(walk_motion(walk)), "left", HEEL_STRIKE), abs=0.02
    )
    whole = find_walk(walk_motion(replace(walk, xyz_m=np.repeat(walk.xyz_m[:1], len(walk), axis=0), events=())))
    assert whole.withheld == Reason.NOT_WALKING


def test_squats_after_a_walk_take_nothing_from_it() -> None:
    """The sample clip's walk was no walk where joints were a centimetre unsteady: it went on to the squats."""
    made = sample_motion(sample_shape())
    found = find_walk(noisy(motion_of(made.time_s, made.xyz_m), 0.01))
    assert [span.end_s < 3.0 for span in found.passes] == [True]
    assert len(found.strides) == 2
