"""Two made people who cross: the judge, and how well the pipeline keeps them apart."""

from dataclasses import replace

import numpy as np
import pytest

from posepipe.errors import UsageError
from posepipe.lab.crossing import WAYS, draw_crossing, evaluate_crossing, judge_tracks
from posepipe.skeleton import BLAZEPOSE33, BODY21
from posepipe.types import KeypointTrack

SHARED = tuple(joint for joint in BODY21.joints if joint in BLAZEPOSE33.joints)
HERE, THERE = BLAZEPOSE33.indices(*SHARED), BODY21.indices(*SHARED)
FPS = 30.0


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    """(2, F, 21, 2) true joints of two who meet."""
    return draw_crossing("meet", 0).xy_px


def tracked(person: int, xy_px: np.ndarray) -> KeypointTrack:
    """A detector that makes no error, for true joints (F, 21, 2)."""
    xy = np.repeat(xy_px[:, :1], 33, axis=1).astype(np.float32)
    xy[:, HERE] = xy_px[:, THERE]
    frame = np.arange(len(xy), dtype=np.int32)
    yes, one = np.ones(xy.shape[:2], bool), np.ones(xy.shape[:2], np.float32)
    return KeypointTrack(person, BLAZEPOSE33, frame, frame / FPS, xy, one, one, yes, ~yes)


def test_true_tracks_are_right_whichever_way_sides_are_told(people):
    tracks = [tracked(1, people[0]), tracked(2, people[1])]
    right = {"found": 1.0, "tracks": 2.0, "exchanged": 0.0, "foreign": 0.0}
    assert judge_tracks(tracks, people, FPS) == right
    turned = replace(tracks[0], xy_px=tracks[0].xy_px[:, BLAZEPOSE33.mirror])
    assert judge_tracks([turned, tracks[1]], people, FPS) == right


def test_tracks_that_change_over_and_limbs_of_the_other_are_counted(people):
    half = people.shape[1] // 2
    changed = people.copy()
    changed[:, half:] = people[::-1, half:]
    found = judge_tracks([tracked(1, changed[0]), tracked(2, changed[1])], people, FPS)
    assert found["exchanged"] == 2.0 and found["found"] == 1.0
    borrowed = people[0].copy()
    arm = BODY21.indices("left_wrist", "left_elbow")
    borrowed[:10, arm] = people[1, :10, arm].swapaxes(0, 1)
    found = judge_tracks([tracked(1, borrowed), tracked(2, people[1])], people, FPS)
    assert found["exchanged"] == 0.0
    assert found["foreign"] == pytest.approx(20 / (24 * people.shape[1]))
    assert judge_tracks([tracked(1, people[0])], people, FPS)["found"] == 0.5
    assert judge_tracks([], people, FPS)["found"] == 0.0


@pytest.mark.parametrize("way", WAYS)
def test_one_goes_through_before_the_other(way):
    made = draw_crossing(way, 3)
    size = np.array([made.camera.width_px, made.camera.height_px])
    assert ((made.xy_px > -0.05 * size) & (made.xy_px < 1.05 * size)).mean() > 0.97
    ahead = made.xy_px[0, :, 0, 0] - made.xy_px[1, :, 0, 0]
    assert ahead[0] * ahead[-1] < 0.0, "they change places"
    depth = made.camera.project(made.xyz_m)[1][..., 0]
    middle = int(np.abs(ahead).argmin())
    assert abs(depth[0, middle] - depth[1, middle]) > 0.35, "but not through each other"


def test_wrong_ways_and_numbers_are_named():
    with pytest.raises(UsageError, match="overtake"):
        draw_crossing("dance", 0)
    with pytest.raises(UsageError, match="Give 1 or more"):
        evaluate_crossing(0)
