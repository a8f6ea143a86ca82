"""In German no English is left on the pages of analyses, gait, library and health, nor in what goes wrong there."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from posepipe.texts import load
from tests.ui.conftest import OpenPage
from tests.ui.looking import open_row, pick, rtc, tick, watch
from tests.ui.practice import ROWS

Practice = tuple[str, Path]

_WORDS = """
the and with of is not you this that were for from or are it by your file files choose upload browse drag here no per
search fullscreen close options select download downloads left right page stop say beep silent camera rest
sets nobody's whole best everything largest only result results without nothing somebody which
when where what seen frames squat knee trunk flexion strides heel strike walking repetitions counted error can't
isn't didn't
"""
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")


def _english_only() -> frozenset[str]:
    """Words that only the English texts have, and some of Streamlit's."""

    def words(texts: Iterable[str]) -> set[str]:
        return {
            word for text in texts for word in _WORD.findall(re.sub(r"\{\w*\}", " ", text).lower()) if len(word) > 2
        }

    german = load("de")
    told = (german.sentences, german.warnings, german.errors, german.frame)
    english = words(load("en").table.values()).union(*(words(table) for table in told))
    spoken = words(german.table.values()).union(*(words(table.values()) for table in told))
    return frozenset(english - spoken) | frozenset(_WORDS.split())


ENGLISH = _english_only()
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
    # Names of licences, and what to type.
    lines = re.sub(r"CC BY-SA|ffmpeg -i .*", "", page.evaluate(_READ)).splitlines()
    return {line.strip() for line in lines if words_of(line)}


def words_of(text: str) -> set[str]:
    """The English words in it."""
    return set(_WORD.findall(text.lower())) & ENGLISH


def settled(page: Any) -> None:
    """Wait until nothing is being drawn any more."""
    page.wait_for_function("document.documentElement.lang === 'de'")
    page.wait_for_timeout(1500)
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")


def told(found: dict[str, set[str]]) -> str:
    """What was found, a line each."""
    return "\n".join(f"{name}: {line}" for name, lines in found.items() for line in sorted(lines))


def test_no_english_is_left(practice_app: Practice, open_page: OpenPage, tmp_path: Path) -> None:
    assert len(ENGLISH) > 800
    url, junk = practice_app[0], tmp_path / "kaputt.mp4"
    junk.write_bytes(b"no video at all" * 100)
    page = open_page(locale="de-DE")
    found: dict[str, set[str]] = {}
    page.goto(url)
    rtc(page).get_by_role("button", name="Start").wait_for()
    for name in ("Plan", "Vor dem Filmen: wohin das Telefon kommt", "Ein Telefon als Kamera"):
        page.get_by_text(name, exact=True).click()
    # This browser's camera is refused.
    rtc(page).get_by_role("button", name="Start").click()
    page.get_by_role("alert").filter(has_text="Kamera").wait_for()
    settled(page)
    found["live"] = english(page)
    page.goto(f"{url}/analyze")
    page.get_by_role("heading", name="Auswerten").wait_for()
    # Nobody finds a file sooner than the page is drawn.
    settled(page)
    page.locator("input[type=file]").set_input_files([junk])
    page.get_by_role("alert").filter(has_text="kaputt.mp4").wait_for()
    page.get_by_text("Das ist kein lesbares Video").wait_for()
    settled(page)
    found["analyze"] = english(page)
    page.get_by_role("button", name="Gelesen").click()
    for name, heading in (("health", "Modelle & Zustand"), ("people", "Personen"), ("library", "Ablage")):
        page.goto(f"{url}/{name}")
        page.get_by_role("heading", name=heading).wait_for()
        settled(page)
        found[name] = english(page)
    for name in ("Abend", "Woche 1", "Runde"):
        page.goto(f"{url}/library")
        page.locator(".list").get_by_role("button", name=name, exact=True).click()
        page.get_by_role("heading", name=name, exact=True).wait_for()
        settled(page)
        found[name] = english(page)
    assert re.search(r"\d,\d", page.frame_locator("iframe[srcdoc]").locator("body").inner_text())
    page.get_by_role("button", name="Ganganalyse").click()
    page.frame_locator("iframe[srcdoc]").get_by_text("keine Diagnose").first.wait_for()
    settled(page)
    found["gait"] = english(page)
    for first, second in (("Woche 1", "Woche 3"), ("Woche 3", "Abend")):
        page.goto(f"{url}/library")
        tick(page, ROWS.index(first))
        tick(page, ROWS.index(second))
        page.get_by_role("heading", name=f"{first}, dann {second}").wait_for()
        settled(page)
        found[f"{first} and {second}"] = english(page)
    assert told(found) == ""


@pytest.mark.timeout(600)
def test_no_english_in_corrections_and_what_is_taken_away(
    practice_app: Practice, open_page: OpenPage, tmp_path: Path
) -> None:
    if find_spec("openpyxl") is None or find_spec("pypdf") is None:
        pytest.skip("openpyxl or pypdf isn't installed")
    from openpyxl import load_workbook
    from pypdf import PdfReader

    page = open_page(locale="de-DE")
    found: dict[str, set[str]] = {}
    page.goto(f"{practice_app[0]}/library")
    open_row(page, ROWS.index("Woche 2"))
    page.get_by_role("button", name="Berichtigen", exact=True).click()
    settled(page)
    found["tools"] = english(page)
    page.get_by_role("button", name="War keine: Kniebeuge 2").click()
    page.get_by_role("button", name="Alle zurücknehmen").wait_for(timeout=120_000)
    settled(page)
    found["corrected"] = english(page)
    page.get_by_role("button", name="Alle zurücknehmen").click()
    page.get_by_role("button", name="Alle zurücknehmen").wait_for(state="detached", timeout=120_000)
    settled(page)
    page.get_by_role("button", name="Herunterladen", exact=True).click()
    page.get_by_role("button", name="Alle Dateien").wait_for()
    settled(page)
    # Names of files and formats are no words.
    found["download"] = {line for line in english(page) if not re.search(r"\.\w{3,7}\b", line)}
    for name in ("Tabellen für Excel", "Tabellen als CSV", "Bericht als PDF"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        if path.suffix == ".xlsx":
            book = load_workbook(path)
            cells = [cell for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
            said = [*book.sheetnames, *(str(cell) for cell in cells if cell is not None)]
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as packed:
                said = [part for one in packed.namelist() for part in packed.read(one).decode("utf-8-sig").split(";")]
        else:
            said = [line for one in PdfReader(path).pages for line in one.extract_text().splitlines()]
        found[name] = {line for line in said if words_of(line)}
    assert told(found) == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_english_while_training(practice_app: Practice, open_page: OpenPage, squat_camera: Path) -> None:
    page, url = open_page(squat_camera, locale="de-DE"), practice_app[0]
    found: dict[str, set[str]] = {}
    page.goto(url)
    rtc(page).get_by_role("button", name="Start").wait_for()
    page.get_by_text("Plan", exact=True).click()
    page.get_by_role("combobox", name="Übung des Plans").click()
    page.keyboard.type("Kniebeuge")
    page.keyboard.press("Enter")
    page.wait_for_timeout(1500)
    box = page.get_by_role("spinbutton", name="Wiederholungen", exact=True)
    box.fill("3")
    box.press("Tab")
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Zum Plan hinzufügen").click()
    page.get_by_role("button", name="Nach diesem Plan üben").click()
    page.wait_for_timeout(1500)
    rtc(page).get_by_role("button", name="Start").click()
    rest = False
    for second in range(120):
        now = watch(page, 1.0)[-1]
        rest = rest or page.locator(".rest").is_visible()
        if second % 5 == 0:
            found[f"live at {second} s"] = english(page)
        if rest and now.count >= 3:
            break
    assert rest
    found["rest"] = english(page)
    rtc(page).get_by_role("button", name="Halt").click()
    page.get_by_role("heading", name="Diese Sitzung").wait_for()
    page.get_by_text("Jede Wiederholung").first.click()
    page.get_by_role("button", name="Behalten").click()
    page.get_by_role("textbox", name="Name").fill("Montag")
    page.get_by_role("textbox", name="Name").press("Enter")
    page.get_by_role("button", name="Dort behalten").click()
    page.get_by_text("Liegt in").wait_for()
    settled(page)
    # The library's folder is named by this machine.
    found["kept"] = {line for line in english(page) if words_of(line.replace(str(practice_app[1]), ""))}
    # Opened again, and deleted.
    page.get_by_role("link", name="Ablage").click()
    page.locator(".list").get_by_role("button", name="Montag", exact=True).click()
    page.get_by_role("heading", name="Montag").wait_for()
    settled(page)
    found["opened"] = english(page)
    page.get_by_role("button", name="Löschen").click()
    page.get_by_text("Das lässt sich nicht rückgängig machen").wait_for()
    settled(page)
    found["delete"] = english(page)
    page.get_by_role("button", name="Löschen").last.click()
    page.get_by_text("Montag wurde gelöscht").wait_for()
    found["deleted"] = english(page)
    assert told(found) == ""


def test_another_language_changes_every_word_at_once(practice_app: Practice, open_page: OpenPage) -> None:
    """Streamlit's boxes would go on showing what was chosen in the words of before."""
    page = open_page(locale="en-US")
    found: dict[str, set[str]] = {}
    page.goto(practice_app[0])
    rtc(page).get_by_role("button", name="Start").wait_for()
    for name, german in (("Live", "Live"), ("Analyze", "Auswerten"), ("Library", "Ablage"), ("People", "Personen")):
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", name=name, exact=True).wait_for()
        if name == "Library":
            open_row(page, ROWS.index("Runde"))
        page.wait_for_timeout(1000)
        speak(page, "Language", "Deutsch")
        page.get_by_role("heading", name=german, exact=True).wait_for()
        settled(page)
        found[name] = english(page)
        speak(page, "Sprache", "English")
        page.wait_for_function("document.documentElement.lang === 'en'")
    assert told(found) == ""


def speak(page: Any, box: str, language: str) -> None:
    """Choose a language at the left."""
    pick(page, box, language)
