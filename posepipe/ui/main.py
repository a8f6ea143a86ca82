"""The app's frame: navigation, language, and where data stays. Streamlit runs `main` for every look at a page."""

from __future__ import annotations

import streamlit as st

from posepipe.ui.assets import ICON
from posepipe.ui.session import guarded, language_choice, say, tell_of_reload

__all__ = ["main"]


def main() -> None:
    """Draw the chosen page."""
    # Icons by name or emoji would come from the internet here.
    st.set_page_config(page_title="posepipe", page_icon=str(ICON), layout="wide")
    text = say()
    chosen = st.navigation(
        [
            st.Page(_live, title=text("nav.live"), icon=":material/videocam:", url_path="live", default=True),
            st.Page(_analyze, title=text("nav.analyze"), icon=":material/movie:", url_path="analyze"),
            st.Page(_gait, title=text("nav.gait"), icon=":material/directions_walk:", url_path="gait"),
            st.Page(_library, title=text("nav.library"), icon=":material/folder_open:", url_path="library"),
            st.Page(_health, title=text("nav.health"), icon=":material/health_and_safety:", url_path="health"),
        ]
    )
    with st.sidebar:
        language_choice()
        st.caption(text("nav.privacy"))
        st.caption(text("nav.screening"))
    tell_of_reload()
    with guarded():
        chosen.run()


# A page's libraries load when it is first opened.


def _live() -> None:
    from posepipe.ui.pages.live import page

    page()


def _analyze() -> None:
    from posepipe.ui.pages.analyze import page

    page()


def _gait() -> None:
    from posepipe.ui.pages.gait import page

    page()


def _library() -> None:
    from posepipe.ui.pages.library import page

    page()


def _health() -> None:
    from posepipe.ui.pages.health import page

    page()
