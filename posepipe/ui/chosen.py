"""What a user chose on a form, kept over runs, stops and visits to other pages.

Streamlit forgets a box that isn't drawn; `remembered_box` gives it its value back before it is drawn again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from posepipe.errors import PosePipeError
from posepipe.ui.notices import tell
from posepipe.ui.session import remember_busy, workspace
from posepipe.ui.storage import check_video

__all__ = ["choose", "chosen", "remembered_box", "take_in", "videos"]


@contextmanager
def remembered_box(key: str, default: Any = None) -> Iterator[None]:
    """Draw a box with this key inside; it shows what it showed last, on whatever page the user was meanwhile."""
    kept, pending = _form(), _pending()
    if key in pending or key not in st.session_state:
        st.session_state[key] = kept.get(key, default)
        pending.discard(key)
    yield
    kept[key] = st.session_state[key]


def choose(key: str, value: Any) -> None:
    """Give a box of `remembered_box` another value, which it has the next time it is drawn."""
    _form()[key] = value
    _pending().add(key)


def chosen(key: str, default: Any = None) -> Any:
    """What a box of `remembered_box` held when it was last drawn, or is about to hold."""
    return _form().get(key, default)


def _form() -> dict[str, Any]:
    kept: dict[str, Any] = st.session_state.setdefault("form", {})
    return kept


def _pending() -> set[str]:
    pending: set[str] = st.session_state.setdefault("form_pending", set())
    return pending


def videos() -> dict[str, Path]:
    """Videos that the user gave in this session: name -> our copy."""
    found: dict[str, Path] = st.session_state.setdefault("videos", {})
    return found


def _taken() -> dict[str, str]:
    """Uploads that were taken in: Streamlit's code of each -> name."""
    taken: dict[str, str] = st.session_state.setdefault("uploads_taken", {})
    return taken


def take_in(uploads: list[Any]) -> list[str]:
    """Copy uploads into the session's folder; what isn't a video is said, and kept until it is read.

    A click elsewhere starts the page anew in the midst of this: an upload that was taken in isn't taken in again.

    Returns:
        Names of those that are.
    """
    known, before, taken = videos(), _taken(), []
    for upload in uploads:
        if upload.file_id in before:
            taken.append(before[upload.file_id])
            continue
        try:
            path = workspace().keep_upload(upload.name, upload)
            check_video(path)
        except PosePipeError as error:
            tell(error)
            continue
        name, number = path.name, 2
        while name in known:
            name, number = f"{path.stem} ({number}){path.suffix}", number + 1
        known[name], before[upload.file_id] = path, name
        taken.append(name)
    if taken:
        remember_busy()
    return taken
