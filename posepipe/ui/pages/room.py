"""What came of the way through the room: jumps, walking speed, steps and turning, each with its interval or why not."""

from __future__ import annotations

import streamlit as st

from posepipe.body.outcomes import OUTCOMES, Estimate
from posepipe.gait.types import Value
from posepipe.reasons import Reason
from posepipe.record.recording import Person, Recording
from posepipe.reports.sections import why, with_error, words
from posepipe.texts import Texts
from posepipe.ui.session import verbatim

__all__ = ["room_rows", "show_room"]

_UNKNOWN = "–"


def show_room(text: Texts, recording: Recording) -> None:
    """A table of each person whose room is known or was looked for, open where it holds a number.

    Args:
        text: the language.
        recording: the result.
    """
    for person in recording.people:
        rows = room_rows(text, person)
        if not rows:
            continue
        known = sum(row[text("result.value")] != _UNKNOWN for row in rows)
        title = text("result.room", known=known, all=len(rows))
        if len(recording.people) > 1:
            title = f"{text('result.person', id=verbatim(str(person.id)))} – {title}"
        with st.expander(title, icon=":material/straighten:", expanded=known > 1):
            st.dataframe(rows, hide_index=True, width="stretch")
            st.caption(text("result.room_help"))


def room_rows(text: Texts, person: Person) -> list[dict[str, str]]:
    """Every outcome of a person and the camera's height, as rows of a table; none in a result that didn't know them."""
    world, found = person.world, person.outcomes
    if world is None or found is None:
        return []
    rows = []
    for name in OUTCOMES:
        # What the gait tells isn't among them.
        item = found.items.get(name) or person.gait.parameters.value(name)
        if item is not None:
            rows.append(_row(text, text(words(name)), item))
    reason = world.withheld.get("gravity") or world.withheld.get("floor")
    camera = reason or Estimate(world.camera_m, world.camera_sigma_m)
    rows.append(_row(text, text("result.camera_height"), camera))
    return rows


def _row(text: Texts, name: str, item: Estimate | Value | Reason) -> dict[str, str]:
    return {
        text("result.measure"): name,
        text("result.value"): _UNKNOWN if isinstance(item, Reason) else text.number(with_error(item.value, item.sigma)),
        text("result.why_not"): why(item, text) if isinstance(item, Reason) else "",
    }
