"""The two-page gait report as blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from posepipe.errors import InputError
from posepipe.gait.curves import SHOWN
from posepipe.gait.features import ASYMMETRY
from posepipe.gait.findings import findings
from posepipe.gait.judge import SAGITTAL_VIEWS
from posepipe.gait.norms import PUBLISHED_ADULTS, SOURCES, Range, curve_bands, published_bands, spatiotemporal
from posepipe.gait.types import (
    SIDES,
    UNNAMED,
    Deviation,
    Evidence,
    Finding,
    GaitResult,
    MeanCurve,
    Measured,
    Turn,
    Value,
)
from posepipe.geometry import mean_known, median_known
from posepipe.media.atomic import atomic_path
from posepipe.reasons import Reason
from posepipe.record.recording import Person, Recording
from posepipe.reports.blocks import (
    Block,
    Cell,
    Colored,
    Columns,
    Figure,
    Figures,
    Page,
    Paragraph,
    Section,
    Table,
    Verdict,
    page_html,
)
from posepipe.reports.blocks_pdf import page_pdf
from posepipe.reports.drawings import BAND, curve_panel, deviation_bars, key, side_curve, stick_strip
from posepipe.reports.numbers import in_language
from posepipe.reports.sections import MINUS, chance, footer, pattern_words, why, with_error, words
from posepipe.texts import ENGLISH, Texts, load

__all__ = ["curve_of", "finding_words", "gait_page", "walker", "write_gait_reports", "write_page"]

_VIEWS = {
    "side": "from the side",
    "oblique": "obliquely",
    "front": "from the front or behind",
    "3d": "in 3D",
    "sensor": "by a 3D sensor",
    "": "",
}
_UNSURE_DEG = 15.0
"""A curve whose error bar is wider than 1.6 times this is drawn without it, for its shape."""


def gait_page(
    recording: Recording,
    person: Person,
    say: Texts = ENGLISH,
    *,
    sex: str | None = None,
    age_years: int | None = None,
    about: tuple[Block, ...] = (),
) -> Page:
    """The two-page report of one person.

    Args:
        recording: made or loaded.
        person: one of its people.
        say: the language.
        sex: for the published ranges; both if None.
        age_years: for the published ranges; adults if None.
        about: whose it is; see `posepipe.reports.about.about`.

    Raises:
        UsageError: another sex than "female" or "male".
    """
    found = person.gait
    name = PurePath(recording.video.path).name or recording.video.path
    rows = _parameter_rows(found, say, sex, age_years)
    first: list[Block] = [*about]
    first += [Paragraph(fact, "soft") for fact in _facts(recording, person, say, sex, age_years)]
    first += [_verdict(found, say), *_unusual(found, say), *_signs(found, say)]
    every = *found.cycles, *found.parts
    strips = tuple(Figure(drawn) for side in SIDES if (drawn := stick_strip(every, side, say)) is not None)
    if strips:
        first.append(Section(say("One stride of each side"), (Figures(strips),)))
    known = [row for row in rows if not row.why]
    if shown := tuple(row.cells(say) for row in known if not row.symmetry):
        head = ("", Colored(say("Left"), "left"), Colored(say("Right"), "right"), say("Both"), say("Normal range"), "")
        table = Table(shown, (0.3, 0.16, 0.16, 0.16, 0.14, 0.08), head)
        first.append(Section(say("Spatiotemporal parameters"), (table,)))
    second: list[Block] = []
    if panels := _panels(found, say):
        curves = Figures((Figure(key(say)),)), Figures(panels, "grid")
        second.append(Section(say("Joint angles over the gait cycle"), curves))
    symmetry = tuple((row.label, row.both) for row in known if row.symmetry)
    left: tuple[Block, ...] = (Section(say("Symmetry"), (Table(symmetry, (0.6, 0.4)),)),) if symmetry else ()
    right: tuple[Block, ...] = (Figures((Figure(deviation_bars(found.departures, say)),)),) if found.departures else ()
    if left or right:
        second.append(Columns(left, right))
    if turns := tuple(_turn(turn, say) for turn in found.walk.turns):
        of = (say("Turns"), say("Angle"), say("Time"), say("Steps"))
        second.append(Section(say("Turning"), (Table(turns, (0.34, 0.3, 0.18, 0.18), of),)))
    if missing := _withheld(found, rows, say):
        second.append(Section(say("What was withheld, and why"), (Table(missing, (0.34, 0.66)),)))
    published = {row.source for row in known if row.source}
    second += [Paragraph(note, "small") for note in _notes(found, published, bool(symmetry), say)]
    return in_language(
        Page(
            title=say("{video} - gait report", video=name),
            heading=say("Gait report: {video}", video=name),
            sheets=(tuple(first), tuple(second)),
            footer=footer(say),
            language=say.language,
        )
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the parameters; texts, empty where there is nothing to say.

    Attributes:
        label: name and unit.
        symmetry: whether it compares the sides.
        left, right: each side's value with its 90 % error bar.
        both: the value where sides aren't told apart.
        normal: the published range, from `source`.
        mark: "below", "above" or "" (inside, or not certainly outside).
        outside: the sides that are.
        why: why it's withheld.
    """

    label: str
    symmetry: bool = False
    left: str = ""
    right: str = ""
    both: str = ""
    normal: str = ""
    source: str = ""
    mark: str = ""
    outside: tuple[str, ...] = ()
    why: str = ""

    def cells(self, say: Texts) -> tuple[Cell, ...]:
        mark = Colored(say(self.mark), "alert") if self.mark else ""
        left, right = (
            Colored(text, "alert") if side in self.outside else text
            for side, text in zip(SIDES, (self.left, self.right), strict=True)
        )
        return (self.label, left, right, self.both, self.normal, mark)


def _facts(recording: Recording, person: Person, say: Texts, sex: str | None, age_years: int | None) -> tuple[str, ...]:
    video, found = recording.video, person.gait
    counts = {side: sum(cycle.side == side for cycle in found.cycles) for side in SIDES}
    height = (
        say("height given, {height} m", height=f"{person.height_m:.2f}")
        if person.scale_source == "given" and person.height_m
        else say("height not given: lengths and speed rest on an assumed body size")
    )
    who = [recording.created[:10], say("person {id}", id=person.id)]
    who += [say(sex)] if sex else []
    who += [say("{years} years", years=age_years)] if age_years is not None else []
    return (
        ", ".join(who),
        say(
            "{seconds} s at {fps} pictures a second, {width} × {height}",
            seconds=f"{video.duration_s:.1f}",
            fps=f"{video.fps_hz:.3g}",
            width=video.width_px,
            height=video.height_px,
        ),
        say("Walking seen {view}; strides used: {left} left, {right} right; ", view=say(_VIEWS[found.view]), **counts)
        + (say("with what was seen before and after them, two of each side; ") if found.parts else "")
        + height,
    )


def _verdict(found: GaitResult, say: Texts) -> Verdict:
    score = _score_words(found, say)
    if found.withheld is not None:
        return Verdict(say("No gait result: {reason}", reason=why(found.withheld, say)), score, "unjudged")
    answer = found.abnormal
    if isinstance(answer, Reason):
        return Verdict(say("Not judged. {reason}", reason=why(answer, say)), score, "unjudged")
    percent = chance(answer.probability)
    if answer.label == "normal":
        words_ = say("No abnormal walking flagged. Probability of an abnormal gait: {share}.", share=percent)
        return Verdict(words_, score)
    if answer.pattern in UNNAMED:
        words_ = say("Walking looks abnormal (probability {share}).", share=percent)
        if answer.pattern == "asymmetric":
            words_ = f"{words_} {say('It is asymmetric; no pattern known here is clearly ahead of the others.')}"
        else:
            words_ = f"{words_} {say('No pattern known here is clearly ahead of the others.')}"
        return Verdict(f"{words_} {say('This points out who may need a closer look.')}", score, "alert")
    words_ = say(
        "Walking looks abnormal (probability {share}); of the patterns known here most like “{pattern}” ({likely}). "
        "This points out who may need a closer look.",
        share=percent,
        pattern=say(pattern_words(answer.pattern)),
        likely=chance(answer.pattern_probability),
    )
    return Verdict(words_, score, "alert")


def _turn(turn: Turn, say: Texts) -> tuple[Cell, ...]:
    angle = f"{abs(turn.angle_deg):.0f}°"
    way = say("{angle} to the left", angle=angle) if turn.angle_deg > 0 else say("{angle} to the right", angle=angle)
    at = say("at {seconds} s", seconds=f"{turn.start_s:.1f}")
    return (at, way, f"{turn.end_s - turn.start_s:.1f} s", str(turn.steps))


_SENTENCES: dict[str, str] = {
    "knee_swing_deg": "{side} knee bends {value} in swing",
    "knee_loading_deg": "{side} knee bends {value} under load",
    "knee_stance_deg": "{side} knee stays bent {value} in stance",
    "knee_strike_deg": "{side} knee is bent {value} when the heel lands",
    "hip_swing_deg": "{side} hip bends {value} in swing",
    "hip_behind_deg": "{side} hip comes to {value} at the end of stance (minus is extended)",
    "ankle_stance_deg": "{side} ankle is bent up {value} late in stance",
    "ankle_off_deg": "{side} ankle comes to {value} at push-off (minus is pointed)",
    "ankle_swing_deg": "{side} ankle is at {value} late in swing (minus is pointed)",
    "trunk_lean_deg": "Trunk leans forward {value}",
    "pace_llps": "Walking speed is {value}",
    "stance_pct": "{side} stance lasts {value} of the stride",
    "step_time_s": "{side} step takes {value}",
    "step_length_side_m": "{side} step is {value} long",
}
"""What each of `posepipe.gait.findings` says of a side."""

_BEYOND_STRAIGHT: dict[str, str] = {
    "knee_stance_deg": "{side} knee is at {value} in stance (minus is overstretched)",
    "knee_strike_deg": "{side} knee is at {value} when the heel lands (minus is overstretched)",
}
"""The same of a joint that doesn't bend: nobody is bent by less than nothing."""


def finding_words(finding: Finding, say: Texts) -> str:
    """One finding as a sentence: "Right knee bends 31° ± 5 in swing, left 58° ± 4; norm 50 to 65°"."""
    units = {"deg": "°", "pct": " %", "s": " s", "m": " m", "llps": f" {say('leg lengths a second')}"}
    unit = units[finding.name.rpartition("_")[2]]
    whole = 0 if unit in ("°", " %") else None
    value = with_error(finding.value.value, finding.value.sigma, unit, whole)
    sentences = _SENTENCES if finding.value.value >= 0.0 else _SENTENCES | _BEYOND_STRAIGHT
    text = say(sentences[finding.name], side=say(finding.side.capitalize()) if finding.side else "", value=value)
    if finding.other is not None:
        other = "left" if finding.side == "right" else "right"
        text += f", {say(other)} {with_error(finding.other.value, finding.other.sigma, unit, whole)}"
    if finding.low is not None and finding.high is not None:
        decimals = 0 if whole == 0 else 1
        low, high = (f"{edge:.{decimals}f}".replace("-", MINUS) for edge in (finding.low, finding.high))
        text += say("; normal {low} to {high}", low=low, high=f"{high}{unit}")
    if finding.uneven:
        text += say("; the sides differ")
    return f"{text}."


def _unusual(found: GaitResult, say: Texts) -> list[Block]:
    lines = tuple(Paragraph(finding_words(finding, say)) for finding in findings(found))
    return [Section(say("What is unusual"), lines)] if lines else []


def _score_words(found: GaitResult, say: Texts) -> str:
    item = found.deviation
    if isinstance(item, Reason):
        if item == found.abnormal:
            return say("The sagittal deviation score is withheld for the same reason.")
        return say("Sagittal deviation score: withheld.") + f" {why(item, say)}"
    return say(
        "Sagittal deviation score {score} (normal walks: 100 ± 16; less is further from normal; {rms}° RMS).",
        score=with_error(item.score, item.sigma),
        rms=f"{item.rms_deg:.1f}",
    )


def _parameter_rows(found: GaitResult, say: Texts, sex: str | None, age_years: int | None) -> tuple[_Row, ...]:
    rows = []
    for name, item in found.parameters.items.items():
        if name == "symmetry" and isinstance(item, Mapping):
            rows += [_row(say(words(part)), value, None, say, symmetry=True) for part, value in item.items()]
        else:
            row = _row(say(words(name)), item, spatiotemporal(name, sex, age_years), say)
            rows.append(_variation(row, item, say) if name in _VARIATIONS else row)
    return tuple(rows)


_VARIATIONS = ("stride_time_cv_pct", "step_length_cv_pct")


def _variation(row: _Row, item: Measured, say: Texts) -> _Row:
    """Of a variation that may be none, only how large it is at most is known; and it needs more strides than others."""
    if isinstance(item, Value) and item.value <= BAND * item.sigma:
        return replace(row, both=say("under {value}", value=f"{item.value + BAND * item.sigma:.0f}"))
    return replace(row, why=say("Needs ten strides.")) if item is Reason.TOO_FEW_STRIDES else row


def _row(label: str, item: Measured, norm: Range | None, say: Texts, *, symmetry: bool = False) -> _Row:
    if isinstance(item, Reason):
        name = say("Symmetry {what}", what=label) if symmetry else label
        return _Row(name, symmetry, why=why(item, say))
    sided = isinstance(item, Mapping)
    values = [v for v in (item.values() if isinstance(item, Mapping) else [item]) if isinstance(v, Value)]
    left, right = (_cell(item.get(side), say) if isinstance(item, Mapping) else "" for side in SIDES)
    row = _Row(label, symmetry, left, right, "" if sided else _cell(item, say))
    if norm is None:
        return row
    mark = next((m for v in values if (m := _mark(v, norm.low, norm.high))), "")
    of = item if isinstance(item, Mapping) else {}
    outside = tuple(s for s in SIDES if isinstance(v := of.get(s), Value) and _mark(v, norm.low, norm.high))
    normal = say("{low} to {high}", low=f"{norm.low:g}", high=f"{norm.high:g}")
    return replace(row, normal=normal, source=norm.source, mark=mark, outside=outside)


def _mark(value: Value, low: float, high: float) -> str:
    """Outside the range for certain: with the whole 90 % error bar."""
    if value.value + BAND * value.sigma < low:
        return "below"
    return "above" if value.value - BAND * value.sigma > high else ""


def _cell(item: object, say: Texts) -> str:
    if isinstance(item, Value):
        return with_error(item.value, item.sigma)
    return say("withheld") if isinstance(item, Reason) else ""


def _signs(found: GaitResult, say: Texts) -> list[Block]:
    answer = found.abnormal
    if isinstance(answer, Reason) or not answer.evidence:
        return []
    rows = tuple(
        (
            say(sign.words),
            Colored(say(sign.side), sign.side) if sign.side else "",
            _apart(sign, say),
            f"{_amount(sign.norm, sign.feature, say)} ± {2 * sign.norm_sd:.2g}",
            f"{sign.sd_from_norm:+.1f} SD".replace("-", MINUS),
        )
        for sign in answer.evidence
    )
    flagged = answer.label == "abnormal"
    title = say("What speaks for it") if flagged else say("What stands out, though not flagged")
    head = (say("Sign"), say("Side"), say("Measured"), say("Normal (± 2 SD)"), say("From normal"))
    return [Section(title, (Table(rows, (0.36, 0.1, 0.2, 0.2, 0.14), head),))]


def _apart(sign: Evidence, say: Texts) -> str:
    """What was measured; of a difference between the sides, that it is one."""
    amount = _amount(sign.value, sign.feature, say)
    return say("{amount} apart", amount=amount) if ASYMMETRY in sign.feature else amount


def _amount(value: float, feature: str, say: Texts) -> str:
    unit = feature.rpartition("_")[2]
    shown = {
        "deg": f"{value:.0f}°",
        "pct": f"{value:.0f} %",
        "spm": say("{value} steps/min", value=f"{value:.0f}"),
        "llps": say("{value} leg lengths/s", value=f"{value:.2f}"),
    }
    return shown.get(unit, say("{value} leg lengths", value=f"{value:.2f}")).replace("-", MINUS)


def _panels(found: GaitResult, say: Texts) -> tuple[Figure, ...]:
    if not found.curves:
        return ()
    bands, published = curve_bands(found.view), published_bands(PUBLISHED_ADULTS)
    off = {
        side: float(
            mean_known([100.0 * c.toe_off for c in (*found.cycles, *found.parts) if c.side == side] or [np.nan])
        )
        for side in SIDES
    }
    panels = []
    for angle in SHOWN:
        lines = [side_curve(curve) for curve in found.curves if curve.angle == angle]
        if lines:
            unsure = max(float(median_known(c.sigma_deg)) for c in found.curves if c.angle == angle)
            note = ""
            if unsure > _UNSURE_DEG:
                lines = [replace(line, shaded=False) for line in lines]
                note = say(", for the shape: ± {half}°", half=f"{BAND * unsure:.0f}")
            panel = curve_panel(angle, lines, bands.get(angle), published.get(angle), off, note=note, say=say)
            panels.append(Figure(panel))
    return tuple(panels)


def _withheld(found: GaitResult, rows: tuple[_Row, ...], say: Texts) -> tuple[tuple[Cell, ...], ...]:
    out = []
    judged = ((say("Sagittal deviation score"), found.deviation), (say("Normal or abnormal"), found.abnormal))
    for reason in dict.fromkeys(item for _, item in judged if isinstance(item, Reason) and found.withheld is None):
        out.append((", ".join(label for label, item in judged if item is reason), why(reason, say)))
    for text in dict.fromkeys(row.why for row in rows if row.why):
        out.append((", ".join(row.label for row in rows if row.why == text), text))
    if found.cycles and found.view not in SAGITTAL_VIEWS:
        out.append((say("Curves of hips, knees and ankles"), why(Reason.WRONG_VIEW, say)))
    elif found.cycles and not any(curve.angle == "ankle_dorsiflexion" for curve in found.curves):
        out.append((say("Ankle curves"), why(Reason.JOINT_UNSEEN, say)))
    return tuple(out)


def _notes(found: GaitResult, sources: set[str], symmetry: bool, say: Texts) -> list[str]:
    notes = [
        say(
            "Left and right are the person's own. ± and shaded curves are 90 % error bars. Curves run from heel "
            "strike to the next heel strike of the same foot; ticks on the axis are toe offs."
        ),
        say(
            "Grey bands: two standard deviations of {source}. Their zero holds the skeleton's own offsets: compare "
            "with the band, not with a goniometer. Trunk lean stands in for the pelvis, which can't be seen.",
            source=say(SOURCES["posepipe"]),
        ),
        say("Dotted: {source}; for the shape only.", source=say(SOURCES[PUBLISHED_ADULTS])),
    ]
    notes += [say("Normal ranges: {source}.", source=say(SOURCES[source])) for source in sorted(sources)]
    if sources:
        notes.append(say("“Below” and “above” mean that the whole error bar is outside the range."))
    if symmetry:
        notes.append(say("Symmetry: 0 is even; plus means that the right side's is larger, minus the left side's."))
    if findings(found):
        notes.append(
            say(
                "“Normal” under what is unusual: what nine in ten normal walks seen the same way do; the ranges of the "
                "table are published ones."
            )
        )
    if isinstance(found.deviation, Deviation):
        notes.append(
            say(
                "The deviation score is the RMS distance of hip, knee and ankle curves from normal walks, on a log "
                "scale: 100 is the normal mean, 10 points are one standard deviation. It isn't the GDI or the GPS."
            )
        )
    return notes


def curve_of(found: GaitResult, side: str, angle: str) -> MeanCurve | None:
    """One mean curve; None if it wasn't seen."""
    return next((curve for curve in found.curves if (curve.side, curve.angle) == (side, angle)), None)


def write_gait_reports(
    recording: Recording,
    folder: Path,
    language: str = "en",
    *,
    sex: str | None = None,
    age_years: int | None = None,
    about: tuple[Block, ...] = (),
) -> tuple[Path, ...]:
    """Write ``gait.html`` and ``gait.pdf`` for everyone with a gait result.

    The first walker's are called gait, others' ``gait-ID``.

    Raises:
        OutputError: the folder or disk refuses.
        UsageError: another sex than "female" or "male", or no such language.
    """
    written: tuple[Path, ...] = ()
    for person in recording.people:
        if person.gait.withheld is None:
            stem = "gait" if not written else f"gait-{person.id}"
            page = gait_page(recording, person, load(language), sex=sex, age_years=age_years, about=about)
            written += write_page(page, folder / stem)
    return written


def write_page(page: Page, path: Path) -> tuple[Path, Path]:
    """Write a page as ``path.html`` and ``path.pdf``.

    Raises:
        OutputError: the folder or disk refuses.
    """
    html, pdf = path.with_name(f"{path.name}.html"), path.with_name(f"{path.name}.pdf")
    with atomic_path(html) as temporary:
        temporary.write_text(page_html(page), encoding="utf-8", errors="replace")
    with atomic_path(pdf) as temporary:
        temporary.write_bytes(page_pdf(page))
    return html, pdf


def walker(recording: Recording, where: str) -> Person:
    """The first person with a gait result.

    Raises:
        InputError: nobody has one.
    """
    for person in recording.people:
        if person.gait.withheld is None:
            return person
    raise InputError("holds no gait result", where=where, hint="Analyse the video with --task gait")
