"""Standing feet are held: they don't slide, legs keep their bones, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.body.world import FEET
from posepipe.body.world_feet import PLANT, plant
from posepipe.lab.people.gait import make_walk
from posepipe.skeleton import BODY21

SOLE_M = 0.026
_FOOT = BODY21.indices(*FEET)


def _walk() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, joints whose legs waver by centimetres, and the points that stand."""
    walk = make_walk(np.random.default_rng(2), duration_s=3.0, fps_hz=30.0)
    speed = np.linalg.norm(np.gradient(walk.xyz_m[:, _FOOT], walk.time_s, axis=0), axis=-1)
    stands = (speed < 0.1) & (walk.xyz_m[:, _FOOT, 2] < 0.05)
    sway = 0.02 * np.sin(2.0 * np.pi * 1.3 * walk.time_s)[:, None] * np.array([1.0, 0.5, 0.3])
    xyz = walk.xyz_m.copy()
    for joint in ("ankle", "heel", "foot_index"):
        for side in ("left", "right"):
            xyz[:, BODY21.index(f"{side}_{joint}")] += sway
    return walk.time_s, xyz, stands


def _slide(xyz: np.ndarray, time_s: np.ndarray, stands: np.ndarray) -> float:
    still = stands[1:-1] & stands[:-2] & stands[2:]
    speed = np.linalg.norm(xyz[2:, _FOOT] - xyz[:-2, _FOOT], axis=-1) / (time_s[2:] - time_s[:-2])[:, None]
    return float(np.median(speed[still]))


def test_standing_feet_stop_sliding() -> None:
    time_s, xyz, stands = _walk()
    held = plant(xyz, np.full(xyz.shape[:2], 0.06), stands, time_s, SOLE_M)
    assert _slide(xyz, time_s, stands) > 0.06
    assert _slide(held, time_s, stands) < 0.03
    legs = [BODY21.index(f"{side}_{p}") for side in ("left", "right") for p in ("knee", "ankle", "heel", "foot_index")]
    others = np.setdiff1d(np.arange(len(BODY21)), legs)
    np.testing.assert_array_equal(held[:, others], xyz[:, others])
    for side in ("left", "right"):
        hip, knee, ankle = BODY21.indices(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        for a, b in ((hip, knee), (knee, ankle)):
            before, after = (np.linalg.norm(x[:, a] - x[:, b], axis=1) for x in (xyz, held))
            np.testing.assert_allclose(after, before, atol=1e-9)
        foot = BODY21.indices(f"{side}_ankle", f"{side}_heel", f"{side}_foot_index")
        shift = held[:, foot] - xyz[:, foot]
        np.testing.assert_allclose(shift, shift[:, :1].repeat(3, axis=1), atol=1e-12)


def test_no_foot_moves_by_more_than_its_doubt() -> None:
    time_s, xyz, stands = _walk()
    xyz[:30] += np.array([0.0, 0.0, 0.3])
    held = plant(xyz, np.full(xyz.shape[:2], 0.01), stands, time_s, SOLE_M)
    moved = np.linalg.norm(held - xyz, axis=-1)
    assert moved[:, BODY21.indices("left_ankle", "right_ankle")].max() < 0.01 + 1e-9


@pytest.mark.parametrize("longest", [0, 2])
def test_who_never_stands_for_long_stays(longest: int) -> None:
    time_s, xyz, stands = _walk()
    short = np.zeros_like(stands)
    short[40 : 40 + longest] = True
    np.testing.assert_array_equal(plant(xyz, np.full(xyz.shape[:2], 0.05), short, time_s, SOLE_M), xyz)


def test_missing_joints_stay_missing() -> None:
    time_s, xyz, stands = _walk()
    xyz[10:20, BODY21.index("left_knee")] = np.nan
    xyz[50:60] = np.nan
    sigma = np.where(np.isnan(xyz[..., 0]), np.nan, 0.05)
    held = plant(xyz, sigma, stands, time_s, SOLE_M, replace(PLANT, blend_s=0.2))
    np.testing.assert_array_equal(np.isnan(held), np.isnan(xyz))
