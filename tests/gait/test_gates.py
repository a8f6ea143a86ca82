"""Abstaining: for the right reason, and never for none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.body.motion import Motion
from posepipe.gait.analyse import _undecided, analyse
from posepipe.gait.curves import SAGITTAL, cut_cycles, mean_curves
from posepipe.gait.events import coarse_strides
from posepipe.gait.judge import choose_strides, limited, picture_gate, score_gate
from posepipe.gait.types import SIDES, Abnormal, Pass, Stride, Walk
from posepipe.reasons import Reason
from posepipe.skeleton import BODY21
from posepipe.types import KeypointTrack
from tests.gait.filmed import seen, walker
from tests.gait.walks import noisy, straight_motion, without


def _strides(left: int, right: int, pass_index: int = 0) -> tuple[Stride, ...]:
    return tuple(
        Stride(side, i + 0.0, i + 0.6, i + 1.0, pass_index)  # type: ignore[arg-type]
        for side, count in (("left", left), ("right", right))
        for i in range(count)
    )


def _filmed(motion: Motion, xy_px: np.ndarray) -> Motion:
    flags = np.ones(xy_px.shape[:2], dtype=bool)
    track = KeypointTrack(
        person=1,
        layout=BODY21,
        frame=np.arange(len(motion), dtype=np.int32),
        time_s=motion.time_s,
        xy_px=xy_px.astype(np.float32),
        sigma_px=np.ones(flags.shape, np.float32),
        score=np.ones(flags.shape, np.float32),
        valid=flags,
        interpolated=~flags,
    )
    return replace(motion, keypoints=track, size_px=(640, 480))


@pytest.fixture(scope="module")
def motion() -> Motion:
    return straight_motion(2)


def test_views_are_not_mixed(motion: Motion) -> None:
    passes = tuple(Pass(0.0, 9.0, 1, "overground", view, 0.0) for view in ("side", "back", "front"))
    strides = (*_strides(2, 2, 0), *_strides(2, 1, 1), *_strides(2, 2, 2))
    filmed = _filmed(motion, np.full((len(motion), 21, 2), 100.0))
    seen = choose_strides(filmed, Walk(passes, (), strides))
    assert seen.view == "front"
    assert len(seen.strides) == 7
    assert choose_strides(motion, Walk(passes, (), strides)).view == "3d"


def test_both_sides_count_and_both_directions(motion: Motion) -> None:
    """Many strides of one side don't outweigh few of both; left and right views are one plane."""
    passes = (
        Pass(0.0, 3.0, 1, "overground", "side", -90.0),
        Pass(4.0, 7.0, -1, "overground", "side", 90.0),
        Pass(8.0, 20.0, 1, "overground", "oblique", -45.0),
    )
    strides = (*_strides(1, 1, 0), *_strides(1, 1, 1), *_strides(6, 1, 2))
    seen = choose_strides(_filmed(motion, np.full((len(motion), 21, 2), 100.0)), Walk(passes, (), strides))
    assert seen.view == "side"
    assert {stride.pass_index for stride in seen.strides} == {0, 1}


def test_no_surer_than_the_calibration() -> None:
    sure, sigma = limited(1.0, [50] * 9 + [98])
    assert sure == pytest.approx(0.99)
    assert sigma > 0.005
    few, wider = limited(1.0, [50] * 9 + [18])
    assert few == pytest.approx(0.95)
    assert wider > sigma
    assert limited(0.0, [8] + [50] * 9)[0] == pytest.approx(0.1)
    assert 0.9 < limited(1.0, ())[0] < 1.0
    assert limited(0.4, [50] * 10)[0] == 0.4


def test_legs_outside_the_picture(motion: Motion) -> None:
    xy = np.full((len(motion), 21, 2), 100.0)
    xy[:, [BODY21.index(f"{s}_{p}") for s in ("left", "right") for p in ("knee", "ankle")]] = (100.0, 500.0)
    strides = coarse_strides(motion)
    assert picture_gate(_filmed(motion, xy), strides) is Reason.OUT_OF_FRAME
    assert picture_gate(_filmed(motion, np.full_like(xy, 100.0)), strides) is None


def test_slow_frame_rates(motion: Motion) -> None:
    slow = replace(motion, time_s=motion.time_s * 4.0)
    strides = [replace(s, start_s=4 * s.start_s, end_s=4 * s.end_s) for s in coarse_strides(motion)]
    assert picture_gate(slow, strides) is Reason.FRAME_RATE_TOO_LOW


def test_hidden_legs(motion: Motion) -> None:
    strides = coarse_strides(motion)
    legs = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle"))
    hidden = without(motion, np.arange(len(motion)) % 5 > 0, legs)
    assert picture_gate(hidden, strides) is Reason.JOINT_UNSEEN


def test_the_score_needs_a_side_view_and_sure_knees(motion: Motion) -> None:
    curves = mean_curves(cut_cycles(motion, coarse_strides(motion)))
    assert score_gate(curves, "side") is None
    assert score_gate(curves, "front") is Reason.WRONG_VIEW
    assert score_gate([c for c in curves if c.angle != "knee_flexion"], "side") is Reason.JOINT_UNSEEN
    unsure = mean_curves(cut_cycles(noisy(motion, 0.4), coarse_strides(motion)))
    assert score_gate(unsure, "side") in (Reason.TOO_UNCERTAIN, Reason.JOINT_UNSEEN)


def test_an_even_chance_isnt_told() -> None:
    even = Abnormal(0.52, 0.2, "abnormal", "unspecified", 0.4, ())
    assert _undecided(even)
    assert not _undecided(replace(even, sigma=0.015))
    assert not _undecided(replace(even, probability=0.75))
    assert _undecided(replace(even, probability=0.45))
    assert _undecided(replace(even, probability=0.61, sigma=0.20)), "two strides of a slouch, once told, once not"
    assert not _undecided(replace(even, probability=0.61, sigma=0.10))


@pytest.mark.parametrize(("yaw_deg", "told"), [(90.0, True), (45.0, True), (0.0, False), (180.0, False)])
def test_hips_knees_and_ankles_are_told_from_the_side(yaw_deg: float, told: bool) -> None:
    """From the front and behind knees of rendered captured walks were 14 degrees off, more than told."""
    found = analyse(seen(walker(31, seconds=8.0), yaw_deg))
    assert min(len(found.walk.strides_of(side)) for side in SIDES) >= 2
    assert {curve.angle for curve in found.curves} == ({"trunk_flexion", *SAGITTAL} if told else {"trunk_flexion"})
    for cycle in found.cycles:
        assert bool(np.isfinite(cycle.angle("knee_flexion")).any()) is told
        assert np.isfinite(cycle.xyz).all()
