from __future__ import annotations

import numpy as np
import pytest

from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.primitives import Builder, join, raycast

CAMERA = SynthCamera((0.0, -4.0, 0.0), (0.0, 0.0, 0.0), 400.0, 320, 240)
ORIGIN = np.zeros(3)


def ball(center: tuple[float, float, float], radius: float, material: int = 0) -> Builder:
    build = Builder()
    build.ball(np.array(center), radius, material)
    return build


def test_sphere_has_its_outline() -> None:
    buffer = raycast(ball((0.0, 0.0, 0.0), 0.5).build(), CAMERA)
    rows, columns = np.nonzero(buffer.index >= 0)
    # A sphere's outline: tan of the angle asin(r / distance).
    radius_px = 400.0 * np.tan(np.arcsin(0.5 / 4.0))
    assert columns.mean() + 0.5 == pytest.approx(160.0, abs=0.05)
    assert rows.mean() + 0.5 == pytest.approx(120.0, abs=0.05)
    assert len(rows) == pytest.approx(np.pi * radius_px**2, rel=0.005)
    assert np.ptp(columns) + 1 == pytest.approx(2 * radius_px, abs=1.5)
    assert buffer.depth_m[120, 160] == pytest.approx(3.5, abs=1e-3)


def test_points_lie_on_the_surface_and_normals_point_out() -> None:
    buffer = raycast(ball((0.3, 0.2, -0.1), 0.4).build(), CAMERA)
    center = CAMERA.to_camera([0.3, 0.2, -0.1])
    out = buffer.point_m - center
    assert np.linalg.norm(out, axis=1) == pytest.approx(0.4, abs=1e-3)
    assert buffer.normal == pytest.approx(out / 0.4, abs=5e-3)
    assert ((buffer.normal * buffer.point_m).sum(axis=1) <= 1e-3).all()


def test_tapered_capsule_has_its_extent() -> None:
    build = Builder()
    build.chain([np.array([-0.8, 0.0, 0.0]), np.array([0.8, 0.0, 0.0])], [0.3, 0.1], 0)
    seen = raycast(build.build(), CAMERA).index >= 0
    columns = np.nonzero(seen.any(axis=0))[0]
    assert columns[0] == pytest.approx(160 - 400 * 1.1 / 4, abs=3)
    assert columns[-1] == pytest.approx(160 + 400 * 0.9 / 4, abs=3)
    height = seen.sum(axis=0)
    middle = 2 * 400 * 0.2 / np.sqrt(1 - (0.2 / 1.6) ** 2) / 4
    assert height[160] == pytest.approx(middle, abs=1.5)
    # No gap between cone and end spheres.
    assert (height[columns[0] : columns[-1] + 1] > 0).all()
    assert np.abs(np.diff(height[columns[0] + 12 : columns[-1] - 12])).max() <= 2


def test_squashed_capsule_is_thin() -> None:
    build = Builder()
    ends = [np.array([-0.5, 0.0, 0.0]), np.array([0.5, 0.0, 0.0])]
    build.chain(ends, [0.3, 0.3], 0, (np.array([0.0, 0.0, 1.0]), 0.5))
    height = (raycast(build.build(), CAMERA).index >= 0).sum(axis=0)
    assert height[160] == pytest.approx(2 * 400 * 0.15 / 4, abs=2)


def test_ellipsoid_follows_its_frame() -> None:
    build = Builder()
    frame = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    build.ellipsoid(ORIGIN, (0.6, 0.3, 0.1), frame, 0)
    seen = raycast(build.build(), CAMERA).index >= 0
    assert seen.any(axis=1).sum() == pytest.approx(2 * 60, abs=2)
    assert seen.any(axis=0).sum() == pytest.approx(2 * 30, abs=2)


@pytest.mark.parametrize("swap", [False, True])
def test_nearer_body_hides_farther_one(swap: bool) -> None:
    near, far = ball((0.0, -1.0, 0.0), 0.2, 1).build(), ball((0.0, 1.0, 0.0), 0.6, 2).build()
    prims = join([far, near] if swap else [near, far], [0, 0])
    buffer = raycast(prims, CAMERA)
    assert prims.material[buffer.index[120, 160]] == 1
    assert prims.material[buffer.index[120, 125]] == 2


def test_bodies_out_of_sight_draw_nothing() -> None:
    for center in ((0.0, -6.0, 0.0), (9.0, 0.0, 0.0), (0.0, -4.0, 0.0)):
        assert (raycast(ball(center, 0.2).build(), CAMERA).index == -1).all()


def test_cone_inside_its_own_end_is_left_out() -> None:
    build = Builder()
    build.chain([ORIGIN, np.array([0.05, 0.0, 0.0])], [0.3, 0.1], 0)
    assert len(build.build()) == 2
    assert (raycast(build.build(), CAMERA).index >= 0).any()
