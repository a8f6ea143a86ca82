"""Adapting the lifter to clips without labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from posepipe.body.lift import Lifter
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.errors import InputError
from posepipe.lab.lifter import adapt as module
from posepipe.lab.lifter.adapt import Clip, Fits, adapt, fit_clip, judge, keep_best
from posepipe.skeleton import BODY21
from posepipe.types import Camera, KeypointTrack
from tests.body.bodies import standing

FRAMES = 60


@pytest.fixture(scope="module")
def clip() -> Clip:
    """Two seconds of somebody who sways and raises the arms, filmed with noise of two pixels."""
    rng = np.random.default_rng(0)
    time_s = np.arange(FRAMES) / 30.0
    body = np.repeat(standing()[None], FRAMES, axis=0)
    lift = np.sin(2.0 * time_s)
    for side in ("left", "right"):
        shoulder = body[:, BODY21.index(f"{side}_shoulder")]
        for joint in ("elbow", "wrist"):
            arm = body[:, BODY21.index(f"{side}_{joint}")] - shoulder
            c, s = np.cos(lift), np.sin(lift)
            turned = np.stack([arm[:, 0], c * arm[:, 1] - s * arm[:, 2], s * arm[:, 1] + c * arm[:, 2]], axis=1)
            body[:, BODY21.index(f"{side}_{joint}")] = shoulder + turned
    place = body + np.stack([0.2 + 0.1 * np.sin(time_s), 0 * time_s, 4.0 + 0 * time_s], axis=1)[:, None]
    camera = Camera(1280, 720, 1000.0, "given")
    xy = place[..., :2] / place[..., 2:] * 1000.0 + [640, 360] + rng.normal(0, 2.0, (FRAMES, 21, 2))
    there = np.ones((FRAMES, 21), dtype=bool)
    track = KeypointTrack(
        person=1,
        layout=BODY21,
        frame=np.arange(FRAMES, dtype=np.int32),
        time_s=time_s,
        xy_px=xy.astype(np.float32),
        sigma_px=np.full((FRAMES, 21), 2.0, np.float32),
        score=np.ones((FRAMES, 21), np.float32),
        valid=there,
        interpolated=~there,
    )
    return Clip("sway", track, camera)


def test_frames_must_be_plausible(clip: Clip) -> None:
    """Frames with a hidden joint or a keypoint far off teach nothing."""
    hidden = clip.track.valid.copy()
    hidden[:10, BODY21.index("left_ankle")] = False
    xy = clip.track.xy_px.copy()
    xy[20:25, BODY21.index("right_wrist")] += 400.0
    spoilt = replace(clip, track=replace(clip.track, valid=hidden, xy_px=xy))
    refiner = Refiner(config=RefineConfig(latent=False))
    lifter = Lifter()
    assert fit_clip(clip, lifter, refiner).good.mean() > 0.8
    good = fit_clip(spoilt, lifter, refiner).good
    assert not good[:10].any()
    assert not good[20:25].any()
    assert good[30:].mean() > 0.7


def test_the_best_fit_so_far_stays() -> None:
    def fits(value: float, doubt: list[float], good: list[bool]) -> Fits:
        return Fits(np.full((3, 21, 3), value, np.float32), np.array(doubt, np.float32), np.array(good))

    best = keep_best(fits(1.0, [5.0, 5.0, 5.0], [True, True, False]), fits(2.0, [4.0, 6.0, 9.0], [True, True, True]))
    assert best.xyz_m[:, 0, 0].tolist() == [2.0, 1.0, 2.0]
    assert best.doubt.tolist() == [4.0, 5.0, 9.0]
    assert best.good.all()
    worse = keep_best(best, fits(3.0, [0.0, 0.0, 0.0], [False, False, False]))
    assert worse.xyz_m[:, 0, 0].tolist() == [2.0, 1.0, 2.0]


def test_judged_where_nothing_was_learned(clip: Clip) -> None:
    """Only the last fifth counts, and less noise reads as less of everything."""
    lifter = Lifter()
    before = judge([clip], lifter)
    assert set(before) == {"reprojection_sigma", "bone_spread_pct", "sides_differ_pct", "jitter_mps2"}
    early = clip.track.xy_px.copy()
    early[:40] += 30.0
    assert judge([replace(clip, track=replace(clip.track, xy_px=early))], lifter) == before
    late = clip.track.xy_px.copy()
    late[48:] += np.random.default_rng(1).normal(0, 12.0, late[48:].shape)
    shaken = judge([replace(clip, track=replace(clip.track, xy_px=late))], lifter)
    assert shaken["jitter_mps2"] > 2 * before["jitter_mps2"]
    assert shaken["bone_spread_pct"] > before["bone_spread_pct"]


def test_learns_keeps_and_writes(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(module._CONFIG, steps=8, batch=16, warmup=2)
    result = adapt([clip], tmp_path / "out", rounds=1, config=config)
    assert result.frames > 30
    before, after = result.rows
    assert before["bone_spread_pct"] > 0
    assert after["reprojection_sigma"] != before["reprojection_sigma"]
    assert result.kept == (
        after["bone_spread_pct"] < before["bone_spread_pct"]
        and after["reprojection_sigma"] <= 1.02 * before["reprojection_sigma"]
    )
    assert not (tmp_path / "out" / ".posepipe-adapt").exists()
    if result.kept:
        monkeypatch.setenv("POSEPIPE_MODELS", str(tmp_path / "out"))
        assert judge([clip], Lifter()) == pytest.approx({k: v for k, v in after.items() if k != "lifter"}, rel=1e-3)
    else:
        assert not (tmp_path / "out" / "lifter.onnx").exists()


def test_a_worse_lifter_is_not_kept() -> None:
    before = {"bone_spread_pct": 4.0, "reprojection_sigma": 1.0, "mocap_n_mpjpe_mm": 32.0}
    assert module._better(before, before | {"bone_spread_pct": 3.0})
    assert not module._better(before, before | {"bone_spread_pct": 4.5})
    assert not module._better(before, before | {"bone_spread_pct": 3.0, "reprojection_sigma": 1.1})
    assert not module._better(before, before | {"bone_spread_pct": 3.0, "mocap_n_mpjpe_mm": 33.0})


def test_too_little_to_learn_from(clip: Clip, tmp_path: Path) -> None:
    hidden = clip.track.valid.copy()
    hidden[:, BODY21.index("left_ankle")] = False
    with pytest.raises(InputError, match="plausible"):
        adapt([replace(clip, track=replace(clip.track, valid=hidden))], tmp_path)
    with pytest.raises(InputError, match="start from"):
        adapt([clip], tmp_path, weights=tmp_path / "none.safetensors")
