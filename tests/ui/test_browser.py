"""The app in a real browser: what a person without training meets."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from posepipe.texts import load
from tests.ui.conftest import OpenPage
from tests.ui.looking import finished, only_this_machine, panel, rtc

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]


def test_pages_open_and_nothing_leaves_the_machine(app: App, open_page: OpenPage) -> None:
    url, log, _, _ = app
    page = open_page(locale="en-US")
    page.goto(url)
    rtc(page).get_by_role("button", name="Start").wait_for()
    assert panel(page).count == 0
    assert panel(page).font_px >= 100
    page.get_by_text("Nothing is sent anywhere").wait_for()
    for name in ("Analyze", "Gait", "Library"):
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", name=name, exact=True).wait_for()
    page.get_by_role("link", name="Models & health").click()
    page.get_by_text("posepipe needs").wait_for()
    page.get_by_role("button", name="Measure").wait_for()
    # Another language, by keyboard alone.
    box = page.get_by_role("combobox", name="Language")
    box.focus()
    page.keyboard.type("Deu")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Modelle & Zustand").wait_for()
    only_this_machine(page)
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("address", ["live", "live/", "analyze", "gait", "library", "people", "health"])
def test_every_page_opens_by_its_address(app: App, open_page: OpenPage, address: str) -> None:
    page = open_page(locale="en-US")
    page.goto(f"{app[0]}/{address}")
    for _ in range(2):
        title = load("en")(f"{address.strip('/')}.title")
        page.get_by_test_id("stMainBlockContainer").get_by_role("heading", name=title, exact=True).wait_for()
        page.wait_for_timeout(1000)
        assert not page.get_by_role("dialog").is_visible()
        page.reload()


def test_an_address_without_a_page_is_told_in_the_pages_language(app: App, open_page: OpenPage) -> None:
    page = open_page(locale="de-DE")
    page.goto(f"{app[0]}/nowhere")
    page.get_by_role("dialog").get_by_text("Diese Seite gibt es nicht").wait_for()
    assert "requested" not in page.get_by_role("dialog").inner_text()
    page.get_by_role("dialog").get_by_role("button").first.click()
    rtc(page).get_by_role("button", name="Start").wait_for()


def test_second_visit_is_usable_within_three_seconds(app: App, open_page: OpenPage) -> None:
    url, _, _, _ = app
    page = open_page()
    page.goto(url)
    rtc(page).get_by_role("button", name="Start").wait_for()
    start_s = time.perf_counter()
    page.reload()
    rtc(page).get_by_role("button", name="Start").wait_for()
    spent_s = time.perf_counter() - start_s
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip("the machine is busy, so its timings mean nothing")
    assert spent_s < 3.0


def test_refused_camera_says_what_to_do(app: App, open_page: OpenPage) -> None:
    for arguments, message in (
        (["--use-fake-device-for-media-stream"], "The camera was refused"),
        ([], "No camera was"),
    ):
        page = open_page(arguments=arguments)
        page.goto(app[0])
        rtc(page).get_by_role("button", name="Start").click()
        alert = page.get_by_role("alert").filter(has_text=message)
        alert.wait_for()
        assert "Start" in alert.inner_text()  # It says how to try again.


def test_upload_ends_with_report_and_playable_video(
    app: App, open_page: OpenPage, person_clip: Path, tmp_path: Path
) -> None:
    url, log, temporary, _ = app
    junk = tmp_path / "<b>*junk*.mp4"
    junk.write_bytes(b"no video at all" * 100)
    page = open_page()
    page.goto(f"{url}/analyze")
    page.get_by_text("Drop videos above").wait_for()
    page.locator("input[type=file]").set_input_files([junk])
    page.get_by_role("alert").filter(has_text="_b__junk_.mp4").wait_for()
    page.locator("input[type=file]").set_input_files([person_clip])
    page.get_by_test_id("stMultiSelect").get_by_text(person_clip.name).wait_for()
    page.get_by_test_id("stMain").get_by_role("button", name="Analyze", exact=True).click()
    finished(page)
    report = page.frame_locator("iframe[srcdoc]")
    report.get_by_text("The movement in 3D").wait_for()
    length_s = page.evaluate(
        """async () => {
          const video = document.querySelector('.st-key-player video');
          if (video.readyState < 1) await new Promise(done => video.addEventListener('loadedmetadata', done));
          video.currentTime = 1.0;
          await new Promise(done => video.addEventListener('seeked', done, { once: true }));
          await video.play();
          return video.duration;
        }"""
    )
    assert length_s == pytest.approx(2.0, abs=0.1)
    page.wait_for_function("document.querySelector('.st-key-player video').currentTime > 1.2")
    page.evaluate("document.querySelector('.st-key-player video').pause()")
    page.wait_for_timeout(300)
    at_s = page.evaluate("document.querySelector('.st-key-player video').currentTime")
    shown = report.locator(".viewer output").inner_text()
    assert float(shown.removesuffix(" s")) == pytest.approx(at_s, abs=0.05)
    # The other way round: the report's slider moves the video.
    report.locator(".viewer input").fill("3")
    page.wait_for_function("Math.abs(document.querySelector('.st-key-player video').currentTime - 0.1) < 0.02")
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="All files").click()
    assert waiting.value.suggested_filename == "person.zip"
    assert list(temporary.glob("posepipe-app-*"))
    page.reload()
    page.get_by_text("this is a new session").wait_for()
    only_this_machine(page)
    assert "Traceback" not in log.read_text()


def test_gait_report_and_two_page_pdf(app: App, open_page: OpenPage, tmp_path: Path) -> None:
    from pypdf import PdfReader

    page = open_page()
    page.goto(f"{app[0]}/gait")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download as PDF").click()
    path = tmp_path / "gait.pdf"
    waiting.value.save_as(path)
    assert len(PdfReader(path).pages) == 2
    page.frame_locator("iframe[srcdoc]").get_by_text("A screening aid").first.wait_for()
