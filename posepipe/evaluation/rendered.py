"""Rendered people seen by BlazePose: our 3D and MediaPipe's world landmarks on the same frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.evaluation.metrics import bootstrap_ci, coverage, ence, joint_errors_m
from posepipe.evaluation.refine import LoopClip, load_clips
from posepipe.lifting.lifter import Lifter, LiftResult
from posepipe.lifting.refine import RefineConfig, Refiner
from posepipe.lifting.sides import settle_sides
from posepipe.motion.facing import facing
from posepipe.motion.swaps import repair_swaps
from posepipe.skeleton import BLAZEPOSE33, BODY21, H36M17, conversion
from posepipe.types import KeypointTrack

__all__ = ["evaluate_rendered", "true_yaw_deg"]

FloatArray = NDArray[np.float64]

_BODY = slice(0, len(H36M17))
_SHARED = tuple(joint for joint in BODY21.joints if joint in BLAZEPOSE33.joints)
_WHOLE = "lifter, sides repaired and settled, clip stage"
_QUARTERS = ("best quarter by 2D error", "second quarter", "third quarter", "worst quarter by 2D error")


def true_yaw_deg(xyz_m: NDArray[np.floating[Any]]) -> FloatArray:
    """Yaw (F,) of Body21 poses in the camera frame, as `posepipe.motion.facing` defines it."""
    hip, other, shoulder, far = np.moveaxis(
        xyz_m[:, BODY21.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")], 1, 0
    ).astype(np.float64)
    across = hip - other + shoulder - far
    return np.asarray(np.degrees(np.arctan2(-across[:, 2], across[:, 0])))


def _exact(clip: LoopClip) -> KeypointTrack:
    """The clip's keypoints put where the joints really are; those that Body21 doesn't know stay."""
    xy = clip.track.xy_px.copy()
    there, truth = BLAZEPOSE33.indices(*_SHARED), clip.xy_true_px[:, BODY21.indices(*_SHARED)]
    xy[:, there] = np.where(np.isnan(xy[:, there]), np.nan, truth)
    return replace(clip.track, xy_px=xy)


def _stages(clips: Sequence[LoopClip], lifter: Lifter) -> dict[str, list[LiftResult]]:
    refiner = Refiner(config=RefineConfig(latent=False))
    tracks = [repair_swaps(clip.track)[0] for clip in clips]
    alone = [lifter.lift(clip.track, clip.camera) for clip in clips]
    repaired = [lifter.lift(track, clip.camera) for track, clip in zip(tracks, clips, strict=True)]
    tracks = [settle_sides(track, lifter, clip.camera)[0] for track, clip in zip(tracks, clips, strict=True)]
    settled = [lifter.lift(track, clip.camera) for track, clip in zip(tracks, clips, strict=True)]
    return {
        "lifter": alone,
        "lifter, sides repaired": repaired,
        "lifter, sides repaired and settled": settled,
        _WHOLE: [refiner.refine(track, result) for track, result in zip(tracks, settled, strict=True)],
        "lifter, exact 2D": [lifter.lift(_exact(clip), clip.camera) for clip in clips],
    }


def evaluate_rendered(
    data: Sequence[Path], *, lifter: Lifter | None = None, max_clips: int | None = None
) -> dict[str, Any]:
    """MPJPE over Human3.6M's joints, per frame, frames in which the detector saw a person.

    Rows by stage, then the same frames by how far the detector's keypoints are from the true ones. Intervals are 95 %,
    over subjects.

    Args:
        data: npz files of `posepipe.synth.detector_loop`.
        lifter: ours; the shipped one if None.
        max_clips: at most so many, the first.

    Returns:
        ``{"metrics", "rows", "versions"}``; `ratio` is ours over MediaPipe's, `yaw_within_22` the share of frames whose
        yaw is within 22.5 degrees of the true one.

    Raises:
        InputError: no files, or one that isn't of this kind.
    """
    lifter = lifter or Lifter()
    clips = load_clips(data)[:max_clips]
    to_body = conversion(BLAZEPOSE33, H36M17)
    guess = np.concatenate([to_body @ clip.world_m for clip in clips])
    truth = np.concatenate([clip.xyz_m for clip in clips])
    theirs = 1000.0 * joint_errors_m(guess - guess[:, :1], truth[:, _BODY]).mean(axis=1)
    subject = np.concatenate([np.full(len(clip.track), clip.subject) for clip in clips])
    off = np.concatenate([_keypoint_error(clip) for clip in clips])
    stages = _stages(clips, lifter)
    seen = ~np.isnan(off) & np.concatenate([r.pose.valid[:, _BODY].all(axis=1) for r in stages["lifter"]])
    rows: list[dict[str, Any]] = []
    for name, results in stages.items():
        rows.append({"part": name} | _figures(results, truth, theirs, seen, subject, lifter))
    edges = np.quantile(off[seen], [0.0, 0.25, 0.5, 0.75, 1.0])
    for name, low, high in zip(_QUARTERS, edges[:-1], edges[1:], strict=True):
        mask = seen & (off >= low) & (off <= high)
        row = _figures(stages[_WHOLE], truth, theirs, mask, subject, lifter)
        rows.append({"part": name, "keypoint_error_pct": float(100 * off[mask].mean())} | row)
    keys = ("frames", "mpjpe_mm", "mediapipe_mpjpe_mm", "ratio", "yaw_within_22", "coverage_90", "ence")
    whole = next(row for row in rows if row["part"] == _WHOLE)
    metrics = {key: rows[0][key] for key in keys} | {f"clip_{key}": whole[key] for key in keys[1:]}
    return {"metrics": metrics, "rows": rows, "versions": {n: version(n) for n in ("posepipe", "mediapipe", "numpy")}}


def _keypoint_error(clip: LoopClip) -> FloatArray:
    """(F,) mean distance of the shared keypoints from the truth, as a share of the person's height in the picture."""
    found = clip.track.xy_px[:, BLAZEPOSE33.indices(*_SHARED)]
    truth = clip.xy_true_px[:, BODY21.indices(*_SHARED)]
    # The diagonal of the body's box stands for its height, whatever the pose.
    size = np.linalg.norm(np.ptp(truth, axis=1), axis=-1)
    return np.asarray(np.linalg.norm(found - truth, axis=-1).mean(axis=1) / size)


def _figures(
    results: Sequence[LiftResult],
    truth: NDArray[np.float32],
    theirs: FloatArray,
    seen: NDArray[np.bool_],
    subject: NDArray[np.str_],
    lifter: Lifter,
) -> dict[str, Any]:
    xyz, sigma = (np.concatenate([getattr(r.pose, key) for r in results])[seen] for key in ("xyz_m", "sigma_m"))
    error = joint_errors_m(xyz[:, _BODY], truth[seen][:, _BODY])
    yaw = np.concatenate([facing(result.pose)[0] for result in results])[seen]
    turn = np.abs((yaw - true_yaw_deg(truth[seen]) + 180.0) % 360.0 - 180.0)
    aligned = joint_errors_m(xyz[:, _BODY], truth[seen][:, _BODY], "procrustes")
    radius = lifter.calibration.radius_m(sigma, 0.9)[:, _BODY]
    ours = 1000.0 * error.mean(axis=1)
    return {
        "frames": int(seen.sum()),
        "mpjpe_mm": float(ours.mean()),
        "mpjpe_ci95_mm": list(bootstrap_ci(ours, subject[seen])),
        "median_mm": float(np.median(ours)),
        "pa_mpjpe_mm": float(1000.0 * aligned.mean()),
        "mediapipe_mpjpe_mm": float(theirs[seen].mean()),
        "ratio": float(ours.mean() / theirs[seen].mean()),
        "turned_round": float((turn > 90.0).mean()),
        "yaw_within_22": float((turn <= 22.5).mean()),
        "coverage_90": coverage(error[:, 1:], radius[:, 1:]),
        "ence": ence(error[:, 1:], sigma[:, 1 : len(H36M17)]),
    }
