"""Rays, the pelvis axis, rotations, alignment, calibrated cameras, means over what is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.errors import InputError, UsageError
from posepipe.geometry import (
    CalibratedCamera,
    align,
    fit_similarity,
    from_rotation_vector,
    load_pose2sim,
    mean_known,
    median_known,
    pelvis_axis,
    pixels_from_rays,
    project,
    rays_from_pixels,
    roll_matrix,
    spread_known,
    to_rotation_vector,
    turn_rays,
)
from posepipe.types import Camera

vectors = st.tuples(*[st.floats(-3.0, 3.0)] * 3).map(np.array)
small = st.floats(-1.2, 1.2)


@given(vectors)
def test_rotation_vector_round_trip(vector: np.ndarray) -> None:
    matrix = from_rotation_vector(vector)
    assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    assert np.allclose(from_rotation_vector(to_rotation_vector(matrix)), matrix, atol=1e-6)


def test_rotation_vector_of_half_a_turn() -> None:
    for axis in np.eye(3):
        matrix = from_rotation_vector(np.pi * axis)
        assert np.allclose(np.abs(to_rotation_vector(matrix)), np.pi * axis, atol=1e-6)


def test_roll_turns_right_towards_down() -> None:
    assert np.allclose(roll_matrix(90.0) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)


@given(small, small)
def test_pelvis_axis_puts_the_ray_straight_ahead(x: float, y: float) -> None:
    ray = np.array([[x, y]], dtype=np.float32)
    rotation = pelvis_axis(ray)
    assert np.allclose(rotation @ np.swapaxes(rotation, 1, 2), np.eye(3), atol=1e-5)
    assert np.linalg.det(rotation[0]) == pytest.approx(1.0, abs=1e-5)
    turned, front = turn_rays(rotation, ray[:, None])
    assert front.all()
    assert np.allclose(turned, 0.0, atol=1e-5)


def test_pelvis_axis_keeps_x_level_and_a_centred_person_as_is() -> None:
    rotation = pelvis_axis(np.array([[0.0, 0.0], [0.4, 0.3]], dtype=np.float32))
    assert np.allclose(rotation[0], np.eye(3))
    assert rotation[1, 0, 1] == pytest.approx(0.0)


@given(small, small, st.integers(0, 10_000))
def test_turned_rays_are_rays_of_turned_points(x: float, y: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = (np.array([2 * x, 2 * y, 2.0]) + rng.uniform(-0.5, 0.5, (1, 6, 3))).astype(np.float32)
    rotation = pelvis_axis(np.array([[x, y]], dtype=np.float32))
    turned, front = turn_rays(rotation, project(points))
    assert front.all()
    assert np.allclose(turned, project(points @ np.swapaxes(rotation, 1, 2)), atol=1e-4)


def test_rays_behind_the_turned_camera_are_dropped() -> None:
    rotation = pelvis_axis(np.array([[3.0, 0.0]], dtype=np.float32))
    turned, front = turn_rays(rotation, np.array([[[-3.0, 0.0], [3.0, 0.1]]], dtype=np.float32))
    assert front.tolist() == [[False, True]]
    assert np.isfinite(turned).all()


def test_project_gives_nan_behind_the_camera() -> None:
    rays = project(np.array([[1.0, 1.0, 2.0], [1.0, 1.0, -2.0]], dtype=np.float32))
    assert np.allclose(rays[0], 0.5)
    assert np.isnan(rays[1]).all()


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (1000, 1000)])
def test_pixels_and_rays_use_one_focal_length_for_both_axes(size: tuple[int, int]) -> None:
    camera = Camera.from_fov(*size, 60.0)
    center = np.array(size) / 2
    shifts = np.array([[100.0, 0.0], [0.0, 100.0]])
    rays = rays_from_pixels((center + shifts).astype(np.float32), camera)
    assert rays[0, 0] == pytest.approx(rays[1, 1])
    assert np.allclose(pixels_from_rays(rays, camera), center + shifts, atol=1e-2)


@settings(max_examples=30)
@given(vectors, st.floats(0.2, 5.0), vectors, st.integers(0, 10_000))
def test_similarity_is_recovered(turn: np.ndarray, scale: float, shift: np.ndarray, seed: int) -> None:
    source = np.random.default_rng(seed).normal(size=(9, 3))
    target = scale * source @ from_rotation_vector(turn).T + shift
    s, rotation, t = fit_similarity(source, target)
    assert float(s) == pytest.approx(scale, rel=1e-6)
    assert np.allclose(rotation, from_rotation_vector(turn), atol=1e-6)
    assert np.allclose(t, shift, atol=1e-5)
    assert np.allclose(align(source, target), target, atol=1e-5)


def test_alignment_never_mirrors() -> None:
    source = np.random.default_rng(0).normal(size=(9, 3))
    _, rotation, _ = fit_similarity(source, source * [-1.0, 1.0, 1.0])
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_alignment_leaves_nan_joints_out() -> None:
    source = np.random.default_rng(0).normal(size=(2, 9, 3))
    target = source + 1.0
    target[0, 3] = np.nan
    out = align(source, target)
    assert np.allclose(out[0, :3], target[0, :3])
    assert np.allclose(out[1], target[1])
    target[1] = np.nan
    assert np.isnan(align(source, target)[1]).all()


def test_alignment_without_scale_keeps_size() -> None:
    source = np.random.default_rng(0).normal(size=(9, 3))
    s, _, _ = fit_similarity(source, 2.0 * source, scale=False)
    assert float(s) == 1.0


def test_alignment_refuses_different_shapes() -> None:
    with pytest.raises(UsageError, match="shapes"):
        align(np.zeros((4, 3)), np.zeros((5, 3)))


def _camera() -> CalibratedCamera:
    return CalibratedCamera(
        "a",
        640,
        480,
        np.array([[500.0, 0, 300], [0, 510, 250], [0, 0, 1]]),
        np.array([-0.2, 0.05, 0.001, -0.002]),
        from_rotation_vector(np.array([0.1, -0.4, 0.2])),
        np.array([0.1, 0.2, 4.0]),
    )


def test_undistort_inverts_distortion() -> None:
    camera = _camera()
    world = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    rays = camera.undistort(camera.project(world))
    point = camera.to_camera(world)
    assert np.allclose(rays, point[:, :2] / point[:, 2:], atol=1e-5)


def test_pose2sim_file(tmp_path: Path) -> None:
    camera = _camera()
    vector = to_rotation_vector(camera.rotation).tolist()
    text = (
        f"[c1]\nname = 'a'\nsize = [640.0, 480.0]\nmatrix = {camera.matrix.tolist()}\n"
        f"distortions = {camera.distortion.tolist()}\nrotation = {vector}\ntranslation = [0.1, 0.2, 4.0]\n"
        "fisheye = false\n[metadata]\nerror = 0.0\n"
    )
    path = tmp_path / "Größe cameras.toml"
    path.write_text(text, encoding="utf-8")
    (read,) = load_pose2sim(path)
    world = np.random.default_rng(0).uniform(-1, 1, (5, 3))
    assert np.allclose(read.project(world), camera.project(world))
    assert read.pinhole().focal_source == "given"
    path.write_text(text.replace("distortions", "other"), encoding="utf-8")
    with pytest.raises(InputError, match="distortions"):
        load_pose2sim(path)
    with pytest.raises(InputError, match="no such"):
        load_pose2sim(tmp_path / "none.toml")


def test_missing_is_left_out() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    assert mean_known(values[:, 0]) == 2.0
    np.testing.assert_array_equal(median_known(values, axis=0), [2.0, np.nan])
    np.testing.assert_allclose(spread_known(values, axis=0), [np.sqrt(2.0), np.nan])


def test_nothing_known_is_nan_without_a_warning() -> None:
    for measure in (mean_known, median_known, spread_known):
        assert np.isnan(measure([]))
        assert np.isnan(measure([np.nan, np.nan]))
