"""How near a bundle is to float32, and how fast it is; measured on the bundle's own files.

Errors come from the bundle's `run_edge.py` itself, loaded as a module; speed and memory from processes of it, those of
two bundles in turn, so that what else the machine does meets both.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.batch.jobs import VIDEO_SUFFIXES
from posepipe.errors import InputError, PosePipeError
from posepipe.keypoints.finder import INPUT_PX
from posepipe.keypoints.roi import Roi, letterbox
from posepipe.lab.people.body import BodyShape, solve
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.motion import Pose, Stance, pose_controls
from posepipe.lab.people.render import Person, render_frame
from posepipe.lab.people.scene import Light, Room, clutter, degrade
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.samples import SAMPLE_TRUTH, SAMPLE_VIDEO
from posepipe.skeleton import BODY21
from posepipe.types import Frame

__all__ = [
    "Seen", "calibration_frames", "clip_agreement", "clip_result", "compare", "gathered", "load_runner",
    "main_result", "numbers_of", "run_clip", "sample_frames", "time_bundles", "time_networks",
    "truth_error_mm", "watch_frames",
]  # fmt: skip

Array = NDArray[np.float64]

_SURE = 0.5
_JOINTS17 = 17

Image = NDArray[np.uint8]
_CROP_PX = 256
_HIPS = BODY21.indices("left_hip", "right_hip")
_SHOULDERS = BODY21.indices("left_shoulder", "right_shoulder")
_SIZES = ((640, 480), (640, 360), (360, 640))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a runner saw of the first person of each frame; NaN where nobody was there.

    Attributes:
        time_s: (F,).
        xy_px: (F, 33, 2).
        score: (F, 33).
        xyz_m: (F, 21, 3).
        angles_deg: (F, A).
        rest: the other numbers, (F, ...) each.
    """

    time_s: Array
    xy_px: Array
    score: Array
    xyz_m: Array
    angles_deg: Array
    rest: Mapping[str, Array]


def load_runner(bundle: Path) -> ModuleType:
    """A bundle's ``run_edge.py`` as a module of its own."""
    name = f"run_edge_{bundle.name.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, bundle / "run_edge.py")
    if spec is None or spec.loader is None:
        raise PosePipeError("no runner in this bundle", where=str(bundle))
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def sample_frames(every: int = 1, limit: int | None = None) -> Iterator[Frame]:
    """Frames of the sample clip."""
    with open_source(SAMPLE_VIDEO) as source:
        for frame in source:
            if limit is not None and frame.index >= limit:
                return
            if frame.index % every == 0:
                yield frame


def watch_frames(bundle: Path, frames: Iterable[Frame]) -> Seen:
    """Let a bundle's runner see frames."""
    runner = load_runner(bundle)
    models = runner.Models(bundle)
    watch: Any = None
    rows: list[dict[str, Any]] = []
    for frame in frames:
        if watch is None:
            watch = runner.Watch(models, runner.assumed_camera(*frame.size_px))
        people = watch.step(runner.Frame(frame.index, frame.time_s, frame.image))
        rows.append({"time_s": frame.time_s} | (numbers_of(people[0][0]) if people else {}))
    return gathered(rows)


def numbers_of(person: Any) -> dict[str, Any]:
    """All numbers of a `LivePerson`, the pipeline's or the runner's."""
    return {
        "xy_px": person.keypoints.xy_px,
        "score": person.keypoints.score,
        "sigma_px": person.keypoints.sigma_px,
        "presence": person.keypoints.presence,
        "xyz_m": person.pose.xyz_m[0],
        "sigma_m": person.pose.sigma_m[0],
        "root_m": person.pose.root_m[0],
        "root_sigma_m": person.pose.root_sigma_m[0],
        "angles_deg": person.angles.deg[0],
        "angles_sigma_deg": person.angles.sigma_deg[0],
        "yaw_deg": person.yaw_deg,
    }


def gathered(rows: Sequence[Mapping[str, Any]]) -> Seen:
    """Rows of one frame each, with gaps, as arrays."""
    shapes: dict[str, tuple[int, ...]] = {}
    for row in rows:
        for key, value in row.items():
            shapes.setdefault(key, np.shape(value))
    table = {}
    for key, shape in shapes.items():
        blank = np.full(shape, np.nan)
        table[key] = np.array([row.get(key, blank) for row in rows], np.float64)
    if "xy_px" not in table:
        raise PosePipeError("nobody was seen in the frames to compare")
    known = [table.pop(key) for key in ("time_s", "xy_px", "score", "xyz_m", "angles_deg")]
    return Seen(known[0], known[1], known[2], known[3], known[4], table)


def compare(reference: Seen, other: Seen) -> dict[str, float]:
    """Errors of one against the other, frame by frame.

    Returns:
        ``keypoint_pct_median`` and ``_p95``: distance of keypoints in percent of the person's height in the picture
        (the longer side of the box around the joints seen); ``pose_mm_median``: distance of 3D joints;
        ``frames_seen_by_one``: share of frames in which only one of the two saw a person.
    """
    there = np.isfinite(reference.xy_px).all(axis=(1, 2)), np.isfinite(other.xy_px).all(axis=(1, 2))
    both = there[0] & there[1]
    sure = reference.score >= _SURE
    size = np.array(
        [
            np.ptp(xy[seen] if seen.sum() > 4 else xy, axis=0).max()
            for xy, seen in zip(reference.xy_px[both], sure[both], strict=True)
        ]
    )
    error = np.linalg.norm(other.xy_px[both] - reference.xy_px[both], axis=2) / size[:, None] * 100.0
    pose = np.linalg.norm(other.xyz_m[both] - reference.xyz_m[both], axis=2) * 1000.0
    return {
        "keypoint_pct_median": float(np.median(error)),
        "keypoint_pct_p95": float(np.quantile(error, 0.95)),
        "pose_mm_median": float(np.nanmedian(pose)),
        "frames_seen_by_one": float(np.mean(there[0] != there[1])),
    }


def truth_error_mm(seen: Seen) -> float:
    """MPJPE over the Human3.6M joints on the sample clip, against its truth.

    The frames must be those of `sample_frames`, all of them from the first.
    """
    with np.load(SAMPLE_TRUTH) as truth:
        xyz, joints = truth["xyz_camera_m"].astype(np.float64), list(truth["joints"])
        at = np.searchsorted(truth["time_s"], seen.time_s - 1e-3).clip(0, len(xyz) - 1)
    xyz = xyz - xyz[:, [joints.index("pelvis")]]
    error = np.linalg.norm(seen.xyz_m[:, 1:_JOINTS17] - xyz[at, 1:_JOINTS17], axis=2)
    return float(np.nanmean(error) * 1000.0)


def small_clip(folder: Path, width_px: int = 640, height_px: int = 480) -> Path:
    """The sample clip cut and scaled to a webcam's size."""
    path = folder / f"sample-{width_px}x{height_px}.mp4"
    with VideoWriter(path, width_px, height_px, 30.0) as writer:
        for frame in sample_frames():
            height, width = frame.image.shape[:2]
            cut = round(height * width_px / height_px)
            left = (width - cut) // 2
            part = frame.image[:, left : left + cut]
            small = cv2.resize(part, (width_px, height_px), interpolation=cv2.INTER_AREA)
            writer.write(np.asarray(small, np.uint8), frame.time_s)
    return path


def time_bundles(bundles: Mapping[str, Path], *, threads: Sequence[int] = (1, 2), rounds: int = 3) -> dict[str, Any]:
    """Speed and memory of bundles, in turn.

    Args:
        bundles: name and folder.
        threads: thread counts to try.
        rounds: runs of each; medians are over all of their frames.

    Returns:
        For each bundle and thread count: ``step_ms_median``, ``step_ms_p95`` (a frame's work without decoding),
        ``cpu_ms`` (processor time of a frame with decoding, start excluded), ``fps`` (with decoding),
        ``first_result_s`` from the start of the process, ``peak_mb`` resident.
    """
    found: dict[str, dict[int, list[dict[str, Any]]]] = {name: {n: [] for n in threads} for name in bundles}
    with tempfile.TemporaryDirectory() as folder:
        clip = small_clip(Path(folder))
        for _ in range(rounds):
            for count in threads:
                for name, bundle in bundles.items():
                    found[name][count].append(_timed(bundle, clip, count))
    return {name: {str(count): _summary(runs) for count, runs in by_count.items()} for name, by_count in found.items()}


def time_networks(bundles: Mapping[str, Path], *, repeats: int = 60) -> dict[str, float]:
    """Processor time in ms of the networks that every frame needs, landmarks and lifter, with one thread, in turn."""
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
    lifted = {
        "rays": rng.normal(0, 0.1, (1, 21, 2)).astype(np.float32),
        "ray_sigma": np.full((1, 21), 0.01, np.float32),
        "valid": np.ones((1, 21), bool),
        "focal_assumed": np.ones(1, bool),
    }
    sessions = {}
    for name, bundle in bundles.items():
        models = load_runner(bundle).Models(bundle)
        sessions[name] = models.open("landmarks"), models.open("lifter")
    spent: dict[str, list[float]] = {name: [] for name in bundles}
    for _ in range(repeats):
        for name, (landmarks, lifter) in sessions.items():
            start = time.process_time()
            landmarks.run(None, {"image": crop})
            lifter.run(None, lifted)
            spent[name].append(1000.0 * (time.process_time() - start))
    return {name: round(statistics.median(times), 2) for name, times in spent.items()}


def _timed(bundle: Path, clip: Path, threads: int) -> dict[str, Any]:
    command = [sys.executable, str(bundle / "run_edge.py"), str(clip), "--threads", str(threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    arrived, step_ms = [], []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        done: dict[str, Any] = {}
        for line in process.stdout:
            now = time.perf_counter() - start
            row = json.loads(line)
            if "frame" in row:
                arrived.append(now)
                step_ms.append(float(row["ms"]))
            else:
                done |= row
        said = process.stderr.read().decode().strip()
    if process.returncode or len(arrived) < 10:
        raise PosePipeError(f"the runner failed: {said[-200:]}", where=str(bundle))
    steady = len(arrived) // 4
    return {
        "step_ms": step_ms[steady:],
        "fps": (len(arrived) - 1 - steady) / (arrived[-1] - arrived[steady]),
        "first_result_s": arrived[0],
        "peak_mb": done["done"]["peak_mb"],
        "cpu_ms": done["done"]["cpu_ms"],
    }


def _summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    steps = [ms for run in runs for ms in run["step_ms"]]
    medians = {
        key: round(statistics.median(run[key] for run in runs), 2)
        for key in ("fps", "first_result_s", "peak_mb", "cpu_ms")
    }
    return {
        "step_ms_median": round(statistics.median(steps), 2),
        "step_ms_p95": round(float(np.quantile(steps, 0.95)), 2),
    } | medians


def clip_agreement(reference: Path, other: Path, folder: Path) -> dict[str, Any]:
    """Run both bundles over every video of a folder.

    Returns:
        ``clips``, ``agree`` (same main exercise and same count), and a row for each clip that differs.

    Raises:
        InputError: no videos there.
    """
    videos = (
        sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES) if folder.is_dir() else []
    )
    if not videos:
        raise InputError("no videos", where=str(folder))
    different = []
    for video in videos:
        first, second = clip_result(reference, video), clip_result(other, video)
        if first != second:
            different.append({"clip": video.name, "float32": first, "variant": second})
    return {"clips": len(videos), "agree": len(videos) - len(different), "different": different}


def clip_result(bundle: Path, video: Path) -> dict[str, Any]:
    """What a bundle's runner makes of a video: its longest exercise and the count of it."""
    rows = run_clip(bundle, video, "--no-frames")
    return main_result(next((row["people"] for row in rows if "people" in row), []))


def run_clip(bundle: Path, video: Path, *options: str) -> list[dict[str, Any]]:
    """The lines that a bundle's runner prints of a video.

    Raises:
        PosePipeError: it failed.
    """
    command = [sys.executable, str(bundle / "run_edge.py"), str(video), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)
    if done.returncode:
        raise PosePipeError(f"the runner failed: {done.stderr.strip()[-200:]}", where=f"{bundle}, {video.name}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main_result(people: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the runner's people, whoever was there longest: their longest exercise, and all they counted."""
    segments: list[Mapping[str, Any]] = []
    longest = max(people, key=lambda person: float(person["seconds"]), default=None)
    if longest is not None:
        segments = longest["exercise"].get("segments", [])
    if longest is None or not segments:
        return {"exercise": None, "reps": 0}
    main = max(segments, key=lambda part: float(part["end_s"] - part["start_s"]))
    return {"exercise": main["label"], "reps": longest["exercise"]["reps_total"]}


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Inputs of the networks.

    Attributes:
        pictures: whole pictures (H, W, 3) BGR of several sizes.
        squares: (N, 224, 224, 3) the detector's input.
        crops: (N, 256, 256, 3) the landmark network's input.
    """

    pictures: tuple[Image, ...]
    squares: Image
    crops: Image


def calibration_frames(count: int, seed: int = 0) -> Calibration:
    """Render so many pictures; the same for the same seed."""
    pictures, squares, crops = [], [], []
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        picture, roi = _picture(rng)
        square = letterbox(picture.shape[1], picture.shape[0])
        pictures.append(picture)
        squares.append(square.crop(picture, INPUT_PX, cv2.BORDER_CONSTANT))
        crops.append(roi.crop(picture, _CROP_PX))
    return Calibration(tuple(pictures), np.stack(squares), np.stack(crops))


def _picture(rng: np.random.Generator) -> tuple[Image, Roi]:
    """A picture, and about where a person detector would look."""
    width, height = _SIZES[rng.integers(len(_SIZES))]
    shape = BodyShape.random(rng)
    stance = Stance(heading_deg=float(rng.uniform(0, 360)), width_m=float(rng.uniform(0.15, 0.6)))
    xyz = solve(shape, pose_controls(shape, stance, (_pose(rng), _pose(rng)), [rng.random()]))[0]
    middle = xyz.mean(axis=0)
    for _ in range(20):
        camera = SynthCamera.random(rng, middle, width_px=width, height_px=height)
        xy_px, depth = camera.project(xyz)
        tall = np.ptp(xy_px, axis=0).max() / max(width, height)
        if depth.min() > 0.5 and 0.3 < tall < 0.95:
            break
    center = (float(middle[0]), float(middle[1]))
    room = Room.random(rng, center) if rng.random() < 0.6 else clutter(rng, width, height)
    image = render_frame([Person(xyz, shape)], camera, scene=room, light=Light.random(rng), supersample=1)
    image = degrade(image, rng, blur_px=float(rng.uniform(0, 1.2)), noise=float(rng.uniform(0, 8)))
    if rng.random() < 0.3:
        turn = int(rng.integers(3))
        image, xy_px = _turned(image, xy_px, turn)
    return image, _roi(rng, xy_px)


def _pose(rng: np.random.Generator) -> Pose:
    """Any pose of a person on two feet, from standing to a deep squat, arms anywhere in front or beside."""
    low = rng.random() if rng.random() < 0.6 else 0.0
    return Pose(
        shank_deg=3.0 + 30.0 * low,
        thigh_deg=3.0 + 95.0 * low,
        lean_deg=float(rng.uniform(0, 20) + rng.uniform(0, 60) * low),
        head_pitch_deg=float(rng.uniform(-15, 25)),
        shoulder_flex_deg=float(rng.uniform(-20, 170)),
        shoulder_abduct_deg=float(rng.uniform(0, 90)),
        elbow_flex_deg=float(rng.uniform(0, 140)),
    )


def _turned(image: Image, xy_px: NDArray[np.float64], turn: int) -> tuple[Image, NDArray[np.float64]]:
    """Picture and points turned by 90 degrees either way (0, 2) or upside down (1)."""
    height, width = image.shape[:2]
    x, y = xy_px[:, 0], xy_px[:, 1]
    places = ((height - y, x), (width - x, height - y), (y, width - x))[turn]
    code = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)[turn]
    return np.asarray(cv2.rotate(image, code), np.uint8), np.stack(places, axis=1)


def _roi(rng: np.random.Generator, xy_px: NDArray[np.float64]) -> Roi:
    """Middle of the hips, trunk up, whole body, a little off."""
    hips, shoulders = xy_px[_HIPS].mean(axis=0), xy_px[_SHOULDERS].mean(axis=0)
    radius = 1.1 * float(np.linalg.norm(xy_px - hips, axis=1).max())
    trunk = shoulders - hips
    way = trunk / max(float(np.linalg.norm(trunk)), 1e-6)
    return Roi.around_body(hips + rng.normal(0, 0.05 * radius, 2), hips + way * radius)
