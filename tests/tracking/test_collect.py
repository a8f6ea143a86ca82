import numpy as np
import pytest
from test_tracker import person

from posepipe.errors import UsageError
from posepipe.skeleton import COCO17
from posepipe.tracking.collect import TrackBuilder, choose_subject, merge_tracks
from posepipe.tracking.tracker import Tracker
from posepipe.types import Keypoints, KeypointTrack, same


def build(people_at, frames: int, fps: float = 30.0) -> TrackBuilder:
    """`people_at(i)` gives the people of frame i."""
    tracker, builder = Tracker(), TrackBuilder()
    for i in range(frames):
        people = people_at(i)
        builder.append(i, i / fps, tracker.step(i / fps, people), people)
    return builder


def weak(x: float, presence: float) -> Keypoints:
    p = person(x)
    return Keypoints(p.layout, p.xy_px, p.sigma_px, p.score, presence)


def test_track_covers_first_to_last_with_nan_between():
    away = range(40, 50)
    (track,) = build(lambda i: [] if i in away or i < 10 else [person(300 + i, seed=i)], 80).tracks()
    assert track.frame.tolist() == list(range(10, 80))
    assert track.time_s[0] == pytest.approx(10 / 30)
    assert not track.valid[30:40].any() and np.isnan(track.xy_px[30:40]).all()
    assert track.valid[:30].all() and track.valid[40:].all()
    np.testing.assert_array_equal(track.xy_px[5], person(315, seed=15).xy_px)
    assert not track.interpolated.any()


def test_storage_is_small_and_exact():
    builder = TrackBuilder()
    people = [person(300, seed=i) for i in range(10)]
    for i in range(3000):
        builder.append(i, i / 30.0, (1,), (people[i % 10],))
    held = sum(chunk.nbytes for chunk in builder._people[1]._chunks)
    assert held <= (3000 + 256) * 17 * 4 * 4
    (track,) = builder.tracks()
    np.testing.assert_array_equal(track.xy_px[2999], people[9].xy_px)
    np.testing.assert_array_equal(track.score[31], people[1].score)


def test_flickers_are_nobody():
    def bottle(i: int) -> list[Keypoints]:
        return [weak(300, 0.8)] if 100 <= i < 130 or 200 <= i < 252 else []

    assert build(bottle, 450).tracks() == ()
    assert build(lambda i: [person(200)] if 50 <= i < 60 else [], 450).tracks() == ()
    assert build(lambda i: [person(50 + 90 * (i // 15 % 4))] if i % 15 == 0 else [], 300).tracks() == ()
    assert build(lambda i: [], 30).tracks() == ()


def test_somebody_without_a_valid_joint_is_nobody():
    p = person(900)
    nowhere = Keypoints(p.layout, p.xy_px, np.full_like(p.sigma_px, np.inf), p.score)
    (track,) = build(lambda i: [person(300)] if i else [nowhere], 60).tracks()
    assert track.frame[0] == 1


@pytest.mark.parametrize(("frames", "fps"), [(21, 5.0), (35, 12.0), (40, 30.0), (12, 30.0), (1, 30.0)])
def test_short_clips_and_stills_keep_their_person(frames, fps):
    assert [t.person for t in build(lambda i: [person(300, seed=i)], frames, fps).tracks()] == [1]


def test_who_enters_late_stays():
    tracks = build(lambda i: [person(200, seed=i)] + ([person(500, seed=i)] if i >= 270 else []), 300).tracks()
    assert [len(t) for t in tracks] == [300, 30]


def test_a_real_person_seen_unsurely_but_long_stays():
    assert len(build(lambda i: [weak(300, 0.7)] if i % 5 else [], 300).tracks()) == 1


def test_absence_is_bridged_with_hindsight():
    def walks_behind_a_tree(i: int) -> list[Keypoints]:
        return [] if 60 <= i < 120 else [person(100 + 1.0 * i, seed=i)]

    builder = build(walks_behind_a_tree, 200)
    assert [t.person for t in builder.tracks(merge=False)] == [1, 2]
    (track,) = builder.tracks()
    assert track.person == 1 and len(track) == 200
    assert not track.valid[60:120].any() and track.valid[120:].all()
    np.testing.assert_allclose(track.time_s, np.arange(200) / 30.0)


def test_different_people_are_not_joined():
    def relay(i: int) -> list[Keypoints]:
        if i < 60:
            return [person(100, seed=i)]
        return [person(600, seed=i)] if i >= 100 else []

    assert len(build(relay, 200).tracks()) == 2

    def child_after_adult(i: int) -> list[Keypoints]:
        if i < 60:
            return [person(300, seed=i)]
        return [person(300, size=0.5, seed=i)] if i >= 120 else []

    assert len(build(child_after_adult, 200).tracks()) == 2
    both = build(lambda i: [person(300, seed=i), person(330, seed=i + 1)], 60).tracks(merge=False)
    time_s = np.arange(60) / 30.0
    assert len(merge_tracks(both, np.arange(60, dtype=np.int32), time_s)) == 2


def test_wrong_calls_are_refused():
    builder = TrackBuilder()
    with pytest.raises(UsageError):
        builder.append(0, 0.0, (1, 2), [person(100)])
    with pytest.raises(UsageError):
        builder.append(0, 0.0, (1, 1), [person(100), person(200)])
    builder.append(0, 0.0, (1,), [person(100)])
    with pytest.raises(UsageError):
        builder.append(1, 0.0, (1,), [person(100)])
    assert len(builder) == 1


@pytest.fixture(scope="module")
def three() -> tuple[KeypointTrack, ...]:
    """1 large at the left for half the time, 2 in the middle, 3 small at the right throughout; arms go in and out."""

    def people(i: int) -> list[Keypoints]:
        wide = 1.0 + 0.6 * np.sin(i / 5.0)
        left = [person(120, size=1.6, seed=i, wide=wide)] if i < 60 else []
        right = person(560, size=0.6, seed=i + 2, wide=wide)
        return [*left, person(320, 240, size=0.9, seed=i + 1, wide=wide), right]

    return build(people, 120).tracks()


def test_subject_can_be_changed_afterwards(three):
    size = (640, 480)
    assert [t.person for t in choose_subject(three, "largest", size)] == [1]
    assert [t.person for t in choose_subject(three, "center", size)] == [2]
    assert [t.person for t in choose_subject(three, "3", size)] == [3]
    assert [t.person for t in choose_subject(three[::-1], "all", size)] == [1, 2, 3]
    assert same(choose_subject(three, "2", size)[0], three[1])


def test_only_what_is_in_the_picture_counts(three):
    # In a narrow picture the large person at the left is cut off by nothing, those at the right are outside.
    assert [t.person for t in choose_subject(three[1:], "largest", (400, 480))] == [2]


def test_wrong_subjects_name_the_right_ones(three):
    with pytest.raises(UsageError, match="1, 2, 3"):
        choose_subject(three, "7", (640, 480))
    with pytest.raises(UsageError, match="largest, center, all"):
        choose_subject(three, "smallest", (640, 480))
    assert choose_subject((), "largest", (640, 480)) == ()
    with pytest.raises(UsageError, match="none"):
        choose_subject((), "1", (640, 480))


def test_layout_is_kept(three):
    assert {t.layout for t in three} == {COCO17}
