"""What the two-page gait report says; `gait_report_html` and `gait_report_pdf` set it on paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np

from posepipe import __version__
from posepipe.gait.abnormal import Abnormal
from posepipe.gait.analyse import DISCLAIMER, GaitAnalysis, analyse
from posepipe.gait.curves import SHOWN, MeanCurve
from posepipe.gait.deviation import Deviation
from posepipe.gait.norms import PUBLISHED_ADULTS, SOURCES, curve_bands, published_bands, spatiotemporal
from posepipe.gait.types import SIDES, Value
from posepipe.geometry.missing import mean_known, median_known
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason, explain
from posepipe.results.gait_report_draw import Drawing
from posepipe.results.gait_report_figures import CurveLine, curve_panel, deviation_bars, stick_strip
from posepipe.results.plots import BAND
from posepipe.results.recording import Person, Recording
from posepipe.results.sections import words

__all__ = [
    "GaitReport",
    "ParameterRow",
    "Sign",
    "analyse_person",
    "chance",
    "gait_report",
    "pattern_words",
    "person_motion",
    "with_error",
]

_VIEWS = {
    "side": "from the side",
    "oblique": "obliquely",
    "front": "from the front or behind",
    "3d": "in 3D",
    "sensor": "by a 3D sensor",
    "": "",
}
_MINUS = "\u2212"
_UNSURE_DEG = 15.0
"""A curve whose error bar is wider than 1.6 times this is drawn without it, for its shape."""


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One line of the parameter table; texts, empty where there is nothing to say.

    Attributes:
        label: name and unit.
        left, right: each side's value with its 90 % error bar.
        both: the value where sides aren't told apart.
        normal: the published range.
        mark: "below", "above" or "" (inside, or not certainly outside).
        why: why it's withheld.
    """

    label: str
    left: str = ""
    right: str = ""
    both: str = ""
    normal: str = ""
    mark: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """One line of the signs found."""

    words: str
    side: str
    value: str
    normal: str
    distance: str


@dataclass(frozen=True, slots=True, eq=False)
class GaitReport:
    """The report's words and drawings, in reading order.

    Attributes:
        title, facts: what was filmed, and how.
        verdict: the answer, in one or two sentences; `alert` if something was flagged.
        judged: whether the walk could be judged at all.
        score: the deviation score in words.
        strips: stick figures of each side.
        parameters, symmetry: tables.
        signs: what stands out.
        panels: curves against norm; bars: distance by joint.
        withheld: (what, why).
        notes: how to read it, and the sources.
        footer: version and disclaimer.
    """

    title: str
    facts: tuple[str, ...]
    verdict: str
    alert: bool
    score: str
    strips: tuple[Drawing, ...]
    parameters: tuple[ParameterRow, ...]
    symmetry: tuple[ParameterRow, ...]
    signs: tuple[Sign, ...]
    panels: tuple[Drawing, ...]
    bars: Drawing | None
    withheld: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    footer: str
    judged: bool = True


def person_motion(recording: Recording, person: Person) -> Motion:
    """What the gait stage takes, from a recording."""
    size = recording.video.width_px, recording.video.height_px
    return Motion.from_pose(person.pose, person.angles, person.keypoints, size)


def analyse_person(recording: Recording, person: Person) -> GaitAnalysis:
    """The gait analysis of a person in a recording, made or loaded."""
    return analyse(person_motion(recording, person), scale_known=person.scale_source == "given")


def gait_report(
    recording: Recording,
    person: Person,
    analysis: GaitAnalysis | None = None,
    *,
    sex: str | None = None,
    age_years: int | None = None,
) -> GaitReport:
    """The report of one person.

    Args:
        recording: made or loaded.
        person: one of its people.
        analysis: of that person, if it's there already.
        sex: for the published ranges; both if None.
        age_years: for the published ranges; adults if None.

    Raises:
        UsageError: another sex than "female" or "male".
    """
    found = analysis if analysis is not None else analyse_person(recording, person)
    rows, sources = _parameter_rows(found, sex, age_years)
    symmetry = tuple(row for row in rows if row.label.startswith("Symmetry"))
    verdict, alert = _verdict(found)
    return GaitReport(
        title=PurePath(recording.video.path).name or recording.video.path,
        facts=_facts(recording, person, found, sex, age_years),
        verdict=verdict,
        alert=alert,
        score=_score_words(found),
        strips=tuple(s for s in (stick_strip(found.cycles, side) for side in SIDES) if s is not None),
        parameters=tuple(row for row in rows if row not in symmetry and not row.why),
        symmetry=tuple(row for row in symmetry if not row.why),
        signs=_signs(found),
        panels=_panels(found),
        bars=deviation_bars(found.departures) if found.departures else None,
        withheld=_withheld(found, rows),
        notes=_notes(found, sources),
        footer=f"posepipe {__version__}. {DISCLAIMER} It doesn't replace an examination.",
        judged=found.withheld is None and isinstance(found.abnormal, Abnormal),
    )


def with_error(value: float, sigma: float) -> str:
    """A value with its 90 % error bar, rounded to what the bar allows."""
    half = BAND * sigma
    if not np.isfinite(half) or half <= 0:
        return f"{value:.2f}".replace("-", _MINUS)
    decimals = int(np.clip(1 - np.floor(np.log10(half)), 0, 3))
    return f"{value:.{decimals}f} ± {half:.{decimals}f}".replace("-", _MINUS)


def chance(probability: float) -> str:
    """In percent; no model is as sure as 0 or 100."""
    if probability > 0.99:
        return "> 99 %"
    return "< 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def pattern_words(pattern: str) -> str:
    """A pattern's name as words."""
    return pattern.replace("_", " ")


def _facts(
    recording: Recording, person: Person, found: GaitAnalysis, sex: str | None, age_years: int | None
) -> tuple[str, ...]:
    video = recording.video
    counts = {side: sum(cycle.side == side for cycle in found.cycles) for side in SIDES}
    height = (
        f"height given, {person.height_m:.2f} m"
        if person.scale_source == "given" and person.height_m
        else "height not given: lengths and speed rest on an assumed body size"
    )
    about = ", ".join(text for text in (sex or "", f"{age_years} years" if age_years is not None else "") if text)
    return (
        f"{recording.created[:10]}, person {person.id}{', ' + about if about else ''}",
        f"{video.duration_s:.1f} s at {video.fps_hz:.3g} pictures a second, {video.width_px} × {video.height_px}",
        f"Walking seen {_VIEWS[found.view]}; strides used: {counts['left']} left, {counts['right']} right; {height}",
    )


def _verdict(found: GaitAnalysis) -> tuple[str, bool]:
    if found.withheld is not None:
        return f"No gait result. {explain(found.withheld)}", False
    answer = found.abnormal
    if isinstance(answer, Reason):
        return f"Not judged. {explain(answer)}", False
    percent = chance(answer.probability)
    if answer.label == "normal":
        return f"No abnormal walking flagged. Probability of an abnormal gait: {percent}.", False
    return (
        f"Walking looks abnormal (probability {percent}); of the patterns known here most like "
        f"“{pattern_words(answer.pattern)}” ({chance(answer.pattern_probability)}). "
        "This points out who may need a closer look.",
        True,
    )


def _score_words(found: GaitAnalysis) -> str:
    item = found.deviation
    if isinstance(item, Deviation):
        return (
            f"Sagittal deviation score {with_error(item.score, item.sigma)} "
            f"(normal walks: 100 ± 16; less is further from normal; {item.rms_deg:.1f}° RMS)."
        )
    return f"Sagittal deviation score withheld. {explain(item)}"


def _parameter_rows(
    found: GaitAnalysis, sex: str | None, age_years: int | None
) -> tuple[tuple[ParameterRow, ...], tuple[str, ...]]:
    rows, sources = [], []
    items: Mapping[str, object] = found.parameters.items if found.parameters is not None else {}
    for name, item in _flat(items):
        norm = spatiotemporal(name, sex, age_years)
        normal = f"{norm.low:g} to {norm.high:g}" if norm else ""
        label = words(name)
        if isinstance(item, Reason):
            rows.append(ParameterRow(label, why=explain(item)))
            continue
        if norm:
            sources.append(norm.source)
        values = [v for v in (item.values() if isinstance(item, Mapping) else [item]) if isinstance(v, Value)]
        mark = ""
        if norm and values:
            marks = [_mark(v, norm.low, norm.high) for v in values]
            mark = next((m for m in marks if m), "")
        if isinstance(item, Mapping):
            left, right = (_cell(item.get(side)) for side in SIDES)
            rows.append(ParameterRow(label, left, right, "", normal, mark))
        else:
            rows.append(ParameterRow(label, "", "", _cell(item), normal, mark))
    return tuple(rows), tuple(dict.fromkeys(sources))


def _flat(items: Mapping[str, object]) -> list[tuple[str, object]]:
    """Parameters with nested groups (symmetry) taken apart; mappings of sides stay."""
    out: list[tuple[str, object]] = []
    for name, item in items.items():
        if isinstance(item, Mapping) and not set(item) <= set(SIDES):
            out += [(f"{name}_{key}", value) for key, value in item.items()]
        else:
            out.append((name, item))
    return out


def _mark(value: Value, low: float, high: float) -> str:
    """Outside the range for certain: with the whole 90 % error bar."""
    if value.value + BAND * value.sigma < low:
        return "below"
    return "above" if value.value - BAND * value.sigma > high else ""


def _cell(item: object) -> str:
    if isinstance(item, Value):
        return with_error(item.value, item.sigma)
    return "withheld" if isinstance(item, Reason) else ""


def _signs(found: GaitAnalysis) -> tuple[Sign, ...]:
    if not isinstance(found.abnormal, Abnormal):
        return ()
    return tuple(
        Sign(
            sign.words,
            sign.side,
            f"{_amount(sign.value, sign.feature)}",
            f"{_amount(sign.norm, sign.feature)} ± {2 * sign.norm_sd:.2g}",
            f"{sign.sd_from_norm:+.1f} SD".replace("-", _MINUS),
        )
        for sign in found.abnormal.evidence
    )


def _amount(value: float, feature: str) -> str:
    unit = feature.rpartition("_")[2]
    shown = {
        "deg": f"{value:.0f}°",
        "pct": f"{value:.0f} %",
        "spm": f"{value:.0f} steps/min",
        "llps": f"{value:.2f} leg lengths/s",
    }
    return shown.get(unit, f"{value:.2f} leg lengths").replace("-", _MINUS)


def _panels(found: GaitAnalysis) -> tuple[Drawing, ...]:
    if not found.curves:
        return ()
    bands, published = curve_bands(found.view), published_bands(PUBLISHED_ADULTS)
    off = {
        side: float(mean_known([100.0 * c.toe_off for c in found.cycles if c.side == side] or [np.nan]))
        for side in SIDES
    }
    panels = []
    for angle in SHOWN:
        lines = [CurveLine.of(curve) for curve in found.curves if curve.angle == angle]
        if lines:
            unsure = [float(median_known(c.sigma_deg)) for c in found.curves if c.angle == angle]
            note = ""
            if max(unsure) > _UNSURE_DEG:
                lines = [replace(line, shaded=False) for line in lines]
                note = f", for the shape: ± {BAND * max(unsure):.0f}°"
            panels.append(curve_panel(angle, lines, bands.get(angle), published.get(angle), off, note=note))
    return tuple(panels)


def _withheld(found: GaitAnalysis, rows: tuple[ParameterRow, ...]) -> tuple[tuple[str, str], ...]:
    out = []
    if isinstance(found.deviation, Reason) and found.withheld is None:
        out.append(("Sagittal deviation score", explain(found.deviation)))
    if isinstance(found.abnormal, Reason) and found.withheld is None:
        out.append(("Normal or abnormal", explain(found.abnormal)))
    for why in dict.fromkeys(row.why for row in rows if row.why):
        out.append((", ".join(row.label for row in rows if row.why == why), why))
    if found.cycles and not any(curve.angle == "ankle_dorsiflexion" for curve in found.curves):
        out.append(("Ankle curves", explain(Reason.JOINT_UNSEEN)))
    return tuple(out)


def _notes(found: GaitAnalysis, sources: tuple[str, ...]) -> tuple[str, ...]:
    notes = [
        "Left and right are the person's own. ± and shaded curves are 90 % error bars. Curves run from heel strike to "
        "the next heel strike of the same foot; ticks on the axis are toe offs.",
        f"Grey bands: two standard deviations of {SOURCES['posepipe']}. Their zero holds the skeleton's own offsets: "
        "compare with the band, not with a goniometer. Trunk lean stands in for the pelvis, which can't be seen.",
        f"Dotted: {SOURCES[PUBLISHED_ADULTS]}; for the shape only.",
    ]
    notes += [f"Normal ranges: {SOURCES[source]}." for source in sources]
    if sources:
        notes.append("“Below” and “above” mean that the whole error bar is outside the range.")
    if isinstance(found.deviation, Deviation):
        notes.append(
            "The deviation score is the RMS distance of hip, knee and ankle curves from normal walks, on a log scale: "
            "100 is the normal mean, 10 points are one standard deviation. It isn't the GDI or the GPS."
        )
    return tuple(notes)


def curve_of(found: GaitAnalysis, side: str, angle: str) -> MeanCurve | None:
    """One mean curve; None if it wasn't seen."""
    return next((curve for curve in found.curves if (curve.side, curve.angle) == (side, angle)), None)
