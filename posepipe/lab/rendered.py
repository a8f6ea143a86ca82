"""Detector in the loop: what BlazePose sees on rendered motion capture, with the truth beside it.

posepipe train pairs --data ../shared/data/mocap/train.npz --out runs/loop/loop_train.npz --frames 3000 --shard 1000
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.keypoints.blazepose import BlazePose, Networks
from posepipe.keypoints.blazepose import Person as Seen
from posepipe.keypoints.roi import Roi
from posepipe.lab.people.body import MocapSet, load_mocap
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.render import Person, render_frame
from posepipe.lab.people.scene import cast_shadow
from posepipe.lab.people.stage import Stage, draw_motion, draw_stage
from posepipe.media.atomic import atomic_path
from posepipe.skeleton import BODY21

__all__ = ["Draw", "make_pairs", "write_shards"]

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Record = dict[str, NDArray[Any]]

_CROP_PX = 256
_HIPS = BODY21.indices("left_hip", "right_hip")
_SHOULDERS = BODY21.indices("left_shoulder", "right_shoulder")


def _true_roi(rng: np.random.Generator, xy_px: Array) -> Roi:
    """Region of interest as the detector would set it, a little off: middle of the hips, trunk up, whole body."""
    hips, shoulders = xy_px[_HIPS].mean(axis=0), xy_px[_SHOULDERS].mean(axis=0)
    radius = 1.08 * float(np.linalg.norm(xy_px - hips, axis=1).max())
    trunk = shoulders - hips
    turn = float(np.arctan2(trunk[0], -trunk[1])) + float(rng.normal(0.0, 0.08))
    size = 2.5 * radius * float(np.exp(rng.normal(0.0, 0.08)))
    x, y = hips + rng.normal(0.0, 0.03, 2) * size
    return Roi(float(x), float(y), max(size, 24.0), turn)


def _picture(stage: Stage, xyz: Array, roi: Roi, rng: np.random.Generator) -> Image:
    """The crop of the network, 256 pixels wide, rendered straight."""
    side = int(np.clip(roi.size_px, min(96, stage.faults.side_px), stage.faults.side_px))
    camera = stage.camera.region((roi.x_px, roi.y_px), roi.size_px, float(np.degrees(roi.angle_rad)), side)
    shrink = stage.backdrop.shape[1] / stage.camera.width_px
    small = Roi(roi.x_px * shrink, roi.y_px * shrink, roi.size_px * shrink, roi.angle_rad)
    image = small.crop(stage.backdrop, side)
    if stage.ground:
        image = cast_shadow(image, xyz, camera, stage.light)
    image = render_frame(
        [Person(xyz, stage.shape)],
        camera,
        scene=image,
        light=stage.light,
        occluders=stage.occluders,
        supersample=1,
        shadow=False,
    )
    image = _cut(image, roi, stage.camera)
    image = stage.faults.apply(image, rng)
    if side != _CROP_PX:
        image = np.asarray(cv2.resize(image, (_CROP_PX, _CROP_PX), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    return image


def _cut(image: Image, roi: Roi, camera: SynthCamera) -> Image:
    """Repeat the picture's edge beyond it, as the cropped picture would; the crop knows more than the picture."""
    side = image.shape[0]
    matrix = roi.crop_to_picture(side)
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1.0]]) @ matrix.T
    limit = np.array([camera.width_px, camera.height_px], dtype=np.float64)
    if (corners >= 0).all() and (corners <= limit).all():
        return image
    columns, rows = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    where = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ matrix.T
    where = np.clip(where, 0.5, limit - 0.5)
    back = (where - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T - 0.5
    maps = back.astype(np.float32)
    return np.asarray(
        cv2.remap(image, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )


def _row(seen: Seen, roi: Roi) -> Record:
    """One frame's answer, taken from the crop to the picture."""
    scale = roi.size_px / _CROP_PX
    c, s = np.cos(roi.angle_rad), np.sin(roi.angle_rad)
    turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    keypoints, features = seen.keypoints, seen.features
    assert seen.world_m is not None
    return {
        "xy_px": roi.to_picture(keypoints.xy_px / _CROP_PX),
        "sigma_px": (keypoints.sigma_px * scale).astype(np.float32),
        "score": keypoints.score.astype(np.float32),
        "presence": np.float32(keypoints.presence),
        "features": np.stack([features.peak, features.spread, features.visibility, features.presence], axis=1).astype(
            np.float32
        ),
        "world_m": (seen.world_m @ turn).astype(np.float32),
        # What the network saw: heavy looks closer.
        "roi": np.array([roi.x_px, roi.y_px, seen.roi.size_px * scale, roi.angle_rad], dtype=np.float32),
    }


@dataclass(frozen=True, slots=True)
class Draw:
    """What chance may choose from.

    Attributes:
        cmu_share: share of runs from CMU's sequences; the rest comes from UI-PRMD.
        lengths: fewest and most frames of a run.
        wide_share: share of runs with widely drawn clothes, light, backgrounds, cameras and picture faults; above 0,
            all runs also have other proportions and mixed upper bodies, and subjects come more evenly.
        leave_out: subjects not to take.
    """

    cmu_share: float = 0.65
    lengths: tuple[int, int] = (8, 16)
    wide_share: float = 0.0
    leave_out: tuple[str, ...] = ()


_PLAIN = Draw()


def make_run(
    data: MocapSet,
    networks: Networks,
    seed: Sequence[int],
    *,
    draw: Draw = _PLAIN,
    pictures: bool = False,
) -> Record:
    """One run of consecutive frames: what the detector says, and the truth.

    Args:
        data: motion capture.
        networks: BlazePose's networks.
        seed: of everything that chance decides.
        draw: what chance may choose from.
        pictures: keep the crops too, as "crop" (n, 256, 256, 3).

    Returns:
        Arrays with n frames each; see `make_pairs`.
    """
    rng = np.random.default_rng(list(seed))
    length = int(rng.integers(draw.lengths[0], draw.lengths[1] + 1))
    wide = draw.wide_share > 0 and bool(rng.random() < draw.wide_share)
    motion = draw_motion(rng, data, draw.cmu_share, length, leave_out=draw.leave_out, wide=draw.wide_share > 0)
    sequence, first, xyz = motion.sequence, motion.first, motion.xyz_m
    stage = draw_stage(rng, xyz, wide=wide)
    camera = stage.camera
    xy_true = camera.project(xyz)[0]
    rows: list[Record] = []
    roi: Roi | None = None
    whole = Roi(_CROP_PX / 2, _CROP_PX / 2, _CROP_PX, 0.0)
    for i in range(length):
        hips = xy_true[i, _HIPS].mean(axis=0)
        if roi is None or np.hypot(roi.x_px - hips[0], roi.y_px - hips[1]) > 0.2 * roi.size_px:
            roi = _true_roi(rng, xy_true[i])
        crop = _picture(stage, xyz[i], roi, rng)
        seen = networks.landmarks(crop, whole)
        rows.append(_row(seen, roi) | ({"crop": crop} if pictures else {}))
        ends = roi.to_picture(seen.body_px / _CROP_PX)
        following = Roi.around_body(ends[0], ends[1])
        good = seen.keypoints.presence >= 0.5 and following.usable and 0.4 < following.size_px / roi.size_px < 2.5
        roi = following if good else None
    record = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    known = np.all(np.isfinite(data.extra[first : first + length, 4:]), axis=(1, 2))
    return record | {
        "xyz_m": camera.to_camera(xyz).astype(np.float32),
        "xy_true_px": xy_true.astype(np.float32),
        "heel_measured": known,
        "camera": np.tile(
            np.array([camera.focal_px, *camera.principal_px, camera.width_px, camera.height_px], np.float32),
            (length, 1),
        ),
        "gravity": np.tile((-camera.rotation[:, 2]).astype(np.float32), (length, 1)),
        "fps_hz": np.full(length, data.fps_hz[sequence], np.float32),
        "source_frame": np.arange(first, first + length, dtype=np.int32),
        "sequence": np.full(length, str(data.name[sequence])),
        "subject": np.full(length, str(data.subject[sequence])),
        "mirrored": np.full(length, motion.mirrored),
        "scale": np.full(length, motion.scale, np.float32),
    }


_state: dict[str, Any] = {}


def _open(path: Path, network: str) -> None:
    cv2.setNumThreads(1)
    _state["data"] = load_mocap(path)
    _state["networks"] = BlazePose(threads=1, network=network).networks()


def _work(job: tuple[int, int, Draw]) -> Record:
    seed, run, draw = job
    record = make_run(_state["data"], _state["networks"], (seed, run), draw=draw)
    count = len(record["presence"])
    return record | {"run": np.full(count, run, np.int32), "run_frame": np.arange(count, dtype=np.int16)}


def _runs(path: Path, seed: int, draw: Draw, workers: int, first_run: int, network: str = "full") -> Iterator[Record]:
    """Runs one after another, without end; the same for any number of workers."""
    if workers <= 1:
        _open(path, network)
        run = first_run
        while True:
            yield _work((seed, run, draw))
            run += 1
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_open, initargs=(path, network)) as pool:
        run = first_run
        while True:
            jobs = [(seed, run + i, draw) for i in range(8 * workers)]
            yield from pool.map(_work, jobs)
            run += len(jobs)


def make_pairs(
    path: Path, frames: int, *, seed: int = 0, draw: Draw = _PLAIN, workers: int = 1, first_run: int = 0
) -> Record:
    """At least so many frames of (what BlazePose sees, truth), in whole runs.

    Args:
        path: motion-capture npz.
        frames: number of frames to reach.
        seed: of everything that chance decides; together with the run's number it fixes a run.
        draw: what chance may choose from.
        workers: processes. The result doesn't depend on it.
        first_run: number of the first run.

    Returns:
        Arrays with N frames each: ``xy_px`` (N, 33, 2), ``sigma_px``, ``score`` (N, 33), ``presence`` (N,),
        ``features`` (N, 33, 4: heat map's peak and spread in cells, visibility, presence), ``world_m`` (N, 33, 3) the
        network's own guess, ``roi`` (N, 4: x, y, side in pixels, angle in radians), ``xyz_m`` (N, 21, 3) true Body21
        joints in the camera frame, ``xy_true_px`` (N, 21, 2), ``heel_measured`` (N,) heels come from the capture,
        ``camera`` (N, 5: focal length, principal point, width, height), ``gravity`` (N, 3) unit vector down in the
        camera frame, ``fps_hz``, ``source_frame``, ``sequence``, ``subject``, ``mirrored``, ``scale``, ``run``,
        ``run_frame`` (N,), ``seed`` ().

    Raises:
        InputError: the motion capture can't be read.
        ModelError: BlazePose can't be opened.
    """
    if frames < 1:
        raise UsageError(f"{frames} frames", where="make_pairs", hint="Give 1 or more")
    return next(_shards(_runs(path, seed, draw, workers, first_run), [frames], seed))


def _shards(runs: Iterator[Record], sizes: Sequence[int], seed: int) -> Iterator[Record]:
    for size in sizes:
        records: list[Record] = []
        count = 0
        while count < size:
            records += islice(runs, 1)
            count += len(records[-1]["presence"])
        merged = {key: np.concatenate([record[key] for record in records]) for key in records[0]}
        yield merged | {"seed": np.array(seed)}


def write_shards(
    path: Path,
    out: Path,
    frames: int,
    shard: int,
    *,
    seed: int = 0,
    draw: Draw = _PLAIN,
    workers: int = 1,
    network: str = "full",
) -> Iterator[tuple[Path, int]]:
    """`make_pairs` written as npz, each file without pickle and whole or not at all.

    Args:
        path: motion-capture npz.
        out: npz to write; with shards FILE.npz becomes FILE_000.npz, FILE_001.npz, ...
        frames: number of frames to reach.
        shard: frames in each file; all in one if 0.
        seed: of everything that chance decides.
        draw: what chance may choose from.
        workers: processes.
        network: which of BlazePose's looks; each file names it.

    Yields:
        Each file and its frames.

    Raises:
        OutputError: a file can't be written.
    """
    size = shard or frames
    count = -(-frames // size)
    records = _shards(_runs(path, seed, draw, workers, 0, network), [size] * count, seed)
    for i, record in enumerate(records):
        file = out if count == 1 else out.with_name(f"{out.stem}_{i:03d}{out.suffix}")
        with atomic_path(file) as temporary, temporary.open("wb") as opened:
            np.savez_compressed(opened, **dict[str, Any](record), network=np.array(network))
        yield file, len(record["presence"])
