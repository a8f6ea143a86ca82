"""People in one room: under one gravity, on one floor, before one camera that may turn or walk.

Each one's world is found alone (`posepipe.body.world`); what they share is then made of all of them, each counting as
much as it is sure, and every path found again on that floor. Where they contradict each other, sigma grows by as much
(Birge's ratio: R. T. Birge, Physical Review 40, 1932).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.camera_motion import CameraMotion, steadied, steady_pose
from posepipe.body.lift import LIFT, LiftResult, Scale
from posepipe.body.outcomes import Scales
from posepipe.body.room_lines import LINES
from posepipe.body.world import WORLD, World, find_world
from posepipe.geometry import tangents
from posepipe.reasons import Reason
from posepipe.settings import setting
from posepipe.types import Angles, PoseTrack

__all__ = [
    "ROOM", "STILL", "RoomSettings", "Shared", "angles_in", "in_one_room", "onto", "pooled", "room_warnings",
    "scaled_by_camera", "scales_of", "world_of",
]  # fmt: skip

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What a camera's height as given is taken for."""

    camera_height_sigma: float = setting(0.02, "share that it is wrong by", source="judgement: 2 to 3 cm")
    odd: float = setting(2.0, "standard deviations beyond which nobody is taken for an adult", source="judgement")
    anybody_sigma: float = setting(0.3, "share by which children's size differs", source="judgement: 0.8 to 1.7 m")
    least_weight: float = setting(0.2, "a floor that tells less of the scale isn't used", source="judgement")
    shortest_m: float = setting(0.7, "it isn't used where people would be shorter", unit="m", source="judgement")
    tallest_m: float = setting(2.3, "or taller", unit="m", source="judgement")


ROOM = RoomSettings()

_NINETY = 1.645
"""Standard deviations on either side that hold 90 % of a normal distribution."""

STILL = CameraMotion("still", np.zeros(0), np.zeros((0, 3)))


def scales_of(lifted: LiftResult) -> Scales:
    """What an assumed body size and focal length leave open."""
    return Scales(lifted.scale.sigma, LIFT.focal_error if lifted.camera.focal_guessed else 0.0)


def scaled_by_camera(
    pose: PoseTrack, lifted: LiftResult, world: World, camera_height_m: float, settings: RoomSettings = ROOM
) -> tuple[PoseTrack, LiftResult] | None:
    """Pose and what it was made of in metres, from how high the camera stands.

    Args:
        pose: the finished pose, its scale assumed.
        lifted: what it was made of.
        world: of that pose.
        camera_height_m: over the floor.
        settings: which bodies are believed.

    Returns:
        None where the floor isn't known or no surer than an assumed body, or where there is no such body.
    """
    if not world.knows("floor") or lifted.scale.height_m is None:
        return None
    assumed = lifted.scale.sigma
    own = np.sqrt(max(world.camera_sigma_m**2 - (assumed * world.camera_m) ** 2, 0.0)) / world.camera_m
    sigma = float(np.hypot(own, settings.camera_height_sigma))
    ratio = camera_height_m / world.camera_m
    if abs(np.log(ratio)) > settings.odd * np.hypot(assumed, sigma):
        assumed = settings.anybody_sigma
    # What is known of bodies counts on, as much as it is sure.
    weight = assumed**2 / (assumed**2 + sigma**2)
    factor = float(ratio**weight)
    height_m = factor * lifted.scale.height_m
    if weight < settings.least_weight or not settings.shortest_m < height_m < settings.tallest_m:
        return None
    scale = Scale("camera", factor * lifted.scale.factor, height_m, float(np.sqrt(weight)) * sigma)
    return _times(pose, factor), replace(lifted, pose=_times(lifted.pose, factor), scale=scale)


def _times(pose: PoseTrack, factor: float) -> PoseTrack:
    parts = {name: getattr(pose, name) * np.float32(factor) for name in ("xyz_m", "sigma_m", "root_m", "root_sigma_m")}
    return replace(pose, **parts)


def room_warnings(
    worlds: Sequence[World], sources: Sequence[str], camera_height_m: float, settings: RoomSettings = ROOM
) -> tuple[str, ...]:
    """What is to be said of a camera's height that was given.

    Args:
        worlds: of all people.
        sources: where each one's scale comes from; see `posepipe.body.lift.Scale`.
        camera_height_m: as given.
        settings: how sure it is.
    """
    if "assumed" in sources:
        return ("The camera's height wasn't used: the floor isn't known well enough, or it would make nobody's body.",)
    for world, source in zip(worlds, sources, strict=True):
        sigma = np.hypot(world.camera_sigma_m, settings.camera_height_sigma * camera_height_m)
        if source == "given" and abs(world.camera_m - camera_height_m) > _NINETY * sigma:
            found = f"{world.camera_m:.2f} ± {_NINETY * world.camera_sigma_m:.2f} m"
            said = f"By the body height given the camera stands {found} high, not {camera_height_m:.2f} m"
            return (f"{said}; body height counts.",)
    return ()


def world_of(
    pose: PoseTrack, lifted: LiftResult, motion: CameraMotion = STILL, fixed: tuple[Array, float, float] | None = None
) -> World:
    """Gravity, floor and path of a pose, with what an assumed body size and focal length leave open.

    Args:
        pose: the finished pose.
        lifted: what it was made of.
        motion: what the camera did; of a turning one, the world is that of the middle of its turn.
        fixed: up (3,), the camera's height and the lens, where they are known already; see `find_world`.
    """
    scale, focal = scales_of(lifted)
    placed, rays, camera = steadied(pose, lifted.rays, lifted.camera, motion)
    world = find_world(placed, rays, camera, scale_sigma=scale, focal_sigma=focal, lines=motion.lines, fixed=fixed)
    if motion.kind == "walking":
        return _adrift(world)
    if motion.kind == "turning" and focal and world.knows("path"):
        # An assumed lens turns the camera by too much or too little.
        angle = np.linalg.norm(motion.rotation_vector(pose.time_s), axis=1)
        away = np.linalg.norm(world.root_m[:, :2], axis=1)
        more = (world.lens_sigma * angle * away)[:, None]
        return replace(world, root_sigma_m=np.hypot(world.root_sigma_m, more))
    return world


def _adrift(world: World) -> World:
    """What is left of a world whose camera went along."""
    gone = {part: world.withheld.get(part, Reason.CAMERA_MOVED) for part in ("floor", "path")}
    was_known = world.knows("path")
    return replace(
        world,
        up_sigma_deg=world.up_sigma_deg * np.float32(WORLD.adrift if was_known else 1.0),
        camera_m=float("nan"),
        camera_sigma_m=float("nan"),
        xyz_m=np.full_like(world.xyz_m, np.nan),
        root_sigma_m=np.full_like(world.root_sigma_m, np.nan),
        contact=np.zeros_like(world.contact),
        withheld={**world.withheld, **gone},
    )


def angles_in(world: World, pose: PoseTrack, motion: CameraMotion = STILL) -> Angles:
    """Joint angles, the trunk's lean against gravity where it is known, else against the camera's own up."""
    if not world.knows("gravity"):
        return joint_angles(pose)
    pose = steady_pose(pose, motion)
    return joint_angles(pose, world.up.tolist(), up_sigma_deg=float(np.max(world.up_sigma_deg)))


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What several people know of one room together.

    Attributes:
        up: (3,) unit vector against gravity, camera frame.
        up_sigma_deg: (2,) its standard deviation, as in `World`.
        camera_m, camera_sigma_m: height of the camera over the floor; NaN if nobody stands on it.
        apart: Birge's ratio of gravity and height, 1 where people agree.
        lens: as in `World`.
    """

    up: Array
    up_sigma_deg: Array
    camera_m: float
    camera_sigma_m: float
    apart: float
    lens: float = 0.0

    @classmethod
    def of(cls, world: World) -> Shared:
        """What is known by one of them."""
        up = world.up.astype(np.float64)
        return cls(up, world.up_sigma_deg.astype(np.float64), world.camera_m, world.camera_sigma_m, 1.0, world.lens)


def pooled(worlds: Sequence[World], shared_deg: tuple[float, float] = (0.0, 0.0)) -> Shared | None:
    """What worlds that know gravity say together; None if fewer than two do.

    Args:
        worlds: of people before the same camera.
        shared_deg: what an assumed lens and the edges of the room get wrong in all of them alike, across the picture
            and in depth.
    """
    some = [world for world in worlds if world.knows("gravity")]
    if len(some) < 2:
        return None
    ups = np.stack([world.up for world in some]).astype(np.float64)
    middle = ups.mean(axis=0)
    middle /= np.linalg.norm(middle)
    doubt = np.stack([world.up_sigma_deg for world in some]).astype(np.float64)
    alike = np.minimum(np.array(shared_deg), 0.98 * doubt.min(axis=0))
    own = np.sqrt(np.maximum(doubt**2 - alike**2, 0.01))
    off, sigma, apart = _mean(np.degrees(ups @ tangents(middle).T), own)
    up = middle + np.radians(off) @ tangents(middle)
    floors = [world for world in some if world.knows("floor")]
    height, height_sigma, height_apart = np.nan, np.nan, 1.0
    if floors:
        mean = _mean(
            np.array([[world.camera_m] for world in floors]), np.array([[world.camera_sigma_m] for world in floors])
        )
        height, height_sigma, height_apart = float(mean[0][0]), float(mean[1][0]), float(mean[2].max())
    firm = np.array([1.0 / max(world.lens_sigma, 1e-3) ** 2 for world in some])
    lens = float((firm * [world.lens for world in some]).sum() / firm.sum())
    both = max(float(apart.max()), height_apart)
    return Shared(up / np.linalg.norm(up), np.hypot(sigma, alike), height, height_sigma, both, lens)


def _mean(values: Array, sigma: Array) -> tuple[Array, Array, Array]:
    """Weighted mean (K,) of values (N, K), its standard deviation, and Birge's ratio, 1 at least."""
    weight = 1.0 / np.maximum(sigma, 1e-4) ** 2
    mean = (weight * values).sum(axis=0) / weight.sum(axis=0)
    spread = (weight * (values - mean) ** 2).sum(axis=0) / max(len(values) - 1, 1)
    apart = np.sqrt(np.maximum(spread, 1.0))
    return mean, apart / np.sqrt(weight.sum(axis=0)), apart


def in_one_room(
    poses: Sequence[PoseTrack], lifts: Sequence[LiftResult], worlds: Sequence[World], motion: CameraMotion = STILL
) -> tuple[World, ...]:
    """Worlds of people found alone, brought onto one floor; as they are if fewer than two know where up is.

    Args:
        poses: of each person.
        lifts: what they were made of.
        worlds: as found alone.
        motion: what the camera did.
    """
    tipped = [
        world.lens_sigma * np.degrees(abs(np.arcsin(np.clip(world.up[2], -1.0, 1.0))))
        for world in worlds
        if world.knows("gravity")
    ]
    edges = LINES.lens_deg if len(motion.lines) else 0.0
    room = pooled(worlds, (edges, float(np.hypot(edges, np.mean(tipped or [0.0])))))
    if room is None:
        return tuple(worlds)
    return tuple(
        onto(room, pose, lifted, world, motion) for pose, lifted, world in zip(poses, lifts, worlds, strict=True)
    )


def onto(room: Shared, pose: PoseTrack, lifted: LiftResult, world: World, motion: CameraMotion) -> World:
    """One person's world with what all know together."""
    if np.isfinite(room.camera_m):
        again = world_of(pose, lifted, motion, (room.up, room.camera_m, room.lens))
        sigma = again.root_sigma_m
        if world.knows("path"):
            sigma = np.maximum(sigma, np.float32(room.apart) * world.root_sigma_m)
        withheld = {part: reason for part, reason in again.withheld.items() if part == "path"}
        world = replace(again, root_sigma_m=sigma, withheld=withheld)
    else:
        withheld = {part: reason for part, reason in world.withheld.items() if part != "gravity"}
        world = replace(world, withheld=withheld)
    return replace(
        world,
        up=room.up.astype(np.float32),
        up_sigma_deg=room.up_sigma_deg.astype(np.float32),
        camera_m=room.camera_m,
        camera_sigma_m=room.camera_sigma_m,
    )
