"""``posepipe agree``: our numbers against a laboratory's."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["agree"]


def agree(
    folder: Annotated[Path, typer.Argument(help="Results folder.", show_default=False, readable=False)],
    reference: Annotated[
        Path,
        typer.Argument(
            help="What the laboratory measured: MOT, STO, C3D, TRC or CSV.", show_default=False, readable=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the page and tables.")] = Path(),
    person: Annotated[int | None, typer.Option(help="Whom, by id.", show_default="the main subject")] = None,
    offset_s: Annotated[
        float | None, typer.Option(help="Added to the reference's clock.", show_default="where both are most alike")
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option(help="OURS=THEIRS, as left_knee_flexion=KneeL; -KneeL turns the sign.")
    ] = None,
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare joint angles and gait events with a laboratory's of the same movement."""
    from posepipe.errors import UsageError
    from posepipe.formats.reference import read_reference
    from posepipe.record.agree import agree as compare
    from posepipe.record.folder import load
    from posepipe.reports.agreement import write_agreement

    named = {}
    for item in columns or ():
        ours, equals, theirs = item.partition("=")
        if not (ours and equals and theirs):
            raise UsageError(f"--columns {item!r}", hint="Give OURS=THEIRS, as left_knee_flexion=KneeL")
        named[ours] = theirs
    recording = load(folder)
    ids = {one.id: one for one in recording.people}
    if not ids or (person is not None and person not in ids):
        raise UsageError(
            f"no person {person}" if ids else "holds nobody",
            where=str(folder),
            hint=f"There: {', '.join(map(str, ids)) or 'nobody'}",
        )
    found = compare(
        recording.people[0] if person is None else ids[person], read_reference(reference, named), offset_s=offset_s
    )
    written = write_agreement(found, out, language)
    if as_json:
        # Samples are in agreement-pairs.csv.
        table: dict[str, Any] = asdict(found)
        for angle in table["angles"]:
            for name in ("ours_deg", "sigma_deg", "theirs_deg"):
                angle.pop(name)
            angle["samples"] = len(angle.pop("time_s"))
        table["files"] = [str(path) for path in written]
        typer.echo(json.dumps(_plain(table), indent=1, allow_nan=False))
        return
    for path in written:
        typer.echo(str(path))


def _plain(value: Any) -> Any:
    """Values as JSON has them; NaN is null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if value == value and abs(value) != float("inf") else None
    return value
