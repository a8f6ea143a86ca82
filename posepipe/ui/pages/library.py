"""The page of kept results."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from posepipe.results.folder import load
from posepipe.ui.pages.compare import compare
from posepipe.ui.pages.show import downloads, show_result
from posepipe.ui.session import library, say, set_library, verbatim
from posepipe.ui.shelf import Kept, delete, kept
from posepipe.ui.texts import Texts

__all__ = ["page"]


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("library.title"))
    st.markdown(text("library.intro"))
    root_text = st.text_input(
        text("library.folder"), str(library() or ""), placeholder=text("library.example"), key="library_box"
    )
    set_library(root_text)
    root = library()
    if root is None:
        st.info(text("library.none_chosen"), icon=":material/folder:")
        return
    entries = kept(root)
    if not entries:
        st.info(text("library.empty"), icon=":material/folder_open:")
        return
    names = {entry.folder.name: entry for entry in entries}
    rows = [_row(text, entry) for entry in entries]
    st.dataframe(rows, hide_index=True, width="stretch")
    chosen = st.multiselect(
        text("library.choose"),
        list(names),
        key="library_chosen",
        max_selections=2,
        placeholder=text("library.choose_here"),
    )
    if not chosen:
        st.caption(text("library.choose_help"))
    elif len(chosen) == 1:
        _open(text, names[chosen[0]], root)
    else:
        one, other = ((name, load(names[name].folder)) for name in chosen)
        compare(one, other)


def _row(text: Texts, entry: Kept) -> dict[str, str]:
    reps = ", ".join(f"{count} × {text.name('exercise', label)}" for label, count in entry.exercises)
    return {
        text("library.name"): entry.folder.name,
        text("library.video"): entry.name,
        text("library.created"): entry.created.replace("T", " ")[:16],
        text("library.length"): f"{entry.duration_s:.1f} s",
        text("library.exercise"): reps or "–",
        text("library.gait"): text("library.yes") if entry.has_gait else "–",
    }


def _open(text: Texts, entry: Kept, root: Path) -> None:
    bar = st.container(horizontal=True)
    with bar:
        downloads(entry.folder, entry.name, key=f"library-{entry.folder.name}")
        with st.popover(text("library.delete"), icon=":material/delete:"):
            st.markdown(text("library.delete_sure", name=verbatim(entry.folder.name)))
            if st.button(text("library.delete_yes"), type="primary", key=f"delete-{entry.folder.name}"):
                delete(entry.folder, root)
                st.session_state.pop("library_chosen", None)
                st.rerun()
    show_result(entry.folder, load(entry.folder))
