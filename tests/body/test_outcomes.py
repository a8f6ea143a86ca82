"""Jumps, speed, steps and turning of people whose truth is exact, then of joints off as a lifter's are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from posepipe.body.outcomes import OUTCOMES, Estimate, Footfall, Outcomes, Scales, find_outcomes
from posepipe.body.smooth import smooth
from posepipe.body.world import World, find_world, unknown_world
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.filmed import draw_clip
from posepipe.lab.people.gait import SynthWalk, make_walk
from posepipe.lab.people.jump import GRAVITY_MPS2, Jump, make_jump
from posepipe.reasons import Reason
from posepipe.types import PoseTrack

from .test_world import filmed, seen

NINETY = 1.645


def jumped(seed: int, error_m: float = 0.0) -> tuple[Jump, World, PoseTrack]:
    rng = np.random.default_rng(seed)
    jump = make_jump(rng)
    bearing = rng.uniform(0.0, 2.0 * np.pi)
    place = (4.0 * np.cos(bearing), 4.0 * np.sin(bearing), rng.uniform(0.6, 2.0))
    camera = SynthCamera(place, (0.0, 0.0, 0.95), 700.0, 1280, 720, float(rng.normal(0.0, 3.0)))
    off = 2.0 * error_m * rng.standard_normal((1, 21, 3)) + error_m * rng.standard_normal((len(jump.time_s), 21, 3))
    pose, rays, lens = seen(jump.time_s, camera.to_camera(jump.xyz_m), camera.intrinsics, off)
    pose = smooth(pose, 6.0) if error_m else pose
    return jump, find_world(pose, rays, lens), pose


def test_made_jumps_obey_gravity() -> None:
    jump = make_jump(np.random.default_rng(0), height_m=0.3)
    low = jump.xyz_m[:, :, 2].min(axis=1)
    assert np.all(low > 0.0) and np.ptp(low) > 0.2
    for start, end in jump.flights_s:
        air = (jump.time_s > start + 0.05) & (jump.time_s < end - 0.05)
        fall = np.polyfit(jump.time_s[air], jump.xyz_m[air, 0, 2], 2)
        assert -2.0 * fall[0] == pytest.approx(GRAVITY_MPS2, rel=0.02)
        rise = jump.xyz_m[air, 0, 2].max() - np.interp(start, jump.time_s, jump.xyz_m[:, 0, 2])
        assert rise == pytest.approx(0.3, abs=0.01)


def test_jumps_are_measured() -> None:
    for seed in range(4):
        jump, world, pose = jumped(seed)
        found = find_outcomes(world, pose, ())
        assert len(found.jumps) == len(jump.heights_m)
        for one, height, (start, end) in zip(found.jumps, jump.heights_m, jump.flights_s, strict=True):
            assert one.height_m.value == pytest.approx(height, abs=0.02)
            assert one.flight_s.value == pytest.approx(end - start, abs=0.03)
            assert abs(one.start_s - start) < 0.03
        best = found.items["jump_height_m"]
        assert isinstance(best, Estimate) and best.value == max(one.height_m.value for one in found.jumps)
        assert found.items["walking_speed_mps"] == Reason.NOT_WALKING


def test_jumps_of_lifted_joints_are_within_their_sigma() -> None:
    miss, inside = [], []
    for seed in range(10):
        jump, world, pose = jumped(seed, 0.01)
        for one in find_outcomes(world, pose, ()).jumps:
            near = int(np.argmin(np.abs(jump.flights_s[:, 0] - one.start_s)))
            miss.append(one.height_m.value - jump.heights_m[near])
            inside.append(abs(miss[-1]) < NINETY * one.height_m.sigma)
    assert len(miss) >= 18 and np.median(np.abs(miss)) < 0.04 and np.mean(inside) > 0.75


@pytest.mark.parametrize("move", ["squat", "walk side", "deadlift"])
def test_who_stays_on_the_floor_does_not_jump(move: str) -> None:
    pose, rays, lens = filmed(draw_clip(move, 8))
    found = find_outcomes(find_world(pose, rays, lens), pose, ())
    assert found.jumps == () and found.items["jump_height_m"] == Reason.NOT_JUMPING


def walkers(seeds: range, turn_m: float | None = None) -> Iterator[tuple[SynthWalk, World, PoseTrack, list[Footfall]]]:
    for seed in seeds:
        rng = np.random.default_rng(seed)
        walk = make_walk(rng, duration_s=5.0 if turn_m else 3.5, fps_hz=30.0, turn_m=turn_m)
        middle = walk.xyz_m[:, 0].mean(axis=0)
        bearing = rng.uniform(0.0, 2.0 * np.pi)
        place = (middle[0] + 6.0 * np.cos(bearing), middle[1] + 6.0 * np.sin(bearing), 1.3)
        camera = SynthCamera(place, (middle[0], middle[1], 0.9), 600.0, 1280, 720)
        pose, rays, lens = seen(walk.time_s, camera.to_camera(walk.xyz_m), camera.intrinsics)
        falls = [Footfall(event.side, event.time_s) for event in walk.events if event.kind == "heel_strike"]
        yield walk, find_world(pose, rays, lens), pose, falls


def test_a_walk_from_any_side_is_measured() -> None:
    for walk, world, pose, falls in walkers(range(5)):
        found, truth = find_outcomes(world, pose, falls), walk.truth
        items = {name: item for name, item in found.items.items() if isinstance(item, Estimate)}
        assert items["walking_speed_mps"].value == pytest.approx(truth.walking_speed_mps, rel=0.03)
        assert items["step_length_m"].value == pytest.approx(np.mean(list(truth.step_length_m.values())), rel=0.04)
        assert items["step_width_m"].value == pytest.approx(truth.step_width_m, abs=0.05)
        assert abs(items["turn_deg"].value) < 4.0 and found.steps >= 2


def test_half_a_turn_is_half_a_turn() -> None:
    for _, world, pose, falls in walkers(range(2), turn_m=2.2):
        turn = find_outcomes(world, pose, falls).items["turn_deg"]
        assert isinstance(turn, Estimate) and abs(turn.value) == pytest.approx(180.0, abs=8.0)
        steady = [fall._replace(steady=i < 3) for i, fall in enumerate(falls)]
        speed = find_outcomes(world, pose, steady).items["walking_speed_mps"]
        # Strides in a turn don't tell how fast somebody walks.
        assert isinstance(speed, Estimate)
        sharp = [falls[0], falls[2], falls[-3], falls[-1]]
        assert not isinstance(find_outcomes(world, pose, sharp).items["turn_deg"], Estimate)


def test_assumed_size_and_lens_widen_the_doubt() -> None:
    _, world, pose, falls = next(walkers(range(6, 7)))
    sure, unsure = (
        find_outcomes(world, pose, falls, scales=scales).items["walking_speed_mps"]
        for scales in (None, Scales(0.06, 0.15))
    )
    assert isinstance(sure, Estimate) and isinstance(unsure, Estimate)
    assert unsure.sigma > sure.sigma and unsure.sigma > 0.06 * unsure.value


def test_what_is_not_known_has_its_reason() -> None:
    _, world, pose, falls = next(walkers(range(1)))
    none = find_outcomes(world, pose, (), not_walking=Reason.NOT_ANALYSED)
    assert none.items["step_length_m"] == Reason.NOT_ANALYSED
    few = find_outcomes(world, pose, falls[:1])
    assert few.items["walking_speed_mps"] == Reason.TOO_FEW_STRIDES
    moved = replace(world, withheld={"floor": Reason.CAMERA_MOVED, "path": Reason.CAMERA_MOVED})
    gone = find_outcomes(moved, pose, falls)
    assert not gone.known and gone.items == dict.fromkeys(OUTCOMES, Reason.CAMERA_MOVED)
    blank = unknown_world(len(pose), Reason.TOO_SHORT)
    assert set(find_outcomes(blank, pose, falls).items.values()) == {Reason.TOO_SHORT}
    assert not Outcomes().known
