"""docs/results-format.md names what is in the files, no more and no less."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from posepipe.body.outcomes import OUTCOMES, Outcomes
from posepipe.body.room import STILL
from posepipe.record.folder import save
from posepipe.record.summary import summary_dict

from .factory import make_person, make_recording, make_world

DOC = (Path(__file__).resolve().parents[2] / "docs" / "results-format.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return DOC.split(f"## {title}\n")[1].split("\n## ")[0]


def named(text: str) -> list[str]:
    """Names in the first column of all tables."""
    cells = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    return [name for cell in cells for name in cell.strip("`").split()]


def test_poses_columns(tmp_path):
    save(make_recording(4), tmp_path)
    assert named(section("poses.parquet")) == pq.read_schema(tmp_path / "poses.parquet").names


def test_angles_columns(tmp_path):
    save(make_recording(4), tmp_path)
    for name in pq.read_schema(tmp_path / "angles.parquet").names:
        if not name.startswith(("left_", "right_", "trunk_", "neck_")):
            assert name in section("angles.parquet")


def test_summary_keys():
    person = make_person(4)
    recording = make_recording(4, people=(replace(person, world=make_world(person.pose), outcomes=Outcomes()),))
    summary = summary_dict(replace(recording, camera_motion=STILL))
    assert named(section("summary.json")) == [*summary, *summary["people"][0]]
    for part in (summary["video"], summary["camera"], summary["people"][0]["quality"], summary["people"][0]["scale"]):
        for key in part:
            assert key in section("summary.json")


def test_outcomes():
    assert named(section("The outcomes section")) == list(OUTCOMES)
    assert all(f"`{name}` | {what} |" in DOC for name, what in OUTCOMES.items())
