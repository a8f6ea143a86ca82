from __future__ import annotations

import time

import numpy as np
import pytest

from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.figure import make_figure
from posepipe.lab.people.gait import make_walk
from posepipe.lab.people.motion import idle, squat
from posepipe.lab.people.primitives import raycast
from posepipe.lab.people.render import Occluder, Person, render_frame, render_person
from posepipe.lab.people.scene import Light, Room, cast_shadow, clutter, degrade
from posepipe.skeleton import BODY21

SHAPE = BodyShape(hair_style="short")
STANDING = idle(SHAPE, 0.1).xyz_m[0]
WALKING = make_walk(np.random.default_rng(0), shape=SHAPE, duration_s=1.0, fps_hz=30.0).xyz_m[12]
SQUATTING = squat(SHAPE, reps=1).xyz_m[50]


def camera(
    heading_deg: float = -30.0, size: tuple[int, int] = (200, 300), target: np.ndarray = STANDING
) -> SynthCamera:
    angle = np.radians(heading_deg)
    x, y = target[0, :2]
    position = (float(x + 3.5 * np.cos(angle)), float(y + 3.5 * np.sin(angle)), 1.3)
    return SynthCamera(position, (float(x), float(y), 0.88), 480.0, *size)


def silhouette(xyz: np.ndarray, shape: BodyShape, view: SynthCamera) -> np.ndarray:
    """Pixels whose centre the person covers."""
    return raycast(make_figure(xyz, shape).primitives, view).index >= 0


def grey(view: SynthCamera) -> np.ndarray:
    return np.full((view.height_px, view.width_px, 3), 128, dtype=np.uint8)


@pytest.mark.parametrize("heading_deg", [0.0, 60.0, 90.0, 180.0, 250.0])
@pytest.mark.parametrize("xyz", [STANDING, WALKING, SQUATTING], ids=["stand", "walk", "squat"])
def test_silhouette_holds_the_joints(xyz: np.ndarray, heading_deg: float) -> None:
    view = camera(heading_deg, (300, 300), xyz)
    mask = silhouette(xyz, SHAPE, view)
    xy, _ = view.project(xyz)
    for joint, (x, y) in zip(BODY21.joints, xy, strict=True):
        around = mask[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
        assert around.any(), joint


def test_figure_is_as_tall_as_the_person() -> None:
    for height_m in (1.55, 1.9):
        shape = BodyShape(height_m=height_m)
        xyz = idle(shape, 0.1).xyz_m[0]
        view = SynthCamera((20.0, 0.0, 0.9), (0.0, 0.0, 0.9), 2000.0, 200, 240)
        rows = np.nonzero(silhouette(xyz, shape, view).any(axis=1))[0]
        assert np.ptp(rows) / 2000.0 * 20.0 == pytest.approx(height_m, abs=0.05)
        assert rows[-1] == pytest.approx(120 + 0.9 * 2000 / 20, abs=2.5)  # stands on the ground


def test_mirrored_body_gives_the_mirrored_picture() -> None:
    view = SynthCamera((3.5, 0.0, 1.2), (0.0, 0.0, 0.9), 400.0, 240, 300)
    xyz = WALKING - np.append(WALKING[0, :2], 0.0)
    mirrored = xyz[BODY21.mirror] * [1.0, -1.0, 1.0]
    a, b = silhouette(xyz, SHAPE, view), silhouette(mirrored, SHAPE, view)[:, ::-1]
    assert (a & b).sum() / (a | b).sum() > 0.98


def test_face_shows_only_in_front() -> None:
    head = STANDING[BODY21.index("head")]
    shares = []
    for heading in (0.0, 180.0):
        view = SynthCamera(
            (float(head[0] + 3 * np.cos(np.radians(heading))), float(head[1]), float(head[2])),
            (float(head[0]), float(head[1]), float(head[2])),
            900.0,
            80,
            80,
        )
        bare = BodyShape(hair=(20, 20, 20), skin=(240, 200, 170))
        image = render_person(grey(view), STANDING, bare, view).astype(int)
        skin = (image[20:60, 20:60, 2] - image[20:60, 20:60, 0]) > 30
        shares.append(skin.mean())
    assert shares[0] > 0.4
    assert shares[1] < 0.25


def test_nearer_person_hides_farther_one() -> None:
    red, blue = BodyShape(shirt=(250, 0, 0)), BodyShape(shirt=(0, 0, 250))
    behind = STANDING + np.array([-1.0, 0.0, 0.0])
    view = camera(0.0)
    pixels = []
    for people in ([Person(STANDING, red), Person(behind, blue)], [Person(behind, blue), Person(STANDING, red)]):
        image = render_frame(people, view, scene=grey(view), supersample=1)
        x, y = view.project(STANDING[BODY21.index("spine")])[0].astype(int)
        pixels.append(image[y, x].astype(int))
        assert pixels[-1][2] > pixels[-1][0] + 40
    assert np.array_equal(pixels[0], pixels[1])


def test_occluder_hides_what_is_behind() -> None:
    view = camera(0.0)
    knee = STANDING[BODY21.index("left_knee")]
    x, y = view.project(knee)[0].astype(int)
    # A beam across the line of sight, half a metre before the knee.
    point = knee + 0.15 * (np.asarray(view.position_m) - knee)
    beam = (float(point[0]), -1.0, float(point[2])), (float(point[0]), 1.0, float(point[2]))
    green = Occluder(*beam, 0.1, (0, 255, 0))
    image = render_frame([Person(STANDING, SHAPE)], view, scene=grey(view), occluders=[green], supersample=1)
    assert image[y, x, 1] > image[y, x, 0] + 60
    back = Occluder((-1.0, -1.0, 0.5), (-1.0, 1.0, 0.5), 0.1, (0, 255, 0))
    image = render_frame([Person(STANDING, SHAPE)], view, scene=grey(view), occluders=[back], supersample=1)
    assert image[y, x, 1] < image[y, x, 0] + 60


def test_same_input_gives_the_same_picture() -> None:
    view = camera()
    a, b = (render_frame([Person(WALKING, SHAPE)], view) for _ in range(2))
    assert np.array_equal(a, b)
    rngs = [np.random.default_rng(3) for _ in range(2)]
    noisy = [degrade(a, rng, blur_px=0.7, noise=4.0, jpeg_quality=60) for rng in rngs]
    assert np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], a)


def test_part_of_a_picture_is_the_picture_of_a_part() -> None:
    view = camera(size=(240, 300))
    part = SynthCamera(
        view.position_m,
        view.target_m,
        view.focal_px,
        150,
        180,
        0.0,
        (view.principal_px[0] - 40, view.principal_px[1] - 60),
    )
    whole = silhouette(STANDING, SHAPE, view)
    assert np.array_equal(whole[60:240, 40:190], silhouette(STANDING, SHAPE, part))


def test_person_out_of_sight_leaves_the_background() -> None:
    view = camera()
    image = clutter(np.random.default_rng(0), view.width_px, view.height_px)
    assert np.array_equal(render_person(image, STANDING + np.array([50.0, 0.0, 0.0]), SHAPE, view), image)
    kept = image.copy()
    assert not np.array_equal(render_person(image, STANDING, SHAPE, view), image)
    assert np.array_equal(image, kept)


def test_shadow_falls_away_from_the_lamp() -> None:
    view = SynthCamera((0.0, -4.0, 3.0), (0.0, 0.0, 0.0), 250.0, 320, 240)
    white = np.full((240, 320, 3), 255, dtype=np.uint8)
    for sign in (1.0, -1.0):
        shaded = cast_shadow(white, STANDING, view, Light(direction=(sign, 0.0, 1.0)))
        dark = np.nonzero(shaded[..., 0] < 200)
        assert len(dark[0]) > 100
        assert (dark[1].mean() - 160) * sign < -10


def test_feet_stand_on_the_floor_of_the_room() -> None:
    view = camera(0.0)
    picture = Room(half_m=(3.0, 3.0), wall=(250, 250, 250), floor=(10, 60, 10), kind="plain").picture(view)
    foot = view.project([0.0, 0.0, 0.0])[0].astype(int)
    head = view.project([0.0, 0.0, 1.7])[0].astype(int)
    assert picture[foot[1], foot[0]].max() < 90
    assert picture[head[1], head[0]].min() > 150


def test_edges_are_smooth_with_more_rays() -> None:
    view = camera()
    shape = BodyShape(shirt=(0, 0, 0), trousers=(0, 0, 0), pattern="plain")
    white = np.full((view.height_px, view.width_px, 3), 255, dtype=np.uint8)
    hard = render_person(white, STANDING, shape, view, supersample=1)
    soft = render_person(white, STANDING, shape, view, supersample=3)
    between = [((image > 90) & (image < 200)).mean() for image in (hard, soft)]
    assert between[1] > between[0]


def test_rendering_is_quick() -> None:
    view = camera(size=(300, 300))
    background = grey(view)
    taken = []
    for _ in range(5):
        start = time.process_time()
        render_person(background, STANDING, SHAPE, view)
        taken.append(time.process_time() - start)
    assert min(taken) < 0.12  # about 0.012 on an idle core
