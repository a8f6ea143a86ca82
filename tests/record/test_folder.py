"""The results folder as a whole: there and back, all or nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from posepipe.errors import InputError, OutputError
from posepipe.reasons import Reason
from posepipe.record.folder import load, save
from posepipe.record.recording import Recording
from posepipe.record.seal import RECORD
from posepipe.skeleton import COCO17, HALPE26
from posepipe.types import same

from .factory import make_gait, make_person, make_recording

FILES = {"summary.json", "report.html", "angles.parquet", "poses.parquet"}


def names(folder):
    return {path.name for path in folder.iterdir()} - {RECORD}


def test_there_and_back(tmp_path):
    people = (make_person(60, gait=make_gait()), make_person(40, person=4))
    recording = make_recording(60, people=people)
    written = save(recording, tmp_path / "out" / "Größe 1")
    folder = tmp_path / "out" / "Größe 1"
    assert {path.name for path in written} == names(folder) == FILES | {"gait.json", "gait.html", "gait.pdf"}
    back = load(folder)
    for name in ("config", "versions", "models", "warnings", "created", "camera"):
        assert getattr(back, name) == getattr(recording, name)
    assert replace(back.video, fps_hz=0, duration_s=0) == replace(recording.video, fps_hz=0, duration_s=0)
    assert back.video.duration_s == pytest.approx(recording.video.duration_s, rel=1e-5)
    assert [person.id for person in back.people] == [1, 4]
    for mine, theirs in zip(recording.people, back.people, strict=True):
        assert same(mine.pose, theirs.pose)
        assert same(mine.angles, theirs.angles)
        np.testing.assert_array_equal(mine.yaw_deg, theirs.yaw_deg)
        assert same(mine.exercise, theirs.exercise)
        for name in ("swaps", "scale_source", "height_m", "view"):
            assert getattr(mine, name) == getattr(theirs, name)
        assert same(mine.gait, theirs.gait)
        for name in ("frame", "time_s", "xy_px", "sigma_px", "score", "valid", "interpolated"):
            np.testing.assert_array_equal(getattr(mine.keypoints, name), getattr(theirs.keypoints, name))


@pytest.mark.parametrize("layout", [COCO17, HALPE26])
def test_other_layouts_come_back(layout, tmp_path):
    save(make_recording(10, people=(make_person(10, layout=layout),)), tmp_path)
    (person,) = load(tmp_path).people
    assert person.keypoints.layout == layout


def test_filled_samples_come_back(tmp_path):
    recording = make_recording(60)
    save(recording, tmp_path)
    (person,) = load(tmp_path).people
    np.testing.assert_array_equal(person.keypoints.interpolated, recording.people[0].keypoints.interpolated)


def test_a_loaded_recording_can_be_saved_again(tmp_path):
    save(make_recording(30), tmp_path / "a")
    save(load(tmp_path / "a"), tmp_path / "b")
    assert (tmp_path / "a/summary.json").read_text("utf-8") == (tmp_path / "b/summary.json").read_text("utf-8")


def test_a_walk_of_another_analysis_is_not_taken(tmp_path):
    """What lies in ``gait.json`` belongs to the summary beside it, or the walk is looked at again."""
    walk = make_recording(30, people=(make_person(30, gait=make_gait()),))
    save(walk, tmp_path)
    save(make_recording(30, created="2027-01-01T00:00:00+00:00"), tmp_path)
    assert load(tmp_path).people[0].gait.withheld is Reason.NOT_WALKING
    save(walk, tmp_path)
    (tmp_path / "gait.json").unlink()
    assert load(tmp_path).people[0].gait.cycles == ()
    (tmp_path / "gait.json").write_text("{")
    with pytest.raises(InputError):
        load(tmp_path)


def test_nobody(tmp_path):
    save(make_recording(people=()), tmp_path)
    assert load(tmp_path).people == ()


def test_a_new_recording_knows_its_time():
    made = make_recording(10)
    created = datetime.fromisoformat(Recording(made.video, made.camera, made.people).created)
    assert abs(datetime.now(timezone.utc) - created) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "broken",
    ["reports.motion.render", "record.tables.write_poses", "record.tables.write_angles", "record.summary.summary_json"],
)
def test_a_crash_leaves_the_old_results_whole(tmp_path, monkeypatch, broken):
    save(make_recording(10), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def crash(*arguments):
        if "write" in broken:
            arguments[1].write_bytes(b"half")
        raise MemoryError

    monkeypatch.setattr(f"posepipe.{broken}", crash)
    with pytest.raises(MemoryError):
        save(make_recording(12, path="other.mp4"), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("here already")
    with pytest.raises(OutputError, match="out"):
        save(make_recording(10), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "here already"


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_forbidden_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError):
            save(make_recording(10), tmp_path / "out")
    finally:
        tmp_path.chmod(0o700)


def test_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("posepipe.record.tables.write_poses", full)
    with pytest.raises(OutputError, match="disk is full"):
        save(make_recording(10), tmp_path)
    assert names(tmp_path) == set()


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match="posepipe analyze"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 2, "people": []}', "[" * 100_000, '{"schema": "\\ud800"}'])
def test_damaged_summary(tmp_path, text):
    save(make_recording(10), tmp_path)
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(InputError) as error:
        load(tmp_path)
    assert str(error.value).encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"width_px": 1280', '"width_px": "1280"'),
        ('"fps_hz": 29.97', '"fps_hz": 1e300'),
        ('"slowed": 1', '"slowed": 0'),
        ('"label": "front"', '"label": null'),
        ('"path": "clips/squat.mp4"', '"path": 5'),
        ('"people": [', '"people": [5, '),
        ('"models": {', '"models": [], "_": {'),
        ('"center_px": null', '"center_px": ["a", "b"]'),
        ('"gait": {', '"gait": [], "_": {'),
    ],
)
def test_summary_of_other_types(tmp_path, old, new):
    save(make_recording(10), tmp_path)
    path = tmp_path / "summary.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match="fit together"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "column", "change"),
    [
        ("poses", "x_m", lambda column: pc.cast(column, pa.string())),
        ("poses", "x_m", lambda column: pc.multiply(column, pa.scalar(1e30, pa.float32()))),
        ("poses", "valid", lambda column: pa.nulls(len(column), pa.bool_())),
        ("poses", "time_s", lambda column: pc.negate(column)),
        ("poses", "sigma_m", None),
        ("angles", "trunk_lateral_sigma_deg", None),
        ("angles", "yaw_deg", lambda column: pc.cast(column, pa.float64())),
    ],
)
def test_tables_of_other_columns(tmp_path, name, column, change):
    save(make_recording(10), tmp_path)
    path = tmp_path / f"{name}.parquet"
    table = pq.read_table(path)
    place = table.column_names.index(column)
    pq.write_table(
        table.remove_column(place) if change is None else table.set_column(place, column, change(table[column])), path
    )
    with pytest.raises(InputError, match=name):
        load(tmp_path)


def test_files_of_two_analyses(tmp_path):
    save(make_recording(10), tmp_path)
    save(make_recording(10, people=(make_person(10, person=2),)), tmp_path / "b")
    (tmp_path / "b/summary.json").replace(tmp_path / "summary.json")
    with pytest.raises(InputError, match="fit together"):
        load(tmp_path)


def test_file_name_that_is_not_text(tmp_path):
    name = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    save(make_recording(10, path=name), tmp_path)
    assert load(tmp_path).video.path == name


@pytest.mark.parametrize("seed", range(3))
def test_any_pattern_of_gaps_comes_back(tmp_path, seed):
    rng = np.random.default_rng(seed)
    person = make_person(25)
    for track, arrays in (
        (person.keypoints, (person.keypoints.xy_px, person.keypoints.sigma_px)),
        (person.pose, (person.pose.xyz_m, person.pose.sigma_m)),
    ):
        track.valid[:] &= rng.random(track.valid.shape) < 0.6
        track.interpolated[:] = False
        for array in arrays:
            array[~track.valid] = np.nan
    # Nothing is filled here: a lifted joint shares that mark with the keypoint it comes from.
    save(make_recording(25, people=(person,)), tmp_path)
    (back,) = load(tmp_path).people
    known = person.keypoints.valid
    np.testing.assert_array_equal(back.keypoints.valid, known)
    np.testing.assert_array_equal(back.keypoints.xy_px[known], person.keypoints.xy_px[known])
    np.testing.assert_array_equal(back.keypoints.sigma_px[known], person.keypoints.sigma_px[known])
    assert same(back.pose, person.pose)
