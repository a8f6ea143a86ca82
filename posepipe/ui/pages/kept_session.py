"""The live page's plan, and what stands below it after Stop: the sets that were done, to keep and to download."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from pathlib import Path

import streamlit as st

from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.types import Bout, ExerciseResult
from posepipe.media.atomic import expanded
from posepipe.record.session import PlanStep, Session, TrainingSet, save_session, session_json
from posepipe.reports.exercise import form_words
from posepipe.texts import Texts
from posepipe.ui.board import clock
from posepipe.ui.pages.show import rep_rows
from posepipe.ui.pages.tables import show_table
from posepipe.ui.session import access, guarded, keep_choices, kept_choice, library, set_library, verbatim
from posepipe.ui.stage import Stage
from posepipe.ui.storage import safe_name

__all__ = ["free_folder", "plan_editor", "set_rows", "sets_result", "show_sets", "summary"]

_INPUTS = ("plan_exercise", "plan_sets", "plan_reps", "plan_held", "plan_rest")


def plan_editor(text: Texts, stage: Stage) -> None:
    """Exercises, sets, repetitions or seconds, and rests; the stage counts against them once the plan has begun."""
    steps: list[PlanStep] = st.session_state.setdefault("live_plan", list(stage.plan))
    with st.expander(text("train.plan"), icon=":material/checklist:", expanded=bool(steps)):
        st.caption(text("train.plan_help"))
        _add_step(text, steps)
        for number, step in enumerate(steps):
            line = st.container(horizontal=True, vertical_alignment="center")
            line.markdown(_step_text(text, step))
            if line.button(text("train.remove"), icon=":material/close:", key=f"plan_remove_{number}"):
                del steps[number]
                st.rerun()
        bar = st.container(horizontal=True)
        if steps and bar.button(text("train.begin"), type="primary", icon=":material/play_arrow:", key="plan_begin"):
            stage.begin_plan(steps)
            st.rerun()
        if stage.plan and bar.button(text("train.no_plan"), icon=":material/close:", key="plan_end"):
            stage.begin_plan(())
            st.rerun()
    if stage.plan:
        st.caption(text("train.by_plan", steps="; ".join(_step_text(text, step) for step in stage.plan)))
    keep_choices(*_INPUTS)


def _add_step(text: Texts, steps: list[PlanStep]) -> None:
    exercise, sets, target, rest = st.columns([3, 1, 1, 1])
    known = load_catalogue()
    with exercise:
        kept_choice("plan_exercise", next(iter(known.exercises)))
        label = st.selectbox(
            text("train.plan_exercise"),
            list(known.exercises),
            format_func=lambda one: text.name("exercise", one),
            key="plan_exercise",
        )
    with sets:
        kept_choice("plan_sets", 3)
        number = st.number_input(text("train.sets"), 1, 20, step=1, key="plan_sets")
    counted = known[label].counted
    with target:
        if counted:
            kept_choice("plan_reps", 10)
            reps = st.number_input(text("train.reps"), 1, 200, step=1, key="plan_reps")
        else:
            kept_choice("plan_held", 30)
            held = st.number_input(text("train.seconds"), 5, 600, step=5, key="plan_held")
    with rest:
        kept_choice("plan_rest", 60)
        rest_s = st.number_input(text("train.rest_s"), 0, 600, step=5, key="plan_rest")
    if st.button(text("train.add"), icon=":material/add:", key="plan_add"):
        steps.append(
            PlanStep(
                label,
                int(number),
                reps=int(reps) if counted else None,
                held_s=None if counted else float(held),
                rest_s=float(rest_s),
            )
        )
        st.rerun()


def _step_text(text: Texts, step: PlanStep) -> str:
    name = text.name("exercise", step.exercise)
    target = str(step.reps) if step.reps is not None else f"{step.held_s or 0.0:.0f} s"
    return text("train.step", exercise=name, sets=step.sets, target=target, rest=f"{step.rest_s:.0f}")


def summary(text: Texts, stage: Stage) -> None:
    """What the session held, to keep and to download."""
    st.subheader(text("summary.title"))
    whole = stage.summary()
    if whole is None:
        st.markdown(text("summary.nothing"))
        return
    sets = stage.sets()
    duration_s = whole.end_s - whole.start_s
    st.markdown(text("summary.length", time=clock(duration_s)))
    if not sets:
        st.markdown(text("summary.no_reps"))
    else:
        show_sets(text, sets)
    session = Session(_now(), sets, stage.plan, duration_s)
    bar = st.container(horizontal=True)
    with bar:
        if sets:
            _keep(text, session)
        st.download_button(
            text("summary.download"),
            json.dumps(session_json(session), ensure_ascii=False, indent=1),
            file_name="posepipe-session.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
        )
    if kept_in := st.session_state.get("live_kept"):
        st.success(text("result.kept", folder=verbatim(kept_in)), icon=":material/bookmark_added:")


def show_sets(text: Texts, sets: Sequence[TrainingSet]) -> None:
    """Two tables: the sets, and on request their repetitions."""
    show_table(set_rows(text, sets), "sets", title=2)
    if rows := rep_rows(text, sets_result(sets)):
        with st.expander(text("train.each")):
            show_table(rows, "set-reps", title=2)


def sets_result(sets: Sequence[TrainingSet]) -> ExerciseResult:
    """The sets of a session as bouts."""
    return ExerciseResult(tuple(Bout(one.exercise or "other", 1.0, one.start_s, one.end_s, one.reps) for one in sets))


def set_rows(text: Texts, sets: Sequence[TrainingSet]) -> list[dict[str, str]]:
    """A row for each set, with the verdicts on its repetitions."""
    return [_row(text, number, one) for number, one in enumerate(sets, 1)]


def _row(text: Texts, number: int, one: TrainingSet) -> dict[str, str]:
    held = one.held_s is not None
    target = one.target_s if held else one.target_reps
    form = Counter(form_words(one.exercise, rep, text) for rep in one.reps)
    said = "; ".join(words if len(form) == 1 else f"{times} × {words}" for words, times in form.items())
    return {
        text("train.set_column"): str(number),
        text("reps.exercise"): text.name("exercise", one.exercise) if one.exercise else text("train.nameless"),
        text("train.done_column"): clock(one.held_s or 0.0) if held else str(one.count),
        text("train.target_column"): "–" if target is None else clock(target) if held else str(target),
        text("train.rest_column"): "–" if one.rest_s is None else clock(one.rest_s),
        text("reps.form"): said or "–",
    }


def _keep(text: Texts, session: Session) -> None:
    given, free = str(library() or ""), access().server_files
    with st.popover(text("result.keep"), icon=":material/bookmark_add:"):
        st.markdown(text("train.keep_help") if free or given else text("library.none_given"))
        root = given
        if free:
            kept_choice("live_root", given)
            root = st.text_input(text("library.folder"), key="live_root", placeholder=text("library.example")).strip()
            keep_choices("live_root")
        name = st.text_input(text("train.name"), key="live_name", placeholder=session.created[:10])
        if st.button(text("result.keep_here"), key="live_keep", disabled=not root):
            with guarded():
                if free:
                    set_library(root)
                st.session_state["live_kept"] = _kept_in(session, expanded(root), name.strip(), free=free)
                st.rerun()


def _kept_in(session: Session, root: Path, name: str, *, free: bool) -> str:
    folder = free_folder(root, name or f"session {session.created[:16].replace('T', ' ').replace(':', '-')}")
    save_session(Session(session.created, session.sets, session.plan, session.duration_s, name, session.person), folder)
    return str(folder) if free else folder.name


def free_folder(root: Path, name: str) -> Path:
    """A folder of the library that isn't there yet, under a safe form of a name."""
    stem = safe_name(f"{name}.x").removesuffix(".x")
    names = (stem if number == 1 else f"{stem} ({number})" for number in count(1))
    return next(path for path in (root / one for one in names) if not os.path.lexists(path))


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
