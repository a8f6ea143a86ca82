"""The measure of the world: exact answers have no error, and what is wrong shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posepipe.body.camera_motion import CameraMotion
from posepipe.body.lift import assumed_camera
from posepipe.body.room_lines import planes_of
from posepipe.body.world import World, level_axes, unknown_world
from posepipe.geometry import from_rotation_vector
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.filmed import RoomClip, _Poster, draw_clip, write_clip
from posepipe.lab.people.scene import Room
from posepipe.lab.world import _summary, _through, measure
from posepipe.reasons import Reason
from posepipe.skeleton import BODY21
from posepipe.types import Camera, PoseTrack


def _exact(clip: RoomClip) -> tuple[np.ndarray, PoseTrack, World]:
    xyz = clip.camera.to_camera(clip.xyz_m).astype(np.float32)
    frames = len(xyz)
    valid = np.ones(xyz.shape[:2], bool)
    sigma = np.full(xyz.shape[:2], 0.02, np.float32)
    root = xyz[:, 0]
    pose = PoseTrack(BODY21, clip.time_s, xyz - xyz[:, :1], sigma, root, root * 0, valid, ~valid)
    place = clip.camera.to_camera(clip.xyz_m) @ level_axes(clip.up).T
    place[..., 2] += clip.camera.position_m[2]
    world = World(
        clip.up.astype(np.float32), np.ones(2, np.float32), clip.camera.position_m[2], 0.05, place.astype(np.float32),
        np.full((frames, 3), 0.05, np.float32), np.ones((frames, 4), bool),
    )  # fmt: skip
    return np.arange(frames, dtype=np.int32), pose, world


@pytest.fixture(scope="module")
def clip() -> RoomClip:
    return draw_clip("walk oblique", 12)


def test_the_truth_has_no_error(clip: RoomClip) -> None:
    row = measure(clip, *_exact(clip))
    zero = ("gravity_deg", "camera_height_m", "path_end_pct", "speed_pct", "off_floor_m", "mpjpe_mm", "mpjpe_lifter_mm")
    for name in (*zero, "lean_deg"):
        assert row[name] == pytest.approx(0.0, abs=0.05), name
    assert row["slide_mps"] < 0.05 and row["withheld"] == ""
    assert row["gravity_covered"] == row["root_covered"] == row["camera_height_covered"] == 1.0


def test_errors_are_seen(clip: RoomClip) -> None:
    frame, pose, world = _exact(clip)
    tipped = from_rotation_vector(np.radians(5.0) * np.array([1.0, 0.0, 0.0])) @ clip.up
    drift = np.linspace(0.0, 0.5, len(frame))[:, None, None] * np.array([1.0, 0.0, 0.0])
    wrong = replace(
        world, up=tipped.astype(np.float32), camera_m=world.camera_m + 0.3,
        xyz_m=(world.xyz_m + drift).astype(np.float32),
    )  # fmt: skip
    row = measure(clip, frame, pose, wrong)
    way = np.linalg.norm(np.diff(clip.xyz_m[:, 0, :2], axis=0), axis=1).sum()
    assert 4.5 < row["gravity_deg"] < 5.1 and row["gravity_covered"] < 1.0
    assert row["camera_height_m"] == pytest.approx(0.3) and row["camera_height_covered"] == 0.0
    assert row["path_end_pct"] == pytest.approx(100.0 * 0.5 / way, rel=0.02)
    assert row["slide_mps"] > 0.1 and row["root_covered"] < 0.8 and 1.0 < row["lean_deg"] < 6.0


def test_what_is_withheld_counts_as_unknown(clip: RoomClip) -> None:
    frame, pose, world = _exact(clip)
    about = {"move": clip.move, "camera": "any", "focal": "known"}
    known = about | measure(clip, frame, pose, world)
    lost = about | measure(clip, frame, pose, unknown_world(len(frame), Reason.NOT_STANDING))
    assert "gravity_deg" not in lost
    metrics = _summary([known, lost])
    assert metrics["known_share"] == 0.5 and metrics["clips"] == 1.0 and metrics["gravity_median_deg"] < 0.1


def test_cameras_keep_the_body_in_the_picture() -> None:
    for move in ("walk towards", "jumping_jack"):
        clip = draw_clip(move, 31)
        xy, depth = clip.camera.project(clip.xyz_m)
        size = np.array([clip.camera.width_px, clip.camera.height_px])
        assert (xy > 0).all() and (xy < size).all() and depth.min() > 1.0
        assert -0.06 < clip.xyz_m[:, BODY21.indices("left_heel", "right_heel"), 2].min() < 0.05


def test_a_clip_is_rendered(tmp_path: Path) -> None:
    from posepipe.media.sources import open_source

    clip = draw_clip("squat", 5)
    short = replace(clip, time_s=clip.time_s[:3], xyz_m=clip.xyz_m[:3])
    write_clip(tmp_path / "clip.mp4", short)
    with open_source(tmp_path / "clip.mp4") as source:
        images = [frame.image for frame in source]
    assert len(images) == 3 and images[0].shape == (clip.camera.height_px, clip.camera.width_px, 3)
    assert images[0].std() > 5.0


def test_edges_through_the_true_lens_are_those_it_sees() -> None:
    lens = Camera(640, 480, 800.0, "given")
    guess = assumed_camera(640, 480)
    ends = np.random.default_rng(1).uniform(0.0, 480.0, (9, 2, 2)) - [320.0, 240.0]
    length = np.full(9, 0.1)
    seen, true = (planes_of(ends / camera.focal_px, length) for camera in (guess, lens))
    motion = CameraMotion("still", np.zeros(0), np.zeros((0, 3)), 0.0, seen)
    np.testing.assert_allclose(_through(motion, lens).lines, true, atol=1e-9)


def test_rough_answers_are_counted_apart(clip: RoomClip) -> None:
    frame, pose, world = _exact(clip)
    about = {"move": clip.move, "camera": "any", "focal": "known"}
    tipped = from_rotation_vector(np.radians([9.0, 0.0, 0.0])) @ clip.up
    rough = replace(world, up=tipped.astype(np.float32), up_sigma_deg=np.array([2.0, 7.0], np.float32))
    metrics = _summary([about | measure(clip, frame, pose, one) for one in (world, rough)])
    assert metrics["gravity_rough_share"] == 0.5
    assert metrics["gravity_sure_p95_deg"] < 0.1 and metrics["gravity_p95_deg"] > 5.0


def test_a_poster_hangs_where_its_wall_is() -> None:
    room, camera = Room(kind="plain"), SynthCamera((0.0, 0.0, 1.4), (0.0, 4.0, 1.4), 400.0, 320, 240)
    corners = np.array([[-0.5, 4.0, 1.0], [0.5, 4.0, 1.0], [0.5, 4.0, 1.8], [-0.5, 4.0, 1.8]])
    bare = room.picture(camera)
    hung = bare.copy()
    _Poster(corners, np.full((96, 96, 3), 255, np.uint8)).hang(hung, camera)
    changed = np.argwhere((hung != bare).any(axis=-1))
    xy = camera.project(corners)[0]
    np.testing.assert_allclose(changed.min(axis=0)[::-1], xy.min(axis=0), atol=2.0)
    np.testing.assert_allclose(changed.max(axis=0)[::-1], xy.max(axis=0), atol=2.0)
    behind = bare.copy()
    _Poster(corners * [1.0, -1.0, 1.0], np.full((96, 96, 3), 255, np.uint8)).hang(behind, camera)
    assert (behind == bare).all()
