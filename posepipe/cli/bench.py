"""``posepipe bench``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["bench"]


def bench(
    video: Annotated[Path | None, typer.Argument(help="A clip with one person.", show_default="the sample")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=20, help="Runs of each program; the median counts.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of markdown.")] = False,
) -> None:
    """Measure frames per second against MediaPipe's own loop."""
    from posepipe.errors import MediaError
    from posepipe.evaluation.speed import measure_speed
    from posepipe.evaluation.tables import markdown
    from posepipe.samples import SAMPLE_VIDEO

    clip = video or SAMPLE_VIDEO
    if not clip.is_file():
        raise MediaError("no such file", where=str(clip), hint="Give the path of a video")
    result = measure_speed(clip, repeats=repeats)
    typer.echo(json.dumps(result, indent=2) if as_json else markdown(result))
