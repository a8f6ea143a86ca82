"""What came of the way through the room: jumps, walking speed, steps and turning, each with its interval or why not."""

from __future__ import annotations

import streamlit as st

from posepipe.body.outcomes import OUTCOMES, Estimate
from posepipe.reasons import Reason
from posepipe.record.recording import Person, Recording
from posepipe.reports.sections import why, with_error, words
from posepipe.texts import Texts
from posepipe.ui.pages.tables import show_table
from posepipe.ui.session import verbatim

__all__ = ["room_rows", "show_room"]


def show_room(text: Texts, recording: Recording) -> None:
    """What is known of each person's way, as a table, and below it why the rest isn't.

    Args:
        text: the language.
        recording: the result.
    """
    for person in recording.people:
        rows, missing = room_rows(text, person)
        if not (rows or missing):
            continue
        title = text("result.room", known=len(rows), all=len(rows) + sum(map(len, missing.values())))
        if len(recording.people) > 1:
            title = f"{text('result.person', id=verbatim(str(person.id)))} – {title}"
        with st.expander(title, icon=":material/straighten:", expanded=len(rows) > 1):
            if rows:
                show_table(rows, f"room-{person.id}")
                st.caption(text("result.room_help"))
            for reason, names in missing.items():
                st.markdown(verbatim(text("result.not_measured", what=", ".join(names), why=reason)))


def room_rows(text: Texts, person: Person) -> tuple[list[dict[str, str]], dict[str, list[str]]]:
    """Every outcome of a person and the camera's height.

    Returns:
        Rows of a table, for what is known; and by its reason what isn't. Both are empty for a result of a posepipe
        that didn't know rooms.
    """
    world, found = person.world, person.outcomes
    if world is None or found is None:
        return [], {}
    # What the gait tells isn't among the outcomes.
    told = {text(words(name)): found.items.get(name) or person.gait.parameters.value(name) for name in OUTCOMES}
    reason = world.withheld.get("gravity") or world.withheld.get("floor")
    told[text("result.camera_height")] = reason or Estimate(world.camera_m, world.camera_sigma_m)
    rows: list[dict[str, str]] = []
    missing: dict[str, list[str]] = {}
    for name, item in told.items():
        if isinstance(item, Reason):
            missing.setdefault(why(item, text), []).append(name.partition(" (")[0])
        elif item is not None:
            value = text.number(with_error(item.value, item.sigma))
            rows.append({text("result.measure"): name, text("result.value"): value})
    return rows, missing
