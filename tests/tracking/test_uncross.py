"""Tracks that changed over where two people crossed are given back; all others stay as they are."""

from dataclasses import replace

import numpy as np
import pytest

from posepipe.skeleton import BLAZEPOSE33
from posepipe.tracking.uncross import uncross
from posepipe.types import KeypointTrack

F, FPS = 90, 30.0
BODY = {"shoulder": (70.0, 16.0), "elbow": (40.0, 22.0), "wrist": (15.0, 24.0), "hip": (10.0, 10.0),
        "knee": (-40.0, 12.0), "ankle": (-85.0, 13.0)}  # fmt: skip


def walker(person: int, x_px: np.ndarray, size: float = 1.0, seed: int = 0) -> KeypointTrack:
    """Somebody whose hips go through x_px (F,)."""
    xy = np.zeros((F, 33, 2), np.float32)
    xy[..., 0], xy[..., 1] = x_px[:, None], 200.0 - 90.0 * size
    for part, (height, half) in BODY.items():
        for side, sign in (("left", 1.0), ("right", -1.0)):
            j = BLAZEPOSE33.index(f"{side}_{part}")
            xy[:, j, 0], xy[:, j, 1] = x_px + sign * size * half, 200.0 - size * height
    xy += np.random.default_rng(seed).normal(0.0, 0.8, xy.shape).astype(np.float32)
    frame = np.arange(F, dtype=np.int32)
    yes, one = np.ones((F, 33), bool), np.ones((F, 33), np.float32)
    return KeypointTrack(person, BLAZEPOSE33, frame, frame / FPS, xy, one, one, yes, ~yes)


def hidden(track: KeypointTrack, first: int, end: int) -> KeypointTrack:
    valid, xy, sigma = track.valid.copy(), track.xy_px.copy(), track.sigma_px.copy()
    valid[first:end], xy[first:end], sigma[first:end] = False, np.nan, np.nan
    return replace(track, xy_px=xy, sigma_px=sigma, valid=valid)


def changed(a: KeypointTrack, b: KeypointTrack, first: int, end: int) -> tuple[KeypointTrack, KeypointTrack]:
    """Both with the other's samples in some frames."""
    out = []
    for one, other in ((a, b), (b, a)):
        fields = {name: getattr(one, name).copy() for name in ("xy_px", "sigma_px", "score", "valid")}
        for name, values in fields.items():
            values[first:end] = getattr(other, name)[first:end]
        out.append(replace(one, **fields))
    return out[0], out[1]


def same(a: KeypointTrack, b: KeypointTrack) -> bool:
    return bool(np.array_equal(a.xy_px, b.xy_px, equal_nan=True) and np.array_equal(a.valid, b.valid))


@pytest.fixture
def pair() -> tuple[KeypointTrack, KeypointTrack]:
    """Two who meet in frame 45; the second goes behind the first and isn't seen for a while."""
    there, back = np.linspace(100.0, 500.0, F), np.linspace(500.0, 100.0, F)
    return walker(1, there, 1.0, 1), hidden(walker(2, back, 0.92, 2), 40, 50)


def test_true_tracks_stay(pair):
    assert uncross(pair) == pair
    assert uncross(pair[:1]) == pair[:1]


def test_tails_that_changed_over_come_back(pair):
    a, b = uncross(changed(*pair, 47, F))
    assert same(a, pair[0]) and same(b, pair[1])
    assert (a.person, b.person) == (1, 2)


def test_whoever_is_looked_at_instead_of_the_hidden_one_is_given_back(pair):
    # While they cover each other the second track holds the first one's body.
    a, b = uncross(changed(*pair, 40, 50))
    assert same(a, pair[0]) and same(b, pair[1])


def test_a_jogger_who_turns_round_is_told_by_limbs():
    turned = np.concatenate([np.linspace(100.0, 290.0, 45), np.linspace(290.0, 100.0, F - 45)])
    still = np.full(F, 300.0)
    pair = walker(1, turned, 1.0, 3), hidden(walker(2, still, 0.7, 4), 38, 52)
    assert uncross(pair) == pair


def test_people_who_pass_far_apart_or_never_meet_again_stay(pair):
    far = walker(1, np.linspace(100.0, 200.0, F)), walker(2, np.linspace(900.0, 800.0, F))
    assert uncross(far) == far
    gone = pair[0], hidden(pair[1], 40, F)
    assert uncross(gone) == gone


def test_frames_of_two_tracks_that_begin_and_end_apart_are_kept_in_order(pair):
    late = KeypointTrack(
        2, BLAZEPOSE33, *(getattr(pair[1], name)[20:80] for name in (
            "frame", "time_s", "xy_px", "sigma_px", "score", "valid", "interpolated"
        ))
    )  # fmt: skip
    whole = replace(pair[0])
    wrong = changed(whole, _on(late, whole), 47, F)
    a, b = uncross((wrong[0], _cut(wrong[1])))
    assert np.all(np.diff(a.frame) == 1) and np.all(np.diff(b.frame) == 1)
    assert (int(b.frame[0]), int(b.frame[-1])) == (20, 79)
    assert same(a, pair[0])


def _on(track: KeypointTrack, other: KeypointTrack) -> KeypointTrack:
    """A shorter track on a longer one's frames."""
    wide = hidden(other, 0, F)
    for name in ("xy_px", "sigma_px", "score", "valid"):
        getattr(wide, name).flags.writeable = True
        getattr(wide, name)[track.frame] = getattr(track, name)
    return replace(wide, person=track.person)


def _cut(track: KeypointTrack) -> KeypointTrack:
    """From the first frame with a keypoint on."""
    first = int(np.flatnonzero(track.valid.any(axis=1))[0])
    names = ("frame", "time_s", "xy_px", "sigma_px", "score", "valid", "interpolated")
    return replace(track, **{name: getattr(track, name)[first:] for name in names})
