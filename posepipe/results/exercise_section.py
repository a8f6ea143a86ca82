"""The exercise section of ``report.html``: what was counted and what wasn't, on a curve and in tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from posepipe.exercise.catalogue import Exercise, load_catalogue
from posepipe.exercise.signal import measure
from posepipe.motion.clip import Motion
from posepipe.results.language import ENGLISH, Words
from posepipe.results.plots import BAND, Curve, Span, angle_plot
from posepipe.results.recording import Person
from posepipe.results.sections import table, why, words
from posepipe.results.summary import plain

__all__ = ["exercise_caption", "exercise_html", "exercise_name"]

_SAMPLES = 900
_BEYOND_S = 1.0


def exercise_name(label: str) -> str:
    """A label as people say it."""
    exercise = load_catalogue().get(label)
    return exercise.words if exercise else label.replace("_", " ")


def exercise_caption(section: Mapping[str, Any], time_s: float) -> str | None:
    """What the annotated video says at a time: the exercise and the repetitions done so far; None outside of bouts."""
    for bout in section.get("segments") or ():
        if _timed(bout) and bout["start_s"] <= time_s <= bout["end_s"]:
            done = sum(rep["end_s"] <= time_s for rep in bout.get("rep_list") or () if _timed(rep))
            name = exercise_name(str(bout["label"]))
            return name if _is_hold(str(bout["label"])) else f"{name}  {done}"
    return None


def exercise_html(person: Person, say: Words = ENGLISH) -> str:
    """The exercise section of one person: for each bout a timeline, a table of repetitions, and what wasn't counted."""
    section = plain(person.exercise)
    if "withheld" in section:
        return f'<p class="withheld">{say("Withheld.")} {escape(why(section["withheld"], say))}</p>'
    parts = [f"<p>{say('Repetitions in all: {number}', number='<b>' + str(section.get('reps_total')) + '</b>')}</p>"]
    motion = Motion.from_pose(person.pose, person.angles, person.keypoints) if len(person.pose) > 1 else None
    for bout in section.get("segments") or ():
        parts.append(_bout(bout, motion, say))
    return "".join(parts)


def _bout(bout: Mapping[str, Any], motion: Motion | None, say: Words) -> str:
    name = say(exercise_name(str(bout.get("label"))))
    head = say(
        "{exercise}, {start} to {end} s",
        exercise=f"{name[:1].upper()}{name[1:]}",
        start=_said(bout.get("start_s"), say),
        end=_said(bout.get("end_s"), say),
    )
    parts = [f'<p class="head">{escape(head)}</p>']
    reps, rejected = list(bout.get("rep_list") or ()), list(bout.get("rejected") or ())
    confidence = bout.get("confidence")
    if isinstance(confidence, (int, float)):
        counted = say("{counted} counted, {rejected} not.", counted=len(reps), rejected=len(rejected))
        said = "" if _is_hold(str(bout.get("label"))) else f"{counted} "
        sure = say("Recognised with a confidence of {share} %.", share=f"{100 * confidence:.0f}")
        parts.append(f'<p class="soft">{said}{sure}</p>')
    if motion is not None:
        parts.append(_timeline(bout, motion, say))
    if reps:
        parts.append(_rep_table(bout, reps, say))
    alike = bout.get("consistency")
    if alike:
        spread = say(
            "Range of motion from repetition to repetition: {mean}° with a spread of {spread}°; time for one: spread "
            "of {tempo} s.",
            mean=f"{alike['rom_mean_deg']:.0f}",
            spread=f"{alike['rom_sd_deg']:.0f}",
            tempo=f"{alike['tempo_sd_s']:.1f}",
        )
        parts.append(f'<p class="soft">{spread}</p>')
    if rejected:
        rows = [
            (
                say("{start} to {end} s", start=_said(r.get("start_s"), say), end=_said(r.get("end_s"), say)),
                why(str(r.get("reason")), say),
            )
            for r in rejected
        ]
        parts.append(table(say("Movements not counted"), (say("When"), say("Why")), rows))
    parts += _not_judged(reps, say)
    return "".join(parts)


def _timeline(bout: Mapping[str, Any], motion: Motion, say: Words) -> str:
    """The exercise's angle over the bout, repetitions marked."""
    exercise = _exercise(str(bout.get("label")))
    reps = list(enumerate(bout.get("rep_list") or (), 1))
    spans = [Span(rep["start_s"], rep["end_s"], str(number)) for number, rep in reps if _timed(rep)]
    rejected = [item for item in bout.get("rejected") or () if _timed(item)]
    spans += [Span(item["start_s"], item["end_s"], why(str(item.get("reason")), say), False) for item in rejected]
    if not spans or not _timed(bout):
        return ""
    name = exercise.signal if exercise else "hip_bend"
    seen = measure(motion, name)
    inside = (motion.time_s >= bout["start_s"] - _BEYOND_S) & (motion.time_s <= bout["end_s"] + _BEYOND_S)
    sides = ("left", "right") if seen.sided else ("middle",)
    curves = [
        Curve(side, motion.time_s[inside], seen.deg[inside, k], seen.sigma_deg[inside, k])
        for k, side in enumerate(sides)
        if np.isfinite(seen.deg[inside, k]).any()
    ]
    if not curves:
        return ""
    label = say(words(name))
    marked = say("{angle}, repetitions marked", angle=label)
    reading = say("Filled: counted, with its number. Dashed, ×: not counted, see the table.")
    return (
        f'<div class="plots wide-plot"><figure><p class="head">{escape(label)}</p>'
        f"{angle_plot(marked, curves, _SAMPLES, spans)}"
        f"<figcaption>{reading}</figcaption></figure></div>"
    )


def _rep_table(bout: Mapping[str, Any], reps: Sequence[Mapping[str, Any]], say: Words) -> str:
    scored = any(rep.get("score") is not None for rep in reps)
    apart = any(rep.get("left_right_deg") is not None for rep in reps)
    head = [say("No."), say("From (s)"), say("To (s)"), say("Range of motion"), say("Out, back (s)")]
    head += [say("Left − right")] * apart + [say("Score")] * scored + [say("Form")]
    rows = []
    exercise = _exercise(str(bout.get("label")))
    says = {rule.code: rule.say for rule in exercise.rules} if exercise else {}
    for number, rep in enumerate(reps, 1):
        row = [str(number), _said(rep.get("start_s"), say), _said(rep.get("end_s"), say)]
        row += [_degrees(rep, say), _tempo(rep, say)]
        if apart:
            row.append(say("not known") if rep.get("left_right_deg") is None else f"{rep['left_right_deg']:+.0f}°")
        if scored:
            row.append("" if rep.get("score") is None else f"{100 * rep['score']:.0f}")
        faults = [say(says.get(code, code.replace("_", " "))) for code in rep.get("faults") or ()]
        # Of a movement without a name nobody knows how it should be done.
        rows.append((*row, " ".join(faults) or say("no fault seen" if says else "not judged")))
    return table(say("Repetitions counted"), head, rows)


def _not_judged(reps: Sequence[Mapping[str, Any]], say: Words) -> Iterator[str]:
    """Rules that couldn't be judged in any repetition, and why."""
    codes: dict[str, set[str]] = {}
    for rep in reps:
        for code, reason in (rep.get("not_judged") or {}).items():
            codes.setdefault(code, set()).add(reason)
    always = {
        code: reasons for code, reasons in codes.items() if all(code in (rep.get("not_judged") or {}) for rep in reps)
    }
    if always:
        rows = [
            (say(words(code)), " ".join(why(reason, say) for reason in sorted(rs)))
            for code, rs in sorted(always.items())
        ]
        yield table(say("Form that couldn't be judged"), (say("What"), say("Why")), rows)


def _degrees(rep: Mapping[str, Any], say: Words) -> str:
    rom, sigma = rep.get("rom_deg"), rep.get("rom_sigma_deg")
    if rom is None:
        return say("not known")
    return f"{rom:.0f}°" + (f" ± {BAND * sigma:.0f}" if sigma else "")


def _tempo(rep: Mapping[str, Any], say: Words) -> str:
    parts = [part for part in rep.get("tempo_s") or () if part is not None]
    return ", ".join(f"{part:.1f}" for part in parts) or say("not known")


def _timed(item: Mapping[str, Any]) -> bool:
    return all(isinstance(item.get(key), (int, float)) for key in ("start_s", "end_s"))


def _said(value: Any, say: Words) -> str:
    return say("not known") if value is None else f"{value}"


def _exercise(label: str) -> Exercise | None:
    return load_catalogue().get(label)


def _is_hold(label: str) -> bool:
    exercise = _exercise(label)
    return exercise is not None and not exercise.counted
