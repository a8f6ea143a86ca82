"""Test-time optimisation of a lifted track, on ONNX Runtime. Offline only: it looks at the whole clip.

Three stages, each of which can be left out:

1. mirror: the lifter's answers for the picture and for its mirror image, averaged.
2. latent (UAO): a few Adam steps on the lifter's input, so that its answer fits the detected rays under an *estimated*
   pelvis, with bones of the clip's length; `posepipe.lab.lifter.network`, exported by `exporters.refiner`.
3. clip: steady bones and motion in closed form; `posepipe.body.steady`.

A clip that would move by more than about a sigma is moved less, and a frame whose doubt would rise keeps its first
estimate. Sigma is never shrunk: the stages mostly remove wavering, and most of a lifter's error is the same from frame
to frame.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import (
    OWN_JOINTS,
    Encoded,
    LiftResult,
    Rays,
    chunks,
    encode,
    estimate_root,
    model_path,
    with_scale_error,
)
from posepipe.body.steady import (
    BONES,
    STEADY,
    acceleration_factors,
    bone_lengths,
    clip_bones,
    hold_back,
    hold_bones,
    steady,
)
from posepipe.errors import ModelError
from posepipe.inference import open_session
from posepipe.settings import setting
from posepipe.skeleton import BODY21
from posepipe.types import PoseTrack

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["RefineConfig", "Refinement", "Refiner"]

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_CHUNK = 192
"""Frames in the network at a time, to bound memory."""
_PIECE, _OVERLAP = 2700, 30
"""Frames refined at a time, and on each side of them: about a minute and a half at 30 fps; a second of overlap outlasts
the motion prior."""
_MIN_SIGMA_M, _UNKNOWN_SIGMA_M = 2e-3, 0.3
"""No joint is taken for surer, and what one without a sigma gets."""
_MIN_RAY_SIGMA = 1e-3
"""No ray is taken for surer."""
_TUNED = "tuned on training subjects"
_INPUTS = {"keypoints", "spread", "rays", "anchor_m", "gain", "rate"}


@dataclass(frozen=True, slots=True)
class RefineConfig:
    """Which stages run, and how strongly.

    Attributes:
        mirror, latent, clip: whether each stage runs. The mirror image is off: it gains little, and costs a few clips.
    """

    mirror: bool = False
    latent: bool = True
    clip: bool = True
    reprojection: float = setting(1.0, "latent stage: weight of the distance from the rays", source=_TUNED)
    anchor: float = setting(0.1, "latent stage: weight of the distance from the first estimate", source=_TUNED)
    bones: float = setting(0.5, "latent stage: weight of the clip's bone lengths", source=_TUNED)
    symmetry: float = setting(0.5, "latent stage: weight of left and right being alike", source=_TUNED)
    acceleration: float = setting(0.0, "latent stage: weight of steady motion", source=_TUNED)
    limits: float = setting(0.0, "latent stage: weight of what joints can't do", source=_TUNED)
    rate: float = setting(0.5, "length of one step in standard deviations of the keypoints", source=_TUNED)
    keep: float = setting(0.25, "share of the latent's movement that is taken over", source=_TUNED)
    ray_floor: float = setting(0.02, "least sigma of a detected ray, in sizes of the person", source=_TUNED)
    bone_tolerance_m: float = setting(
        0.03, "latent stage: how much a bone's length may differ", unit="m", source=_TUNED
    )


@dataclass(frozen=True, slots=True, eq=False)
class Refinement:
    """What the stages made of rays; all in the camera frame, at the network's own scale.

    Attributes:
        xyz_m: (F, 21, 3) relative to the pelvis.
        doubt_before, doubt_after: (F,) see `Refiner.doubt`; NaN where the frame can't be lifted.
        changed: (F,) frames that don't keep their first estimate.
    """

    xyz_m: FloatArray
    doubt_before: FloatArray
    doubt_after: FloatArray
    changed: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known about a clip before it is refined."""

    encoded: Encoded
    rays: FloatArray
    ray_weight: FloatArray
    seen: BoolArray
    first_m: FloatArray
    sigma_m: FloatArray
    bone_m: FloatArray
    factors: FloatArray


class Refiner:
    """Refines lifted tracks.

    Args:
        model: name on a model card, or an ONNX file made by `exporters.refiner`; only opened for the latent stage.
        threads: of ONNX Runtime.
        lifter: the lifter that the refiner was made from; name or file.
        config: stages and weights.

    Raises:
        ModelError: a model is missing, damaged or not a refiner.
    """

    def __init__(
        self,
        model: str | Path = "refiner",
        threads: int = 2,
        *,
        lifter: str | Path = "lifter",
        config: RefineConfig | None = None,
    ) -> None:
        self.config = config if config is not None else RefineConfig()
        self._threads = threads
        self._lifter_name = lifter
        self._session: InferenceSession | None = None
        self._lifter_session: InferenceSession | None = None
        self._steps = 0
        if self.config.latent:
            path = model_path(model)
            # Its graph is long and its memory small: planning reuse takes four seconds and saves nothing.
            self._session = open_session(path, threads=threads, memory_reuse=False)
            if not {item.name for item in self._session.get_inputs()} >= _INPUTS:
                raise ModelError("not a refiner", where=str(path), hint="Make it with posepipe train refiner")
            self._steps = int(self._session.get_modelmeta().custom_metadata_map.get("steps", "0"))

    def refine(self, result: LiftResult, *, root_m: FloatArray | None = None) -> LiftResult:
        """Refine a lifted track.

        Args:
            result: what `Lifter.lift` made of it.
            root_m: (F, 3) the true pelvis, to measure what an oracle would bring; estimated if None.

        Returns:
            The same with better poses and pelvis. Joints that were missing stay missing; sigma stays.
        """
        pose, rays, factor = result.pose, result.rays, np.float32(result.scale.factor)
        if not pose.valid.any():
            return result
        if len(pose) > _PIECE + 2 * _OVERLAP:
            return self._refine_in_pieces(result, root_m)
        xyz, sigma = pose.xyz_m / factor, pose.sigma_m / factor
        oracle = None if root_m is None else (root_m / factor).astype(np.float32)
        refined = self.refine_rays(rays, xyz, sigma, pose.time_s, root_m=oracle)
        moved = np.where(pose.valid[..., None], refined.xyz_m * factor, np.nan).astype(np.float32)
        root, root_sigma = estimate_root(moved, pose.sigma_m, rays.xy, rays.sigma, pose.valid & rays.valid & OWN_JOINTS)
        root_sigma = with_scale_error(root, root_sigma, result.scale.source == "given", bool(rays.focal_assumed.any()))
        return replace(result, pose=replace(pose, xyz_m=moved, root_m=root, root_sigma_m=root_sigma))

    def _refine_in_pieces(self, result: LiftResult, root_m: FloatArray | None) -> LiftResult:
        """A long track in overlapping pieces, to bound memory; each has its own bone lengths."""
        moved, root, root_sigma = [], [], []
        for part in chunks(len(result.pose), _PIECE):
            wide = slice(max(0, part.start - _OVERLAP), min(len(result.pose), part.stop + _OVERLAP))
            oracle = None if root_m is None else root_m[wide]
            cut = replace(result, pose=_cut(result.pose, wide), rays=result.rays.part(wide))
            piece = self.refine(cut, root_m=oracle).pose
            inner = slice(part.start - wide.start, part.stop - wide.start)
            moved.append(piece.xyz_m[inner])
            root.append(piece.root_m[inner])
            root_sigma.append(piece.root_sigma_m[inner])
        joined = {"xyz_m": moved, "root_m": root, "root_sigma_m": root_sigma}
        arrays: dict[str, Any] = {name: np.concatenate(parts) for name, parts in joined.items()}
        return replace(result, pose=replace(result.pose, **arrays))

    def refine_rays(
        self,
        rays: Rays,
        xyz_m: FloatArray,
        sigma_m: FloatArray,
        time_s: NDArray[np.float64],
        *,
        root_m: FloatArray | None = None,
    ) -> Refinement:
        """Refine poses lifted from rays.

        Args:
            rays: F frames.
            xyz_m: (F, 21, 3) the lifter's poses, camera frame; NaN where missing.
            sigma_m: (F, 21) their sigma; NaN where missing.
            time_s: (F,).
            root_m: (F, 3) the true pelvis, to measure what an oracle would bring; estimated if None.
        """
        known = self._know(rays, xyz_m, sigma_m, time_s)
        rotation, usable = known.encoded.rotation, known.encoded.usable
        pose = known.first_m
        if self.config.mirror:
            pose = 0.5 * (pose + self._mirrored(known.encoded.features))
        log_ratio = np.zeros(sigma_m.shape, dtype=np.float32)
        if self.config.latent and self._steps:
            moved, log_ratio = self._latent(known, root_m)
            pose = pose + np.float32(self.config.keep) * moved
        if self.config.clip:
            pose = hold_bones(pose, known.sigma_m, known.bone_m)
            pose = steady(pose @ rotation, known.sigma_m, rotation, known.factors) @ np.swapaxes(rotation, 1, 2)
        pose = hold_back(known.first_m, pose, known.sigma_m, usable)
        xyz, before, after, changed = self._gate(known, pose, log_ratio)
        missing = np.isnan(xyz_m) | ~usable[:, None, None]
        blank = np.where(usable, 0.0, np.nan).astype(np.float32)
        return Refinement(np.where(missing, np.nan, xyz @ rotation), before + blank, after + blank, changed & usable)

    def _know(self, rays: Rays, xyz_m: FloatArray, sigma_m: FloatArray, time_s: NDArray[np.float64]) -> _Known:
        encoded = encode(*rays)
        seen = (encoded.features[..., 3] > 0) & encoded.usable[:, None]
        size = encoded.scale[:, None]
        turned = encoded.features[..., :2] * size[..., None]
        noise = np.hypot(np.nan_to_num(rays.sigma, nan=1.0), np.maximum(self.config.ray_floor * size, _MIN_RAY_SIGMA))
        sigma = np.clip(np.nan_to_num(sigma_m, nan=_UNKNOWN_SIGMA_M), _MIN_SIGMA_M, None).astype(np.float32)
        first = np.einsum("fij,fkj->fki", encoded.rotation, np.nan_to_num(xyz_m)).astype(np.float32)
        holes = np.isnan(xyz_m).any(axis=(1, 2)) & encoded.usable
        if holes.any():
            first[holes] = np.where(np.isnan(xyz_m[holes]), self._forward(encoded.features[holes]), first[holes])
        lengths = np.where(encoded.usable[:, None], bone_lengths(first), np.nan).astype(np.float32)
        bone_m, _ = clip_bones(lengths, np.where(np.isnan(xyz_m[..., 0]), np.nan, sigma).astype(np.float32))
        weight = np.where(seen, 1.0 / noise, 0.0).astype(np.float32)
        factors = acceleration_factors(time_s, encoded.usable)
        return _Known(encoded, turned, weight, seen, first, sigma, bone_m, factors)

    def _forward(self, features: FloatArray) -> FloatArray:
        if self._lifter_session is None:
            self._lifter_session = open_session(model_path(self._lifter_name), threads=self._threads)
        run = self._lifter_session.run
        return np.concatenate(
            [run(["xyz_m"], {"keypoints": features[part]})[0] for part in chunks(len(features), _CHUNK)]
        )

    def _mirrored(self, features: FloatArray) -> FloatArray:
        """Lift the mirror image and mirror the answer back."""
        flipped = features[:, BODY21.mirror].copy()
        flipped[..., 0] *= -1.0
        xyz = self._forward(flipped)[:, BODY21.mirror]
        return xyz * np.array([-1.0, 1.0, 1.0], dtype=np.float32)

    def _latent(self, known: _Known, root_m: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """Movement (F, 21, 3) of the poses by the best step of each frame, and the change of log scale (F, 21)."""
        assert self._session is not None
        inputs = self._inputs(known, root_m)
        frames = len(known.rays)
        # A step reaches two frames to each side through the acceleration.
        margin = 2 * self._steps + 2 if self.config.acceleration > 0 else 0
        xyz = np.empty((self._steps + 1, frames, len(BODY21), 3), dtype=np.float32)
        scale = np.empty(xyz.shape[:-1], dtype=np.float32)
        for part in chunks(frames, _CHUNK):
            wide = slice(max(part.start - margin, 0), min(part.stop + margin, frames))
            piece = {name: x if name in ("gain", "rate") else x[wide] for name, x in inputs.items()}
            piece["accel"] = piece["accel"].copy()
            piece["accel"][[0, -1]] = 0.0
            inner = slice(part.start - wide.start, part.stop - wide.start)
            poses, log_scale = self._session.run(["xyz_m", "log_scale"], piece)
            xyz[:, part], scale[:, part] = poses[:, inner], log_scale[:, inner]
        ratio = scale - scale[0]
        doubts = np.stack([self.doubt(known, known.first_m + xyz[k] - xyz[0], ratio[k]) for k in range(len(xyz))])
        best = np.argmin(doubts, axis=0)
        chosen = np.arange(frames)
        return xyz[best, chosen] - xyz[0], ratio[best, chosen]

    def _inputs(self, known: _Known, root_m: FloatArray | None) -> dict[str, FloatArray]:
        config, encoded = self.config, known.encoded
        frames = len(known.rays)
        root = np.zeros((frames, 4))
        if root_m is not None:
            root[:, :3] = np.einsum("fij,fj->fi", encoded.rotation, root_m)
            root[:, 3] = 1.0
        relative = np.exp(2.0 * encoded.features[..., 2]) * 0.03
        bone = np.broadcast_to(np.nan_to_num(known.bone_m), (frames, len(BONES)))
        bone_weight = np.broadcast_to(~np.isnan(known.bone_m) / config.bone_tolerance_m, bone.shape)
        weights = [config.reprojection, config.anchor, config.bones]
        weights += [config.symmetry, config.acceleration, config.limits]
        made = {
            "keypoints": encoded.features,
            "spread": np.where(known.seen, relative, 0.0)[..., None],
            "rotation": encoded.rotation,
            "scale": encoded.scale[:, None],
            "rays": known.rays,
            "ray_weight": known.ray_weight,
            "anchor_m": known.first_m,
            "joint_weight": 1.0 / known.sigma_m,
            "bone_m": bone,
            "bone_weight": bone_weight * encoded.usable[:, None],
            "accel": known.factors / STEADY.acceleration_mps2,
            "root": root,
            "gain": np.array(weights),
            "rate": np.array([config.rate]),
        }
        return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in made.items()}

    def doubt(self, known: _Known, pose: FloatArray, log_ratio: FloatArray) -> FloatArray:
        """How little each frame (F,) is to be trusted by all that can be known without the truth.

        Minus twice a log-likelihood: distance from the detected rays and from motion without acceleration (Student's t
        detectors jump), from the clip's bones, and the network's own log sigma.
        """
        still = pose @ known.encoded.rotation
        doubt = self._alone(known, pose) + _shared(_motion(known, still)) + 3.0 * log_ratio.sum(1)
        return np.asarray(doubt, dtype=np.float32)

    def _alone(self, known: _Known, pose: FloatArray) -> FloatArray:
        """The part of `doubt` that a frame (F,) has by itself: rays and bones."""
        seen, freedom = known.seen & OWN_JOINTS, STEADY.freedom
        doubt = np.divide(1.0, np.maximum(known.ray_weight, 1e-6))
        root, _ = estimate_root(pose, known.sigma_m, known.rays, doubt, seen)
        point = pose + np.nan_to_num(root, nan=3.0)[:, None]
        off = point[..., :2] / np.maximum(point[..., 2:], 0.3) - known.rays
        distance = (off**2).sum(-1) * known.ray_weight**2
        reprojection = np.where(seen, (freedom + 2.0) * np.log1p(distance / freedom), 0.0).sum(1)
        spread = known.sigma_m[:, BONES[:, 0]] ** 2 + known.sigma_m[:, BONES[:, 1]] ** 2
        bone = np.nan_to_num((bone_lengths(pose) - known.bone_m) ** 2 / spread).sum(1)
        return np.asarray(reprojection + bone)

    def _gate(
        self, known: _Known, pose: FloatArray, log_ratio: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Give frames whose doubt rises their first estimate back, until none is left."""
        both, ratio = (known.first_m, pose), (np.zeros_like(log_ratio), log_ratio)
        before = self.doubt(known, known.first_m, ratio[0])
        # What frames have by themselves is told once for either estimate.
        alone = [self._alone(known, one) for one in both]
        still = [one @ known.encoded.rotation for one in both]
        scale = [3.0 * one.sum(1) for one in ratio]
        taken = np.ones(len(pose), dtype=bool)
        for _ in range(20):
            motion = _motion(known, np.where(taken[:, None, None], still[1], still[0]))
            after = np.where(taken, alone[1], alone[0]) + _shared(motion) + np.where(taken, scale[1], scale[0])
            after = np.asarray(after, dtype=np.float32)
            worse = after > before
            # A frame that went back can raise its neighbours' accelerations: they go back with it.
            if not worse.any():
                return np.where(taken[:, None, None], pose, known.first_m), before, after, taken
            back = worse & ~taken
            near = np.zeros_like(worse)
            for shift in (1, 2):
                near[shift:] |= back[:-shift]
                near[:-shift] |= back[shift:]
            taken &= ~(worse | near)
        return known.first_m, before, before.copy(), np.zeros_like(taken)


def _cut(pose: PoseTrack, part: slice) -> PoseTrack:
    """Some frames of a pose."""
    names = [item.name for item in fields(pose) if isinstance(getattr(pose, item.name), np.ndarray)]
    some: dict[str, Any] = {name: getattr(pose, name)[part] for name in names}
    return replace(pose, **some)


def _motion(known: _Known, still: FloatArray) -> FloatArray:
    """Minus twice the log-likelihood of each frame's (F,) accelerations, of poses (F, 21, 3) that aren't turned."""
    factors = known.factors[..., None, None]
    accel = factors[:, 1] * still
    accel[1:] += factors[1:, 0] * still[:-1]
    accel[:-1] += factors[:-1, 2] * still[1:]
    freedom = STEADY.freedom
    motion = (freedom + 3.0) * np.log1p((accel**2).sum(-1) / (STEADY.acceleration_mps2**2 * freedom))
    return np.asarray(motion.sum(1))


def _shared(motion: FloatArray) -> FloatArray:
    """An acceleration is made by three frames: each bears a third of it, so that a clip's ends bear some too."""
    out = motion.copy()
    out[1:] += motion[:-1]
    out[:-1] += motion[1:]
    return out / np.float32(3.0)
