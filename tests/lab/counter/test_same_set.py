"""The same set under changes that don't touch its repetitions."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posepipe.body.angles import joint_angles
from posepipe.body.motion import Motion
from posepipe.errors import InputError, UsageError
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.count import count_exercise
from posepipe.exercise.types import Repetition
from posepipe.lab.counter.same import (
    AWAY_S,
    CHANGES,
    _kept,
    _write,
    changed_motion,
    evaluate_same,
    evaluate_same_made,
    retimed,
)
from posepipe.lab.layouts import bare_pose
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter

BY_NAME = {change.name: change for change in CHANGES}
TIME_S = np.arange(90) / 30.0
REPS = tuple(Repetition(float(i), i + 0.5, i + 1.0) for i in range(3))


def test_changes_of_time_are_what_they_say() -> None:
    index, at = retimed(TIME_S, BY_NAME["10 frames a second"], REPS)
    assert np.allclose(np.diff(at), 0.1) and (np.diff(index) == 3).all()
    _, at = retimed(TIME_S, BY_NAME["four times slower"], REPS)
    assert np.isclose(at[-1], 4.0 * TIME_S[-1])
    index, at = retimed(TIME_S, BY_NAME["cut in mid-repetition"], REPS)
    assert TIME_S[index[0]] >= REPS[0].turn_s and TIME_S[index[-1]] <= REPS[-1].turn_s
    for name, shown in (("pause of 3 s", {60}), ("gone for 3 s", {-1})):
        index, at = retimed(TIME_S, BY_NAME[name], REPS)
        assert np.isclose(at[-1], TIME_S[-1] + AWAY_S) and (np.diff(at) > 0).all()
        here = (at > 2.05) & (at < 4.95)
        assert here.sum() > 80 and set(index[here].tolist()) == shown


def _squats() -> Motion:
    take = make_exercise("squat", np.random.default_rng(3), reps=4, context=0.0, cut=0.0, partial=0.0)
    xyz = take.positions[..., [0, 2, 1]] * np.array([1.0, -1.0, 1.0])
    pose = bare_pose((xyz - xyz[:, :1]).astype(np.float32), 0.01, take.time_s)
    return Motion.from_pose(pose, joint_angles(pose))


@pytest.mark.parametrize("name", [change.name for change in CHANGES if change.posed])
def test_a_told_squat_counts_the_same(name: str) -> None:
    motion, squat = _squats(), load_catalogue()["squat"]
    reps = tuple(Repetition(c.start_s, c.turn_s, c.end_s) for c in count_exercise(motion, squat).reps)
    assert len(reps) == 4
    changed = changed_motion(motion, BY_NAME[name], reps)
    assert len(count_exercise(changed, squat)) == (2 if "cut" in name else 4)


def test_made_sets_are_changed_in_every_way_that_poses_allow() -> None:
    """A mirrored set is seen alike by networks and machine, so its count is the same whatever they make of the set."""
    result = evaluate_same_made(1, seed=5)
    rows = {row["change"]: row for row in result["rows"]}
    assert set(rows) == {change.name for change in CHANGES if change.posed}
    assert rows["mirrored"]["pairs"] == result["metrics"]["sets"] == 1.0 and rows["mirrored"]["same"] == 1.0
    assert result["metrics"]["pairs"] == sum(row["pairs"] for row in rows.values())


def test_what_needs_pictures_says_so() -> None:
    with pytest.raises(UsageError, match="needs pictures"):
        changed_motion(_squats(), BY_NAME["dark"], REPS)


def test_a_film_is_changed(tmp_path: Path) -> None:
    film, out = tmp_path / "film.mp4", tmp_path / "out.mp4"
    with VideoWriter(film, 160, 120, 10.0) as writer:
        for k in range(30):
            writer.write(np.full((120, 160, 3), 8 * k, np.uint8), k / 10.0)
    sizes = {"240 lines": (320, 240), "cropped to portrait": (90, 120), "on its side": (120, 160)}
    for name, size in sizes.items():
        _write(film, out, BY_NAME[name], REPS)
        with open_source(out) as source:
            assert (source.info.width_px, source.info.height_px) == size
    _write(film, out, replace(BY_NAME["gone for 3 s"], rate_hz=10.0), REPS)
    with open_source(out) as source:
        pictures = [frame.image.mean() for frame in source]
    assert 58 <= len(pictures) <= 60
    assert abs(pictures[35] - 110) < 6 and pictures[55] > 180


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"videos\.csv"):
        evaluate_same(tmp_path)
    with (tmp_path / "videos.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "label", "reps"], ["a.mp4", "walking", "0"]])
    with pytest.raises(InputError, match="no counted clip"):
        evaluate_same(tmp_path)
    with pytest.raises(InputError, match="no change 'sideways'"):
        evaluate_same(tmp_path, only=["sideways"])


def test_poses_are_kept_and_taken_again(tmp_path: Path) -> None:
    """What was seen once isn't looked at again; nobody is remembered as nobody."""
    looked: list[str] = []

    def seen(motion: Motion | None) -> Motion | None:
        looked.append("again")
        return motion

    motion, video = _squats(), Path("squats.mp4")
    for _ in range(2):
        kept = _kept(tmp_path, video, "dark", lambda: seen(motion))
        assert kept is not None
        np.testing.assert_allclose(kept.xyz_m, motion.xyz_m)
        assert _kept(tmp_path, video, "text over it", lambda: seen(None)) is None
    assert len(looked) == 2
    assert _kept(None, video, "dark", lambda: seen(None)) is None and len(looked) == 3
