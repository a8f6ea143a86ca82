"""Cycles lie on 0 to 100 %, whatever way the person walks and whichever side they begin with."""

from __future__ import annotations

import numpy as np
import pytest

from posepipe.body.motion import Motion
from posepipe.gait.curves import cut_cycles
from posepipe.gait.events import coarse_strides
from posepipe.gait.features import mean_cycle
from posepipe.gait.signals import mean_heading
from posepipe.gait.types import ANGLES, POINTS, Stride
from tests.gait.walks import mirrored, straight_motion, turned, without


@pytest.fixture(scope="module")
def motion() -> Motion:
    return straight_motion(seed=3)


def test_a_cycle_has_101_points_from_strike_to_strike(motion: Motion) -> None:
    strides = coarse_strides(motion)
    cycles = cut_cycles(motion, strides)
    assert len(cycles) == len(strides) >= 6
    for cycle, stride in zip(cycles, strides, strict=True):
        assert cycle.deg.shape == (POINTS, len(ANGLES))
        assert (cycle.start_s, cycle.end_s) == (stride.start_s, stride.end_s)
        assert 0.5 < cycle.toe_off < 0.75
        assert cycle.angle("knee_flexion")[60:85].max() > cycle.angle("knee_flexion")[20:50].max()


def test_the_striking_foot_is_ahead_at_both_ends(motion: Motion) -> None:
    for cycle in cut_cycles(motion, coarse_strides(motion)):
        ahead = cycle.joint("own_ankle")[:, 0] - cycle.joint("other_ankle")[:, 0]
        assert ahead[0] > 0.2
        assert ahead[-1] > 0.2
        assert ahead[50] < 0.0


@pytest.mark.parametrize("degrees", [40.0, 90.0, 180.0, 250.0])
def test_direction_changes_nothing(motion: Motion, degrees: float) -> None:
    here, there = (cut_cycles(m, coarse_strides(m)) for m in (motion, turned(motion, degrees)))
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(a.deg, b.deg, atol=0.2)
        np.testing.assert_allclose(a.xyz, b.xyz, atol=0.01)


def test_a_mirrored_walk_has_its_sides_exchanged(motion: Motion) -> None:
    here, there = (
        {side: mean_cycle(c, side, c) for side in ("left", "right")}
        for c in (cut_cycles(m, coarse_strides(m)) for m in (motion, mirrored(motion)))
    )
    left, right = here["left"], there["right"]
    assert left is not None
    assert right is not None
    np.testing.assert_allclose(left.deg, right.deg, atol=0.2)


def test_heading_is_level_and_along_the_way(motion: Motion) -> None:
    way = mean_heading(motion, np.ones(len(motion), dtype=bool))
    assert abs(float(way @ motion.up)) < 1e-6
    toes = motion.joint("left_foot_index") - motion.joint("left_heel")
    assert float(np.nanmean(toes, axis=0) @ way) > 0.1


def test_a_long_gap_stays_a_gap(motion: Motion) -> None:
    start_s = float(motion.time_s[30])
    holed = without(motion, (motion.time_s > start_s + 0.3) & (motion.time_s < start_s + 0.6))
    (cycle,) = cut_cycles(holed, [Stride("left", start_s, start_s + 0.65, start_s + 1.1, 0)])
    knee = cycle.angle("knee_flexion")
    assert np.isnan(knee[30:52]).all()
    assert np.isfinite(knee[:25]).all()


def test_no_strides_no_cycles(motion: Motion) -> None:
    assert cut_cycles(motion, []) == ()
