"""Gravity, floor and path on people with exact truth: exact joints, then joints off as a lifter's are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.body.lift import Rays
from posepipe.body.world import FEET, PARTS, WORLD, World, find_world, level_axes, unknown_world
from posepipe.body.world_solve import SOLVE
from posepipe.errors import UsageError
from posepipe.geometry import from_rotation_vector, tangents
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.filmed import FEET as FOOT
from posepipe.lab.people.filmed import MOVES, RoomClip, draw_clip
from posepipe.lab.people.gait import cameras_for, make_walk
from posepipe.reasons import Reason
from posepipe.skeleton import BODY21
from posepipe.types import Camera, PoseTrack

from .bodies import standing

Seen = tuple[PoseTrack, Rays, Camera]


def seen(time_s: np.ndarray, xyz: np.ndarray, lens: Camera, error_m: np.ndarray | float = 0.0) -> Seen:
    """What lifter and detector say of joints (F, 21, 3) in the camera frame; poses off by `error_m`, pixels exact."""
    frames, joints = xyz.shape[:2]
    relative = xyz - xyz[:, :1] + error_m
    relative -= relative[:, :1]
    valid = np.ones((frames, joints), bool)
    sigma = np.full((frames, joints), 0.03, np.float32)
    root = xyz[:, 0].astype(np.float32)
    pose = PoseTrack(BODY21, time_s, relative.astype(np.float32), sigma, root, root * 0 + 0.1, valid, ~valid)
    rays = (xyz[..., :2] / xyz[..., 2:]).astype(np.float32)
    noise = np.full((frames, joints), 0.005, np.float32)
    return pose, Rays(rays, noise, valid, np.zeros(frames, bool)), lens


def filmed(clip: RoomClip, error_m: np.ndarray | float = 0.0) -> Seen:
    return seen(clip.time_s, clip.camera.to_camera(clip.xyz_m), clip.camera.intrinsics, error_m)


def tilt_deg(world: World, up: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(world.up @ up / np.linalg.norm(world.up), -1.0, 1.0))))


def true_place(clip: RoomClip) -> np.ndarray:
    """(F, 21, 3) in the axes of a `World`."""
    level = clip.camera.to_camera(clip.xyz_m) @ level_axes(clip.up).T
    return level + np.array([0.0, 0.0, clip.camera.position_m[2]])


@pytest.mark.parametrize("move", [move for move in MOVES if move.startswith("walk")])
def test_a_walk_with_exact_joints_is_found_in_the_room(move: str) -> None:
    clip = draw_clip(move, 3)
    world = find_world(*filmed(clip))
    assert world.withheld == {}
    # From the side, pitch rests on balance alone, and walkers lean a little.
    assert tilt_deg(world, clip.up) < (3.0 if move == "walk side" else 2.0)
    truth = true_place(clip)
    way = np.linalg.norm(np.diff(truth[:, 0, :2], axis=0), axis=1).sum()
    missed = (world.root_m[-1] - world.root_m[0]) - (truth[-1, 0] - truth[0, 0])
    assert np.linalg.norm(missed[:2]) < 0.03 * way
    assert world.camera_m == pytest.approx(clip.camera.position_m[2], abs=0.25)
    feet = world.xyz_m[:, BODY21.indices(*FEET)]
    assert np.abs(np.median(feet[world.contact][:, 2]) - WORLD.sole_m) < 0.02
    # What is said to stand does.
    moved = np.linalg.norm(np.gradient(clip.xyz_m[:, FOOT], clip.time_s, axis=0), axis=-1)
    assert np.median(moved[world.contact]) < 0.05 and 0.2 < world.contact.mean() < 0.7


@pytest.mark.parametrize("roll_deg", [-15.0, 15.0])
def test_the_roll_of_a_camera_is_found(roll_deg: float) -> None:
    clip = draw_clip("squat", 8, roll_deg=roll_deg)
    world = find_world(*filmed(clip))
    across = np.degrees(tangents(clip.up)[0] @ world.up)
    assert abs(across) < 3.0 and clip.camera.roll_deg == roll_deg


def test_sigma_holds_the_truth_of_lifted_joints() -> None:
    inside, path = [], []
    for seed in range(14):
        clip = draw_clip(MOVES[seed % len(MOVES)], 40 + seed)
        rng = np.random.default_rng(seed)
        error = 0.025 * rng.standard_normal((1, 21, 3)) + 0.01 * rng.standard_normal((len(clip.time_s), 21, 3))
        error[..., 2] *= 1.5
        world = find_world(*filmed(clip, error))
        off = np.degrees(tangents(clip.up) @ world.up)
        inside.append(np.abs(off) / world.up_sigma_deg)
        if world.knows("path"):
            path.append(np.abs(world.camera_m - clip.camera.position_m[2]) / world.camera_sigma_m)
    assert np.mean(np.array(inside) < 1.645) > 0.75
    assert np.mean(np.array(path) < 1.645) > 0.7


def test_nothing_of_the_pose_is_changed() -> None:
    pose, rays, lens = filmed(draw_clip("lunge", 2))
    before = pose.xyz_m.copy(), pose.root_m.copy(), rays.xy.copy()
    world = find_world(pose, rays, lens)
    for was, now in zip(before, (pose.xyz_m, pose.root_m, rays.xy), strict=True):
        np.testing.assert_array_equal(was, now)
    still = find_world(pose, rays, lens, joints=None)
    turned = (still.xyz_m - still.root_m[:, None]) @ still.rotation
    np.testing.assert_allclose(turned, pose.xyz_m, atol=1e-5)
    assert still.sigma_m is not None and world.sigma_m is not None
    np.testing.assert_allclose(still.sigma_m, pose.sigma_m)
    assert (world.sigma_m <= pose.sigma_m).all() and world.sigma_m.mean() < 0.97 * pose.sigma_m.mean()


def test_a_long_clip_in_pieces_is_as_a_whole_one() -> None:
    walk = make_walk(np.random.default_rng(4), duration_s=10.0, fps_hz=30.0, turn_m=2.0)
    camera = SynthCamera((2.0, -7.0, 1.4), (2.0, 0.0, 0.9), 700.0, 1280, 720)
    given = seen(walk.time_s, camera.to_camera(walk.xyz_m), camera.intrinsics)
    whole = find_world(*given)
    parts = find_world(*given, settings=replace(WORLD, piece_frames=90, overlap_frames=30))
    assert parts.withheld == whole.withheld == {}
    assert tilt_deg(parts, whole.up.astype(float)) < 1.5
    assert np.abs(parts.root_m - whole.root_m).max() < 0.15
    assert np.abs(np.diff(parts.root_m, axis=0)).max() < 0.1


def test_a_camera_that_goes_along_gives_no_path() -> None:
    walk = make_walk(np.random.default_rng(5), duration_s=4.0, fps_hz=30.0)
    cameras = cameras_for(walk, yaw_deg=90.0, kind="follow")
    xyz = np.stack([camera.to_camera(pose) for camera, pose in zip(cameras, walk.xyz_m, strict=True)])
    world = find_world(*seen(walk.time_s, xyz, cameras[0].intrinsics))
    assert world.knows("gravity") and set(world.withheld) == {"floor", "path"}
    assert set(world.withheld.values()) == {Reason.NO_GROUND}
    assert np.isnan(world.xyz_m).all() and np.isnan(world.camera_m) and not world.contact.any()
    assert (world.up_sigma_deg > 3.0).all()


def _still(body: np.ndarray, seconds: float = 2.0) -> Seen:
    frames = round(30 * seconds)
    time_s = np.arange(frames) / 30.0
    return seen(
        time_s, np.repeat(body[None], frames, axis=0) + np.array([0, 0, 4.0]), Camera(1280, 960, 900.0, "given")
    )


def test_who_lies_tells_no_up() -> None:
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    world = find_world(*_still(standing() @ turn.T))
    assert dict(world.withheld) == dict.fromkeys(PARTS, Reason.NOT_STANDING)


def test_who_sits_tells_no_up() -> None:
    body = standing()
    for side in ("left", "right"):
        hip, knee = body[BODY21.index(f"{side}_hip")], BODY21.index(f"{side}_knee")
        shift = hip + np.array([0.0, 0.05, -0.42]) - body[knee]
        for part in ("knee", "ankle", "heel", "foot_index"):
            body[BODY21.index(f"{side}_{part}")] += shift
    world = find_world(*_still(body))
    assert dict(world.withheld) == dict.fromkeys(PARTS, Reason.NOT_STANDING)


def test_who_hangs_tells_no_up() -> None:
    body = standing()
    for side in ("left", "right"):
        body[BODY21.index(f"{side}_elbow")] = body[BODY21.index(f"{side}_shoulder")] + np.array([0.0, -0.28, 0.0])
        body[BODY21.index(f"{side}_wrist")] = body[BODY21.index(f"{side}_shoulder")] + np.array([0.0, -0.54, 0.0])
    assert find_world(*_still(body)).withheld["gravity"] == Reason.NOT_STANDING


@pytest.mark.parametrize(("seconds", "reason"), [(0.2, Reason.TOO_FEW_FRAMES), (0.7, Reason.TOO_SHORT), (2.0, None)])
def test_how_long_it_takes(seconds: float, reason: Reason | None) -> None:
    assert find_world(*_still(standing(), seconds)).withheld.get("gravity") == reason


def test_feet_out_of_the_picture_tell_no_floor() -> None:
    pose, rays, _ = _still(standing())
    assert find_world(pose, rays, Camera(1280, 400, 900.0, "given")).withheld["floor"] == Reason.OUT_OF_FRAME
    lost = rays.valid.copy()
    lost[:, FOOT] = False
    assert find_world(pose, rays._replace(valid=lost), Camera(1280, 960, 900.0)).withheld["path"] == Reason.JOINT_UNSEEN


def test_gaps_and_uneven_times_are_borne() -> None:
    clip = draw_clip("walk oblique", 6)
    pose, rays, lens = filmed(clip)
    keep = np.random.default_rng(1).random(len(pose)) < 0.8
    keep[[0, -1]] = True
    gone = slice(40, 48)
    valid, root = pose.valid.copy(), pose.root_m.copy()
    valid[gone], root[gone] = False, np.nan
    pose = replace(pose, valid=valid, root_m=root, xyz_m=np.where(valid[..., None], pose.xyz_m, np.nan))
    thin = PoseTrack(BODY21, *(getattr(pose, name)[keep] for name in (
        "time_s", "xyz_m", "sigma_m", "root_m", "root_sigma_m", "valid", "interpolated")))  # fmt: skip
    world = find_world(thin, Rays(*(part[keep] for part in rays)), lens)
    assert world.withheld == {} and tilt_deg(world, clip.up) < 3.0
    assert np.isnan(world.xyz_m[~valid[keep].any(axis=1)]).all()
    assert np.isfinite(world.root_m[valid[keep].all(axis=1)]).all()


def test_assumed_size_and_lens_widen_the_doubt() -> None:
    given = filmed(draw_clip("walk towards", 9))
    sure, unsure = find_world(*given), find_world(*given, scale_sigma=0.06, focal_sigma=0.15)
    assert (unsure.root_sigma_m[:, 1] > 2.0 * sure.root_sigma_m[:, 1]).all()
    assert unsure.camera_sigma_m > sure.camera_sigma_m


def test_a_world_checks_its_shapes() -> None:
    world = unknown_world(5, Reason.TOO_SHORT)
    assert len(world) == 5 and not world.knows("gravity")
    np.testing.assert_allclose(world.rotation @ np.array([0.0, -1.0, 0.0]), [0.0, 0.0, 1.0], atol=1e-12)
    with pytest.raises(UsageError, match="contact"):
        replace(world, contact=np.zeros((5, 3), bool))


def _through_a_wrong_lens(clip: RoomClip, factor: float) -> Seen:
    """A clip lifted with a focal length `factor` times the true one: the path is as much further away."""
    xyz = clip.camera.to_camera(clip.xyz_m)
    pose, rays, lens = filmed(clip)
    far = pose.root_m * np.array([1.0, 1.0, factor], np.float32)
    wrong = replace(lens, focal_px=factor * lens.focal_px, focal_source="assumed")
    return replace(pose, root_m=far), rays._replace(xy=(xyz[..., :2] / xyz[..., 2:] / factor).astype(np.float32)), wrong


def test_a_lens_that_was_assumed_is_unknown() -> None:
    inside = []
    for seed, factor in enumerate((0.8, 0.9, 1.15, 1.3)):
        clip = draw_clip("walk turn", 60 + seed)
        world = find_world(*_through_a_wrong_lens(clip, factor), focal_sigma=0.26)
        assert world.knows("path") and 0.05 < world.lens_sigma < 0.27
        assert abs(world.lens + np.log(factor)) < 2.5 * world.lens_sigma
        miss = np.abs(world.root_m - true_place(clip)[:, 0])
        inside.append((miss < 1.645 * world.root_sigma_m).mean())
    assert np.mean(inside) > 0.85
    known = find_world(*filmed(draw_clip("walk turn", 60)))
    assert known.lens == known.lens_sigma == 0.0


def test_how_high_cameras_stand_holds_pitch_on_the_spot() -> None:
    free = replace(SOLVE, stand_sigma_m=1e4)
    off: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(6):
        clip = draw_clip("squat", 70 + seed)
        xyz = clip.camera.to_camera(clip.xyz_m)
        lean = from_rotation_vector(np.radians([8.0 * (-1.0) ** seed, 0.0, 0.0]))
        error = (xyz - xyz[:, :1]) @ lean.T - (xyz - xyz[:, :1])
        for held in (True, False):
            firmness = SOLVE if held else free
            off[held].append(tilt_deg(find_world(*filmed(clip, error), firmness=firmness, joints=None), clip.up))
    # Of one of them nothing is told.
    assert np.isfinite(off[True]).sum() == 5
    assert np.nanmean(off[True]) < 0.9 * np.nanmean(off[False])


def test_who_stays_on_the_spot_is_told_roughly() -> None:
    assert find_world(*filmed(draw_clip("squat", 8))).rough
    assert not find_world(*filmed(draw_clip("walk towards", 8))).rough
    assert not unknown_world(5, Reason.TOO_SHORT).rough


def test_a_size_that_wavers_leads_nowhere() -> None:
    clip = draw_clip("squat", 8)
    pose, rays, lens = filmed(clip)
    # Lifted larger and smaller in turns, who stays on the spot seems to come and go.
    size = (1.0 + 0.17 * np.sin(2.0 * np.pi * clip.time_s / 3.0)).astype(np.float32)
    pose = replace(pose, xyz_m=pose.xyz_m * size[:, None, None], root_m=pose.root_m * size[:, None])
    assert np.ptp(pose.root_m[:, 2]) > WORLD.goes_m
    assert find_world(pose, rays, lens).rough


def test_the_lifters_mean_lean_is_taken_into_account() -> None:
    blind = replace(WORLD, spot_away_deg=0.0, spot_away=0.0)
    off: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(6):
        clip = draw_clip(("squat", "jumping_jack")[seed % 2], 80 + seed)
        xyz = clip.camera.to_camera(clip.xyz_m)
        sight = xyz[:, 0].mean(axis=0) / np.linalg.norm(xyz[:, 0].mean(axis=0))
        away = np.radians(WORLD.spot_away_deg) + WORLD.spot_away * np.arcsin(-clip.up @ sight)
        lean = from_rotation_vector(away * np.cross(clip.up, sight))
        error = (xyz - xyz[:, :1]) @ lean.T - (xyz - xyz[:, :1])
        for told in (True, False):
            world = find_world(*filmed(clip, error), settings=WORLD if told else blind, joints=None)
            off[told].append(tilt_deg(world, clip.up))
    assert np.nanmean(off[True]) < 0.9 * np.nanmean(off[False])
