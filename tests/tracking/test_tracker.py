import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.errors import UsageError
from posepipe.skeleton import COCO17
from posepipe.tracking.tracker import Tracker, TrackerSettings
from posepipe.types import Keypoints

# A standing person, 200 px tall, about the middle of the body.
X = np.array([0, 3, -3, 8, -8, 22, -22, 28, -28, 30, -30, 14, -14, 15, -15, 15, -15], float)
Y = np.array([-90, -94, -94, -90, -90, -65, -65, -25, -25, 10, 10, 5, 5, 55, 55, 100, 100], float)


def person(x: float, y: float = 300.0, size: float = 1.0, seed: int = 0, wide: float = 1.0) -> Keypoints:
    noise = np.random.default_rng(seed).normal(0, 1.0, (17, 2))
    xy = np.stack([x + size * wide * X, y + size * Y], axis=1) + noise
    return Keypoints(
        COCO17, xy.astype(np.float32), np.full(17, 3.0, np.float32), np.full(17, 0.9, np.float32), presence=0.99
    )


def swap_sides(keypoints: Keypoints) -> Keypoints:
    m = COCO17.mirror
    return Keypoints(COCO17, keypoints.xy_px[m], keypoints.sigma_px[m], keypoints.score[m])


def test_two_people_cross_and_detections_come_in_any_order():
    for seed in range(3):
        rng = np.random.default_rng(seed)
        tracker, seen = Tracker(), []
        for i in range(90):
            people = [person(100 + 6.0 * i, seed=i), person(700 - 6.0 * i, size=1.1, seed=i + 999)]
            order = rng.permutation(2)
            ids = tracker.step(i / 30.0, [people[k] for k in order])
            seen.append(tuple(ids[list(order).index(k)] for k in range(2)))
        assert len(set(seen)) == 1 and set(seen[0]) == {1, 2}


def test_one_is_hidden_while_they_cross():
    tracker, ids = Tracker(), {}
    for i in range(90):
        a, b = 100 + 6.0 * i, 640 - 6.0 * i
        people = [person(a, seed=i)]
        if abs(a - b) > 90:  # the nearer one hides the other
            people.append(person(b, size=0.8, seed=i + 500))
        got = tracker.step(i / 30.0, people)
        ids[i] = got
    assert ids[0] == ids[89] == (1, 2)
    assert {g[0] for g in ids.values()} == {1}


def test_leaves_and_returns_within_the_gap():
    tracker = Tracker()
    for i in range(30):
        assert tracker.step(i / 30.0, [person(300 + i, seed=i), person(600, seed=-i + 99)]) == (1, 2)
    for i in range(30, 52):
        assert tracker.step(i / 30.0, [person(600, seed=i)]) == (2,)
    assert tracker.step(52 / 30.0, [person(345, seed=7), person(600)]) == (1, 2)


@pytest.mark.parametrize("fps", [5.0, 12.0, 30.0, 120.0])
def test_gap_is_in_seconds(fps):
    for away_s, same in ((0.8, True), (1.4, False)):
        tracker = Tracker()
        for i in range(int(2 * fps)):
            tracker.step(i / fps, [person(300, seed=i)])
        last = (int(2 * fps) - 1) / fps
        (back,) = tracker.step(last + away_s, [person(300)])
        assert (back == 1) == same


def test_far_away_is_somebody_else_and_ids_are_never_used_twice():
    tracker = Tracker()
    assert tracker.step(0.0, [person(100)]) == (1,)
    assert tracker.step(0.03, [person(600)]) == (2,)
    assert tracker.step(5.0, [person(100)]) == (3,)


@pytest.mark.parametrize("fps", [5.0, 12.0, 25.0])
def test_fast_people_at_low_rates(fps):
    tracker = Tracker()
    for i in range(int(3 * fps)):  # 1.2 body heights a second, as in running across the picture
        assert tracker.step(i / fps, [person(50 + 250.0 * i / fps, seed=i)]) == (1,)


def test_left_right_swaps_and_wild_points_keep_the_id():
    tracker = Tracker()
    for i in range(60):
        who = person(300 + 2 * i, seed=i)
        if i % 3 == 0:
            who = swap_sides(who)
        if i % 4 == 0:
            who.xy_px[9] += 400.0
        if i % 5 == 0:
            who.xy_px[15:] = np.nan
        assert tracker.step(i / 30.0, [who]) == (1,)


def test_nobody_is_nobody():
    tracker = Tracker()
    assert tracker.step(0.0, []) == ()
    assert tracker.step(0.1, [person(100)]) == (1,)
    assert tracker.step(0.2, []) == ()
    blank = Keypoints(
        COCO17, np.full((17, 2), np.nan, np.float32), np.full(17, np.nan, np.float32), np.zeros(17, np.float32)
    )
    assert tracker.step(0.3, [blank, person(100)])[1] == 1


def test_time_must_rise_and_reset_forgets():
    tracker = Tracker()
    tracker.step(1.0, [person(100)])
    with pytest.raises(UsageError):
        tracker.step(1.0, [])
    tracker.reset()
    assert tracker.step(0.0, [person(500)]) == (1,)
    with pytest.raises(UsageError):
        Tracker(TrackerSettings(max_gap_s=-1.0))


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 50))
def test_order_of_detections_never_matters(order, seed):
    tracker = Tracker()
    base = [person(100 + 150 * k, seed=seed + k) for k in range(4)]
    first = tracker.step(0.0, base)
    moved = [person(105 + 150 * k, seed=seed + k + 50) for k in range(4)]
    again = tracker.step(0.04, [moved[k] for k in order])
    assert [again[list(order).index(k)] for k in range(4)] == list(first)


def test_same_steps_give_the_same_ids_whatever_comes_later():
    def run(until: int) -> list[tuple[int, ...]]:
        tracker = Tracker()
        return [
            tracker.step(i / 30.0, [person(100 + 5 * i, seed=i), person(500 - 5 * i, seed=i)]) for i in range(until)
        ]

    assert run(60)[:30] == run(30)
