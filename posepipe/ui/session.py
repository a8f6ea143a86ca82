"""What a page needs again and again: texts, the session's folder and results, and errors in plain words."""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from posepipe.errors import PosePipeError
from posepipe.ui.jobs import Item, Job
from posepipe.ui.texts import LANGUAGES, Texts, language_of, load
from posepipe.ui.workspace import Workspace, sweep

__all__ = [
    "dark",
    "guarded",
    "job",
    "language_choice",
    "library",
    "remember_busy",
    "results",
    "say",
    "set_job",
    "set_library",
    "settings",
    "show_error",
    "tell_of_reload",
    "verbatim",
    "workspace",
]

_log = logging.getLogger(__name__)

# Sessions of this server that had something to lose; only their codes, and only in memory.
_busy_sessions: set[str] = set()
_lock = threading.Lock()

# Longer than Streamlit keeps a session whose connection broke (server.disconnectedSessionTTL).
_GONE_S = 130.0
_LOOK_S = 5.0


def say() -> Texts:
    """The texts in the language chosen, at first the browser's."""
    if "language" not in st.session_state:
        st.session_state["language"] = language_of(st.context.locale)
    return load(st.session_state["language"])


def language_choice() -> None:
    """The box in which the language is chosen."""
    codes = list(LANGUAGES)
    chosen = st.selectbox(
        say()("nav.language"),
        codes,
        index=codes.index(say().language),
        format_func=LANGUAGES.__getitem__,
        key="language_box",
    )
    if chosen != st.session_state["language"]:
        st.session_state["language"] = chosen
        st.rerun()


def workspace() -> Workspace:
    """The session's folder; made when first needed, gone with the session."""
    if "workspace" not in st.session_state:
        sweep()
        made = Workspace()
        st.session_state["workspace"] = made
        context = get_script_run_ctx()
        if context is not None:
            tidy = threading.Thread(target=_tidy_up, args=(made, context.session_id), name="posepipe-tidy", daemon=True)
            tidy.start()
    space: Workspace = st.session_state["workspace"]
    return space


def _tidy_up(space: Workspace, session_id: str) -> None:
    """Delete a session's folder once its page has been closed for so long that it can't come back.

    Streamlit itself forgets such a session only when the next one comes or goes.
    """
    left_s = 0.0
    while left_s <= _GONE_S:
        time.sleep(_LOOK_S)
        here = runtime.exists() and runtime.get_instance().is_active_session(session_id)
        left_s = 0.0 if here else left_s + _LOOK_S
    space.close()


def results() -> dict[str, Item]:
    """What this session analysed: name -> finished video."""
    found: dict[str, Item] = st.session_state.setdefault("results", {})
    return found


def job() -> Job | None:
    """The analysis that is running or was last."""
    found: Job | None = st.session_state.get("job")
    return found


def set_job(new: Job | None) -> None:
    """Remember the analysis that was started."""
    st.session_state["job"] = new
    remember_busy()


def library() -> Path | None:
    """The folder of kept results; None while the user hasn't chosen one."""
    chosen = st.session_state.get("library", os.environ.get("POSEPIPE_LIBRARY", ""))
    return Path(chosen).expanduser() if chosen else None


def set_library(path: str) -> None:
    """Choose the folder of kept results, for this session."""
    st.session_state["library"] = path.strip()


def settings() -> Mapping[str, str]:
    """The environment, over what ``.streamlit/secrets.toml`` says."""
    found: dict[str, str] = {}
    # Most people have no secrets.
    with suppress(FileNotFoundError):
        found.update({key: str(value) for key, value in st.secrets.items() if key.startswith("POSEPIPE_")})
    found.update({key: value for key, value in os.environ.items() if key.startswith("POSEPIPE_")})
    return found


def verbatim(text: str) -> str:
    """Text, a file's name for instance, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-!|<>~:$])", r"\\\1", text)


def dark() -> bool:
    """Whether the page is dark."""
    return bool(st.context.theme.type == "dark")


def show_error(error: PosePipeError) -> None:
    """An error in one or two plain sentences."""
    where, what, hint = (verbatim(part) for part in (error.where, error.what, error.hint))
    said = f"**{where}**: {what}" if where else what
    st.error(f"{said}. {hint}".strip().rstrip(".") + ".", icon=":material/error:")


@contextmanager
def guarded() -> Iterator[None]:
    """Whatever goes wrong inside becomes a message on the page; the log has the rest."""
    try:
        yield
    except PosePipeError as error:
        show_error(error)
    except Exception as error:
        _log.exception("a page failed")
        st.error(say()("error.defect", kind=type(error).__name__), icon=":material/error:")


def remember_busy() -> None:
    """This session now has something that a reload would lose."""
    with _lock:
        _busy_sessions.add(_code())


def tell_of_reload() -> None:
    """Say so when an earlier session of this browser tab, which had something to lose, was left by a reload."""
    before = st.query_params.get("session", "")
    if before != _code():
        with _lock:
            lost = before in _busy_sessions
            _busy_sessions.discard(before)
        st.query_params["session"] = _code()
        if lost:
            st.session_state["reloaded"] = True
    if st.session_state.get("reloaded"):
        st.info(say()("nav.reloaded"), icon=":material/refresh:")


def _code() -> str:
    code: Any = st.session_state.setdefault("code", secrets.token_hex(4))
    return str(code)
