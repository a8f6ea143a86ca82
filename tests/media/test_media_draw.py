from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.errors import UsageError
from posepipe.media.draw import (
    OKABE_ITO,
    ascii_text,
    draw_angles,
    draw_caption,
    draw_pose,
    mirror_view,
    paint_angles,
    paint_caption,
    paint_pose,
    picture_copy,
)
from posepipe.skeleton import BLAZEPOSE33, BODY21, COCO17, H36M17, HALPE26
from posepipe.types import Keypoints


def person(layout=COCO17, *, sigma_px=3.0, width=320, height=240, shift=(0.0, 0.0)):
    """Someone seen from the front: their left is right of the middle."""
    rng = np.random.default_rng(0)
    n = len(layout)
    x = np.array([(-1.0 if "right" in j else 1.0 if "left" in j else 0.0) for j in layout.joints])
    xy = np.stack([width / 2 + 0.2 * width * x, np.linspace(0.2, 0.9, n) * height], axis=1) + rng.uniform(-3, 3, (n, 2))
    xy = (xy + shift).astype(np.float32)
    return Keypoints(layout, xy, np.full(n, sigma_px, np.float32), np.ones(n, np.float32))


def with_(keypoints, **fields):
    from dataclasses import replace

    return replace(keypoints, **fields)


@pytest.fixture
def picture():
    return np.full((240, 320, 3), 90, np.uint8)


def changed(before, after):
    return (before != after).any(axis=2)


@pytest.mark.parametrize("layout", [COCO17, BLAZEPOSE33, HALPE26, H36M17, BODY21])
def test_left_stays_left(layout):
    # Large enough for lines with a core of the pure colour.
    out = draw_pose(np.full((720, 960, 3), 90, np.uint8), person(layout, width=960, height=720), halo=False)
    left = (out == OKABE_ITO.left).all(axis=2)
    right = (out == OKABE_ITO.right).all(axis=2)
    assert left.sum() > 50 and right.sum() > 50
    assert np.nonzero(left)[1].mean() > 500 > 460 > np.nonzero(right)[1].mean()


def test_the_given_picture_is_not_changed(picture):
    before = picture.copy()
    keypoints = person()
    for out in (
        draw_pose(picture, keypoints, person=1),
        draw_angles(picture, keypoints, {"left_knee_flexion": 90.0}),
        draw_caption(picture, ["squat 3"]),
        mirror_view(picture, [keypoints])[0],
    ):
        assert out.shape == picture.shape and out.dtype == np.uint8 and out.flags.c_contiguous
        assert not np.shares_memory(out, picture)
        assert (out != before).any() or np.array_equal(before, before[:, ::-1])
    np.testing.assert_array_equal(picture, before)


def test_painting_is_drawing_without_a_copy_each(picture):
    angles, words = {"left_knee_flexion": 90.0, "right_elbow_flexion": 30.0}, {"left_knee": "Knie"}
    before = picture.copy()
    canvas = picture_copy(picture)
    paint_pose(canvas, person(), person=2)
    paint_angles(canvas, person(), angles, {"left_knee_flexion": 4.0}, words)
    paint_caption(canvas, ["12.3 s", "squat 3"])
    drawn = draw_angles(draw_pose(picture, person(), person=2), person(), angles, {"left_knee_flexion": 4.0}, words)
    np.testing.assert_array_equal(canvas, draw_caption(drawn, ["12.3 s", "squat 3"]))
    assert (canvas != before).any() and (picture == before).all()


def test_halo_grows_with_sigma(picture):
    areas = [changed(picture, draw_pose(picture, person(sigma_px=s))).sum() for s in (1.0, 4.0, 8.0, 12.0)]
    assert areas == sorted(set(areas))


def test_halo_is_two_sigma_wide(picture):
    xy = np.full((17, 2), np.nan, np.float32)
    xy[9] = (160, 120)
    keypoints = with_(person(sigma_px=7.0), xy_px=xy)
    where = changed(picture, draw_pose(picture, keypoints))
    ys, xs = np.nonzero(where)
    for low, high in ((xs.min(), xs.max()), (ys.min(), ys.max())):
        assert high - low == pytest.approx(28, abs=2)


def test_badly_known_joints_are_faint(picture):
    sure, unsure = draw_pose(picture, person(), halo=False), person()
    unsure.sigma_px[9] = 60.0
    out = draw_pose(picture, unsure, halo=False)
    x, y = (int(v) for v in unsure.xy_px[9])
    contrast = [np.abs(p[y - 3 : y + 4, x - 3 : x + 4].astype(int) - 90).sum() for p in (sure, out)]
    assert 0 < contrast[1] < 0.7 * contrast[0]


def test_nothing_to_draw_changes_nothing(picture):
    keypoints = person()
    for xy in (np.nan, np.inf, -np.inf, 1e9, -5000.0):
        out = draw_pose(picture, with_(keypoints, xy_px=np.full((17, 2), xy, np.float32)), person=3)
        np.testing.assert_array_equal(out, picture)
        angles = {"left_knee": 90.0}
        gone = with_(keypoints, xy_px=np.full((17, 2), xy, np.float32))
        np.testing.assert_array_equal(draw_angles(picture, gone, angles), picture)


numbers = st.floats(width=32, allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(
    xy=st.lists(numbers, min_size=34, max_size=34),
    sigma=st.lists(numbers, min_size=17, max_size=17),
    size=st.sampled_from([(1, 1), (2, 7), (40, 30), (320, 240)]),
)
def test_any_numbers_can_be_drawn(xy, sigma, size):
    image = np.zeros((size[1], size[0], 3), np.uint8)
    xy = np.array(xy, np.float32).reshape(17, 2)
    keypoints = Keypoints(COCO17, xy, np.array(sigma, np.float32), np.ones(17, np.float32))
    assert draw_pose(image, keypoints, person=1).shape == image.shape
    assert draw_angles(image, keypoints, {"left_knee_flexion": 1.0, "spine": 2.0}).shape == image.shape


def test_bone_to_a_joint_outside_is_cut_at_the_edge(picture):
    xy = np.full((17, 2), np.nan, np.float32)
    xy[7], xy[9] = (280, 120), (400, 120)
    out = draw_pose(picture, with_(person(), xy_px=xy), halo=False)
    assert changed(picture, out)[120, 319]


def test_id_stands_above_the_head_in_its_own_colour(picture):
    keypoints = person(shift=(0, 30))
    plain, labelled = draw_pose(picture, keypoints), draw_pose(picture, keypoints, person=2)
    ys, _ = np.nonzero(changed(plain, labelled))
    assert ys.size and ys.mean() < keypoints.xy_px[:, 1].min()
    assert not np.array_equal(labelled, draw_pose(picture, keypoints, person=3))


def test_angles_stand_at_their_joints(picture):
    keypoints = person()
    empty = draw_angles(picture, keypoints, {"left_knee_flexion": np.nan, "spine_bend": 4.0})
    np.testing.assert_array_equal(empty, picture)
    for joint in ("left_elbow", "right_knee"):
        out = draw_angles(picture, keypoints, {f"{joint}_flexion": 95.0}, {f"{joint}_flexion": 4.0})
        ys, xs = np.nonzero(changed(picture, out))
        x, y = keypoints.xy_px[COCO17.index(joint)]
        assert abs(xs.mean() - x) < 60 and abs(ys.mean() - y) < 30
    longer = draw_angles(picture, keypoints, {"left_knee": 95.0}, {"left_knee": 4.0})
    shorter = draw_angles(picture, keypoints, {"left_knee": 95.0})
    assert changed(picture, longer).sum() > changed(picture, shorter).sum()


@pytest.mark.parametrize("corner", ["top_left", "top_right", "bottom_left", "bottom_right"])
def test_caption_stands_in_its_corner_and_can_be_read(picture, corner):
    picture[:] = 250
    out = draw_caption(picture, ["squat 3 of 5", "tempo 1.2 s"], corner=corner)
    ys, xs = np.nonzero(changed(picture, out))
    assert (xs.min() == 0) == ("left" in corner) and (xs.max() == 319) == ("right" in corner)
    assert (ys.min() == 0) == ("top" in corner) and (ys.max() == 239) == ("bottom" in corner)
    box = out[ys.min() : ys.max(), xs.min() : xs.max()]
    assert np.percentile(box, 99) - np.percentile(box, 10) > 120


def test_caption_fits_any_picture_and_text():
    for size in ((1, 1), (20, 30), (90, 2000), (2160, 3840)):
        image = np.zeros((*size, 3), np.uint8)
        for lines in ([], [""], ["x" * 500, "äöü ± ° 日本"], ["a"] * 200):
            assert draw_caption(image, lines).shape == image.shape
    with pytest.raises(UsageError, match="top_left"):
        draw_caption(np.zeros((9, 9, 3), np.uint8), ["a"], corner="middle")


def test_wrong_picture_is_refused():
    for image in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3), np.float32)):
        with pytest.raises(UsageError):
            draw_caption(image, ["a"])


def test_text_becomes_ascii():
    assert ascii_text("Kniebeuge größer 90° ±3") == "Kniebeuge grosser 90 deg +-3"
    assert ascii_text("日\n") == "??"


def test_mirror_moves_points_with_the_picture_and_keeps_names():
    image = np.zeros((20, 31, 3), np.uint8)
    image[5, 8] = 255
    keypoints = person()
    keypoints.xy_px[9] = (8, 5)
    mirrored, (flipped,) = mirror_view(image, [keypoints])
    x, y = (int(v) for v in flipped.xy_px[9])
    assert mirrored[y, x].tolist() == [255] * 3
    assert keypoints.xy_px[9].tolist() == [8, 5] and flipped.layout is keypoints.layout
    np.testing.assert_array_equal(flipped.xy_px[9], [22, 5])


def test_drawing_is_cheap():
    image = np.zeros((720, 1280, 3), np.uint8)
    keypoints = person(BLAZEPOSE33, sigma_px=8.0, width=1280, height=720)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        took = []
        for _ in range(15):
            start = time.thread_time()
            draw_pose(image, keypoints, person=1)
            took.append(time.thread_time() - start)
    finally:
        cv2.setNumThreads(threads)
    # 2 ms on a quiet machine; shared caches make it slower.
    assert min(took) < 0.006
