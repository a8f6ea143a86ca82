"""``posepipe evaluate``: every published number, measured again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app", "merged"]

app = typer.Typer(no_args_is_help=True, help="Measure accuracy on your own data or ours.")

Data = Annotated[list[Path], typer.Option("--data", help="npz file, or folder of videos; several may follow.")]
More = Annotated[list[Path] | None, typer.Argument(help="Further files or folders.", show_default=False)]
Results = Annotated[
    Path | None,
    typer.Option(help="Folder of results folders named like the videos; their poses are taken.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of markdown.")]


def merged(evaluate: Callable[[Path], Mapping[str, Any]], paths: Sequence[Path]) -> dict[str, Any]:
    """One result for several files: rows get a column ``data``, metrics the file's name in front.

    Raises:
        InputError: a path doesn't exist.
    """
    from posepipe.errors import InputError

    for path in paths:
        if not path.exists():
            raise InputError("no such file or folder", where=str(path), hint="Check the path")
    results = [evaluate(path) for path in paths]
    if len(results) == 1:
        return dict(results[0])
    return {
        "metrics": {
            f"{path.stem}/{name}": value
            for path, result in zip(paths, results, strict=True)
            for name, value in result["metrics"].items()
        },
        "rows": [
            {"data": path.stem, **row} for path, result in zip(paths, results, strict=True) for row in result["rows"]
        ],
        "versions": results[0]["versions"],
    }


def _show(result: Mapping[str, Any], as_json: bool) -> None:
    from posepipe.evaluation.tables import markdown

    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) if as_json else markdown(result)
    typer.echo(text)


@app.command("lifter", help="3D error of the lifter on motion capture seen by simulated cameras.")
def lifter(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Exact 2D keypoints in, MPJPE out."""
    from posepipe.evaluation.lifter import evaluate_lifter

    _show(merged(evaluate_lifter, [*data, *(more or [])]), as_json)


@app.command("multiview", help="3D error on filmed people against a reference from several cameras.")
def multiview(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Videos in, error of posepipe and of MediaPipe's world landmarks out."""
    from posepipe.evaluation.multiview import evaluate_multiview

    _show(merged(evaluate_multiview, [*data, *(more or [])]), as_json)


@app.command("calibration", help="Whether the error bars are true.")
def calibration(
    data: Data,
    more: More = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder with loop_val*.npz: rendered people too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Coverage, ENCE and AUSE of the lifter's sigma, and how true the angles' sigma is."""
    from posepipe.evaluation.calibration import evaluate_calibration

    _show(merged(lambda path: evaluate_calibration(path, pairs=pairs), [*data, *(more or [])]), as_json)


@app.command("recognition", help="How often movements are named rightly, clip by clip.")
def recognition(data: Data, more: More = None, results: Results = None, as_json: AsJson = False) -> None:
    """Folders of videos with videos.csv, or npz files of labelled poses, in; accuracy and macro F1 out."""
    from posepipe.evaluation.recognition import evaluate_recognition

    _show(merged(lambda path: evaluate_recognition(path, results=results), [*data, *(more or [])]), as_json)


@app.command("reps", help="Repetition counting, the exercise not told: poses with counts, or filmed clips.")
def reps(data: Data, more: More = None, results: Results = None, as_json: AsJson = False) -> None:
    """Counted poses or a folder with videos.csv in; relative error, off-by-one and exact share out."""
    from posepipe.evaluation.reps import evaluate_reps

    _show(merged(lambda path: evaluate_reps(path, results=results), [*data, *(more or [])]), as_json)


@app.command("form", help="Whether faulty repetitions of a rehabilitation set stand out.")
def form(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Correct and faulty repetitions in, AUROC of every movement out."""
    from posepipe.evaluation.form import evaluate_form

    _show(merged(evaluate_form, [*data, *(more or [])]), as_json)


@app.command("detector", help="Keypoints on ONNX Runtime against MediaPipe's own, on filmed people.")
def detector(
    data: Data,
    more: More = None,
    max_frames: Annotated[int | None, typer.Option(help="Frames of each clip.", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """Folders of videos in, distance in percent of the person's height out."""
    from posepipe.evaluation.detector import compare_detectors

    def compare(path: Path) -> Mapping[str, Any]:
        videos = sorted(path.glob("*.mp4")) if path.is_dir() else [path]
        return compare_detectors(videos, max_frames=max_frames)

    _show(merged(compare, [*data, *(more or [])]), as_json)


@app.command("rendered", help="3D error on rendered people that BlazePose saw, against MediaPipe's.")
def rendered(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Files of ``python -m posepipe.synth.detector_loop`` in, error of posepipe and MediaPipe out."""
    from posepipe.evaluation.rendered import evaluate_rendered

    _show(evaluate_rendered([*data, *(more or [])]), as_json)


@app.command("yaw", help="Which way rendered people face, at known angles.")
def yaw(
    data: Data,
    people: Annotated[int, typer.Option(help="Bodies on the turntable, 16 pictures each.")] = 16,
    as_json: AsJson = False,
) -> None:
    """Motion capture in, share of pictures with the right yaw out."""
    from posepipe.evaluation.yaw import evaluate_yaw

    _show(merged(lambda path: evaluate_yaw(path, people=people), data), as_json)


@app.command("refine", help="What test-time optimisation brings on rendered people that BlazePose saw.")
def refine(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Files of ``python -m posepipe.synth.detector_loop`` in, error before and after each stage out."""
    from posepipe.evaluation.refine import evaluate_refine

    _show(evaluate_refine([*data, *(more or [])]), as_json)


@app.command("gait", help="Normal or abnormal walking on labelled walks; events, parameters and angles with --walks.")
def gait(
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Labelled walks or films, or GAVD.", show_default=False)
    ] = None,
    more: More = None,
    walks: Annotated[int, typer.Option(help="Render so many walkers and compare with their truth.")] = 0,
    counts: Annotated[
        Path | None, typer.Option(help="Hand-counted strikes (toml) of the films in --data.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Labelled walks in, balanced accuracy and AUROC out; or rendered walkers or counted films, errors out."""
    from posepipe.errors import UsageError

    paths = [*(data or []), *(more or [])]
    if walks > 0:
        from posepipe.evaluation.gait import evaluate_rendered

        _show(evaluate_rendered(walks), as_json)
        return
    if not paths:
        raise UsageError("nothing to measure", where="evaluate gait", hint="Give --data PATH or --walks N")
    if counts is not None:
        from posepipe.evaluation.gait import evaluate_counts

        _show(evaluate_counts(paths[0], counts), as_json)
        return
    from posepipe.evaluation.gait_abnormal import evaluate_gait_abnormal

    _show(merged(evaluate_gait_abnormal, paths), as_json)
