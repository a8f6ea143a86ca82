"""``posepipe exercise``: a coach's own file of exercises, checked and tried on a clip."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from posepipe.body.motion import Motion
    from posepipe.exercise.catalogue import Catalogue, Exercise

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Your own exercises: check a file of them, try it on a clip.")

File = Annotated[Path, typer.Argument(help="YAML file of exercises, see docs/adding-an-exercise.md.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]


@app.command("check", help="Say what a file of exercises means, or what is wrong in it.")
def check(file: File, as_json: AsJson = False) -> None:
    """A file in; a line for each exercise and rule out."""
    from posepipe.exercise.catalogue import load_catalogue

    mine = _own(file, load_catalogue(file))
    if as_json:
        typer.echo(json.dumps({"exercises": [_told(item) for item in mine]}, ensure_ascii=False, indent=2))
        return
    for item in mine:
        typer.echo(_sentence(item))
        for rule in item.rules:
            side = "below" if rule.below_deg is not None else "above"
            typer.echo(
                f"  {rule.code}: {rule.measure} at {rule.at} {side} {rule.threshold_deg:g}°; {_where(rule.views)}"
            )


@app.command("try", help="Show on a clip what an exercise of a file would count and say.")
def try_on(
    file: File,
    video: Annotated[Path, typer.Argument(help="Video, or a results folder that posepipe analyze wrote.")],
    exercise: Annotated[
        str | None, typer.Option(help="Which exercise of the file.", show_default="the only one")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A file and a clip in; every repetition with what each rule saw out."""
    from posepipe.exercise.catalogue import load_catalogue
    from posepipe.exercise.trial import trial_lines, try_exercise
    from posepipe.record.codec import plain

    catalogue = load_catalogue(file)
    item = catalogue[exercise] if exercise is not None else _only(file, _own(file, catalogue))
    found = try_exercise(_motion(video), item)
    if as_json:
        typer.echo(json.dumps(plain(asdict(found)), ensure_ascii=False, indent=2))
        return
    for line in trial_lines(found, item):
        typer.echo(line)


def _own(file: Path, catalogue: Catalogue) -> list[Exercise]:
    """The exercises that the file itself holds."""
    from posepipe.exercise.catalogue import load_catalogue

    ours = load_catalogue()
    return [item for name, item in catalogue.exercises.items() if item != ours.get(name)]


def _only(file: Path, mine: list[Exercise]) -> Exercise:
    from posepipe.errors import UsageError

    if len(mine) != 1:
        names = ", ".join(item.name for item in mine)
        raise UsageError(f"holds {len(mine)} exercises", where=str(file), hint=f"Choose one with --exercise: {names}")
    return mine[0]


def _motion(video: Path) -> Motion:
    """Of the main subject of a video or a results folder."""
    from posepipe.pipeline import Config, Pipeline
    from posepipe.record.folder import load

    recording = load(video) if (video / "summary.json").is_file() else Pipeline(Config(task="pose")).run(video)
    return recording.motion_of(recording.people[0])


def _told(item: Exercise) -> dict[str, Any]:
    return {
        "name": item.name,
        "words": item.words,
        "signal": item.signal,
        "start": item.start,
        "min_range_deg": item.min_range_deg,
        "tempo_s": list(item.tempo_s),
        "needs": list(item.needs),
        "posture": {within.measure: [within.low_deg, within.high_deg] for within in item.posture},
        "rules": [{"code": r.code, "measure": r.measure, "views": sorted(r.views)} for r in item.rules],
    }


def _sentence(item: Exercise) -> str:
    if not item.counted:
        angles = [f"{w.measure} is from {w.low_deg:g}° to {w.high_deg:g}°" for w in item.posture]
        held = f"held while {' and '.join(angles)}" if angles else "held"
        return f"{item.name}: {held}, not counted; needs {', '.join(item.needs) or 'nothing'}"
    low, high = item.tempo_s
    return (
        f"{item.name}: {item.signal} starts {item.start}, moves {item.min_range_deg:g}° or more "
        f"in {low:g} to {high:g} s; "
        f"needs {', '.join(item.needs) or 'nothing'}; {len(item.rules)} rules"
    )


def _where(views: frozenset[str]) -> str:
    from posepipe.body.motion import LABELS

    return "from anywhere" if views == frozenset(LABELS) else f"from {', '.join(v for v in LABELS if v in views)}"
