"""Toes overrule labels where a covered face made front of back; nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from posepipe.body.toes import keep_to_toes, turn_to_toes
from posepipe.skeleton import BLAZEPOSE33, COCO17
from posepipe.types import KeypointTrack, Swap

F = 60
# Middle of left and right over the ground, half their distance, in pixels of a person 200 px tall.
BODY = {
    "shoulder": (160.0, 22.0), "elbow": (125.0, 30.0), "wrist": (95.0, 32.0), "hip": (105.0, 12.0),
    "knee": (55.0, 14.0), "ankle": (10.0, 15.0), "heel": (6.0, 14.0), "foot_index": (0.0, 18.0),
}  # fmt: skip


def standing(front: bool, **changed: tuple[float, float]) -> KeypointTrack:
    """Someone planted, seen from the front or from behind, with true labels."""
    xy = np.full((F, 33, 2), (320.0, 110.0), np.float32)
    body = dict(BODY, **changed)
    if not front and "foot_index" not in changed:
        body["foot_index"] = (11.0, 18.0)
    for part, (height, half) in body.items():
        for side, sign in (("left", 1.0), ("right", -1.0)):
            x = 320.0 + (sign if front else -sign) * half
            xy[:, BLAZEPOSE33.index(f"{side}_{part}")] = (x, 300.0 - height)
    xy += np.random.default_rng(0).normal(0.0, 0.3, xy.shape).astype(np.float32)
    shape, frame = (F, 33), np.arange(F, dtype=np.int32)
    yes = np.ones(shape, bool)
    sigma, score = np.full(shape, 2.0, np.float32), np.full(shape, 0.95, np.float32)
    return KeypointTrack(1, BLAZEPOSE33, frame, frame / 30.0, xy, sigma, score, yes, ~yes)


def exchanged(track: KeypointTrack, first: int, end: int) -> KeypointTrack:
    xy = track.xy_px.copy()
    xy[first:end] = xy[first:end][:, BLAZEPOSE33.mirror]
    return replace(track, xy_px=xy)


def test_front_taken_for_back_is_turned_round():
    true = standing(front=True)
    for first, end in ((0, F), (20, 50)):
        turned, (swap,) = turn_to_toes(exchanged(true, first, end))
        np.testing.assert_array_equal(turned.xy_px, true.xy_px)
        assert (swap.group, swap.frames, swap.repaired) == ("body", end - first, True)
        assert swap.start_s == pytest.approx(first / 30.0) and swap.gain == pytest.approx(100 * 6.0 / 190.0, rel=0.1)


@pytest.mark.parametrize(
    "track",
    [
        standing(front=True),
        standing(front=False),
        # Hanging from a bar: the toes point down whichever side is seen.
        standing(front=False, foot_index=(0.0, 18.0), wrist=(215.0, 40.0), elbow=(190.0, 35.0)),
        # At the top of a pull-up: hands at the nose, toes far below the heels.
        standing(front=False, foot_index=(-6.0, 18.0)),
        # Kneeling: the shanks lie on the floor.
        standing(front=False, knee=(22.0, 14.0), foot_index=(0.0, 18.0)),
    ],
    ids=["front", "back", "hanging", "dangling", "kneeling"],
)
def test_true_labels_stay(track):
    assert turn_to_toes(track) == (track, ())


def test_a_raised_heel_tells_nothing():
    track = standing(front=False)
    xy = track.xy_px.copy()
    xy[:, BLAZEPOSE33.index("left_heel"), 1] -= 25.0
    lifted = replace(track, xy_px=xy)
    assert turn_to_toes(lifted) == (lifted, ())


def test_a_few_frames_are_no_span():
    track = exchanged(standing(front=True), 20, 24)
    assert turn_to_toes(track) == (track, ())


def test_feet_out_of_sight_are_not_asked():
    track = exchanged(standing(front=True), 0, F)
    score = track.score.copy()
    score[:, BLAZEPOSE33.index("left_heel")] = 0.001
    unseen = replace(track, score=score)
    assert turn_to_toes(unseen) == (unseen, ())


def test_a_layout_without_toes_is_given_back():
    shape = (F, 17)
    yes = np.ones(shape, bool)
    frame = np.arange(F, dtype=np.int32)
    one = np.ones(shape, np.float32)
    track = KeypointTrack(1, COCO17, frame, frame / 30.0, np.zeros((*shape, 2), np.float32), one, one, yes, ~yes)
    assert turn_to_toes(track) == (track, ())


def test_a_repair_that_the_toes_speak_against_is_taken_back():
    true = standing(front=True)
    wrong = exchanged(true, 10, 50)
    swap = Swap("body", 10 / 30.0, 49 / 30.0, 40, 20.0, repaired=True)
    track, (told,) = keep_to_toes(true, wrong, (swap,))
    np.testing.assert_array_equal(track.xy_px, true.xy_px)
    assert not told.repaired
    track, swaps = keep_to_toes(wrong, true, (swap,))
    assert track is true and swaps == (swap,), "the toes agree"
    legs = replace(swap, group="legs")
    assert keep_to_toes(true, wrong, (legs,)) == (wrong, (legs,))
