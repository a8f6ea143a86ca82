"""Every text stands out, light and dark, and every picture says in words what it shows."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import OpenPage
from tests.ui.contrast import faint
from tests.ui.looking import open_result, tick

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
    page.goto(f"{url}/{name}")
    page.get_by_test_id("stMainBlockContainer").get_by_role("heading", level=1).wait_for()
    page.wait_for_timeout(1500)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(app: App, open_page: OpenPage, scheme: str) -> None:
    page, url = open_page(locale="en-US", color_scheme=scheme), app[0]
    pale: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    seen = 0

    def look(what: str) -> None:
        nonlocal seen
        # A report that is about to go has no words any more.
        page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')")
        page.wait_for_timeout(500)
        count, found = faint(page)
        seen += count
        pale[what] = found
        names[what] = sorted({one for frame in page.frames for one in frame.evaluate(_NAMELESS)})

    for name in ("live", "analyze", "people", "health"):
        opened(page, url, name)
        page.get_by_test_id("stExpander").locator("summary").evaluate_all("all => all.forEach(one => one.click())")
        page.wait_for_timeout(500)
        look(name)
    opened(page, url, "library")
    open_result(page, "walk")
    page.frame_locator("iframe[srcdoc]").get_by_text("Data quality").wait_for()
    look("result")
    page.get_by_role("button", name="Gait report").click()
    page.frame_locator("iframe[srcdoc]").get_by_text("A screening aid").first.wait_for()
    look("gait")
    opened(page, url, "library")
    tick(page, 1)
    tick(page, 2)
    page.get_by_role("heading", name="first, then second").wait_for()
    look("compare")
    assert seen > 400
    assert {what: found for what, found in pale.items() if found} == {}
    assert {what: found for what, found in names.items() if found} == {}
