"""The page that says whether this machine is ready."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from posepipe.doctor import Check, diagnose
from posepipe.errors import PosePipeError
from posepipe.media.sources import open_source
from posepipe.pipeline import Config
from posepipe.samples import SAMPLE_VIDEO
from posepipe.texts import Texts
from posepipe.types import Frame
from posepipe.ui.pages.phone import phone
from posepipe.ui.session import access, say
from posepipe.ui.stage import live_picture, open_session, to_height
from posepipe.weights import ModelCard, list_cards, verify

__all__ = ["Speed", "measure", "page"]

_MARKS = {"ok": "✓", "warning": "⚠", "failed": "✗"}


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("health.title"))
    st.markdown(text("health.intro"))
    with st.spinner(text("health.looking")):
        checks = list(diagnose(SAMPLE_VIDEO))
    _verdict(text, checks)
    if access().server_files:
        _details(text, checks)
    phone(text)
    st.subheader(text("health.models"))
    st.dataframe([_model_row(text, card) for card in list_cards()], hide_index=True, width="stretch")
    st.subheader(text("health.speed"))
    st.markdown(text("health.speed_intro"))
    if st.button(text("health.speed_start"), icon=":material/speed:"):
        _speed(text)


def _details(text: Texts, checks: list[Check]) -> None:
    """The table; it names folders of this machine."""
    with st.expander(text("health.details"), expanded=any(check.state != "ok" for check in checks)):
        st.dataframe([_check_row(text, check) for check in checks], hide_index=True, width="stretch", height="content")


def _verdict(text: Texts, checks: list[Check]) -> None:
    bad = [check for check in checks if check.state != "ok"]
    failed = [check for check in bad if check.state == "failed"]
    if failed:
        st.error(text("health.failed", names=", ".join(text(check.name) for check in failed)), icon=":material/error:")
    elif bad:
        st.warning(
            text("health.warning", names=", ".join(text(check.name) for check in bad)), icon=":material/warning:"
        )
    else:
        st.success(text("health.ok"), icon=":material/check_circle:")


def _check_row(text: Texts, check: Check) -> dict[str, str]:
    return {
        text("health.state"): f"{_MARKS.get(check.state, '')} {text.name('health_state', check.state)}",
        text("health.what"): text(check.name),
        text("health.found"): text.error(check.detail) or check.detail,
        text("health.hint"): text.error(check.hint) or check.hint,
    }


def _model_row(text: Texts, card: ModelCard) -> dict[str, str]:
    try:
        verify(card.model_path, card.sha256)
        state = f"✓ {text('health.checksum_ok')}"
    except PosePipeError as error:
        state = f"✗ {text.error(error.what) or text('health.checksum_wrong')}"
    return {
        text("health.model"): card.name,
        text("health.checksum"): state,
        text("health.size"): text.number(f"{card.size_bytes / 1e6:.1f} MB"),
        text("health.licence"): card.licence,
        text("health.purpose"): text(card.description),
    }


def _speed(text: Texts) -> None:
    with st.spinner(text("health.speed_running")):
        speed = measure()
    one, two, three = st.columns(3)
    one.metric(text("health.fps"), f"{speed.fps_hz:.0f}")
    two.metric(text("health.frame_ms"), f"{speed.frame_ms:.0f} ms")
    three.metric(text("health.slow_ms"), f"{speed.slow_ms:.0f} ms")
    st.caption(text("health.speed_note", frames=speed.frames))


@dataclass(frozen=True, slots=True)
class Speed:
    """What `measure` found.

    Attributes:
        frames: that were timed.
        frame_ms: median time to analyse and draw one.
        slow_ms: 95 % were faster.
        fps_hz: frames per second that the machine could keep up with.
    """

    frames: int
    frame_ms: float
    slow_ms: float
    fps_hz: float


def measure(frames: int = 90) -> Speed:
    """Run the live stages over the sample clip.

    Args:
        frames: how many are timed, after ten to warm up.

    Raises:
        ModelError: a model is missing or damaged.
    """
    spent_ms: list[float] = []
    with open_source(SAMPLE_VIDEO) as source:
        first = to_height(next(iter(source)).image)
        with open_session(Config(max_people=1), first.shape[1], first.shape[0]) as session:
            for frame in source:
                image = to_height(frame.image)
                start_s = time.perf_counter()
                people = session.step(Frame(frame.index, frame.time_s, image))
                live_picture(image, people[0] if people else None, 0.0)
                spent_ms.append(1000.0 * (time.perf_counter() - start_s))
                if len(spent_ms) >= frames + 10:
                    break
    timed = np.array(spent_ms[10:])
    return Speed(len(timed), float(np.median(timed)), float(np.quantile(timed, 0.95)), 1000.0 / float(timed.mean()))
