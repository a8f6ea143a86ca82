"""A person followed over three sessions in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from posepipe.exercise.types import ExerciseResult
from posepipe.record.folder import save
from posepipe.record.people import assigned, clients, whose
from tests.record.factory import make_person, make_recording
from tests.ui.conftest import OpenPage, start_server
from tests.ui.looking import open_row, pick


def test_three_sessions(open_page: OpenPage, tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    root = tmp_path / "own"
    for week in range(3):
        bout = make_recording().people[0].exercise.bouts[0]
        more = replace(bout, reps=tuple(replace(rep, rom_deg=rep.rom_deg + 12 * week, faults=()) for rep in bout.reps))
        person = make_person(60, exercise=ExerciseResult((more,)))
        created = f"2026-03-{4 + 7 * week:02d}T05:06:07+00:00"
        save(make_recording(60, people=(person,), created=created, warnings=()), root / f"week{week}")
    (tmp_path / "tmp").mkdir()
    process, url = start_server(root, tmp_path / "log", tmp_path / "tmp")
    try:
        page = open_page(locale="en-US")
        page.goto(f"{url}/people")
        page.get_by_role("textbox", name="Id").fill("P-01")
        page.get_by_role("textbox", name="Name").fill("Ada")
        page.get_by_role("textbox", name="Consent").fill("numbers, 4 March")
        page.get_by_role("button", name="Save").click()
        page.get_by_text("was saved").wait_for()
        assert [client.name for client in clients(root)] == ["Ada"]
        page.get_by_text("No session yet").wait_for()
        for row in range(3):
            page.goto(f"{url}/library")
            open_row(page, row)
            pick(page, "Whose", "Ada (P-01)")
            for _ in range(60):
                page.wait_for_timeout(250)
                if assigned(root / f"week{2 - row}") == "P-01":
                    break
            assert assigned(root / f"week{2 - row}") == "P-01"
        page.get_by_role("button", name="Notes").click()
        page.get_by_role("textbox", name="Notes of this session").fill("with a stick")
        page.get_by_role("button", name="Download", exact=True).click()
        page.wait_for_timeout(1000)
        assert whose(root / "week0") == (clients(root)[0], "with a stick")
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Report as PDF").click()
        waiting.value.save_as(tmp_path / "report.pdf")
        said = pypdf.PdfReader(tmp_path / "report.pdf").pages[0].extract_text()
        assert "Ada (P-01)" in said
        assert "with a stick" in said
        # On paper there is nothing to press.
        page.emulate_media(media="print")
        assert not page.get_by_test_id("stSidebar").is_visible()
        assert not page.get_by_role("button", name="Notes").is_visible()
        assert page.locator("iframe[srcdoc]").is_visible()
        page.emulate_media(media="screen")
        page.goto(f"{url}/people")
        page.get_by_role("heading", name="Sessions: 3").wait_for()
        changed = page.get_by_text("From the first to the last session changed:")
        changed.wait_for()
        assert "Squat: range of motion" in changed.inner_text()
        assert "repetitions" not in changed.inner_text()
        # The curve is drawn.
        page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first.wait_for()
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        process.terminate()
        process.wait(20)
