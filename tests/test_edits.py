"""Corrections by hand change what they say, and all that follows from it, and can be taken back to the last digit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from posepipe.edits import EDIT, Edit, edited, read_edits, write_edits
from posepipe.errors import UsageError
from posepipe.gait.corrections import without_strikes
from posepipe.gait.types import Event, Stride, Walk
from posepipe.reasons import Reason
from posepipe.record.folder import load, save
from posepipe.record.recording import Recording
from tests.record.factory import make_recording


@pytest.fixture(scope="module")
def recording() -> Recording:
    return make_recording()


def _knee(recording: Recording, side: str) -> np.ndarray:
    angles = recording.people[0].angles
    return angles.deg[:, angles.names.index(f"{side}_knee_flexion")]


def test_swap_exchanges_sides_over_its_span(recording: Recording) -> None:
    track = recording.people[0].keypoints
    swap = Edit("swap", 1, 2.0, 4.0)
    made = edited(recording, [swap])
    inside = (track.time_s >= 2.0) & (track.time_s <= 4.0)
    left, right = (track.layout.joints.index(f"{side}_ankle") for side in ("left", "right"))
    after = made.people[0].keypoints
    np.testing.assert_array_equal(after.xy_px[inside, left], track.xy_px[inside, right])
    np.testing.assert_array_equal(after.xy_px[~inside], track.xy_px[~inside])
    # The pose follows: the ankles of the 3D figure change sides, too.
    pose, before = made.people[0].pose, edited(recording, [Edit("move", 1, 0.0, 0.0, "nose", 640.0, 100.0)])
    column = pose.layout.joints.index("left_ankle")
    middle = np.flatnonzero(inside)[len(np.flatnonzero(inside)) // 2]
    moved = pose.xyz_m[middle, column, 0] - before.people[0].pose.xyz_m[middle, column, 0]
    assert abs(moved) > 0.1
    # Twice is not at all.
    twice = edited(recording, [swap, swap]).people[0].keypoints
    np.testing.assert_array_equal(twice.xy_px, track.xy_px)


def test_moved_joint_is_where_it_was_put_and_fades(recording: Recording) -> None:
    track = recording.people[0].keypoints
    joint = track.layout.joints.index("left_knee")
    row = 100
    at_s, there = float(track.time_s[row]), track.xy_px[row, joint] + (60.0, 0.0)
    made = edited(recording, [Edit("move", 1, at_s, at_s, "left_knee", float(there[0]), float(there[1]))])
    after = made.people[0].keypoints
    np.testing.assert_allclose(after.xy_px[row, joint], there, atol=1e-3)
    shift = np.abs(after.xy_px[:, joint] - track.xy_px[:, joint]).max(axis=1)
    far = np.abs(track.time_s - at_s) >= EDIT.fade_s
    assert (shift[far] == 0).all()
    near = np.flatnonzero(~far)
    assert (np.diff(shift[near[0] : row + 1]) > 0).all()
    # The angle is measured again.
    assert abs(_knee(made, "left")[row] - _knee(recording, "left")[row]) > 2.0


def test_dropped_repetition_isnt_counted_and_says_why(recording: Recording) -> None:
    bout = recording.people[0].exercise.bouts[0]
    second = bout.reps[1]
    made = edited(recording, [Edit("drop_rep", 1, second.start_s, second.end_s)])
    after = made.people[0].exercise.bouts[0]
    assert [rep.start_s for rep in after.reps] == [bout.reps[0].start_s, bout.reps[2].start_s]
    assert Reason.REMOVED_BY_HAND in {item.reason for item in after.rejected}
    assert made.people[0].pose is recording.people[0].pose
    assert made.warnings[-1] == "Corrected by hand: 1 change."


def test_dropped_strike_joins_its_strides() -> None:
    times = (0.0, 1.1, 1.6, 2.2)
    events = tuple(Event(time_s, 0.02, "left", "heel_strike", 0.9) for time_s in times)
    strides = tuple(Stride("left", a, a + 0.6 * (b - a), b, 0) for a, b in pairwise(times))
    walk = without_strikes(Walk((), events, strides), [("left", 1.62)])
    assert [event.time_s for event in walk.events] == [0.0, 1.1, 2.2]
    assert [(stride.start_s, stride.end_s) for stride in walk.strides] == [(0.0, 1.1), (1.1, 2.2)]
    assert walk.strides[1].toe_off_s == pytest.approx(1.1 + 0.6 * 1.1, abs=0.4)
    same = without_strikes(walk, [("right", 1.1)])
    assert same == walk


def test_corrections_lie_in_the_folder_and_can_be_taken_back(recording: Recording, tmp_path: Path) -> None:
    folder = tmp_path / "result"
    save(recording, folder, more={"annotated.mp4": lambda path: path.write_bytes(b"film")})
    first = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".parquet", ".json")}
    rep = recording.people[0].exercise.bouts[0].reps[0]
    edits = [Edit("swap", 1, 1.0, 2.0), Edit("drop_rep", 1, rep.start_s, rep.end_s)]
    write_edits(folder, edits[:1])
    made = write_edits(folder, edits)
    assert read_edits(folder) == tuple(edits)
    again = load(folder)
    assert again.people[0].exercise.reps_total == recording.people[0].exercise.reps_total - 1
    np.testing.assert_array_equal(again.people[0].keypoints.xy_px, made.people[0].keypoints.xy_px)
    assert (folder / "annotated.mp4").read_bytes() == b"film"
    back = write_edits(folder, [])
    assert read_edits(folder) == ()
    assert back.warnings == recording.warnings
    for name in ("poses.parquet", "angles.parquet", "summary.json"):
        assert (folder / name).read_bytes() == first[name], name


def test_edits_that_cant_be(recording: Recording) -> None:
    with pytest.raises(UsageError, match="person 9"):
        edited(recording, [Edit("swap", 9, 0.0, 1.0)])
    with pytest.raises(UsageError, match="Valid"):
        Edit("paint", 1, 0.0, 1.0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="beginning"):
        Edit("swap", 1, 2.0, 1.0)
    with pytest.raises(UsageError, match="joint"):
        edited(recording, [Edit("move", 1, 1.0, 1.0, "tail", 1.0, 2.0)])
    with pytest.raises(UsageError, match="place"):
        Edit("move", 1, 1.0, 1.0, "nose")
