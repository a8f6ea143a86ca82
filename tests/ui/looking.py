"""What a person sees on the live page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

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
    """The frame with the picture and the start button."""
    return page.frame_locator("iframe[title*='webrtc']")


def start(page: Any, url: str, exercise: str = "") -> None:
    """Open the live page, choose an exercise if one is given, and press Start."""
    page.goto(url)
    if exercise:
        page.get_by_role("combobox", name="Exercise").click()
        page.keyboard.type(exercise)
        page.keyboard.press("Enter")
        page.wait_for_timeout(1500)
    rtc(page).get_by_role("button", name="Start").click()


def watch(page: Any, seconds: float, every_s: float = 0.5) -> list[Panel]:
    """The panel over some time."""
    until_s = time.monotonic() + seconds
    seen = []
    while time.monotonic() < until_s:
        page.wait_for_timeout(1000.0 * every_s)
        seen.append(panel(page))
    return seen
