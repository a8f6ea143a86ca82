"""A made-up recording: a figure that squats, seen by a camera four metres away."""

from __future__ import annotations

import numpy as np

from posepipe.motion.angles import ANGLES, joint_angles
from posepipe.motion.facing import facing
from posepipe.results import KeyFrame, Person, Recording, VideoFacts, View
from posepipe.skeleton import BLAZEPOSE33, BODY21, Layout
from posepipe.types import Camera, KeypointTrack, PoseTrack

CAMERA = Camera(1280, 720, 1100.0, "metadata")

# Standing, metres from the pelvis: right, down, away.
STANDING = {
    "pelvis": (0, 0, 0),
    "spine": (0, -0.25, 0),
    "thorax": (0, -0.5, 0),
    "nose": (0, -0.68, -0.12),
    "head": (0, -0.75, 0),
    "hip": (0.13, 0, 0),
    "knee": (0.14, 0.43, 0),
    "ankle": (0.15, 0.86, 0.02),
    "heel": (0.15, 0.92, 0.07),
    "foot_index": (0.18, 0.92, -0.14),
    "shoulder": (0.18, -0.5, 0),
    "elbow": (0.25, -0.24, 0.02),
    "wrist": (0.28, 0.0, -0.05),
}
ANGLE_NAMES = tuple(spec.name for spec in ANGLES)


def standing() -> np.ndarray:
    """The figure facing the camera, (21, 3); its left is at the picture's right."""
    rows = []
    for joint in BODY21.joints:
        side, _, rest = joint.partition("_")
        if side in ("left", "right"):
            x, y, z = STANDING[rest]
            rows.append((x if side == "left" else -x, y, z))
        else:
            rows.append(STANDING[joint])
    return np.array(rows)


def make_pose(time_s: np.ndarray, seed: int = 0) -> PoseTrack:
    """Squats of 2.5 s."""
    rng = np.random.default_rng(seed)
    depth = 0.5 - 0.5 * np.cos(2 * np.pi * time_s / 2.5)
    xyz = np.repeat(standing()[None], len(time_s), axis=0)
    feet = BODY21.indices("left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot_index", "right_foot_index")
    knees = BODY21.indices("left_knee", "right_knee")
    xyz[:, feet, 1] -= 0.35 * depth[:, None]
    xyz[:, knees, 1] -= 0.18 * depth[:, None]
    xyz[:, knees, 2] -= 0.33 * depth[:, None]
    xyz += rng.normal(0, 0.002, xyz.shape)
    xyz[:, 0] = 0
    root = np.column_stack([0.05 * np.sin(time_s), 0.1 + 0.35 * depth, 4.0 + 0 * time_s])
    shape = (len(time_s), len(BODY21))
    valid = np.ones(shape, bool)
    sigma = np.full(shape, 0.03)
    wrist = BODY21.index("left_wrist")
    gone = slice(len(time_s) // 4, len(time_s) // 3)
    valid[gone, wrist] = False
    xyz[gone, wrist] = np.nan
    sigma[gone, wrist] = np.nan
    interpolated = np.zeros(shape, bool)
    interpolated[len(time_s) // 2 : len(time_s) // 2 + 5, BODY21.index("right_knee")] = True
    pose = PoseTrack(
        BODY21,
        time_s,
        xyz.astype(np.float32),
        sigma.astype(np.float32),
        root.astype(np.float32),
        np.full((len(time_s), 3), 0.2, np.float32),
        valid,
        interpolated,
    )
    return pose


def make_keypoints(pose: PoseTrack, layout: Layout = BLAZEPOSE33, person: int = 1, first: int = 0) -> KeypointTrack:
    """The pose's picture; joints it lacks are spread about the nose."""
    full = pose.xyz_m + pose.root_m[:, None]
    nose = full[:, BODY21.index("nose")]
    xyz = np.repeat(nose[:, None], len(layout), axis=1)
    xyz[..., :2] += np.random.default_rng(1).uniform(-0.05, 0.05, (len(layout), 2)).astype(np.float32)
    valid = np.ones(xyz.shape[:2], bool)
    for column, joint in enumerate(layout.joints):
        if joint in BODY21.joints:
            xyz[:, column] = full[:, BODY21.index(joint)]
            valid[:, column] = pose.valid[:, BODY21.index(joint)]
    xy = CAMERA.focal_px * xyz[..., :2] / xyz[..., 2:] + np.array(CAMERA.principal_px)
    frames = len(pose)
    interpolated = np.zeros(valid.shape, bool)
    interpolated[frames // 2 : frames // 2 + 5, layout.index("right_knee")] = True
    sigma = np.where(valid, 3.0 + np.arange(len(layout)) * 0.1, np.nan)
    return KeypointTrack(
        person,
        layout,
        np.arange(first, first + frames, dtype=np.int32),
        pose.time_s,
        xy.astype(np.float32),
        sigma.astype(np.float32),
        np.where(valid, 0.9, 0.1).astype(np.float32),
        valid,
        interpolated,
    )


def make_exercise() -> dict[str, object]:
    reps = [
        {
            "start_s": 2.5 * i,
            "end_s": 2.5 * (i + 1),
            "rom_deg": 104.6 - i,
            "rom_sigma_deg": 4.1,
            "tempo_s": [1.25, 1.25],
            "faults": ["knees_inward"] if i == 1 else [],
        }
        for i in range(3)
    ]
    segment = {
        "label": "squat",
        "confidence": 0.98,
        "start_s": 0.0,
        "end_s": 7.5,
        "reps": 3,
        "rep_list": reps,
        "rejected": [{"start_s": 7.5, "end_s": 8.3, "reason": "too_shallow"}],
    }
    return {"segments": [segment], "reps_total": 3}


def make_gait() -> dict[str, object]:
    def value(number: float, sigma: float) -> dict[str, float]:
        return {"value": number, "sigma": sigma}

    return {
        "events": [
            {"time_s": 0.4 + 0.55 * i, "side": "left" if i % 2 else "right", "type": "heel_strike"} for i in range(12)
        ],
        "strides": {"left": 5, "right": 5},
        "cadence_spm": value(109.123456, 1.7),
        "stride_time_s": {"left": value(1.1, 0.02), "right": value(1.12, 0.02)},
        "step_length_m": {"withheld": "scale_assumed"},
        "stance_pct": {"left": value(61.2, 1.5), "right": value(60.4, 1.6)},
        "double_support_pct": value(22.1, 2.2),
        "walking_speed_mps": {"withheld": "scale_assumed"},
        "symmetry": {"stance": value(0.98, 0.03)},
        "deviation_score": value(0.7, 0.3),
        "abnormal": {
            "probability": 0.21,
            "label": "normal",
            "pattern": "none",
            "evidence": ["cadence within reference"],
        },
    }


def make_person(frames: int = 240, person: int = 1, layout: Layout = BLAZEPOSE33, **more: object) -> Person:
    time_s = np.arange(frames) / 29.97 + 0.04
    pose = make_pose(time_s)
    yaw_deg, yaw_sigma_deg = facing(pose)
    picture = np.full((180, 120, 3), 90, np.uint8)
    picture[40:140, 50:70] = (178, 114, 0)
    fields: dict[str, object] = {
        "view": View(8.0, "front", 0.97),
        "exercise": make_exercise(),
        "gait": {"withheld": "not_walking"},
        "key_frames": (KeyFrame(37, float(time_s[min(37, frames - 1)]), "Lowest point of repetition 1", picture),),
        "swaps": ({"start_s": 1.0, "end_s": 1.2, "part": "legs"},),
    }
    return Person(
        id=person,
        keypoints=make_keypoints(pose, layout, person),
        pose=pose,
        angles=joint_angles(pose),
        yaw_deg=yaw_deg,
        yaw_sigma_deg=yaw_sigma_deg,
        **{**fields, **more},
    )


def make_recording(frames: int = 240, path: str = "clips/squat.mp4", **more: object) -> Recording:
    fields: dict[str, object] = {
        "people": (make_person(frames),),
        "config": {"task": "auto", "subject": "largest", "height_m": None},
        "versions": {"python": "3.11.9", "numpy": "1.26.4"},
        "models": {"lifter": "ab" * 32},
        "warnings": ("Body height wasn't given: lengths in metres are good to about 10 %.",),
        "created": "2026-03-04T05:06:07+00:00",
    }
    return Recording(
        video=VideoFacts(path, 1280, 720, 29.97, frames, frames / 29.97, codec="h264", sha256="cd" * 32),
        camera=CAMERA,
        **{**fields, **more},
    )


__all__ = ["make_keypoints", "make_person", "make_recording"]
