"""The app's frame: navigation, language, and where data stays. Streamlit runs `main` for every look at a page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any

import streamlit as st

from posepipe.texts import Texts
from posepipe.ui.addresses import FIRST
from posepipe.ui.assets import ICON, asset
from posepipe.ui.notices import show_notices
from posepipe.ui.pages.tables import TABLES
from posepipe.ui.session import dark, guarded, job, language_choice, results, say, tell_of_reload

__all__ = ["main"]

_PAGES = {
    FIRST: ":material/videocam:",
    "analyze": ":material/movie:",
    "gait": ":material/directions_walk:",
    "library": ":material/folder_open:",
    "people": ":material/group:",
    "health": ":material/health_and_safety:",
}
"""Modules of `posepipe.ui.pages`, and their signs."""


# Streamlit's own captions are too pale (3.8 : 1); so would white words on the dark theme's sky blue be.
_CONTRAST = """<style>
[data-testid="stCaptionContainer"] { opacity: .8 !important; color: inherit !important; }
</style>"""
_DARK = """<style>[data-testid^="stBaseButton-primary"]:not(:disabled) { color: #0b1014 !important; }</style>"""
# Where the keyboard is, where Streamlit doesn't show it.
_FOCUS = """<style>
[data-testid="stElementToolbar"]:focus-within { opacity: 1 !important; display: block !important; }
[data-testid="stCheckbox"] label:has(:focus-visible), [data-testid="stDataFrame"]:focus-within,
[data-testid="stElementToolbar"] button:focus-visible, [data-testid="stSidebarNavLink"]:focus-visible,
iframe:focus-visible {
  outline: 3px solid currentColor; outline-offset: 2px; border-radius: .3rem;
}
</style>"""
# Less air above, and headings in proportion: a phone's screen is small.
_SIZES = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 3.6rem; padding-bottom: 2rem; }
[data-testid="stMainBlockContainer"] h1 { font-size: 1.9rem; padding: 0 0 .3rem; }
[data-testid="stMainBlockContainer"] h3 { font-size: 1.4rem; }
@media (max-width: 640px), (max-height: 500px) {
  [data-testid="stMainBlockContainer"] { padding: 3.4rem .8rem 1rem; }
  [data-testid="stMainBlockContainer"] h1 { font-size: 1.5rem; }
  [data-testid="stMainBlockContainer"] h3 { font-size: 1.2rem; }
}
</style>"""
# On paper stands what was found, not what can be pressed.
_PRINT = """<style>@media print {
  [data-testid="stSidebar"], [data-testid="stHeader"], button, [data-testid="stFileUploader"], .st-key-analyze_form,
  [data-testid="stPopover"] { display: none !important; }
  [data-testid="stMainBlockContainer"] { padding: 0 !important; max-width: none !important; }
}</style>"""


def main() -> None:
    """Draw the chosen page."""
    # Icons by name or emoji would come from the internet here.
    st.set_page_config(page_title="posepipe", page_icon=str(ICON), layout="wide")
    text = say()
    pages = {
        name: st.Page(partial(_page, name), title=text(f"nav.{name}"), icon=icon, url_path=name, default=name == FIRST)
        for name, icon in _PAGES.items()
    }
    st.session_state["pages"] = pages
    chosen = st.navigation(list(pages.values()))
    st.html(_SIZES + _PRINT + _CONTRAST + _FOCUS + TABLES + (_DARK if dark() else ""))
    with st.sidebar:
        language_choice()
        _sample(text, pages)
        st.caption(text("nav.privacy"))
        st.caption(text("nav.screening"))
        _frame_words(text)
    tell_of_reload()
    place = st.container()
    with guarded():
        chosen.run()
    # The page comes first: it may have something to say.
    with place:
        show_notices()


@cache
def _words() -> Any:
    return st.components.v2.component("posepipe_words", html="<span></span>", js=asset("words.js"))


def _frame_words(text: Texts) -> None:
    """Streamlit's own words in this language; it has English ones only."""
    words = {english: text.frame[english] for english in text.frame}
    _words()(data={"language": text.language, "words": words}, key="words", height=1)


def _sample(text: Texts, pages: Mapping[str, Any]) -> None:
    """One click to a report, for whoever looks for the first time."""
    if results() or job() is not None:
        return
    if st.button(text("nav.sample"), icon=":material/play_circle:", width="stretch"):
        import_module("posepipe.ui.pages.analyze").start_sample(text)
        st.switch_page(pages["analyze"])


def _page(name: str) -> None:
    """Draw one; its libraries load when it is first opened."""
    import_module(f"posepipe.ui.pages.{name}").page()
