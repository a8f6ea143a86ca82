"""People between two looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posepipe.keypoints.between import between
from posepipe.skeleton import COCO17
from posepipe.types import Keypoints


def person(x: float, seed: int = 0) -> Keypoints:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0.0, 200.0, (17, 2)).astype(np.float32) + np.array([x, 0.0], np.float32)
    return Keypoints(COCO17, xy, np.full(17, 2.0, np.float32), np.full(17, 0.8, np.float32), 0.9)


def test_on_the_straight_way_with_a_wider_sigma() -> None:
    one, other = person(0.0), person(10.0)
    other = replace(other, sigma_px=np.full(17, 4.0, np.float32), score=np.full(17, 0.4, np.float32))
    (found,) = between((one,), (other,), 0.25)
    np.testing.assert_allclose(found.xy_px, one.xy_px + np.array([2.5, 0.0]), rtol=1e-6)
    np.testing.assert_allclose(found.score, 0.7, rtol=1e-6)
    assert (found.sigma_px > np.sqrt(0.75 * 4.0 + 0.25 * 16.0)).all() and (found.sigma_px < 3.0).all()
    (still,) = between((one,), (one,), 0.5)
    np.testing.assert_allclose(still.sigma_px, one.sigma_px)


def test_everybody_goes_to_the_nearest() -> None:
    a, b = person(0.0), person(400.0, 1)
    found = between((a, b), (person(405.0, 1), person(5.0)), 0.4)
    np.testing.assert_allclose([p.xy_px[0, 0] for p in found], [a.xy_px[0, 0] + 2.0, b.xy_px[0, 0] + 2.0], rtol=1e-5)


@pytest.mark.parametrize("after", [(), (person(300.0),)])
def test_who_is_gone_is_left_out(after: tuple[Keypoints, ...]) -> None:
    assert between((person(0.0),), after, 0.5) == ()


def test_a_runner_is_followed_from_look_to_look() -> None:
    """The body goes 0.15 of its length, the leg that swings as far again: 0.3 in all."""
    one, way = person(0.0), np.zeros((17, 2), np.float32)
    size = float(np.ptp(one.xy_px, axis=0).max())
    way[:, 0] = 0.15 * size
    way[COCO17.indices("right_ankle"), 0] = 0.3 * size
    (found,) = between((one,), (replace(one, xy_px=one.xy_px + way),), 0.5)
    np.testing.assert_allclose(found.xy_px, one.xy_px + 0.5 * way, rtol=1e-4, atol=1e-3)
    way[COCO17.indices("right_ankle"), 0] = 0.4 * size
    assert between((one,), (replace(one, xy_px=one.xy_px + way),), 0.5) == ()


def test_exchanged_sides_are_no_movement() -> None:
    """Half of a leg's way to the other leg is nobody's leg."""
    one = person(0.0)
    exchanged = replace(one, xy_px=one.xy_px[COCO17.mirror])
    assert between((one,), (exchanged,), 0.5) == ()
