"""What a page needs again and again: texts, the session's folder and results, and errors in plain words."""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from posepipe.errors import PosePipeError
from posepipe.media.atomic import expanded
from posepipe.texts import LANGUAGES, Texts, language_of, load
from posepipe.ui.access import Access, access_of
from posepipe.ui.assets import asset
from posepipe.ui.jobs import Item, Job
from posepipe.ui.remembering import recall
from posepipe.ui.storage import Workspace, sweep

__all__ = [
    "access", "component_key", "dark", "error_text", "guarded", "job", "keep_choices", "kept_choice", "language_choice",
    "library", "remember_busy", "remembered", "results", "say", "set_job", "set_library", "settings", "show_error",
    "tell_of_reload", "verbatim", "workspace",
]  # fmt: skip

_log = logging.getLogger(__name__)

# Sessions of this server that had something to lose; only their codes, and only in memory.
_busy_sessions: set[str] = set()
_lock = threading.Lock()

# Longer than Streamlit keeps a session whose connection broke (server.disconnectedSessionTTL).
_GONE_S = 130.0
_LOOK_S = 5.0

_T = TypeVar("_T")
_MOST_REPORTS = 8


def say() -> Texts:
    """The texts in the language chosen, at first the browser's."""
    if "language" not in st.session_state:
        st.session_state["language"] = language_of(st.context.locale)
    return load(st.session_state["language"])


def language_choice() -> None:
    """The box in which the language is chosen."""
    text = say()
    # No rerun in the midst of a page: what it hadn't drawn yet would be forgotten.
    st.session_state["language_box"] = text.language
    st.selectbox(
        text("nav.language"),
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        key="language_box",
        on_change=_take_language,
    )


def _take_language() -> None:
    st.session_state["language"] = st.session_state["language_box"]
    # A box goes on showing the words in which something was chosen, unless it is given that anew.
    kept = [str(name).removeprefix("kept ") for name in st.session_state if str(name).startswith("kept ")]
    for key in (*st.session_state.get("form", {}), *kept):
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def kept_choice(key: str, default: object) -> None:
    """Call before a widget with this key is drawn: Streamlit forgets what isn't drawn for a while, this doesn't.

    Args:
        key: the widget's.
        default: its value where nothing was chosen yet.
    """
    if key not in st.session_state:
        st.session_state[key] = st.session_state.get(f"kept {key}", default)


def keep_choices(*keys: str) -> None:
    """Remember what was chosen; call when the widgets were drawn."""
    for key in keys:
        if key in st.session_state:
            st.session_state[f"kept {key}"] = st.session_state[key]


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


def access() -> Access:
    """What of the server's machine this page may reach."""
    return access_of(settings(), st.get_option("server.address"), st.context.headers)


def library() -> Path | None:
    """The folder of kept results; None while the user hasn't chosen one, or none was given at the start."""
    chosen = os.environ.get("POSEPIPE_LIBRARY", "")
    if access().server_files:
        # An emptied box, or one that a busy browser draws before its value comes, doesn't lose the folder.
        chosen = st.session_state.get("library") or chosen or recall("library") or ""
    return expanded(chosen) if chosen else None


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


def remembered(key: Hashable, make: Callable[[], _T]) -> _T:
    """A report of this session, made once: Streamlit runs the page at every click."""
    made: dict[Hashable, _T] = st.session_state.setdefault("reports", {})
    if key not in made:
        while len(made) >= _MOST_REPORTS:
            made.pop(next(iter(made)))
        made[key] = make()
    return made[key]


def component_key(*parts: object) -> str:
    """The key of a component that belongs to these names: one for each, without the ``__`` that Streamlit refuses."""
    return "-".join(str(part).replace("%", "%25").replace("_", "%5F").replace("-", "%2D") for part in parts)


def verbatim(text: str) -> str:
    """Text, a file's name for instance, so that Markdown shows it as it is: a picture in it would be fetched."""
    return re.sub(r"([\\`*_{}\[\]()#+\-!|<>~:$])", r"\\\1", text)


def dark() -> bool:
    """Whether the page is dark."""
    return bool(st.context.theme.type == "dark")


def show_error(error: PosePipeError) -> None:
    """An error in one or two plain sentences."""
    st.error(error_text(error), icon=":material/error:")


def error_text(error: PosePipeError) -> str:
    """An error as Markdown; a page from elsewhere learns no folder of this machine.

    An error that isn't written in the user's language is told as one; the log has its words.
    """
    text = say()
    place = error.where if access().server_files else Path(error.where).name
    what, hint = text.error(error.what), text.error(error.hint) or ""
    if what is None:
        _log.error("%s", error)
        what, hint = text("error.other", kind=type(error).__name__), ""
    where, what, hint = (verbatim(part) for part in (place, what, hint))
    said = f"**{where}**: {what}" if where else what
    return f"{said}. {hint}".strip().rstrip(".") + "."


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
    with st.sidebar:  # At its end, where nothing shows that it takes a line.
        tab = _tab()(key="tab", data={"code": _code()}, default={"before": ""}, on_before_change=_ignore)
    with _lock:
        lost = tab.before in _busy_sessions
        _busy_sessions.discard(tab.before)
    if lost:
        st.session_state["reloaded"] = True
    if st.session_state.get("reloaded"):
        st.info(say()("nav.reloaded"), icon=":material/refresh:")


@cache
def _tab() -> Any:
    return st.components.v2.component("posepipe_tab", js=asset("tab.js"))


def _ignore() -> None:
    """Streamlit wants a callback for a value that the page may send."""


def _code() -> str:
    code: Any = st.session_state.setdefault("code", secrets.token_hex(4))
    return str(code)
