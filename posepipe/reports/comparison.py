"""Two gait sessions of one person side by side: what changed, and whether the change is beyond the error bars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath

import numpy as np

from posepipe.gait.curves import SHOWN
from posepipe.gait.norms import curve_bands
from posepipe.gait.types import SIDES, UNNAMED, Abnormal, Deviation, GaitResult, Value
from posepipe.reasons import Reason
from posepipe.record.recording import Person, Recording
from posepipe.record.seal import require_room, writing
from posepipe.reports.blocks import Block, Cell, Colored, Figure, Figures, Page, Paragraph, Section, Table, Verdict
from posepipe.reports.drawings import BAND, curve_panel, side_curve
from posepipe.reports.gait import curve_of, write_page
from posepipe.reports.numbers import in_language
from posepipe.reports.sections import footer, pattern_words, why, with_error, words
from posepipe.texts import ENGLISH, Texts, load

__all__ = ["comparable", "comparison_page", "difference", "gait_values", "write_comparison"]

_RECORD = ".posepipe-compare.json"


def comparison_page(before: tuple[Recording, Person], after: tuple[Recording, Person], say: Texts = ENGLISH) -> Page:
    """Compare two sessions.

    Args:
        before: the first session's recording and the person in it.
        after: the second session's.
        say: the language.
    """
    first, second = before[1].gait, after[1].gait
    pairs = gait_values(first, say), gait_values(second, say)
    changes = [_change(name, pairs[0][name], pairs[1][name], say) for name in pairs[0] if name in pairs[1]]
    sheet: list[Block] = [Paragraph(_title(*session, say), "soft") for session in (before, after)]
    sheet.append(Verdict(_verdict(first, second, changes, say), tone="unjudged"))
    sheet += [Paragraph(text, "mark") for text in comparable(before, after, say)]
    if changes:
        head = ("", say("First"), say("Second"), say("Change"), "")
        sheet.append(Table(tuple(row for row, _ in changes), (0.4, 0.18, 0.18, 0.14, 0.1), head))
    note = say(
        "Dashed grey: first session. Solid: second session. Grey band: normal walks seen the same way, ± 2 SD. ± are "
        "90 % error bars; a change counts where its whole bar is on one side of zero. Film both sessions from the same "
        "side, at the same frame rate, in similar clothes."
    )
    drawn = Figures(tuple(_panels(first, second, say)), "grid")
    curves = (Section(say("Joint angles over the gait cycle"), (drawn,)), Paragraph(note, "small"))
    title = say("Gait, two sessions")
    return in_language(Page(title, title, (tuple(sheet), curves), footer(say), say.language))


def write_comparison(
    before: tuple[Recording, Person], after: tuple[Recording, Person], out: Path, language: str = "en"
) -> tuple[Path, ...]:
    """Compare two sessions of one person; write ``comparison.html`` and ``comparison.pdf``.

    Raises:
        OutputError: the folder or disk refuses.
    """
    require_room(out, ("comparison.html", "comparison.pdf"), _RECORD)
    page = comparison_page(before, after, load(language))
    with writing(out, "comparison", record=_RECORD) as made:
        written = write_page(page, made / "comparison")
    return tuple(out / path.name for path in written)


def _title(recording: Recording, person: Person, say: Texts) -> str:
    name = PurePath(recording.video.path).name or recording.video.path
    return f"{name} ({recording.created[:10]}, {say('person {id}', id=person.id)})"


def gait_values(found: GaitResult, say: Texts) -> dict[str, Value]:
    """Every number of a walk by its name in words."""
    out: dict[str, Value] = {}
    if isinstance(found.deviation, Deviation):
        out[say("Sagittal deviation score")] = Value(found.deviation.score, found.deviation.sigma)
    if isinstance(found.abnormal, Abnormal):
        out[say("Probability of an abnormal gait (%)")] = Value(
            100 * found.abnormal.probability, 100 * found.abnormal.sigma
        )
    for name, item in found.parameters.items.items():
        if isinstance(item, Value):
            out[say(words(name))] = item
        elif isinstance(item, Mapping):
            nested = {key: value for key, value in item.items() if isinstance(value, Value)}
            sided = set(item) <= set(SIDES)
            label = say(words(name))
            out |= {
                f"{label}, {say(key)}" if sided else f"{label}: {say(words(key))}": value
                for key, value in nested.items()
            }
    return out


def difference(before: Value, after: Value, unit: str = "") -> tuple[str, bool]:
    """The change with its 90 % error bar, and whether zero is outside of that."""
    away = after.value - before.value
    sigma = float(np.hypot(before.sigma, after.sigma))
    return ("+" if away > 0 else "") + with_error(away, sigma, unit), bool(abs(away) > BAND * sigma)


def _change(label: str, before: Value, after: Value, say: Texts) -> tuple[tuple[Cell, ...], bool]:
    """A row of the table, and whether zero is outside the change's error bar."""
    change, sure = difference(before, after)
    told = (Colored(change, "alert"), say("changed")) if sure else (change, "")
    return (label, with_error(before.value, before.sigma), with_error(after.value, after.sigma), *told), sure


def _verdict(first: GaitResult, second: GaitResult, changes: list[tuple[tuple[Cell, ...], bool]], say: Texts) -> str:
    if first.withheld is not None:
        return say("No gait result in the first session. {reason}", reason=why(first.withheld, say))
    if second.withheld is not None:
        return say("No gait result in the second session. {reason}", reason=why(second.withheld, say))
    sure = ", ".join(str(row[0]) for row, certain in changes if certain)
    text = (
        say("Beyond their error bars changed: {what}.", what=sure)
        if sure
        else say("Nothing changed beyond the error bars.")
    )
    told = [
        say("First session: {answer}.", answer=_answer(first.abnormal, say)),
        say("Second session: {answer}.", answer=_answer(second.abnormal, say)),
    ]
    return " ".join((text, *told))


def _answer(answer: Abnormal | Reason, say: Texts) -> str:
    if isinstance(answer, Reason):
        return say("not judged")
    if answer.label == "abnormal" and answer.pattern in UNNAMED:
        return say("looks abnormal")
    if answer.label == "abnormal":
        return say("looks abnormal, most like “{pattern}”", pattern=say(pattern_words(answer.pattern)))
    return say("nothing was flagged")


def _panels(first: GaitResult, second: GaitResult, say: Texts) -> list[Figure]:
    bands = curve_bands(first.view) if first.view and first.view == second.view else {}
    panels = []
    for angle in SHOWN:
        for side in SIDES:
            old, new = curve_of(first, side, angle), curve_of(second, side, angle)
            if old is None or new is None:
                continue
            lines = [side_curve(old, color="soft", dash=(3.0, 2.0), shaded=False), side_curve(new, dash=())]
            panel = curve_panel(angle, lines, bands.get(angle), title=f"{say(side)}, ", say=say)
            panels.append(Figure(panel))
    return panels


def comparable(before: tuple[Recording, Person], after: tuple[Recording, Person], say: Texts) -> list[str]:
    """What makes two sessions hard to compare, in sentences."""
    out = []
    if before[1].gait.view != after[1].gait.view:
        out.append(say("The sessions were filmed from different sides: angles can't be compared with confidence."))
    rates = [recording.video.fps_hz for recording, _ in (before, after)]
    if max(rates) > 1.5 * min(rates):
        out.append(say("The sessions have very different frame rates: times are less certain in the slower one."))
    if before[1].scale_source != after[1].scale_source:
        out.append(say("Body height was given in one session only: lengths and speeds can't be compared."))
    return out
