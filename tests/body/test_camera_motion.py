"""A camera that stands, turns or walks, in a made room whose walls and floor carry a pattern."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from posepipe.body.camera_motion import Background, CameraMotion, Shift, _reach, camera_motion, steadied
from posepipe.body.world import find_world
from posepipe.errors import UsageError
from posepipe.geometry import to_rotation_vector
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.gait import make_walk
from posepipe.skeleton import BODY21
from posepipe.types import Frame, Keypoints

from .test_world import Seen, seen, tilt_deg

SIZE = (480, 270)
FOCAL_PX = 420.0


def _pattern() -> np.ndarray:
    noise = np.random.default_rng(3).normal(0.0, 1.0, (512, 512)).astype(np.float32)
    soft = sum(cv2.GaussianBlur(noise, (0, 0), width) * width for width in (1.5, 4.0, 10.0))
    return np.clip(128.0 + 60.0 * soft, 0, 255).astype(np.uint8)


PATTERN = _pattern()


def picture(camera: SynthCamera, person_m: np.ndarray) -> tuple[np.ndarray, Keypoints]:
    """The room behind a patterned board that walks; 6 x 5 m, walls 4 m away."""
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5 - SIZE[0] / 2, np.arange(SIZE[1]) + 0.5 - SIZE[1] / 2)
    ray = np.stack([x, y, np.full_like(x, camera.focal_px)], axis=-1) / camera.focal_px @ camera.rotation
    eye = np.array(camera.position_m)
    away = [np.where(ray[..., 1] > 1e-6, (4.0 - eye[1]) / ray[..., 1], 1e6)]
    away.append(np.where(ray[..., 2] < -1e-6, -eye[2] / ray[..., 2], 1e6))
    away.append(np.where(np.abs(ray[..., 0]) > 1e-6, (np.sign(ray[..., 0]) * 3.5 - eye[0]) / ray[..., 0], 1e6))
    away = [np.where(far > 0, far, 1e6) for far in away]
    first = np.argmin(away, axis=0)
    point = eye + np.min(away, axis=0)[..., None] * ray
    u = np.where(first == 2, point[..., 1], point[..., 0]) * 90.0
    v = np.where(first == 1, point[..., 1], point[..., 2]) * 90.0 + 170.0 * first
    grey = cv2.remap(PATTERN, np.mod(u, 511).astype(np.float32), np.mod(v, 511).astype(np.float32), cv2.INTER_LINEAR)
    xy, _ = camera.project(person_m)
    low, high = np.clip(xy.min(0), 0, SIZE).astype(int), np.clip(xy.max(0), 0, SIZE).astype(int)
    shift = int(200 * person_m[0, 0])
    board = np.roll(PATTERN, shift, axis=0)[: high[1] - low[1], : high[0] - low[0]]
    grey[low[1] : high[1], low[0] : high[0]] = board
    keypoints = Keypoints(BODY21, xy.astype(np.float32), np.full(21, 2.0, np.float32), np.ones(21, np.float32))
    return np.repeat(grey[..., None], 3, axis=-1), keypoints


def film(path: Callable[[float], SynthCamera], seconds: float = 3.0, rate_hz: float = 12.0) -> list[Shift]:
    """What is followed of a film; every second picture is at the rate that is compared."""
    background, out = Background(), []
    rng = np.random.default_rng(1)
    for index in range(round(seconds * rate_hz)):
        time_s = index / rate_hz
        corner = np.array([-1.0 + 0.6 * time_s, 1.5, 0.0])
        person = corner + rng.uniform(0.0, 1.0, (21, 3)) * np.array([0.5, 0.2, 1.7])
        person[:2] = corner, corner + np.array([0.5, 0.0, 1.7])
        image, keypoints = picture(path(time_s), person)
        shift = background.step(Frame(index, time_s, image), [keypoints])
        if shift is not None:
            out.append(shift)
    return out


def at(
    x: float = 0.0, y: float = -2.5, pan_deg: float = 0.0, tilt_deg: float = -5.0, roll_deg: float = 0.0
) -> SynthCamera:
    pan, tilt = np.radians([pan_deg, tilt_deg])
    aim = (x + np.sin(pan) * np.cos(tilt), y + np.cos(pan) * np.cos(tilt), 1.4 + np.sin(tilt))
    return SynthCamera((x, y, 1.4), aim, FOCAL_PX, *SIZE, roll_deg)


LENS = at().intrinsics


def shaken(time_s: float) -> SynthCamera:
    """Held in two hands: some tenths of a degree, some millimetres."""
    wave = np.sin(time_s * np.array([5.0, 7.3, 3.1, 4.0]) + np.arange(4))
    return at(0.006 * wave[0], -2.5 + 0.006 * wave[1], 0.25 * wave[2], -5.0 + 0.2 * wave[3])


def test_a_camera_that_stands_is_still() -> None:
    shifts = film(lambda _: at())
    assert len(shifts) == 17 and min(len(shift.before_px) for shift in shifts) > 30
    motion = camera_motion(shifts, LENS)
    assert motion.kind == "still" and motion.swing_deg == 0.0
    np.testing.assert_array_equal(motion.at(np.arange(3.0)), np.broadcast_to(np.eye(3), (3, 3, 3)))


def test_a_hand_held_camera_stands() -> None:
    assert camera_motion(film(shaken), LENS).kind in ("still", "turning")


@pytest.mark.parametrize(
    "path",
    [
        lambda t: at(pan_deg=-20.0 + 14.0 * t),
        lambda t: at(tilt_deg=-12.0 + 4.0 * t, roll_deg=2.0 * t),
        lambda t: at(pan_deg=1.0 * t),
    ],
    ids=["pan", "tilt and roll", "slow"],
)
def test_a_turn_is_measured(path: Callable[[float], SynthCamera]) -> None:
    shifts = film(path)
    motion = camera_motion(shifts, LENS)
    assert motion.kind == "turning"
    assert camera_motion(shifts, replace(LENS, focal_px=0.85 * FOCAL_PX, focal_source="assumed")).kind == "turning"
    true = np.stack([path(time_s).rotation for time_s in motion.time_s])
    found = motion.at(motion.time_s)
    # From the camera frame then to that of the first sample.
    back = np.swapaxes(found[:1], 1, 2) @ found
    off = back @ true @ true[0].T
    assert np.degrees(np.linalg.norm(to_rotation_vector(off), axis=1)).max() < 0.25
    whole = np.degrees(np.linalg.norm(to_rotation_vector(true[-1] @ true[0].T)))
    assert motion.swing_deg == pytest.approx(whole / 2.0, rel=0.2)


@pytest.mark.parametrize(
    "path",
    [
        lambda t: at(x=-0.5 + 0.5 * t),
        lambda t: at(y=-2.5 + 0.5 * t),
        lambda t: at(x=0.4 * t, pan_deg=-10.0 * t),
        lambda t: at(x=0.35 * t),
    ],
    ids=["sideways", "ahead", "around", "slow"],
)
def test_a_camera_that_walks_is_noticed(path: Callable[[float], SynthCamera]) -> None:
    assert camera_motion(film(path), LENS).kind == "walking"


def test_a_zoom_is_no_turn() -> None:
    assert camera_motion(film(lambda t: replace(at(), focal_px=FOCAL_PX * (1.0 + 0.15 * t))), LENS).kind == "walking"


def test_a_plain_wall_tells_nothing() -> None:
    background = Background()
    plain = np.full((270, 480, 3), 90, np.uint8)
    shifts = [background.step(Frame(i, i / 6.0, plain), []) for i in range(12)]
    assert camera_motion([shift for shift in shifts if shift is not None], LENS).kind == "unknown"
    assert camera_motion([], LENS).kind == "unknown"


def test_parts_watched_side_by_side_fit_together() -> None:
    whole = film(lambda t: at(pan_deg=10.0 * t))
    # The second part begins 0.3 s early and throws that away.
    late = film(lambda t: at(pan_deg=10.0 * (t + 1.0)), seconds=2.0)
    late = [replace(shift, from_s=shift.from_s + 1.0, to_s=shift.to_s + 1.0) for shift in late]
    parts = [shift for shift in whole if shift.to_s < 1.3] + [shift for shift in late if shift.to_s >= 1.3]
    one, two = camera_motion(whole, LENS), camera_motion(parts, LENS)
    assert two.swing_deg == pytest.approx(one.swing_deg, abs=0.2)


@pytest.mark.parametrize(
    ("turned_deg", "axes"),
    [(90, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]), (180, np.diag([-1, -1, 1])), (270, [[0, -1, 0], [1, 0, 0], [0, 0, 1]])],
)
def test_a_picture_on_its_side(turned_deg: int, axes: np.ndarray) -> None:
    shifts = film(lambda t: at(pan_deg=8.0 * t), seconds=1.5)
    width, height = SIZE if turned_deg == 180 else SIZE[::-1]
    motion = camera_motion(shifts, replace(LENS, width_px=width, height_px=height), turned_deg=turned_deg)
    upright = camera_motion(shifts, LENS)
    assert np.degrees(upright.turn_rad[-1, 1] - upright.turn_rad[0, 1]) > 5.0
    np.testing.assert_allclose(motion.turn_rad, upright.turn_rad @ np.array(axes).T, atol=2e-3)


def panned(seed: int = 5) -> tuple[Seen, Seen, CameraMotion, np.ndarray]:
    """A walk as a still camera sees it, as one that turns after the walker does, and how that turns."""
    walk = make_walk(np.random.default_rng(seed), duration_s=4.0, fps_hz=30.0)
    place = (float(walk.xyz_m[:, 0, 0].mean()), float(walk.xyz_m[0, 0, 1]) - 4.0, 1.3)
    xyz, turns = [], []
    for pose in walk.xyz_m:
        camera = SynthCamera(place, (float(pose[0, 0]), float(pose[0, 1]), 0.9), 700.0, 1280, 720)
        xyz.append(camera.to_camera(pose))
        turns.append(camera.rotation)
    middle = SynthCamera(place, (place[0], place[1] + 4.0, 0.9), 700.0, 1280, 720)
    still = seen(walk.time_s, middle.to_camera(walk.xyz_m), middle.intrinsics)
    vector = to_rotation_vector(middle.rotation @ np.swapaxes(np.stack(turns), 1, 2))
    motion = CameraMotion("turning", walk.time_s, vector, 20.0)
    return still, seen(walk.time_s, np.stack(xyz), middle.intrinsics), motion, middle.rotation[:, 2]


def test_a_turning_camera_gives_the_path_of_a_still_one() -> None:
    still, turning, motion, up = panned()
    assert set(find_world(*turning).withheld) == {"floor", "path"}
    pose, rays, lens = steadied(*turning, motion)
    np.testing.assert_allclose(pose.xyz_m, still[0].xyz_m, atol=1e-5)
    np.testing.assert_allclose(pose.root_m, still[0].root_m, atol=1e-4)
    np.testing.assert_allclose(rays.xy[rays.valid], still[1].xy[rays.valid], atol=1e-5)
    world, exact = find_world(pose, rays, lens), find_world(*still)
    assert world.withheld == {} and tilt_deg(world, up) < 3.0
    assert np.abs(world.root_m - exact.root_m).max() < 0.05


def test_a_still_camera_leaves_all_as_it_is() -> None:
    still, _, _, _ = panned()
    given = steadied(*still, CameraMotion("still", np.zeros(0), np.zeros((0, 3))))
    assert all(a is b for a, b in zip(given, still, strict=True))


def test_camera_motion_checks_itself() -> None:
    with pytest.raises(UsageError, match="Valid"):
        CameraMotion("flying", np.zeros(0), np.zeros((0, 3)))
    with pytest.raises(UsageError, match="shape"):
        CameraMotion("turning", np.zeros(2), np.zeros((0, 3)))


def test_half_an_hour_takes_no_gigabytes() -> None:
    """The middle of a turn is where the furthest is nearest; all pairs of a long film at once don't fit."""
    place = np.random.default_rng(3).normal(0.0, 0.1, (6000, 3))
    some = place[:200]
    np.testing.assert_array_equal(_reach(some), np.linalg.norm(some[:, None] - some[None], axis=-1).max(axis=1))
    tracemalloc.start()
    reach = _reach(place)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(reach) == len(place) and peak < 100e6
