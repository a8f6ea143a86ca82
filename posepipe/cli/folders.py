"""``posepipe convert``, ``lift``, ``report`` and ``compare``: results folders from and to other files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from posepipe.cli.analyze import Task, print_outcome, results_folder

__all__ = ["compare", "convert", "lift", "report"]


def convert(
    folder: Annotated[Path, typer.Argument(help="Results folder.", show_default=False, readable=False)],
    formats: Annotated[
        list[str],
        typer.Option("--format", help="parquet csv json coco trc mot c3d bvh glb rrd npz netcdf.", show_default=False),
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write.", show_default="the results folder")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the files written as JSON.")] = False,
) -> None:
    """Write a results folder in other formats; several may follow each other, or stand with commas between."""
    from posepipe.formats.registry import parse_formats, write_formats
    from posepipe.record.folder import key_of, load
    from posepipe.record.seal import require_room, writing

    wanted = parse_formats(formats)
    target = out if out is not None else folder
    require_room(target, [pattern for item in wanted for pattern in item.files])
    recording = load(folder)
    with writing(target, key_of(recording)) as made:
        written = [target / path.name for path in write_formats(recording, made, wanted)]
    if as_json:
        typer.echo(json.dumps({"files": [str(path) for path in written]}, indent=1))
        return
    for path in written:
        typer.echo(str(path))


def lift(
    keypoints: Annotated[
        Path, typer.Argument(help="File, or OpenPose's folder of files.", show_default=False, readable=False)
    ],
    out: Annotated[Path | None, typer.Option(help="Results folder.", show_default="NAME-posepipe here")] = None,
    source: Annotated[
        str, typer.Option("--from", help="openpose alphapose mmpose mediapipe coco deeplabcut sleap, or auto.")
    ] = "auto",
    fps: Annotated[float | None, typer.Option(help="Frames a second, if the file doesn't say.")] = None,
    size: Annotated[str | None, typer.Option(help="Width x height of the picture, as 1920x1080.")] = None,
    task: Annotated[Task, typer.Option(help="What to look for.")] = Task.auto,
    subject: Annotated[str, typer.Option(help="Whom to analyse: largest, center, all, or an id.")] = "largest",
    height_m: Annotated[float | None, typer.Option(help="The person's height.")] = None,
    camera_height_m: Annotated[
        float | None, typer.Option(help="The camera's height over the floor; sets the scale where nobody's is known.")
    ] = None,
    fov_deg: Annotated[float | None, typer.Option(help="The camera's angle of view along the longer side.")] = None,
    formats: Annotated[list[str] | None, typer.Option("--format", help="Further formats: trc,bvh,coco …")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json as JSON.")] = False,
) -> None:
    """Lift and analyse 2D keypoints into a results folder."""
    from posepipe.api import lift as lift_keypoints
    from posepipe.errors import UsageError
    from posepipe.formats.registry import parse_formats
    from posepipe.record.folder import names_of, save
    from posepipe.record.seal import require_room

    wanted = parse_formats(formats or ())
    width_px, height_px = None, None
    if size is not None:
        parts = size.lower().replace("×", "x").split("x")
        if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
            raise UsageError(f"size {size!r}", hint="Give width x height, as 1920x1080")
        width_px, height_px = (int(part) for part in parts)
    folder = results_folder(out, keypoints.stem)
    names = [item.name for item in wanted]
    require_room(folder, names_of(names), source=keypoints)
    recording = lift_keypoints(
        keypoints,
        source=source,
        fps_hz=fps,
        width_px=width_px,
        height_px=height_px,
        task=task.value,
        subject=subject,
        height_m=height_m,
        camera_height_m=camera_height_m,
        fov_deg=fov_deg,
    )
    save(recording, folder, formats=names)
    print_outcome(recording, folder, as_json)


def report(
    folder: Annotated[
        Path, typer.Argument(help="Results folder of posepipe analyze.", show_default=False, readable=False)
    ],
    sex: Annotated[str | None, typer.Option(help="female or male, for the published ranges.")] = None,
    age: Annotated[int | None, typer.Option(min=0, max=120, help="In years, for the published ranges.")] = None,
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
    pdf: Annotated[bool, typer.Option("--pdf", help="Write report.pdf, too: report.html without its 3D view.")] = False,
) -> None:
    """Write gait.html and gait.pdf again, with ranges for sex and age, and with the person's name if it is known."""
    from posepipe.record.folder import key_of, load, write_report
    from posepipe.record.seal import writing
    from posepipe.reports.about import about
    from posepipe.reports.gait import walker, write_gait_reports
    from posepipe.texts import load as load_texts

    recording = load(folder)
    head = about(folder, recording.created, load_texts(language))
    if not pdf:
        walker(recording, str(folder))
    with writing(folder, key_of(recording)) as made:
        written = write_gait_reports(recording, made, language, sex=sex, age_years=age, about=head)
        if pdf:
            written += (write_report(recording, made / "report.pdf", language=language, about=head),)
    for path in written:
        typer.echo(str(folder / path.name))


def compare(
    before: Annotated[
        Path, typer.Argument(help="Results folder of the first session.", show_default=False, readable=False)
    ],
    after: Annotated[
        Path, typer.Argument(help="Results folder of the second session.", show_default=False, readable=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for comparison.html and comparison.pdf.")] = Path(),
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
) -> None:
    """Compare two gait sessions of one person."""
    from posepipe.record.folder import load
    from posepipe.reports.comparison import write_comparison
    from posepipe.reports.gait import walker

    first, second = ((found := load(folder), walker(found, str(folder))) for folder in (before, after))
    for path in write_comparison(first, second, out, language):
        typer.echo(str(path))
