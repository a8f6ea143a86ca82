"""Writes and reads a results folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from posepipe.body.motion import Motion
from posepipe.errors import InputError, UsageError
from posepipe.formats.registry import parse_formats, write_formats
from posepipe.gait.types import GaitResult
from posepipe.media.atomic import atomic_path, expanded
from posepipe.reasons import Reason
from posepipe.record.codec import decode, encode
from posepipe.record.recording import SCHEMA, Person, Recording
from posepipe.record.seal import RESULTS, recording_key, writing
from posepipe.texts import load as load_texts

if TYPE_CHECKING:
    from posepipe.reports.blocks import Block

__all__ = ["key_of", "load", "names_of", "save", "write_report"]


def save(
    recording: Recording,
    folder: Path | str,
    *,
    formats: str | Iterable[str] = (),
    language: str = "en",
    more: Mapping[str, Callable[[Path], object]] = MappingProxyType({}),
    work: Path | None = None,
) -> tuple[Path, ...]:
    """Write ``poses.parquet``, ``angles.parquet``, ``report.html`` and ``summary.json``, and what else is asked for.

    All come into place at the end, the summary last: a folder with a summary is whole. If anyone walks, ``gait.json``,
    ``gait.html`` and ``gait.pdf`` come, too; see `posepipe.reports.gait`.

    Args:
        recording: what to write.
        folder: made if it is missing. What an earlier analysis wrote there goes, other files stay.
        formats: further formats; see `posepipe.formats.write_formats`.
        language: of the reports; see `posepipe.texts.LANGUAGES`.
        more: further files: name -> what writes it.
        work: see `posepipe.record.seal.writing`.

    Returns:
        The paths written.

    Raises:
        OutputError: the folder or disk refuses, or a file there that isn't ours has such a name.
        UsageError: there is no such format or language, or a package that a format needs is missing.
    """
    from posepipe.record.summary import summary_json
    from posepipe.record.tables import write_angles, write_poses

    wanted = [item for item in parse_formats(formats) if item.name != "parquet"]
    folder = expanded(folder)
    with writing(folder, key_of(recording), work=work) as made:
        for name, write in more.items():
            write(made / name)
        write_formats(recording, made, wanted)
        if any(person.gait.withheld is None for person in recording.people):
            from posepipe.reports.gait import write_gait_reports

            write_gait_reports(recording, made, language)
            _write_gait(recording, made / "gait.json")
        write_poses(recording.people, made / "poses.parquet")
        write_angles(recording.people, made / "angles.parquet")
        _write_page(recording, made / "report.html", language)
        # Half a character, from a file name that isn't UTF-8, becomes JSON's own escape.
        text = summary_json(recording)
        (made / "summary.json").write_text(text, encoding="utf-8", errors="backslashreplace")
        written = sorted(path.name for path in made.iterdir())
    return tuple(folder / name for name in written)


def key_of(recording: Recording) -> str:
    """Tells a recording's files from another's; see `posepipe.record.seal.Record`."""
    return recording_key(recording.created, recording.video.path, (person.id for person in recording.people))


def names_of(formats: str | Iterable[str] = ()) -> tuple[str, ...]:
    """Names and patterns of what `save` may write, for `posepipe.record.seal.require_room`."""
    return (*RESULTS, *(pattern for item in parse_formats(formats) for pattern in item.files))


def _write_gait(recording: Recording, path: Path) -> None:
    """Everything found in each walk: what ``summary.json`` sums up, in full."""
    people = {str(person.id): encode(person.gait) for person in recording.people if person.gait.withheld is None}
    document = {"schema": SCHEMA, "created": recording.created, "people": people}
    path.write_text(json.dumps(document, allow_nan=False, separators=(",", ":")) + "\n", encoding="utf-8")


def write_report(
    recording: Recording, path: Path | str, *, language: str = "en", about: tuple[Block, ...] = ()
) -> Path:
    """Write the report alone, for instance of a recording that was loaded.

    A path that ends in ``.pdf`` gets it for paper: all but the 3D view.

    Raises:
        OutputError: the folder or disk refuses.
    """
    from posepipe.reports.blocks_pdf import page_pdf
    from posepipe.reports.motion import motion_page

    path = expanded(path)
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".pdf":
            temporary.write_bytes(page_pdf(motion_page(recording, load_texts(language), moving=False, about=about)))
        else:
            _write_page(recording, temporary, language)
    return path


def load(folder: Path | str) -> Recording:
    """Read a results folder back. Key frames are pictures of the report and don't come back.

    Of a folder without a ``gait.json`` of the same analysis, whoever walks is analysed once more.

    Raises:
        InputError: a file is missing, damaged or of another schema.
    """
    from posepipe.record.summary import person_from, recording_from
    from posepipe.record.tables import read_angles, read_poses, read_world

    folder = expanded(folder)
    summary = _read_summary(folder / "summary.json")
    people: list[Person] = []
    try:
        poses, angles = read_poses(folder / "poses.parquet"), read_angles(folder / "angles.parquet")
        worlds = read_world(folder / "poses.parquet", folder / "angles.parquet")
        walks = _read_gait(folder / "gait.json", summary)
        for section in summary["people"]:
            keypoints, pose = poses[section["id"]]
            angle, yaw_deg, yaw_sigma_deg, root_sigma_m = angles[section["id"]]
            pose = replace(pose, root_sigma_m=root_sigma_m)
            gait = walks.get(section["id"]) or _gait_again(section, summary, Motion.from_pose(pose, angle, keypoints))
            world = worlds.get(section["id"])
            people.append(person_from(section, keypoints, pose, angle, yaw_deg, yaw_sigma_deg, gait, world))
        return recording_from(summary, tuple(people))
    except (AttributeError, LookupError, TypeError, UsageError, ValueError) as error:
        raise InputError(
            f"files don't fit together ({error})", where=str(folder), hint="Analyse the video again"
        ) from error


def _read_gait(path: Path, summary: Mapping[str, Any]) -> dict[int, GaitResult]:
    """Each walker's result; none where the file is missing or of another analysis."""
    if not path.is_file():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["schema"] != SCHEMA or document["created"] != summary["created"]:
        return {}
    return {int(key): decode(GaitResult, found) for key, found in document["people"].items()}


def _gait_again(section: Mapping[str, Any], summary: Mapping[str, Any], motion: Motion) -> GaitResult:
    """The gait of a folder that holds only its summary."""
    if not isinstance(section["gait"], Mapping):
        raise TypeError("gait is no section")
    why = section["gait"].get("withheld")
    if why is not None:
        return GaitResult(withheld=Reason(why))
    from posepipe.gait.analyse import analyse

    size = summary["video"]["width_px"], summary["video"]["height_px"]
    return analyse(replace(motion, size_px=size), scale_known=section["scale"]["source"] == "given")


def _write_page(recording: Recording, path: Path, language: str) -> None:
    from posepipe.reports.motion import render

    path.write_text(render(recording, language), encoding="utf-8", errors="replace")


def _read_summary(path: Path) -> dict[str, Any]:
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"can't be read ({error.strerror})", where=str(path), hint="Give a folder that posepipe analyze wrote"
        ) from error
    except (RecursionError, ValueError) as error:
        raise InputError("isn't JSON", where=str(path), hint="Analyse the video again") from error
    found = summary.get("schema") if isinstance(summary, dict) else None
    if found != SCHEMA:
        raise InputError(
            f"schema {found!r:.40}, this posepipe reads {SCHEMA}", where=str(path), hint="Analyse the video again"
        )
    return dict(summary)
