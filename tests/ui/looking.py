"""What a person sees on the live page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_READ = """() => {
  for (const element of document.querySelectorAll('*')) {
    const root = element.shadowRoot;
    if (root && root.querySelector('.count')) {
      const said = ['.exercise', '.count', '.say', '.verdict', '.speed'].map(s => root.querySelector(s).textContent);
      return [...said, getComputedStyle(root.querySelector('.count')).fontSize];
    }
  }
  return null;
}"""


@dataclass(frozen=True)
class Panel:
    """The large panel's texts."""

    exercise: str
    count: int
    say: str
    verdict: str
    speed: str
    font_px: float


def panel(page: Any) -> Panel:
    """The panel now."""
    said = page.evaluate(_READ)
    assert said is not None
    return Panel(said[0], int(said[1]), said[2], said[3], said[4], float(said[5].removesuffix("px")))


def rtc(page: Any) -> Any:
    """The board with the start button and the picture; Streamlit has a Stop of its own."""
    return page.locator(".trainer")


def start(page: Any, url: str, exercise: str = "") -> None:
    """Open the live page, choose an exercise if one is given, and press Start."""
    page.goto(url)
    if exercise:
        page.get_by_role("combobox", name="Exercise").click()
        page.keyboard.type(exercise)
        page.keyboard.press("Enter")
        page.wait_for_timeout(1500)
    rtc(page).get_by_role("button", name="Start").click()


def pick(page: Any, box: str, option: str, *, typed: bool = False) -> None:
    """Choose from a list, by its name or by typing; a page that is just drawn may close the list, so open it again."""
    from playwright.sync_api import TimeoutError as Waited

    until_s = time.monotonic() + 60.0
    while True:
        page.get_by_role("combobox", name=box, exact=True).click()
        if typed:
            page.keyboard.type(option)
        try:
            page.get_by_role("option", name=option).first.click(timeout=5000)
        except Waited:
            if time.monotonic() > until_s:
                raise
            page.keyboard.press("Escape")
        else:
            return


def watch(page: Any, seconds: float, every_s: float = 0.5) -> list[Panel]:
    """The panel over some time."""
    until_s = time.monotonic() + seconds
    seen = []
    while time.monotonic() < until_s:
        page.wait_for_timeout(1000.0 * every_s)
        seen.append(panel(page))
    return seen


def only_this_machine(page: Any) -> None:
    """The page's browser asked no other host for anything."""
    hosts = {urlsplit(url).hostname for url in page.posepipe_requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {"localhost"}


def finished(page: Any) -> None:
    """Wait for a result; while the page is drawn again, the one before may still stand there."""
    said = page.get_by_text("Video, curves and 3D view")
    said.first.wait_for(timeout=180_000)
    until_s = time.monotonic() + 60.0
    while said.count() != 1:
        assert time.monotonic() < until_s
        page.wait_for_timeout(100)


LIBRARY = ("walk", "second", "first")
"""Rows of the library of `tests.ui.conftest`, from the top."""


def rows(page: Any) -> Any:
    """The library's rows."""
    return page.locator(".list tbody tr")


def tick(page: Any, row: int) -> None:
    """Tick a row of the library, counted from 0, or take its tick away."""
    rows(page).nth(row).get_by_role("checkbox").click()


def open_row(page: Any, row: int) -> None:
    """Open a row of the library and wait for its result."""
    rows(page).nth(row).get_by_role("button").click()
    page.locator("iframe[srcdoc]").wait_for()


def open_result(page: Any, name: str) -> None:
    """Open a result of the library."""
    open_row(page, LIBRARY.index(name))
