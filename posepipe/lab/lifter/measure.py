"""The lifter measured: its error, how honest its sigma is, and which way it says that people face.

Error and sigma on motion capture seen by simulated cameras, exact and under growing noise, and on detector-in-the-loop
pairs; the heading on rendered people on a turntable, seen by the whole chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.lift import (
    ADULT_STATURE_M,
    LEVELS,
    STATURE_SIGMA,
    Lifter,
    SigmaCalibration,
    assumed_camera,
    measure_stature,
)
from posepipe.body.motion import LABELS, facing, view_label
from posepipe.errors import InputError
from posepipe.keypoints import open_detector
from posepipe.lab.layouts import bare_pose, to_layout, to_metres, to_z_up
from posepipe.lab.lifter.data import Mocap, Simulation, body21_from_h36m, simulate
from posepipe.lab.lifter.pairs import load_pairs
from posepipe.lab.lifter.rendered import true_yaw_deg
from posepipe.lab.metrics import ause, bootstrap_ci, coverage, drop_gain, ence, joint_errors_m, spearman
from posepipe.lab.people.body import BodyShape, MocapSet, from_mocap, load_mocap
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.figure import scale_of
from posepipe.lab.people.render import Person, render_frame
from posepipe.lab.people.scene import Light, Room
from posepipe.skeleton import BLAZEPOSE33, BODY21, H36M17
from posepipe.types import Frame, Keypoints, KeypointTrack

__all__ = ["evaluate_calibration", "evaluate_lifter", "evaluate_yaw", "read_motion"]

Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]

_CAMERAS: Mapping[str, Mapping[str, Any]] = {
    "level": {"crooked": False},
    "rolled": {"crooked": True},
    "level, 2D noise 25 mm": {"crooked": False, "noise_m": 0.025},
}
_BODY = len(H36M17)
_KNOWN, _ADULTS = ", height known", ", statures of adults"
_NOISE_M = (0.0, 0.01, 0.025, 0.05)
_ANGLES = ("knee_flexion", "elbow_flexion", "hip_flexion", "shoulder_elevation", "trunk_flexion")
_INNER = slice(1, len(H36M17))
_STEP_DEG = 22.5
_WIDTH_PX, _HEIGHT_PX = 640, 480


def read_motion(path: Path) -> Mocap:
    """Read `positions seq_start` with `joint_names` in any known skeleton, or `kp offsets` with `layout`.

    `extra` (nose, toes, heels as in ../shared/data/mocap) is used where present. Without a text in `axes` z is up;
    without `units` lengths are metres.

    Raises:
        InputError: missing file or keys, or hips or shoulders are missing.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    with np.load(path, allow_pickle=False) as data:
        keys = set(data.files)
        points_key, start_key = ("positions", "seq_start") if "positions" in keys else ("kp", "offsets")
        if not {points_key, start_key} <= keys:
            raise InputError("needs positions and seq_start, or kp and offsets", where=str(path))
        points, start = data[points_key], data[start_key]
        if points.ndim != 3 or points.shape[2] != 3:
            raise InputError(f"expected 3D joints, got shape {points.shape}", where=str(path))
        default = np.array(H36M17.joints)
        names = data["joint_names"] if "joint_names" in keys else data["layout"] if "layout" in keys else default
        extra = data["extra"] if "extra" in keys else np.full((len(points), 6, 3), np.nan, dtype=np.float32)
        axes = str(data["axes"]) if "axes" in keys else "z up"
        units = str(data["units"]) if "units" in keys else "metres"
        labels = {key: data[key] for key in ("subject", "seq_name", "name") if key in keys}
    turn = to_z_up(axes) * np.float32(to_metres(units))
    xyz = to_layout(points.astype(np.float32) @ turn.T, np.atleast_1d(names).tolist(), BODY21)
    full = body21_from_h36m(xyz[:, :_BODY], extra.astype(np.float32) @ turn.T)
    xyz = np.where(np.isnan(full), xyz, full)
    hips = BODY21.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    good = ~np.any(np.isnan(xyz[:, hips]), axis=(1, 2))
    if not good.any():
        raise InputError("no frame has both hips and both shoulders", where=str(path))
    length = np.diff(start)
    sequence = labels.get("seq_name", labels.get("name", np.arange(len(length)).astype(str)))
    subject = labels.get("subject", sequence)
    xyz[..., :2] -= xyz[:, :1, :2].copy()
    source = np.where(np.char.startswith(sequence.astype(str), "ui_"), "ui", "cmu")
    count = len(xyz)
    motion = Mocap(xyz, np.repeat(subject, length), np.repeat(source, length), np.full(count, 1.0 / count))
    return motion.select(good)


def evaluate_lifter(
    data: Path, *, lifter: Lifter | None = None, max_frames: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Measure the lifter on one file of motion capture.

    Every frame gets one random camera of each kind (see `posepipe.lab.film`). Errors are over Human3.6M's 17
    joints, the pelvis as root (and counted); sigma's figures leave the pelvis out. Intervals are 95 %, over subjects.
    Rows "height known" give each subject's stature, as ``--height-m`` does: one picture doesn't show how large a person
    is, and this is the part of the error that no network can take away. It depends on how far the few subjects are from
    the mean, so rows "statures of adults" bring every frame to a stature drawn from adults; the picture stays the same.

    Args:
        data: npz, or a folder with val.npz.
        lifter: ours; the shipped one if None.
        max_frames: at most so many, evenly drawn.
        seed: of cameras and noise.

    Returns:
        ``{"metrics", "rows", "versions"}``; metrics are those of level cameras and exact 2D, with
        ``height_known_mpjpe_mm`` and ``adults_mpjpe_mm`` beside them.
    """
    path = data / "val.npz" if data.is_dir() else data
    motion = read_motion(path)
    if max_frames is not None and len(motion) > max_frames:
        motion = motion.select(np.isin(np.arange(len(motion)), np.linspace(0, len(motion) - 1, max_frames).astype(int)))
    lifter = lifter or Lifter()
    rows: list[dict[str, Any]] = []
    for number, (name, options) in enumerate(_CAMERAS.items()):
        data_ = simulate(motion, np.random.default_rng((seed, number)), **options)
        rows += _rows(name, data_, lifter)
        if number == 0:
            rows += _rows(f"{name}{_ADULTS}", _as_adults(data_, np.random.default_rng((seed, 99))), lifter)
    metrics = {key: value for key, value in rows[0].items() if key not in ("cameras", "part")}
    known = next(row for row in rows if row["cameras"] == f"level{_KNOWN}")
    metrics["height_known_mpjpe_mm"] = known["mpjpe_mm"]
    metrics["adults_mpjpe_mm"] = next(row for row in rows if row["cameras"] == f"level{_ADULTS}")["mpjpe_mm"]
    return {"metrics": metrics, "rows": rows, "versions": {"posepipe": version("posepipe"), "data": path.name}}


def _rows(name: str, data: Simulation, lifter: Lifter) -> list[dict[str, Any]]:
    guess = np.zeros(len(data.rays), dtype=bool)
    xyz, sigma, _ = lifter.lift_rays(data.rays, data.sigma, data.valid, guess, independent=True)
    radius = lifter.calibration_independent.radius_m(sigma, 0.9)
    parts = {"all": np.ones(len(guess), dtype=bool)}
    if len(set(data.source)) > 1:
        parts |= {kind: data.source == kind for kind in np.unique(data.source)}
    rows = [
        {"cameras": name, "part": part}
        | _figures(xyz[mask], data.xyz_m[mask], sigma[mask], radius[mask], data.subject[mask])
        for part, mask in parts.items()
    ]
    if name.endswith(_ADULTS):
        return rows
    factor = _height_factor(xyz, data)
    tall, doubt, reach = xyz * factor[:, None, None], sigma * factor[:, None], radius * factor[:, None]
    rows += [
        {"cameras": name + _KNOWN, "part": part}
        | _figures(tall[mask], data.xyz_m[mask], doubt[mask], reach[mask], data.subject[mask])
        for part, mask in parts.items()
    ]
    if name == "level":
        errors = 1000 * joint_errors_m(xyz, data.xyz_m)
        for joint in np.flatnonzero(~np.isnan(errors).all(axis=0))[1:]:
            row = {"cameras": name, "part": BODY21.joints[joint], "mpjpe_mm": float(np.nanmean(errors[:, joint]))}
            row["coverage_90"] = coverage(errors[:, joint], 1000 * radius[:, joint])
            rows.append(row)
    return rows


def _as_adults(data: Simulation, rng: np.random.Generator) -> Simulation:
    """The same pictures of people of drawn statures, the tall ones farther away."""
    wanted = ADULT_STATURE_M * (1.0 + STATURE_SIGMA * np.clip(rng.standard_normal(len(data.rays)), -2.5, 2.5))
    factor = wanted.astype(np.float32)
    for subject in np.unique(data.subject):
        mine = data.subject == subject
        factor[mine] /= measure_stature(data.xyz_m[mine], data.valid[mine]) or ADULT_STATURE_M
    return replace(data, xyz_m=data.xyz_m * factor[:, None, None], root_m=data.root_m * factor[:, None])


def _height_factor(xyz: NDArray[np.float32], data: Simulation) -> NDArray[np.float32]:
    """(N,) true stature over the lifted one, both measured alike over all frames of a subject."""
    factor = np.ones(len(xyz), dtype=np.float32)
    for subject in np.unique(data.subject):
        mine = data.subject == subject
        true, lifted = (measure_stature(x[mine], data.valid[mine]) for x in (data.xyz_m, xyz))
        if true is not None and lifted is not None:
            factor[mine] = true / lifted
    return factor


def _figures(
    xyz: NDArray[np.float32],
    truth: NDArray[np.float32],
    sigma: NDArray[np.float32],
    radius: NDArray[np.float32],
    subject: NDArray[np.str_],
) -> dict[str, Any]:
    body = slice(0, _BODY)
    error = joint_errors_m(xyz[:, body], truth[:, body])
    low, high = bootstrap_ci(1000 * np.nanmean(error, axis=1), subject)
    inner = error[:, 1:]
    doubt = sigma[:, 1:_BODY]
    return {
        "frames": len(xyz),
        "mpjpe_mm": float(1000 * np.nanmean(error)),
        "mpjpe_ci95_mm": [low, high],
        "n_mpjpe_mm": float(1000 * np.nanmean(joint_errors_m(xyz[:, body], truth[:, body], "scale"))),
        "pa_mpjpe_mm": float(1000 * np.nanmean(joint_errors_m(xyz[:, body], truth[:, body], "procrustes"))),
        "feet_mm": float(1000 * np.nanmean(joint_errors_m(xyz[:, _BODY:], truth[:, _BODY:])))
        if not np.isnan(truth[:, _BODY:]).all()
        else None,
        "coverage_90": coverage(inner, radius[:, 1:_BODY]),
        "ence": ence(inner, doubt),
        "ause": ause(inner, doubt),
        "spearman": spearman(inner, doubt),
        "drop20_gain": drop_gain(inner, doubt),
    }


def evaluate_calibration(
    data: Path,
    *,
    pairs: Path | None = None,
    lifter: Lifter | None = None,
    max_frames: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Coverage of the intervals, ENCE, AUSE and rank correlation over Human3.6M's joints without the pelvis.

    Args:
        data: npz of motion capture, or a folder with val.npz.
        pairs: folder with loop_val*.npz of `posepipe.lab.rendered`; adds a row.
        lifter: ours; the shipped one if None.
        max_frames: at most so many, evenly drawn.
        seed: of cameras and noise.

    Returns:
        ``{"metrics", "rows", "versions"}``: one row for each noise level, for the pairs, for each joint with all
        noise levels pooled, then for joint angles, exact 2D and rendered; metrics pool all noise levels.
    """
    lifter = lifter or Lifter()
    path = data / "val.npz" if data.is_dir() else data
    motion = read_motion(path)
    if max_frames is not None and len(motion) > max_frames:
        motion = motion.select(np.isin(np.arange(len(motion)), np.linspace(0, len(motion) - 1, max_frames).astype(int)))
    rows: list[dict[str, Any]] = []
    pool: list[tuple[Float32Array, Float32Array]] = []
    made, found = lifter.calibration_independent, lifter.calibration
    angles: list[dict[str, Any]] = []
    for number, noise_m in enumerate(_NOISE_M):
        seen = simulate(motion, np.random.default_rng((seed, number)), crooked=number % 2 == 1, noise_m=noise_m)
        pool.append(_predict(lifter, seen.rays, seen.sigma, seen.valid, seen.xyz_m, True))
        if number == 0:
            angles = angle_rows("exact 2D", lifter, seen.rays, seen.sigma, seen.valid, seen.xyz_m, True)
        rows.append({"data": f"2D noise {1000 * noise_m:.0f} mm"} | _calibration_figures(made, *pool[-1]))
    if pairs is not None:
        loop = load_pairs(sorted(pairs.glob("loop_val*.npz")))
        valid = np.ones(loop.sigma.shape, dtype=bool)
        lifted = _predict(lifter, loop.rays, loop.sigma, valid, loop.xyz_m, False)
        rows.append({"data": "rendered"} | _calibration_figures(found, *lifted))
    error, sigma = (np.concatenate(column) for column in zip(*pool, strict=True))
    radius = made.radius_m(sigma, 0.9)
    for joint in np.flatnonzero(~np.isnan(error).all(axis=0))[1:]:
        rows.append(
            {"data": BODY21.joints[joint], "coverage_90": coverage(error[:, joint], radius[:, joint])}
            | {"ence": ence(error[:, joint], sigma[:, joint])}
        )
    rows += angles
    if pairs is not None:
        rows += angle_rows("rendered", lifter, loop.rays, loop.sigma, valid, loop.xyz_m, False)
    versions = {"posepipe": version("posepipe"), "data": path.name}
    return {"metrics": _calibration_figures(made, error, sigma), "rows": rows, "versions": versions}


def angle_rows(
    name: str,
    lifter: Lifter,
    rays: Float32Array,
    ray_sigma: Float32Array,
    valid: NDArray[np.bool_],
    truth: Float32Array,
    independent: bool,
) -> list[dict[str, Any]]:
    """Joint angles against their sigma, with joint errors as they really are: together, not each by itself.

    `error_over_sigma` is the root mean square of error over stated sigma (1 if true), `coverage_90` the share within
    1.645 sigma; `linear` is the former for errors drawn independently with each joint's sigma, against the propagation
    formula alone.
    """
    unknown = np.zeros(len(rays), dtype=bool)
    xyz, sigma, usable = lifter.lift_rays(rays, ray_sigma, valid, unknown, independent=independent)
    xyz, sigma, truth = xyz[usable], sigma[usable], truth[usable]
    ours, right = joint_angles(bare_pose(xyz, sigma)), joint_angles(bare_pose(truth, np.zeros_like(sigma)))
    noise = np.random.default_rng(0).standard_normal(xyz.shape).astype(np.float32)
    shaken = joint_angles(bare_pose(xyz + sigma[..., None] * noise, sigma), independent=True)
    alone = joint_angles(bare_pose(xyz, sigma), independent=True)
    rows = []
    for angle in _ANGLES:
        columns = [i for i, full in enumerate(ours.names) if full.removeprefix("left_").removeprefix("right_") == angle]
        spread = ours.sigma_deg[:, columns]
        gap = (ours.deg - right.deg)[:, columns]
        drawn = ((shaken.deg - alone.deg) / alone.sigma_deg)[:, columns]
        seen = np.isfinite(gap / spread)
        if not seen.any():
            continue
        rows.append(
            {
                "data": f"{angle}, {name}",
                "error_deg": float(np.abs(gap[seen]).mean()),
                "sigma_deg": float(spread[seen].mean()),
                "error_over_sigma": float(np.sqrt(np.mean((gap[seen] / spread[seen]) ** 2))),
                "linear": float(np.sqrt(np.nanmean(drawn**2))),
                "coverage_90": float((np.abs(gap[seen]) <= 1.645 * spread[seen]).mean()),
            }
        )
    return rows


def _predict(
    lifter: Lifter,
    rays: Float32Array,
    ray_sigma: Float32Array,
    valid: NDArray[np.bool_],
    truth: Float32Array,
    independent: bool,
) -> tuple[Float32Array, Float32Array]:
    """Joint errors and sigma, (N, 21) each."""
    unknown = np.zeros(len(rays), dtype=bool)
    xyz, sigma, _ = lifter.lift_rays(rays, ray_sigma, valid, unknown, independent=independent)
    return np.linalg.norm(xyz - truth, axis=-1).astype(np.float32), sigma


def _calibration_figures(calibration: SigmaCalibration, error: Float32Array, sigma: Float32Array) -> dict[str, float]:
    figures = {"mpjpe_mm": float(1000 * np.nanmean(error[:, : len(H36M17)]))}
    for level in LEVELS:
        radius = calibration.radius_m(sigma, level)
        figures[f"coverage_{100 * level:.0f}"] = coverage(error[:, _INNER], radius[:, _INNER])
    inner, doubt = error[:, _INNER], sigma[:, _INNER]
    return figures | {
        "ence": ence(inner, doubt),
        "ause": ause(inner, doubt),
        "spearman": spearman(inner, doubt),
        "drop20_gain": drop_gain(inner, doubt),
    }


def upright_frames(data: MocapSet) -> NDArray[np.intp]:
    """Frames in which a person stands or walks: trunk within 25 degrees of the vertical, legs nearly straight."""
    body = from_mocap(data.positions, data.extra)
    joint = {name: body[:, BODY21.index(name)] for name in BODY21.joints}

    def steep(low: str, high: str, cosine: float) -> NDArray[np.bool_]:
        bone = joint[high] - joint[low]
        return np.asarray(bone[:, 2] > cosine * np.linalg.norm(bone, axis=1))

    legs = [steep(f"{side}_ankle", f"{side}_hip", 0.9) for side in ("left", "right")]
    return np.flatnonzero(steep("pelvis", "thorax", 0.906) & legs[0] & legs[1] & np.isfinite(body).all(axis=(1, 2)))


def turned_to(xyz_m: Array, camera: SynthCamera, yaw_deg: float) -> Array:
    """A body (21, 3) in the world turned about the vertical until the camera sees it at this yaw."""
    out = xyz_m
    for _ in range(4):
        gap = float(true_yaw_deg(camera.to_camera(out)[None])[0]) - yaw_deg
        angle = np.radians(gap)
        c, s = np.cos(angle), np.sin(angle)
        # A camera that looks down sees a slightly other angle than the one about the vertical, hence the rounds.
        out = out @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]).T
    return out


def evaluate_yaw(
    data: Path, *, people: int = 16, lifter: Lifter | None = None, focal_known: bool = False, seed: int = 0
) -> dict[str, Any]:
    """Upright people of a motion-capture file at 16 angles each, rendered, found by BlazePose and lifted one by one.

    Cameras are level, 2.5 to 5 m away and 0.8 to 1.7 m high.

    Args:
        data: npz in the form of ../shared/data/mocap, or a folder with val.npz.
        people: bodies, each with its own pose, clothes, camera and room.
        lifter: ours; the shipped one if None.
        focal_known: give the lifter the true focal length instead of letting it assume one.
        seed: of all that.

    Returns:
        ``{"metrics", "rows", "versions"}``, a row for each of the eight views; `within_22` is the share of pictures
        with a yaw within 22.5 degrees of the true one, a missed person counts as outside.

    Raises:
        InputError: nobody stands upright in the file.
    """
    lifter = lifter or Lifter()
    motion = load_mocap(data / "val.npz" if data.is_dir() else data)
    upright = upright_frames(motion)
    if not len(upright):
        raise InputError("nobody stands upright", where=str(data))
    rng = np.random.default_rng(seed)
    stream = open_detector("blazepose", threads=1).start()
    found: list[tuple[float, float, float]] = []
    for frame in rng.choice(upright, people):
        found += _turntable(motion, int(frame), rng, lifter, stream.step, focal_known)
    stream.close()
    truth, yaw, sigma = np.array(found).T
    gap = np.abs((yaw - truth + 180.0) % 360.0 - 180.0)
    view = np.array([view_label(value) for value in truth])
    rows = [{"view": name} | _yaw_figures(gap[view == name], sigma[view == name]) for name in LABELS]
    return {
        "metrics": {"pictures": len(gap)} | _yaw_figures(gap, sigma),
        "rows": rows,
        "versions": {name: version(name) for name in ("posepipe", "numpy")},
    }


def _turntable(
    motion: MocapSet, frame: int, rng: np.random.Generator, lifter: Lifter, step: Any, focal_known: bool
) -> list[tuple[float, float, float]]:
    """True yaw, measured yaw and its sigma of one person at 16 angles."""
    body = from_mocap(motion.positions[[frame]], motion.extra[[frame]])[0]
    body[:, :2] -= body[0, :2]
    body[:, 2] -= body[:, 2].min() - 0.02
    shape = BodyShape.random(rng, float(np.clip(1.75 * scale_of(body), 1.3, 2.1)))
    camera = SynthCamera.random(
        rng,
        body[0],
        width_px=_WIDTH_PX,
        height_px=_HEIGHT_PX,
        distance_m=(2.5, 5.0),
        camera_height_m=(0.8, 1.7),
        fov_deg=(50.0, 70.0),
        max_roll_deg=0.0,
    )
    room = Room.random(rng, (0.0, 0.0)).picture(camera)
    light = Light.random(rng)
    out = []
    for turn in range(16):
        wanted = (turn * _STEP_DEG + 180.0) % 360.0 - 180.0
        xyz = turned_to(body, camera, wanted)
        image = render_frame([Person(xyz, shape)], camera, scene=room, light=light, supersample=1)
        people = step(Frame(turn, turn / 30.0, image))
        if not people:
            out.append((wanted, np.nan, np.nan))
            continue
        lens = camera.intrinsics if focal_known else assumed_camera(_WIDTH_PX, _HEIGHT_PX)
        yaw, sigma = facing(lifter.lift(_one_frame(people[0]), lens).pose)
        out.append((wanted, float(yaw[0]), float(sigma[0])))
    return out


def _one_frame(keypoints: Keypoints) -> KeypointTrack:
    return KeypointTrack(
        person=1,
        layout=BLAZEPOSE33,
        frame=np.zeros(1, dtype=np.int32),
        time_s=np.zeros(1),
        xy_px=keypoints.xy_px[None],
        sigma_px=keypoints.sigma_px[None],
        score=keypoints.score[None],
        valid=~np.any(np.isnan(keypoints.xy_px[None]), axis=-1),
        interpolated=np.zeros((1, len(BLAZEPOSE33)), dtype=bool),
    )


def _yaw_figures(gap: Array, sigma: Array) -> dict[str, float]:
    seen = ~np.isnan(gap)
    return {
        "found": float(seen.mean()),
        "within_22": float((gap[seen] <= 22.5).sum() / len(gap)),
        "within_45": float((gap[seen] <= 45.0).sum() / len(gap)),
        "turned_round": float((gap[seen] > 90.0).sum() / len(gap)),
        "median_deg": float(np.median(gap[seen])),
        "within_2_sigma": float((gap[seen] <= 2.0 * sigma[seen]).mean()),
    }
