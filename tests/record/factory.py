"""A made-up recording: a figure that squats, seen by a camera four metres away."""

from __future__ import annotations

import numpy as np

from posepipe.body.angles import ANGLES, joint_angles
from posepipe.body.motion import facing
from posepipe.body.world import World, level_axes
from posepipe.exercise.types import Bout, Consistency, ExerciseResult, Form, Rejected, Repetition
from posepipe.gait.types import (
    Abnormal,
    Departure,
    Deviation,
    Event,
    Evidence,
    Feature,
    GaitResult,
    MeanCurve,
    Measured,
    Parameters,
    Pass,
    Stride,
    Value,
    Walk,
)
from posepipe.reasons import Reason
from posepipe.record.recording import KeyFrame, Person, Recording, VideoFacts, View
from posepipe.skeleton import BLAZEPOSE33, BODY21, Layout
from posepipe.types import Camera, KeypointTrack, PoseTrack, Swap

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


def make_exercise() -> ExerciseResult:
    reps = tuple(
        Repetition(
            start_s=2.5 * i,
            turn_s=2.5 * i + 1.25,
            end_s=2.5 * (i + 1),
            rom_deg=104.6 - i,
            rom_sigma_deg=4.1,
            tempo_s=(1.25, 1.25),
            faults=("knees_inward",) if i == 1 else (),
            form=(Form.GOOD, Form.FAULT, Form.NOT_JUDGED)[i],
            withheld={"knees_in": Reason.WRONG_VIEW, "score": Reason.NOT_COMPARABLE} if i == 2 else {},
        )
        for i in range(3)
    )
    rejected = (Rejected(7.5, 8.3, Reason.TOO_SHALLOW),)
    return ExerciseResult((Bout("squat", 0.98, 0.0, 7.5, reps, rejected, Consistency(103.6, 1.0, 0.1)),))


def make_gait() -> GaitResult:
    items: dict[str, Measured] = {
        "cadence_spm": Value(109.123456, 1.7),
        "stride_time_s": {"left": Value(1.1, 0.02), "right": Value(1.12, 0.02)},
        "step_length_m": Reason.SCALE_ASSUMED,
        "stance_pct": {"left": Value(61.2, 1.5), "right": Value(60.4, 1.6)},
        "double_support_pct": Value(22.1, 2.2),
        "walking_speed_mps": Reason.SCALE_ASSUMED,
        "symmetry": {"stance": Value(0.98, 0.03)},
    }
    sides = ("right", "left")
    events = tuple(Event(0.4 + 0.55 * i, 0.02, sides[i % 2], "heel_strike", 0.9) for i in range(12))
    strides = tuple(Stride(sides[i % 2], 0.4 + 0.55 * i, 1.1 + 0.55 * i, 1.5 + 0.55 * i, 0) for i in range(10))
    curve = MeanCurve(
        "left", "knee_flexion", np.linspace(0, 60, 101).round(3), np.full(101, np.nan), np.full(101, 3.25), 5
    )
    return GaitResult(
        walk=Walk((Pass(0.2, 7.0, 1, "overground", "side", -90.0),), events, strides),
        view="side",
        parameters=Parameters({"left": 5, "right": 5}, items),
        curves=(curve,),
        departures=(Departure("left", "knee_flexion", 3.2, 4.0, 2.1, 60, "pre-swing"),),
        features={"knee_peak_deg": Feature(61.0, float("nan"))},
        deviation=Deviation(97.3, 2.9, 6.2, (Departure("left", "knee_flexion", 3.2, 4.0, 2.1, 60, "pre-swing"),)),
        abnormal=Abnormal(
            0.21, 0.05, "normal", "normal", 0.4, (Evidence("a_deg", "stiff", "left", 1.0, 2.0, 0.5, -2.0),)
        ),
    )


def make_world(pose: PoseTrack) -> World:
    """A camera 1.2 m high that looks down by 10 degrees; everything known but the first frame."""
    up = np.array([0.0, -np.cos(np.radians(10.0)), -np.sin(np.radians(10.0))])
    xyz = np.where(pose.valid[..., None], pose.xyz_m, np.nan) + pose.root_m[:, None]
    place = xyz @ level_axes(up).T + np.array([0.0, 0.0, 1.2])
    place[:1] = np.nan
    contact = np.zeros((len(pose), 4), bool)
    contact[1::2] = True
    sigma = np.full((len(pose), 3), 0.05, np.float32)
    sigma[:1] = np.nan
    return World(
        up.astype(np.float32), np.array([1.0, 2.0], np.float32), 1.2, 0.06, place.astype(np.float32), sigma, contact
    )


def make_person(frames: int = 240, person: int = 1, layout: Layout = BLAZEPOSE33, **more: object) -> Person:
    time_s = np.arange(frames) / 29.97 + 0.04
    pose = make_pose(time_s)
    yaw_deg, yaw_sigma_deg = facing(pose)
    picture = np.full((180, 120, 3), 90, np.uint8)
    picture[40:140, 50:70] = (178, 114, 0)
    fields: dict[str, object] = {
        "view": View(8.0, "front", 0.97),
        "exercise": make_exercise(),
        "gait": GaitResult(withheld=Reason.NOT_WALKING),
        "key_frames": (KeyFrame(37, float(time_s[min(37, frames - 1)]), "Lowest point of repetition 1", picture),),
        "swaps": (Swap("legs", 1.0, 1.2, 7, 12.5, True),),
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


__all__ = ["make_keypoints", "make_person", "make_recording", "make_world"]
