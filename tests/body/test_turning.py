"""Nobody turns round between two pictures, and who comes nearer isn't seen from behind; true labels stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from posepipe.body.turning import turn_back, turn_to_walk, untorn
from posepipe.skeleton import BLAZEPOSE33, COCO17
from posepipe.types import KeypointTrack

from .test_toes import BODY

F, FPS_HZ = 90, 30.0


def person(
    yaw_deg: NDArray[np.float64], *, grows_per_s: float = 0.0, steps_px: float = 0.0, seed: int = 0
) -> KeypointTrack:
    """Somebody upright who faces the camera at 0 degrees, with true labels; 200 px tall."""
    count = len(yaw_deg)
    time_s = np.arange(count) / FPS_HZ
    scale = np.exp(grows_per_s * time_s)
    xy = np.zeros((count, 33, 2))
    for part, (height, half) in BODY.items():
        for side, sign in (("left", 1.0), ("right", -1.0)):
            x = sign * half * np.cos(np.radians(yaw_deg))
            lift = steps_px * np.maximum(sign * np.sin(2.0 * np.pi * time_s), 0.0) if part == "ankle" else 0.0
            xy[:, BLAZEPOSE33.index(f"{side}_{part}")] = np.stack([scale * x, -scale * (height + lift)], axis=1)
    for name in BLAZEPOSE33.joints[:11]:
        xy[:, BLAZEPOSE33.index(name)] = np.stack([0.0 * scale, -scale * 190.0], axis=1)
    xy += np.array([320.0, 300.0]) + np.random.default_rng(seed).normal(0.0, 0.3, xy.shape)
    shape, frame = (count, 33), np.arange(count, dtype=np.int32)
    yes = np.ones(shape, bool)
    sigma, score = np.full(shape, 2.0, np.float32), np.full(shape, 0.95, np.float32)
    return KeypointTrack(1, BLAZEPOSE33, frame, time_s, xy.astype(np.float32), sigma, score, yes, ~yes)


def exchanged(track: KeypointTrack, rows: slice) -> KeypointTrack:
    xy = track.xy_px.copy()
    xy[rows] = xy[rows][:, BLAZEPOSE33.mirror]
    return replace(track, xy_px=xy)


@given(st.integers(2, 60), st.integers(2, 25), st.floats(-35.0, 35.0), st.integers(0, 9))
def test_sudden_turns_are_taken_back(first: int, frames: int, yaw_deg: float, seed: int) -> None:
    true = person(np.full(F, yaw_deg), seed=seed)
    found, (swap,) = turn_back(exchanged(true, slice(first, first + frames)))
    np.testing.assert_array_equal(found.xy_px, true.xy_px)
    assert (swap.group, swap.frames, swap.repaired) == ("body", frames, True) and swap.gain > 1.0


def test_a_turn_over_some_frames_in_the_middle_is_taken_back_too():
    # A detector in doubt puts both sides in the middle before it changes its mind.
    true = person(np.zeros(F))
    wrong = exchanged(true, slice(30, 50))
    xy = wrong.xy_px.copy()
    for row in (30, 50):
        xy[row] = 0.5 * (xy[row] + xy[row][BLAZEPOSE33.mirror])
    found, _ = turn_back(replace(wrong, xy_px=xy))
    away = np.linalg.norm(found.xy_px - true.xy_px, axis=2).max(axis=1)
    assert (away < 1.0).sum() >= F - 2


def test_of_two_stories_that_are_as_good_none_is_told():
    # Round in no time, and back at leisure: what came before is wrong, or what came between.
    yaw_deg = np.concatenate([np.zeros(37), np.full(22, 180.0), np.linspace(180.0, 0.0, 15), np.zeros(F - 74)])
    either = person(yaw_deg)
    found, swaps = turn_back(either)
    assert found is either and swaps and not any(swap.repaired for swap in swaps)


@pytest.mark.parametrize("turns_per_s", [0.25, 0.5, 1.0])
def test_who_really_turns_is_believed(turns_per_s: float) -> None:
    turning = person(360.0 * turns_per_s * np.arange(F) / FPS_HZ)
    assert turn_back(turning) == (turning, ())


def test_from_the_side_and_in_doubt_nothing_is_told():
    side = person(np.full(F, 85.0))
    assert turn_back(exchanged(side, slice(20, 40)))[1] == ()
    # Half of the time each: which half is right can't be told.
    half = exchanged(person(np.zeros(F)), slice(0, F // 2))
    found, swaps = turn_back(half)
    assert found is half and [swap.repaired for swap in swaps] == [False]
    unseen = replace(half, valid=np.zeros_like(half.valid))
    assert turn_back(unseen) == (unseen, ()) and turn_to_walk(unseen) == (unseen, ())
    short = replace(
        half,
        **{name: getattr(half, name)[:2] for name in ("frame", "time_s", "xy_px", "sigma_px", "score", "valid")},
        interpolated=half.interpolated[:2],
    )
    assert turn_back(short) == (short, ())


def test_who_comes_nearer_step_by_step_is_seen_from_the_front():
    true = person(np.zeros(F), grows_per_s=0.2, steps_px=12.0)
    found, (swap,) = turn_to_walk(exchanged(true, slice(0, F)))
    np.testing.assert_array_equal(found.xy_px, true.xy_px)
    assert swap.frames == F and swap.gain == pytest.approx(100 * 0.2 * (F - 1) / FPS_HZ, rel=0.15)


@pytest.mark.parametrize(
    ("grows_per_s", "steps_px", "yaw_deg"),
    [(0.2, 12.0, 0.0), (-0.2, 12.0, 180.0), (0.0, 12.0, 180.0), (0.2, 0.0, 180.0)],
    ids=["comes", "goes", "on a treadmill from behind", "a zoom from behind"],
)
def test_true_labels_stay(grows_per_s: float, steps_px: float, yaw_deg: float) -> None:
    true = person(np.full(F, yaw_deg), grows_per_s=grows_per_s, steps_px=steps_px)
    assert turn_to_walk(true) == (true, ())


def test_other_layouts_are_given_back():
    index = [BLAZEPOSE33.index(name) for name in COCO17.joints]
    true = person(np.zeros(F), grows_per_s=0.2, steps_px=12.0)
    fields = {name: getattr(true, name)[:, index] for name in ("xy_px", "sigma_px", "score", "valid", "interpolated")}
    track = replace(true, layout=COCO17, **fields)
    # It has no feet, but shoulders and hips.
    assert turn_to_walk(track) == (track, ()) and turn_back(track) == (track, ())
    xy = track.xy_px.copy()
    xy[30:50] = xy[30:50][:, COCO17.mirror]
    assert len(turn_back(replace(track, xy_px=xy))[1]) == 1


BODY_TOO, LEGS = np.array([True, True]), np.array([False, True])


def test_no_exchange_tears_a_body():
    front = person(np.zeros(F))
    middle = slice(30, 60)
    assert untorn(front, [(middle, BODY_TOO)], 0.25) == [False]
    # At the track's end it tears once, over the whole track never: then the detector may be wrong all along.
    assert untorn(front, [(slice(60, F), BODY_TOO)], 0.25) == [False]
    assert untorn(front, [(slice(0, F), BODY_TOO)], 0.25) == [True]
    # What follows on an exchange that tears goes with it.
    assert untorn(front, [(middle, BODY_TOO), (slice(60, 63), LEGS)], 0.25) == [False, False]
    # Edge on nobody can tell.
    assert untorn(person(np.linspace(0.0, 180.0, F)), [(slice(45, F), LEGS)], 0.0) == [True]


def test_what_was_torn_is_taken_back():
    torn = exchanged(person(np.zeros(F)), slice(30, 60))
    assert untorn(torn, [(slice(30, 60), BODY_TOO)], 0.0) == [True]
    # A few frames beside it.
    beside = [(slice(30, 64), BODY_TOO)]
    assert untorn(torn, beside, 0.25) == [True] and untorn(torn, beside, 0.0) == [False]
