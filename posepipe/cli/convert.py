"""``posepipe convert`` and ``posepipe lift``: to and from other programs' files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from posepipe.cli.analyze import Task, print_outcome

__all__ = ["convert", "lift"]


def convert(
    folder: Annotated[Path, typer.Argument(help="Results folder.", show_default=False)],
    formats: Annotated[
        list[str],
        typer.Option("--format", help="parquet csv json coco trc mot c3d bvh rrd npz netcdf.", show_default=False),
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write.", show_default="the results folder")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the files written as JSON.")] = False,
) -> None:
    """Write a results folder in other formats; several may follow each other, or stand with commas between."""
    from posepipe.results.folder import load
    from posepipe.results.formats import parse_formats, write_formats

    wanted = parse_formats(formats)
    written = write_formats(load(folder), out if out is not None else folder, wanted)
    if as_json:
        typer.echo(json.dumps({"files": [str(path) for path in written]}, indent=1))
        return
    for path in written:
        typer.echo(str(path))


def lift(
    keypoints: Annotated[Path, typer.Argument(help="File, or OpenPose's folder of files.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Results folder.", show_default="NAME-posepipe here")] = None,
    source: Annotated[
        str,
        typer.Option("--from", help="openpose alphapose mmpose mediapipe coco deeplabcut sleap, or auto."),
    ] = "auto",
    fps: Annotated[float | None, typer.Option(help="Frames a second, if the file doesn't say.")] = None,
    size: Annotated[str | None, typer.Option(help="Width x height of the picture, as 1920x1080.")] = None,
    task: Annotated[Task, typer.Option(help="What to look for.")] = Task.auto,
    subject: Annotated[str, typer.Option(help="Whom to analyse: largest, center, all, or an id.")] = "largest",
    height_m: Annotated[float | None, typer.Option(help="The person's height.")] = None,
    fov_deg: Annotated[float | None, typer.Option(help="The camera's angle of view along the longer side.")] = None,
    formats: Annotated[list[str] | None, typer.Option("--format", help="Further formats: trc,bvh,coco …")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json as JSON.")] = False,
) -> None:
    """Lift and analyse 2D keypoints into a results folder."""
    from posepipe.api import lift as lift_keypoints
    from posepipe.errors import UsageError
    from posepipe.media.atomic import require_writable
    from posepipe.results.formats import parse_formats

    wanted = parse_formats(formats or ())
    width_px, height_px = None, None
    if size is not None:
        parts = size.lower().replace("×", "x").split("x")
        if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
            raise UsageError(f"size {size!r}", hint="Give width x height, as 1920x1080")
        width_px, height_px = (int(part) for part in parts)
    folder = out if out is not None else Path.cwd() / f"{keypoints.stem}-posepipe"
    require_writable(folder)
    recording = lift_keypoints(
        keypoints,
        source=source,
        fps_hz=fps,
        width_px=width_px,
        height_px=height_px,
        task=task.value,
        subject=subject,
        height_m=height_m,
        fov_deg=fov_deg,
    )
    recording.save(folder, formats=[item.name for item in wanted])
    if as_json:
        from posepipe.results.summary import summary_dict

        typer.echo(json.dumps(summary_dict(recording) | {"folder": str(folder)}, ensure_ascii=False, indent=2))
    else:
        print_outcome(recording, folder)
