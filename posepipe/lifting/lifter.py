"""2D keypoints to 3D pose: the trained network on ONNX Runtime, with root, metric scale and calibrated sigma."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.geometry.rays import rays_from_pixels
from posepipe.inference import open_session
from posepipe.lifting.calibration import SigmaCalibration
from posepipe.lifting.inputs import encode
from posepipe.lifting.root import estimate_root
from posepipe.lifting.stature import STATURE_SIGMA, measure_stature
from posepipe.skeleton import BODY21, Layout, conversion
from posepipe.types import Camera, KeypointTrack, PoseTrack
from posepipe.weights import find_model

__all__ = [
    "ASSUMED_FOV_DEG",
    "LiftResult",
    "Lifter",
    "Scale",
    "assumed_camera",
    "body_rays",
    "with_scale_error",
]

FloatArray = NDArray[np.float32]

ASSUMED_FOV_DEG = 60.0
"""Angle of view along the longer side where nothing is known: phones' main cameras film video at 55 to 70 degrees
(26 to 28 mm equivalent, cropped for stabilisation), webcams at 55 to 75 across."""

_CHUNK = 256
_MAX_FILLED_SIGMA_M = 0.15
_ASSUMED_FOCAL_ERROR = 0.15
_REAL = np.array([joint not in ("pelvis", "spine", "thorax") for joint in BODY21.joints])


@dataclass(frozen=True, slots=True)
class Scale:
    """Where metres come from.

    Attributes:
        source: "given" if the person's height was, else "assumed": the network's own idea of how large people are.
        factor: what the network's lengths were multiplied by.
        height_m: stature: as given, or as measured on the unscaled pose; None if that was impossible.
    """

    source: str
    factor: float
    height_m: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LiftResult:
    """A lifted track.

    Attributes:
        pose: 3D pose in BODY21.
        scale: where metres come from.
        camera: the camera it was lifted with; `camera.focal_source` says where the focal length comes from.
    """

    pose: PoseTrack
    scale: Scale
    camera: Camera


def assumed_camera(width_px: int, height_px: int) -> Camera:
    """Camera for a picture of which nothing but the size is known."""
    return Camera.from_fov(width_px, height_px, ASSUMED_FOV_DEG, "assumed")


class Lifter:
    """Lifts one person's keypoints, frame by frame; frames don't influence each other but for the clip's scale.

    Args:
        model: name on a model card, or an ONNX file.
        threads: of ONNX Runtime.

    Attributes:
        calibration: of sigma for keypoints that a detector found: its errors hang together over joints and frames.
        calibration_independent: for keypoints that are exact, or whose errors are what their sigmas say, one by one.

    Raises:
        ModelError: the model is missing, damaged or not a lifter.
    """

    def __init__(self, model: str | Path = "lifter", threads: int = 1) -> None:
        path = Path(model) if str(model).endswith(".onnx") else find_model(str(model))
        self._session = open_session(path, threads=threads)
        names = {item.name for item in self._session.get_inputs()} | {o.name for o in self._session.get_outputs()}
        if not {"keypoints", "xyz_m", "log_scale"} <= names:
            raise ModelError("not a lifter: needs input keypoints and outputs xyz_m, log_scale", where=str(path))
        metadata = self._session.get_modelmeta().custom_metadata_map
        if "calibration" not in metadata:
            raise ModelError("the lifter carries no calibration", where=str(path), hint="Export it again")
        self.calibration = SigmaCalibration.from_json(metadata["calibration"])
        independent = metadata.get("calibration_independent", metadata["calibration"])
        self.calibration_independent = SigmaCalibration.from_json(independent)

    def lift(self, track: KeypointTrack, camera: Camera, *, height_m: float | None = None) -> LiftResult:
        """Lift a track.

        Joints without a keypoint are filled from the rest of the body where the network is sure enough (sigma up to
        0.15 m) and marked `interpolated`; otherwise they are NaN.

        Args:
            track: keypoints in any layout that converts to BODY21.
            camera: its picture size and focal length.
            height_m: the person's stature; sets the metric scale.

        Raises:
            UsageError: the layout doesn't convert.
        """
        rays, ray_sigma, seen = body_rays(track, camera)
        guess = np.full(len(track), camera.focal_guessed)
        xyz, sigma, usable = self.lift_rays(rays, ray_sigma, seen, guess)
        valid = usable[:, None] & (seen | (sigma < _MAX_FILLED_SIGMA_M))
        stature = measure_stature(xyz, usable[:, None] & seen)
        factor = height_m / stature if height_m is not None and stature is not None else 1.0
        given = height_m is not None and stature is not None
        xyz, sigma = xyz * np.float32(factor), sigma * np.float32(factor)
        measured = usable[:, None] & seen & _REAL
        root, root_sigma = estimate_root(xyz, sigma, rays, ray_sigma, measured)
        root_sigma = with_scale_error(root, root_sigma, given, bool(guess[:1].any()))
        pose = PoseTrack(
            layout=BODY21,
            time_s=track.time_s,
            xyz_m=np.where(valid[..., None], xyz, np.nan).astype(np.float32),
            sigma_m=np.where(valid, sigma, np.nan).astype(np.float32),
            root_m=root,
            root_sigma_m=root_sigma,
            valid=valid,
            interpolated=valid & (~seen | _convert_any(track.interpolated, track.layout)),
        )
        return LiftResult(
            pose, Scale("given" if given else "assumed", float(factor), height_m if given else stature), camera
        )

    def lift_rays(
        self,
        rays: FloatArray,
        ray_sigma: FloatArray,
        valid: NDArray[np.bool_],
        focal_assumed: NDArray[np.bool_],
        *,
        independent: bool = False,
    ) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """Lift keypoints that are already rays.

        Args:
            rays: (F, 21, 2) x/z and y/z in the camera frame.
            ray_sigma: (F, 21).
            valid: (F, 21).
            focal_assumed: (F,).
            independent: which calibration of sigma to use.

        Returns:
            Pose (F, 21, 3) in metres relative to the pelvis in the camera frame, sigma (F, 21) of each coordinate,
            and whether each frame has enough keypoints (F,).
        """
        xyz = np.zeros((len(rays), len(BODY21), 3), dtype=np.float32)
        log_scale = np.zeros((len(rays), len(BODY21)), dtype=np.float32)
        usable = np.zeros(len(rays), dtype=bool)
        for part in _chunks(len(rays)):
            encoded = encode(rays[part], ray_sigma[part], valid[part], focal_assumed[part])
            pose, log_scale[part] = self._session.run(["xyz_m", "log_scale"], {"keypoints": encoded.features})
            xyz[part] = pose @ encoded.rotation
            usable[part] = encoded.usable
        calibration = self.calibration_independent if independent else self.calibration
        return xyz, calibration.sigma_m(log_scale), usable


def _chunks(frames: int) -> Iterator[slice]:
    for start in range(0, frames, _CHUNK):
        yield slice(start, min(start + _CHUNK, frames))


def _convert_any(flags: NDArray[np.bool_], layout: Layout) -> NDArray[np.bool_]:
    """(F, J) flags to (F, 21): true where any source joint is."""
    return np.asarray(flags.astype(np.float32) @ (conversion(layout, BODY21) != 0).T.astype(np.float32) > 0)


def body_rays(track: KeypointTrack, camera: Camera) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Rays (F, 21, 2), their sigma (F, 21) and which are there (F, 21)."""
    matrix = conversion(track.layout, BODY21)
    there = track.valid & ~np.isnan(track.xy_px).any(axis=-1)
    seen = ~_convert_any(~there, track.layout) & (matrix != 0).any(axis=1)
    xy = matrix @ np.where(there[..., None], track.xy_px, 0.0)
    variance = np.where(there, np.nan_to_num(track.sigma_px, nan=0.05 * camera.height_px), 0.0) ** 2
    sigma = np.sqrt(variance @ (matrix**2).T) / camera.focal_px
    return rays_from_pixels(xy, camera), sigma.astype(np.float32), seen


def with_scale_error(root: FloatArray, sigma: FloatArray, scale_given: bool, focal_assumed: bool) -> FloatArray:
    """Add what joints share: an assumed body size moves the root along its ray, an assumed focal length in depth."""
    share = np.zeros_like(root) if scale_given else np.abs(root) * STATURE_SIGMA
    if focal_assumed:
        share[:, 2] = np.hypot(share[:, 2], np.abs(root[:, 2]) * _ASSUMED_FOCAL_ERROR)
    return np.hypot(sigma, share).astype(np.float32)
