"""The page of walking: the two-page report, its PDF, and two recordings side by side."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

import streamlit as st

from posepipe.errors import InputError
from posepipe.results.folder import load
from posepipe.results.gait_report import gait_report
from posepipe.results.gait_report_compare import compare_gait, render_comparison_html, write_comparison_pdf
from posepipe.results.gait_report_html import render_gait_html
from posepipe.results.gait_report_pdf import can_write_pdf, write_gait_pdf
from posepipe.results.recording import Person, Recording
from posepipe.ui.player import with_theme
from posepipe.ui.session import dark, library, results, say
from posepipe.ui.shelf import kept
from posepipe.ui.texts import Texts

__all__ = ["page"]

_T = TypeVar("_T")

_HEIGHT_PX = 900
_MOST_REPORTS = 8


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("gait.title"))
    st.markdown(text("gait.intro"))
    choices = _choices()
    if not choices:
        st.info(text("gait.none"), icon=":material/directions_walk:")
        return
    one, other = st.columns(2)
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
    person = _person(text, name, recording)
    with st.spinner(text("gait.writing")):
        report = _remembered(("report", folder, recording.created, person.id), lambda: gait_report(recording, person))
    _pdf(text, f"{Path(name).stem}-gait.pdf", lambda path: write_gait_pdf(report, path))
    st.iframe(with_theme(render_gait_html(report), dark=dark()), height=_HEIGHT_PX)


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
        *((folder, side[0].created, side[1].id) for (_, folder), side in zip((one, other), sides, strict=True)),
    )
    with st.spinner(text("gait.writing")):
        comparison = _remembered(key, lambda: compare_gait(first, second))
    _pdf(text, "gait-comparison.pdf", lambda path: write_comparison_pdf(comparison, path))
    st.iframe(with_theme(render_comparison_html(comparison), dark=dark()), height=_HEIGHT_PX)


def _remembered(key: Hashable, make: Callable[[], _T]) -> _T:
    """A report of this session, made once: Streamlit runs the page at every click."""
    made: dict[Hashable, _T] = st.session_state.setdefault("gait_reports", {})
    if key not in made:
        while len(made) >= _MOST_REPORTS:
            made.pop(next(iter(made)))
        made[key] = make()
    return made[key]


def _choices() -> dict[str, Path]:
    """This session's results and those of the library: name -> folder, walks first."""
    found = {name: item.folder for name, item in results().items() if item.recording is not None}
    walks = {name for name, item in results().items() if item.recording and _walks(item.recording)}
    root = library()
    if root is not None and root.is_dir():
        for entry in kept(root):
            name = f"{entry.folder.name} ({say()('nav.library')})"
            found[name] = entry.folder
            if entry.has_gait:
                walks.add(name)
    return {name: found[name] for name in sorted(found, key=lambda name: name not in walks)}


def _walks(recording: Recording) -> bool:
    return any("withheld" not in person.gait for person in recording.people)


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
    walkers = sorted(recording.people, key=lambda person: "withheld" in person.gait)
    chosen: Person = st.selectbox(
        text("gait.whom"),
        walkers,
        format_func=lambda person: text("result.person", id=person.id),
        key=f"gait-person-{name}",
    )
    return chosen


def _pdf(text: Texts, name: str, write: Callable[[Path], None]) -> None:
    if not can_write_pdf():
        st.caption(text("gait.no_pdf"))
        return
    st.download_button(
        text("gait.pdf"),
        lambda: _bytes(write),
        file_name=name,
        mime="application/pdf",
        icon=":material/picture_as_pdf:",
        on_click="ignore",
        type="primary",
    )


def _bytes(write: Callable[[Path], None]) -> io.BytesIO:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gait.pdf"
        write(path)
        return io.BytesIO(path.read_bytes())
