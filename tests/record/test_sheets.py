"""Tables for spreadsheets: read back by their own readers, whole, in every language."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from posepipe.formats.registry import write_formats
from posepipe.record.recording import Recording
from posepipe.record.sheets import SHEETS, sheets, write_csv_tables, write_xlsx
from posepipe.texts import load
from tests.record.factory import make_gait, make_person, make_recording

ENGLISH, GERMAN = load("en"), load("de")


@pytest.fixture
def recording() -> Recording:
    return make_recording(people=(make_person(), make_person(person=2, gait=make_gait())))


def test_every_repetition_has_a_row(recording: Recording) -> None:
    table = next(sheet for sheet in sheets(recording) if sheet.name == "repetitions")
    rows = [dict(zip(table.head, row, strict=True)) for row in table.rows]
    reps = [(person.id, rep) for person in recording.people for bout in person.exercise.bouts for rep in bout.reps]
    counted = [row for row in rows if row["Counted"] == "yes"]
    assert [(row["Person"], row["From (s)"], row["Range of motion (°)"]) for row in counted] == [
        (person, rep.start_s, rep.rom_deg) for person, rep in reps
    ]
    missed = [row for row in rows if row["Counted"] == "no"]
    assert missed
    assert all(row["Why"] for row in missed)


def test_angles_keep_every_frame(recording: Recording) -> None:
    table = next(sheet for sheet in sheets(recording) if sheet.name == "angles")
    person = recording.people[0]
    rows = [row for row in table.rows if row[0] == person.id]
    assert len(rows) == len(person.keypoints)
    column = table.head.index("Left knee flexion (°)")
    for row, deg in zip(rows, person.angles.deg[:, person.angles.names.index("left_knee_flexion")], strict=True):
        assert row[column] is None if math.isnan(deg) else row[column] == pytest.approx(deg, abs=0.051)


def test_german_csv_opens_in_a_german_spreadsheet(recording: Recording, tmp_path: Path) -> None:
    written = write_csv_tables(recording, tmp_path, SHEETS, GERMAN)
    assert {path.name for path in written} >= {"repetitions.csv", "gait.csv", "angles.csv"}
    first = (tmp_path / "repetitions.csv").read_bytes()
    assert first.startswith(b"\xef\xbb\xbf")
    with (tmp_path / "repetitions.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert rows[0]["Übung"] == "Kniebeuge"
    assert "," in rows[0]["Bewegungsumfang (°)"]
    heads = {sheet.name: sheet.head for sheet in sheets(recording, GERMAN)}
    english = {sheet.name: sheet.head for sheet in sheets(recording, ENGLISH)}
    same = {head for name in heads for head in heads[name] if head in english[name]}
    assert same <= {"Person", "± (°)", "±", "Form"} | {"posepipe"}


def test_no_text_is_run_as_a_formula(recording: Recording, tmp_path: Path) -> None:
    trap = replace(recording, video=replace(recording.video, path="=1+1.mp4"))
    if find_spec("openpyxl") is None:
        pytest.skip("openpyxl isn't installed")
    from openpyxl import load_workbook

    write_xlsx(trap, tmp_path / "trap.xlsx")
    cells = [cell for row in load_workbook(tmp_path / "trap.xlsx").worksheets[0].iter_rows() for cell in row]
    assert [cell.data_type for cell in cells if cell.value == "=1+1.mp4"] == ["s"]


@pytest.mark.parametrize("language", ["en", "de"])
def test_excel_reads_back(recording: Recording, tmp_path: Path, language: str) -> None:
    if find_spec("openpyxl") is None:
        pytest.skip("openpyxl isn't installed")
    from openpyxl import load_workbook

    write_xlsx(recording, tmp_path / "tables.xlsx", load(language))
    book = load_workbook(tmp_path / "tables.xlsx", read_only=True)
    made = sheets(recording, load(language))
    assert book.sheetnames == [sheet.title for sheet in made]
    for sheet in made:
        rows = list(book[sheet.title].iter_rows(values_only=True))
        assert rows[0] == sheet.head
        assert len(rows) == len(sheet.rows) + 1
        for row, wanted in zip(rows[1:], sheet.rows, strict=True):
            for cell, value in zip(row, wanted, strict=True):
                gone = value in (None, "") or (isinstance(value, float) and math.isnan(value))
                assert cell is None if gone else cell == value


def test_formats_of_the_command_line(recording: Recording, tmp_path: Path) -> None:
    written = write_formats(recording, tmp_path, "tables")
    assert {"repetitions.csv", "gait.csv"} <= {path.name for path in written}
