"""``posepipe doctor``, ``bench`` and ``models``: what this machine has and can do."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from posepipe.cli.analyze import Quality

__all__ = ["app", "bench", "doctor"]

_MARKS = {"ok": "ok  ", "warning": "note", "failed": "FAIL"}

app = typer.Typer(no_args_is_help=True, help="The networks posepipe uses.")


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> int:
    """Print every finding and a verdict; the exit code is that of the worst finding."""
    from posepipe.doctor import diagnose
    from posepipe.samples import SAMPLE_VIDEO

    checks = []
    for check in diagnose(SAMPLE_VIDEO):
        checks.append(check)
        if not as_json:
            typer.echo(f"{_MARKS[check.state]}  {check.name}: {check.detail}")
            if check.hint:
                typer.echo(f"      {check.hint}")
    failed = [check for check in checks if check.state == "failed"]
    verdict = f"not ready: {', '.join(check.name for check in failed)}" if failed else "ready"
    if as_json:
        typer.echo(json.dumps({"verdict": verdict, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        typer.echo(f"\nverdict: {verdict}")
    return max((check.exit_code for check in checks), default=0)


def bench(
    video: Annotated[Path | None, typer.Argument(help="A clip with one person.", show_default="the sample")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=20, help="Runs of each program; the median counts.")] = 3,
    alone: Annotated[bool, typer.Option("--alone", help="Without MediaPipe, the reference.")] = False,
    quality: Annotated[Quality, typer.Option(help="Of ours.")] = Quality.standard,
    python: Annotated[
        Path | None,
        typer.Option(
            "--mediapipe-python",
            envvar="POSEPIPE_MEDIAPIPE_PYTHON",
            help="Python of another environment, which has MediaPipe.",
        ),
    ] = None,
    suite: Annotated[bool, typer.Option("--suite", help="One table of everything, in turns; takes long.")] = False,
    bundle: Annotated[list[Path] | None, typer.Option(help="With --suite: an edge bundle to measure, too.")] = None,
    long_s: Annotated[float, typer.Option(min=1.0, help="With --suite: length of the long clip.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of markdown.")] = False,
) -> None:
    """Measure frames per second against MediaPipe's own loop."""
    from posepipe.errors import MediaError
    from posepipe.lab.metrics import markdown
    from posepipe.lab.speed import measure_speed
    from posepipe.lab.speed_suite import measure_suite
    from posepipe.samples import SAMPLE_VIDEO

    clip = video or SAMPLE_VIDEO
    if not clip.is_file():
        raise MediaError("no such file", where=str(clip), hint="Give the path of a video")
    if suite:
        say = partial(typer.echo, err=True)
        result = measure_suite(
            clip, turns=repeats, long_s=long_s, python=python, bundles=bundle or (), alone=alone, say=say
        )
    else:
        result = measure_speed(clip, repeats=repeats, alone=alone, quality=quality.value, python=python)
    typer.echo(json.dumps(result, indent=2) if as_json else markdown(result))


@app.command("get", help="Fetch BlazePose's networks, once; the only command that needs a network.")
def get(
    network: Annotated[str, typer.Argument(help="Which landmark network: lite, full or heavy.")] = "full",
    source: Annotated[
        Path | None, typer.Option("--from", help="Take them from this .whl, .tgz, .task or .tflite; no network then.")
    ] = None,
) -> None:
    """Fetch, check and translate the networks that aren't in this repository."""
    from posepipe.keypoints.blazepose_models import get_blazepose
    from posepipe.weights import cache_dir

    for line in get_blazepose(source, network):
        typer.echo(f"BlazePose {line}", err=True)
    typer.echo(f"ok  BlazePose {network} in {cache_dir()}")


@app.command("list", help="Name, size and licence of every network.")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False) -> None:
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
    from posepipe.keypoints.blazepose_models import NETWORKS, blazepose_files, have_blazepose
    from posepipe.weights import find_model, list_cards

    for card in list_cards():
        typer.echo(f"ok  {find_model(card.name)}")
    for network in NETWORKS:
        if network != "full" and not have_blazepose(network):
            continue
        files = blazepose_files(network)
        # Both come from the cache only if source and result match their sha256; otherwise they are made again.
        files.onnx_detector()
        files.onnx_landmarks()
        typer.echo(f"ok  BlazePose {network} in {files.where}")
