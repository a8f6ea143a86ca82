"""People in a library: files to read without us, an index that may go, changes that are beyond the error."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from posepipe.cli.main import run
from posepipe.errors import UsageError
from posepipe.exercise.types import ExerciseResult
from posepipe.gait.types import Parameters, Value
from posepipe.record.folder import load, save
from posepipe.record.people import Client, assign, assigned, clients, save_client, sessions, trends, whose
from posepipe.record.seal import read_record, remove
from tests.record.factory import make_gait, make_person, make_recording


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three sessions a week apart: the range grows, the cadence does, too."""
    for week in range(3):
        bout = make_recording().people[0].exercise.bouts[0]
        more = replace(bout, reps=tuple(replace(rep, rom_deg=rep.rom_deg + 10 * week) for rep in bout.reps))
        items = {**make_gait().parameters.items, "cadence_spm": Value(100.0 + 2 * week, 1.7)}
        gait = replace(make_gait(), parameters=Parameters({"left": 5, "right": 5}, items))
        person = make_person(60, exercise=ExerciseResult((more,)), gait=gait)
        save(
            make_recording(60, people=(person,), created=f"2026-03-{4 + 7 * week:02d}T05:06:07+00:00"),
            tmp_path / f"w{week}",
        )
    return tmp_path


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("w*"))


def test_people_are_files(root: Path) -> None:
    client = Client("P-01", "Ada Lovelace", 1.65, "left knee, 2025", "film and numbers, 4 March")
    path = save_client(client, root)
    assert json.loads(path.read_text())["name"] == "Ada Lovelace"
    save_client(Client("P-02"), root)
    (root / "people" / "junk.json").write_text("{")
    assert clients(root) == [client, Client("P-02")]
    for bad in ("", "../x", "a b", "x" * 50):
        with pytest.raises(UsageError, match="id"):
            Client(bad)


def test_a_result_says_whose_it_is(root: Path) -> None:
    folder = root / "w0"
    assert assigned(folder) == ""
    assign(folder, "P-01", read_record(folder).of)
    assert assigned(folder) == "P-01"
    assert load(folder).people
    # It is one of the result's files: it goes with it.
    assert remove(folder)


def test_trend_tells_real_changes(root: Path) -> None:
    for folder in _folders(root):
        assign(folder, "P-01", read_record(folder).of)
    own = [one for one in sessions(root, reversed(_folders(root))) if one.person == "P-01"]
    assert [one.folder.name for one in own] == ["w0", "w1", "w2"]
    found = {trend.name: trend for trend in trends(own)}
    rom = found["squat rom_deg"]
    assert rom.change == pytest.approx(20.0, abs=0.01)
    assert rom.real
    assert rom.smallest_real == pytest.approx(1.645 * 2**0.5 * rom.points[0][1].sigma, rel=1e-6)
    assert not found["squat reps"].real
    cadence = found["gait_cadence_spm"]
    assert cadence.change == pytest.approx(4.0, abs=0.05)
    assert cadence.real is (4.0 > 1.645 * 2**0.5 * 1.7)
    assert found["squat speed_deg_s"].real


def test_index_is_made_again(root: Path) -> None:
    first = sessions(root, _folders(root))
    assert (root / "index.sqlite").is_file()
    assert sessions(root, _folders(root)) == first
    assign(root / "w1", "P-07", read_record(root / "w1").of)
    assert [one.person for one in sessions(root, _folders(root))] == ["", "P-07", ""]
    (root / "index.sqlite").write_bytes(b"no database at all, but long enough to look like one" * 9)
    again = sessions(root, _folders(root))
    assert [one.values for one in again] == [one.values for one in first]
    (root / "index.sqlite").unlink()
    assert [one.values for one in sessions(root, _folders(root))] == [one.values for one in first]


def test_reports_on_paper_say_whose_they_are(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pypdf = pytest.importorskip("pypdf")
    folder = root / "w1"
    save_client(Client("P-01", "Ada Şahin", height_m=1.74, notes="left knee, 2024"), root)
    assert whose(folder) == (None, "")
    assign(folder, "P-01", read_record(folder).of, "after the holidays")
    # Who it is may change; the notes are those of the session.
    assert whose(folder) == (clients(root)[0], "after the holidays")
    assert run(["report", str(folder), "--pdf", "--language", "de"]) == 0
    capsys.readouterr()
    for name in ("report.pdf", "gait.pdf"):
        text = "".join(page.extract_text() for page in pypdf.PdfReader(folder / name).pages)
        # The PDF's own fonts have no Ş.
        for said in ("Ada Sahin (P-01)", "1,74 m", "left knee, 2024", "11. März 2026", "after the holidays"):
            assert said in text, (name, said)
    # Their file is elsewhere: the id is known.
    assert run(["report", str(folder.rename(root.parent / f"{root.name}-away")), "--pdf"]) == 0
    text = pypdf.PdfReader(root.parent / f"{root.name}-away" / "report.pdf").pages[0].extract_text()
    assert "P-01" in text
    assert "Ada" not in text
    capsys.readouterr()
