"""The page of analyses in a real browser: nothing is lost, nothing is swallowed, the result stands first."""

from __future__ import annotations

import re
import subprocess
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posepipe.media.sources import open_source
from tests.ui.conftest import OpenPage
from tests.ui.looking import finished, open_result, pick

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]


def give(page: Any, *paths: Path) -> None:
    """Drop files onto the form and wait until the app has them."""
    page.locator("input[type=file]").set_input_files(list(paths))
    for path in paths:
        if path.suffix == ".mp4" and path.stat().st_size > 5000:
            page.get_by_test_id("stMultiSelect").get_by_text(path.name).wait_for()


def start(page: Any) -> None:
    """Press Analyze."""
    page.get_by_test_id("stMain").get_by_role("button", name="Analyze", exact=True).click()


def test_bad_file_is_said_until_read(app: App, open_page: OpenPage, person_clip: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no video at all" * 100)
    page = open_page(locale="en-US")
    page.goto(f"{app[0]}/analyze")
    give(page, junk, person_clip)
    message = page.get_by_role("alert").filter(has_text="junk.mp4")
    message.wait_for()
    start(page)
    finished(page)
    assert message.count() == 1
    # On other pages, too.
    page.get_by_role("link", name="Library").click()
    page.get_by_role("heading", name="Library").wait_for()
    message.wait_for()
    page.get_by_role("button", name="Read").click()
    message.wait_for(state="detached")


def test_stop_keeps_the_finished_result_and_the_form(app: App, open_page: OpenPage, two_people: Path) -> None:
    page = open_page(locale="en-US")
    page.goto(f"{app[0]}/analyze")
    give(page, two_people)
    height = page.get_by_role("spinbutton", name="Body height")
    height.fill("174")
    height.press("Enter")
    page.get_by_text("Body height: 174 cm").wait_for()
    start(page)
    # Stopped at once: the video and the height are still there. Streamlit has a button of this name, too.
    stop = page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop")
    stop.click()
    page.get_by_text("was stopped").wait_for()
    assert height.input_value() == "174"
    page.get_by_test_id("stMultiSelect").get_by_text("two.mp4").wait_for()
    start(page)
    finished(page)
    page.frame_locator("iframe[srcdoc]").get_by_text("Metres rest on the body height given, 1.74 m.").wait_for()
    # Every person has a picture; whoever isn't shown is clicked, and stopped again.
    people = page.locator("button:has(img)")
    people.first.wait_for()
    assert people.count() == 2
    assert [one.get_attribute("aria-pressed") for one in people.all()].count("true") == 1
    page.locator("button[aria-pressed=false]:has(img)").click()
    stop.click()
    stop.wait_for(state="detached")
    finished(page)
    # This time in the video itself.
    page.get_by_role("button", name=re.compile("Analyze person [0-9], too")).click()
    page.get_by_role("combobox", name="Result").wait_for(timeout=120_000)
    finished(page)
    # On another page and back: the options stand.
    page.get_by_role("link", name="Library").click()
    page.get_by_role("heading", name="Library").wait_for()
    page.get_by_role("link", name="Analyze").click()
    finished(page)
    page.get_by_text("Analyze more videos").click()
    assert page.get_by_role("spinbutton", name="Body height").input_value() == "174"


def test_sample_is_one_click_and_its_result_stands_first(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="en-US")
    page.goto(app[0])
    page.get_by_role("button", name="See a sample report").click()
    finished(page)
    top = page.get_by_text("Exercise: 3 × squat").first.bounding_box()
    assert top is not None
    assert top["y"] < 500
    assert not page.get_by_text("Drop videos above").is_visible()
    # All of the report is in sight: nothing scrolls inside of it.
    report = page.frame_locator("iframe[srcdoc]")
    report.get_by_text("Data quality").wait_for()
    page.wait_for_function(
        """() => {
          const frame = document.querySelector('iframe[srcdoc]');
          if (!frame) return false;
          return frame.clientHeight >= frame.contentDocument.body.scrollHeight - 2 && frame.clientHeight > 2000;
        }"""
    )
    # The score is of people before a depth sensor: on film there is none, and the report says why.
    assert report.get_by_text("Score (of 100)").count() == 0
    assert report.get_by_text("from film that says nothing").count() > 0
    # Speed, steps and turning, and the camera's height that they were told from.
    room = page.get_by_text(re.compile(r"In the room: [1-7] of 7 measured"))
    room.wait_for()
    # The next clip may be scaled by the camera's height instead.
    page.get_by_text("Analyze more videos").click()
    page.get_by_text("lengths in metres will rest on an average body").wait_for()
    height = page.get_by_role("spinbutton", name="Camera height")
    height.fill("120")
    height.press("Enter")
    page.get_by_text("lengths in metres will rest on the camera's height, 120 cm").wait_for()


def test_tables_open_in_their_own_readers(app: App, open_page: OpenPage, tmp_path: Path) -> None:
    if find_spec("openpyxl") is None:
        pytest.skip("openpyxl isn't installed")
    from openpyxl import load_workbook

    page = open_page(locale="de-DE")
    page.goto(f"{app[0]}/library")
    open_result(page, "first")
    page.get_by_role("button", name="Herunterladen", exact=True).click()
    taken = {}
    for name in ("Tabellen für Excel", "Tabellen als CSV", "Bericht als PDF"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        taken[name] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(taken[name])
    rows = list(load_workbook(taken["Tabellen für Excel"])["Wiederholungen"].iter_rows(values_only=True))
    assert rows[0][:3] == ("Person", "Übung", "Nr.")
    assert [row[2] for row in rows if row[-2] == "ja"] == [1, 2, 3]
    with zipfile.ZipFile(taken["Tabellen als CSV"]) as packed:
        said = packed.read("repetitions.csv").decode("utf-8-sig")
    assert "Kniebeuge;1;0,0;" in said
    assert taken["Bericht als PDF"].read_bytes().startswith(b"%PDF")


def test_walk_leads_to_its_gait_report(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="en-US", color_scheme="dark")
    page.goto(f"{app[0]}/library")
    open_result(page, "walk")
    page.get_by_text("Screening: normal walking").first.wait_for()
    page.get_by_role("button", name="Gait report").click()
    report = page.frame_locator("iframe[srcdoc]")
    report.get_by_text("A screening aid").first.wait_for()
    page.get_by_role("heading", name="Gait", exact=True).wait_for()
    # All of it is in sight.
    page.wait_for_function("document.querySelector('iframe[srcdoc]')?.clientHeight > 1000")
    # As dark as the page.
    body = report.locator("body")
    assert body.evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(20, 23, 26)"
    # Squats aren't offered.
    page.get_by_role("combobox", name="Recording").click()
    offered = page.get_by_role("option").all_inner_texts()
    assert [name for name in offered if "walk" in name]
    assert not [name for name in offered if "first" in name]


def test_the_figure_alone_is_seen_in_the_video(
    app: App, open_page: OpenPage, person_clip: Path, tmp_path: Path
) -> None:
    page = open_page(locale="en-US")
    page.goto(f"{app[0]}/analyze")
    give(page, person_clip)
    pick(page, "What the video shows", "The figure only")
    start(page)
    finished(page)
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="annotated.mp4").click()
    waiting.value.save_as(tmp_path / "figure.mp4")
    # Opened by its own reader: nothing but a plain ground around the figure.
    assert _plain_share(tmp_path / "figure.mp4") > 0.85 > _plain_share(person_clip)


def _plain_share(video: Path) -> float:
    """How much of a video's tenth picture has the colour of most of it."""
    with open_source(video) as source:
        image = next(frame.image for frame in source if frame.index == 10).astype(int)
    return float((abs(image - np.median(image, axis=(0, 1))) < 12).all(axis=2).mean())
