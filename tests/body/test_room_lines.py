"""Edges of a made room: they say which way is up where there are some, and nothing where there are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from posepipe.body.room_lines import LINES, find_edges, level_of_lines, planes_of
from posepipe.body.world import find_world
from posepipe.geometry import from_rotation_vector
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.filmed import draw_clip

from .test_world import filmed, tilt_deg

SIZE = (640, 480)
FOCAL_PX = 560.0


def camera(tilt_deg: float = -12.0, roll_deg: float = 7.0, pan_deg: float = 25.0) -> SynthCamera:
    pan, tilt = np.radians([pan_deg, tilt_deg])
    aim = (np.sin(pan) * np.cos(tilt), np.cos(pan) * np.cos(tilt), 1.5 + np.sin(tilt))
    return SynthCamera((0.0, 0.0, 1.5), aim, FOCAL_PX, *SIZE, roll_deg)


def room_edges(seen_by: SynthCamera, rng: np.random.Generator, noise_px: float = 0.5) -> np.ndarray:
    """(M, 4) pixels of edges along the room's three directions, and of some that go anywhere."""
    ends = []
    for axis in range(3):
        for _ in range(40):
            start = rng.uniform([-4.0, 2.0, 0.0], [4.0, 6.0, 2.5])
            ends.append((start, start + np.eye(3)[axis] * rng.uniform(0.7, 2.0)))
    for _ in range(15):
        start = rng.uniform([-4.0, 2.0, 0.0], [4.0, 6.0, 2.5])
        ends.append((start, start + rng.normal(0.0, 0.8, 3)))
    xy, depth = seen_by.project(np.array(ends))
    inside = ((xy > 0) & (xy < SIZE)).all(axis=(1, 2)) & (depth > 0.5).all(axis=1)
    return (xy + rng.normal(0.0, noise_px, xy.shape))[inside].reshape(-1, 4)


def planes(edges: np.ndarray, focal_px: float = FOCAL_PX) -> np.ndarray:
    rays = (edges.reshape(-1, 2, 2) - np.array(SIZE) / 2.0) / focal_px
    length = np.hypot(*(edges[:, 2:] - edges[:, :2]).T) / max(SIZE)
    return planes_of(rays, length)


def guess(up: np.ndarray, roll_deg: float, pitch_deg: float) -> np.ndarray:
    tipped = from_rotation_vector(np.radians([pitch_deg, 0.0, roll_deg])) @ up
    return tipped / np.linalg.norm(tipped)


def off_deg(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1.0, 1.0))))


@pytest.mark.parametrize("pan_deg", [0.0, 25.0, 44.0])
def test_edges_say_which_way_is_up(pan_deg: float) -> None:
    seen_by = camera(pan_deg=pan_deg)
    up = seen_by.rotation[:, 2]
    first = guess(up, 2.0, -9.0)
    level = level_of_lines(planes(room_edges(seen_by, np.random.default_rng(1))), first, np.array([2.0, 7.0]))
    assert level is not None and off_deg(first, up) > 8.0
    assert off_deg(level.up, up) < 1.0 and level.lens == 0.0
    sigma_deg = np.degrees(np.sqrt(1.0 / np.diag(level.information)[:2]))
    assert (sigma_deg > 0.9).all() and (sigma_deg < 2.0).all() and (level.information[2] == 0.0).all()


def test_edges_tell_an_assumed_lens() -> None:
    seen_by = camera()
    up = seen_by.rotation[:, 2]
    wrong = planes(room_edges(seen_by, np.random.default_rng(2)), 1.25 * FOCAL_PX)
    level = level_of_lines(wrong, guess(up, 1.0, 6.0), np.array([2.0, 7.0]), 0.26)
    assert level is not None
    assert off_deg(level.up, up) < 1.5 and level.lens == pytest.approx(-np.log(1.25), abs=0.06)
    assert 0.03 < np.sqrt(np.linalg.inv(level.information)[2, 2]) < 0.15


def test_edges_that_go_anywhere_say_nothing() -> None:
    told = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        start = rng.uniform(0.0, SIZE, (40, 2))
        edges = np.concatenate([start, start + rng.normal(0.0, 90.0, (40, 2))], axis=1)
        told += level_of_lines(planes(edges), np.array([0.0, -1.0, 0.0]), np.array([2.0, 7.0])) is not None
    assert told <= 1
    assert level_of_lines(np.zeros((0, 3)), np.array([0.0, -1.0, 0.0]), np.array([2.0, 7.0])) is None


def test_edges_along_one_way_leave_the_rest_open() -> None:
    """A single bundle that runs across the picture says nothing of pitch."""
    y = np.linspace(100.0, 400.0, 12)
    edges = np.stack([np.full(12, 100.0), y, np.full(12, 540.0), y], axis=1)
    up = np.array([0.0, -1.0, 0.0])
    level = level_of_lines(planes(edges), up, np.array([2.0, 7.0]))
    assert level is None or np.sqrt(1.0 / max(level.information[1, 1], 1e-9)) > np.radians(20.0)


def test_edges_are_found_beside_people() -> None:
    grey = np.full((240, 320), 90, np.uint8)
    cv2.rectangle(grey, (40, 30), (280, 200), 160, -1)
    free = np.full(grey.shape, 255, np.uint8)
    whole = find_edges(grey, free)
    assert len(whole) >= 4
    length = np.hypot(*(whole[:, 2:] - whole[:, :2]).T)
    assert (np.diff(length) <= 0.0).all() and length[-1] > LINES.shortest * 320
    free[:, :160] = 0
    assert 1 <= len(find_edges(grey, free)) < len(whole)
    assert len(find_edges(np.full_like(grey, 90), np.full(grey.shape, 255, np.uint8))) == 0


def test_a_squat_whose_lean_is_seen_wrongly_is_put_upright_by_the_room() -> None:
    clip = draw_clip("squat", 8)
    xyz = clip.camera.to_camera(clip.xyz_m)
    tip = from_rotation_vector(np.radians([11.0, 0.0, 0.0]))
    leaning = (xyz - xyz[:, :1]) @ tip.T
    given = filmed(clip, leaning - (xyz - xyz[:, :1]))
    size, focal = np.array([clip.camera.width_px, clip.camera.height_px]), clip.camera.focal_px
    rng = np.random.default_rng(5)
    start = rng.uniform([-4.0, -4.0, 0.0], [4.0, 4.0, 2.5], (400, 3))
    ends = np.stack([start, start + np.eye(3)[rng.integers(0, 3, 400)]], axis=1)
    xy, depth = clip.camera.project(ends)
    shown = ((xy > 0) & (xy < size)).all(axis=(1, 2)) & (depth > 0.5).all(axis=1)
    rays = (xy[shown] - size / 2.0) / focal
    lines = planes_of(rays, np.full(len(rays), 0.1))
    alone, with_lines = find_world(*given), find_world(*given, lines=lines)
    assert tilt_deg(alone, clip.up) > 5.0
    assert tilt_deg(with_lines, clip.up) < 2.0
    assert with_lines.up_sigma_deg[1] < 0.5 * alone.up_sigma_deg[1]
