"""Gravity and floor while a camera runs: from the first seconds, refined as it goes.

The same problem as for a clip, over a short window of thinned frames, solved after growing waits. What a window tells
is averaged with what earlier ones told; its sigma isn't made smaller by that, for the lifter errs alike in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import Rays
from posepipe.body.world import World, find_world, level_axes
from posepipe.geometry import tangents
from posepipe.settings import setting
from posepipe.skeleton import BODY21
from posepipe.types import Camera, PoseTrack

__all__ = ["LIVE_WORLD", "LiveRoom", "LiveWorld", "LiveWorldSettings"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LiveWorldSettings:
    """When the room is looked for, and in how much of what was seen."""

    rate_hz: float = setting(15.0, "frames a second that are kept", unit="Hz", source="judgement: a stance lasts 0.6 s")
    first_s: float = setting(2.0, "until it is first told", unit="s", source="judgement: two steps")
    again_s: float = setting(4.0, "until it is told again; each wait is twice the one before", unit="s",
                             source="judgement")  # fmt: skip
    longest_s: float = setting(16.0, "but no longer than this", unit="s", source="judgement")
    window_s: float = setting(8.0, "of what was seen that is looked at", unit="s",
                              source="half a millisecond a frame: 0.25 ms over the shortest wait")  # fmt: skip
    windows: int = setting(120, "windows that are averaged, the newest", source="judgement: half an hour")


LIVE_WORLD = LiveWorldSettings()


@dataclass(frozen=True, slots=True, eq=False)
class LiveRoom:
    """What is known of the room by now.

    Attributes:
        up: (3,) unit vector against gravity, camera frame.
        up_sigma_deg: (2,) its standard deviation, as in `posepipe.body.world.World`.
        camera_m, camera_sigma_m: height of the camera over the floor; NaN where no floor is known.
    """

    up: Array
    up_sigma_deg: Array
    camera_m: float
    camera_sigma_m: float

    def place(self, point_m: NDArray[np.floating]) -> Array:
        """A point (3,) of the camera frame in world axes; its height is over the camera where no floor is known."""
        height = self.camera_m if np.isfinite(self.camera_m) else 0.0
        return np.asarray(level_axes(self.up) @ point_m + np.array([0.0, 0.0, height]))


class LiveWorld:
    """One person's room; feed it frames with `step`.

    Args:
        camera: of the pictures.
        scale_sigma, focal_sigma: as in `posepipe.body.world.find_world`.
        settings: when and in how much.

    Attributes:
        room: what is known by now; None if nothing is.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        scale_sigma: float = 0.0,
        focal_sigma: float = 0.0,
        settings: LiveWorldSettings = LIVE_WORLD,
    ) -> None:
        self._camera = camera
        self._sigmas = scale_sigma, focal_sigma
        self._settings = settings
        self._seen: list[tuple[PoseTrack, Rays]] = []
        self._wait_s, self._due_s = settings.again_s, np.nan
        self._first: LiveRoom | None = None
        self._told: list[LiveRoom] = []
        # What is known by now: made when something is told, not for every frame.
        self.room: LiveRoom | None = None

    def step(self, pose: PoseTrack, rays: Rays) -> LiveRoom | None:
        """Take in a frame, and say what is known by now.

        Args:
            pose: of one frame, in BODY21.
            rays: what it was lifted from.
        """
        time_s, settings = float(pose.time_s[0]), self._settings
        if np.isnan(self._due_s):
            self._due_s = time_s + settings.first_s
        before_s = self._seen[-1][0].time_s[0] if self._seen else -np.inf
        if time_s - before_s > 0.9 / settings.rate_hz:
            self._seen.append((pose, rays))
        if time_s < self._due_s:
            return self.room
        found = self._found(time_s - settings.window_s)
        early = self._first is None and not self._told and self._wait_s == settings.again_s
        self._due_s = time_s + self._wait_s
        self._wait_s = min(2.0 * self._wait_s, settings.longest_s)
        if found is None:
            return self.room
        # The first look is at the beginning of what the second looks at.
        if early:
            self._first = self.room = found
        else:
            self._told = [*self._told[1 - settings.windows :], found]
            self.room = _average(self._told)
        return self.room

    def _found(self, since_s: float) -> LiveRoom | None:
        self._seen = [item for item in self._seen if item[0].time_s[0] > since_s]
        poses, rays = [pose for pose, _ in self._seen], [ray for _, ray in self._seen]
        names = ("time_s", "xyz_m", "sigma_m", "root_m", "root_sigma_m", "valid", "interpolated")
        pose = PoseTrack(BODY21, *(np.concatenate([getattr(one, name) for one in poses]) for name in names))
        seen = Rays(*(np.concatenate(part) for part in zip(*rays, strict=True)))
        scale, focal = self._sigmas
        return _room(find_world(pose, seen, self._camera, scale_sigma=scale, focal_sigma=focal, joints=None))


def _room(world: World) -> LiveRoom | None:
    if not world.knows("gravity"):
        return None
    sigma = world.up_sigma_deg.astype(np.float64)
    return LiveRoom(world.up.astype(np.float64), sigma, world.camera_m, world.camera_sigma_m)


def _average(told: list[LiveRoom]) -> LiveRoom:
    """Each by what it knows; sigma that of a usual one."""
    up = np.mean([room.up for room in told], axis=0)
    up /= np.linalg.norm(up)
    across = tangents(up)
    firm = np.stack([room.up_sigma_deg for room in told]) ** -2.0
    off = (firm * np.stack([across @ room.up for room in told])).sum(axis=0) / firm.sum(axis=0)
    up = up + off @ across
    floors = [room for room in told if np.isfinite(room.camera_m)]
    height, sigma = np.nan, np.nan
    if floors:
        weight = np.array([room.camera_sigma_m for room in floors]) ** -2.0
        height = float((weight * [room.camera_m for room in floors]).sum() / weight.sum())
        sigma = float(weight.mean() ** -0.5)
    return LiveRoom(up / np.linalg.norm(up), firm.mean(axis=0) ** -0.5, height, sigma)
