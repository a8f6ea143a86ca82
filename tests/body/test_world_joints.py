"""Joints of a clip, on people with exact truth whose lifted joints are off as a lifter's are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.body.lift import Rays, chunks
from posepipe.body.world_joints import JOINTS, MEANS, Joints, JointSettings, solve_joints
from posepipe.lab.people.filmed import FEET, RoomClip, draw_clip
from posepipe.skeleton import BODY21

_SIGMA_M = 0.06
_LEGS = BODY21.indices(*(f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle", "heel")))


def _standing(clip: RoomClip) -> np.ndarray:
    speed = np.linalg.norm(np.gradient(clip.xyz_m[:, FEET], clip.time_s, axis=0), axis=-1)
    return ((speed < 0.1) & (clip.xyz_m[:, FEET, 2] < 0.06)).astype(float)


def _wrong(clip: RoomClip, seed: int) -> np.ndarray:
    """(F, 21, 3) metres: a lasting error and one that wavers, along the limbs, mostly in depth."""
    rng = np.random.default_rng(seed)
    time_s = clip.time_s[:, None, None]
    out = 0.015 * rng.standard_normal((1, 21, 3))
    for _ in range(3):
        out = out + 0.012 * rng.standard_normal((1, 21, 3)) * np.sin(
            2.0 * np.pi * rng.uniform(0.3, 1.2) * time_s + rng.uniform(0.0, 6.0, (1, 21, 3))
        )
    out[..., 2] *= 2.0
    for side in ("left", "right"):
        ankle, heel, toe = BODY21.indices(*(f"{side}_{part}" for part in ("ankle", "heel", "foot_index")))
        out[:, [heel, toe]] = out[:, [ankle]]
    for name, parents in MEANS.items():
        out[:, BODY21.index(name)] = out[:, BODY21.indices(*parents)].mean(axis=1)
    return out


def _solved(clip: RoomClip, error_m: np.ndarray, how: JointSettings = JOINTS, lost: np.ndarray | None = None) -> Joints:
    xyz = clip.camera.to_camera(clip.xyz_m)
    valid = np.ones(xyz.shape[:2], bool)
    rays = Rays(
        (xyz[..., :2] / xyz[..., 2:]).astype(np.float32),
        np.full(valid.shape, 0.005, np.float32),
        valid,
        valid[:, 0] & False,
    )
    pose = xyz - xyz[:, :1] + error_m
    pose -= pose[:, :1]
    if lost is not None:
        pose = np.where(lost[..., None], np.nan, pose)
    up, height = clip.up, clip.camera.position_m[2] - 0.025
    sigma = np.full(valid.shape, _SIGMA_M)
    return solve_joints(clip.time_s, pose, sigma, rays, xyz[:, 0], up, height, _standing(clip), how)


def _off_m(clip: RoomClip, xyz: np.ndarray, joints: list[int] | slice = slice(None)) -> float:
    true = clip.camera.to_camera(clip.xyz_m)
    miss = (xyz - xyz[:, :1]) - (true - true[:, :1])
    return float(np.linalg.norm(miss[:, joints], axis=-1).mean())


def _slide_mps(clip: RoomClip, xyz: np.ndarray) -> float:
    stands = _standing(clip) > 0
    still = stands[1:] & stands[:-1]
    return float(
        np.median((np.linalg.norm(np.diff(xyz[:, FEET], axis=0), axis=-1) / np.diff(clip.time_s)[:, None])[still])
    )


@pytest.mark.parametrize("move", ["walk oblique", "walk turn", "squat", "lunge"])
def test_feet_stand_and_legs_are_nearer_to_the_truth(move: str) -> None:
    clip = draw_clip(move, 21)
    error = _wrong(clip, 1)
    lifted = clip.camera.to_camera(clip.xyz_m) + error
    found = _solved(clip, error)
    path = clip.camera.to_camera(clip.xyz_m)[:, 0]
    if move.startswith("walk"):
        way, true = (xyz[-1] - xyz[0] for xyz in (found.xyz_m[:, 0], path))
        assert np.linalg.norm(way - true) < 0.04 * np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert _slide_mps(clip, found.xyz_m) < 0.05 and _slide_mps(clip, found.xyz_m) < 0.5 * _slide_mps(clip, lifted)
    assert _off_m(clip, found.xyz_m, _LEGS) < 0.95 * _off_m(clip, lifted, _LEGS)
    assert _off_m(clip, found.xyz_m) < 0.95 * _off_m(clip, lifted)


def test_the_truth_stays_where_it_is() -> None:
    clip = draw_clip("walk oblique", 22)
    found = _solved(clip, np.zeros(clip.xyz_m.shape))
    assert _off_m(clip, found.xyz_m) < 0.006
    # So does the path: feet that stand don't hold it back.
    path = clip.camera.to_camera(clip.xyz_m)[:, 0]
    assert np.linalg.norm(found.xyz_m[:, 0] - path, axis=-1).max() < 0.02
    own = BODY21.index("left_ankle")
    assert found.share[0, own] < 0.9 and (found.share > 0.0).all() and (found.share <= 1.0).all()


def test_bones_keep_their_length_and_are_alike_on_both_sides() -> None:
    clip = draw_clip("jumping_jack", 23)
    error = _wrong(clip, 2)

    def uneven(xyz: np.ndarray) -> float:
        legs = [
            np.linalg.norm(xyz[:, BODY21.index(f"{side}_hip")] - xyz[:, BODY21.index(f"{side}_knee")], axis=-1)
            for side in ("left", "right")
        ]
        return float(np.std(np.concatenate(legs)))

    firm = replace(JOINTS, bone_m=0.005)
    assert uneven(_solved(clip, error, firm).xyz_m) < 0.5 * uneven(clip.camera.to_camera(clip.xyz_m) + error)


def test_pieces_are_as_the_whole() -> None:
    clip = draw_clip("walk turn", 24)
    error = _wrong(clip, 3)
    whole = _solved(clip, error)
    parts = _solved(clip, error, replace(JOINTS, piece_frames=40, overlap_frames=20))
    apart = whole.xyz_m - parts.xyz_m
    assert np.linalg.norm(apart - apart[:, :1], axis=-1).mean() < 0.006
    # The path in depth is told by the clip as a whole, but it doesn't jump between pieces.
    assert np.linalg.norm(apart, axis=-1).mean() < 0.03
    assert np.abs(np.diff(apart[:, 0], axis=0)).max() < 0.005


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_missing_joints_do_no_harm(seed: int) -> None:
    clip = draw_clip("squat", 25)
    rng = np.random.default_rng(seed)
    lost = rng.random(clip.xyz_m.shape[:2]) < 0.1
    lost[:, 0] = False
    lost[:, BODY21.index("left_wrist")] = seed % 2 == 0
    error = _wrong(clip, seed)
    all_there, some = _solved(clip, error), _solved(clip, error, lost=lost)
    kept = [joint for joint in range(21) if joint != BODY21.index("left_wrist")]
    assert np.isfinite(some.xyz_m).all()
    assert _off_m(clip, some.xyz_m, kept) < 1.25 * _off_m(clip, all_there.xyz_m, kept)


def test_what_is_kept_in_single_precision_is_within_a_millimetre() -> None:
    clip = draw_clip("walk towards", 26)
    error = _wrong(clip, 4)
    how = replace(JOINTS, piece_frames=40, overlap_frames=20)
    found = _solved(clip, error, how)
    assert found.xyz_m.dtype == found.share.dtype == np.float32
    # The same pieces, joined in double precision.
    xyz, total = np.zeros(clip.xyz_m.shape), np.zeros(len(clip.time_s))
    for part in chunks(len(total), how.piece_frames):
        wide = slice(max(part.start - how.overlap_frames, 0), min(part.stop + how.overlap_frames, len(total)))
        frame = np.arange(wide.start, wide.stop)
        inside = np.minimum(frame - part.start, part.stop - 1 - frame) + how.overlap_frames + 0.5
        weight = np.clip(inside / (2.0 * how.overlap_frames), 0.0, 1.0)
        piece = replace(clip, time_s=clip.time_s[wide], xyz_m=clip.xyz_m[wide])
        xyz[wide] += weight[:, None, None] * _solved(piece, error[wide]).xyz_m.astype(float)
        total[wide] += weight
    np.testing.assert_allclose(found.xyz_m, xyz / total[:, None, None], atol=1e-3)
