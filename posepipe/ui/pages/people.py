"""The page of people: who comes again, their sessions by date, and how their numbers went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from posepipe.record.people import Client, Session, Trend, clients, save_client, sessions, trends
from posepipe.reports.drawings import BAND
from posepipe.reports.exercise import exercise_name
from posepipe.reports.sections import MINUS, with_error, words
from posepipe.texts import Texts
from posepipe.ui.chosen import choose, remembered_box
from posepipe.ui.notices import note
from posepipe.ui.pages.tables import show_table
from posepipe.ui.session import dark, library, say, verbatim
from posepipe.ui.storage import kept

__all__ = ["called", "page", "trend_name", "trend_rows"]

_COLORS = ("#0072b2", "#56b4e9")  # On light and on dark, after Okabe and Ito.
_INKS = ("#4a4c55", "#c8cad0")  # Streamlit's own grey is too pale (3.7 : 1).


def page() -> None:
    """Draw the page."""
    text = say()
    st.title(text("people.title"))
    st.markdown(text("people.intro"))
    root = library()
    if root is None or not root.is_dir():
        st.info(text("people.no_library"), icon=":material/folder:")
        if st.button(text("nav.library"), icon=":material/folder_open:"):
            st.switch_page(st.session_state["pages"]["library"])
        return
    known = {client.id: client for client in clients(root)}
    if known:
        with remembered_box("client", next(iter(known))):
            chosen = st.selectbox(
                text("people.whom"), list(known), format_func=lambda id_: called(known[id_]), key="client"
            )
        _show(text, root, known[chosen])
    with st.expander(text("people.new"), icon=":material/person_add:", expanded=not known):
        _form(text, root, None)


def called(client: Client) -> str:
    """Name and id."""
    return f"{client.name} ({client.id})" if client.name else client.id


def _form(text: Texts, root: Path, client: Client | None) -> None:
    """Who somebody is; a new one gets an id, which stays."""
    key = client.id if client else "new"
    with st.form(f"client-{key}", clear_on_submit=client is None):
        id_ = client.id if client else st.text_input(text("people.id"), help=text("people.id_help"))
        name = st.text_input(text("people.name"), client.name if client else "")
        height_cm = st.number_input(
            text("analyze.height"), 40, 260, round(100 * client.height_m) if client and client.height_m else None
        )
        notes = st.text_area(text("people.notes"), client.notes if client else "")
        consent = st.text_input(
            text("people.consent"), client.consent if client else "", help=text("people.consent_help")
        )
        if st.form_submit_button(text("people.save"), type="primary"):
            made = Client(id_.strip(), name.strip(), height_cm / 100.0 if height_cm else None, notes, consent)
            save_client(made, root)
            choose("client", made.id)
            note(text("people.saved", name=verbatim(called(made))))
            st.rerun()


def _show(text: Texts, root: Path, client: Client) -> None:
    if client.notes:
        st.markdown(verbatim(client.notes))
    if client.consent:
        st.caption(verbatim(f"{text('people.consent')}: {client.consent}"))
    entries = kept(root)
    own = [one for one in sessions(root, [entry.folder for entry in entries]) if one.person == client.id]
    if not own:
        st.info(text("people.no_sessions"), icon=":material/event_busy:")
    else:
        st.subheader(text("people.sessions", number=len(own)))
        show_table([_session_row(text, one) for one in own], "sessions")
        _trends(text, trends(own))
    with st.expander(text("people.edit"), icon=":material/edit:"):
        _form(text, root, client)


def _session_row(text: Texts, session: Session) -> dict[str, str]:
    counts = [
        f"{value.value:.0f} × {text.name('exercise', name.removesuffix(' reps'))}"
        for name, value in session.values.items()
        if name.endswith(" reps")
    ]
    walk = text("library.walk") if any(name.startswith("gait_") for name in session.values) else ""
    return {
        text("library.created"): session.created.replace("T", " ")[:16],
        text("library.name"): session.folder.name,
        text("library.exercise"): ", ".join([*counts, *([walk] if walk else [])]) or "–",
    }


def _trends(text: Texts, found: list[Trend]) -> None:
    if not found:
        st.caption(text("people.no_trend"))
        return
    st.subheader(text("people.trend"))
    changed = [trend_name(text, trend.name) for trend in found if trend.real]
    st.markdown(verbatim(text("people.changed", what="; ".join(changed)) if changed else text("people.same")))
    show_table(trend_rows(text, found), "trend", height="content")
    st.caption(text("people.trend_help"))
    names = [trend.name for trend in found]
    with remembered_box("trend", next((trend.name for trend in found if trend.real), names[0])):
        chosen = st.selectbox(text("people.curve"), names, format_func=lambda name: trend_name(text, name), key="trend")
    st.vega_lite_chart(_curve(text, next(one for one in found if one.name == chosen)), width="stretch")


def _curve(text: Texts, trend: Trend) -> dict[str, Any]:
    """A number over the sessions with its 90 % interval, as Vega-Lite."""
    points = [
        {
            "time": time[:16].replace("T", " "),
            "value": value.value,
            "low": value.value - BAND * value.sigma,
            "high": value.value + BAND * value.sigma,
        }
        for time, value in trend.points
    ]
    name, color, ink = trend_name(text, trend.name), _COLORS[dark()], _INKS[dark()]
    comma = {"labelExpr": "replace(datum.label, '.', ',')"} if text.language == "de" else {}
    across = {"field": "time", "type": "ordinal", "title": text("library.created")}
    up = {"type": "quantitative", "title": name, "scale": {"zero": False, "padding": 12}}
    return {
        "description": name,
        # Vega says the rest in English; the table above has the same numbers.
        "config": {"axis": {"aria": False, "labelColor": ink, "titleColor": ink}, "mark": {"aria": False}},
        "height": 280,
        "data": {"values": points},
        "encoding": {"x": {**across, "axis": {"labelAngle": 0, "labelOverlap": True}}},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 6, "opacity": 0.45, "color": color},
                "encoding": {"y": {**up, "field": "low", "axis": comma}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "color": color, "point": {"size": 80, "filled": True, "color": color}},
                "encoding": {"y": {**up, "field": "value"}},
            },
        ],
    }


def trend_rows(text: Texts, found: list[Trend]) -> list[dict[str, str]]:
    """A row for each number: first, last, change, and what change would be real."""
    return [
        {
            text("compare.what"): trend_name(text, trend.name),
            text("people.first"): text.number(with_error(trend.points[0][1].value, trend.points[0][1].sigma)),
            text("people.last"): text.number(with_error(trend.points[-1][1].value, trend.points[-1][1].sigma)),
            text("compare.change"): text.number(_change(trend)),
            text("people.smallest"): text.number(f"{trend.smallest_real:.2g}") if trend.smallest_real else "–",
            text("compare.sure"): text("compare.changed") if trend.real else "",
        }
        for trend in found
    ]


def _change(trend: Trend) -> str:
    """With its sign, rounded to what its error allows."""
    size = with_error(abs(trend.change), trend.smallest_real / BAND).partition(" ")[0]
    return size if trend.change == 0.0 else f"{MINUS if trend.change < 0.0 else '+'}{size}"


def trend_name(text: Texts, name: str) -> str:
    """A number's name in words."""
    if name.startswith("gait_"):
        stem, _, side = name.removeprefix("gait_").rpartition("_")
        if side in ("left", "right"):
            return f"{text(words(stem))}, {text(side)}"
        return text(words(name.removeprefix("gait_")))
    label, _, what = name.rpartition(" ")
    exercise = text(exercise_name(label))
    return text(f"people.{what}", exercise=f"{exercise[:1].upper()}{exercise[1:]}")
