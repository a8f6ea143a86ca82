"""The page that says whether this machine is ready."""

from __future__ import annotations

import streamlit as st

from posepipe.doctor import Check, diagnose
from posepipe.errors import PosePipeError
from posepipe.ui.session import say
from posepipe.ui.speed import measure
from posepipe.ui.texts import Texts
from posepipe.weights import ModelCard, list_cards, verify

__all__ = ["page"]

_MARKS = {"ok": "✓", "warning": "⚠", "failed": "✗"}


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("health.title"))
    st.markdown(text("health.intro"))
    with st.spinner(text("health.looking")):
        checks = list(diagnose())
    _verdict(text, checks)
    with st.expander(text("health.details"), expanded=any(check.state != "ok" for check in checks)):
        st.dataframe([_check_row(text, check) for check in checks], hide_index=True, width="stretch", height="content")
    st.subheader(text("health.models"))
    st.dataframe([_model_row(text, card) for card in list_cards()], hide_index=True, width="stretch")
    st.subheader(text("health.speed"))
    st.markdown(text("health.speed_intro"))
    if st.button(text("health.speed_start"), icon=":material/speed:"):
        _speed(text)


def _verdict(text: Texts, checks: list[Check]) -> None:
    bad = [check for check in checks if check.state != "ok"]
    failed = [check for check in bad if check.state == "failed"]
    if failed:
        st.error(text("health.failed", names=", ".join(check.name for check in failed)), icon=":material/error:")
    elif bad:
        st.warning(text("health.warning", names=", ".join(check.name for check in bad)), icon=":material/warning:")
    else:
        st.success(text("health.ok"), icon=":material/check_circle:")


def _check_row(text: Texts, check: Check) -> dict[str, str]:
    return {
        text("health.state"): f"{_MARKS.get(check.state, '')} {text.name('health_state', check.state)}",
        text("health.what"): check.name,
        text("health.found"): check.detail,
        text("health.hint"): check.hint,
    }


def _model_row(text: Texts, card: ModelCard) -> dict[str, str]:
    try:
        verify(card.model_path, card.sha256)
        state = f"✓ {text('health.checksum_ok')}"
    except PosePipeError as error:
        state = f"✗ {error.what}"
    return {
        text("health.model"): card.name,
        text("health.checksum"): state,
        text("health.size"): f"{card.size_bytes / 1e6:.1f} MB",
        text("health.licence"): card.licence,
        text("health.purpose"): card.description,
    }


def _speed(text: Texts) -> None:
    with st.spinner(text("health.speed_running")):
        speed = measure()
    one, two, three = st.columns(3)
    one.metric(text("health.fps"), f"{speed.fps_hz:.0f}")
    two.metric(text("health.frame_ms"), f"{speed.frame_ms:.0f} ms")
    three.metric(text("health.slow_ms"), f"{speed.slow_ms:.0f} ms")
    st.caption(text("health.speed_note", frames=speed.frames))
