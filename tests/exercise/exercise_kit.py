"""Synthetic takes seen by a camera, as motions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.exercise.catalogue import Exercise, load_catalogue
from posepipe.exercise.labels import LABELS
from posepipe.exercise.recognise import WindowScores
from posepipe.lab.people.exercises.gym import gym
from posepipe.lab.people.exercises.move import Factory, Move
from posepipe.lab.people.exercises.rig import Body
from posepipe.lab.people.exercises.takes import ExerciseTake, make_exercise
from posepipe.lab.recogniser.measure import motion_of
from posepipe.skeleton import BODY21
from posepipe.types import Angles, Keypoints, PoseTrack

CATALOGUE = load_catalogue()
COUNTED = tuple(name for name, item in CATALOGUE.exercises.items() if item.counted)


class Told:
    """A recogniser that knows, to a probability."""

    def __init__(self, label: str, probability: float = 0.95) -> None:
        self.label = label
        self.probability = probability

    def probabilities(self, motion: Motion) -> WindowScores:
        start_s, end_s = float(motion.time_s[0]), float(motion.time_s[-1])
        time_s = np.arange(start_s, end_s, 0.5)
        rest = (1.0 - self.probability) / (len(LABELS) - 1)
        table = np.full((len(time_s), len(LABELS)), rest, np.float32)
        table[:, LABELS.index(self.label)] = self.probability
        return WindowScores(time_s, table, start_s, end_s)


def without(motion: Motion, *joints: str) -> Motion:
    """The same motion with joints that are never seen."""
    valid = motion.valid.copy()
    valid[:, [motion.layout.index(joint) for joint in joints]] = False
    unseen = replace(motion, valid=valid)
    pose = PoseTrack(
        unseen.layout,
        unseen.time_s,
        unseen.xyz_m,
        unseen.sigma_m,
        unseen.root_m,
        np.full_like(unseen.root_m, np.nan),
        valid,
        np.zeros_like(valid),
    )
    return replace(unseen, angles=joint_angles(pose))


def only(variant: str, *, counted: bool = True) -> Factory:
    """A maker of one of the training movements that have no label."""

    def factory(rng: np.random.Generator, body: Body) -> Move:
        while True:
            move = gym(rng, body)
            if move.variant == variant:
                return replace(move, counted=counted)

    return factory


def take_of(label: str, seed: int, **more: float | int) -> ExerciseTake:
    """A plain take: nothing before or after, no half repetitions."""
    options = {"context": 0.0, "cut": 0.0, "partial": 0.0, "reps": 4} | more
    return make_exercise(label, np.random.default_rng(seed), **options)  # type: ignore[arg-type]


def filmed(
    take: ExerciseTake, seed: int = 0, *, noise_m: float = 0.01, yaw_deg: float = 30.0, mirrored: bool = False
) -> tuple[PoseTrack, Motion]:
    """What a camera and a lifter would give: axes of the camera, correlated noise, honest sigma."""
    turn = np.radians(yaw_deg)
    spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    xyz = take.positions @ spin.T
    xyz = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(len(xyz) + 8, *xyz.shape[1:]))
    smooth = np.cumsum(noise, axis=0)
    noise = (smooth[8:] - smooth[:-8]) / np.sqrt(8.0)
    points = xyz - xyz[:, :1] + noise_m * noise
    if mirrored:
        points = points[:, BODY21.mirror] * np.array([-1.0, 1.0, 1.0])
    points = (points - points[:, :1]).astype(np.float32)
    frames = len(points)
    valid = np.ones(points.shape[:2], bool)
    pose = PoseTrack(
        layout=BODY21,
        time_s=take.time_s,
        xyz_m=points,
        sigma_m=np.full(valid.shape, max(noise_m, 0.003), np.float32),
        root_m=(xyz[:, 0] + np.array([0.0, 1.0, 4.0])).astype(np.float32),
        root_sigma_m=np.full((frames, 3), 0.1, np.float32),
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
    return pose, Motion.from_pose(pose, joint_angles(pose))


def take_motion(
    take: ExerciseTake, xyz: NDArray[np.float64] | None = None, up: tuple[float, float, float] = (0.0, 0.0, 1.0)
) -> Motion:
    """A take as it was made, or with other joints (F, 21, 3): no camera, no noise."""
    points = (take.positions if xyz is None else xyz).astype(np.float32)
    return motion_of(take.time_s, points, up=up, root=points[:, 0])


def exercise(label: str) -> Exercise:
    """From our catalogue."""
    return CATALOGUE[label]


def frame_of(pose: PoseTrack, angles: Angles, i: int) -> tuple[PoseTrack, Angles]:
    """One frame, as the live session gives it."""
    part = slice(i, i + 1)
    single = PoseTrack(
        pose.layout,
        pose.time_s[part],
        pose.xyz_m[part],
        pose.sigma_m[part],
        pose.root_m[part],
        pose.root_sigma_m[part],
        pose.valid[part],
        pose.interpolated[part],
    )
    return single, Angles(angles.names, angles.deg[part], angles.sigma_deg[part])


def keypoints_of(pose: PoseTrack, i: int) -> Keypoints:
    """Where the joints would be in a picture of 640 x 480."""
    xyz = pose.xyz_m[i] + pose.root_m[i]
    xy = np.stack([320 + 400 * xyz[:, 0] / xyz[:, 2], 240 + 400 * (xyz[:, 1] - 1.0) / xyz[:, 2]], axis=1)
    count = len(pose.layout)
    return Keypoints(pose.layout, xy.astype(np.float32), np.full(count, 2, np.float32), np.ones(count, np.float32))
