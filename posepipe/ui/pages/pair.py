"""Two results' videos side by side, in step: the same time, or the same phase of a repetition or a stride."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import streamlit as st

from posepipe.record.recording import Person, Recording
from posepipe.texts import Texts
from posepipe.ui.assets import asset
from posepipe.ui.session import component_key, verbatim

__all__ = ["anchors", "show_pair"]

_WORDS = ("play", "pause", "back", "on", "speed", "moment", "together", "time", "first", "phase", "point", "video")
_SHARED_S = 0.05
"""Anchors nearer than this are one."""

Anchor = tuple[float, float]
"""The same moment in both videos, in seconds."""


@cache
def _component() -> Any:
    css, js = asset("tools.css"), asset("pair.js")
    return st.components.v2.component("posepipe_pair", html='<div class="tools"></div>', css=css, js=js)


def show_pair(text: Texts, one: tuple[str, Path, Recording], other: tuple[str, Path, Recording]) -> None:
    """Draw them; nothing where one has no video.

    Args:
        text: the language.
        one: name, folder and what lies in it.
        other: the same.
    """
    sides = (one, other)
    if not all((folder / "annotated.mp4").is_file() for _, folder, _ in sides):
        return
    for number, (column, (name, folder, _)) in enumerate(zip(st.columns(2), sides, strict=True)):
        with column, st.container(key=f"pair{number}"):
            st.caption(verbatim(name))
            st.video(str(folder / "annotated.mp4"), muted=True)
    people = [recording.people[0] if recording.people else None for _, _, recording in sides]
    found = anchors(people[0], people[1]) if people[0] and people[1] else []
    data = {
        "words": {name: text(f"pair.{name}") for name in _WORDS},
        "fps_hz": one[2].video.fps_hz,
        "anchors": found,
    }
    _component()(data=data, key=component_key("pair", one[1].name, other[1].name))


def anchors(one: Person, other: Person) -> list[Anchor]:
    """Moments that are the same in both: start, turn and end of the n-th repetition, or the n-th heel strike of a side.

    Repetitions are of the exercise that both did most. Times increase in both.
    """
    pairs = sorted(_repetitions(one, other) or _strikes(one, other))
    kept: list[Anchor] = []
    for first, second in pairs:
        if not kept or (first - kept[-1][0] > _SHARED_S and second - kept[-1][1] > _SHARED_S):
            kept.append((first, second))
    return kept


def _repetitions(one: Person, other: Person) -> list[Anchor]:
    counts = [person.exercise.reps_by_label for person in (one, other)]
    both = {label: min(counts[0][label], counts[1][label]) for label in counts[0] if label in counts[1]}
    label = max(both, key=both.__getitem__, default="")
    moments = [
        [
            (rep.start_s, rep.turn_s, rep.end_s)
            for bout in person.exercise.bouts
            if bout.label == label
            for rep in bout.reps
        ]
        for person in (one, other)
    ]
    return [pair for first, second in zip(*moments, strict=False) for pair in zip(first, second, strict=True)]


def _strikes(one: Person, other: Person) -> list[Anchor]:
    """From the first strike of the same side on, one after the other; a strike that one lacks ends it."""
    steps = [list(_steps(person)) for person in (one, other)]
    if not all(steps):
        return []
    side = steps[0][0][1]
    start = next((i for i, (_, struck) in enumerate(steps[1]) if struck == side), None)
    if start is None:
        return []
    found: list[Anchor] = []
    for (first, mine), (second, theirs) in zip(steps[0], steps[1][start:], strict=False):
        if mine != theirs:
            break
        found.append((first, second))
    return found


def _steps(person: Person) -> Iterator[tuple[float, str]]:
    """Heel strikes in a row: those of the first pass, until a side strikes twice."""
    struck = [(event.time_s, event.side) for event in person.gait.walk.events if event.type == "heel_strike"]
    if not struck:
        return
    yield struck[0]
    for before, now in pairwise(struck):
        if before[1] == now[1]:
            return
        yield now
