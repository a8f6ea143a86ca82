"""Several people on one floor, and a camera that moves, with exact truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.body.camera_motion import CameraMotion
from posepipe.body.lift import STATURE_SIGMA, LiftResult, Scale
from posepipe.body.room import (
    STILL,
    Shared,
    angles_in,
    in_one_room,
    onto,
    pooled,
    room_warnings,
    scaled_by_camera,
    world_of,
)
from posepipe.body.world import World, unknown_world
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.filmed import draw_clip
from posepipe.lab.people.gait import make_walk
from posepipe.reasons import Reason
from posepipe.texts import load
from posepipe.types import PoseTrack

from .test_camera_motion import panned
from .test_world import Seen, filmed, seen, tilt_deg

Person = tuple[PoseTrack, LiftResult]


def lifted(given: Seen) -> Person:
    pose, rays, lens = given
    return pose, LiftResult(pose, Scale("given", 1.0, 1.7), lens, rays)


def two_walkers(seed: int = 3, error_m: float = 0.03) -> tuple[list[Person], list[np.ndarray], SynthCamera]:
    """Two who cross a room, each off by a lifter's own error; places in world axes of the camera."""
    camera = SynthCamera((0.5, -6.0, 1.5), (0.5, 0.0, 0.9), 700.0, 1280, 720, 6.0)
    rng = np.random.default_rng(seed)
    people, places = [], []
    for place in (np.array([-0.5, 0.5, 0.0]), np.array([0.0, 2.0, 0.0])):
        walk = make_walk(rng, duration_s=3.0, fps_hz=30.0)
        xyz = walk.xyz_m + place
        off = error_m * rng.standard_normal((1, 21, 3))
        people.append(lifted(seen(walk.time_s, camera.to_camera(xyz), camera.intrinsics, off)))
        places.append(xyz[:, 0])
    return people, places, camera


def alone(people: list[Person]) -> list[World]:
    return [world_of(*person) for person in people]


def together(people: list[Person], worlds: list[World]) -> tuple[World, ...]:
    return in_one_room([pose for pose, _ in people], [lift for _, lift in people], worlds)


def test_two_people_walk_on_one_floor() -> None:
    before, after, apart = [], [], []
    for seed in range(4):
        people, places, camera = two_walkers(seed)
        worlds = alone(people)
        assert all(world.withheld == {} for world in worlds)
        room = together(people, worlds)
        assert room[0].camera_m == room[1].camera_m
        np.testing.assert_array_equal(room[0].up, room[1].up)
        up = camera.rotation[:, 2]
        before += [tilt_deg(world, up) for world in worlds]
        after.append(tilt_deg(room[0], up))
        assert room[0].up_sigma_deg.max() <= max(world.up_sigma_deg.max() for world in worlds) * 1.5
        gap = places[1] - places[0]
        for some, out in ((worlds, 0), (room, 1)):
            miss = np.linalg.norm((some[1].root_m - some[0].root_m) - gap, axis=1)
            apart.append((out, float(np.median(miss))))
    assert np.mean(after) < np.mean(before) + 0.1
    one, both = (np.mean([miss for kind, miss in apart if kind == which]) for which in (0, 1))
    assert both < one + 0.02


def _world(up_deg: tuple[float, float], sigma_deg: float, height_m: float, height_sigma_m: float) -> World:
    roll, pitch = np.radians(up_deg)
    up = np.array([roll, -1.0, -pitch])
    blank = unknown_world(3, Reason.NO_GROUND, ("path",))
    return replace(
        blank,
        up=(up / np.linalg.norm(up)).astype(np.float32),
        up_sigma_deg=np.full(2, sigma_deg, np.float32),
        camera_m=height_m,
        camera_sigma_m=height_sigma_m,
    )


def test_what_agrees_is_pooled() -> None:
    room = pooled([_world((0.0, 0.0), 2.0, 1.4, 0.1), _world((1.0, 1.0), 2.0, 1.5, 0.1)])
    assert room is not None and room.apart == 1.0
    assert room.camera_m == pytest.approx(1.45) and room.camera_sigma_m == pytest.approx(0.1 / np.sqrt(2.0), rel=0.01)
    np.testing.assert_allclose(room.up_sigma_deg, 2.0 / np.sqrt(2.0), rtol=0.02)
    assert np.degrees(room.up[0]) == pytest.approx(0.5, abs=0.02)


def test_who_is_sure_counts_more_and_contradiction_widens() -> None:
    room = pooled([_world((0.0, 0.0), 1.0, 1.4, 0.02), _world((10.0, 0.0), 1.0, 2.0, 0.2)])
    assert room is not None and room.apart > 5.0
    assert room.camera_m < 1.42 and room.up_sigma_deg[0] > 4.0
    # Two tilts ten degrees apart: the interval reaches both.
    assert np.degrees(room.up[0]) == pytest.approx(5.0, abs=0.1)


def test_a_lens_that_all_share_is_not_averaged_away() -> None:
    some = [_world((0.0, 0.0), 2.0, 1.4, 0.1)] * 9
    alike, own = pooled(some, shared_deg=(0.0, 1.9)), pooled(some)
    assert alike is not None and own is not None
    assert alike.up_sigma_deg[1] > 1.9 > 1.0 > own.up_sigma_deg[1]


def test_one_alone_stays_alone() -> None:
    people, _, _ = two_walkers()
    worlds = alone(people[:1])
    assert together(people[:1], worlds)[0] is worlds[0]
    assert pooled([worlds[0], unknown_world(90, Reason.NOT_STANDING)]) is None


def test_who_lies_gets_the_floor_of_those_who_walk() -> None:
    people, _, _ = two_walkers()
    lying = unknown_world(len(people[0][0]), Reason.NOT_STANDING)
    given = onto(Shared.of(alone(people)[1]), *people[0], lying, STILL)
    assert given.knows("gravity") and given.knows("floor") and given.camera_m == alone(people)[1].camera_m


def test_a_camera_that_walks_gives_no_place() -> None:
    still, turning, motion, up = panned()
    moved = CameraMotion("walking", np.zeros(0), np.zeros((0, 3)))
    world, known = world_of(*lifted(still), moved), world_of(*lifted(still))
    assert set(world.withheld) == {"floor", "path"} and set(world.withheld.values()) == {Reason.CAMERA_MOVED}
    assert np.isnan(world.xyz_m).all() and np.isnan(world.camera_m) and not world.contact.any()
    assert (world.up_sigma_deg > known.up_sigma_deg).all() and known.withheld == {}
    # And one that turns does.
    found = world_of(*lifted(turning), motion)
    assert found.withheld == {} and tilt_deg(found, up) < 3.0


def test_lean_is_told_against_gravity_while_the_camera_turns() -> None:
    still, turning, motion, _ = panned()
    tilted = replace(motion, turn_rad=motion.turn_rad + np.array([0.0, 0.0, 0.05]) * np.sin(motion.time_s)[:, None])
    world = world_of(*lifted(still), STILL)
    exact, found = angles_in(world, still[0]), angles_in(world, turning[0], motion)
    lean = exact.names.index("trunk_lateral")
    np.testing.assert_allclose(found.deg[:, lean], exact.deg[:, lean], atol=0.05)
    assert np.abs(angles_in(world, turning[0], tilted).deg[:, lean] - exact.deg[:, lean]).max() > 0.4


def shrunk(move: str, by: float = 0.9) -> tuple[PoseTrack, LiftResult, float]:
    """A walker whom an assumed body makes smaller than they are, and how high the camera stands."""
    clip = draw_clip(move, 3)
    pose, lift = lifted(filmed(clip))
    parts = {name: getattr(pose, name) * np.float32(by) for name in ("xyz_m", "sigma_m", "root_m", "root_sigma_m")}
    pose = replace(pose, **parts)
    scale = Scale("assumed", 1.0, by * 1.75, STATURE_SIGMA)
    return pose, replace(lift, pose=pose, scale=scale), clip.camera.position_m[2]


@pytest.mark.parametrize("move", ["walk towards", "walk turn"])
def test_the_height_of_the_camera_sets_the_scale(move: str) -> None:
    pose, lift, height_m = shrunk(move)
    world = world_of(pose, lift)
    scaled = scaled_by_camera(pose, lift, world, height_m)
    assert scaled is not None
    scale = scaled[1].scale
    assert scale.source == "camera" and scale.height_m is not None
    # Surer than an assumed body, and it holds the truth.
    assert 0.02 < scale.sigma < STATURE_SIGMA and abs(scale.height_m / 1.75 - 1.0) < 1.645 * scale.sigma
    assert abs(world_of(*scaled).camera_m - height_m) < 0.8 * abs(world.camera_m - height_m)
    ratio = np.linalg.norm(scaled[0].xyz_m, axis=-1)[:, 1:] / np.linalg.norm(pose.xyz_m, axis=-1)[:, 1:]
    np.testing.assert_allclose(ratio, scale.factor, rtol=1e-4)


def test_a_child_is_no_adult_by_the_height_of_the_camera() -> None:
    pose, lift, height_m = shrunk("walk turn", 1.75 / 1.1)
    lift = replace(lift, scale=replace(lift.scale, height_m=1.75))
    scaled = scaled_by_camera(pose, lift, world_of(pose, lift), height_m)
    assert scaled is not None and scaled[1].scale.height_m is not None
    assert scaled[1].scale.height_m == pytest.approx(1.1, rel=0.06)
    assert abs(scaled[1].scale.height_m / 1.1 - 1.0) < 1.645 * scaled[1].scale.sigma


def test_a_height_that_makes_nobody_or_tells_too_little_is_not_used() -> None:
    pose, lift, height_m = shrunk("walk towards")
    world = world_of(pose, lift)
    assert scaled_by_camera(pose, lift, world, 9.0) is None and scaled_by_camera(pose, lift, world, 0.1) is None
    vague = replace(world, camera_sigma_m=0.4 * world.camera_m)
    assert scaled_by_camera(pose, lift, vague, height_m) is None
    assert scaled_by_camera(pose, lift, unknown_world(len(pose), Reason.NO_GROUND), height_m) is None


def test_heights_that_contradict_each_other_are_noticed() -> None:
    pose, lift, height_m = shrunk("walk towards", 1.0)
    world = world_of(pose, replace(lift, scale=Scale("given", 1.0, 1.75)))
    (said,) = room_warnings([world], ["given"], 1.5 * height_m)
    assert "body height counts" in said and load("de").warning(said).startswith("Nach der")
    assert room_warnings([world], ["given"], height_m) == ()
    blank = unknown_world(3, Reason.NO_GROUND)
    assert room_warnings([blank], ["given"], 2.5) == () and room_warnings([world], ["camera"], 2.5) == ()
    (unused,) = room_warnings([blank], ["assumed"], 2.5)
    assert "wasn't used" in unused and load("de").warning(unused) != unused
