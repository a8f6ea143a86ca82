"""Tables for people: repetitions, gait numbers, gait cycles and angles, as CSV and as one Excel workbook."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from posepipe.body.angles import ANGLES as SPECS
from posepipe.exercise.types import Bout, Repetition
from posepipe.gait.types import ANGLES, SIDES, Measured, Value
from posepipe.reasons import Reason
from posepipe.record.recording import Person, Recording
from posepipe.reports.drawings import BAND
from posepipe.reports.exercise import exercise_name, form_words
from posepipe.reports.sections import footer, verdict, why, words
from posepipe.system import need
from posepipe.texts import ENGLISH, Texts

__all__ = ["SHEETS", "Cell", "Sheet", "sheets", "write_csv_tables", "write_sheet_csv", "write_xlsx"]

Cell = str | int | float | None
"""None, NaN and infinity are empty cells."""

SHEETS = ("repetitions", "gait", "cycles", "angles")
"""Names of the tables, as their CSV files are called."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so would be run by a spreadsheet; see https://owasp.org/www-community/attacks/CSV_Injection."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table.

    Attributes:
        name: one of `SHEETS`, or "about".
        title: for people.
        head: columns, each with its unit.
        rows: cells in the order of `head`.
    """

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def sheets(recording: Recording, say: Texts = ENGLISH) -> tuple[Sheet, ...]:
    """What the recording is, then every table that has a row.

    Args:
        recording: made or loaded.
        say: the language of heads and words.
    """
    found = (_about(recording, say), _repetitions(recording, say), _gait(recording, say), _cycles(recording, say))
    return tuple(sheet for sheet in (*found, _angles(recording, say)) if sheet.rows)


def write_sheet_csv(sheet: Sheet, path: Path, say: Texts = ENGLISH) -> None:
    """Write one table as a spreadsheet of this language opens it: German ones want semicolons and decimal commas.

    The byte order mark tells Excel that it is UTF-8.
    """
    german = say.language == "de"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";" if german else ",")
        writer.writerow(sheet.head)
        writer.writerows([_csv_cell(cell, german) for cell in row] for row in sheet.rows)


def write_xlsx(recording: Recording, path: Path, say: Texts = ENGLISH) -> None:
    """Write all tables as one Excel workbook, a sheet each.

    Raises:
        UsageError: openpyxl isn't installed.
    """
    need("openpyxl", "formats")
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    bold = Font(bold=True)
    for sheet in sheets(recording, say):
        page = book.create_sheet(sheet.title[:31])
        page.freeze_panes = "A2"
        for column, name in enumerate(sheet.head, 1):
            page.column_dimensions[get_column_letter(column)].width = _width(name, sheet.rows, column - 1)

        def written(value: Cell, font: Font | None = None, page: Any = page) -> Any:
            if isinstance(value, float) and not math.isfinite(value):
                return None
            if not isinstance(value, str):
                return value
            cell = WriteOnlyCell(page, value)
            # Else a text that begins with = would be a formula.
            cell.data_type = "s"
            if font is not None:
                cell.font = font
            return cell

        page.append([written(name, bold) for name in sheet.head])
        for row in sheet.rows:
            page.append([written(value) for value in row])
    book.save(path)


def _width(name: str, rows: tuple[tuple[Cell, ...], ...], column: int) -> float:
    longest = max((len(str(row[column])) for row in rows[:50] if isinstance(row[column], str)), default=0)
    return float(min(60, max(10, len(name) + 2, longest + 2)))


def _csv_cell(value: Cell, german: bool) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return str(value).replace(".", ",") if german else str(value)


def _about(recording: Recording, say: Texts) -> Sheet:
    video = recording.video
    rows: list[tuple[Cell, ...]] = [
        (say("Video"), PurePath(video.path).name or video.path),
        (say("Analysed"), recording.created),
        (say("Length (s)"), round(video.duration_s, 2)),
        (say("Pictures a second"), round(video.fps_hz, 3)),
    ]
    for person in recording.people:
        called = say("Person {id}", id=person.id)
        rows.append((called, verdict(recording, person, say)))
        given = person.scale_source == "given" and person.height_m
        rows.append(
            (say("Body height (m)"), round(person.height_m, 3) if given and person.height_m else say("not given"))
        )
    rows += [(say("Warning"), say.warning(text)) for text in recording.warnings]
    reading = say("± is half of a 90 % interval: the true value should lie within it nine times in ten.")
    rows.append((say("Reading"), reading))
    rows.append(("posepipe", footer(say)))
    return Sheet("about", say("About"), (say("What"), say("Value")), tuple(rows))


def _repetitions(recording: Recording, say: Texts) -> Sheet:
    head = (
        *(say("Person"), say("Exercise"), say("No."), say("From (s)"), say("Turn (s)"), say("To (s)")),
        *(say("Range of motion (°)"), "± (°)", say("Out (s)"), say("Back (s)"), say("Side")),
        *(say("Left − right (°)"), say("Score (of 100)"), say("Form"), say("Counted"), say("Why")),
    )

    def counted(person: Person, bout: Bout, number: int, rep: Repetition) -> tuple[Cell, ...]:
        return (
            *(person.id, say(exercise_name(bout.label)), number, rep.start_s, rep.turn_s, rep.end_s),
            *(rep.rom_deg, _half(rep.rom_sigma_deg, 1), *rep.tempo_s, say(rep.side), rep.left_right_deg),
            *(round(100 * rep.score) if math.isfinite(rep.score) else None, form_words(bout.label, rep, say)),
            *(say("yes"), ""),
        )

    rows: list[tuple[Cell, ...]] = []
    for person in recording.people:
        for bout in person.exercise.bouts:
            rows += [counted(person, bout, number, rep) for number, rep in enumerate(bout.reps, 1)]
            for item in bout.rejected:
                gap: list[Cell] = [None] * 8
                start = (person.id, say(exercise_name(bout.label)), None, item.start_s, None, item.end_s)
                rows.append((*start, *gap, say("no"), why(item.reason, say)))
    return Sheet("repetitions", say("Repetitions"), head, tuple(rows))


def _gait(recording: Recording, say: Texts) -> Sheet:
    head = (say("Person"), say("Measure"), say("Side"), say("Value"), "±", say("Why it is missing"))
    rows = [row for person in recording.people if person.gait.withheld is None for row in _numbers(person, say)]
    return Sheet("gait", say("Gait"), head, tuple(rows))


def _numbers(person: Person, say: Texts) -> Iterator[tuple[Cell, ...]]:
    def row(name: str, part: str, item: Value | Reason) -> tuple[Cell, ...]:
        if isinstance(item, Reason):
            return person.id, name, part, None, None, why(item, say)
        return person.id, name, part, float(f"{item.value:.6g}"), _half(item.sigma, 4), ""

    found = person.gait
    for side in SIDES:
        yield person.id, say("Strides"), say(side), found.parameters.strides.get(side, 0), None, ""
    items: dict[str, Measured] = dict(found.parameters.items)
    for name, item in items.items():
        label = say(words(name))
        if not isinstance(item, Value | Reason):
            for part, value in item.items():
                yield row(label, say(part if part in SIDES else words(part)), value)
        else:
            yield row(label, "", item)


def _cycles(recording: Recording, say: Texts) -> Sheet:
    spans = [(say("{angle}, least (°)"), np.nanmin), (say("{angle}, greatest (°)"), np.nanmax)]
    names = [text.format(angle=say(words(name))) for name in ANGLES for text, _ in spans]
    head = (say("Person"), say("No."), say("Side"), say("From (s)"), say("To (s)"), say("Toe off (%)"), *names)
    rows: list[tuple[Cell, ...]] = []
    for person in recording.people:
        for number, cycle in enumerate(person.gait.cycles, 1):
            first = (person.id, number, say(cycle.side), round(cycle.start_s, 3), round(cycle.end_s, 3))
            ends: list[Cell] = []
            for name in ANGLES:
                deg = cycle.angle(name)
                known = bool(np.isfinite(deg).any())
                ends += [round(float(end(deg)), 1) if known else None for _, end in spans]
            rows.append((*first, round(100 * cycle.toe_off, 1), *ends))
    return Sheet("cycles", say("Gait cycles"), head, tuple(rows))


def _angles(recording: Recording, say: Texts) -> Sheet:
    labels = {spec.name: spec.label for spec in SPECS}
    names = tuple(dict.fromkeys(name for person in recording.people for name in person.angles.names))
    angles = [part for name in names for part in (f"{say(labels.get(name, name))} (°)", "± (°)")]
    rows: list[tuple[Cell, ...]] = []
    for person in recording.people:
        columns = [person.angles.names.index(name) if name in person.angles.names else None for name in names]
        deg, half = np.round(person.angles.deg, 1), np.round(BAND * person.angles.sigma_deg, 1)
        track = person.keypoints
        for frame in range(len(track)):
            cells: list[Cell] = []
            for column in columns:
                known = column is not None and math.isfinite(deg[frame, column])
                cells += [_float(deg[frame, column]), _float(half[frame, column])] if known else [None, None]
            rows.append((person.id, int(track.frame[frame]), round(float(track.time_s[frame]), 4), *cells))
    return Sheet("angles", say("Angles"), (say("Person"), say("Frame"), say("Time (s)"), *angles), tuple(rows))


def _half(sigma: float, digits: int) -> float | None:
    return round(BAND * sigma, digits) if math.isfinite(sigma) else None


def _float(value: Any) -> float:
    # float32 0.1 would become 0.10000000149.
    return round(float(value), 1)


def write_csv_tables(
    recording: Recording, folder: Path, names: Iterable[str], say: Texts = ENGLISH
) -> tuple[Path, ...]:
    """Write some tables as ``NAME.csv``; those without a row are left out.

    Args:
        recording: made or loaded.
        folder: it exists.
        names: of `SHEETS`.
        say: the language.
    """
    wanted, written = set(names), []
    for sheet in sheets(recording, say):
        if sheet.name in wanted:
            written.append(folder / f"{sheet.name}.csv")
            write_sheet_csv(sheet, written[-1], say)
    return tuple(written)
