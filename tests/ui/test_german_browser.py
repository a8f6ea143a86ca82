"""In German no English is left on the pages of analyses, gait, library and health, nor in what goes wrong there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from tests.ui.conftest import OpenPage
from tests.ui.looking import open_result, rtc, tick

App = tuple[str, Path, Path, "subprocess.Popen[bytes]"]

_WORDS = """
the and with of is not you this that were for from or are it by your file files choose upload browse drag here no per
search fullscreen close options select download downloads left right page stop say beep silent camera rest
sets nobody's whole best everything largest only result results without nothing somebody which
when where what seen frames squat knee trunk flexion strides heel strike walking repetitions counted error can't
isn't didn't
"""
ENGLISH = frozenset(_WORDS.split())
_READ = """() => {
  // Icons are words in a font of signs.
  const icons = [...document.querySelectorAll('span')].filter(e => /Material/.test(getComputedStyle(e).fontFamily));
  icons.forEach(icon => { icon.style.visibility = 'hidden'; });
  const said = [document.body.innerText];
  icons.forEach(icon => { icon.style.visibility = ''; });
  function walk(root) {
    for (const node of root.querySelectorAll('*')) {
      if (!node.checkVisibility()) continue;
      for (const name of ['title', 'aria-label', 'placeholder', 'alt']) said.push(node.getAttribute(name) || '');
      // What was chosen in a box, and the board of the live page.
      if (node.tagName === 'INPUT' && node.getAttribute('role') === 'combobox') said.push(node.value);
      if (!node.shadowRoot) continue;
      said.push(...[...node.shadowRoot.children].map(one => one.innerText || ''));
      walk(node.shadowRoot);
    }
  }
  walk(document);
  for (const frame of document.querySelectorAll('iframe[srcdoc]')) said.push(frame.contentDocument.body.innerText);
  return said.join('\\n');
}"""


def english(page: Any) -> set[str]:
    """Lines with an English word that can be read on the page now."""
    lines = page.evaluate(_READ).replace("CC BY-SA", "").splitlines()
    return {line.strip() for line in lines if set(re.findall(r"[\w']+", line.lower())) & ENGLISH}


def settled(page: Any) -> None:
    """Wait until nothing is being drawn any more."""
    page.wait_for_function("document.documentElement.lang === 'de'")
    page.wait_for_timeout(1500)
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")


def test_no_english_is_left(app: App, open_page: OpenPage, tmp_path: Path) -> None:
    junk = tmp_path / "kaputt.mp4"
    junk.write_bytes(b"no video at all" * 100)
    page = open_page(locale="de-DE")
    found: dict[str, set[str]] = {}
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    for name in ("Plan", "Vor dem Filmen: wohin das Telefon kommt", "Ein Telefon als Kamera"):
        page.get_by_text(name, exact=True).click()
    # This browser's camera is refused.
    rtc(page).get_by_role("button", name="Start").click()
    page.get_by_role("alert").filter(has_text="Kamera").wait_for()
    settled(page)
    found["live"] = english(page)
    page.goto(f"{app[0]}/analyze")
    page.get_by_role("heading", name="Auswerten").wait_for()
    page.wait_for_function("document.documentElement.lang === 'de'")
    page.locator("input[type=file]").set_input_files([junk])
    page.get_by_role("alert").filter(has_text="kaputt.mp4").wait_for()
    page.get_by_text("Das ist kein lesbares Video").wait_for()
    settled(page)
    found["analyze"] = english(page)
    page.get_by_role("button", name="Gelesen").click()
    for name, heading in (("health", "Modelle & Zustand"), ("people", "Personen"), ("library", "Ablage")):
        page.goto(f"{app[0]}/{name}")
        page.get_by_role("heading", name=heading).wait_for()
        settled(page)
        found[name] = english(page)
    for name in ("first", "walk"):
        page.goto(f"{app[0]}/library")
        open_result(page, name)
        settled(page)
        found[name] = english(page)
    assert re.search(r"\d,\d", page.frame_locator("iframe[srcdoc]").locator("body").inner_text())
    page.get_by_role("button", name="Ganganalyse").click()
    page.frame_locator("iframe[srcdoc]").get_by_text("keine Diagnose").first.wait_for()
    settled(page)
    found["gait"] = english(page)
    page.goto(f"{app[0]}/library")
    page.get_by_test_id("stDataFrame").first.wait_for()
    tick(page, 1)
    tick(page, 2)
    page.get_by_text("Nichts änderte sich").wait_for()
    settled(page)
    found["compare"] = english(page)
    assert "\n".join(f"{name}: {line}" for name, lines in found.items() for line in sorted(lines)) == ""


def test_another_language_changes_every_word_at_once(app: App, open_page: OpenPage) -> None:
    """Streamlit's boxes would go on showing what was chosen in the words of before."""
    page = open_page(locale="en-US")
    found: dict[str, set[str]] = {}
    page.goto(app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    for name, german in (("Live", "Live"), ("Analyze", "Auswerten"), ("Library", "Ablage"), ("People", "Personen")):
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", name=name, exact=True).wait_for()
        if name == "Library":
            open_result(page, "walk")
        page.wait_for_timeout(1000)
        speak(page, "Language", "Deutsch")
        page.get_by_role("heading", name=german, exact=True).wait_for()
        settled(page)
        found[name] = english(page)
        speak(page, "Sprache", "English")
        page.wait_for_function("document.documentElement.lang === 'en'")
    assert "\n".join(f"{name}: {line}" for name, lines in found.items() for line in sorted(lines)) == ""


def speak(page: Any, box: str, language: str) -> None:
    """Choose a language at the left."""
    page.get_by_role("combobox", name=box, exact=True).click()
    page.get_by_role("option", name=language).click()
