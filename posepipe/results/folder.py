"""Writes and reads a results folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from posepipe.errors import InputError
from posepipe.media.atomic import atomic_path
from posepipe.results.recording import SCHEMA, Person, Recording

__all__ = ["load", "save", "write_report"]


def save(recording: Recording, folder: Path | str, *, language: str = "en") -> tuple[Path, ...]:
    """Write ``poses.parquet``, ``angles.parquet``, ``report.html`` and ``summary.json``.

    All four are written under hidden temporary names and renamed at the end, the summary last: a folder with a
    summary is whole. Before them, ``gait.html`` and ``gait.pdf`` of people with a gait result; see
    `posepipe.results.gait_report_files`.

    Args:
        recording: what to write.
        folder: made if it is missing; other files in it are left alone.
        language: of ``report.html``; see `posepipe.results.language.LANGUAGES`.

    Returns:
        The paths written.

    Raises:
        OutputError: the folder or disk refuses.
    """
    from posepipe.results.summary import summary_json
    from posepipe.results.tables import write_angles, write_poses

    folder = Path(folder)
    gait = _write_gait(recording, folder)
    writers: dict[str, Callable[[Path], object]] = {
        # Renamed in reverse order.
        "summary.json": lambda path: path.write_text(
            # Half a character, from a file name that isn't UTF-8, becomes JSON's own escape.
            summary_json(recording),
            encoding="utf-8",
            errors="backslashreplace",
        ),
        "report.html": lambda path: _write_page(recording, path, language),
        "angles.parquet": lambda path: write_angles(recording.people, path),
        "poses.parquet": lambda path: write_poses(recording.people, path),
    }
    with ExitStack() as stack:
        for name, write in writers.items():
            write(stack.enter_context(atomic_path(folder / name)))
    return (*(folder / name for name in writers), *gait)


def _write_gait(recording: Recording, folder: Path) -> tuple[Path, ...]:
    if all("withheld" in person.gait for person in recording.people):
        return ()
    from posepipe.results.gait_report_files import write_gait_reports

    return write_gait_reports(recording, folder)


def write_report(recording: Recording, path: Path | str, *, language: str = "en") -> Path:
    """Write the report alone, for instance of a recording that was loaded.

    Raises:
        OutputError: the folder or disk refuses.
    """
    with atomic_path(path) as temporary:
        _write_page(recording, temporary, language)
    return Path(path)


def load(folder: Path | str) -> Recording:
    """Read a results folder back. Key frames are pictures of the report and don't come back.

    Raises:
        InputError: a file is missing, damaged or of another schema.
    """
    from posepipe.results.summary import person_from, recording_from
    from posepipe.results.tables import read_angles, read_poses

    folder = Path(folder)
    summary = _read_summary(folder / "summary.json")
    poses, angles = read_poses(folder / "poses.parquet"), read_angles(folder / "angles.parquet")
    people: list[Person] = []
    try:
        for section in summary["people"]:
            keypoints, pose = poses[section["id"]]
            angle, yaw_deg, yaw_sigma_deg, root_sigma_m = angles[section["id"]]
            pose = replace(pose, root_sigma_m=root_sigma_m)
            people.append(person_from(section, keypoints, pose, angle, yaw_deg, yaw_sigma_deg))
        return recording_from(summary, tuple(people))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"files don't fit together ({error})", where=str(folder), hint="Analyse the video again"
        ) from error


def _write_page(recording: Recording, path: Path, language: str) -> None:
    from posepipe.results.report import render

    path.write_text(render(recording, language), encoding="utf-8", errors="replace")


def _read_summary(path: Path) -> dict[str, Any]:
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"can't be read ({error.strerror})", where=str(path), hint="Give a folder that posepipe analyze wrote"
        ) from error
    except ValueError as error:
        raise InputError("isn't JSON", where=str(path), hint="Analyse the video again") from error
    found = summary.get("schema") if isinstance(summary, dict) else None
    if found != SCHEMA:
        raise InputError(
            f"schema {found}, this posepipe reads {SCHEMA}", where=str(path), hint="Analyse the video again"
        )
    return dict(summary)
