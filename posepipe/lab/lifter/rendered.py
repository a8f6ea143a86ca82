"""The lifter on rendered people that BlazePose saw: its error stage by stage, and what test-time optimisation brings.

Files of `posepipe.lab.rendered` (``posepipe train pairs``) in.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import Lifter, LiftResult
from posepipe.body.motion import facing
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.body.sides import repair_swaps, settle_sides
from posepipe.body.smooth import smooth
from posepipe.errors import InputError
from posepipe.lab.lifter.pairs import stated_sigma
from posepipe.lab.metrics import bootstrap_ci, coverage, ence, joint_errors_m
from posepipe.skeleton import BLAZEPOSE33, BODY21, H36M17, conversion
from posepipe.types import Camera, KeypointTrack

__all__ = ["evaluate_refine", "evaluate_rendered", "true_yaw_deg"]

FloatArray = NDArray[np.float32]
Array = NDArray[np.float64]

_KEYS = {"xy_px", "features", "roi", "score", "presence", "camera", "xyz_m", "fps_hz", "run", "world_m"}
_KEYS |= {"xy_true_px", "subject"}
_JOINTS = slice(0, len(H36M17))
_SHARED = tuple(joint for joint in BODY21.joints if joint in BLAZEPOSE33.joints)
_WHOLE = "lifter, sides repaired and settled, clip stage"
_QUARTERS = ("best quarter by 2D error", "second quarter", "third quarter", "worst quarter by 2D error")
_CUTOFF_HZ = 6.0
_UAO = RefineConfig(clip=False, bones=0.0, symmetry=0.0)

# Name, stages, true pelvis, smoothed afterwards as the pipeline does.
_ROWS: tuple[tuple[str, RefineConfig | None, bool, bool], ...] = (
    ("no refinement", None, False, False),
    ("mirror", RefineConfig(mirror=True, latent=False, clip=False), False, False),
    ("UAO latent, estimated root", _UAO, False, False),
    ("UAO latent, oracle root", _UAO, True, False),
    ("UAO latent + bones + symmetry, estimated root", RefineConfig(clip=False), False, False),
    ("clip", RefineConfig(latent=False), False, False),
    ("shipped (latent + clip), estimated root", RefineConfig(), False, False),
    ("shipped (latent + clip), oracle root", RefineConfig(), True, False),
    ("shipped + mirror, estimated root", RefineConfig(mirror=True), False, False),
    ("no refinement, then 6 Hz smoothing", None, False, True),
    ("shipped, estimated root, then 6 Hz smoothing", RefineConfig(), False, True),
)


@dataclass(frozen=True, slots=True, eq=False)
class LoopClip:
    """One run of consecutive frames.

    Attributes:
        track: what the detector saw.
        camera: the true camera.
        xyz_m: (F, 21, 3) true pose relative to the pelvis.
        root_m: (F, 3) true pelvis.
        world_m: (F, 33, 3) the detector's own 3D guess, in the camera's axes.
        xy_true_px: (F, 21, 2) where the joints really are in the picture.
        subject: whose motion it is.
    """

    track: KeypointTrack
    camera: Camera
    xyz_m: FloatArray
    root_m: FloatArray
    world_m: FloatArray
    xy_true_px: FloatArray
    subject: str


def load_clips(files: Sequence[Path], min_presence: float = 0.5) -> list[LoopClip]:
    """Runs of `posepipe.lab.rendered` as tracks. Frames in which the detector saw nobody have no keypoints.

    Raises:
        InputError: no files, or one that isn't of this kind.
    """
    if not files:
        raise InputError("no detector-in-the-loop clips", hint="Make them: posepipe train pairs")
    clips = []
    for file in files:
        if not file.is_file():
            raise InputError("no such file", where=str(file), hint="Make it: posepipe train pairs")
        with np.load(file) as data:
            if missing := _KEYS - set(data.files):
                raise InputError(f"lacks {', '.join(sorted(missing))}", where=str(file))
            table = {key: data[key] for key in _KEYS}
        cuts = np.flatnonzero(np.diff(table["run"])) + 1
        for rows in np.split(np.arange(len(table["run"])), cuts):
            clips.append(_clip({key: value[rows] for key, value in table.items()}, min_presence))
    return [clip for clip in clips if clip.track.valid.any()]


def _clip(rows: dict[str, NDArray[Any]], min_presence: float) -> LoopClip:
    frames = len(rows["run"])
    focal, x, y, width, height = (float(v) for v in rows["camera"][0])
    seen = (rows["presence"] >= min_presence)[:, None] & np.isfinite(rows["xy_px"]).all(axis=-1)
    track = KeypointTrack(
        person=1,
        layout=BLAZEPOSE33,
        frame=np.arange(frames, dtype=np.int32),
        time_s=np.arange(frames) / float(rows["fps_hz"][0]),
        xy_px=np.where(seen[..., None], rows["xy_px"], np.nan).astype(np.float32),
        sigma_px=np.where(seen, stated_sigma(rows["features"], rows["roi"]), np.nan).astype(np.float32),
        score=rows["score"].astype(np.float32),
        valid=seen,
        interpolated=np.zeros_like(seen),
    )
    camera = Camera(round(width), round(height), focal, "given", (x, y))
    root = rows["xyz_m"][:, :1]
    return LoopClip(
        track,
        camera,
        (rows["xyz_m"] - root).astype(np.float32),
        root[:, 0].astype(np.float32),
        rows["world_m"].astype(np.float32),
        rows["xy_true_px"].astype(np.float32),
        str(rows["subject"][0]),
    )


def true_yaw_deg(xyz_m: NDArray[np.floating[Any]]) -> Array:
    """Yaw (F,) of Body21 poses in the camera frame, as `posepipe.body.motion` defines it."""
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
        _WHOLE: [refiner.refine(result) for result in settled],
        "lifter, exact 2D": [lifter.lift(_exact(clip), clip.camera) for clip in clips],
    }


def evaluate_rendered(
    data: Sequence[Path], *, lifter: Lifter | None = None, max_clips: int | None = None
) -> dict[str, Any]:
    """MPJPE over Human3.6M's joints, per frame, frames in which the detector saw a person.

    Rows by stage, then the same frames by how far the detector's keypoints are from the true ones. Intervals are 95 %,
    over subjects.

    Args:
        data: npz files of `posepipe.lab.rendered`.
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
    theirs = 1000.0 * joint_errors_m(guess - guess[:, :1], truth[:, _JOINTS]).mean(axis=1)
    subject = np.concatenate([np.full(len(clip.track), clip.subject) for clip in clips])
    off = np.concatenate([_keypoint_error(clip) for clip in clips])
    stages = _stages(clips, lifter)
    seen = ~np.isnan(off) & np.concatenate([r.pose.valid[:, _JOINTS].all(axis=1) for r in stages["lifter"]])
    rows: list[dict[str, Any]] = []
    for name, results in stages.items():
        rows.append({"part": name} | _rendered_figures(results, truth, theirs, seen, subject, lifter))
    edges = np.quantile(off[seen], [0.0, 0.25, 0.5, 0.75, 1.0])
    for name, low, high in zip(_QUARTERS, edges[:-1], edges[1:], strict=True):
        mask = seen & (off >= low) & (off <= high)
        row = _rendered_figures(stages[_WHOLE], truth, theirs, mask, subject, lifter)
        rows.append({"part": name, "keypoint_error_pct": float(100 * off[mask].mean())} | row)
    keys = ("frames", "mpjpe_mm", "mediapipe_mpjpe_mm", "ratio", "yaw_within_22", "coverage_90", "ence")
    whole = next(row for row in rows if row["part"] == _WHOLE)
    metrics = {key: rows[0][key] for key in keys} | {f"clip_{key}": whole[key] for key in keys[1:]}
    return {"metrics": metrics, "rows": rows, "versions": {n: version(n) for n in ("posepipe", "numpy")}}


def _keypoint_error(clip: LoopClip) -> Array:
    """(F,) mean distance of the shared keypoints from the truth, as a share of the person's height in the picture."""
    found = clip.track.xy_px[:, BLAZEPOSE33.indices(*_SHARED)]
    truth = clip.xy_true_px[:, BODY21.indices(*_SHARED)]
    # The diagonal of the body's box stands for its height, whatever the pose.
    size = np.linalg.norm(np.ptp(truth, axis=1), axis=-1)
    return np.asarray(np.linalg.norm(found - truth, axis=-1).mean(axis=1) / size)


def _rendered_figures(
    results: Sequence[LiftResult],
    truth: NDArray[np.float32],
    theirs: Array,
    seen: NDArray[np.bool_],
    subject: NDArray[np.str_],
    lifter: Lifter,
) -> dict[str, Any]:
    xyz, sigma = (np.concatenate([getattr(r.pose, key) for r in results])[seen] for key in ("xyz_m", "sigma_m"))
    error = joint_errors_m(xyz[:, _JOINTS], truth[seen][:, _JOINTS])
    yaw = np.concatenate([facing(result.pose)[0] for result in results])[seen]
    turn = np.abs((yaw - true_yaw_deg(truth[seen]) + 180.0) % 360.0 - 180.0)
    aligned = joint_errors_m(xyz[:, _JOINTS], truth[seen][:, _JOINTS], "procrustes")
    radius = lifter.calibration.radius_m(sigma, 0.9)[:, _JOINTS]
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


def evaluate_refine(
    data: Sequence[Path], *, lifter: Lifter | None = None, refiner: Refiner | None = None, max_clips: int | None = None
) -> dict[str, Any]:
    """MPJPE over Human3.6M's joints before and after each stage, and the clip that fared worst.

    Args:
        data: npz files of `posepipe.lab.rendered`.
        lifter: ours; the shipped one if None.
        refiner: ours; the shipped one if None. Its config is set aside.
        max_clips: at most so many, the first.

    Returns:
        ``{"metrics", "rows", "versions"}``. `worst_clip_pct` is the largest rise of a clip's MPJPE; `ms_per_frame` is
        the time of the refiner alone, wall clock, best of two.
    """
    lifter, refiner = lifter or Lifter(), refiner or Refiner()
    clips = load_clips(data)[:max_clips]
    first = [lifter.lift(clip.track, clip.camera) for clip in clips]
    base = [_error_mm(result, clip) for result, clip in zip(first, clips, strict=True)]
    rows = []
    for name, config, oracle, smoothed in _ROWS:
        found, seconds = _refined(refiner, config, clips, first, oracle)
        if smoothed:
            found = [_smoothed(result) for result in found]
        rows.append({"stage": name} | _refine_figures(lifter, clips, found, base) | {"ms_per_frame": seconds})
    shipped = next(row for row in rows if str(row["stage"]).startswith("shipped"))
    metrics = {
        "clips": len(clips),
        "frames": sum(len(clip.track) for clip in clips),
        "mpjpe_mm": rows[0]["mpjpe_mm"],
        "refined_mpjpe_mm": shipped["mpjpe_mm"],
        "change_pct": shipped["change_pct"],
        "worst_clip_pct": shipped["worst_clip_pct"],
        "ms_per_frame": shipped["ms_per_frame"],
    }
    return {"metrics": metrics, "rows": rows, "versions": {n: version(n) for n in ("posepipe", "onnxruntime", "numpy")}}


def _refined(
    refiner: Refiner, config: RefineConfig | None, clips: list[LoopClip], first: list[LiftResult], oracle: bool
) -> tuple[list[LiftResult], float]:
    if config is None:
        return first, 0.0
    before, refiner.config = refiner.config, config
    frames = sum(len(clip.track) for clip in clips)
    best, found = np.inf, first
    for _ in range(2):
        start = time.perf_counter()
        found = [
            refiner.refine(result, root_m=clip.root_m if oracle else None)
            for clip, result in zip(clips, first, strict=True)
        ]
        best = min(best, 1000.0 * (time.perf_counter() - start) / frames)
    refiner.config = before
    return found, float(best)


def _smoothed(result: LiftResult) -> LiftResult:
    return replace(result, pose=smooth(result.pose, _CUTOFF_HZ))


def _error_mm(result: LiftResult, clip: LoopClip) -> FloatArray:
    """(n, 17) over the frames that have a pose."""
    error = joint_errors_m(result.pose.xyz_m[:, _JOINTS], clip.xyz_m[:, _JOINTS])
    return np.asarray(1000.0 * error[result.pose.valid.any(axis=1)], dtype=np.float32)


def _refine_figures(
    lifter: Lifter, clips: list[LoopClip], found: list[LiftResult], base: list[FloatArray]
) -> dict[str, float]:
    errors = [_error_mm(result, clip) for result, clip in zip(found, clips, strict=True)]
    aligned, inside = [], []
    for result, clip in zip(found, clips, strict=True):
        whole = result.pose.valid[:, _JOINTS].all(axis=1)
        a, b = result.pose.xyz_m[whole][:, _JOINTS], clip.xyz_m[whole][:, _JOINTS]
        aligned.append(1000.0 * joint_errors_m(a, b, "procrustes"))
        radius = lifter.calibration.radius_m(result.pose.sigma_m, 0.9)
        error = joint_errors_m(result.pose.xyz_m, clip.xyz_m)
        inside.append((error[:, 1 : len(H36M17)], radius[:, 1 : len(H36M17)]))
    ratio = np.array([np.nanmean(e) / np.nanmean(b) for e, b in zip(errors, base, strict=True)])
    mean, before = (float(np.nanmean(np.concatenate(x))) for x in (errors, base))
    return {
        "mpjpe_mm": mean,
        "change_pct": 100.0 * (mean / before - 1.0),
        "pa_mpjpe_mm": float(np.concatenate(aligned).mean()),
        "coverage_90": coverage(np.concatenate([e for e, _ in inside]), np.concatenate([r for _, r in inside])),
        "worst_clip_pct": float(100.0 * (ratio.max() - 1.0)),
        "clips_over_1_pct": float((ratio > 1.01).mean()),
    }
