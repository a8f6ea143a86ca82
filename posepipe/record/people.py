"""People who come again: who they are, which results are theirs, and how their numbers went.

All of it is files in the library, to be read without us: ``people/ID.json`` for a person, and ``person.json`` in the
folder of each result. ``index.sqlite`` beside them only saves time: it is made again from the files when they differ.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posepipe.errors import InputError, OutputError, UsageError
from posepipe.gait.types import Value
from posepipe.media.atomic import atomic_path, output_error
from posepipe.record.codec import exercise_from, gait_columns
from posepipe.record.seal import writing

__all__ = ["Client", "Session", "Trend", "assign", "assigned", "clients", "save_client", "sessions", "trends", "whose"]

_PEOPLE, _ASSIGNED, _INDEX = "people", "person.json", "index.sqlite"
_SCHEMA = 1
_BAND = 1.645
"""A change counts where its whole 90 % error bar is on one side of zero, as in the comparison of two sessions."""


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who is followed.

    Attributes:
        id: letters, digits and hyphens; also the file's name.
        name: may be empty: an id is enough.
        height_m: of the body; None if it isn't known.
        notes: free text.
        consent: what they agreed to, and when.
    """

    id: str
    name: str = ""
    height_m: float | None = None
    notes: str = ""
    consent: str = ""

    def __post_init__(self) -> None:
        if not self.id or not all(letter.isalnum() or letter == "-" for letter in self.id) or len(self.id) > 40:
            raise UsageError(f"an id of {self.id!r}", hint="Give letters, digits and hyphens")
        if self.height_m is not None and not 0.4 <= self.height_m <= 2.6:
            raise UsageError(f"a height of {self.height_m} m", hint="Give one in metres between 0.4 and 2.6")


@dataclass(frozen=True, slots=True)
class Session:
    """One result of a person.

    Attributes:
        folder: where it lies.
        created: ISO 8601 time.
        person: id of whose it is; empty if nobody's.
        values: numbers by name: "squat reps", "squat rom_deg", "squat speed_deg_s", and a walk's as `gait_columns`
            names them.
    """

    folder: Path
    created: str
    person: str
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Trend:
    """One number over a person's sessions.

    Attributes:
        name: as in `Session.values`.
        points: (time, value) in order of time.
        change: last less first.
        smallest_real: half of the change's 90 % interval: less than that may be chance.
    """

    name: str
    points: tuple[tuple[str, Value], ...]
    change: float
    smallest_real: float

    @property
    def real(self) -> bool:
        """Whether the change is beyond the error of both measurements."""
        return abs(self.change) > self.smallest_real


def clients(root: Path) -> list[Client]:
    """Everybody in a library, by id; files that aren't such are left out."""
    found = []
    for path in sorted((root / _PEOPLE).glob("*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError, UsageError):
            row = json.loads(path.read_text(encoding="utf-8"))
            if row.pop("schema") == _SCHEMA:
                found.append(Client(**row))
    return found


def save_client(client: Client, root: Path) -> Path:
    """Write ``people/ID.json``.

    Raises:
        OutputError: the disk refuses.
    """
    path = root / _PEOPLE / f"{client.id}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, path) from error
    with atomic_path(path) as temporary:
        text = json.dumps({"schema": _SCHEMA, **asdict(client)}, ensure_ascii=False, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def assign(folder: Path, person: str, key: str, notes: str = "") -> None:
    """Say whose a result is, and what there is to note of it, in its own folder; an empty person says nobody's.

    Args:
        folder: of a result or a live session.
        person: an id.
        key: of the folder's record; see `posepipe.record.seal.read_record`.
        notes: free text about this session.

    Raises:
        OutputError: the folder can't be written.
    """
    with writing(folder, key) as made:
        text = json.dumps({"schema": _SCHEMA, "person": person, "notes": notes}, ensure_ascii=False, indent=1)
        (made / _ASSIGNED).write_text(text + "\n", encoding="utf-8")


def assigned(folder: Path) -> str:
    """Whose a result is; empty if nobody said."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((folder / _ASSIGNED).read_text(encoding="utf-8"))["person"])
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((folder / "session.json").read_text(encoding="utf-8"))["person"])
    return ""


def whose(folder: Path) -> tuple[Client | None, str]:
    """Whose a result is, with what their file in the library around it says, and the notes of the session."""
    id_, notes = assigned(folder), ""
    with suppress(OSError, ValueError, KeyError, TypeError):
        notes = str(json.loads((folder / _ASSIGNED).read_text(encoding="utf-8"))["notes"]).strip()
    if not id_:
        return None, notes
    with suppress(UsageError):
        return next((one for one in clients(folder.absolute().parent) if one.id == id_), Client(id_)), notes
    return None, notes


def sessions(root: Path, folders: Iterable[Path]) -> list[Session]:
    """Every result with its numbers, oldest first. What didn't change since the last look comes from the index.

    Args:
        root: the library.
        folders: of results and live sessions in it.
    """
    found = []
    with closing(_index(root)) as index:
        known = {row[0]: row[1:] for row in index.execute("SELECT folder, stamp, row FROM sessions")}
        for folder in folders:
            stamp = _stamp(folder)
            old = known.get(folder.name)
            if old is not None and old[0] == stamp:
                row = json.loads(old[1])
            else:
                row = _row(folder)
                text = json.dumps(row, allow_nan=False)
                index.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", (folder.name, stamp, text))
            values = {name: Value(value, sigma) for name, (value, sigma) in row["values"].items()}
            found.append(Session(folder, row["created"], row["person"], values))
        names = {session.folder.name for session in found}
        index.executemany("DELETE FROM sessions WHERE folder = ?", [(name,) for name in known if name not in names])
        index.commit()
    return sorted(found, key=lambda session: (session.created, session.folder.name))


def trends(own: list[Session]) -> list[Trend]:
    """Every number that at least two of a person's sessions have.

    Args:
        own: one person's, in order of time.
    """
    names = dict.fromkeys(name for session in own for name in session.values)
    out = []
    for name in names:
        points = tuple((session.created, session.values[name]) for session in own if name in session.values)
        if len(points) < 2:
            continue
        first, last = points[0][1], points[-1][1]
        out.append(Trend(name, points, last.value - first.value, _BAND * float(np.hypot(first.sigma, last.sigma))))
    return out


def _index(root: Path) -> sqlite3.Connection:
    """The index, or one in memory where the library can't be written."""
    table = "CREATE TABLE IF NOT EXISTS sessions (folder TEXT PRIMARY KEY, stamp TEXT, row TEXT)"
    for place in (str(root / _INDEX), ":memory:"):
        index = sqlite3.connect(place)
        try:
            index.execute(table)
            index.execute("SELECT folder, stamp, row FROM sessions LIMIT 1")
            return index
        except sqlite3.DatabaseError:
            index.close()
    raise OutputError("no index can be made", where=str(root), hint="Free some memory")


def _stamp(folder: Path) -> str:
    parts = []
    for name in ("summary.json", "session.json", _ASSIGNED):
        with suppress(OSError):
            state = (folder / name).stat()
            parts.append(f"{name} {state.st_mtime_ns} {state.st_size}")
    return "; ".join(parts)


def _row(folder: Path) -> dict[str, Any]:
    try:
        if (folder / "summary.json").is_file():
            document = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            person = (
                document["people"][0] if document["people"] else {"exercise": {"withheld": "too_short"}, "gait": {}}
            )
            values = dict(_exercise(person["exercise"]))
            if "withheld" not in person["gait"]:
                values |= dict(_gait(person["gait"]))
        else:
            document = json.loads((folder / "session.json").read_text(encoding="utf-8"))
            rows = [{**one, "label": one["exercise"] or "other", "confidence": 1.0} for one in document["sets"]]
            values = dict(_exercise({"segments": [{**row, "rejected": []} for row in rows]}))
        return {"created": str(document["created"]), "person": assigned(folder), "values": values}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"can't be read ({error})", where=str(folder), hint="Choose another folder") from error


def _exercise(section: dict[str, Any]) -> Iterator[tuple[str, tuple[float, float]]]:
    result = exercise_from(section)
    for label, count in result.reps_by_label.items():
        reps = [rep for bout in result.bouts if bout.label == label for rep in bout.reps]
        yield f"{label} reps", (float(count), 0.0)
        deg = np.array([rep.rom_deg for rep in reps], np.float64)
        sigma = np.array([rep.rom_sigma_deg for rep in reps], np.float64)
        out_s = np.array([rep.tempo_s[0] for rep in reps], np.float64)
        known = np.isfinite(deg) & np.isfinite(sigma)
        if known.any():
            yield f"{label} rom_deg", _mean(deg[known], sigma[known])
        moving = known & (out_s > 0.0)
        if moving.any():
            speed = deg[moving] / out_s[moving]
            yield f"{label} speed_deg_s", _mean(speed, sigma[moving] / out_s[moving])


def _mean(values: Any, sigma: Any) -> tuple[float, float]:
    """A mean whose sigma is that of one measurement, which repetitions share, and of their spread."""
    spread = float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return float(values.mean()), float(np.hypot(np.sqrt((sigma**2).mean()), spread))


def _gait(section: dict[str, Any]) -> Iterator[tuple[str, tuple[float, float]]]:
    columns = gait_columns(section)
    for name, value in columns.items():
        sigma = columns.get(f"{name}_sigma")
        if isinstance(value, float) and isinstance(sigma, float):
            yield name, (value, sigma)
