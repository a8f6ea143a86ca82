"""``posepipe batch``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posepipe.cli.analyze import Quality, Task

if TYPE_CHECKING:
    from posepipe.batch.plan import Plan
    from posepipe.batch.run import Outcome

__all__ = ["batch"]


def batch(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of videos, a .csv or .txt list, or a video.", show_default=False, readable=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder for all results.", show_default=False)],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one for each core")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler that already runs.")] = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Leave out what is done already.")] = True,
    pattern: Annotated[list[str] | None, typer.Option(help="Only files like this, as '*_front.mp4'.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive/--no-recursive", help="Look into folders below.")] = True,
    limit: Annotated[int | None, typer.Option(min=0, help="Do at most so many videos.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    task: Annotated[Task, typer.Option(help="What to look for.")] = Task.auto,
    subject: Annotated[str, typer.Option(help="Whom to analyse: largest, center, all, or an id.")] = "largest",
    height_m: Annotated[float | None, typer.Option(help="Everybody's height; a list can give each their own.")] = None,
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
    detector: Annotated[str, typer.Option(help="blazepose, mediapipe, or the path of a model.")] = "blazepose",
    refine: Annotated[bool, typer.Option("--refine/--no-refine", help="Optimise the 3D pose at test time.")] = False,
    video_out: Annotated[bool, typer.Option("--video/--no-video", help="Write annotated.mp4 for each.")] = False,
    formats: Annotated[list[str] | None, typer.Option("--format", help="Further formats: trc,bvh,coco …")] = None,
    recycle: Annotated[int, typer.Option(min=1, help="Start a worker's process anew after so many videos.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome, or the plan, as JSON.")] = False,
) -> int:
    """Analyse many videos, each into its own results folder; start again to go on after a stop."""
    from posepipe.batch.jobs import Job, find_jobs
    from posepipe.batch.overview import BatchTable
    from posepipe.batch.plan import make_plan
    from posepipe.batch.run import Options, run_batch
    from posepipe.formats.registry import parse_formats
    from posepipe.pipeline import Config

    config = Config(
        task=task.value,
        subject=subject,
        height_m=height_m,
        camera_height_m=camera_height_m,
        fov_deg=fov_deg,
        detector=detector,
        refine=refine,
        capture_fps_hz=capture_fps_hz,
        quality=quality.value,
    )
    names = tuple(item.name for item in parse_formats(formats or ()))
    wanted = Job("", Path(), config, video_out, names)
    warnings: list[str] = []
    jobs = find_jobs(source, wanted, patterns=pattern or (), recursive=recursive, say=warnings.append)
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    if scheduler is None:
        for chosen in {job.config for job in jobs}:
            chosen.detector_name()  # a network that isn't here is said once, before anything is done
    plan = make_plan(jobs, out, resume=resume, limit=limit, write=not dry_run)
    if dry_run:
        _print_plan(plan, as_json)
        return 0
    with BatchTable(plan) as table:
        outcome = run_batch(plan, Options(workers, scheduler, recycle=recycle), table)
    _print_outcome(plan, outcome, as_json)
    return outcome.exit_code


def _print_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        items = [
            {"name": item.job.name, "video": str(item.job.video), "todo": item.todo, "why": item.why}
            for item in plan.items
        ]
        typer.echo(json.dumps({"videos": len(items), "todo": len(plan.todo), "items": items}, indent=1))
        return
    for item in plan.items:
        typer.echo(f"{'do' if item.todo else 'skip'}  {item.job.name}  ({item.why})")
    typer.echo(f"{len(plan.todo)} of {len(plan.items)} videos to do")


def _print_outcome(plan: Plan, outcome: Outcome, as_json: bool) -> None:
    from posepipe.batch.plan import DONE, FAILED, NOBODY

    if as_json:
        result = {
            "folder": str(plan.places.out),
            "videos": len(plan.items),
            "worked": len(outcome.worked),
            "skipped": len(plan.items) - len(plan.todo),
            **{status: outcome.count(status) for status in (DONE, NOBODY, FAILED)},
            "seconds": outcome.seconds,
            "startup_s": outcome.startup_s,
            "lost_workers": outcome.lost_workers,
            "exit_code": outcome.exit_code,
            "states": [state.as_dict() for _, state in sorted(outcome.states.items())],
        }
        typer.echo(json.dumps(result, indent=1))
        return
    for name in sorted(outcome.states):
        state = outcome.states[name]
        if state.error:
            typer.echo(f"{state.status}: {name}: {state.error.get('what')}", err=True)
    typer.echo(
        f"{len(plan.items)} videos: {len(outcome.worked)} worked on now, {outcome.count(DONE)} done, "
        f"{outcome.count(NOBODY)} without a person, {outcome.count(FAILED)} failed"
    )
    typer.echo(f"results in {plan.places.out}; start with {plan.places.out / 'index.html'}")
