"""Everything that the runner does with one input's pictures, and the results at their end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from exporters.edge.runner_models import Models, use
from exporters.edge.runner_networks import EdgeLifter, EdgeNetworks, Settings
from posepipe.exercise.analyse import analyse_exercise
from posepipe.exercise.coach import Coach
from posepipe.exercise.recognise import Recogniser
from posepipe.exercise.types import CoachState
from posepipe.gait.analyse import analyse_gait
from posepipe.keypoints.blazepose import BlazePoseStream
from posepipe.lifting.refine import RefineConfig, Refiner
from posepipe.live import LivePerson, LiveSession
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.types import Angles, Camera, Frame, KeypointTrack, PoseTrack

__all__ = ["Watch"]

_MOST_FRAMES = 9000  # Kept for the results at the end: five minutes at 30 fps.
_NO_PICTURE = np.zeros((1, 1, 3), np.uint8)


@dataclass(slots=True, eq=False)
class _Memory:
    """What is kept of one person for the results at the end."""

    seconds: float
    coach: Coach | None
    past: deque[tuple[Frame, LivePerson]]


class Watch:
    """Everything for one input: the live session, and for each person a coach and a memory of some minutes.

    Args:
        models: the bundle's.
        camera: size and focal length of the pictures.
        people: follow at most so many.
        height_m: the person's height; None leaves the scale assumed.
        refine: optimise the poses at test time before the results are made; needs the refiner in the bundle.
    """

    def __init__(
        self,
        models: Models,
        camera: Camera,
        *,
        people: int = 1,
        height_m: float | None = None,
        refine: bool = False,
    ) -> None:
        use(models)
        self._camera = camera
        self._height_m = height_m
        # Without the clip stage, whose long loops a board would feel.
        self._refiner = Refiner(threads=models.threads, config=RefineConfig(clip=False)) if refine else None
        stream = BlazePoseStream(cast(Any, EdgeNetworks(models)), cast(Any, Settings(max_people=people)))
        self._lifter = EdgeLifter(models)
        self.session = LiveSession(stream, self._lifter, camera, height_m)
        self._size = camera.width_px, camera.height_px
        self._scale_known = height_m is not None
        self._recogniser = Recogniser() if "exercise" in models else None
        self._gait = "gait" in models
        self._people: dict[int, _Memory] = {}

    def step(self, frame: Frame) -> list[tuple[LivePerson, CoachState | None]]:
        """Everyone in the next frame, each with what the coach knows."""
        return [(person, self._remember(frame, person)) for person in self.session.step(frame)]

    def _remember(self, frame: Frame, person: LivePerson) -> CoachState | None:
        if person.id not in self._people:
            coach = Coach(recogniser=self._recogniser) if self._recogniser is not None else None
            self._people[person.id] = _Memory(frame.time_s, coach, deque(maxlen=_MOST_FRAMES))
        memory = self._people[person.id]
        memory.past.append((Frame(frame.index, frame.time_s, _NO_PICTURE), person))
        if memory.coach is None:
            return None
        return memory.coach.step(frame.time_s, person.pose, person.angles, person.keypoints, self._size)

    def results(self) -> list[dict[str, Any]]:
        """Each person's exercise and gait, in the form of ``summary.json``'s people."""
        return [self._result(i, memory) for i, memory in self._people.items() if len(memory.past) > 1]

    def _result(self, person: int, memory: _Memory) -> dict[str, Any]:
        motion = self._refined(_motion_of(person, list(memory.past), self._size))
        exercise: dict[str, Any] = {"withheld": "not_analysed"}
        if self._recogniser is not None:
            exercise = analyse_exercise(motion, self._recogniser)
        gait: dict[str, Any] = {"withheld": "not_analysed"}
        if self._gait:
            gait = dict(analyse_gait(motion, scale_known=self._scale_known))
        return {
            "id": person,
            "frames": len(motion),
            "seconds": round(float(motion.time_s[-1] - motion.time_s[0]), 3),
            "exercise": exercise,
            "gait": gait,
        }

    def _refined(self, motion: Motion) -> Motion:
        """The motion lifted again and optimised, if that was asked for."""
        if self._refiner is None or motion.keypoints is None:
            return motion
        lifted = self._lifter.lift(motion.keypoints, self._camera, height_m=self._height_m)
        pose = self._refiner.refine(motion.keypoints, lifted).pose
        return Motion.from_pose(pose, joint_angles(pose), motion.keypoints, self._size)


def _motion_of(person: int, past: Sequence[tuple[Frame, LivePerson]], size_px: tuple[int, int]) -> Motion:
    """One person's frames as a motion, as the live session gave them."""
    poses = [seen.pose for _, seen in past]
    time_s = np.array([frame.time_s for frame, _ in past])
    pose = PoseTrack(
        poses[0].layout,
        time_s,
        *(
            np.concatenate([getattr(pose, name) for pose in poses])
            for name in ("xyz_m", "sigma_m", "root_m", "root_sigma_m", "valid", "interpolated")
        ),
    )
    angles = [seen.angles for _, seen in past]
    joined = Angles(
        angles[0].names, np.concatenate([a.deg for a in angles]), np.concatenate([a.sigma_deg for a in angles])
    )
    points = [seen.keypoints for _, seen in past]
    xy_px = np.stack([k.xy_px for k in points])
    valid = np.isfinite(xy_px).all(axis=2)
    track = KeypointTrack(
        person,
        points[0].layout,
        np.array([frame.index for frame, _ in past], np.int32),
        time_s,
        xy_px,
        np.stack([k.sigma_px for k in points]),
        np.stack([k.score for k in points]),
        valid,
        np.zeros_like(valid),
    )
    return Motion.from_pose(pose, joined, track, size_px)
