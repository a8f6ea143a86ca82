"""The library in a real browser: rows are clicked, the folder is remembered, differences are told in words."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from posepipe.record.codec import exercise_json, plain
from posepipe.ui.remembering import recall, remember
from tests.record.factory import make_exercise
from tests.ui.conftest import OpenPage, start_server
from tests.ui.looking import open_result, tick

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]


@pytest.fixture
def own(library: Path, tmp_path: Path) -> Path:
    """A library of its own, with a live session in it."""
    root = tmp_path / "own"
    shutil.copytree(library, root)
    session = root / "training"
    session.mkdir()
    reps = exercise_json(make_exercise())["segments"][0]["rep_list"]
    done = {
        "exercise": "squat", "start_s": 4.0, "end_s": 12.0, "reps": len(reps), "held_s": None, "target_reps": 12,
        "target_s": None, "rest_s": None, "rep_list": reps,
    }  # fmt: skip
    document = {
        "schema": 1, "kind": "session", "posepipe": "0.1.0", "created": "2026-11-29T11:20:05+00:00", "name": "Monday",
        "person": "", "duration_s": 60.0, "plan": [], "sets": [done],
    }  # fmt: skip
    (session / "session.json").write_text(json.dumps(plain(document)))
    return root


def test_rows_are_clicked_and_differences_told(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    page.goto(f"{app[0]}/library")
    open_result(page, "walk")
    page.get_by_role("heading", name="walk").wait_for()
    tick(page, 0)
    tick(page, 1)
    tick(page, 2)
    page.get_by_text("Nothing changed beyond the error bars.").wait_for()
    page.get_by_role("heading", name="first, then second").wait_for()
    assert "igma" not in page.get_by_test_id("stMain").inner_text()


def test_tables_are_read_on_a_phone_without_pushing(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app[0]}/library")
    open_result(page, "first")
    first = page.locator(".lines li").first
    first.wait_for()
    assert first.inner_text().startswith("Squat 1") and "Range" in first.inner_text()
    assert page.get_by_test_id("stDataFrame").filter(visible=True).count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = "[...document.querySelectorAll('.lines')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert page.evaluate(wide) == 0
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_test_id("stDataFrame").filter(visible=True).first.wait_for()
    assert not first.is_visible()


def test_session_opens_and_deleting_is_asked_and_said(own: Path, open_page: OpenPage, tmp_path: Path) -> None:
    home = {"POSEPIPE_SETTINGS": str(tmp_path / "settings.json")}
    for folder in ("empty", "tmp"):
        (tmp_path / folder).mkdir()
    process, url = start_server(tmp_path / "empty", tmp_path / "log", tmp_path / "tmp", home)
    try:
        page = open_page(locale="en-US")
        page.goto(f"{url}/library")
        page.get_by_text("No results in this folder yet").wait_for()
        page.get_by_role("button", name="Analyze a video").wait_for()
        box = page.get_by_role("textbox", name="Folder")
        box.fill(str(own))
        box.press("Enter")
        # The newest row is the live session.
        tick(page, 0)
        page.get_by_role("heading", name="training").wait_for()
        page.get_by_text("Each repetition").click()
        page.get_by_test_id("stDataFrame").nth(1).wait_for()
        tick(page, 0)
        tick(page, 3)
        page.get_by_role("heading", name="first").wait_for()
        page.locator("iframe[srcdoc]").wait_for()
        page.get_by_role("button", name="Delete").click()
        page.get_by_text("This can't be undone").wait_for()
        assert (own / "first").is_dir()
        page.get_by_role("button", name="Delete it").click()
        page.get_by_text("first was deleted").wait_for()
        assert not (own / "first").exists()
        assert (own / "second").is_dir()
        # Another look of another browser at another start: the folder is known.
        assert json.loads((tmp_path / "settings.json").read_text()) == {"library": str(own)}
    finally:
        process.terminate()
        process.wait(20)


def test_folder_is_remembered(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEPIPE_SETTINGS", str(tmp_path / "home" / "app.json"))
    assert recall("library") is None
    remember("library", str(own))
    remember("other", "x")
    assert recall("library") == str(own)
    (tmp_path / "home" / "app.json").write_text("{")
    assert recall("library") is None
