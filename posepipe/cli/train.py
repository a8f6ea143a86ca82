"""``posepipe train``: how the shipped weights are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

_LIFTER_CONFIG = Path(__file__).resolve().parents[1] / "training" / "configs" / "lifter.toml"

app = typer.Typer(no_args_is_help=True, help="Train the networks again (needs the extra 'train').")


@app.callback()
def _root() -> None:
    pass


@app.command("lifter", help="The network from 2D to 3D, on motion capture.")
def lifter(
    data: Annotated[Path, typer.Option(help="Folder with train.npz and val.npz.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the log.")] = Path("runs/lifter"),
    config: Annotated[Path | None, typer.Option(help="TOML file.", show_default="the shipped one")] = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Go on from the last checkpoint.")] = True,
    minutes: Annotated[float | None, typer.Option(help="Stop after this time.")] = None,
) -> None:
    """Train until the configured number of steps, or until the time is up."""
    from posepipe.cli.extras import need

    need("torch", extra="train")
    from posepipe.training.lifter import load_config, train_lifter

    train_lifter(load_config(config or _LIFTER_CONFIG), data, out, resume=resume, minutes=minutes)
