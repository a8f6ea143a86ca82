"""The page of kept results: click one to open it, tick two to compare them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from posepipe.edits import write_edits
from posepipe.exercise.types import ExerciseResult
from posepipe.media.atomic import expanded
from posepipe.record.folder import load
from posepipe.record.people import assign, assigned, clients, whose
from posepipe.record.recording import Recording
from posepipe.record.seal import read_record
from posepipe.record.session import load_session
from posepipe.texts import Texts
from posepipe.ui.assets import asset
from posepipe.ui.chosen import choose, chosen, remembered_box
from posepipe.ui.notices import note
from posepipe.ui.pages.comparing import Side, show_comparison
from posepipe.ui.pages.kept_session import sets_result, show_sets
from posepipe.ui.pages.pair import show_pair
from posepipe.ui.pages.people import called
from posepipe.ui.pages.show import corrected, downloads, gait_link, gait_name, show_result
from posepipe.ui.pages.tools import Wish
from posepipe.ui.remembering import remember
from posepipe.ui.session import access, library, say, set_library, verbatim
from posepipe.ui.storage import Kept, delete, kept

__all__ = ["page"]


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("library.title"))
    st.markdown(text("library.intro"))
    free = access().server_files
    if free:
        _folder(text)
    root = library()
    if root is None:
        st.info(text("library.none_chosen") if free else text("library.none_given"), icon=":material/folder:")
        return
    entries = kept(root) if root.is_dir() else []
    if not entries:
        st.info(text("library.empty"), icon=":material/folder_open:")
        if st.button(text("library.to_analyze"), icon=":material/movie:"):
            st.switch_page(st.session_state["pages"]["analyze"])
        return
    chosen = _table(text, entries)
    if len(chosen) == 1:
        _open(text, chosen[0], root)
    elif len(chosen) == 2:
        _compare(text, *sorted(chosen, key=lambda entry: (entry.created, entry.folder.name)))
    else:
        st.caption(text("library.choose_help"))


def _folder(text: Texts) -> None:
    """The box of the folder; this machine remembers what was typed last."""
    at = str(library() or "")
    if at and not chosen("library_folder", at):
        choose("library_folder", at)
    with remembered_box("library_folder", at):
        typed = st.text_input(text("library.folder"), placeholder=text("library.example"), key="library_folder")
    set_library(typed)
    if typed.strip() and expanded(typed.strip()).is_dir():
        remember("library", typed.strip())


def _table(text: Texts, entries: list[Kept]) -> list[Kept]:
    """Results as rows to open or to tick; returns those that are chosen, two at most."""
    st.caption(text("library.choose"))
    known = {entry.folder.name: entry for entry in entries}
    # A list of other entries is another list: nothing of the one before is chosen in it.
    key = f"library-{hash(tuple(known))}"
    before = st.session_state.get(key) or {}
    data = {
        "columns": [text(f"library.{name}") for name in _COLUMNS],
        "rows": [_row(text, entry) for entry in entries],
        "chosen": before.get("chosen") or [],
        "words": {name: text(f"library.{name}") for name in ("tick", "search")},
        "language": text.language,
    }
    answer = _list()(data=data, key=key, default={"chosen": []}, on_chosen_change=lambda: None)
    return [known[name] for name in answer.chosen if name in known]


_COLUMNS = ("name", "created", "kind", "exercise", "length", "video")


@cache
def _list() -> Any:
    return st.components.v2.component(
        "posepipe_rows", html='<div class="list"></div>', css=asset("rows.css"), js=asset("rows.js")
    )


def _row(text: Texts, entry: Kept) -> dict[str, Any]:
    """A row's cells, and by what each is sorted."""
    reps = ", ".join(f"{count} × {text.name('exercise', label)}" for label, count in entry.exercises)
    kind = "session" if entry.is_session else "walk" if entry.has_gait else "video"
    cells = [
        entry.folder.name,
        entry.created.replace("T", " ")[:16],
        text(f"library.{kind}"),
        reps or "–",
        text.number(f"{entry.duration_s:.1f} s"),
        entry.name or "–",
    ]
    order: list[str | float] = [*cells]
    order[_COLUMNS.index("length")] = entry.duration_s
    return {"id": entry.folder.name, "cells": cells, "order": order}


def _open(text: Texts, entry: Kept, root: Path) -> None:
    st.subheader(verbatim(entry.folder.name))
    bar = st.container(horizontal=True)
    if entry.is_session:
        with bar:
            _delete(text, entry, root)
            _whose(text, entry, root)
        show_sets(text, load_session(entry.folder).sets)
        return
    recording = load(entry.folder)
    with bar:
        downloads(entry.folder, recording, entry.name, key=f"library-{entry.folder.name}")
        gait_link(recording, gait_name(text, entry.folder.name))
        _delete(text, entry, root)
        _whose(text, entry, root)

    def correct(wish: Wish) -> None:
        with st.spinner(text("tools.working")):
            write_edits(entry.folder, corrected(entry.folder, wish), language=text.language)
        st.rerun()

    show_result(entry.folder, recording, correct)


def _whose(text: Texts, entry: Kept, root: Path) -> None:
    """Boxes that say whose a result is, and what there is to note of it."""
    known = {client.id: called(client) for client in clients(root)}
    now = assigned(entry.folder)
    choices = ["", *known] if now in ("", *known) else ["", now, *known]
    chosen = st.selectbox(
        text("library.whose"),
        choices,
        index=choices.index(now),
        format_func=lambda id_: known.get(id_, id_) or text("library.nobody"),
        # Of each language its own box: Streamlit goes on showing the words that were chosen.
        key=f"whose-{entry.folder.name}-{text.language}",
        width=260,
        label_visibility="collapsed",
    )
    before = whose(entry.folder)[1]
    with st.popover(text("people.notes"), icon=":material/edit_note:"):
        notes = st.text_area(text("library.notes"), before, key=f"notes-{entry.folder.name}")
    if (chosen, notes.strip()) != (now, before):
        assign(entry.folder, chosen, read_record(entry.folder).of, notes.strip())


def _delete(text: Texts, entry: Kept, root: Path) -> None:
    with st.popover(text("library.delete"), icon=":material/delete:"):
        st.markdown(text("library.delete_sure", name=verbatim(entry.folder.name)))
        if st.button(text("library.delete_yes"), type="primary", key=f"delete-{entry.folder.name}"):
            delete(entry.folder, root)
            note(text("library.deleted", name=verbatim(entry.folder.name)))
            st.rerun()


def _compare(text: Texts, one: Kept, other: Kept) -> None:
    """Two results, the earlier first."""
    sides: list[Side] = []
    films: list[tuple[str, Path, Recording]] = []
    for entry in (one, other):
        if entry.is_session:
            sides.append((entry.folder.name, sets_result(load_session(entry.folder).sets), None))
        else:
            recording = load(entry.folder)
            films.append((entry.folder.name, entry.folder, recording))
            person = recording.people[0] if recording.people else None
            exercise = person.exercise if person else ExerciseResult()
            sides.append((entry.folder.name, exercise, (recording, person) if person else None))
    show_comparison(text, sides[0], sides[1])
    if len(films) == 2:
        show_pair(text, films[0], films[1])
