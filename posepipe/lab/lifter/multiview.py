"""Real multi-camera recordings: our 3D from each single camera, and MediaPipe's, against triangulated markers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.left_right import in_order
from posepipe.body.lift import Lifter, assumed_camera
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.errors import InputError, UsageError
from posepipe.geometry import CalibratedCamera, align, load_pose2sim
from posepipe.keypoints import open_detector
from posepipe.media.sources import open_source
from posepipe.skeleton import BLAZEPOSE33, BODY21
from posepipe.types import Frame, Keypoints, KeypointTrack

__all__ = ["evaluate_multiview"]

FloatArray = NDArray[np.float64]

_HEADER_LINES = 5
_UNITS = {"m": 1.0, "mm": 0.001}
_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
LIMB12 = tuple(f"{side}_{part}" for part in _PARTS for side in ("left", "right"))
"""Joints of the comparison: those that every skeleton defines alike."""
_ANGLES = {"elbow": ("shoulder", "elbow", "wrist"), "knee": ("hip", "knee", "ankle")}


@dataclass(frozen=True, slots=True, eq=False)
class Markers:
    """Marker positions over time.

    Attributes:
        names: marker names.
        time_s: (F,).
        xyz_m: (F, M, 3) in the file's axes.
    """

    names: tuple[str, ...]
    time_s: NDArray[np.float64]
    xyz_m: NDArray[np.float64]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Trajectory (F, 3) of one marker."""
        return self.xyz_m[:, self.names.index(name)]


def read_trc(path: Path) -> Markers:
    """Read a TRC file; empty cells become NaN.

    Raises:
        InputError: missing file, unknown unit or a ragged table.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) <= _HEADER_LINES or not lines[0].startswith("PathFileType"):
        raise InputError("not a TRC file", where=str(path))
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    unit = facts.get("Units", "m").strip()
    if unit not in _UNITS:
        raise InputError(f"unit {unit!r}", where=str(path), hint=f"Known: {', '.join(_UNITS)}")
    names = tuple(cell.strip() for cell in lines[3].split("\t")[2:] if cell.strip())
    width = 2 + 3 * len(names)
    rows = [line.split("\t") for line in lines[_HEADER_LINES:] if line.strip()]
    try:
        table = np.array([[float(cell) if cell.strip() else np.nan for cell in row[:width]] for row in rows])
    except ValueError as error:
        raise InputError(f"the table can't be read ({error})", where=str(path)) from error
    if table.ndim != 2 or table.shape[1] != width:
        raise InputError(f"expected {width} columns", where=str(path))
    return Markers(names, table[:, 1], table[:, 2:].reshape(len(table), len(names), 3) * _UNITS[unit])


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A folder with synchronous videos, their calibration and markers.

    Attributes:
        videos: one for each camera.
        cameras: their calibrations.
        world_m: (F, 12, 3) `LIMB12` in the calibration's world.
    """

    videos: tuple[Path, ...]
    cameras: tuple[CalibratedCamera, ...]
    world_m: FloatArray


def load_recording(folder: Path) -> Recording:
    """Read a folder laid out as videos/*.mp4, calibration/*.toml, ref3d/*.trc.

    TRC is Y up, the calibration's world Z up: X = Z_trc, Y = X_trc, Z = Y_trc. Of several TRC files the least
    processed one is taken: the shortest name with the fewest words such as "filt".

    Raises:
        InputError: a part is missing.
    """
    videos = tuple(sorted((folder / "videos").glob("*.mp4")))
    tomls, trcs = sorted((folder / "calibration").glob("*.toml")), sorted((folder / "ref3d").glob("*.trc"))
    if not videos or not tomls or not trcs:
        raise InputError("needs videos/*.mp4, calibration/*.toml and ref3d/*.trc", where=str(folder))
    trc = min(trcs, key=lambda path: ("filt" in path.name, "-" not in path.name, len(path.name)))
    cameras = load_pose2sim(tomls[0])
    if len(cameras) < len(videos):
        raise InputError(f"{len(videos)} videos but {len(cameras)} cameras", where=str(tomls[0]))
    return Recording(videos, cameras[: len(videos)], _limb_markers(read_trc(trc))[..., [2, 0, 1]])


def _limb_markers(markers: Markers) -> FloatArray:
    names = [f"{joint.split('_')[0][0].upper()}{joint.split('_')[1].capitalize()}" for joint in LIMB12]
    missing = [name for name in names if name not in markers.names]
    if missing:
        raise InputError(f"no marker {missing[0]}", where="ref3d")
    return np.stack([markers[name] for name in names], axis=1)


def detect_person(
    video: Path, camera: CalibratedCamera, world_m: FloatArray, *, detector: str = "blazepose", people: int = 2
) -> KeypointTrack:
    """Keypoints of the person nearest to the projected reference, in undistorted pixels of the calibration.

    Args:
        video: the file.
        camera: its calibration; a video of another size is scaled to it.
        world_m: (F, 12, 3) reference, only used to tell people apart.
        detector: see `open_detector`.
        people: how many to look for.
    """
    limbs = BLAZEPOSE33.indices(*LIMB12)
    expected = camera.project(world_m)
    chosen: list[Keypoints | None] = []
    times: list[float] = []
    stream = open_detector(detector, max_people=people, threads=1).start()
    with open_source(video) as source:
        for frame, target in zip(source, expected, strict=False):
            found = stream.step(frame)
            factor = _to_calibration(frame, camera)
            gaps = [float(np.linalg.norm(k.xy_px[limbs] * factor - target, axis=1).mean()) for k in found]
            size = float(np.ptp(target[:, 1]))
            best = int(np.argmin(gaps)) if gaps else -1
            chosen.append(found[best] if gaps and gaps[best] < 0.5 * size else None)
            times.append(frame.time_s)
    stream.close()
    scale = _to_calibration(frame, camera) if times else np.ones(2)
    return _undistorted(chosen, np.array(times), camera, scale)


def _to_calibration(frame: Frame, camera: CalibratedCamera) -> FloatArray:
    return np.array([camera.width_px / frame.size_px[0], camera.height_px / frame.size_px[1]])


def _undistorted(
    chosen: list[Keypoints | None], time_s: FloatArray, camera: CalibratedCamera, factor: FloatArray
) -> KeypointTrack:
    frames, joints = len(chosen), len(BLAZEPOSE33)
    xy = np.full((frames, joints, 2), np.nan)
    sigma, score = np.full((frames, joints), np.nan), np.zeros((frames, joints))
    for row, keypoints in enumerate(chosen):
        if keypoints is not None:
            xy[row], sigma[row], score[row] = keypoints.xy_px * factor, keypoints.sigma_px, keypoints.score
    pinhole = camera.pinhole()
    pixels = camera.undistort(xy) * pinhole.focal_px + np.array(pinhole.principal_px)
    return KeypointTrack(
        person=1,
        layout=BLAZEPOSE33,
        frame=np.arange(frames, dtype=np.int32),
        time_s=time_s,
        xy_px=pixels.astype(np.float32),
        sigma_px=sigma.astype(np.float32),
        score=score.astype(np.float32),
        valid=~np.isnan(pixels).any(axis=-1),
        interpolated=np.zeros((frames, joints), dtype=bool),
    )


def _mediapipe_world(video: Path, frames: int) -> FloatArray:
    """MediaPipe's world landmarks (F, 12, 3); NaN where it saw nobody."""
    try:
        from mediapipe.python.solutions.pose import Pose
    except ImportError as error:
        hint = 'pip install "posepipe[mediapipe]" on Python 3.10 to 3.12'
        raise UsageError("MediaPipe's graph, the reference, isn't installed", where="multiview", hint=hint) from error
    out = np.full((frames, len(LIMB12), 3), np.nan)
    limbs = BLAZEPOSE33.indices(*LIMB12)
    with Pose(model_complexity=1) as pose, open_source(video) as source:
        for row, frame in zip(range(frames), source, strict=False):
            found = pose.process(np.ascontiguousarray(frame.image[..., ::-1])).pose_world_landmarks
            if found is not None:
                out[row] = [[found.landmark[i].x, found.landmark[i].y, found.landmark[i].z] for i in limbs]
    return out


def _angle_deg(points: NDArray[np.floating[Any]], side: str, names: tuple[str, str, str]) -> FloatArray:
    a, b, c = (points[:, LIMB12.index(f"{side}_{name}")] for name in names)
    u, v = a - b, c - b
    cosine = (u * v).sum(-1) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1))
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def score(ours: NDArray[np.floating[Any]], truth: FloatArray) -> dict[str, float]:
    """PA-MPJPE and mean absolute angle errors of (F, 12, 3) against (F, 12, 3), over frames without NaN."""
    seen = ~(np.isnan(ours).any(axis=(1, 2)) | np.isnan(truth).any(axis=(1, 2)))
    ours, truth = ours[seen], truth[seen]
    row = {"pa_mpjpe_mm": float(1000 * np.linalg.norm(align(ours, truth) - truth, axis=-1).mean())}
    for joint, names in _ANGLES.items():
        gaps = [np.abs(_angle_deg(ours, side, names) - _angle_deg(truth, side, names)) for side in ("left", "right")]
        row[f"{joint}_error_deg"] = float(np.mean(gaps))
    return row | {"frames": float(seen.sum())}


def _rows(recording: Recording, lifter: Lifter, mediapipe: bool, detector: str) -> Iterator[dict[str, Any]]:
    limbs = BODY21.indices(*LIMB12)
    hips = [LIMB12.index("left_hip"), LIMB12.index("right_hip")]
    refiner = Refiner(config=RefineConfig(latent=False))
    for video, camera in zip(recording.videos, recording.cameras, strict=True):
        seen = detect_person(video, camera, recording.world_m, detector=detector)
        track, swaps = in_order(seen, lifter, camera.pinhole())
        truth = camera.to_camera(recording.world_m)[: len(track)]
        single = lifter.lift(track, camera.pinhole())
        lifted = refiner.refine(single)
        ours = lifted.pose.xyz_m[:, limbs].astype(np.float64)
        row: dict[str, Any] = {"camera": camera.name} | score(ours, truth)
        alone = score(single.pose.xyz_m[:, limbs], truth)
        row["pa_mpjpe_frame_mm"] = alone["pa_mpjpe_mm"]
        row |= {f"{joint}_error_frame_deg": alone[f"{joint}_error_deg"] for joint in _ANGLES}
        raw = lifter.lift(seen, camera.pinhole()).pose.xyz_m[:, limbs] if swaps else single.pose.xyz_m[:, limbs]
        row["pa_mpjpe_unrepaired_mm"] = score(raw, truth)["pa_mpjpe_mm"]
        guess = lifter.lift(track, assumed_camera(camera.width_px, camera.height_px))
        guessed = refiner.refine(guess).pose.xyz_m[:, limbs]
        row["pa_mpjpe_assumed_focal_mm"] = score(guessed, truth)["pa_mpjpe_mm"]
        relative = truth - truth[:, hips].mean(axis=1, keepdims=True)
        error = np.linalg.norm(ours - relative, axis=-1)
        radius = lifter.calibration.radius_m(lifted.pose.sigma_m, 0.9)[:, limbs]
        there = ~np.isnan(error)
        row["mpjpe_mm"] = float(1000 * error[there].mean())
        row["coverage_90"] = float((error <= radius)[there].mean())
        row["root_error_mm"] = float(
            1000 * np.nanmedian(np.linalg.norm(lifted.pose.root_m - truth[:, hips].mean(axis=1), axis=-1))
        )
        if mediapipe:
            theirs = score(_mediapipe_world(video, len(track)), truth)
            row |= {f"mediapipe_{key}": value for key, value in theirs.items()}
            row["ratio"] = row["pa_mpjpe_mm"] / theirs["pa_mpjpe_mm"]
        yield row


def evaluate_multiview(
    folder: Path, *, lifter: Lifter | None = None, mediapipe: bool = True, detector: str = "blazepose"
) -> dict[str, Any]:
    """Measure single-camera 3D on a multi-camera recording.

    Args:
        folder: see `load_recording`.
        lifter: ours; the shipped one if None.
        mediapipe: also measure MediaPipe's world landmarks on the same frames.
        detector: see `open_detector`.

    Every camera is lifted on its own, as `posepipe analyze` does it: left/right repair, lifter, steady bones and motion
    over the clip (MediaPipe smooths over time too). Columns ending in ``frame`` are the lifter frame by frame; columns
    without the repair (frame by frame) and with an assumed focal length stand beside them.

    Returns:
        ``{"metrics", "rows", "versions"}``; one row for each camera, metrics are means over cameras.
    """
    rows = list(_rows(load_recording(folder), lifter or Lifter(), mediapipe, detector))
    numbers = [key for key in rows[0] if key != "camera"]
    metrics = {key: float(np.mean([row[key] for row in rows])) for key in numbers}
    if mediapipe:
        metrics["ratio"] = metrics["pa_mpjpe_mm"] / metrics["mediapipe_pa_mpjpe_mm"]
        for joint in _ANGLES:
            metrics[f"{joint}_ratio"] = metrics[f"{joint}_error_deg"] / metrics[f"mediapipe_{joint}_error_deg"]
    return {"metrics": metrics, "rows": rows, "versions": {"posepipe": version("posepipe"), "data": folder.name}}
