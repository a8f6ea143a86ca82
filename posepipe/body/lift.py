"""2D keypoints to 3D pose: the trained network on ONNX Runtime, with root, metric scale and calibrated sigma.

In the order of the work: rays, the network's input, where the person stands, how tall they are, how sure the network
is, and the lifter that puts them together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError, UsageError
from posepipe.geometry import pelvis_axis, rays_from_pixels, turn_rays
from posepipe.inference import open_session
from posepipe.settings import setting
from posepipe.skeleton import BODY21, Layout, conversion
from posepipe.types import Camera, KeypointTrack, PoseTrack
from posepipe.weights import find_model

__all__ = [
    "ADULT_STATURE_M", "ASSUMED_FOV_DEG", "LIFT", "OWN_JOINTS", "STATURE_SIGMA", "Encoded", "LiftResult",
    "LiftSettings", "Lifter", "Rays", "Scale", "SigmaCalibration", "assumed_camera", "body_rays", "chunks", "encode",
    "estimate_root", "fit_calibration", "measure_stature", "model_path", "pose_stature", "with_scale_error",
]  # fmt: skip

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Array = NDArray[np.float64]

ASSUMED_FOV_DEG = 60.0
"""Angle of view along the longer side where nothing is known: phones' main cameras film video at 55 to 70 degrees
(26 to 28 mm equivalent, cropped for stabilisation), webcams at 55 to 75 across."""

ADULT_STATURE_M = 1.71
"""Mean stature of adults, between that of Americans of both sexes (1.685 m: Fryar et al., Anthropometric Reference
Data, 2021) and that of the people whose motion was captured for training (1.735 m, each counted once)."""

STATURE_SIGMA = 0.06
"""Relative spread of adult stature around that mean (same source); the error of an assumed scale."""

OWN_JOINTS = np.array([joint not in ("pelvis", "spine", "thorax") for joint in BODY21.joints])
"""(21,) joints that aren't made of others."""

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Probabilities that calibrated intervals are kept for."""

_MEASURED = OWN_JOINTS & np.array(["foot" not in joint and "heel" not in joint for joint in BODY21.joints])
_PELVIS = BODY21.index("pelvis")
_MIN_SIGMA, _MAX_SIGMA = 1e-3, 1.0
"""Range of a keypoint's sigma, over the person's size, that the network was trained with."""
_FLOOR_M = 1e-3
"""No sigma of a joint is taken for less."""
_CHUNK, _ROOT_CHUNK = 64, 2048
"""Frames at a time, to bound memory: in the network, and for the root. More in the network are no faster."""

# Shares of stature: Winter, Biomechanics and Motor Control of Human Movement, after Drillis and Contini.
_SHARES = {
    ("hip", "knee"): 0.245,
    ("knee", "ankle"): 0.246,
    ("pelvis", "thorax"): 0.288,
    ("shoulder", "elbow"): 0.186,
    ("elbow", "wrist"): 0.146,
}
_LEGS_AND_TRUNK = (("hip", "knee"), ("knee", "ankle"), ("pelvis", "thorax"))


@dataclass(frozen=True, slots=True)
class LiftSettings:
    """Thresholds of lifting."""

    max_filled_sigma_m: float = setting(0.15, "sigma up to which an unseen joint is kept", unit="m", source="judgement")
    focal_error: float = setting(
        0.26, "relative error of a focal length that is assumed",
        source="root mean square of its ratio to the true one, less one, for angles of view from 40 to 75 degrees",
    )  # fmt: skip
    unknown_sigma: float = setting(0.05, "sigma of a keypoint without one, in picture heights", source="judgement")
    root_joints: int = setting(3, "joints that the pelvis' place is told from, at least", source="judgement")
    min_depth_m: float = setting(0.3, "nobody is taken to stand nearer to the camera", unit="m", source="judgement")
    max_depth_m: float = setting(60.0, "or further away", unit="m", source="judgement")


LIFT = LiftSettings()


class Rays(NamedTuple):
    """One person's keypoints as seen from the camera; the arguments that `encode` and `Lifter.lift_rays` begin with.

    Attributes:
        xy: (F, 21, 2) x/z and y/z in the camera frame; anything where not valid.
        sigma: (F, 21) standard deviation of each coordinate.
        valid: (F, 21).
        focal_assumed: (F,).
    """

    xy: FloatArray
    sigma: FloatArray
    valid: BoolArray
    focal_assumed: BoolArray

    def part(self, frames: slice) -> Rays:
        """Some of the frames."""
        return Rays(self.xy[frames], self.sigma[frames], self.valid[frames], self.focal_assumed[frames])


def body_rays(track: KeypointTrack, camera: Camera, settings: LiftSettings = LIFT) -> Rays:
    """Rays of a track in any layout that converts to BODY21."""
    matrix = conversion(track.layout, BODY21)
    there = track.valid & ~np.isnan(track.xy_px).any(axis=-1)
    seen = ~_convert_any(~there, track.layout) & (matrix != 0).any(axis=1)
    xy = matrix @ np.where(there[..., None], track.xy_px, 0.0)
    variance = np.where(there, np.nan_to_num(track.sigma_px, nan=settings.unknown_sigma * camera.height_px), 0.0) ** 2
    sigma = np.sqrt(variance @ (matrix**2).T) / camera.focal_px
    guess = np.full(len(track), camera.focal_guessed)
    return Rays(rays_from_pixels(xy, camera), sigma.astype(np.float32), seen, guess)


def _convert_any(flags: BoolArray, layout: Layout) -> BoolArray:
    """(F, J) flags to (F, 21): true where any source joint is."""
    return np.asarray(flags.astype(np.float32) @ (conversion(layout, BODY21) != 0).T.astype(np.float32) > 0)


def chunks(frames: int, most: int) -> Iterator[slice]:
    """Slices of at most so many frames."""
    for start in range(0, frames, most):
        yield slice(start, min(start + most, frames))


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The network's input and the way back.

    Attributes:
        features: (F, 21, 6): x, y in units of `scale`; log sigma; valid; log of `scale`; 1 where the focal length is
            only assumed. All shifted and scaled to order one.
        rotation: (F, 3, 3) camera frame to the network's frame; its transpose leads back.
        scale: (F,) size of the person in ray units (tangent of the angle).
        usable: (F,) bool; at least four measured joints.
    """

    features: FloatArray
    rotation: FloatArray
    scale: FloatArray
    usable: BoolArray


def encode(rays: FloatArray, sigma: FloatArray, valid: BoolArray, focal_assumed: BoolArray) -> Encoded:
    """Make the network's input, with the numbers that it was trained with.

    Args:
        rays: (F, 21, 2) x/z and y/z in the camera frame; anything where not valid.
        sigma: (F, 21) standard deviation of each ray coordinate.
        valid: (F, 21) bool.
        focal_assumed: (F,) bool.
    """
    rays = np.where(valid[..., None], rays, 0.0).astype(np.float32)
    measured = valid & _MEASURED
    count = measured.sum(axis=1)
    mean = (rays * measured[..., None]).sum(axis=1) / np.maximum(count, 1)[:, None]
    axis = np.where(valid[:, _PELVIS, None], rays[:, _PELVIS], mean)
    rotation = pelvis_axis(axis)
    turned, front = turn_rays(rotation, rays)
    valid = valid & front
    measured &= valid
    count = measured.sum(axis=1)
    square = (turned**2).sum(axis=-1)
    scale = np.sqrt((square * measured).sum(axis=1) / np.maximum(count, 1))
    scale = np.maximum(scale, 1e-4).astype(np.float32)
    unit = turned / scale[:, None, None]
    with np.errstate(invalid="ignore"):
        relative = np.clip(np.nan_to_num(sigma / scale[:, None], nan=_MAX_SIGMA), _MIN_SIGMA, _MAX_SIGMA)
    features = np.zeros((*valid.shape, 6), dtype=np.float32)
    features[..., :2] = np.where(valid[..., None], unit, 0.0)
    features[..., 2] = np.where(valid, (np.log(relative) - np.log(0.03)) / 2.0, 0.0)
    features[..., 3] = valid
    features[..., 4] = ((np.log(scale) - np.log(0.15)) * 2.0)[:, None]
    features[..., 5] = focal_assumed[:, None]
    return Encoded(features, rotation, scale, count >= 4)


def estimate_root(
    xyz_m: FloatArray,
    sigma_m: FloatArray,
    rays: FloatArray,
    ray_sigma: FloatArray,
    valid: BoolArray,
    settings: LiftSettings = LIFT,
) -> tuple[FloatArray, FloatArray]:
    """Weighted least squares over all joints.

    With ray (x, y) and root-relative point (X, Y, Z), the pelvis T satisfies ``Tx - x Tz = x Z - X`` and the same for
    y: two equations a joint, three unknowns. Weights are inverse variances of the right-hand sides; the part that
    comes from the keypoint grows with Tz, so a second pass uses the depth of the first.

    Args:
        xyz_m: (F, J, 3) relative to the pelvis, camera frame.
        sigma_m: (F, J) of each coordinate.
        rays: (F, J, 2) x/z and y/z.
        ray_sigma: (F, J) of each ray coordinate.
        valid: (F, J) joints to use.
        settings: thresholds.

    Returns:
        Pelvis (F, 3) in metres and its standard deviation (F, 3) from independent joint errors; NaN with too
        few joints or a depth that nobody stands at.
    """
    if len(xyz_m) > _ROOT_CHUNK:
        parts = chunks(len(xyz_m), _ROOT_CHUNK)
        found = [estimate_root(xyz_m[p], sigma_m[p], rays[p], ray_sigma[p], valid[p], settings) for p in parts]
        return np.concatenate([root for root, _ in found]), np.concatenate([sigma for _, sigma in found])
    frames = len(xyz_m)
    use = valid & ~(np.isnan(rays).any(-1) | np.isnan(xyz_m).any(-1) | np.isnan(sigma_m))
    # The pelvis is the origin: its equations carry only the keypoint's noise.
    points = np.where(use[..., None], xyz_m, 0.0).astype(np.float64)
    xy = np.where(use[..., None], rays, 0.0).astype(np.float64)
    right = xy * points[..., 2:] - points[..., :2]
    spread = np.where(use, sigma_m, 1.0).astype(np.float64)[..., None] ** 2 * (1.0 + xy**2)
    noise = np.where(use, np.nan_to_num(ray_sigma, nan=1.0), 1.0).astype(np.float64)[..., None] ** 2
    depth, low, high = np.full(frames, 3.0), settings.min_depth_m, settings.max_depth_m
    root, variance = np.zeros((frames, 3)), np.zeros((frames, 3))
    for _ in range(2):
        weight = np.where(use[..., None], 1.0 / (spread + noise * depth[:, None, None] ** 2 + 1e-8), 0.0)
        root, variance = _solve(weight, xy, right)
        depth = np.clip(np.nan_to_num(root[:, 2], nan=3.0), low, high)
    good = (use.sum(1) >= settings.root_joints) & (root[:, 2] > low) & (root[:, 2] < high)
    sigma = np.sqrt(np.maximum(variance, 0.0))
    return (
        np.where(good[:, None], root, np.nan).astype(np.float32),
        np.where(good[:, None], sigma, np.nan).astype(np.float32),
    )


def _solve(weight: Array, xy: Array, right: Array) -> tuple[Array, Array]:
    """Solution (F, 3) and the diagonal of the inverse (F, 3) of the normal equations.

    Only the depth is tied to the other two, so elimination takes a line; a batched 3x3 inverse takes a hundred times as
    long.
    """
    side = weight.sum(1) + 1e-9
    tie = -(weight * xy).sum(1)
    free = (weight * right).sum(1)
    stiff = (weight * xy**2).sum((1, 2)) + 1e-9 - (tie**2 / side).sum(1)
    stiff = np.maximum(stiff, 1e-12)
    depth = (-(weight * xy * right).sum((1, 2)) - (tie * free / side).sum(1)) / stiff
    across = (free - tie * depth[:, None]) / side
    variance = np.concatenate([1.0 / side + (tie / side) ** 2 / stiff[:, None], 1.0 / stiff[:, None]], axis=1)
    return np.concatenate([across, depth[:, None]], axis=1), variance


def with_scale_error(
    root: FloatArray, sigma: FloatArray, scale_given: bool, focal_assumed: bool, settings: LiftSettings = LIFT
) -> FloatArray:
    """Add what joints share: an assumed body size moves the root along its ray, an assumed focal length in depth."""
    share = np.zeros_like(root) if scale_given else np.abs(root) * STATURE_SIGMA
    if focal_assumed:
        share[:, 2] = np.hypot(share[:, 2], np.abs(root[:, 2]) * settings.focal_error)
    return np.hypot(sigma, share).astype(np.float32)


def measure_stature(xyz_m: FloatArray, valid: BoolArray) -> float | None:
    """Stature in metres.

    The median length of each segment over the clip, both sides pooled; legs and trunk where they were seen, else
    whatever was.

    Args:
        xyz_m: (F, 21, 3).
        valid: (F, 21) joints that were really seen.

    Returns:
        None if no segment was seen.
    """
    lengths = {pair: _median_length(xyz_m, valid, *pair) for pair in _SHARES}
    seen = {pair: length for pair, length in lengths.items() if length is not None}
    chosen = _LEGS_AND_TRUNK if all(pair in seen for pair in _LEGS_AND_TRUNK) else tuple(seen)
    if not chosen:
        return None
    return float(sum(seen[pair] for pair in chosen) / sum(_SHARES[pair] for pair in chosen))


def _median_length(xyz_m: FloatArray, valid: BoolArray, start: str, end: str) -> float | None:
    found = []
    for a, b in _ends(start, end):
        both = valid[:, a] & valid[:, b]
        found.append(np.linalg.norm(xyz_m[both, a] - xyz_m[both, b], axis=-1))
    pooled = np.concatenate(found)
    return float(np.median(pooled)) if len(pooled) else None


def pose_stature(xyz_m: FloatArray) -> FloatArray:
    """Stature (F,) in metres of each pose (F, 21, 3) by itself, from its legs and trunk."""
    total = np.zeros(len(xyz_m), dtype=np.float32)
    for pair in _LEGS_AND_TRUNK:
        ends = _ends(*pair)
        for a, b in ends:
            total += np.linalg.norm(xyz_m[:, a] - xyz_m[:, b], axis=-1) / len(ends)
    return np.asarray(total / sum(_SHARES[pair] for pair in _LEGS_AND_TRUNK), dtype=np.float32)


def _ends(start: str, end: str) -> list[list[int]]:
    """Joints at the ends of a segment, of each side if it has two."""
    sides = ("left_", "right_") if start not in BODY21.joints else ("",)
    return [BODY21.indices(f"{side}{start}", f"{side}{end}") for side in sides]


@dataclass(frozen=True, slots=True)
class SigmaCalibration:
    """Constants measured on subjects that the network was not trained on.

    ``sigma = gain_j * exp(power_j * s)`` is the standard deviation of each coordinate of joint j, where s is the
    network's log scale. ``radius(p) = quantile_jp * sigma`` holds the joint with probability p.

    Attributes:
        gain, power: one for each joint of BODY21.
        quantile: for each joint, radii in sigmas at `LEVELS`.
    """

    gain: tuple[float, ...]
    power: tuple[float, ...]
    quantile: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not len(self.gain) == len(self.power) == len(self.quantile) == len(BODY21):
            raise ModelError(f"calibration: expected {len(BODY21)} joints, got {len(self.gain)}")

    @classmethod
    def from_json(cls, text: str) -> SigmaCalibration:
        """Read what `to_json` wrote."""
        table = json.loads(text)
        return cls(tuple(table["gain"]), tuple(table["power"]), tuple(tuple(row) for row in table["quantile"]))

    def to_json(self) -> str:
        """As kept in the ONNX file's metadata."""
        return json.dumps(asdict(self))

    def sigma_m(self, log_scale: FloatArray) -> FloatArray:
        """Network's log scale (F, 21) to standard deviation of each coordinate (F, 21) in metres."""
        gain, power = np.array(self.gain, dtype=np.float32), np.array(self.power, dtype=np.float32)
        return np.asarray(np.maximum(gain * np.exp(power * log_scale), _FLOOR_M), dtype=np.float32)

    def radius_m(self, sigma_m: FloatArray, level: float = 0.9) -> FloatArray:
        """Radius (F, 21) of the sphere that holds the joint with the given probability, one of `LEVELS`."""
        if level not in LEVELS:
            raise UsageError(f"interval of {level}", hint=f"Valid: {', '.join(map(str, LEVELS))}")
        return np.asarray(sigma_m * np.array(self.quantile, dtype=np.float32)[:, LEVELS.index(level)])


def fit_calibration(log_scale: FloatArray, error_m: FloatArray) -> SigmaCalibration:
    """Fit the constants.

    Power and gain by least squares of log mean squared error against s over twenty equally filled bins (a curved
    reliability diagram is straightened this way), then the gain such that predicted and true mean squares agree.

    Args:
        log_scale: (N, 21).
        error_m: (N, 21) distance of each joint from the truth; NaN where unknown.
    """
    gains, powers, quantiles = [], [], []
    for joint in range(log_scale.shape[1]):
        seen = ~np.isnan(error_m[:, joint])
        s, r = log_scale[seen, joint].astype(np.float64), error_m[seen, joint].astype(np.float64)
        if len(s) < 200 or joint == BODY21.index("pelvis"):
            gains.append(_FLOOR_M)
            powers.append(0.0)
            quantiles.append(tuple(float(q) for q in (1.538, 2.154, 2.5, 2.795)))
            continue
        bins = np.array_split(np.argsort(s), 20)
        x = np.array([s[part].mean() for part in bins])
        y = np.array([0.5 * np.log(np.mean(r[part] ** 2) / 3.0 + 1e-12) for part in bins])
        power = float(np.clip(np.polyfit(x, y, 1)[0], 0.5, 1.6))
        gain = float(np.exp(np.mean(y - power * x)))
        ratio = r / (gain * np.exp(power * s))
        gains.append(gain)
        powers.append(power)
        quantiles.append(tuple(float(q) for q in np.quantile(ratio, LEVELS)))
    return SigmaCalibration(tuple(gains), tuple(powers), tuple(quantiles))


@dataclass(frozen=True, slots=True)
class Scale:
    """Where metres come from.

    Attributes:
        source: "given" if the person's height was, "camera" if the camera's height over the floor was, else "assumed":
            the network's own idea of how large people are.
        factor: what the network's lengths were multiplied by.
        height_m: stature: as given, or as measured on the scaled pose; None if that was impossible.
        sigma: relative standard deviation of all lengths.
    """

    source: str
    factor: float
    height_m: float | None = None
    sigma: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class LiftResult:
    """A lifted track.

    Attributes:
        pose: 3D pose in BODY21.
        scale: where metres come from.
        camera: the camera it was lifted with; `camera.focal_source` says where the focal length comes from.
        rays: what was lifted.
    """

    pose: PoseTrack
    scale: Scale
    camera: Camera
    rays: Rays


def assumed_camera(width_px: int, height_px: int) -> Camera:
    """Camera for a picture of which nothing but the size is known."""
    return Camera.from_fov(width_px, height_px, ASSUMED_FOV_DEG, "assumed")


class Lifter:
    """Lifts one person's keypoints, frame by frame; frames don't influence each other but for the clip's scale.

    Args:
        model: name on a model card, or an ONNX file.
        threads: in which frames are lifted side by side. ONNX Runtime's own would wait for each other, spinning, in
            each of the network's small operators: twice the processor time.

    Attributes:
        calibration: of sigma for keypoints that a detector found: its errors hang together over joints and frames.
        calibration_independent: for keypoints that are exact, or whose errors are what their sigmas say, one by one.

    Raises:
        ModelError: the model is missing, damaged or not a lifter.
    """

    def __init__(self, model: str | Path = "lifter", threads: int = 1) -> None:
        path = model_path(model)
        self._session, self._threads = open_session(path, threads=1), threads
        names = {item.name for item in self._session.get_inputs()} | {o.name for o in self._session.get_outputs()}
        if not {"keypoints", "xyz_m", "log_scale"} <= names:
            raise ModelError("not a lifter: needs input keypoints and outputs xyz_m, log_scale", where=str(path))
        metadata = self._session.get_modelmeta().custom_metadata_map
        if "calibration" not in metadata:
            raise ModelError("the lifter carries no calibration", where=str(path), hint="Export it again")
        self.calibration = SigmaCalibration.from_json(metadata["calibration"])
        independent = metadata.get("calibration_independent", metadata["calibration"])
        self.calibration_independent = SigmaCalibration.from_json(independent)

    def lift(
        self,
        track: KeypointTrack,
        camera: Camera,
        *,
        height_m: float | None = None,
        settings: LiftSettings = LIFT,
    ) -> LiftResult:
        """Lift a track.

        Joints without a keypoint are filled from the rest of the body where the network is sure enough and marked
        `interpolated`; otherwise they are NaN.

        Args:
            track: keypoints in any layout that converts to BODY21.
            camera: its picture size and focal length.
            height_m: the person's stature; sets the metric scale.
            settings: thresholds.

        Raises:
            UsageError: the layout doesn't convert.
        """
        rays = body_rays(track, camera, settings)
        seen = rays.valid
        xyz, sigma, usable = self.lift_rays(*rays)
        valid = usable[:, None] & (seen | (sigma < settings.max_filled_sigma_m))
        stature = measure_stature(xyz, usable[:, None] & seen)
        factor = height_m / stature if height_m is not None and stature is not None else 1.0
        given = height_m is not None and stature is not None
        xyz, sigma = xyz * np.float32(factor), sigma * np.float32(factor)
        measured = usable[:, None] & seen & OWN_JOINTS
        root, root_sigma = estimate_root(xyz, sigma, rays.xy, rays.sigma, measured, settings)
        root_sigma = with_scale_error(root, root_sigma, given, bool(rays.focal_assumed[:1].any()), settings)
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
        scale = Scale(
            "given" if given else "assumed",
            float(factor),
            height_m if given else stature,
            0.0 if given else STATURE_SIGMA,
        )
        return LiftResult(pose, scale, camera, rays)

    def lift_rays(
        self,
        rays: FloatArray,
        ray_sigma: FloatArray,
        valid: BoolArray,
        focal_assumed: BoolArray,
        *,
        independent: bool = False,
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
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

        def lift(part: slice) -> None:
            encoded = encode(rays[part], ray_sigma[part], valid[part], focal_assumed[part])
            pose, log_scale[part] = self._session.run(["xyz_m", "log_scale"], {"keypoints": encoded.features})
            xyz[part] = pose @ encoded.rotation
            usable[part] = encoded.usable

        if min(self._threads, len(rays) // _CHUNK) > 1:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(lift, chunks(len(rays), _CHUNK)))
        else:
            for part in chunks(len(rays), _CHUNK):
                lift(part)
        calibration = self.calibration_independent if independent else self.calibration
        return xyz, calibration.sigma_m(log_scale), usable


def model_path(model: str | Path) -> Path:
    """Of an ONNX file, or of the model of that name."""
    return Path(model) if str(model).endswith(".onnx") else find_model(str(model))
