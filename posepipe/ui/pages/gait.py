"""The page of walking: the two-page report, its PDF, and two recordings side by side."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from posepipe.errors import InputError
from posepipe.record.folder import load
from posepipe.record.recording import Person, Recording
from posepipe.reports.about import about
from posepipe.reports.blocks import Page, page_html
from posepipe.reports.blocks_pdf import page_pdf
from posepipe.reports.comparison import comparison_page
from posepipe.reports.gait import gait_page
from posepipe.texts import Texts
from posepipe.ui.assets import asset
from posepipe.ui.chosen import choose, chosen, remembered_box
from posepipe.ui.pages.show import gait_name, walks, with_theme
from posepipe.ui.session import dark, library, remembered, results, say
from posepipe.ui.storage import kept

__all__ = ["page"]

# Two sheets of paper on a phone: its figures one below the other, and tables that fit.
_NARROW = """@media (max-width: 34rem) {
  body { padding: .2rem; } th, td { padding-right: .6mm; font-size: 7.8pt; } thead th { font-size: 7pt; }
  .grid { grid-template-columns: 1fr; } section.sheet { overflow-x: auto; }
}"""


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("gait.title"))
    st.markdown(text("gait.intro"))
    choices = _choices(text)
    if not choices:
        st.info(text("gait.none"), icon=":material/directions_walk:")
        return
    one, other = st.columns(2)
    if chosen("gait_one") not in choices:
        choose("gait_one", next(iter(choices)))
    with remembered_box("gait_one"):
        name = one.selectbox(text("gait.choose"), list(choices), key="gait_one")
    others = [label for label in choices if label != name]
    second = other.selectbox(
        text("gait.compare"), [None, *others], key="gait_other", format_func=lambda label: label or "–"
    )
    if second is None:
        _one(text, name, choices[name])
    else:
        _both(text, (name, choices[name]), (second, choices[second]))


def _one(text: Texts, name: str, folder: Path) -> None:
    """The report of one recording."""
    recording = _load(folder)
    person, head = _person(text, name, recording), about(folder, recording.created, text)
    with st.spinner(text("gait.writing")):
        report = remembered(
            ("report", folder, recording.created, person.id, text.language, head),
            lambda: gait_page(recording, person, text, about=head),
        )
    _show(text, f"{Path(name).stem}-gait.pdf", report)


def _both(text: Texts, one: tuple[str, Path], other: tuple[str, Path]) -> None:
    """Two recordings side by side."""
    sides = []
    for column, (name, folder) in zip(st.columns(2), (one, other), strict=True):
        recording = _load(folder)
        with column:
            sides.append((recording, _person(text, name, recording)))
    first, second = sides
    key = (
        "compare",
        text.language,
        *((folder, side[0].created, side[1].id) for (_, folder), side in zip((one, other), sides, strict=True)),
    )
    with st.spinner(text("gait.writing")):
        comparison = remembered(key, lambda: comparison_page(first, second, text))
    _show(text, "gait-comparison.pdf", comparison)


def _choices(text: Texts) -> dict[str, Path]:
    """Walks of this session and of the library: name -> folder."""
    found = {name: item.folder for name, item in results().items() if item.recording and walks(item.recording)}
    root = library()
    if root is not None and root.is_dir():
        found |= {gait_name(text, entry.folder.name): entry.folder for entry in kept(root) if entry.has_gait}
    return found


def _load(folder: Path) -> Recording:
    for item in results().values():
        if item.folder == folder and item.recording is not None:
            return item.recording
    return load(folder)


def _person(text: Texts, name: str, recording: Recording) -> Person:
    if not recording.people:
        raise InputError("nobody was followed in this recording", where=name, hint="Choose another recording")
    if len(recording.people) == 1:
        return recording.people[0]
    walkers = sorted(recording.people, key=lambda person: person.gait.withheld is not None)
    chosen: Person = st.selectbox(
        text("gait.whom"),
        walkers,
        format_func=lambda person: text("result.person", id=person.id),
        key=f"gait-person-{name}",
    )
    return chosen


@cache
def _fit() -> Any:
    """Makes the report as high as what is in it."""
    return st.components.v2.component("posepipe_fit", html="<span></span>", js=asset("fit.js"))


def _show(text: Texts, name: str, page: Page) -> None:
    """A page, and a button for its PDF."""
    st.download_button(
        text("gait.pdf"),
        lambda: page_pdf(page),
        file_name=name,
        mime="application/pdf",
        icon=":material/picture_as_pdf:",
        on_click="ignore",
        type="primary",
    )
    st.iframe(with_theme(page_html(page), dark=dark(), style=_NARROW), height="content")
    _fit()(key="fit", height=1)
