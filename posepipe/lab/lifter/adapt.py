"""Fit the lifter to a user's own videos, without labels. After SPIN (Kolotouros et al., ICCV 2019).

The lifter's poses are refined over each clip (bones keep their length, joints have mass, the picture is matched).
Frames whose fit is plausible by its own measures teach the lifter; each frame keeps the best fit so far, and the next
round fits again from the taught lifter. The last fifth of every clip is never learned from: there, before and after are
compared. A lifter that got worse there, or on motion capture, isn't kept.

    posepipe train adapt squat1.mp4 squat2.mp4 --out adapted
    POSEPIPE_MODELS=adapted posepipe analyze squat3.mp4
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from posepipe.body.lift import OWN_JOINTS, Lifter, Rays, body_rays, encode, estimate_root
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.body.sides import repair_swaps
from posepipe.body.steady import MAX_FLEXION_COS, bone_lengths
from posepipe.errors import InputError
from posepipe.lab.lifter.data import AugmentConfig, Simulation, load_mocap
from posepipe.lab.lifter.export import predict, write_onnx
from posepipe.lab.lifter.pairs import Pairs
from posepipe.lab.lifter.train import LifterConfig, load_weights, train_on_pairs, validation_sets
from posepipe.lab.metrics import joint_errors_m
from posepipe.pipeline import Config, Pipeline
from posepipe.skeleton import BODY21, H36M17
from posepipe.tracking.collect import choose_subject
from posepipe.types import Camera, KeypointTrack
from posepipe.weights import list_cards, load_card, models_dir, write_card

__all__ = ["Clip", "adapt", "clips_of", "judge"]

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_JUDGED = 0.2
_MAX_RESIDUAL = 2.5
_MAX_STRETCH = 0.15
_WORSE_ON_MOCAP = 1.02
_JOINTS = [
    BODY21.indices(f"{side}_{a}", f"{side}_{b}", f"{side}_{c}")
    for side in ("left", "right")
    for a, b, c in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
]
# Fits keep the size that the lifter gave them; drawn statures would take it away.
_CONFIG = LifterConfig(
    augment=AugmentConfig(stature_m=0.0),
    steps=120,
    batch=128,
    lr=2e-5,
    warmup=20,
    decay=0.5,
    optimiser="adamw",
    ema=0.95,
    bf16=False,
    pairs_share=0.25,
)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One person's keypoints in one video.

    Attributes:
        name: of the video.
        track: keypoints, left and right repaired.
        camera: lens.
    """

    name: str
    track: KeypointTrack
    camera: Camera


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """Refined poses of a clip and whether to learn from them.

    Attributes:
        xyz_m: (F, 21, 3) relative to the pelvis, camera frame.
        doubt: (F,) of the refiner; NaN where nothing could be fitted.
        good: (F,) plausible, and every joint seen.
    """

    xyz_m: FloatArray
    doubt: FloatArray
    good: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class AdaptResult:
    """What came of it.

    Attributes:
        kept: the new lifter was written.
        rows: a row "before" and one "after" with the figures of `judge`, and motion capture's error where asked for.
        frames: frames learned from.
        lifter: the ONNX file; None unless kept.
    """

    kept: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    frames: int = 0
    lifter: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """In the form that `posepipe.lab.metrics.markdown` prints."""
        return {"metrics": {"kept": self.kept, "frames_learned": self.frames}, "rows": self.rows, "versions": {}}


def clips_of(videos: Sequence[Path], *, detector: str = "blazepose", fov_deg: float | None = None) -> list[Clip]:
    """The largest person of each video.

    Raises:
        MediaError: a video can't be read.
        NobodyFoundError: one holds no person.
    """
    pipeline = Pipeline(Config(detector=detector, fov_deg=fov_deg))
    clips = []
    for video in videos:
        found = pipeline.detect(video)
        size = found.camera.width_px, found.camera.height_px
        track = choose_subject(found.tracks, "largest", size)[0]
        clips.append(Clip(Path(video).stem, repair_swaps(track)[0], found.camera))
    return clips


def fit_clip(clip: Clip, lifter: Lifter, refiner: Refiner) -> Fits:
    """Lift and refine a clip, and tell which frames came out plausible.

    A frame is good if all 21 joints were seen, the pose projects to within 2.5 sigma of the keypoints (root mean
    square), no bone differs from the clip's by over 15 %, and no knee or elbow is bent beyond what joints do.
    """
    rays = body_rays(clip.track, clip.camera)
    xyz, sigma, usable = lifter.lift_rays(*rays)
    blank = np.where(usable, 0.0, np.nan).astype(np.float32)
    fitted = refiner.refine_rays(rays, xyz + blank[:, None, None], sigma, clip.track.time_s)
    pose = np.nan_to_num(fitted.xyz_m)
    off = _residual(pose, sigma, rays, usable)
    lengths = bone_lengths(pose)
    usual = np.median(lengths[usable], axis=0) if usable.any() else lengths.mean(axis=0)
    stretch = np.abs(lengths / np.maximum(usual, 1e-6) - 1.0).max(axis=1)
    folded = np.stack([_cosine(pose, *joints) for joints in _JOINTS], axis=1).max(axis=1) > -MAX_FLEXION_COS
    good = usable & rays.valid.all(axis=1) & (off < _MAX_RESIDUAL) & (stretch < _MAX_STRETCH) & ~folded
    return Fits(pose, fitted.doubt_after, good & np.isfinite(fitted.doubt_after))


def _residual(pose: FloatArray, sigma: FloatArray, rays: Rays, usable: BoolArray) -> NDArray[np.float64]:
    """(F,) root mean square distance of the projected pose from the keypoints, in sigmas of each coordinate."""
    measured = rays.valid & OWN_JOINTS & usable[:, None]
    root, _ = estimate_root(pose, sigma, rays.xy, rays.sigma, measured)
    point = pose + root[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = (point[..., :2] / point[..., 2:] - rays.xy) / np.maximum(rays.sigma, 1e-6)[..., None]
    square = np.where(measured[..., None], gap**2, 0.0).sum(axis=(1, 2))
    return np.asarray(np.sqrt(square / np.maximum(2 * measured.sum(axis=1), 1)), dtype=np.float64)


def _cosine(pose: FloatArray, a: int, b: int, c: int) -> NDArray[np.float64]:
    """Cosine (F,) of the interior angle at joint b; near 1 is folded flat."""
    u, v = pose[:, a] - pose[:, b], pose[:, c] - pose[:, b]
    size = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    return np.asarray((u * v).sum(axis=1) / np.maximum(size, 1e-9), dtype=np.float64)


def keep_best(old: Fits, new: Fits) -> Fits:
    """Of two fits of each frame the good one with less doubt; the old one if neither is better."""
    better = new.good & (~old.good | (new.doubt < old.doubt))
    return Fits(
        np.where(better[:, None, None], new.xyz_m, old.xyz_m),
        np.where(better, new.doubt, old.doubt),
        old.good | new.good,
    )


def _learned(frames: int) -> slice:
    return slice(0, round((1.0 - _JUDGED) * frames))


def _pairs(clips: Sequence[Clip], fits: Sequence[Fits]) -> Pairs:
    parts: list[tuple[FloatArray, FloatArray, FloatArray, NDArray[np.str_]]] = []
    for clip, fit in zip(clips, fits, strict=True):
        rays, sigma, _, _ = body_rays(clip.track, clip.camera)
        rows = np.flatnonzero(fit.good[_learned(len(clip.track))])
        parts.append((rays[rows], sigma[rows], fit.xyz_m[rows], np.full(len(rows), clip.name)))
    rays, sigma, xyz, name = (np.concatenate(column) for column in zip(*parts, strict=True))
    nothing = np.zeros((len(rays), 33, 3), dtype=np.float32)
    return Pairs(rays, sigma, xyz, np.zeros((len(rays), 3), dtype=np.float32), nothing, name, name)


def judge(clips: Sequence[Clip], lifter: Lifter) -> dict[str, float]:
    """What can be told of a lifter without the truth, on the last fifth of each clip; less is better.

    Returns:
        `reprojection_sigma` (distance of the projected pose from the keypoints), `bone_spread_pct` (standard deviation
        of each bone's length over a clip), `sides_differ_pct` (left against right), `jitter_mps2` (root mean square
        acceleration of the joints; steady movement has some, too).
    """
    rows: list[tuple[float, float, float, float]] = []
    for clip in clips:
        part = slice(_learned(len(clip.track)).stop, None)
        rays = body_rays(clip.track, clip.camera).part(part)
        xyz, sigma, usable = lifter.lift_rays(*rays)
        if usable.sum() < 3:
            continue
        off = _residual(xyz, sigma, rays, usable)[usable]
        lengths = bone_lengths(xyz[usable])[:, :8]
        mean = lengths.mean(axis=0)
        sides = np.abs(mean[[0, 1, 4, 5]] / mean[[2, 3, 6, 7]] - 1.0)
        step = np.median(np.diff(clip.track.time_s[part]))
        bend = np.diff(xyz[usable], n=2, axis=0) / max(float(step), 1e-3) ** 2
        jitter = np.sqrt((bend**2).sum(axis=-1).mean())
        rows.append((float(off.mean()), float(100 * (lengths.std(axis=0) / mean).mean()), 100 * sides.mean(), jitter))
    if not rows:
        raise InputError("too few frames to judge by", hint="Give longer videos with the whole person in view")
    names = ("reprojection_sigma", "bone_spread_pct", "sides_differ_pct", "jitter_mps2")
    return dict(zip(names, (float(x) for x in np.mean(rows, axis=0)), strict=True))


def adapt(
    clips: Sequence[Clip],
    out: Path,
    *,
    data: Path | None = None,
    weights: Path | None = None,
    rounds: int = 2,
    config: LifterConfig = _CONFIG,
) -> AdaptResult:
    """Teach the lifter on clips, and keep it if it got better.

    Args:
        clips: see `clips_of`.
        out: folder for a copy of the shipped models with the new lifter among them. The refiner stays as it is.
        data: folder with motion capture's train.npz and val.npz; three quarters of every batch then come from it, so
            that nothing is forgotten, and its error is judged too.
        weights: the lifter's safetensors file to start from; the shipped one if None.
        rounds: of fitting and learning.
        config: of the learning; its network must fit the weights.

    Raises:
        InputError: under 20 frames came out plausible, or the clips are too short.
    """
    start = weights or models_dir() / "lifter.safetensors"
    if not start.is_file():
        raise InputError("no weights to start from", where=str(start), hint="Give them, or use a source checkout")
    mocap = None if data is None else load_mocap(data / "train.npz")
    sets = {} if data is None else validation_sets(data, 1500, config.seed)
    config = replace(config, pairs_share=config.pairs_share if mocap is not None else 1.0)
    shipped = Lifter()
    refiner = Refiner(config=RefineConfig(latent=False))
    before = _judged(clips, shipped, config, start, sets)
    lifter, fits, step = shipped, [fit_clip(clip, shipped, refiner) for clip in clips], start
    pairs = _pairs(clips, fits)
    work = out / ".posepipe-adapt"
    for number in range(rounds):
        if len(pairs) < 20:
            raise InputError(
                f"only {len(pairs)} frames came out plausible", hint="The whole body should be in view, and large"
            )
        run = work / f"round_{number}"
        step = train_on_pairs(config, pairs, run, start=step, mocap=mocap).weights
        model = run / "lifter.onnx"
        write_onnx(
            load_weights(config, step),
            model,
            {
                "calibration": shipped.calibration.to_json(),
                "calibration_independent": shipped.calibration_independent.to_json(),
                "layout": "body21",
            },
        )
        lifter = Lifter(model)
        fits = [keep_best(old, fit_clip(clip, lifter, refiner)) for old, clip in zip(fits, clips, strict=True)]
        pairs = _pairs(clips, fits)
    after = _judged(clips, lifter, config, step, sets)
    kept = _better(before, after)
    written = _write(out, step, work / f"round_{rounds - 1}" / "lifter.onnx", clips, before, after) if kept else None
    shutil.rmtree(work, ignore_errors=True)
    return AdaptResult(kept, [{"lifter": "before"} | before, {"lifter": "after"} | after], len(pairs), written)


def _judged(
    clips: Sequence[Clip], lifter: Lifter, config: LifterConfig, weights: Path, sets: dict[str, Simulation]
) -> dict[str, float]:
    row = judge(clips, lifter)
    if sets:
        row["mocap_n_mpjpe_mm"] = _scaled_error_mm(load_weights(config, weights), sets["level"])
    return row


def _scaled_error_mm(network: nn.Module, seen: Simulation) -> float:
    """N-MPJPE on motion capture. Own videos don't show how large a person is, so the scale mustn't count."""
    encoded = encode(seen.rays, seen.sigma, seen.valid, np.zeros(len(seen.rays), dtype=bool))
    xyz, _ = predict(network, encoded.features)
    error = joint_errors_m(xyz @ encoded.rotation, seen.xyz_m, "scale")[:, : len(H36M17)]
    return float(1000.0 * np.nanmean(error))


def _better(before: dict[str, float], after: dict[str, float]) -> bool:
    """Bones steadier and the picture matched no worse; motion capture not forgotten."""
    fits = after["bone_spread_pct"] < before["bone_spread_pct"]
    fits &= after["reprojection_sigma"] <= 1.02 * before["reprojection_sigma"]
    remembered = after.get("mocap_n_mpjpe_mm", 0.0) <= _WORSE_ON_MOCAP * before.get("mocap_n_mpjpe_mm", 0.0)
    return bool(fits and remembered)


def _write(
    out: Path,
    weights: Path,
    model: Path,
    clips: Sequence[Clip],
    before: dict[str, float],
    after: dict[str, float],
) -> Path:
    """The shipped models with the new lifter among them, each with its card."""
    out.mkdir(parents=True, exist_ok=True)
    for card in list_cards():
        for file in (card.path, card.model_path):
            if file.is_file():
                shutil.copyfile(file, out / file.name)
    shutil.copyfile(weights, out / "lifter.safetensors")
    target = out / "lifter.onnx"
    shutil.copyfile(model, target)
    old = load_card(models_dir() / "lifter.toml")
    content = target.read_bytes()
    fields = {
        "name": "lifter",
        "file": target.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "licence": old.licence,
        "source": f"{old.source} Then adapted to own videos without labels: posepipe train adapt ({len(clips)} clips); "
        "sigma keeps the calibration from before.",
        "input": old.input,
        "output": old.output,
        "description": old.description,
    }
    metrics = {f"before_{key}": value for key, value in before.items()}
    metrics |= {f"after_{key}": value for key, value in after.items()}
    write_card(out / "lifter.toml", fields, {key: round(value, 4) for key, value in metrics.items()})
    return target
