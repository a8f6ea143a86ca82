"""What the reports say of exercise: bouts, their repetitions, how they were done, and what wasn't counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from posepipe.body.motion import Motion
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.effort import effort
from posepipe.exercise.form import advice
from posepipe.exercise.signal import measure
from posepipe.exercise.types import Bout, ExerciseResult, Form, Repetition
from posepipe.record.recording import Person
from posepipe.reports.blocks import Block, Figures, Paragraph, Table
from posepipe.reports.drawings import Curve, Span, time_plot
from posepipe.reports.sections import MINUS, why, with_error, words
from posepipe.texts import ENGLISH, Texts

__all__ = [
    "SCORE", "effort_words", "exercise_blocks", "exercise_caption", "exercise_name", "form_words", "score_words",
]  # fmt: skip

SCORE = (
    "The score compares a repetition with those of healthy people told to do it well: 100 is like theirs, and one of "
    "twenty correct ones is below 50."
)

_SAMPLES = 900
_BEYOND_S = 1.0


def exercise_name(label: str) -> str:
    """A label as people say it."""
    exercise = load_catalogue().get(label)
    return exercise.words if exercise else label.replace("_", " ")


def exercise_caption(result: ExerciseResult, time_s: float, say: Texts = ENGLISH) -> str | None:
    """What the annotated video says at a time: the exercise and the repetitions done so far; None outside of bouts."""
    for bout in result.bouts:
        if bout.start_s <= time_s <= bout.end_s:
            done = sum(rep.end_s <= time_s for rep in bout.reps)
            name = say(exercise_name(bout.label))
            return name if _is_hold(bout.label) else f"{name}  {done}"
    return None


def exercise_blocks(person: Person, say: Texts = ENGLISH) -> tuple[Block, ...]:
    """The exercise section of one person: for each bout a timeline, a table of repetitions, and what wasn't counted."""
    result = person.exercise
    if result.withheld is not None:
        return (Paragraph(f"{say('Withheld.')} {why(result.withheld, say)}"),)
    total = str(result.reps_total)
    blocks: list[Block] = [Paragraph(say("Repetitions in all: {number}", number=total), strong=total)]
    motion = Motion.from_pose(person.pose, person.angles, person.keypoints) if len(person.pose) > 1 else None
    for bout in result.bouts:
        blocks += _bout(bout, motion, say, person.scale_source == "given")
    return tuple(blocks)


def _bout(bout: Bout, motion: Motion | None, say: Texts, metres: bool) -> Iterator[Block]:
    name = say(exercise_name(bout.label))
    yield Paragraph(
        say(
            "{exercise}, {start} to {end} s",
            exercise=f"{name[:1].upper()}{name[1:]}",
            start=bout.start_s,
            end=bout.end_s,
        ),
        "head",
    )
    counted = say("{counted} counted, {rejected} not.", counted=len(bout.reps), rejected=len(bout.rejected))
    sure = say("Recognised with a confidence of {share} %.", share=f"{100 * bout.confidence:.0f}")
    yield Paragraph(sure if _is_hold(bout.label) else f"{counted} {sure}", "soft")
    if motion is not None:
        yield from _timeline(bout, motion, say)
    if bout.reps:
        yield _rep_table(bout, say)
        if any(np.isfinite(rep.score) for rep in bout.reps):
            yield Paragraph(say(SCORE), "soft")
    if bout.alike is not None:
        spread = say(
            "Range of motion from repetition to repetition: {mean}° with a spread of {spread}°; time for one: spread "
            "of {tempo} s.",
            mean=f"{bout.alike.rom_mean_deg:.0f}",
            spread=f"{bout.alike.rom_sd_deg:.0f}",
            tempo=f"{bout.alike.tempo_sd_s:.1f}",
        )
        yield Paragraph(spread, "soft")
    if told := effort_words(bout, metres, say):
        yield Paragraph(told, "soft")
    if bout.rejected:
        rows = [(say("{start} to {end} s", start=r.start_s, end=r.end_s), why(r.reason, say)) for r in bout.rejected]
        yield Table(tuple(rows), (0.3, 0.7), (say("When"), say("Why")), say("Movements not counted"))
    yield from _not_judged(bout, say)


def effort_words(bout: Bout, metres: bool, say: Texts = ENGLISH) -> str:
    """How long the muscles worked, how fast the lifts were, and what changed over the set; empty if nothing is known.

    Args:
        bout: a set or a hold.
        metres: whether the body's height was given, so that speeds are in metres.
        say: the language.
    """
    hold = _is_hold(bout.label)
    if not (hold or bout.reps):
        return ""
    whole = effort(bout.reps, bout.end_s - bout.start_s if hold else None)
    time = "Held for {seconds} s." if hold else "Time under tension: {seconds} s."
    parts = [say(time, seconds=f"{whole.under_tension_s:.0f}")]
    speed = np.array([rep.speed_m_s for rep in bout.reps]).reshape(-1, 2)
    speed = speed[np.isfinite(speed[:, 0])]
    if metres and len(speed):
        mean, peak = f"{speed[:, 0].mean():.2f}", f"{speed[:, 1].max():.2f}"
        parts.append(say("Lifting speed: {mean} m/s on average, {peak} m/s at its fastest.", mean=mean, peak=peak))
    if np.isfinite(whole.speed_loss):
        loss = f"{100 * whole.speed_loss:.0f}"
        parts.append(say("The last lift was {loss} % slower than the fastest.", loss=loss))
    if np.isfinite(whole.rom_trend_deg):
        trend = f"{whole.rom_trend_deg:+.1f}".replace("-", MINUS)
        parts.append(say("Range of motion: {trend}° from each repetition to the next.", trend=trend))
    return " ".join(parts)


def _timeline(bout: Bout, motion: Motion, say: Texts) -> Iterator[Block]:
    """The exercise's angle over the bout, repetitions marked."""
    exercise = load_catalogue().get(bout.label)
    spans = [Span(rep.start_s, rep.end_s, str(number)) for number, rep in enumerate(bout.reps, 1)]
    spans += [Span(item.start_s, item.end_s, why(item.reason, say), False) for item in bout.rejected]
    if not spans:
        return
    name = exercise.signal if exercise else "hip_bend"
    seen = measure(motion, name)
    inside = (motion.time_s >= bout.start_s - _BEYOND_S) & (motion.time_s <= bout.end_s + _BEYOND_S)
    sides = ("left", "right") if seen.sided else ("middle",)
    curves = [
        Curve(motion.time_s[inside], seen.deg[inside, k], seen.sigma_deg[inside, k], side)
        for k, side in enumerate(sides)
        if np.isfinite(seen.deg[inside, k]).any()
    ]
    if curves:
        angle = say(words(name))
        label = say("{angle}, repetitions marked", angle=angle)
        note = say("Filled: counted, with its number. Dashed, ×: not counted, see the table.")
        yield Figures((time_plot(angle, curves, _SAMPLES, note=note, label=label, spans=spans),), "plots wide")


def _rep_table(bout: Bout, say: Texts) -> Table:
    scored = any(np.isfinite(rep.score) for rep in bout.reps)
    apart = any(np.isfinite(rep.left_right_deg) for rep in bout.reps)
    head = [say("No."), say("From (s)"), say("To (s)"), say("Range of motion"), say("Out, back (s)")]
    head += [say("Left − right")] * apart + [say("Score (of 100)")] * scored + [say("Form")]
    rows = []
    for number, rep in enumerate(bout.reps, 1):
        rom = with_error(rep.rom_deg, rep.rom_sigma_deg, "°", 0) if np.isfinite(rep.rom_deg) else say("not known")
        row = [str(number), str(rep.start_s), str(rep.end_s), rom, _tempo(rep, say)]
        if apart:
            known = np.isfinite(rep.left_right_deg)
            row.append(f"{round(rep.left_right_deg):+d}°".replace("-", MINUS) if known else say("not known"))
        if scored:
            row.append(score_words(rep, say))
        rows.append((*row, form_words(bout.label, rep, say)))
    return Table(tuple(rows), _shares(len(head)), tuple(head), say("Repetitions counted"))


_FORM_WORDS: Mapping[Form, str] = {
    Form.GOOD: "good",
    Form.NO_FAULT: "no fault seen",
    Form.NOT_JUDGED: "couldn't be judged",
    Form.FAULT: "fault",
}


def form_words(label: str, rep: Repetition, say: Texts = ENGLISH) -> str:
    """The one verdict on a repetition's form: the faults that were seen, or that there is none, or that nobody can say.

    Args:
        label: of the exercise.
        rep: the repetition.
        say: the language.
    """
    if rep.faults:
        return ", ".join(say.name("fault", code) for code in rep.faults)
    exercise = load_catalogue().get(label)
    # Of a movement without a name nobody knows how it should be done.
    return say(_FORM_WORDS[rep.form] if exercise and exercise.rules else "not judged")


def score_words(rep: Repetition, say: Texts = ENGLISH) -> str:
    """The form score of 100; a dash where there is none."""
    return f"{100 * rep.score:.0f}" if np.isfinite(rep.score) else "–"


def _shares(columns: int) -> tuple[float, ...]:
    """Of the table of repetitions: what is said of their form needs the room."""
    narrow = [0.05, 0.1, 0.1, 0.16, 0.15, 0.14, 0.08][: columns - 1]
    return (*narrow, 1.0 - sum(narrow))


def _not_judged(bout: Bout, say: Texts) -> Iterator[Table]:
    """What couldn't be judged, in how many repetitions, why, and what to do about it."""
    exercise = load_catalogue().get(bout.label)
    found = Counter((code, reason) for rep in bout.reps for code, reason in rep.withheld.items())
    rows = []
    for (code, reason), count in sorted(found.items(), key=lambda item: (item[0][0], str(item[0][1]))):
        ask = advice(exercise, code, reason) if exercise is not None else ""
        told = why(reason, say) + (f" {say(ask)}" if ask else "")
        often = say("{count} of {all}", count=count, all=len(bout.reps))
        rows.append((say(words(code)), often, told))
    if rows:
        head = (say("What"), say("Repetitions"), say("Why, and what to do"))
        yield Table(tuple(rows), (0.25, 0.15, 0.6), head, say("Form that couldn't be judged"))


def _tempo(rep: Repetition, say: Texts) -> str:
    return ", ".join(f"{part:.1f}" for part in rep.tempo_s if np.isfinite(part)) or say("not known")


def _is_hold(label: str) -> bool:
    exercise = load_catalogue().get(label)
    return exercise is not None and not exercise.counted
