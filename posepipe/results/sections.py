"""The report's text and tables: exercise, gait, quality, and what was withheld."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from posepipe.errors import UsageError
from posepipe.motion.angles import ANGLES
from posepipe.reasons import Reason, explain
from posepipe.results.language import ENGLISH, Words
from posepipe.results.plots import BAND
from posepipe.results.recording import Person, Recording
from posepipe.results.summary import plain, quality
from posepipe.types import BoolArray

__all__ = [
    "Withheld",
    "gait_html",
    "quality_html",
    "sources_html",
    "strides_words",
    "table",
    "verdict",
    "view_words",
    "why",
    "withheld",
    "withheld_html",
    "words",
]

_UNITS = {
    "spm": "steps/min",
    "mps": "m/s",
    "pct": "%",
    "deg": "°",
    "hz": "Hz",
    "m": "m",
    "mm": "mm",
    "s": "s",
    "px": "px",
}
_NAMES = {
    "step_length_side_m": "Step length by side (m)",
    "step_length_ll": "Step length (leg lengths)",
    "walk_ratio_m_spm": "Walk ratio (m per step/min)",
    "stride_time_cv_pct": "Stride time, variation (%)",
    "step_length_cv_pct": "Step length, variation (%)",
}
_WORTH_SAYING = 0.01
"""Angles missing in a smaller share of the frames aren't listed."""

# Joints that an angle rests on: those of its own side, or of the middle.
_LIMBS: Mapping[str, tuple[str, ...]] = {
    "hip": ("hip", "knee"),
    "knee": ("hip", "knee", "ankle"),
    "ankle": ("knee", "ankle", "heel", "foot_index"),
    "shoulder": ("shoulder", "elbow"),
    "elbow": ("shoulder", "elbow", "wrist"),
}
_MIDDLE: Mapping[str, tuple[str, ...]] = {
    "trunk": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "neck": ("thorax", "head"),
}
_LABELS = {spec.name: spec.label for spec in ANGLES}


@dataclass(frozen=True, slots=True)
class Withheld:
    """One thing the report can't give.

    Attributes:
        what: its name in words.
        why: the reason in words.
    """

    what: str
    why: str


def words(name: str) -> str:
    """A name of the data as words, its unit in brackets: ``stance_pct`` is "Stance (%)"."""
    if name in _NAMES:
        return _NAMES[name]
    stem, _, unit = name.rpartition("_")
    if stem and unit in _UNITS:
        return f"{words(stem)} ({_UNITS[unit]})"
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def why(reason: str, say: Words = ENGLISH) -> str:
    """A reason as a sentence; a code this version doesn't know is shown as it is."""
    try:
        return say(explain(reason))
    except UsageError:
        return say("Reason: {code}.", code=reason)


def withheld(person: Person, say: Words = ENGLISH) -> list[Withheld]:
    """Everything withheld from one person's record, nested parts too."""
    found = []
    for name, section in (("Exercise", person.exercise), ("Gait", person.gait)):
        if section.get("withheld") == Reason.NOT_ANALYSED:
            continue
        found += [
            Withheld(" › ".join(path), why(reason, say)) for path, reason in _nested((say(name),), plain(section), say)
        ]
    for column, name in enumerate(person.angles.names):
        missing = ~np.isfinite(person.angles.deg[:, column])
        share = float(missing.mean()) if len(missing) else 1.0
        if name not in person.withheld and share < _WORTH_SAYING:
            continue
        part = say(", in {share} of the frames", share=_percent(share)) if _WORTH_SAYING <= share < 1.0 else ""
        reason = person.withheld.get(name) or _angle_reason(person, name, missing)
        found.append(Withheld(f"{say('Angle')} › {say(_LABELS.get(name, words(name)))}{part}", why(reason, say)))
    found += [
        Withheld(say(words(name)), why(reason, say))
        for name, reason in person.withheld.items()
        if name not in person.angles.names
    ]
    return found


def verdict(recording: Recording, person: Person, say: Words = ENGLISH) -> str:
    """What was found, then who, how long, from where and how well, in a few plain sentences."""
    track, seen = person.keypoints, quality(person)
    if len(track) == 0:
        return say("Person {id}: no frames.", id=person.id)
    seconds = float(track.time_s[-1] - track.time_s[0]) + 1.0 / max(recording.video.fps_hz, 1.0)
    who = say(
        "Person {id} was followed for {seconds} s ({seen} of {frames} frames)",
        id=person.id,
        seconds=f"{seconds:.1f}",
        seen=f"{len(track):,}",
        frames=f"{recording.video.frames:,}",
    )
    who += f", {view_words(person, say)}." if person.view.label != "unknown" else "."
    joints = say("Of the limb joints, {share} were seen", share=_percent(seen.seen_share))
    if seen.filled_share > 0:
        joints += say(", {share} filled in", share=_percent(seen.filled_share))
    if seen.missing_share > 0:
        joints += say(" and {share} missing", share=_percent(seen.missing_share))
    found = [_exercise_verdict(person.exercise, say), _gait_verdict(person.gait, say)]
    known = [
        text for text, section in zip(found, (person.exercise, person.gait), strict=True) if "withheld" not in section
    ]
    # Whoever does squats needn't be told that they don't walk.
    return " ".join(text for text in (*(known if any(known) else found), who, f"{joints}.") if text)


def view_words(person: Person, say: Words = ENGLISH) -> str:
    """The view as words: "seen from the front-left in 93 % of the frames"."""
    label = person.view.label.replace("_", "-")
    side = f"from {'the ' if label.startswith(('front', 'back')) else 'their '}{label}"
    return say("seen {side} in {share} of the frames", side=say(side), share=_percent(person.view.share))


def gait_html(section: Mapping[str, Any], say: Words = ENGLISH) -> str:
    """The gait section: parameters with error bars, then the screening's answer."""
    section = plain(section)
    if "withheld" in section:
        return _not_given(section["withheld"], say)
    parts = []
    abnormal = section.get("abnormal")
    if isinstance(abnormal, dict) and "withheld" not in abnormal:
        label = escape(say(_text(abnormal.get("label"), say)))
        said = say("Screening: {label} walking", label=f"<b>{label}</b>")
        if isinstance(abnormal.get("probability"), (int, float)):
            share = _percent(abnormal["probability"])
            said += say(", probability of an abnormal gait {share}", share=share)
        closer = say("This points out who may need a closer look; it doesn't diagnose.")
        parts.append(f'<p class="note">{said}. {closer}</p>')
        parts.append(_rest({k: v for k, v in abnormal.items() if k not in ("label", "probability")}, say))
    elif abnormal is not None:
        parts.append(_rest({"abnormal": abnormal}, say))
    parts.append(_rest({k: v for k, v in section.items() if k not in ("events", "abnormal")}, say, say("Parameters")))
    events = section.get("events") or ()
    counts: dict[str, int] = {}
    for event in events:
        name = say(f"{event.get('side', '')} {event.get('type', '')}".replace("_", " ").strip())
        counts[name] = counts.get(name, 0) + 1
    if counts:
        said = ", ".join(f"{count} × {name}" for name, count in sorted(counts.items()))
        parts.append(f'<p class="soft">{say("Events found: {events}.", events=escape(said))}</p>')
    return "".join(parts)


def withheld_html(person: Person, say: Words = ENGLISH) -> str:
    """What was withheld, and why, as a table."""
    found = withheld(person, say)
    if not found:
        return f"<p>{say('Nothing was withheld.')}</p>"
    return table("", (say("What"), say("Why")), [(item.what, item.why) for item in found])


def quality_html(person: Person, say: Words = ENGLISH) -> str:
    """Data quality as a table."""
    seen = quality(person)
    rows = [
        (say("Limb joints seen"), _percent(seen.seen_share)),
        (say("Limb joints filled in between seen ones"), _percent(seen.filled_share)),
        (say("Limb joints missing"), _percent(seen.missing_share)),
        (say("Typical error bar in the picture"), f"± {BAND * seen.median_sigma_px:.1f} px"),
        (
            say("Typical error bar of a joint in 3D, along each axis"),
            f"± {BAND * seen.median_sigma_m * 100:.1f} cm",
        ),
        (say("Left/right mix-ups repaired"), str(seen.swaps_repaired)),
    ]
    known = [(name, say("not known") if "nan" in value else value) for name, value in rows]
    return table("", (say("Measure"), say("Value")), known)


def sources_html(recording: Recording, person: Person, say: Words = ENGLISH) -> str:
    """Where metres and the camera's angle of view come from."""
    scale = (
        say("Metres rest on the body height given, {height} m.", height=f"{person.height_m:.2f}")
        if person.scale_source == "given" and person.height_m
        else say(
            "Body height wasn't given, so metres rest on an average body: lengths and speeds may be off by the same "
            "part that this person is taller or shorter. Angles and times don't depend on it."
        )
    )
    focal = {
        "given": say("The camera's angle of view was given."),
        "metadata": say("The camera's angle of view was read from the file."),
        "estimated": say("The camera's angle of view was estimated from the picture."),
    }.get(
        recording.camera.focal_source,
        say("The camera's angle of view isn't known and was assumed; distances from the camera are rough."),
    )
    return f"<p>{escape(scale)}</p><p>{escape(focal)}</p>"


def _angle_reason(person: Person, name: str, missing: BoolArray) -> Reason:
    """Why an angle is missing: its joints weren't there, or they were and its error bar was too wide."""
    side, _, rest = name.partition("_")
    part = rest.split("_")[0] if side in ("left", "right") else side
    joints = [f"{side}_{joint}" for joint in _LIMBS[part]] if part in _LIMBS else _MIDDLE.get(part, ())
    layout = person.pose.layout
    if any(joint not in layout.joints for joint in joints):
        return Reason.JOINT_UNSEEN
    there = person.pose.valid[missing][:, layout.indices(*joints)].all(axis=1)
    return Reason.TOO_UNCERTAIN if there.size and there.mean() > 0.5 else Reason.JOINT_UNSEEN


def _exercise_verdict(section: Mapping[str, Any], say: Words) -> str:
    if section.get("withheld") == Reason.NOT_ANALYSED:
        return ""
    if "withheld" in section:
        return say("No exercise result: {reason}", reason=_lower(why(str(section["withheld"]), say), say))
    bouts = [_bout_words(bout, say) for bout in section.get("segments") or ()]
    return say("Exercise: {bouts}.", bouts=", ".join(bouts)) if bouts else ""


def _bout_words(bout: Mapping[str, Any], say: Words) -> str:
    """How often, or how long what is held, or of what no repetition was whole."""
    label = say(str(bout.get("label")).replace("_", " "))
    if bout.get("reps"):
        return f"{bout['reps']} × {label}"
    seconds = float(bout.get("end_s") or 0.0) - float(bout.get("start_s") or 0.0)
    return say("{label} for {seconds} s", label=label, seconds=f"{seconds:.0f}")


def _gait_verdict(section: Mapping[str, Any], say: Words) -> str:
    if section.get("withheld") == Reason.NOT_ANALYSED:
        return ""
    if "withheld" in section:
        return say("No gait result: {reason}", reason=_lower(why(str(section["withheld"]), say), say))
    strides = section.get("strides")
    if isinstance(strides, Mapping):
        return say("Gait: {strides}.", strides=strides_words(strides, say))
    return ""


def strides_words(strides: Mapping[str, Any], say: Words = ENGLISH) -> str:
    """How many strides of each side: "5 left and 4 right strides"."""
    left, right = (strides.get(side, 0) for side in ("left", "right"))
    return say("{left} left and {right} right strides", left=left, right=right)


def _lower(sentence: str, say: Words) -> str:
    """To go on within a sentence; German nouns keep their capital."""
    return sentence[:1].lower() + sentence[1:] if say.language == ENGLISH.language else sentence


def _not_given(reason: str, say: Words) -> str:
    return f'<p class="withheld">{say("Withheld.")} {escape(why(reason, say))}</p>'


def _nested(path: tuple[str, ...], value: Any, say: Words) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        if "withheld" in value:
            yield path, str(value["withheld"])
            return
        for key, item in value.items():
            yield from _nested((*path, say(words(str(key)))), item, say)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, item in enumerate(value, 1):
            yield from _nested((*path, str(number)), item, say)


def _rest(values: Mapping[str, Any], say: Words, caption: str = "") -> str:
    pairs = [pair for key, value in values.items() for pair in _rows((say(words(key)),), value, say)]
    rows = [(" › ".join(path), text) for path, text in pairs]
    return table(caption, (say("What"), say("Value")), rows) if rows else ""


def _rows(path: tuple[str, ...], value: Any, say: Words) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        if "withheld" in value:
            yield path, say("withheld: {reason}", reason=_lower(why(str(value["withheld"]), say), say))
        elif "value" in value:
            yield path, _with_error(value, say)
        elif set(value) == {"left", "right"} and all(_is_leaf(side) for side in value.values()):
            sides = (f"{say(side)} {text}" for side in ("left", "right") for _, text in _rows((), value[side], say))
            yield path, ", ".join(sides)
        else:
            for key, item in value.items():
                yield from _rows((*path, say(words(str(key)))), item, say)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for number, item in enumerate(value, 1):
            yield from _rows((*path, str(number)), item, say)
    elif isinstance(value, list):
        yield path, ", ".join(_text(item, say) for item in value) or say("none")
    else:
        yield path, _text(value, say)


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, (Mapping, list)) or (isinstance(value, Mapping) and "value" in value)


def _with_error(value: Mapping[str, Any], say: Words) -> str:
    number, sigma = value.get("value"), value.get("sigma")
    if not isinstance(number, (int, float)):
        return say("not known")
    if not isinstance(sigma, (int, float)) or sigma <= 0:
        return _text(number, say)
    half = BAND * sigma
    decimals = max(0, 1 - int(np.floor(np.log10(half))))
    return f"{number:.{decimals}f} ± {half:.{decimals}f}"


def _text(value: Any, say: Words) -> str:
    if value is None:
        return say("not known")
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.01 else f"{value:.2g}"
    return str(value)


def _percent(share: float) -> str:
    if 0.0 < share < 0.0005:
        return "under 0.1\u00a0%"
    if 0.0 < share < 0.01 or 0.99 < share < 1.0:
        return f"{100 * share:.1f}\u00a0%"
    return f"{100 * share:.0f}\u00a0%"


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML; a row's first cell is its heading."""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    heads = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(text)}</td>" for text in row[1:]) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table>{title}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
