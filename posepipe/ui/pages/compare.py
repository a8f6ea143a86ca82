"""Two recordings side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from posepipe.results.recording import Recording
from posepipe.results.sections import words
from posepipe.results.summary import plain
from posepipe.ui.session import say
from posepipe.ui.tables import measured, reason_text
from posepipe.ui.texts import Texts

__all__ = ["compare", "compare_rows"]

# Too long for a table; the report draws them.
Named = tuple[str, Recording]

_LISTS = ("events", "segments", "curves", "cycles", "evidence")


GROUPS = ("exercise", "gait")


def compare(one: Named, other: Named) -> None:
    """A table of both recordings' numbers, each with its error bar."""
    text = say()
    rows = compare_rows(text, one, other)
    if not rows:
        st.info(text("compare.nothing"), icon=":material/compare_arrows:")
        return
    st.dataframe(rows, hide_index=True, width="stretch", height="content")
    st.caption(text("compare.help"))


def compare_rows(text: Texts, one: Named, other: Named, groups: Sequence[str] = GROUPS) -> list[dict[str, str]]:
    """Rows of name, first value, second value, over the first person of each recording."""
    first, second = (_flat(text, recording, groups) for _, recording in (one, other))
    names = (one[0], other[0] if other[0] != one[0] else f"{other[0]} (2)")
    return [
        {text("compare.what"): what, names[0]: first.get(what, "–"), names[1]: second.get(what, "–")}
        for what in dict.fromkeys([*first, *second])
    ]


def _flat(text: Texts, recording: Recording, groups: Sequence[str]) -> dict[str, str]:
    if not recording.people:
        return {}
    person = recording.people[0]
    found: dict[str, str] = {}
    for group in groups:
        found.update(_values(text, (text(f"compare.{group}"),), plain(getattr(person, group))))
    for bout in plain(person.exercise).get("segments") or () if "exercise" in groups else ():
        found[f"{text('compare.exercise')} › {text.name('exercise', bout['label'])}"] = str(bout["reps"])
    return found


def _values(text: Texts, path: tuple[str, ...], value: Any) -> Iterator[tuple[str, str]]:
    name = " › ".join(path)
    if isinstance(value, Mapping):
        if "withheld" in value:
            yield name, reason_text(text, str(value["withheld"]))
        elif "value" in value:
            yield name, measured(value.get("value"), value.get("sigma"))
        else:
            for key, item in value.items():
                if key not in _LISTS:
                    yield from _values(text, (*path, text.table.get(f"gait.{key}") or words(str(key))), item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, f"{value:.3g}"
    elif isinstance(value, str):
        yield name, value
