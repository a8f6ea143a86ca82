"""``posepipe evaluate``: every published number, measured again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Measure accuracy on your own data or ours.")

Data = Annotated[list[Path], typer.Option("--data", help="npz file, or folder of videos; may be given several times.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of markdown.")]


def _show(result: Mapping[str, Any], as_json: bool) -> None:
    from posepipe.evaluation.tables import markdown

    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) if as_json else markdown(result)
    typer.echo(text)


@app.command("lifter", help="3D error of the lifter on motion capture seen by simulated cameras.")
def lifter(data: Data, as_json: AsJson = False) -> None:
    """Exact 2D keypoints in, MPJPE out."""
    from posepipe.evaluation.lifter import evaluate_lifter

    _show(evaluate_lifter(data), as_json)


@app.command("multiview", help="3D error on filmed people against a reference from several cameras.")
def multiview(data: Data, as_json: AsJson = False) -> None:
    """Videos in, error of posepipe and of MediaPipe's world landmarks out."""
    from posepipe.evaluation.multiview import evaluate_multiview

    _show(evaluate_multiview(data), as_json)


@app.command("calibration", help="Whether the error bars are true.")
def calibration(data: Data, as_json: AsJson = False) -> None:
    """Coverage, ENCE and AUSE of the lifter's sigma."""
    from posepipe.evaluation.calibration import evaluate_calibration

    _show(evaluate_calibration(data), as_json)
