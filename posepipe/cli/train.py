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


@app.command("exercise", help="The networks that name movements, on filmed synthetic exercises and motion capture.")
def exercise(
    config: Annotated[Path, typer.Option(help="TOML file, as in posepipe/training/configs.")],
    data: Annotated[Path, typer.Option(help="Folder of pools made by posepipe.training.exercise_pool.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights and the report.")] = Path("runs/exercise"),
    models: Annotated[Path | None, typer.Option(help="Folder for ONNX file and card.", show_default="none")] = None,
    start: Annotated[Path | None, typer.Option(help="weights.safetensors to go on from.", show_default="none")] = None,
) -> None:
    """Train, calibrate on held-out takes, export where asked."""
    from posepipe.cli.extras import need

    need("torch", extra="train")
    need("onnx", extra="train")
    from posepipe.training.exercise import export_exercise, load_config, train_exercise

    train_exercise(load_config(config), data, out, typer.echo, start)
    if models is not None:
        typer.echo(str(export_exercise(out, models)))


@app.command("gait", help="Gait norms and the abnormal-gait classifier, on motion capture and synthetic walks.")
def gait(
    data: Annotated[Path, typer.Option(help="Folder with walks.csv, train.npz and val.npz.")],
    out: Annotated[Path, typer.Option(help="Folder for filmed walks; those there already are used.")] = Path(
        "runs/gait"
    ),
    models: Annotated[Path, typer.Option(help="Folder for gait.onnx and gait.toml.")] = Path("models"),
    walks: Annotated[int, typer.Option(help="Synthetic walks to film.")] = 1200,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 21,
) -> None:
    """Film, measure, write the norms, train, export; prints the metrics on held-out walks."""
    from posepipe.cli.extras import need

    need("torch", extra="train")
    need("onnx", extra="train")
    from posepipe.training.gait_make import make_gait

    for name, value in make_gait(data, out, models, walks=walks, seed=seed).items():
        typer.echo(f"{name}: {value:.4g}")


@app.command("adapt", help="The lifter, on your own videos without labels; shows before and after.")
def adapt(
    videos: Annotated[list[Path], typer.Argument(help="Videos of one person each, the whole body in view.")],
    out: Annotated[Path, typer.Option(help="Folder for the models; use it with POSEPIPE_MODELS.")] = Path("adapted"),
    data: Annotated[
        Path | None, typer.Option(help="Folder with train.npz and val.npz, so that nothing is forgotten.")
    ] = None,
    fov_deg: Annotated[float | None, typer.Option(help="Angle of view along the picture's longer side.")] = None,
) -> None:
    """Fit, learn from plausible frames, compare on frames not learned from, keep what is better."""
    from posepipe.cli.extras import need

    need("torch", extra="train")
    need("onnx", extra="train")
    from posepipe.evaluation.tables import markdown
    from posepipe.training.adapt import adapt as adapt_lifter
    from posepipe.training.adapt import clips_of

    result = adapt_lifter(clips_of(videos, fov_deg=fov_deg), out, data=data)
    typer.echo(markdown(result.as_dict()))
    typer.echo(f"written: {result.lifter}" if result.kept else "not kept: it did not get better")
