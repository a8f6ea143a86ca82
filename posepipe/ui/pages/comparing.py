"""Two results in plain words: what was first, what is now, and whether the difference is beyond the error bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import streamlit as st

from posepipe.exercise.types import ExerciseResult, Repetition
from posepipe.gait.types import Value
from posepipe.record.recording import Person, Recording
from posepipe.reports.comparison import comparable, difference, gait_values
from posepipe.reports.exercise import exercise_name
from posepipe.reports.sections import with_error
from posepipe.texts import Texts
from posepipe.ui.pages.tables import show_table
from posepipe.ui.session import verbatim

__all__ = ["Difference", "Side", "differences", "in_words", "show_comparison"]

Side = tuple[str, ExerciseResult, tuple[Recording, Person] | None]
"""Name, what was exercised, and the recording with its main person where there is one."""

_FRAME_S = 1.0 / 30.0


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of the comparison; texts.

    Attributes:
        what: is compared.
        first, second: values with their error bars; a dash where there is none.
        change: second less first, with its error bar; empty where one is missing.
        sure: the change is beyond its error bar.
    """

    what: str
    first: str
    second: str
    change: str = ""
    sure: bool = False


def show_comparison(text: Texts, one: Side, other: Side) -> None:
    """Draw it: a few sentences, then a table, then what makes the two hard to compare."""
    rows = differences(text, one, other)
    if not rows:
        st.info(text("compare.nothing"), icon=":material/compare_arrows:")
        return
    st.subheader(text("compare.title", one=verbatim(one[0]), other=verbatim(other[0])))
    st.markdown(verbatim(in_words(text, rows)))
    for warning in comparable(one[2], other[2], text) if one[2] and other[2] else []:
        st.warning(verbatim(warning), icon=":material/warning:")
    names = (one[0], other[0] if other[0] != one[0] else f"{other[0]} (2)")
    table = [
        {
            text("compare.what"): row.what,
            names[0]: text.number(row.first),
            names[1]: text.number(row.second),
            text("compare.change"): text.number(row.change),
            text("compare.sure"): text("compare.changed") if row.sure else "",
        }
        for row in rows
    ]
    show_table(table, "compare", height="content")
    st.caption(text("compare.help"))


def differences(text: Texts, one: Side, other: Side) -> list[Difference]:
    """Everything that at least one of both has, exercises first."""
    return [*_exercises(text, one[1], other[1]), *_gait(text, one[2], other[2])]


def in_words(text: Texts, rows: list[Difference]) -> str:
    """What changed, as a sentence or two."""
    changed = [f"{row.what}: {row.first} → {row.second}" for row in rows if row.sure]
    if not changed:
        return text("compare.same")
    return text("compare.changes", what="; ".join(text.number(line) for line in changed))


def _exercises(text: Texts, one: ExerciseResult, other: ExerciseResult) -> Iterator[Difference]:
    labels = dict.fromkeys((*one.reps_by_label, *other.reps_by_label))
    for label in labels:
        called = text(exercise_name(label))
        called = f"{called[:1].upper()}{called[1:]}"
        first, second = (_reps(result, label) for result in (one, other))
        counts = (len(first), len(second))
        change = f"{counts[1] - counts[0]:+d}".replace("-", "\u2212") if counts[0] != counts[1] else "0"
        name = text("compare.counted", exercise=called)
        yield Difference(name, str(counts[0]), str(counts[1]), change, counts[0] != counts[1])
        for key, unit, values in (
            ("compare.range", "°", [_range(reps) for reps in (first, second)]),
            ("compare.tempo", " s", [_duration(reps) for reps in (first, second)]),
        ):
            yield from _line(text(key, exercise=called), values[0], values[1], unit)


def _reps(result: ExerciseResult, label: str) -> list[Repetition]:
    return [rep for bout in result.bouts if bout.label == label for rep in bout.reps]


def _range(reps: list[Repetition]) -> Value | None:
    """Mean range; its sigma is that of one measurement, which repetitions share, and of their spread."""
    known = [rep for rep in reps if np.isfinite(rep.rom_deg)]
    if not known:
        return None
    deg = np.array([rep.rom_deg for rep in known])
    sigma = np.array([rep.rom_sigma_deg for rep in known])
    spread = float(deg.std(ddof=1)) / len(deg) ** 0.5 if len(deg) > 1 else 0.0
    return Value(float(deg.mean()), float(np.hypot(np.sqrt(np.nanmean(sigma**2)), spread)))


def _duration(reps: list[Repetition]) -> Value | None:
    if len(reps) < 2:
        return None
    seconds = np.array([rep.end_s - rep.start_s for rep in reps])
    # Where a repetition begins and ends is known to a picture or so, however alike they are.
    return Value(float(seconds.mean()), float(np.hypot(seconds.std(ddof=1) / len(seconds) ** 0.5, _FRAME_S)))


def _gait(
    text: Texts, one: tuple[Recording, Person] | None, other: tuple[Recording, Person] | None
) -> Iterator[Difference]:
    first = gait_values(one[1].gait, text) if one else {}
    second = gait_values(other[1].gait, text) if other else {}
    for name in dict.fromkeys((*first, *second)):
        yield from _line(name, first.get(name), second.get(name))


def _line(name: str, first: Value | None, second: Value | None, unit: str = "") -> Iterator[Difference]:
    if first is None and second is None:
        return
    said = ["–" if value is None else with_error(value.value, value.sigma, unit) for value in (first, second)]
    if first is None or second is None:
        yield Difference(name, said[0], said[1])
        return
    change, sure = difference(first, second, unit)
    yield Difference(name, said[0], said[1], change, sure)
