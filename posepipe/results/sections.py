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
from posepipe.results.plots import BAND
from posepipe.results.recording import Person, Recording
from posepipe.results.summary import plain, quality
from posepipe.types import BoolArray

__all__ = [
    "Withheld",
    "gait_html",
    "quality_html",
    "sources_html",
    "verdict",
    "view_words",
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
    stem, _, unit = name.rpartition("_")
    if stem and unit in _UNITS:
        return f"{words(stem)} ({_UNITS[unit]})"
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def why(reason: str) -> str:
    """A reason as a sentence; a code this version doesn't know is shown as it is."""
    try:
        return explain(reason)
    except UsageError:
        return f"Reason: {reason}."


def withheld(person: Person) -> list[Withheld]:
    """Everything withheld from one person's record, nested parts too."""
    found = []
    for name, section in (("Exercise", person.exercise), ("Gait", person.gait)):
        found += [Withheld(" › ".join(path), why(reason)) for path, reason in _nested((name,), plain(section))]
    for column, name in enumerate(person.angles.names):
        missing = ~np.isfinite(person.angles.deg[:, column])
        share = float(missing.mean()) if len(missing) else 1.0
        if name not in person.withheld and share < _WORTH_SAYING:
            continue
        part = f", in {_percent(share)} of the frames" if _WORTH_SAYING <= share < 1.0 else ""
        reason = person.withheld.get(name) or _angle_reason(person, name, missing)
        found.append(Withheld(f"Angle › {_LABELS.get(name, words(name))}{part}", why(reason)))
    found += [
        Withheld(words(name), why(reason))
        for name, reason in person.withheld.items()
        if name not in person.angles.names
    ]
    return found


def verdict(recording: Recording, person: Person) -> str:
    """Who, how long, from where, how well, and what was found, in one or two plain sentences."""
    track, seen = person.keypoints, quality(person)
    if len(track) == 0:
        return f"Person {person.id}: no frames."
    seconds = float(track.time_s[-1] - track.time_s[0]) + 1.0 / max(recording.video.fps_hz, 1.0)
    text = f"Person {person.id} was followed for {seconds:.1f} s ({len(track):,} of {recording.video.frames:,} frames)"
    text += f", {view_words(person)}. " if person.view.label != "unknown" else ". "
    text += f"Of the limb joints, {_percent(seen.seen_share)} were seen"
    text += f", {_percent(seen.filled_share)} filled in" if seen.filled_share > 0 else ""
    text += f" and {_percent(seen.missing_share)} missing. " if seen.missing_share > 0 else ". "
    return " ".join((text.strip(), _exercise_verdict(person.exercise), _gait_verdict(person.gait))).strip()


def view_words(person: Person) -> str:
    """The view as words: "seen from the front-left in 93 % of the frames"."""
    label = person.view.label.replace("_", "-")
    side = f"from {'the ' if label.startswith(('front', 'back')) else 'their '}{label}"
    return f"seen {side} in {_percent(person.view.share)} of the frames"


def gait_html(section: Mapping[str, Any]) -> str:
    """The gait section: parameters with error bars, then the screening's answer."""
    section = plain(section)
    if "withheld" in section:
        return _not_given(section["withheld"])
    parts = []
    abnormal = section.get("abnormal")
    if isinstance(abnormal, dict) and "withheld" not in abnormal:
        parts.append(f'<p class="note">Screening: <b>{escape(_text(abnormal.get("label")))}</b> walking')
        if isinstance(abnormal.get("probability"), (int, float)):
            parts.append(f", probability of an abnormal gait {_percent(abnormal['probability'])}")
        parts.append(". This points out who may need a closer look; it doesn't diagnose.</p>")
        parts.append(_rest({k: v for k, v in abnormal.items() if k not in ("label", "probability")}))
    elif abnormal is not None:
        parts.append(_rest({"abnormal": abnormal}))
    parts.append(_rest({k: v for k, v in section.items() if k not in ("events", "abnormal")}, "Parameters"))
    events = section.get("events") or ()
    counts: dict[str, int] = {}
    for event in events:
        name = f"{event.get('side', '')} {event.get('type', '')}".replace("_", " ").strip()
        counts[name] = counts.get(name, 0) + 1
    if counts:
        said = ", ".join(f"{count} × {name}" for name, count in sorted(counts.items()))
        parts.append(f'<p class="soft">Events found: {escape(said)}.</p>')
    return "".join(parts)


def withheld_html(person: Person) -> str:
    """What was withheld, and why, as a table."""
    found = withheld(person)
    if not found:
        return "<p>Nothing was withheld.</p>"
    return _table("", ("What", "Why"), [(item.what, item.why) for item in found])


def quality_html(person: Person) -> str:
    """Data quality as a table."""
    seen = quality(person)
    rows = [
        ("Limb joints seen", _percent(seen.seen_share)),
        ("Limb joints filled in between seen ones", _percent(seen.filled_share)),
        ("Limb joints missing", _percent(seen.missing_share)),
        ("Typical error bar in the picture", f"± {BAND * seen.median_sigma_px:.1f} px"),
        ("Typical error bar of a joint in 3D, along each axis", f"± {BAND * seen.median_sigma_m * 100:.1f} cm"),
        ("Left/right mix-ups repaired", str(seen.swaps_repaired)),
    ]
    return _table("", ("Measure", "Value"), [(name, "not known" if "nan" in value else value) for name, value in rows])


def sources_html(recording: Recording, person: Person) -> str:
    """Where metres and the camera's angle of view come from."""
    scale = (
        f"Metres rest on the body height given, {person.height_m:.2f} m."
        if person.scale_source == "given" and person.height_m
        else "Body height wasn't given, so metres rest on an average body: lengths and speeds may be off "
        "by the same part that this person is taller or shorter. Angles and times don't depend on it."
    )
    focal = {
        "given": "The camera's angle of view was given.",
        "metadata": "The camera's angle of view was read from the file.",
        "estimated": "The camera's angle of view was estimated from the picture.",
    }.get(
        recording.camera.focal_source,
        "The camera's angle of view isn't known and was assumed; distances from the camera are rough.",
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


def _exercise_verdict(section: Mapping[str, Any]) -> str:
    if section.get("withheld") == Reason.NOT_ANALYSED:
        return ""
    if "withheld" in section:
        return f"No exercise result: {_lower(why(str(section['withheld'])))}"
    bouts = [
        f"{bout.get('reps')} × {str(bout.get('label')).replace('_', ' ')}" for bout in section.get("segments") or ()
    ]
    return f"Exercise: {', '.join(bouts)}." if bouts else ""


def _gait_verdict(section: Mapping[str, Any]) -> str:
    if section.get("withheld") == Reason.NOT_ANALYSED:
        return ""
    if "withheld" in section:
        return f"No gait result: {_lower(why(str(section['withheld'])))}"
    strides = section.get("strides")
    if isinstance(strides, Mapping):
        return "Gait: " + " and ".join(f"{count} {side} strides" for side, count in strides.items()) + "."
    return ""


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _not_given(reason: str) -> str:
    return f'<p class="withheld">Withheld. {escape(why(reason))}</p>'


def _nested(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        if "withheld" in value:
            yield path, str(value["withheld"])
            return
        for key, item in value.items():
            yield from _nested((*path, words(str(key))), item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, item in enumerate(value, 1):
            yield from _nested((*path, str(number)), item)


def _rest(values: Mapping[str, Any], caption: str = "") -> str:
    rows = [(" › ".join(path), text) for key, value in values.items() for path, text in _rows((words(key),), value)]
    return _table(caption, ("What", "Value"), rows) if rows else ""


def _rows(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        if "withheld" in value:
            yield path, f"withheld: {_lower(why(str(value['withheld'])))}"
        elif "value" in value:
            yield path, _with_error(value)
        elif set(value) == {"left", "right"} and all(_is_leaf(side) for side in value.values()):
            yield path, ", ".join(f"{side} {text}" for side in ("left", "right") for _, text in _rows((), value[side]))
        else:
            for key, item in value.items():
                yield from _rows((*path, words(str(key))), item)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for number, item in enumerate(value, 1):
            yield from _rows((*path, str(number)), item)
    elif isinstance(value, list):
        yield path, ", ".join(_text(item) for item in value) or "none"
    else:
        yield path, _text(value)


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, (Mapping, list)) or (isinstance(value, Mapping) and "value" in value)


def _with_error(value: Mapping[str, Any]) -> str:
    number, sigma = value.get("value"), value.get("sigma")
    if not isinstance(number, (int, float)):
        return "not known"
    if not isinstance(sigma, (int, float)) or sigma <= 0:
        return _text(number)
    half = BAND * sigma
    decimals = max(0, 1 - int(np.floor(np.log10(half))))
    return f"{number:.{decimals}f} ± {half:.{decimals}f}"


def _text(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.01 else f"{value:.2g}"
    return str(value)


def _percent(share: float) -> str:
    if 0.0 < share < 0.0005:
        return "under 0.1\u00a0%"
    if 0.0 < share < 0.01 or 0.99 < share < 1.0:
        return f"{100 * share:.1f}\u00a0%"
    return f"{100 * share:.0f}\u00a0%"


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    heads = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(text)}</td>" for text in row[1:]) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table>{title}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
