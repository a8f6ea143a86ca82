"""Every text stands out, light and dark, and every picture says in words what it shows."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import OpenPage
from tests.ui.contrast import faint
from tests.ui.looking import open_result, open_row, panel, rows, rtc, tick, watch
from tests.ui.practice import ROWS

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]

_NAMELESS = """() => {
  const found = [];
  function walk(root) {
    for (const one of root.querySelectorAll('*')) {
      if (one.shadowRoot) walk(one.shadowRoot);
      const shown = one.checkVisibility() && one.getBoundingClientRect().width > 1;
      // A table's canvas holds the same as a table for screen readers.
      if (!shown || one.closest('[aria-hidden=true], [data-testid=stDataFrame]')) continue;
      const name = one.getAttribute('aria-label') || one.getAttribute('alt') || one.getAttribute('title');
      const drawn = one.tagName === 'svg' && !one.closest('button');
      const picture = ['IMG', 'VIDEO', 'CANVAS'].includes(one.tagName) || drawn;
      const pressed = ['BUTTON', 'A', 'INPUT', 'SELECT'].includes(one.tagName) && !one.labels?.length;
      const said = one.textContent.trim() || one.closest('[aria-label]');
      if ((picture && !name && !one.closest('[aria-label]')) || (pressed && !name && !said)) {
        found.push(one.outerHTML.slice(0, 160));
      }
    }
  }
  walk(document.body);
  return found;
}"""


def opened(page: Any, url: str, name: str) -> None:
    # The first page has no name in its address.
    page.goto(f"{url}/{name.removeprefix('live')}")
    page.get_by_test_id("stMainBlockContainer").get_by_role("heading", level=1).wait_for()
    page.wait_for_timeout(1500)


class Look:
    """What was found on one page after another.

    Attributes:
        seen: texts that were looked at.
        pale: texts that don't stand out, by page.
        nameless: pictures and controls without words, by page.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.pale: dict[str, list[str]] = {}
        self.nameless: dict[str, list[str]] = {}

    def at(self, page: Any, what: str, *, moving: bool = False) -> None:
        """Look at the page as it is now; one with a camera on never rests."""
        # A report that is about to go has no words any more, and what waits for its next words fades.
        page.wait_for_function("!document.querySelector('[data-stale=true]')")
        if not moving:
            page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')")
            page.wait_for_timeout(500)
        count, found = faint(page)
        self.seen += count
        if found:
            self.pale[what] = found
        if names := sorted({one for frame in page.frames for one in frame.evaluate(_NAMELESS)}):
            self.nameless[what] = names


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(app: App, open_page: OpenPage, scheme: str) -> None:
    page, url, look = open_page(locale="en-US", color_scheme=scheme), app[0], Look()
    for name in ("live", "analyze", "people", "health"):
        opened(page, url, name)
        page.get_by_test_id("stExpander").locator("summary").evaluate_all("all => all.forEach(one => one.click())")
        page.wait_for_timeout(500)
        look.at(page, name)
    opened(page, url, "library")
    open_result(page, "walk")
    page.frame_locator("iframe[srcdoc]").get_by_text("Data quality").wait_for()
    look.at(page, "result")
    page.get_by_role("button", name="Gait report").click()
    page.frame_locator("iframe[srcdoc]").get_by_text("A screening aid").first.wait_for()
    look.at(page, "gait")
    opened(page, url, "library")
    tick(page, 1)
    tick(page, 2)
    page.get_by_role("heading", name="first, then second").wait_for()
    look.at(page, "compare")
    assert look.seen > 400
    assert look.pale == {}
    assert look.nameless == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_at_work(
    practice_app: tuple[str, Path], open_page: OpenPage, squat_camera: Path, scheme: str
) -> None:
    """Beside the video, with a person's sessions, at a kept training, and while the camera is on."""
    page, url, look = open_page(squat_camera, locale="en-US", color_scheme=scheme), practice_app[0], Look()
    page.goto(f"{url}/library")
    open_row(page, ROWS.index("Woche 3"))
    page.get_by_role("button", name="Correct", exact=True).click()
    page.frame_locator("iframe[srcdoc]").get_by_text("Data quality").wait_for()
    look.at(page, "result")
    page.get_by_test_id("stPopoverButton").filter(has_text="Download").click()
    page.get_by_role("button", name="All files").wait_for()
    look.at(page, "download")
    page.keyboard.press("Escape")
    rows(page).nth(ROWS.index("Woche 1")).get_by_role("checkbox").click()
    page.get_by_role("button", name="Play both").wait_for()
    look.at(page, "pair")
    rows(page).nth(ROWS.index("Abend")).get_by_role("button").click()
    page.get_by_role("heading", name="Abend").wait_for()
    look.at(page, "session")
    opened(page, url, "people")
    page.get_by_role("heading", name="Sessions: 3").wait_for()
    look.at(page, "people")
    opened(page, url, "live")
    rtc(page).get_by_role("button", name="Start").click()
    for _ in range(60):
        if panel(page).count:
            break
        watch(page, 1.0)
    assert panel(page).count
    look.at(page, "live", moving=True)
    page.get_by_role("button", name="Full screen").click()
    page.get_by_role("button", name="Leave full screen").wait_for()
    look.at(page, "full screen", moving=True)
    page.keyboard.press("Escape")
    rtc(page).get_by_role("button", name="Stop").click()
    page.get_by_role("heading", name="This session").wait_for()
    look.at(page, "summary")
    assert look.seen > 300
    assert look.pale == {}
    assert look.nameless == {}
