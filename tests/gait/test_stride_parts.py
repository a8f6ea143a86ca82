"""Parts of strides: short walks whose whole strides are too few, with what was seen before and after them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.body.motion import Motion
from posepipe.gait.analyse import analyse
from posepipe.gait.parts import parts_of, strides_seen
from posepipe.gait.signals import signals_of
from posepipe.gait.types import HEEL_STRIKE, POINTS, SIDES, GaitResult, Walk
from posepipe.gait.walk import find_walk
from posepipe.reasons import Reason
from tests.gait.filmed import seen, walker
from tests.gait.walks import motion_of, straight_motion, without, world_walk

STRIKES = 5
"""In a row: one side has two whole strides, the other one."""
MARGIN_S = 0.15
"""Seen before the first and after the last of them: where a strike is, shows only after it."""
STOPPING_S = 1.2
"""From full pace to none."""


@pytest.fixture(scope="module")
def motion() -> Motion:
    return straight_motion(2)


@pytest.fixture(scope="module")
def walk(motion: Motion) -> Walk:
    return find_walk(motion)


def _short(motion: Motion, walk: Walk, strikes: int, margin_s: float = MARGIN_S) -> Motion:
    """From a little before one strike to a little after another."""
    times = [event.time_s for event in walk.events if event.type == HEEL_STRIKE][1 : strikes + 1]
    outside = (motion.time_s < times[0] - margin_s) | (motion.time_s > times[-1] + margin_s)
    return without(motion, outside)


def test_five_strikes_are_two_strides_of_each_side(motion: Motion, walk: Walk) -> None:
    found = analyse(_short(motion, walk, STRIKES))
    whole = [sum(cycle.side == side for cycle in found.cycles) for side in SIDES]
    assert sorted(whole) == [1, 2]
    assert found.abnormal is not Reason.TOO_FEW_STRIDES
    assert min(strides_seen((*found.cycles, *found.parts), side) for side in SIDES) == 2


def _stopping(strikes: int) -> Motion:
    """From a little before one strike to standing: after the last of them everything gets slower and slower."""
    at_s, xyz = world_walk(2)
    times = [event.time_s for event in find_walk(straight_motion(2)).events if event.type == HEEL_STRIKE]
    start_s, last_s = times[1] - MARGIN_S, times[strikes]
    clock_s = np.arange(0.0, last_s - start_s + STOPPING_S, float(at_s[1] - at_s[0]))
    late_s = np.maximum(clock_s - (last_s - start_s), 0.0)
    walked_s = start_s + np.minimum(clock_s, last_s - start_s) + late_s - 0.5 * late_s**2 / STOPPING_S
    flat = xyz.reshape(len(at_s), -1)
    moved = np.stack([np.interp(walked_s, at_s, column) for column in flat.T], axis=1)
    return motion_of(clock_s, moved.reshape(len(clock_s), *xyz.shape[1:]))


def test_parts_of_who_stops_make_no_stride(motion: Motion, walk: Walk) -> None:
    """The sample clip's walker, two whole strides before it stops, was called abnormal."""
    steady = analyse(_short(motion, walk, STRIKES - 1, margin_s=0.45))
    assert steady.parts
    assert steady.abnormal is not Reason.TOO_FEW_STRIDES
    stopping = analyse(_stopping(STRIKES - 1))
    assert len(stopping.walk.strides) == len(steady.walk.strides)
    assert not stopping.parts
    assert stopping.abnormal is Reason.TOO_FEW_STRIDES


def test_two_strides_more_say_the_same(motion: Motion, walk: Walk) -> None:
    short, long = (analyse(_short(motion, walk, strikes)) for strikes in (STRIKES, STRIKES + 1))
    assert short.parts
    assert not long.parts
    names = set(short.features) & set(long.features)
    assert names == set(long.features)
    for name in ("knee_swing_deg", "hip_range_deg", "stance_pct", "step_length_ll", "pace_llps"):
        away = abs(short.features[name].value - long.features[name].value)
        assert away < 0.06 * abs(long.features[name].value), name


def test_too_few_stay_too_few(motion: Motion, walk: Walk) -> None:
    found = analyse(_short(motion, walk, 3))
    assert found.abnormal is Reason.TOO_FEW_STRIDES
    assert not found.parts


def test_a_part_ends_where_nothing_was_seen(motion: Motion, walk: Walk) -> None:
    short = _short(motion, walk, STRIKES)
    found: GaitResult = analyse(short)
    for cycle in found.parts:
        assert not cycle.whole
        outside = [i for i in range(POINTS) if not cycle.first <= i <= cycle.last]
        assert np.isnan(cycle.xyz[outside]).all()
        assert np.isfinite(cycle.joint("own_knee")[cycle.first : cycle.last + 1]).all()
    for part in parts_of(short, found.walk, found.walk.strides, signals_of(short).forward):
        assert found.walk.passes[0].start_s <= part.from_s < part.to_s <= found.walk.passes[0].end_s
        assert part.from_s == part.stride.start_s or part.to_s == part.stride.end_s


def test_who_stands_before_the_first_step_is_no_part_of_a_stride(motion: Motion, walk: Walk) -> None:
    """A filmed walk from standing: the first strike less a stride's time fell where nobody walked."""
    times = [event.time_s for event in walk.events if event.type == HEEL_STRIKE][1 : STRIKES + 1]
    frames = np.arange(len(motion))
    start = int(np.searchsorted(motion.time_s, times[0] - MARGIN_S))
    stood = motion.xyz_m[np.maximum(frames, start)]
    late = without(motion, motion.time_s > times[-1] + MARGIN_S)
    still = replace(late, xyz_m=np.where(late.valid[..., None], stood, np.nan).astype(np.float32))
    found = find_walk(still)
    for part in parts_of(still, found, found.strides, signals_of(still).forward):
        assert part.from_s >= times[0] - 2.0 * MARGIN_S


def test_not_from_the_front() -> None:
    """There depth tells when a foot lands, and depth is guessed: a filmed walk of three strikes was called abnormal."""
    walk = walker(62, seconds=2.8)
    for yaw_deg, parts in ((90.0, True), (0.0, False), (180.0, False)):
        found = analyse(seen(walk, yaw_deg))
        assert bool(found.parts) is parts, yaw_deg
        assert min(len(found.walk.strides_of(side)) for side in SIDES) < 2
