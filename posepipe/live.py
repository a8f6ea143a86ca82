"""The stages one frame at a time: causal, for webcams and small devices."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.lift import Lifter, Rays
from posepipe.body.motion import facing
from posepipe.body.sides import SwapGuard
from posepipe.body.smooth import OneEuro
from posepipe.keypoints import DetectorStream
from posepipe.tracking.tracker import Tracker
from posepipe.types import Angles, Camera, Frame, Keypoints, KeypointTrack, PoseTrack

__all__ = ["LivePerson", "LiveSession", "Room", "RoomFinder"]

_FORGET_S = 5.0
_STATURES = 90


class Room(Protocol):
    """Gravity and floor as known by now; see `posepipe.body.world_live.LiveRoom`."""

    @property
    def up(self) -> NDArray[np.float64]:
        """(3,) against gravity in the camera frame."""

    @property
    def up_sigma_deg(self) -> NDArray[np.float64]:
        """(2,) its standard deviation."""

    @property
    def camera_m(self) -> float:
        """Height of the camera over the floor; NaN where no floor is known."""

    def place(self, point_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """A point (3,) of the camera frame in world axes."""


class RoomFinder(Protocol):
    """Finds one person's room frame by frame; see `posepipe.body.world_live.LiveWorld`."""

    def step(self, pose: PoseTrack, rays: Rays) -> Room | None:
        """Take in a frame, and say what is known by now."""


@dataclass(frozen=True, slots=True, eq=False)
class LivePerson:
    """One person in one frame; the tracks are one frame long.

    Attributes:
        id: stable while the person is followed.
        keypoints: 2D after left/right repair, not smoothed.
        pose: 3D, smoothed by One-Euro.
        angles: of that pose.
        yaw_deg, yaw_sigma_deg: heading.
        room: gravity and floor as known by now; None at first. Trunk lean is measured against that gravity.
        place_m: (3,) the pelvis in world axes (`posepipe.body.world`); NaN where no floor is known.
    """

    id: int
    keypoints: Keypoints
    pose: PoseTrack
    angles: Angles
    yaw_deg: float
    yaw_sigma_deg: float
    room: Room | None = None
    place_m: NDArray[np.float64] = field(default_factory=lambda: np.full(3, np.nan))


@dataclass(slots=True)
class _Memory:
    """What is remembered of one person."""

    room: RoomFinder | None
    guard: SwapGuard = field(default_factory=SwapGuard)
    smooth_xyz: OneEuro = field(default_factory=OneEuro)
    smooth_root: OneEuro = field(default_factory=OneEuro)
    statures: deque[float] = field(default_factory=lambda: deque(maxlen=_STATURES))
    last_s: float = 0.0


class LiveSession:
    """Made by `Pipeline.start`; a context manager. `step` adds no delay beyond that of the One-Euro filter.

    Args:
        stream: a detector at work.
        lifter: 2D to 3D.
        camera: size and focal length of the pictures to come.
        height_m: the person's height; None leaves the scale assumed.
        rooms: makes what finds one person's room; None leaves it unknown.
    """

    def __init__(
        self,
        stream: DetectorStream,
        lifter: Lifter,
        camera: Camera,
        height_m: float | None = None,
        rooms: Callable[[], RoomFinder] | None = None,
    ) -> None:
        self.camera = camera
        self._stream = stream
        self._lifter = lifter
        self._height_m = height_m
        self._rooms = rooms
        self._tracker = Tracker()
        self._people: dict[int, _Memory] = {}

    def step(self, frame: Frame) -> tuple[LivePerson, ...]:
        """Everyone in the next frame.

        Raises:
            UsageError: its time isn't after the last frame's.
        """
        people = self._stream.step(frame)
        ids = self._tracker.step(frame.time_s, people)
        seen = tuple(self._person(i, frame, keypoints) for i, keypoints in zip(ids, people, strict=True))
        self._people = {i: m for i, m in self._people.items() if frame.time_s - m.last_s < _FORGET_S}
        return seen

    def _person(self, person: int, frame: Frame, keypoints: Keypoints) -> LivePerson:
        memory = self._people.get(person)
        if memory is None:
            memory = self._people[person] = _Memory(self._rooms() if self._rooms is not None else None)
        memory.last_s = frame.time_s
        keypoints = memory.guard.step(frame.time_s, keypoints)
        lifted = self._lifter.lift(_one_frame(person, frame, keypoints), self.camera)
        pose = self._scaled(lifted.pose, lifted.scale.height_m, memory)
        xyz, sigma = memory.smooth_xyz.step(frame.time_s, pose.xyz_m[0], pose.sigma_m[0])
        root, root_sigma = memory.smooth_root.step(frame.time_s, pose.root_m[0][:, None], pose.root_sigma_m[0])
        pose = replace(
            pose, xyz_m=xyz[None], sigma_m=sigma[None], root_m=root[:, 0][None], root_sigma_m=root_sigma[None]
        )
        yaw_deg, yaw_sigma_deg = facing(pose)
        room = memory.room.step(pose, lifted.rays) if memory.room is not None else None
        angles, place_m = joint_angles(pose), np.full(3, np.nan)
        if room is not None:
            angles = joint_angles(pose, room.up.tolist(), up_sigma_deg=float(room.up_sigma_deg.max()))
            if np.isfinite(room.camera_m):
                place_m = room.place(pose.root_m[0])
        return LivePerson(person, keypoints, pose, angles, float(yaw_deg[0]), float(yaw_sigma_deg[0]), room, place_m)

    def _scaled(self, pose: PoseTrack, stature_m: float | None, memory: _Memory) -> PoseTrack:
        """Metres from the person's height; one frame's stature is too noisy, so the median of the last ones."""
        if stature_m is not None:
            memory.statures.append(stature_m)
        if self._height_m is None or not memory.statures:
            return pose
        factor = np.float32(self._height_m / np.median(memory.statures))
        return replace(
            pose,
            xyz_m=pose.xyz_m * factor,
            sigma_m=pose.sigma_m * factor,
            root_m=pose.root_m * factor,
            root_sigma_m=pose.root_sigma_m * factor,
        )

    def close(self) -> None:
        """Let the detector go."""
        self._stream.close()

    def __enter__(self) -> LiveSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _one_frame(person: int, frame: Frame, keypoints: Keypoints) -> KeypointTrack:
    valid = np.isfinite(keypoints.xy_px).all(axis=1) & np.isfinite(keypoints.sigma_px)
    return KeypointTrack(
        person=person,
        layout=keypoints.layout,
        frame=np.array([frame.index], np.int32),
        time_s=np.array([frame.time_s], np.float64),
        xy_px=keypoints.xy_px[None],
        sigma_px=keypoints.sigma_px[None],
        score=keypoints.score[None],
        valid=valid[None],
        interpolated=np.zeros_like(valid)[None],
    )
