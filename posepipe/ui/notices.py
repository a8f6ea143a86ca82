"""What went wrong or was done, kept on every page until it is read."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from posepipe.errors import PosePipeError
from posepipe.ui.session import error_text, say

__all__ = ["note", "show_notices", "tell"]


@dataclass(frozen=True, slots=True)
class _Notice:
    """One message; `error` also tells how it looks."""

    said: str
    error: PosePipeError | None = None


def tell(error: PosePipeError) -> None:
    """Keep an error until it is read; one that stands there already isn't said twice."""
    _keep(_Notice(str(error), error))


def note(said: str) -> None:
    """Keep a sentence, in Markdown, until it is read."""
    _keep(_Notice(said))


def _keep(notice: _Notice) -> None:
    kept = _kept()
    if all(one.said != notice.said for one in kept):
        kept.append(notice)


def _kept() -> list[_Notice]:
    kept: list[_Notice] = st.session_state.setdefault("notices", [])
    return kept


def show_notices() -> None:
    """Draw what wasn't read yet, each with a button that says it was."""
    text = say()
    kept = _kept()
    for number, notice in enumerate(kept):
        message, button = st.columns([5, 1], vertical_alignment="center")
        with message:
            if notice.error is not None:
                st.error(error_text(notice.error), icon=":material/error:")
            else:
                st.info(notice.said, icon=":material/info:")
        if button.button(text("nav.read"), key=f"read-{number}", icon=":material/check:", width="stretch"):
            kept.pop(number)
            st.rerun()
