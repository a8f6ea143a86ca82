"""The world's columns and section: there and back, and folders of before that lack them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from posepipe.body.camera_motion import CameraMotion
from posepipe.body.outcomes import Estimate, Jump, Outcomes
from posepipe.body.world import PARTS, World, unknown_world
from posepipe.errors import InputError
from posepipe.reasons import Reason, explain
from posepipe.record.folder import load, save
from posepipe.record.recording import Recording
from posepipe.reports.motion import render

from .factory import make_person, make_recording, make_world


def _recording(world: World | None = None, frames: int = 6) -> Recording:
    person = make_person(frames)
    made = make_world(person.pose) if world is None else world
    return make_recording(frames, people=(replace(person, world=made),))


def test_a_world_comes_back(tmp_path: Path) -> None:
    recording = _recording()
    save(recording, tmp_path)
    made, found = recording.people[0].world, load(tmp_path).people[0].world
    assert made is not None and found is not None
    np.testing.assert_array_equal(found.xyz_m, made.xyz_m)
    np.testing.assert_array_equal(found.root_sigma_m, made.root_sigma_m)
    np.testing.assert_array_equal(found.contact, made.contact)
    np.testing.assert_allclose(found.up, made.up, atol=1e-5)
    assert found.camera_m == pytest.approx(made.camera_m, abs=1e-3) and found.withheld == {}
    assert found.lens == found.lens_sigma == 0.0


def test_what_is_told_of_an_assumed_lens_comes_back(tmp_path: Path) -> None:
    person = make_person(6)
    save(_recording(replace(make_world(person.pose), lens=-0.12, lens_sigma=0.08)), tmp_path)
    found = load(tmp_path).people[0].world
    assert found is not None
    assert found.lens == pytest.approx(-0.12, abs=1e-3) and found.lens_sigma == pytest.approx(0.08, abs=1e-3)


def test_edges_of_the_room_come_back(tmp_path: Path) -> None:
    lines = np.random.default_rng(1).normal(0.0, 0.5, (7, 3))
    motion = CameraMotion("still", np.zeros(0), np.zeros((0, 3)), 0.0, lines)
    save(replace(_recording(), camera_motion=motion), tmp_path)
    found = load(tmp_path).camera_motion
    assert found is not None
    np.testing.assert_allclose(found.lines, lines, rtol=1e-5)
    # A folder of before has none.
    path = tmp_path / "summary.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    del summary["camera_motion"]["lines"]
    path.write_text(json.dumps(summary), encoding="utf-8")
    found = load(tmp_path).camera_motion
    assert found is not None and found.lines.shape == (0, 3)


def test_the_report_says_when_up_is_known_roughly() -> None:
    person = make_person(6)
    sure = make_world(person.pose)
    rough = replace(sure, up_sigma_deg=np.array([2.0, 7.0], np.float32))
    for language, said in (("en", "known only roughly"), ("de", "nur ungefähr bekannt")):
        assert said in render(_recording(rough), language) and said not in render(_recording(sure), language)


@pytest.mark.parametrize("parts", [PARTS, PARTS[1:]])
def test_what_is_withheld_comes_back_with_its_reason(tmp_path: Path, parts: tuple[str, ...]) -> None:
    blank = unknown_world(6, Reason.NO_GROUND, parts)
    if "gravity" not in parts:
        blank = replace(blank, up=np.array([0, -1, 0], np.float32), up_sigma_deg=np.array([1, 2], np.float32))
    save(_recording(blank), tmp_path)
    found = load(tmp_path).people[0].world
    assert found is not None and dict(found.withheld) == dict.fromkeys(parts, Reason.NO_GROUND)
    assert np.isnan(found.xyz_m).all() and not found.contact.any()


def _without_world(folder: Path) -> None:
    """The folder as an earlier posepipe wrote it."""
    for name in ("poses", "angles"):
        path = folder / f"{name}.parquet"
        table = pq.read_table(path)
        gone = [column for column in table.column_names if column.startswith("world_") or column.endswith("_stands")]
        pq.write_table(table.drop_columns(gone), path)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for person in summary["people"]:
        del person["world"]
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


def test_a_folder_of_before_opens(tmp_path: Path) -> None:
    recording = _recording()
    save(recording, tmp_path)
    _without_world(tmp_path)
    person = load(tmp_path).people[0]
    assert person.world is None
    np.testing.assert_array_equal(person.pose.xyz_m, recording.people[0].pose.xyz_m)


def test_a_turn_of_the_camera_comes_back(tmp_path: Path) -> None:
    turned = CameraMotion("turning", np.arange(3) / 6.0, np.array([[0.0, -0.1, 0.0], [0, 0, 0], [0.01, 0.1, 0]]), 5.8)
    for motion in (turned, CameraMotion("walking", np.zeros(0), np.zeros((0, 3)))):
        save(replace(_recording(), camera_motion=motion), tmp_path / motion.kind)
        found = load(tmp_path / motion.kind).camera_motion
        assert found is not None and (found.kind, found.swing_deg) == (motion.kind, motion.swing_deg)
        np.testing.assert_allclose(found.turn_rad, motion.turn_rad)
        np.testing.assert_allclose(found.time_s, motion.time_s, atol=1e-6)
    save(_recording(), tmp_path / "before")
    assert load(tmp_path / "before").camera_motion is None
    said = render(replace(_recording(), camera_motion=turned))
    assert "The camera turned by 6° to either side" in said


def test_outcomes_come_back_and_are_told(tmp_path: Path) -> None:
    jump = Jump(1.2, 1.7, Estimate(0.31, 0.02), Estimate(0.5, 0.02))
    items = {"jump_height_m": jump.height_m, "flight_time_s": jump.flight_s, "step_length_m": Reason.TOO_FEW_STRIDES}
    made = Outcomes(items, (jump, replace(jump, start_s=3.0)), 4)
    recording = _recording()
    recording = replace(recording, people=(replace(recording.people[0], outcomes=made),))
    save(recording, tmp_path)
    assert load(tmp_path).people[0].outcomes == made
    for language, said in (("en", "Jump height (m)"), ("de", "Sprunghöhe (m)")):
        text = render(recording, language).replace("&nbsp;", " ")
        assert said in text and "3.00 s" in text.replace(",", ".")
    assert "Step length (m)" in render(recording) and explain(Reason.TOO_FEW_STRIDES)[:20] in render(recording)


def test_a_section_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    save(_recording(), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    summary["people"][0]["world"]["gravity"] = {"up": [0.0, "down"], "up_sigma_deg": [1.0, 1.0]}
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    with pytest.raises(InputError, match="don't fit together"):
        load(tmp_path)
