"""``posepipe analyze``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from posepipe.pipeline import Config
    from posepipe.results.recording import Recording

__all__ = ["Task", "analyze", "analyze_to_folder", "print_outcome"]


class Task(str, Enum):
    """What to look for."""

    auto = "auto"
    exercise = "exercise"
    gait = "gait"
    pose = "pose"


def analyze(
    video: Annotated[
        str,
        typer.Argument(
            help="Video file, folder of images, image pattern, webcam number, or stream address.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Results folder.", show_default="NAME-posepipe in this folder")
    ] = None,
    task: Annotated[Task, typer.Option(help="What to look for.")] = Task.auto,
    subject: Annotated[str, typer.Option(help="Whom to analyse: largest, center, all, or an id.")] = "largest",
    height_m: Annotated[
        float | None, typer.Option(help="The person's height; makes lengths measured, not assumed.")
    ] = None,
    fov_deg: Annotated[float | None, typer.Option(help="The camera's angle of view along the longer side.")] = None,
    detector: Annotated[
        str, typer.Option(help="blazepose, mediapipe, or the path of a .task or RTMPose .onnx file.")
    ] = "blazepose",
    refine: Annotated[
        bool, typer.Option("--refine/--no-refine", help="Optimise the 3D pose at test time, about 3 ms a frame.")
    ] = False,
    video_out: Annotated[
        bool, typer.Option("--video/--no-video", help="Write annotated.mp4 (not for live inputs).")
    ] = True,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="Further formats: csv json coco trc mot c3d bvh rrd npz netcdf."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json, or the error, as JSON.")] = False,
) -> None:
    """Analyse one video into a results folder."""
    from posepipe.pipeline import Config
    from posepipe.results.formats import parse_formats

    config = Config(
        task=task.value,
        subject=subject,
        height_m=height_m,
        fov_deg=fov_deg,
        detector=detector,
        refine=refine,
    )
    folder = out if out is not None else Path.cwd() / f"{_stem(video)}-posepipe"
    wanted = [item.name for item in parse_formats(formats or ())]
    recording = analyze_to_folder(video, folder, config, video_out=video_out, formats=wanted)
    if as_json:
        from posepipe.results.summary import summary_dict

        typer.echo(json.dumps(summary_dict(recording) | {"folder": str(folder)}, ensure_ascii=False, indent=2))
    else:
        print_outcome(recording, folder)


def analyze_to_folder(
    video: str, folder: Path, config: Config, *, video_out: bool, formats: Sequence[str] = ()
) -> Recording:
    """Run the pipeline with a progress bar on stderr and write the results folder."""
    from posepipe.cli.progress import Progress
    from posepipe.media.atomic import require_writable
    from posepipe.media.sources import is_live
    from posepipe.pipeline import Pipeline

    require_writable(folder)
    with Progress() as progress:
        pipeline = Pipeline(config)
        recording = pipeline.run(video, on_progress=progress)
        if video_out and not is_live(video):
            pipeline.annotate(recording, video, folder / "annotated.mp4", on_progress=progress)
        # The summary comes last: a folder with a summary is whole.
        recording.save(folder, formats=formats)
    return recording


def _stem(video: str) -> str:
    if "://" in video:
        return "stream"
    if video.isdigit():
        return f"camera-{video}"
    return Path(video).stem.replace("*", "") or "images"


def print_outcome(recording: Recording, folder: Path) -> None:
    """Say in a few lines what was found and where it lies."""
    from posepipe.results.sections import verdict

    for warning in recording.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for person in recording.people:
        typer.echo(verdict(recording, person))
    typer.echo(f"results in {folder}; start with {folder / 'report.html'}")
