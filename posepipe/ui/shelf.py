"""Kept results: a folder that the user chose, with a results folder for each recording in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posepipe.errors import InputError, OutputError
from posepipe.ui.workspace import safe_name

__all__ = ["Kept", "delete", "keep", "kept"]

_MARK = "summary.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """A results folder on the shelf.

    Attributes:
        folder: where it lies.
        name: of the video.
        created: ISO 8601 time of the analysis.
        duration_s: of the video.
        people: how many were analysed.
        has_gait: walking was measured.
        exercises: repetitions by exercise, as far as any were counted.
    """

    folder: Path
    name: str
    created: str
    duration_s: float
    people: int
    has_gait: bool
    exercises: tuple[tuple[str, int], ...]


def kept(root: Path) -> list[Kept]:
    """Everything on the shelf, the newest first; folders that aren't results are left out.

    Raises:
        InputError: `root` isn't a folder that can be read.
    """
    try:
        folders = [path for path in root.iterdir() if (path / _MARK).is_file()]
    except OSError as error:
        raise InputError(
            f"can't be opened ({error.strerror})", where=str(root), hint="Choose a folder that exists"
        ) from error
    found = [entry for folder in folders if (entry := describe(folder)) is not None]
    return sorted(found, key=lambda entry: entry.created, reverse=True)


def describe(folder: Path) -> Kept | None:
    """What lies in a results folder; None if it isn't one."""
    try:
        summary = json.loads((folder / _MARK).read_text(encoding="utf-8"))
        people = summary["people"]
        return Kept(
            folder=folder,
            name=Path(str(summary["video"]["path"])).name or folder.name,
            created=str(summary["created"]),
            duration_s=float(summary["video"]["duration_s"]),
            people=len(people),
            has_gait=any("withheld" not in person["gait"] for person in people),
            exercises=tuple(_exercises(people)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _exercises(people: list[dict[str, Any]]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for person in people:
        for bout in person["exercise"].get("segments") or ():
            counts[bout["label"]] = counts.get(bout["label"], 0) + int(bout["reps"])
    return [(label, count) for label, count in counts.items() if count]


def keep(folder: Path, root: Path, name: str) -> Path:
    """Copy a results folder onto the shelf, under a name of its own.

    Raises:
        OutputError: the shelf can't be written.
    """
    stem = safe_name(name).rsplit(".", 1)[0]
    try:
        root.mkdir(parents=True, exist_ok=True)
        target = next(path for path in _names(root, stem) if not path.exists())
        # Whole or not at all: a half copy has another name.
        copy = root / f".{target.name}.part"
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        copy.rename(target)
    except OSError as error:
        raise OutputError(
            f"can't be written ({error.strerror})", where=str(root), hint="Choose another folder"
        ) from error
    return target


def _names(root: Path, stem: str) -> Iterator[Path]:
    yield root / stem
    number = 2
    while True:
        yield root / f"{stem} ({number})"
        number += 1


def delete(folder: Path, root: Path) -> None:
    """Delete a results folder, if it is one and lies directly on the shelf.

    Raises:
        InputError: it isn't.
        OutputError: it can't be deleted.
    """
    if folder.is_symlink() or folder.resolve().parent != root.resolve() or describe(folder) is None:
        raise InputError("isn't a results folder of this library", where=str(folder), hint="Nothing was deleted")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"can't be deleted ({error.strerror})", where=str(folder)) from error
