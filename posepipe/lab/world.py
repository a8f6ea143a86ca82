"""How well a person is found in the room: rendered clips with exact truth, and filmed ones whose calibration knows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.body.angles import joint_angles
from posepipe.body.camera_motion import Background, CameraMotion, camera_motion
from posepipe.body.left_right import in_order
from posepipe.body.lift import OWN_JOINTS, Lifter, LiftResult, assumed_camera, measure_stature
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.body.room_lines import LINES
from posepipe.body.smooth import fill_gaps, smooth
from posepipe.body.world import FEET, WORLD, World, find_world, level_axes
from posepipe.body.world_joints import GENTLE, JOINTS, JointSettings
from posepipe.body.world_solve import SOLVE
from posepipe.geometry import CalibratedCamera, align, tangents
from posepipe.lab.lifter.multiview import LIMB12, detect_person, load_recording
from posepipe.lab.people.filmed import MOVES, RoomClip, draw_clip, write_clip
from posepipe.media.atomic import atomic_path
from posepipe.media.sources import open_source
from posepipe.pipeline import Config, Pipeline, angles_in, world_of
from posepipe.skeleton import BLAZEPOSE33, BODY21
from posepipe.types import Camera, Keypoints, KeypointTrack, PoseTrack

__all__ = ["ablate_made", "evaluate_filmed", "evaluate_made"]

Array = NDArray[np.float64]
Row = dict[str, Any]

_NINETY = 1.645
_ROLL_DEG = 15.0
_SEEN_SHARE = 0.8
"""Share of a clip's frames in which its person must be found."""
_STILL_MPS, _LOW_M = 0.05, 0.06
_FOOT = BODY21.indices(*FEET)
_OFF = 1e4
"""A standard deviation that holds nothing."""


def _held(**changed: float) -> tuple[JointSettings, JointSettings]:
    return replace(JOINTS, **changed), replace(GENTLE, **changed)  # type: ignore[arg-type]


_WITHOUT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "mass": {"firmness": replace(SOLVE, acceleration_mps2=_OFF)},
    "standing feet": {"firmness": replace(SOLVE, slide_mps=_OFF, slide_depth_mps=_OFF)},
    "one floor": {"firmness": replace(SOLVE, floor_m=_OFF)},
    "balance": {"settings": replace(WORLD, axis_deg=(_OFF, _OFF), spot_axis_deg=(_OFF, _OFF))},
    "camera": {"firmness": replace(SOLVE, pitch_deg=_OFF, roll_deg=_OFF)},
    "camera's height": {"firmness": replace(SOLVE, stand_sigma_m=_OFF)},
    "edges of the room": {"edges": replace(LINES, least=_OFF)},
    "mean lean on the spot": {"settings": replace(WORLD, spot_away_deg=0.0, spot_away=0.0)},
    "moving joints": {"joints": None},
    "what is learnt about the spot": {"settings": replace(WORLD, spot_bias=0.0)},
    "joints' mass": {"joints": _held(trunk_mps2=_OFF, limb_mps2=_OFF)},
    "joints' standing feet": {"joints": _held(slide_mps=_OFF)},
    "joints' floor": {"joints": _held(floor_m=_OFF)},
    "joints' bones": {"joints": _held(bone_m=_OFF)},
    "joints' path": {"joints": _held(root_across_m=_OFF, root_depth_m=_OFF)},
}
_SHOWN = (
    "gravity_median_deg", "gravity_p95_deg", "gravity_sure_p95_deg", "gravity_rough_share", "gravity_coverage",
    "camera_height_median_m",
    "path_end_side_pct", "path_end_oblique_pct", "path_end_towards_pct", "slide_median_mps", "off_floor_median_m",
    "mpjpe_change_pct", "mpjpe_worst_pct", "known_share",
)  # fmt: skip
_PARTS = ("frame", "time_s", "xy_px", "sigma_px", "score", "valid", "interpolated")
_MOTION = ("kind", "turn_rad", "swing_deg", "lines")
_RUN_FRAMES, _RUN_COUNT, _RUN_WORSE_PCT = (8, 16), 4, 3.0
"""Fewest and most frames of a short run, runs of a clip, and from which change on one counts as worse."""
_LEAN = ("trunk_flexion", "trunk_lateral")
_LIMBS = BODY21.indices(*LIMB12)


def evaluate_made(
    count: int = 3, *, seed: int = 900, keep: Path | None = None, progress: Callable[[Row], object] | None = None
) -> dict[str, Any]:
    """Rendered people, detected by BlazePose, lifted, and found in the room; their height known.

    Args:
        count: clips of each of `MOVES`, and as many of rolled cameras as there are moves; half a minute each.
        seed: of the first.
        keep: folder in which films and keypoints are kept, to measure again without rendering.
        progress: called with every row.

    Returns:
        ``{"metrics", "rows", "versions"}``; two rows for each clip, with its true focal length and with an assumed one.
        Coverage is of 90 % intervals, error of the pose relative to the pelvis.
    """
    pipeline = Pipeline(Config(workers=1, max_people=1, task="pose"))
    lifter, refiner = Lifter(), Refiner(config=RefineConfig(latent=False))
    rows = []
    for clip, kind in _clips(count, seed):
        for row in _rows(clip, kind, *_seen(clip, pipeline, keep), lifter, refiner):
            rows.append(row)
            if progress is not None:
                progress(row)
    return {"metrics": _summary(rows), "rows": rows, "versions": {"posepipe": __version__}}


def ablate_made(count: int = 3, *, seed: int = 900, keep: Path | None = None) -> dict[str, Any]:
    """Each term of the problem left out in turn, on the clips of `evaluate_made` with their true focal length.

    Args:
        count: clips of each movement, as there.
        seed: of the first.
        keep: folder of kept films and keypoints.
    """
    pipeline = Pipeline(Config(workers=1, max_people=1, task="pose"))
    lifter, refiner = Lifter(), Refiner(config=RefineConfig(latent=False))
    found: dict[str, list[Row]] = {term: [] for term in _WITHOUT}
    for clip, kind in _clips(count, seed):
        track, motion = _seen(clip, pipeline, keep)
        if len(track) < _SEEN_SHARE * len(clip.time_s):
            continue
        lens = clip.camera.intrinsics
        pose, lifted = _pose(track, lens, _height_m(clip), lifter, refiner)
        lines = _through(motion, lens).lines
        for term, changed in _WITHOUT.items():
            world = find_world(pose, lifted.rays, lens, lines=lines, **changed)
            about = {"move": clip.move, "camera": kind, "focal": "known"}
            found[term].append(about | measure(clip, track.frame, pose, world, lifted.pose))
    rows = []
    for term, items in found.items():
        metrics = _summary(items)
        rows.append({"without": term} | {name: metrics[name] for name in _SHOWN if name in metrics})
    return {"metrics": {"clips": float(len(found["nothing"]))}, "rows": rows, "versions": {"posepipe": __version__}}


def _height_m(clip: RoomClip) -> float | None:
    return measure_stature(clip.xyz_m.astype(np.float32), np.ones(clip.xyz_m.shape[:2], bool))


def _clips(count: int, seed: int) -> Iterator[tuple[RoomClip, str]]:
    for number in range(count):
        for move in MOVES:
            yield draw_clip(move, seed + number), "any"
    for number in range(count):
        for i, move in enumerate(("walk oblique", "walk towards", "squat", "jumping_jack")):
            yield draw_clip(move, seed + 500 + number, roll_deg=_ROLL_DEG * (-1.0) ** i), "rolled"


def _seen(clip: RoomClip, pipeline: Pipeline, keep: Path | None) -> tuple[KeypointTrack, CameraMotion]:
    """What BlazePose sees of a clip through an assumed lens, and what its camera did."""
    name = f"{clip.move.replace(' ', '_')}_{clip.seed}_{clip.camera.roll_deg:.1f}"
    if keep is not None and (keep / f"{name}.npz").is_file():
        return _load(keep / f"{name}.npz")
    with tempfile.TemporaryDirectory() as folder:
        path = (Path(folder) if keep is None else keep) / f"{name}.mp4"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(path, clip)
        seen = pipeline.detect(path)
    track, motion = max(seen.tracks, key=len), seen.motion
    if keep is not None:
        parts = {part: getattr(track, part) for part in _PARTS} | {part: getattr(motion, part) for part in _MOTION}
        parts["time_s_of_turn"] = motion.time_s
        with atomic_path(keep / f"{name}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **parts)
    return track, motion


def _load(path: Path) -> tuple[KeypointTrack, CameraMotion]:
    with np.load(path) as kept:
        track = KeypointTrack(person=0, layout=BLAZEPOSE33, **{part: kept[part] for part in _PARTS})
        motion = CameraMotion(
            str(kept["kind"]), kept["time_s_of_turn"], kept["turn_rad"], float(kept["swing_deg"]), kept["lines"]
        )
        return track, motion


def _through(motion: CameraMotion, lens: Camera) -> CameraMotion:
    """What a still camera saw through an assumed lens, through the true one."""
    factor = assumed_camera(lens.width_px, lens.height_px).focal_px / lens.focal_px
    bent = motion.lines * [1.0, 1.0, factor]
    size = np.linalg.norm(motion.lines, axis=1) / np.maximum(np.linalg.norm(bent, axis=1), 1e-12)
    return replace(motion, lines=bent * size[:, None])


def _rows(
    clip: RoomClip, kind: str, track: KeypointTrack, motion: CameraMotion, lifter: Lifter, refiner: Refiner
) -> Iterator[Row]:
    """One with the true focal length and one with an assumed one; none of a clip in which the person was lost."""
    if len(track) < _SEEN_SHARE * len(clip.time_s):
        return
    height_m = _height_m(clip)
    lens = clip.camera.intrinsics
    for focal, camera in (("known", lens), ("assumed", assumed_camera(lens.width_px, lens.height_px))):
        seen = _through(motion, lens) if focal == "known" else motion
        pose, lifted, world, ms = _world(track, camera, height_m, lifter, refiner, seen)
        about: Row = {"move": clip.move, "camera": kind, "seed": clip.seed, "focal": focal, "camera_told": motion.kind}
        if focal == "assumed" and world.knows("gravity"):
            off = np.log(camera.focal_px / lens.focal_px)
            about |= {
                "focal_pct": 100.0 * abs(np.expm1(off)),
                "focal_told_pct": 100.0 * abs(np.expm1(off + world.lens)),
            }
            about["focal_covered"] = float(abs(off + world.lens) < _NINETY * max(world.lens_sigma, 1e-9))
        about |= measure(clip, track.frame, pose, world, lifted.pose, lifter)
        yield about | _runs(clip, track, camera, height_m, lifter, refiner) | {"ms_per_frame": ms}


def _runs(
    clip: RoomClip, track: KeypointTrack, camera: Camera, height_m: float | None, lifter: Lifter, refiner: Refiner
) -> Row:
    """Change of the pose's error against the lifter alone in short runs: too short for a room."""
    rng = np.random.default_rng([clip.seed, 816])
    before, after = [], []
    for _ in range(_RUN_COUNT):
        length = int(rng.integers(*_RUN_FRAMES, endpoint=True))
        first = int(rng.integers(0, len(track) - length))
        part = slice(first, first + length)
        run = replace(track, **{name: getattr(track, name)[part] for name in _PARTS})
        pose, lifted = _pose(run, camera, height_m, lifter, refiner)
        exact = clip.camera.to_camera(clip.xyz_m[run.frame])
        exact -= exact[:, :1]
        before.append(_mean_mm(lifted.pose.xyz_m - exact))
        after.append(_mean_mm(pose.xyz_m - exact))
    change = 100.0 * (np.array(after) / np.array(before) - 1.0)
    return {
        "runs_lifter_mm": float(np.mean(before)), "runs_mm": float(np.mean(after)),
        "runs_worst_pct": float(change.max()), "runs_worse_share": float((change > _RUN_WORSE_PCT).mean()),
    }  # fmt: skip


def _world(
    track: KeypointTrack, camera: Camera, height_m: float | None, lifter: Lifter, refiner: Refiner, motion: CameraMotion
) -> tuple[PoseTrack, LiftResult, World, float]:
    """As `posepipe.pipeline` makes it, and the milliseconds of computing that finding the world took a frame."""
    pose, lifted = _pose(track, camera, height_m, lifter, refiner)
    start = time.process_time()
    world = world_of(pose, lifted, motion)
    return pose, lifted, world, 1000.0 * (time.process_time() - start) / max(len(pose), 1)


def _pose(
    track: KeypointTrack, camera: Camera, height_m: float | None, lifter: Lifter, refiner: Refiner
) -> tuple[PoseTrack, LiftResult]:
    track, _ = in_order(track, lifter, camera)
    lifted = lifter.lift(fill_gaps(track, 0.25), camera, height_m=height_m)
    return smooth(refiner.refine(lifted).pose, 6.0), lifted


def measure(
    clip: RoomClip,
    frame: NDArray[np.int32],
    pose: PoseTrack,
    world: World,
    alone: PoseTrack | None = None,
    lifter: Lifter | None = None,
) -> Row:
    """Errors of one clip; a part that is withheld has none.

    Args:
        clip: the truth.
        frame: (F,) which of the clip's frames the pose has.
        pose: what lifter and smoothing made.
        world: what was found.
        alone: what the lifter made alone; `pose` if None.
        lifter: for the 90 % radius of a joint; not measured if None.
    """
    row: Row = {"withheld": " ".join(f"{part}:{reason}" for part, reason in world.withheld.items())}
    if not world.knows("gravity"):
        return row
    true = clip.camera.to_camera(clip.xyz_m[frame]) @ level_axes(clip.up).T
    true[..., 2] += clip.camera.position_m[2]
    row["gravity_rough"] = float(world.rough)
    off = np.degrees(tangents(clip.up) @ world.up)
    row["gravity_deg"] = float(np.degrees(np.arccos(np.clip(clip.up @ world.up, -1.0, 1.0))))
    row["gravity_covered"] = float((np.abs(off) < _NINETY * world.up_sigma_deg).mean())
    row |= _lean(clip, frame, pose, world)
    if not world.knows("path"):
        return row
    known = np.isfinite(world.root_m).all(axis=1)
    row["camera_height_m"] = abs(world.camera_m - clip.camera.position_m[2])
    row["camera_height_covered"] = float(row["camera_height_m"] < _NINETY * world.camera_sigma_m)
    miss = np.abs(world.root_m[known] - true[known, 0])
    row["root_covered"] = float((miss < _NINETY * world.root_sigma_m[known]).mean())
    if clip.move.startswith("walk"):
        row |= _path(world.root_m[known, :2].astype(np.float64), true[known, 0, :2])
    row |= _feet(clip, frame, world, true)
    # In the camera frame, so that the pose alone is compared and not gravity.
    exact = clip.camera.to_camera(clip.xyz_m[frame])[known]
    exact -= exact[:, :1]
    turned = (world.xyz_m[known] - world.root_m[known, None]).astype(np.float64) @ world.rotation
    row["mpjpe_mm"] = _mean_mm(turned - exact)
    row["mpjpe_pose_mm"] = _mean_mm(pose.xyz_m[known] - exact)
    row["mpjpe_lifter_mm"] = _mean_mm((pose if alone is None else alone).xyz_m[known] - exact)
    if lifter is not None and world.sigma_m is not None:
        own = OWN_JOINTS & np.isfinite(turned).all(axis=(0, 2))
        miss = np.linalg.norm(turned - exact, axis=-1)
        row["joints_covered"] = float((miss < lifter.calibration.radius_m(world.sigma_m[known]))[:, own].mean())
    return row


def _mean_mm(error: Array) -> float:
    return float(1000.0 * np.nanmean(np.linalg.norm(error, axis=-1)))


def _lean(clip: RoomClip, frame: NDArray[np.int32], pose: PoseTrack, world: World) -> Row:
    """Mean error of the trunk's lean, against gravity as found and against the camera's own up."""
    xyz = clip.camera.to_camera(clip.xyz_m[frame]).astype(np.float32)
    exact = PoseTrack(
        BODY21, pose.time_s, xyz - xyz[:, :1], np.zeros_like(pose.sigma_m), xyz[:, 0], np.zeros_like(xyz[:, 0]),
        np.ones_like(pose.valid), np.zeros_like(pose.valid),
    )  # fmt: skip
    truth = joint_angles(exact, clip.up.tolist())
    columns = [truth.names.index(name) for name in _LEAN]

    def error(deg: NDArray[np.float32]) -> float:
        return float(np.nanmean(np.abs(deg[:, columns] - truth.deg[:, columns])))

    return {"lean_deg": error(angles_in(world, pose).deg), "lean_level_deg": error(joint_angles(pose).deg)}


def _path(found: Array, true: Array) -> Row:
    """End point and speed, in percent of the way."""
    way = float(np.linalg.norm(np.diff(true, axis=0), axis=1).sum())
    missed = (found[-1] - found[0]) - (true[-1] - true[0])
    # Single frames waver: a tenth of a second of each end.
    length = float(np.linalg.norm(np.diff(found[::3], axis=0), axis=1).sum())
    true_length = float(np.linalg.norm(np.diff(true[::3], axis=0), axis=1).sum())
    return {
        "path_end_pct": float(100.0 * np.linalg.norm(missed) / max(way, 1e-6)),
        "speed_pct": 100.0 * abs(length / max(true_length, 1e-6) - 1.0),
    }


def _feet(clip: RoomClip, frame: NDArray[np.int32], world: World, true: Array) -> Row:
    """Slide of the points of the feet that truly stand, and how far off their true height they are."""
    span = 2
    time_s = clip.time_s[frame]
    if len(frame) <= span:
        return {}
    seconds = (time_s[span:] - time_s[:-span])[:, None]

    def speed(xyz: Array) -> Array:
        return np.asarray(np.linalg.norm(xyz[span:] - xyz[:-span], axis=-1) / seconds)

    feet, exact = world.xyz_m[:, _FOOT].astype(np.float64), true[:, _FOOT]
    stands = (speed(exact) < _STILL_MPS) & (exact[1:-1, :, 2] < _LOW_M)
    slide, off = speed(feet)[stands], np.abs(feet[1:-1, :, 2] - exact[1:-1, :, 2])[stands]
    if not np.isfinite(slide).any():
        return {}
    return {"slide_mps": float(np.nanmedian(slide)), "off_floor_m": float(np.nanmedian(off))}


def _summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Medians and shares over clips."""
    out: dict[str, float] = {"clips": float(len(rows)) / 2.0}

    def values(name: str, focal: str, move: str = "", camera: str = "") -> Array:
        some = [row for row in rows if row["focal"] == focal and move in row["move"] and camera in row["camera"]]
        return np.array([row[name] for row in some if np.isfinite(row.get(name, np.nan))], np.float64)

    def put(key: str, found: Array, how: Callable[[Array], Any]) -> None:
        if len(found):
            out[key] = float(how(found))

    for focal, suffix in (("known", ""), ("assumed", "_focal_assumed")):
        gravity = values("gravity_deg", focal)
        put(f"gravity_median_deg{suffix}", gravity, np.median)
        put(f"gravity_p95_deg{suffix}", gravity, lambda x: np.percentile(x, 95.0))
        rough = values("gravity_rough", focal)
        put(f"gravity_rough_share{suffix}", rough, np.mean)
        put(f"gravity_sure_p95_deg{suffix}", gravity[rough == 0.0], lambda x: np.percentile(x, 95.0))
        put(f"gravity_walk_median_deg{suffix}", values("gravity_deg", focal, "walk"), np.median)
        for name in ("gravity", "camera_height", "root", "joints"):
            put(f"{name}_coverage{suffix}", values(f"{name}_covered", focal), np.mean)
        put(f"camera_height_median_m{suffix}", values("camera_height_m", focal), np.median)
        for view in ("side", "oblique", "towards", "turn"):
            put(f"path_end_{view}_pct{suffix}", values("path_end_pct", focal, f"walk {view}"), np.median)
        put(f"speed_median_pct{suffix}", values("speed_pct", focal), np.median)
        put(f"lean_rolled_deg{suffix}", values("lean_deg", focal, camera="rolled"), np.mean)
        put(f"lean_rolled_level_deg{suffix}", values("lean_level_deg", focal, camera="rolled"), np.mean)
        put(f"slide_median_mps{suffix}", values("slide_mps", focal), np.median)
        put(f"off_floor_median_m{suffix}", values("off_floor_m", focal), np.median)
        moved = values("mpjpe_mm", focal)
        for name, before in (("", values("mpjpe_lifter_mm", focal)), ("pose_", values("mpjpe_pose_mm", focal))):
            if len(before):
                out[f"mpjpe_{name}change_pct{suffix}"] = float(100.0 * (moved.mean() / before.mean() - 1.0))
                out[f"mpjpe_{name}worst_pct{suffix}"] = float(100.0 * (moved / before - 1.0).max())
        runs, alone = values("runs_mm", focal), values("runs_lifter_mm", focal)
        if len(runs):
            out[f"runs_change_pct{suffix}"] = float(100.0 * (runs.mean() / alone.mean() - 1.0))
            put(f"runs_worst_pct{suffix}", values("runs_worst_pct", focal), np.max)
            put(f"runs_worse_share{suffix}", values("runs_worse_share", focal), np.mean)
    for name in ("focal_pct", "focal_told_pct"):
        put(name, values(name, "assumed"), np.median)
    put("focal_coverage", values("focal_covered", "assumed"), np.mean)
    put("ms_per_frame", values("ms_per_frame", "known"), np.median)
    out["known_share"] = float(np.mean([not row["withheld"] for row in rows])) if rows else float("nan")
    return out


def evaluate_filmed(folder: Path) -> dict[str, Any]:
    """Each camera of a recording from several: gravity, the camera's height and the path against its calibration.

    Args:
        folder: see `posepipe.lab.lifter.multiview.load_recording`; its world's z is up, its floor at 0.
    """
    recording = load_recording(folder)
    lifter, refiner = Lifter(), Refiner(config=RefineConfig(latent=False))
    rows: list[Row] = []
    hips = [LIMB12.index("left_hip"), LIMB12.index("right_hip")]
    for video, camera in zip(recording.videos, recording.cameras, strict=True):
        track = detect_person(video, camera, recording.world_m)
        motion = _filmed_edges(video, camera, track)
        pose, _, world, ms = _world(track, camera.pinhole(), None, lifter, refiner, motion)
        up = camera.rotation[:, 2]
        place = -camera.rotation.T @ camera.translation_m
        row: Row = {"camera": camera.name, "withheld": " ".join(world.withheld), "ms_per_frame": ms}
        if world.knows("gravity"):
            off = np.degrees(tangents(up) @ world.up)
            row["gravity_deg"] = float(np.degrees(np.arccos(np.clip(up @ world.up, -1.0, 1.0))))
            row["gravity_covered"] = float((np.abs(off) < _NINETY * world.up_sigma_deg).mean())
            row["level_deg"] = float(np.degrees(np.arccos(np.clip(-up[1], -1.0, 1.0))))
        if world.knows("path"):
            row["camera_height_m"] = abs(world.camera_m - float(place[2]))
            true = recording.world_m[: len(pose), hips].mean(axis=1)
            known = np.isfinite(world.root_m).all(axis=1) & np.isfinite(true).all(axis=1)
            # The calibration's axes are turned about the vertical: only shapes of paths are compared.
            both = (world.root_m[known][None].astype(np.float64), true[known][None])
            row["path_rmse_m"] = float(np.sqrt(((align(*both, scale=False) - both[1]) ** 2).sum(-1).mean()))
        truth = camera.to_camera(recording.world_m)[: len(pose)]
        row["pa_mpjpe_mm"] = _pa_mm(pose.xyz_m[:, _LIMBS].astype(np.float64), truth)
        row["pa_mpjpe_world_mm"] = _pa_mm(world.xyz_m[:, _LIMBS].astype(np.float64), truth)
        rows.append(row)
    names = [name for name in rows[0] if name not in ("camera", "withheld")]
    metrics = {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
    return {"metrics": metrics, "rows": rows, "versions": {"posepipe": __version__, "data": folder.name}}


def _filmed_edges(video: Path, camera: CalibratedCamera, track: KeypointTrack) -> CameraMotion:
    """What a still camera saw behind the person, in undistorted pixels of the calibration as the keypoints are."""
    background, shifts, lens = Background(), [], camera.pinhole()
    with open_source(video) as source:
        for row, frame in zip(range(len(track)), source, strict=False):
            factor = np.array([camera.width_px / frame.size_px[0], camera.height_px / frame.size_px[1]])
            xy = (track.xy_px[row] / factor).astype(np.float32)
            person = Keypoints(track.layout, xy, track.sigma_px[row], track.score[row])
            shift = background.step(frame, [person])
            if shift is None or shift.edges_px is None:
                continue
            ends = camera.undistort(shift.edges_px.reshape(-1, 2) * factor) * lens.focal_px + np.array(
                lens.principal_px
            )
            shifts.append(replace(shift, edges_px=ends.reshape(-1, 4).astype(np.float32)))
    return camera_motion(shifts, lens)


def _pa_mm(ours: Array, truth: Array) -> float:
    seen = np.isfinite(ours).all(axis=(1, 2)) & np.isfinite(truth).all(axis=(1, 2))
    return _mean_mm(align(ours[seen], truth[seen]) - truth[seen]) if seen.any() else float("nan")
