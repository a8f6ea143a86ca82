"""What stands on the live page's board, in words: no Streamlit, so that it can be tested by itself."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from posepipe.record.session import TrainingSet
from posepipe.reports.exercise import form_words
from posepipe.reports.sections import with_error
from posepipe.texts import Texts
from posepipe.ui.stage import Look
from posepipe.ui.training import Showing

__all__ = ["board", "clock", "set_text"]

_LEVELS = ("frame", "view", "joint", "form")
_MINUTE_S = 60
_SENTENCE = re.compile(r"[^.]+\.")


def board(text: Texts, look: Look, *, playing: bool) -> dict[str, Any]:
    """All texts of the board.

    Args:
        text: the language.
        look: how the stage stands.
        playing: a camera is on; the stage waits a little for more pictures after it was switched off.
    """
    look = replace(look, running=look.running and playing)
    now = look.training
    level, advice, is_advice = _advice(text, look)
    return {
        "exercise": _exercise(text, now),
        "set": _set(text, now),
        "count": str(now.count) if now.held_s is None else _held(now.held_s),
        "target": _target(now),
        "unit": text("live.repetitions") if now.held_s is None else text("train.held"),
        "rest": text("train.rest", time=clock(now.rest_s)) if now.rest_s is not None and look.running else "",
        "verdict": _verdict(text, look),
        "say": advice,
        "advise": is_advice,
        "level": level,
        "ladder": [text(f"ladder.{name}") for name in _LEVELS],
        "endable": now.phase == "work" or now.after is not None,
        "sets": [set_text(text, one) for one in now.done],
        "speed": _speed(text, look),
        "total": _total(now),
        "event": {"number": now.event.number, "text": _event(text, now)},
    } | _walk(text, look)


def _walk(text: Texts, look: Look) -> dict[str, str]:
    """What stands on the board instead while somebody walks: steps, and how fast they come."""
    walk = look.walk
    if walk is None or not look.running or look.paused or look.training.phase == "work":
        return {}
    known = walk.cadence_spm
    spm = None if known is None else with_error(known.value, known.sigma, "", 0)
    return {
        "exercise": text("live.walking"),
        "set": "",
        "count": str(walk.steps),
        "target": "",
        "unit": text("live.steps"),
        "rest": "",
        "verdict": text("live.no_cadence") if spm is None else text("live.cadence", cadence=spm),
        "say": text("live.walk_film"),
    }


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    whole = int(seconds)
    return f"{whole // _MINUTE_S}:{whole % _MINUTE_S:02d}"


def set_text(text: Texts, one: TrainingSet) -> str:
    """One set in a few words."""
    name = text.name("exercise", one.exercise) if one.exercise else text("train.nameless")
    if one.held_s is not None:
        target = f" / {clock(one.target_s)}" if one.target_s is not None else ""
        return f"{name}: {clock(one.held_s)}{target}"
    target = f" / {one.target_reps}" if one.target_reps is not None else ""
    return f"{name}: {one.count}{target}"


def _held(seconds: float) -> str:
    return str(int(seconds)) if seconds < _MINUTE_S else clock(seconds)


def _exercise(text: Texts, now: Showing) -> str:
    if now.exercise is not None:
        return text.name("exercise", now.exercise) if now.exercise else text("train.nameless")
    return text("train.plan_done") if now.phase == "done" else text("live.no_exercise_yet")


def _set(text: Texts, now: Showing) -> str:
    """Stands behind the exercise's name."""
    over = text("train.over") if now.phase in {"rest", "done"} and now.exercise is not None else ""
    number = text("train.set", number=now.set_number, sets=now.sets) if now.sets else ""
    return "".join(f", {part}" for part in (number, over) if part)


def _target(now: Showing) -> str:
    if now.target_s is not None:
        return f"/ {_held(now.target_s)}"
    return f"/ {now.target_reps}" if now.target_reps is not None else ""


def _total(now: Showing) -> int:
    shown = 0 if now.phase in {"rest", "done"} else now.count
    return sum(one.count for one in now.done) + shown


def _event(text: Texts, now: Showing) -> str:
    if now.event.code == "set_done" and now.rest_s is not None:
        return text("train.say_rest", seconds=f"{now.rest_s:.0f}")
    if now.event.code == "rest_over" and now.exercise is not None:
        return text("train.say_go", exercise=text.name("exercise", now.exercise))
    return text("train.plan_done") if now.event.code == "plan_done" else ""


def _advice(text: Texts, look: Look) -> tuple[str, str, bool]:
    """Step of the ladder, the one thing to say, and whether it is advice to speak."""
    now = look.training
    if not look.running:
        return "idle", text("live.idle"), False
    if look.paused:
        return "good", text("live.paused"), False
    if not look.ready:
        return "frame", text("live.loading"), False
    if now.phase == "done":
        return "good", text("train.plan_done"), False
    if now.after is not None:
        return "good", text("train.next", exercise=text.name("exercise", now.after)), False
    if look.coach is None:
        return "frame", text("live.step_in"), False
    feedback = look.coach.feedback
    level = str(feedback.level)
    if feedback.text:
        return level, " ".join(text(one.strip()) for one in _SENTENCE.findall(feedback.text)), True
    if not look.seen:
        return "frame", text("live.step_in"), True
    if now.phase == "rest":
        return "good", text("train.resting"), False
    return level, text("live.good" if look.coach.label or now.phase == "work" else "live.begin"), False


def _verdict(text: Texts, look: Look) -> str:
    coach, done = look.coach, look.training.done
    label, rep = (coach.label, coach.last_rep) if coach is not None else (None, None)
    if rep is None and done and done[-1].reps and look.training.phase != "work":
        label, rep = done[-1].exercise, done[-1].reps[-1]
    # Of a movement without a name nobody knows how it should be done.
    if rep is None or not label:
        return ""
    return text(
        "live.last_rep",
        form=form_words(label, rep, text),
        range=with_error(rep.rom_deg, rep.rom_sigma_deg, "°", 0),
    )


def _speed(text: Texts, look: Look) -> str:
    if not look.running or not math.isfinite(look.delay_ms):
        return ""
    return text(
        "live.speed", fps=f"{look.fps_hz:.0f}", delay=f"{look.delay_ms:.0f}", slowest=f"{look.delay_p95_ms:.0f}"
    )
