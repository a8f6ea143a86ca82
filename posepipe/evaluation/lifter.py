"""The lifter on motion capture under simulated cameras: errors and the honesty of sigma."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.evaluation.layouts import to_layout, to_metres, to_z_up
from posepipe.evaluation.metrics import ause, bootstrap_ci, coverage, drop_gain, ence, joint_errors_m, spearman
from posepipe.evaluation.simulate import Simulation, simulate
from posepipe.lifting.lifter import Lifter
from posepipe.lifting.stature import ADULT_STATURE_M, STATURE_SIGMA, measure_stature
from posepipe.skeleton import BODY21, H36M17
from posepipe.training.mocap import Mocap, body21_from_h36m

__all__ = ["evaluate_lifter", "read_motion"]

FloatArray = NDArray[np.float64]

_CAMERAS: Mapping[str, Mapping[str, Any]] = {
    "level": {"crooked": False},
    "rolled": {"crooked": True},
    "level, 2D noise 25 mm": {"crooked": False, "noise_m": 0.025},
}
_BODY = len(H36M17)
_KNOWN, _ADULTS = ", height known", ", statures of adults"


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
    good = ~np.isnan(xyz[:, hips]).any(axis=(1, 2))
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

    Every frame gets one random camera of each kind (see `posepipe.evaluation.simulate`). Errors are over Human3.6M's 17
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
