"""The exercise section of ``report.html``: what was counted and what wasn't, on a curve and in tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from posepipe.exercise.catalogue import Exercise, load_catalogue
from posepipe.exercise.signal import measure
from posepipe.motion.clip import Motion
from posepipe.results.plots import BAND, Curve, Span, angle_plot
from posepipe.results.recording import Person
from posepipe.results.sections import why, words
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


def exercise_html(person: Person) -> str:
    """The exercise section of one person: for each bout a timeline, a table of repetitions, and what wasn't counted."""
    section = plain(person.exercise)
    if "withheld" in section:
        return f'<p class="withheld">Withheld. {escape(why(section["withheld"]))}</p>'
    parts = [f"<p>Repetitions in all: <b>{section.get('reps_total')}</b></p>"]
    motion = Motion.from_pose(person.pose, person.angles, person.keypoints) if len(person.pose) > 1 else None
    for bout in section.get("segments") or ():
        parts.append(_bout(bout, motion))
    return "".join(parts)


def _bout(bout: Mapping[str, Any], motion: Motion | None) -> str:
    name = exercise_name(str(bout.get("label")))
    head = f"{name[:1].upper()}{name[1:]}, {_said(bout.get('start_s'))} to {_said(bout.get('end_s'))} s"
    parts = [f'<p class="head">{escape(head)}</p>']
    reps, rejected = list(bout.get("rep_list") or ()), list(bout.get("rejected") or ())
    confidence = bout.get("confidence")
    if isinstance(confidence, (int, float)):
        said = "" if _is_hold(str(bout.get("label"))) else f"{len(reps)} counted, {len(rejected)} not. "
        parts.append(f'<p class="soft">{said}Recognised with a confidence of {100 * confidence:.0f} %.</p>')
    if motion is not None:
        parts.append(_timeline(bout, motion))
    if reps:
        parts.append(_rep_table(bout, reps))
    alike = bout.get("consistency")
    if alike:
        parts.append(
            f'<p class="soft">Range of motion from repetition to repetition: {alike["rom_mean_deg"]:.0f}° with a '
            f"spread of {alike['rom_sd_deg']:.0f}°; time for one: spread of {alike['tempo_sd_s']:.1f} s.</p>"
        )
    if rejected:
        rows = [
            (f"{_said(r.get('start_s'))} to {_said(r.get('end_s'))} s", why(str(r.get("reason")))) for r in rejected
        ]
        parts.append(_table("Movements not counted", ("When", "Why"), rows))
    parts += _not_judged(bout, reps)
    return "".join(parts)


def _timeline(bout: Mapping[str, Any], motion: Motion) -> str:
    """The exercise's angle over the bout, repetitions marked."""
    exercise = _exercise(str(bout.get("label")))
    reps = list(enumerate(bout.get("rep_list") or (), 1))
    spans = [Span(rep["start_s"], rep["end_s"], str(number)) for number, rep in reps if _timed(rep)]
    rejected = [item for item in bout.get("rejected") or () if _timed(item)]
    spans += [Span(item["start_s"], item["end_s"], why(str(item.get("reason"))), False) for item in rejected]
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
    label = words(name)
    return (
        f'<div class="plots" style="grid-template-columns:1fr"><figure><p class="head">{escape(label)}</p>'
        f"{angle_plot(f'{label}, repetitions marked', curves, _SAMPLES, spans)}"
        "<figcaption>Filled: counted, with its number. Dashed, ×: not counted, see the table.</figcaption>"
        "</figure></div>"
    )


def _rep_table(bout: Mapping[str, Any], reps: Sequence[Mapping[str, Any]]) -> str:
    scored = any(rep.get("score") is not None for rep in reps)
    apart = any(rep.get("left_right_deg") is not None for rep in reps)
    head = ["No.", "From (s)", "To (s)", "Range of motion", "Out, back (s)"]
    head += ["Left − right"] * apart + ["Score"] * scored + ["Form"]
    rows = []
    exercise = _exercise(str(bout.get("label")))
    says = {rule.code: rule.say for rule in exercise.rules} if exercise else {}
    for number, rep in enumerate(reps, 1):
        row = [str(number), _said(rep.get("start_s")), _said(rep.get("end_s")), _degrees(rep), _tempo(rep)]
        if apart:
            row.append("not known" if rep.get("left_right_deg") is None else f"{rep['left_right_deg']:+.0f}°")
        if scored:
            row.append("" if rep.get("score") is None else f"{100 * rep['score']:.0f}")
        faults = [says.get(code, code.replace("_", " ")) for code in rep.get("faults") or ()]
        rows.append((*row, " ".join(faults) or "no fault seen"))
    return _table("Repetitions counted", head, rows)


def _not_judged(bout: Mapping[str, Any], reps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Rules that couldn't be judged in any repetition, and why."""
    codes: dict[str, set[str]] = {}
    for rep in reps:
        for code, reason in (rep.get("not_judged") or {}).items():
            codes.setdefault(code, set()).add(reason)
    always = {
        code: reasons for code, reasons in codes.items() if all(code in (rep.get("not_judged") or {}) for rep in reps)
    }
    if always:
        rows = [(words(code), " ".join(why(reason) for reason in sorted(rs))) for code, rs in sorted(always.items())]
        yield _table("Form that couldn't be judged", ("What", "Why"), rows)


def _degrees(rep: Mapping[str, Any]) -> str:
    rom, sigma = rep.get("rom_deg"), rep.get("rom_sigma_deg")
    if rom is None:
        return "not known"
    return f"{rom:.0f}°" + (f" ± {BAND * sigma:.0f}" if sigma else "")


def _tempo(rep: Mapping[str, Any]) -> str:
    parts = [part for part in rep.get("tempo_s") or () if part is not None]
    return ", ".join(f"{part:.1f}" for part in parts) or "not known"


def _timed(item: Mapping[str, Any]) -> bool:
    return all(isinstance(item.get(key), (int, float)) for key in ("start_s", "end_s"))


def _said(value: Any) -> str:
    return "not known" if value is None else f"{value}"


def _exercise(label: str) -> Exercise | None:
    return load_catalogue().get(label)


def _is_hold(label: str) -> bool:
    exercise = _exercise(label)
    return exercise is not None and not exercise.counted


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><caption>{escape(caption)}</caption><tr>{top}</tr>{body}</table></div>'
