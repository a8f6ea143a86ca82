"""One body is one track; two people stay two."""

from dataclasses import replace

import numpy as np
from test_collect import build
from test_tracker import X, Y, person

from posepipe.skeleton import COCO17
from posepipe.tracking.collect import choose_subject, movement
from posepipe.tracking.same_body import covered, join_overlapping
from posepipe.types import Keypoints, KeypointTrack, same


def half(x: float, seed: int = 0) -> Keypoints:
    """The answer of a detector that takes the trunk of `person` for a whole body: every joint lies on it."""
    whole = person(x, seed=seed)
    y = 300.0 + np.interp(Y, [-94.0, 100.0], [-66.0, 10.0])
    xy = np.stack([x + 0.5 * X, y], axis=1).astype(np.float32)
    return replace(whole, xy_px=xy)


def squatting(i: int, x: float = 300.0) -> Keypoints:
    """Bends the knees twice a second and a half."""
    bent = 40.0 * (1.0 - np.cos(i / 30.0 * 2.0 * np.pi / 1.5)) / 2.0
    one = person(x, seed=i)
    xy = one.xy_px.copy()
    upper = [j for j, name in enumerate(COCO17.joints) if "ankle" not in name]
    xy[upper, 1] += bent
    return replace(one, xy_px=xy)


def test_a_second_answer_on_the_same_body_is_no_second_person():
    tracks = build(lambda i: [person(300, seed=i)] + ([half(300, i)] if i < 50 else []), 120).tracks(merge=False)
    assert len(tracks) == 2
    (joined,) = join_overlapping(tracks)
    whole = next(track for track in tracks if len(track) == 120)
    np.testing.assert_array_equal(joined.xy_px, whole.xy_px)
    assert joined.person == 1 and joined.valid.all()


def test_the_whole_body_counts_however_sure_half_of_it_is():
    def both(i: int) -> list[Keypoints]:
        whole, part = person(300, seed=i), half(300, i)
        return [
            replace(whole, score=np.full_like(whole.score, 0.5)),
            replace(part, score=np.full_like(part.score, 0.9)),
        ]

    whole, part = build(both, 80).tracks(merge=False)
    for tracks in ((whole, part), (part, whole)):
        (joined,) = join_overlapping(tracks)
        np.testing.assert_array_equal(joined.xy_px, whole.xy_px)


def test_parts_of_one_body_that_overlap_in_time_are_joined():
    def split(i: int) -> list[Keypoints]:
        return ([person(300, seed=i)] if i < 70 else []) + ([person(304, size=0.98, seed=i + 500)] if i >= 60 else [])

    builder = build(lambda i: [], 1)
    builder = type(builder)()
    for i in range(140):
        people = split(i)
        builder.append(i, i / 30.0, ((1,) if i < 70 else ()) + ((2,) if i >= 60 else ()), people)
    assert len(builder.tracks(merge=False)) == 2
    (track,) = builder.tracks()
    assert len(track) == 140 and track.valid.all()
    np.testing.assert_array_equal(track.frame, np.arange(140))


def test_two_people_one_before_the_other_stay_two():
    for away in (25.0, 40.0, 80.0):
        tracks = build(lambda i, away=away: [person(300, seed=i), person(300 + away, y=310, seed=i + 500)], 60).tracks()
        assert len(tracks) == 2, away


def test_two_people_who_cross_stay_two():
    tracks = build(lambda i: [person(100 + 6.0 * i, seed=i), person(640 - 6.0 * i, size=1.1, seed=i + 99)], 90).tracks()
    assert len(tracks) == 2


def test_covered_is_one_on_itself_and_none_where_nothing_is_known():
    xy = person(300).xy_px[None].astype(np.float64)
    assert covered(xy, xy, "coco17")[0] == 1.0
    assert covered(xy, xy + 400.0, "coco17")[0] == 0.0
    assert np.isnan(covered(xy, np.full_like(xy, np.nan), "coco17")[0])


def test_tracks_of_other_layouts_or_times_are_left_alone():
    (early,) = build(lambda i: [person(300, seed=i)] if i < 40 else [], 120).tracks(merge=False)
    (late,) = build(lambda i: [person(300, seed=i)] if i >= 60 else [], 120).tracks(merge=False)
    kept = join_overlapping((early, replace(late, person=2)))
    assert len(kept) == 2 and same(kept[0], early)


def poster(i: int, size: float = 2.0) -> Keypoints:
    """A large picture on the wall: the keypoints tremble, nothing else."""
    still = person(700, size=size)
    rng = np.random.default_rng(i)
    return replace(still, xy_px=still.xy_px + rng.normal(0, 0.3, still.xy_px.shape).astype(np.float32))


def test_who_moves_is_the_subject_and_a_picture_never_is():
    tracks = build(lambda i: [squatting(i), poster(i)], 120).tracks()
    assert len(tracks) == 2
    moves = [movement(track) for track in tracks]
    assert moves[0] > 0.03 and moves[1] < 0.005
    (subject,) = choose_subject(tracks, "largest", (1280, 720))
    assert subject.xy_px[..., 0].mean() < 400


def test_alone_who_holds_still_is_the_subject():
    (still,) = build(lambda i: [poster(i)], 60).tracks()
    assert choose_subject((still,), "largest", (1280, 720)) == (still,)


def test_movement_is_against_the_trunk():
    def gliding(i: int) -> Keypoints:
        frame = poster(i)
        return replace(frame, xy_px=frame.xy_px + np.float32(4.0 * i))

    (track,) = build(lambda i: [gliding(i)], 60).tracks()
    assert movement(track) < 0.005
    none = replace(track, valid=np.zeros_like(track.valid))
    assert isinstance(none, KeypointTrack) and movement(none) == 0.0


def test_a_hidden_arm_that_jumps_about_makes_no_picture_move():
    def flickering(i: int) -> Keypoints:
        """The arm behind the body is guessed, now before and now behind it."""
        frame = poster(i)
        xy, score = frame.xy_px.copy(), np.full(len(frame.score), 0.9, np.float32)
        arm = [j for j, name in enumerate(COCO17.joints) if name in ("left_elbow", "left_wrist")]
        xy[arm, 0] += 90.0 * (i // 20 % 2)
        score[arm] = 0.12
        return replace(frame, xy_px=xy, score=score)

    tracks = build(lambda i: [squatting(i), flickering(i)], 120).tracks()
    assert movement(tracks[1]) < 0.005
    (subject,) = choose_subject(tracks, "largest", (1280, 720))
    assert subject.xy_px[..., 0].mean() < 400
    # Where all is guessed, there is nothing better to go by.
    dim = replace(tracks[1], score=np.full_like(tracks[1].score, 0.1))
    assert movement(dim) > 0.03
