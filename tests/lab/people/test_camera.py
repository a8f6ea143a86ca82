from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.errors import UsageError
from posepipe.keypoints.roi import Roi
from posepipe.lab.people.camera import SynthCamera

CAMERA = SynthCamera((3.0, -2.0, 1.4), (0.2, 0.1, 0.9), 700.0, 640, 480, roll_deg=12.0, center_px=(300.0, 250.0))


def test_target_is_at_the_principal_point() -> None:
    xy, depth = CAMERA.project(CAMERA.target_m)
    assert xy == pytest.approx((300.0, 250.0))
    assert depth == pytest.approx(np.linalg.norm(np.subtract(CAMERA.target_m, CAMERA.position_m)))


def test_axes_are_right_down_and_away() -> None:
    camera = SynthCamera((0.0, -4.0, 1.0), (0.0, 0.0, 1.0), 500.0, 400, 400)
    xyz = camera.to_camera([[1.0, 0.0, 1.0], [0.0, 0.0, 2.0], [0.0, 1.0, 1.0]])
    assert xyz == pytest.approx(np.array([[1.0, 0.0, 4.0], [0.0, -1.0, 4.0], [0.0, 0.0, 5.0]]))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_random_cameras_are_upright_enough_and_near(seed: int) -> None:
    camera = SynthCamera.random(np.random.default_rng(seed))
    rotation = camera.rotation
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert 0.4 <= camera.position_m[2] <= 3.0
    assert 2.0 <= np.hypot(camera.position_m[0], camera.position_m[1]) <= 6.0
    assert abs(camera.roll_deg) <= 30.0


def test_behind_the_camera_is_nan() -> None:
    xy, depth = CAMERA.project([6.0, -4.2, 1.4])
    assert depth < 0
    assert np.isnan(xy).all()


def test_region_sees_what_the_roi_cuts_out() -> None:
    roi = Roi(330.0, 210.0, 180.0, 0.5)
    region = CAMERA.region((roi.x_px, roi.y_px), roi.size_px, np.degrees(roi.angle_rad), 256)
    points = np.random.default_rng(0).uniform(-0.5, 1.5, (20, 3))
    back = roi.to_picture(region.project(points)[0] / 256)
    assert back == pytest.approx(CAMERA.project(points)[0], abs=1e-2)
    assert region.project(points)[1] == pytest.approx(CAMERA.project(points)[1])


def test_wrong_cameras() -> None:
    with pytest.raises(UsageError):
        SynthCamera((0.0, 0.0, 1.0), (0.0, 0.0, 1.0), 500.0, 10, 10)
    with pytest.raises(UsageError):
        SynthCamera((0.0, 0.0, 1.0), (1.0, 0.0, 1.0), -5.0, 10, 10)
