"""Anchors, suppression, regions of interest, heat maps, steadying."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.keypoints import finder as ssd
from posepipe.keypoints.blazepose import refine
from posepipe.keypoints.finder import sigmoid, tiles
from posepipe.keypoints.roi import Roi, letterbox, steady

rois = st.builds(
    Roi,
    st.floats(-500, 2500),
    st.floats(-500, 2500),
    st.floats(2, 3000),
    st.floats(-math.pi, math.pi),
)


def test_anchor_count_and_range() -> None:
    centres = ssd.anchors()
    assert centres.shape == (2254, 2)
    assert centres.min() > 0.0
    assert centres.max() < 1.0
    # First cell of stride 8 twice, then its neighbour to the right; the last six share the last cell of stride 32.
    np.testing.assert_allclose(centres[:3] * 224, [[4, 4], [4, 4], [12, 4]], rtol=1e-6)
    np.testing.assert_allclose(centres[-6:] * 224, np.full((6, 2), 208.0), rtol=1e-6)


def test_decode_zero_box_is_its_anchor() -> None:
    logits = np.full(2254, -200.0, np.float32)
    logits[7] = 200.0
    found = ssd.decode(np.zeros((2254, 12), np.float32), logits, 0.5)
    assert len(found) == 1
    assert found.score[0] == pytest.approx(1.0)
    np.testing.assert_allclose(found.points[0], np.tile(ssd.anchors()[7], (4, 1)))


def detections(scores: list[float], boxes: list[list[float]]) -> ssd.Detections:
    box = np.array(boxes, np.float32)
    return ssd.Detections(np.array(scores, np.float32), box, np.repeat(box[:, None, :2], 4, axis=1))


def test_suppression_averages_a_group_by_score() -> None:
    merged = ssd.suppress(detections([0.75, 0.25], [[0, 0, 1, 1], [0.1, 0, 1.1, 1]]), 0.3)
    assert len(merged) == 1
    assert merged.score[0] == pytest.approx(0.75)
    np.testing.assert_allclose(merged.box[0], [0.025, 0, 1.025, 1], atol=1e-6)
    np.testing.assert_allclose(merged.points[0, 0], [0.025, 0.0], atol=1e-6)


def test_suppression_keeps_people_apart() -> None:
    found = ssd.suppress(detections([0.9, 0.8, 0.7], [[0, 0, 1, 1], [2, 0, 3, 1], [0.8, 0, 1.8, 1]]), 0.3)
    np.testing.assert_allclose(found.score, [0.9, 0.8, 0.7])


def test_suppression_of_nobody() -> None:
    nobody = ssd.decode(np.zeros((2254, 12), np.float32), np.full(2254, -5.0, np.float32), 0.5)
    assert len(ssd.suppress(nobody, 0.3)) == 0


def test_iou() -> None:
    others = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(ssd.iou(others[0], others), [1.0, 1 / 3, 0.0, 0.0], rtol=1e-6)


def to_crop(roi: Roi, points_px: np.ndarray) -> np.ndarray:
    """Pixels as fractions of the crop: OpenCV's inverse of the map that the crop is cut with."""
    matrix = cv2.invertAffineTransform(roi.crop_to_picture(1))
    return points_px @ matrix[:, :2].T + matrix[:, 2]


@settings(deadline=None)
@given(rois, st.lists(st.tuples(st.floats(-1, 2), st.floats(-1, 2)), min_size=1, max_size=5))
def test_roi_round_trip(roi: Roi, points: list[tuple[float, float]]) -> None:
    unit = np.array(points)
    back = to_crop(roi, roi.to_picture(unit).astype(float))
    # Pixels are float32: a unit in the last place of 2000 px over the size of the region.
    assert np.abs(back - unit).max() < 1e-5 + 2e-3 / roi.size_px


@settings(deadline=None)
@given(rois)
def test_body_stands_upright_in_its_own_crop(roi: Roi) -> None:
    """Hips at the middle, head end straight above: a region made from two points sees them there."""
    hips, end = roi.to_picture(np.array([[0.5, 0.5], [0.5, 0.1]])).astype(np.float64)
    again = Roi.around_body(hips, end)
    got = to_crop(again, np.array([hips, end]))
    slack = 1e-3 + 5e-3 / roi.size_px
    assert np.abs(got[0] - 0.5).max() < slack
    assert abs(got[1, 0] - 0.5) < slack
    assert got[1, 1] == pytest.approx(0.5 - 1 / 2.5, abs=slack)
    assert -math.pi <= again.angle_rad < math.pi


def test_crop_agrees_with_its_map() -> None:
    """A bright dot is found in the crop where the map says."""
    image = np.zeros((300, 400, 3), np.uint8)
    cv2.circle(image, (150, 120), 4, (255, 255, 255), -1)
    roi = Roi(170.0, 140.0, 200.0, 0.4)
    crop = roi.crop(image, 256)[:, :, 0].astype(float)
    rows, columns = np.mgrid[:256, :256]
    seen = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum() / 256
    np.testing.assert_allclose(seen, to_crop(roi, np.array([[150.0, 120.0]]))[0], atol=0.003)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (640, 480), (100, 100), (300, 3000)])
def test_tiles_cover_the_picture_and_hold_small_people_whole(size: tuple[int, int]) -> None:
    squares, least = tiles(*size), min(size)
    seen = np.zeros(size[::-1], bool)
    for left, top, right, bottom in squares:
        assert left >= 0 and top >= 0 and right <= size[0] and bottom <= size[1]
        assert right - left == bottom - top == round(0.6 * least)
        seen[top:bottom, left:right] = True
    assert seen.all()
    rng, tall = np.random.default_rng(0), 0.18 * least
    for _ in range(200):
        x, y = rng.uniform(0, size[0] - tall), rng.uniform(0, size[1] - tall)
        assert any(a <= x and x + tall <= c and b <= y and y + tall <= d for a, b, c, d in squares)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920), (500, 500)])
def test_letterbox_is_isotropic(width: int, height: int) -> None:
    """Normalised coordinates are never used as if the picture were square."""
    square = letterbox(width, height)
    corners = square.to_picture(np.array([[0.0, 0.0], [1.0, 1.0]]))
    side = max(width, height)
    np.testing.assert_allclose(corners[1] - corners[0], [side, side])
    np.testing.assert_allclose(corners.mean(axis=0), [width / 2, height / 2])


def blob(x: float, y: float, sigma: float, top: float = 0.95) -> np.ndarray:
    """Heat map logits (64, 64) of a Gaussian."""
    rows, columns = np.mgrid[:64, :64]
    heat = top * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    heat = np.clip(heat, 1e-6, 1 - 1e-6)
    return np.log(heat / (1 - heat)).astype(np.float32)


def test_refine_moves_to_the_blob() -> None:
    points, peak, spread = refine(np.array([[30.2, 19.5]], np.float32) / 64, blob(31.0, 20.0, 1.2)[None])
    np.testing.assert_allclose(points[0] * 64, [31.0, 20.0], atol=0.05)
    assert peak[0] == pytest.approx(0.95, abs=0.01)
    assert spread[0] == pytest.approx(1.2, abs=0.1)


def test_refine_leaves_a_faint_blob() -> None:
    start = np.array([[30.2, 19.5]], np.float32) / 64
    points, peak, _ = refine(start, blob(31.0, 20.0, 1.2, top=0.4)[None])
    np.testing.assert_array_equal(points, start)
    assert peak[0] < 0.5


def test_refine_outside_and_nan() -> None:
    start = np.array([[-0.1, 0.5], [0.5, 1.2], [np.nan, 0.5]], np.float32)
    points, peak, spread = refine(start, np.stack([blob(1, 1, 1)] * 3))
    np.testing.assert_array_equal(points, start)
    np.testing.assert_array_equal(peak, 0.0)
    assert np.isnan(spread).all()


def test_refine_at_the_edge() -> None:
    points, _, spread = refine(np.array([[0.01, 0.99]], np.float32), blob(0.0, 63.0, 1.0)[None])
    assert np.isfinite(points).all()
    assert np.isfinite(spread).all()


def plain_refine(point: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, float, float]:
    """The same, of one landmark, cell by cell."""
    column, row = (point * 64).astype(int)
    near = {(x, y): float(sigmoid(logits[y, x])) for x in range(64) for y in range(64)}
    core = {at: heat for at, heat in near.items() if max(abs(at[0] - column), abs(at[1] - row)) <= 4}
    wide = {at: heat for at, heat in near.items() if max(abs(at[0] - column), abs(at[1] - row)) <= 8}
    out = point * 64
    if max(core.values()) >= 0.5:
        out = sum(heat * np.array(at) for at, heat in core.items()) / sum(core.values())
    square = sum(heat * ((np.array(at) - out) ** 2).sum() for at, heat in wide.items())
    return out / 64, max(core.values()), math.sqrt(square / (2 * sum(wide.values())))


@settings(deadline=None, max_examples=20)
@given(st.tuples(*[st.floats(0.0, 0.999)] * 2), st.tuples(*[st.floats(-6.0, 6.0)] * 2), st.floats(0.6, 4.0))
def test_refine_is_the_sum_over_cells(start: tuple[float, float], away: tuple[float, float], sigma: float) -> None:
    point = np.array(start, np.float32)
    logits = blob(*(point * 64 + np.array(away)), sigma)
    found = refine(point[None], logits[None])
    for value, wanted in zip(found, plain_refine(point, logits), strict=True):
        np.testing.assert_allclose(value[0], wanted, rtol=1e-4, atol=1e-5)


@settings(deadline=None)
@given(st.floats(0.5, 1.5), st.floats(1.6, 3.0))
def test_spread_grows_with_the_blob(narrow: float, wide: float) -> None:
    maps = np.stack([blob(32, 32, narrow), blob(32, 32, wide)])
    _, _, spread = refine(np.full((2, 2), 0.5, np.float32), maps)
    assert spread[0] < spread[1]


def test_second_hypothesis_widens_the_spread() -> None:
    one = sigmoid(blob(30, 30, 1.2))
    two = np.clip(one + sigmoid(blob(36, 30, 1.2, top=0.6)), 1e-6, 1 - 1e-6)
    maps = np.stack([blob(30, 30, 1.2), np.log(two / (1 - two)).astype(np.float32)])
    _, _, spread = refine(np.full((2, 2), 30 / 64, np.float32), maps)
    assert spread[1] > 1.3 * spread[0]


def test_steady_holds_still_and_follows() -> None:
    rng = np.random.default_rng(0)
    still = np.array([[500.0, 400.0], [500.0, 100.0]])
    state = None
    trail = []
    for frame in range(120):
        state = steady(state, frame / 30, still + rng.normal(0, 1.0, (2, 2)))
        trail.append(state.points_px)
    assert np.std(trail[30:], axis=0).max() < 0.7
    for frame in range(120, 150):
        still = still + np.array([20.0, 0.0])
        state = steady(state, frame / 30, still)
    assert np.abs(state.points_px - still).max() < 25.0


def test_steady_starts_anew_when_time_runs_back() -> None:
    before = steady(None, 5.0, np.zeros((2, 2)))
    after = steady(before, 4.0, np.full((2, 2), 7.0))
    np.testing.assert_array_equal(after.points_px, 7.0)
