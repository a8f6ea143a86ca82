"""What test-time optimisation brings: detector-in-the-loop clips, with the pelvis estimated and with the true one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.evaluation.metrics import coverage, joint_errors_m
from posepipe.lifting.lifter import Lifter, LiftResult
from posepipe.lifting.refine import RefineConfig, Refiner
from posepipe.motion.smooth import smooth
from posepipe.skeleton import BLAZEPOSE33, H36M17
from posepipe.training.pairs import stated_sigma
from posepipe.types import Camera, KeypointTrack

__all__ = ["LoopClip", "evaluate_refine", "load_clips"]

FloatArray = NDArray[np.float32]

_KEYS = {"xy_px", "features", "roi", "score", "presence", "camera", "xyz_m", "fps_hz", "run", "world_m"}
_KEYS |= {"xy_true_px", "subject"}
_JOINTS = slice(0, len(H36M17))
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
    """Runs of `posepipe.synth.detector_loop` as tracks. Frames in which the detector saw nobody have no keypoints.

    Raises:
        InputError: no files, or one that isn't of this kind.
    """
    if not files:
        raise InputError("no detector-in-the-loop clips", hint="Make them: python -m posepipe.synth.detector_loop")
    clips = []
    for file in files:
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


def evaluate_refine(
    data: Sequence[Path], *, lifter: Lifter | None = None, refiner: Refiner | None = None, max_clips: int | None = None
) -> dict[str, Any]:
    """MPJPE over Human3.6M's joints before and after each stage, and the clip that fared worst.

    Args:
        data: npz files of `posepipe.synth.detector_loop`.
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
        rows.append({"stage": name} | _figures(lifter, clips, found, base) | {"ms_per_frame": seconds})
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
            refiner.refine(clip.track, result, root_m=clip.root_m if oracle else None)
            for clip, result in zip(clips, first, strict=True)
        ]
        best = min(best, 1000.0 * (time.perf_counter() - start) / frames)
    refiner.config = before
    return found, float(best)


def _smoothed(result: LiftResult) -> LiftResult:
    return LiftResult(smooth(result.pose, _CUTOFF_HZ), result.scale, result.camera)


def _error_mm(result: LiftResult, clip: LoopClip) -> FloatArray:
    """(n, 17) over the frames that have a pose."""
    error = joint_errors_m(result.pose.xyz_m[:, _JOINTS], clip.xyz_m[:, _JOINTS])
    return np.asarray(1000.0 * error[result.pose.valid.any(axis=1)], dtype=np.float32)


def _figures(
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
