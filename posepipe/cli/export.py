"""``posepipe export``: networks for other machines."""

from __future__ import annotations

import json
import sys
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from posepipe.errors import UsageError

__all__ = ["app", "need_exporters"]

app = typer.Typer(no_args_is_help=True, help="Write the networks for phones, boards and browsers.")


class Variant(str, Enum):
    """Precision of the weights."""

    float32 = "float32"
    float16 = "float16"
    int8 = "int8"


class Landmarks(str, Enum):
    """BlazePose's landmark networks."""

    lite = "lite"
    full = "full"
    heavy = "heavy"


class Form(str, Enum):
    """File format of the networks."""

    onnx = "onnx"
    ort = "ort"


@app.callback()
def _root() -> None:
    pass


@app.command("edge", help="One folder that runs with ONNX Runtime, NumPy and OpenCV alone.")
def edge(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    variant: Annotated[Variant, typer.Option(help="Precision of the networks.")] = Variant.int8,
    budget: Annotated[
        str | None, typer.Option(help="15MB or 25ms: take the smallest or fastest variant that stays accurate.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="ONNX, or ONNX Runtime's mobile format.")] = Form.onnx,
    refiner: Annotated[
        bool, typer.Option("--refiner/--no-refiner", help="Add the exported test-time optimisation.")
    ] = False,
    ort_web: Annotated[
        Path | None, typer.Option(help="Folder with onnxruntime-web's dist files: adds the browser page.")
    ] = None,
    clips: Annotated[
        Path | None, typer.Option(help="Folder of videos to compare exercises and counts with float32 on.")
    ] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Measure accuracy and speed.")] = True,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Timed runs of each variant.")] = 3,
    network: Annotated[Landmarks, typer.Option(help="BlazePose's landmark network.")] = Landmarks.full,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Write a bundle and its parity and latency report."""
    need_exporters()
    from exporters.edge.export import export_edge

    result = export_edge(
        out,
        variant=variant.value,
        budget=budget,
        form=form.value,
        refiner=refiner,
        ort_web=ort_web,
        clips=clips,
        report=report,
        rounds=rounds,
        network=network.value,
        say=lambda text: typer.echo(text, err=True),
    )
    typer.echo(json.dumps(result.report, indent=2, ensure_ascii=False) if as_json else result.text())


@app.command("compare", help="All variants of the edge bundle: size, error and speed on this machine.")
def compare(
    clips: Annotated[
        Path | None, typer.Option(help="Folder of videos to compare exercises and counts with float32 on.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Timed runs of each variant.")] = 3,
    network: Annotated[Landmarks, typer.Option(help="BlazePose's landmark network.")] = Landmarks.full,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of markdown.")] = False,
) -> None:
    """Measure float32, float16 and int8 beside each other."""
    from posepipe.lab.metrics import markdown

    need_exporters()
    from exporters.edge.export import compare_variants

    result = compare_variants(
        rounds=rounds, clips=clips, network=network.value, say=lambda text: typer.echo(text, err=True)
    )
    typer.echo(json.dumps(result, indent=2) if as_json else markdown(result))


def need_exporters() -> None:
    """Make `exporters` importable. Raises `UsageError` if this installation came without."""
    if find_spec("posepipe._exporters") is not None:
        # A wheel holds them inside of posepipe: nobody else's site-packages should get a package `exporters`.
        sys.modules["exporters"] = import_module("posepipe._exporters")
    elif find_spec("exporters") is None:
        raise UsageError(
            "this installation came without the exporters", hint="Run the command in the folder of posepipe's sources"
        )
