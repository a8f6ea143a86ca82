"""``posepipe analyze`` and ``posepipe demo``."""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from posepipe.media.atomic import fitting
from posepipe.system import portable_name

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from posepipe.record.recording import Recording

__all__ = ["Quality", "Task", "analyze", "demo", "print_outcome", "results_folder"]


class Task(str, Enum):
    """What to look for."""

    auto = "auto"
    exercise = "exercise"
    gait = "gait"
    pose = "pose"


class Anonymise(str, Enum):
    """What pictures and the annotated video show."""

    no = "no"
    blur = "blur"
    figure = "figure"


class Quality(str, Enum):
    """How closely to look."""

    auto = "auto"
    fast = "fast"
    standard = "standard"
    best = "best"


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
    camera_height_m: Annotated[
        float | None, typer.Option(help="The camera's height over the floor; sets the scale where nobody's is known.")
    ] = None,
    fov_deg: Annotated[float | None, typer.Option(help="The camera's angle of view along the longer side.")] = None,
    capture_fps_hz: Annotated[
        float | None, typer.Option("--capture-fps", help="Slow motion: rate at which the pictures were taken.")
    ] = None,
    quality: Annotated[
        Quality, typer.Option(help="Which of BlazePose's networks, and how often; auto is best where heavy is at hand.")
    ] = Quality.auto,
    detector: Annotated[
        str, typer.Option(help="blazepose, mediapipe, or the path of a .task or of a pose network's .onnx.")
    ] = "blazepose",
    refine: Annotated[
        bool, typer.Option("--refine/--no-refine", help="Optimise the 3D pose at test time, about 3 ms a frame.")
    ] = False,
    anonymise: Annotated[
        Anonymise, typer.Option(help="What pictures and the video show: no change, faces blurred, or the figure only.")
    ] = Anonymise.no,
    video_out: Annotated[
        bool, typer.Option("--video/--no-video", help="Write annotated.mp4 (not for live inputs).")
    ] = True,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="Further formats: csv tables xlsx json coco trc mot c3d bvh glb rrd npz netcdf."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json, or the error, as JSON.")] = False,
) -> None:
    """Analyse one video into a results folder."""
    from posepipe.api import analyze as analyze_video

    folder = results_folder(out, _stem(video))
    with Progress() as progress:
        recording = analyze_video(
            video,
            folder,
            task=task.value,
            subject=subject,
            height_m=height_m,
            camera_height_m=camera_height_m,
            fov_deg=fov_deg,
            detector=detector,
            refine=refine,
            capture_fps_hz=capture_fps_hz,
            anonymise=anonymise.value,
            quality=quality.value,
            video_out=video_out,
            formats=formats or (),
            on_progress=progress,
        )
    print_outcome(recording, folder, as_json)


def results_folder(out: Path | None, stem: str) -> Path:
    """The folder asked for, or ``STEM-posepipe`` in the current one."""
    return out if out is not None else Path.cwd() / portable_name(f"{fitting(stem)}-posepipe")


def _stem(video: str) -> str:
    if "://" in video:
        return "stream"
    if video.isdigit():
        return f"camera-{video}"
    return Path(video).stem.replace("*", "") or "images"


def print_outcome(recording: Recording, folder: Path, as_json: bool = False) -> None:
    """Say in a few lines what was found and where it lies, or print ``summary.json``."""
    if as_json:
        from posepipe.record.summary import summary_dict

        typer.echo(json.dumps(summary_dict(recording) | {"folder": str(folder)}, ensure_ascii=False, indent=2))
        return
    from posepipe.reports.sections import verdict

    for warning in recording.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for person in recording.people:
        typer.echo(verdict(recording, person))
    typer.echo(f"results in {folder}; start with {folder / 'report.html'}")


def demo(out: Annotated[Path, typer.Option(help="Results folder.")] = Path("posepipe-demo")) -> None:
    """Analyse the sample video."""
    from posepipe.api import analyze as analyze_video
    from posepipe.samples import SAMPLE_HEIGHT_M, SAMPLE_VIDEO

    with Progress() as progress:
        recording = analyze_video(SAMPLE_VIDEO, out, height_m=SAMPLE_HEIGHT_M, video_out=True, on_progress=progress)
    print_outcome(recording, out)


class Progress:
    """A bar on stderr; silent where stderr is no terminal.

    Call it with (stage, frames done, frames in all or None).
    """

    def __init__(self) -> None:
        self._bar: Bar | None = _bar() if sys.stderr.isatty() else None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` frames of a stage are finished."""
        if self._bar is None:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=total)
        self._bar.update(self._tasks[stage], completed=done, total=total)


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.progress import Task as Stage
    from rich.text import Text

    class FramesPerSecond(ProgressColumn):
        def render(self, task: Stage) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.0f} frames/s" if speed else "")

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        FramesPerSecond(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
