"""``posepipe models list`` and ``posepipe models verify``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The networks posepipe uses.")


@app.command("list", help="Name, size and licence of every network.")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
) -> None:
    """Print the model cards."""
    from posepipe.weights import list_cards

    cards = list_cards()
    if as_json:
        typer.echo(json.dumps([asdict(card) for card in cards], indent=2, default=str))
        return
    for card in cards:
        typer.echo(f"{card.name}: {card.file}, {card.size_bytes / 1e6:.1f} MB, {card.licence}")


@app.command("verify", help="Check every file against the sha256 in its card.")
def verify() -> None:
    """Stop with exit code 4 at the first file that is missing or changed."""
    from posepipe.keypoints.blazepose_models import from_wheel
    from posepipe.weights import find_model, list_cards

    for card in list_cards():
        typer.echo(f"ok  {find_model(card.name)}")
    files = from_wheel()
    # Both come from the cache only if source and result match their sha256; otherwise they are made again.
    files.onnx_detector()
    files.onnx_landmarks()
    typer.echo(f"ok  BlazePose {files.name} from {files.where}")
