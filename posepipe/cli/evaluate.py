"""``posepipe evaluate``: every published number, measured again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from posepipe.cli.export import need_exporters
from posepipe.system import need

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
    from posepipe.lab.metrics import markdown

    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) if as_json else markdown(result)
    typer.echo(text)


@app.command("lifter", help="3D error of the lifter on motion capture seen by simulated cameras.")
def lifter(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Exact 2D keypoints in, MPJPE out."""
    from posepipe.lab.lifter.measure import evaluate_lifter

    _show(merged(evaluate_lifter, [*data, *(more or [])]), as_json)


@app.command("multiview", help="3D error on filmed people against a reference from several cameras.")
def multiview(
    data: Data,
    more: More = None,
    detector: Annotated[str, typer.Option(help="As in posepipe analyze.")] = "blazepose",
    mediapipe: Annotated[bool, typer.Option(help="Measure MediaPipe's own 3D, too.")] = True,
    as_json: AsJson = False,
) -> None:
    """Videos in, error of posepipe and of MediaPipe's world landmarks out."""
    from posepipe.lab.lifter.multiview import evaluate_multiview

    def measure(folder: Path) -> dict[str, Any]:
        return evaluate_multiview(folder, mediapipe=mediapipe, detector=detector)

    _show(merged(measure, [*data, *(more or [])]), as_json)


@app.command("calibration", help="Whether the error bars are true.")
def calibration(
    data: Data,
    more: More = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder with loop_val*.npz: rendered people too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Coverage, ENCE and AUSE of the lifter's sigma, and how true the angles' sigma is."""
    from posepipe.lab.lifter.measure import evaluate_calibration

    _show(merged(lambda path: evaluate_calibration(path, pairs=pairs), [*data, *(more or [])]), as_json)


@app.command("recognition", help="How often movements are named rightly, clip by clip.")
def recognition(data: Data, more: More = None, results: Results = None, as_json: AsJson = False) -> None:
    """Folders of videos with videos.csv, or npz files of labelled poses, in; accuracy and macro F1 out."""
    from posepipe.lab.recogniser.measure import evaluate_recognition

    _show(merged(lambda path: evaluate_recognition(path, results=results), [*data, *(more or [])]), as_json)


@app.command("reps", help="Repetition counting, the exercise not told: poses with counts, or filmed clips.")
def reps(data: Data, more: More = None, results: Results = None, as_json: AsJson = False) -> None:
    """Counted poses or a folder with videos.csv in; relative error, off-by-one and exact share out."""
    from posepipe.lab.counter.measure import evaluate_reps

    _show(merged(lambda path: evaluate_reps(path, results=results), [*data, *(more or [])]), as_json)


@app.command("reps-same", help="Whether changes that don't touch the repetitions change the count.")
def reps_same(
    data: Annotated[Path | None, typer.Option(help="Folder of videos with videos.csv.", show_default="none")] = None,
    made: Annotated[
        int | None, typer.Option(min=1, help="So many synthetic sets instead.", show_default="none")
    ] = None,
    results: Results = None,
    only: Annotated[list[str] | None, typer.Option(help="This change; may be repeated.", show_default="all")] = None,
    clips: Annotated[int | None, typer.Option(min=1, help="So many clips, spread over the list.")] = None,
    limit_s: Annotated[float | None, typer.Option(help="After so long no further clip is begun.")] = None,
    clip: Annotated[list[str] | None, typer.Option(help="This clip; may be repeated.", show_default="all")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for poses, used again.", show_default="none")] = None,
    as_json: AsJson = False,
) -> None:
    """Counted films in, share of unchanged counts for every change out; with --results poses are changed, not films."""
    from posepipe.errors import UsageError
    from posepipe.lab.counter.same import evaluate_same, evaluate_same_made

    if (data is None) == (made is None):
        raise UsageError("needs either films or made sets", hint="Give --data FOLDER or --made SETS")
    if data is None:
        _show(evaluate_same_made(made or 1), as_json)
        return
    _show(evaluate_same(data, results, only or (), clips, limit_s, clip or (), cache), as_json)


@app.command("reps-firm", help="Whether counts stand when made sets change by less than anybody would see.")
def reps_firm(
    sets: Annotated[int, typer.Option(min=1, help="Synthetic sets.")] = 120,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything.", show_default="the usual one")] = None,
    as_json: AsJson = False,
) -> None:
    """Nothing in; share of pairs of a set and its change with the same count and name out."""
    from posepipe.lab.counter.firm import FIRM_SEED, evaluate_firm

    _show(evaluate_firm(sets, FIRM_SEED if seed is None else seed), as_json)


@app.command("reps-live", help="How soon repetitions are counted live.")
def reps_live(
    data: Annotated[Path | None, typer.Option(help="Folder of videos with videos.csv.", show_default="none")] = None,
    results: Results = None,
    sets: Annotated[int, typer.Option(min=1, help="Synthetic sets, where no films are given.")] = 44,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything.", show_default="the usual one")] = None,
    as_json: AsJson = False,
) -> None:
    """Nothing, or films with their results, in; delay of counts behind the repetitions' ends out."""
    from posepipe.errors import UsageError
    from posepipe.lab.counter.live import SEED, evaluate_live, evaluate_live_films

    if data is None:
        _show(evaluate_live(sets, SEED if seed is None else seed), as_json)
    elif results is None:
        raise UsageError("needs the films' results", hint="Give --results FOLDER, made by posepipe batch")
    else:
        _show(evaluate_live_films(data, results), as_json)


@app.command("lifts", help="How true the speed of lifts is, on synthetic sets before a level camera.")
def lifts(
    sets: Annotated[int, typer.Option(min=1, help="Synthetic sets of four repetitions.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Nothing in; median errors of mean and peak speed and of the loss over a set out."""
    from posepipe.lab.counter.lifts import evaluate_lifts

    _show(evaluate_lifts(sets), as_json)


@app.command("holds", help="How true the time of a hold is, on synthetic planks.")
def holds(
    sets: Annotated[int, typer.Option(min=1, help="Synthetic planks.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Nothing in; errors of when holds begin and end and of how long they last out."""
    from posepipe.lab.counter.holds import evaluate_holds

    _show(evaluate_holds(sets), as_json)


@app.command("form", help="Whether faulty repetitions of a rehabilitation set stand out.")
def form(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Correct and faulty repetitions in, AUROC of every movement out."""
    from posepipe.lab.form import evaluate_form

    _show(merged(evaluate_form, [*data, *(more or [])]), as_json)


@app.command("form-power", help="How large a fault of form must be to be found, rule by rule.")
def form_power(
    sets: Annotated[int, typer.Option(min=1, help="Synthetic sets of four repetitions.")] = 110,
    as_json: AsJson = False,
) -> None:
    """Nothing in; share judged, false alarms and share found by the fault's size out."""
    from posepipe.lab.power import evaluate_power

    _show(evaluate_power(sets), as_json)


@app.command("detector", help="Keypoints on ONNX Runtime against MediaPipe's own, on filmed people.")
def detector(
    data: Data,
    more: More = None,
    max_frames: Annotated[int | None, typer.Option(help="Frames of each clip.", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """Folders of videos in, distance in percent of the person's height out."""
    from posepipe.lab.detector import compare_detectors

    def compare(path: Path) -> Mapping[str, Any]:
        videos = sorted(path.glob("*.mp4")) if path.is_dir() else [path]
        return compare_detectors(videos, max_frames=max_frames)

    _show(merged(compare, [*data, *(more or [])]), as_json)


@app.command("rendered", help="3D error on rendered people that BlazePose saw, against MediaPipe's.")
def rendered(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Files of ``posepipe train pairs`` in, error of posepipe and MediaPipe out."""
    from posepipe.lab.lifter.rendered import evaluate_rendered

    _show(evaluate_rendered([*data, *(more or [])]), as_json)


@app.command("yaw", help="Which way rendered people face, at known angles.")
def yaw(
    data: Data,
    people: Annotated[int, typer.Option(help="Bodies on the turntable, 16 pictures each.")] = 16,
    as_json: AsJson = False,
) -> None:
    """Motion capture in, share of pictures with the right yaw out."""
    from posepipe.lab.lifter.measure import evaluate_yaw

    _show(merged(lambda path: evaluate_yaw(path, people=people), data), as_json)


@app.command("refine", help="What test-time optimisation brings on rendered people that BlazePose saw.")
def refine(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Files of ``posepipe train pairs`` in, error before and after each stage out."""
    from posepipe.lab.lifter.rendered import evaluate_refine

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
    results: Annotated[
        Path | None, typer.Option(help="With --counts: folder for what was seen, to be used again.", show_default=False)
    ] = None,
    quality: Annotated[str, typer.Option(help="With --counts: as in posepipe analyze.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Labelled walks in, balanced accuracy and AUROC out; or rendered walkers or counted films, errors out."""
    from posepipe.errors import UsageError

    paths = [*(data or []), *(more or [])]
    if walks > 0:
        from posepipe.lab.gait.measure import evaluate_rendered

        _show(evaluate_rendered(walks), as_json)
        return
    if not paths:
        raise UsageError("nothing to measure", where="evaluate gait", hint="Give --data PATH or --walks N")
    if counts is not None:
        from posepipe.lab.gait.counts import evaluate_counts

        _show(evaluate_counts(paths[0], counts, results, quality), as_json)
        return
    from posepipe.lab.gait.abnormal import evaluate_gait_abnormal

    _show(merged(evaluate_gait_abnormal, paths), as_json)


@app.command("gait-events", help="Heel strikes and toe offs against force plates.")
def gait_events(data: Data, more: More = None, as_json: AsJson = False) -> None:
    """Walks over plates in; bias, spread and share found out, of straight walks and of walks with a turn."""
    from posepipe.lab.gait.plates import evaluate_events

    _show(merged(evaluate_events, [*data, *(more or [])]), as_json)


@app.command("hard", help="Covered heads, text, few pictures a second, turned films, posters, small people.")
def hard(
    data: Data,
    more: More = None,
    kind: Annotated[list[str] | None, typer.Option(help="Ways to make clips hard.", show_default="all")] = None,
    clip: Annotated[list[str] | None, typer.Option(help="Only clips of these names.", show_default="all")] = None,
    detector: Annotated[str, typer.Option(help="As in posepipe analyze.")] = "blazepose",
    quality: Annotated[str, typer.Option(help="As in posepipe analyze.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Clips of one person in, share of hard ones that come out as without out."""
    from posepipe.lab.hard import evaluate_hard

    def measure(path: Path) -> Mapping[str, Any]:
        return evaluate_hard(path, kinds=kind or (), clips=clip or (), detector=detector, quality=quality)

    _show(merged(measure, [*data, *(more or [])]), as_json)


@app.command("crossing", help="Two rendered people who cross: whose track is whose, whose limbs are whose.")
def crossing(
    seeds: Annotated[int, typer.Option(help="Films of each way to cross.")] = 3,
    first_seed: Annotated[int, typer.Option(help="Of the first; others make other films.")] = 0,
    quality: Annotated[str, typer.Option(help="As in posepipe analyze.")] = "standard",
    as_json: AsJson = False,
) -> None:
    """Films are made; share of people found, tracks exchanged, and share of limbs on the other body, out."""
    from posepipe.lab.crossing import evaluate_crossing

    _show(evaluate_crossing(seeds, first_seed=first_seed, quality=quality), as_json)


@app.command("gait-same", help="The same walks changed harmlessly: whether their numbers agree within error bars.")
def gait_same(
    data: Annotated[Path, typer.Option("--data", help="Folder of films, videos.csv if there is one.")],
    pattern: Annotated[list[str] | None, typer.Option(help="Only files like this.", show_default="all")] = None,
    only: Annotated[list[str] | None, typer.Option(help="This change; may be repeated.", show_default="all")] = None,
    results: Annotated[Path | None, typer.Option(help="Folder for what was seen, to be used again.")] = None,
    limit_s: Annotated[float | None, typer.Option(help="After so long no further clip is begun.")] = None,
    quality: Annotated[str, typer.Option(help="As in posepipe analyze.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Films in; share of differences outside their 90 % interval, and verdicts that changed, out."""
    from posepipe.lab.gait.same import evaluate_same

    found = evaluate_same(data, pattern or (), only=only or (), results=results, limit_s=limit_s, quality=quality)
    _show(found, as_json)


@app.command("gait-short", help="Made walkers who cross the picture: the pace that is told of a few steps.")
def gait_short(
    walks: Annotated[int, typer.Option(min=1, help="Films, some ten seconds each.")] = 24,
    results: Annotated[Path | None, typer.Option(help="Folder for what was seen, to be used again.")] = None,
    seed: Annotated[int, typer.Option(help="Of the first walker.")] = 7000,
    as_json: AsJson = False,
) -> None:
    """Nothing in; pace and verdict of short walks against what is true of them out."""
    from posepipe.lab.gait.short import evaluate_short

    _show(evaluate_short(walks, results=results, seed=seed), as_json)


@app.command("gait-motion", help="Captured walks rendered from every side: hip, knee and ankle against exact joints.")
def gait_motion(
    data: Data,
    more: More = None,
    walks: Annotated[int, typer.Option(help="At most so many of each file, four films each; 0 for all.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Folder for what was seen, to be used again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Real motion in; errors of the reported curves by view and joint, and their intervals' coverage, out."""
    from posepipe.lab.gait.real import evaluate_real

    def measure(path: Path) -> Mapping[str, Any]:
        return evaluate_real(path, most=walks, results=results)

    _show(merged(measure, [*data, *(more or [])]), as_json)


@app.command("kuopio", help="Keypoints of OpenPose from the side against markers and force plates (Zenodo 10559504).")
def kuopio(
    data: Annotated[Path, typer.Option("--data", help="The set, unpacked.")],
    fps_hz: Annotated[float | None, typer.Option(help="Of the keypoints; the files don't tell.")] = None,
    width_px: Annotated[int | None, typer.Option(help="Of the picture.")] = None,
    height_px: Annotated[int | None, typer.Option(help="Of the picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """The set in, errors of angles and events by joint out, people kept apart."""
    from posepipe.lab.gait.protocols import Picture, evaluate_protocol

    _show(evaluate_protocol("kuopio", data, Picture(fps_hz, width_px, height_px)), as_json)


@app.command("vidimu", help="Films against angles from inertial sensors (Zenodo 8210563).")
def vidimu(data: Annotated[Path, typer.Option("--data", help="The set, unpacked.")], as_json: AsJson = False) -> None:
    """The set in, errors of angles by joint out, people kept apart."""
    from posepipe.lab.gait.protocols import evaluate_protocol

    _show(evaluate_protocol("vidimu", data), as_json)


@app.command("rehab24", help="Films of exercises from two sides against markers (REHAB24-6, Zenodo 13305826).")
def rehab24(data: Annotated[Path, typer.Option("--data", help="The set, unpacked.")], as_json: AsJson = False) -> None:
    """The set in, errors of angles by view and joint out, people kept apart."""
    from posepipe.lab.gait.protocols import evaluate_protocol

    _show(evaluate_protocol("rehab24", data), as_json)


@app.command(
    "world", help="Gravity, floor and path: on rendered people with exact truth, or filmed by calibrated cameras."
)
def world(
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Recordings from several cameras.", show_default=False)
    ] = None,
    more: More = None,
    clips: Annotated[int, typer.Option(min=1, help="Rendered clips of each movement.")] = 3,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps their keypoints.", show_default=False)] = None,
    ablation: Annotated[bool, typer.Option("--ablation", help="Leave out each term in turn.")] = False,
    as_json: AsJson = False,
) -> None:
    """Nothing or folders of recordings in, errors of gravity, camera height and path out."""
    from posepipe.lab.world import ablate_made, evaluate_filmed, evaluate_made

    paths = [*(data or []), *(more or [])]
    made = ablate_made if ablation else evaluate_made
    _show(merged(evaluate_filmed, paths) if paths else made(clips, keep=keep), as_json)


@app.command("outcomes", help="Jumps, speed, steps and turning of rendered people, also before cameras that move.")
def outcomes(
    clips: Annotated[int, typer.Option(min=1, help="Rendered clips of each kind.")] = 2,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps their keypoints.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Nothing in, errors of each outcome out."""
    from posepipe.lab.outcomes import evaluate_outcomes

    _show(evaluate_outcomes(clips, keep=keep), as_json)


@app.command("upright", help="Made films that would be turned wrongly, and those on their side that are found.")
def upright(
    takes: Annotated[int, typer.Option(min=1, help="Made movements.")] = 500,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Nothing in; shares of films, by movement, out."""
    from posepipe.lab.upright import evaluate_upright

    _show(evaluate_upright(takes, seed), as_json)


@app.command("fuzz", help="Broken inputs of every kind: whether each ends with a sentence and an exit code.")
def fuzz(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option("--data", help="Video to break.", show_default="the sample video")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="How many inputs.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    keep: Annotated[Path | None, typer.Option(help="Folder for inputs that do harm.", show_default=False)] = None,
    log: Annotated[Path | None, typer.Option(help="File of ended cases, to go on after a stop.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bent files in, how they ended out."""
    from posepipe.lab.fuzz import evaluate_fuzz
    from posepipe.samples import SAMPLE_VIDEO

    _show(evaluate_fuzz(context.obj, data or SAMPLE_VIDEO, cases=cases, seed=seed, keep=keep, log=log), as_json)


@app.command("soak", help="The live session on a film without end: whether memory or delay grows.")
def soak(
    data: Annotated[Path | None, typer.Option("--data", help="Film to show.", show_default="the sample video")] = None,
    minutes: Annotated[float, typer.Option(help="How long.")] = 60.0,
    viewers: Annotated[int, typer.Option(min=1, max=8, help="How many watch.")] = 2,
    as_json: AsJson = False,
) -> None:
    """A film in, memory and delay over time out."""
    from posepipe.lab.soak import evaluate_soak
    from posepipe.pipeline import Config
    from posepipe.samples import SAMPLE_VIDEO
    from posepipe.ui.stage import Stage

    found = evaluate_soak(data or SAMPLE_VIDEO, lambda: Stage(Config(max_people=1)), viewers=viewers, minutes=minutes)
    _show(found, as_json)


@app.command("folds", help="Recognition trained on Penn Action and tested on the clips left out, in turn.")
def folds(
    data: Annotated[Path, typer.Option(help="Penn Action's npz.")],
    init: Annotated[
        Literal["exercise", "exercise_bilstm"] | None, typer.Option(help="Network to start from.", show_default="none")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Labelled poses in, accuracy over clips out."""
    need("torch", extra="train")
    from posepipe.lab.recogniser.measure import PENN_EXERCISES, labelled_windows, penn_folds

    _show(penn_folds(*labelled_windows(data, PENN_EXERCISES), init=init), as_json)


@app.command("classifiers", help="Our networks, the paper's features and a random forest on the same windows.")
def classifiers(
    data: Annotated[Path, typer.Option(help="Folder of pools made by posepipe train exercise-pool.")],
    as_json: AsJson = False,
) -> None:
    """Pools in, scores on held-out takes out."""
    need("torch", extra="train")
    from posepipe.lab.recogniser.measure import compare_classifiers

    _show(compare_classifiers(data), as_json)


@app.command("reps-made", help="Every way of counting, on synthetic sets that nothing was trained on.")
def reps_made(
    sets: Annotated[int, typer.Option(min=1, help="How many of each kind.")] = 220,
    sweep: Annotated[bool, typer.Option("--sweep", help="Try every setting a little smaller and larger.")] = False,
    as_json: AsJson = False,
) -> None:
    """Nothing in; relative error, off-by-one and exact share out."""
    from posepipe.lab.counter import measure

    _show(measure.sweep(sets) if sweep else measure.evaluate_made(sets), as_json)


@app.command("angle-errors", help="How the errors of joint angles go together within a repetition.")
def angle_errors(
    takes: Annotated[int, typer.Option(min=1, help="Synthetic takes of two repetitions.")] = 180,
    seed: Annotated[int, typer.Option(min=0, help="Of everything.")] = 77,
    as_json: AsJson = False,
) -> None:
    """Nothing in; error over sigma, and correlation by how far the angle moved, out."""
    from posepipe.lab.angles import evaluate_angle_errors

    _show(evaluate_angle_errors(takes, seed), as_json)


@app.command("ablation", help="Which part of the lifter earns its place; writes ablation.json for the documents.")
def ablation(
    data: Annotated[Path, typer.Option(help="Folder with train.npz and val.npz.")],
    runs: Annotated[Path, typer.Option(help="Folder for the runs; finished ones are used.")] = Path("runs/ablation"),
    out: Annotated[Path, typer.Option(help="Folder of the figures.")] = Path("docs/figures"),
    steps: Annotated[int, typer.Option(min=1, help="Of each run.")] = 1500,
    log: Annotated[
        Path | None, typer.Option(help="log.jsonl of the lifter's run: writes curve.json too.", show_default=False)
    ] = None,
) -> None:
    """Train every variant alike and compare."""
    need("torch", extra="train")
    from posepipe.lab.lifter.ablation import write_ablation

    write_ablation(data, runs, out, steps=steps, log=log)


@app.command("benchmarks", help="Train and measure the lifter on Human3.6M or MPI-INF-3DHP, if you hold their licence.")
def benchmarks(
    data: Annotated[Literal["h36m", "3dhp"], typer.Argument(help="Which set.")],
    folder: Annotated[Path, typer.Argument(help="Its files, as posepipe/lab/lifter/benchmarks.py tells.")],
    config: Annotated[Path, typer.Option(help="TOML file, as in posepipe/lab/configs.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights.")],
    start: Annotated[Path | None, typer.Option(help="Weights to go on from.", show_default="none")] = None,
    as_json: AsJson = False,
) -> None:
    """The training part in, errors on the test part out."""
    need("torch", extra="train")
    from posepipe.lab.lifter.benchmarks import train_and_measure

    _show(train_and_measure(data, folder, config, out, start), as_json)


@app.command("scale", help="What a second of video costs, and how well workers share it.")
def scale(
    source: Annotated[Path, typer.Argument(help="Folder of videos, or a list.")],
    pattern: Annotated[list[str] | None, typer.Option(help="Only files like this.", show_default="all")] = None,
    workers: Annotated[str, typer.Option(help="Numbers of workers, with commas between.")] = "1,2",
    repeats: Annotated[int, typer.Option(min=1, help="How often each; medians count.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Videos in, seconds and speed-up out."""
    from posepipe.batch.measure import measure_scale
    from posepipe.errors import UsageError

    counts = workers.split(",")
    if not all(word.isdecimal() and int(word) for word in counts):
        raise UsageError(f"workers {workers!r}", where="evaluate scale", hint="Whole numbers, as 1,2")
    numbers = [int(word) for word in counts]
    _show(measure_scale(source, patterns=pattern or (), workers=numbers, repeats=repeats), as_json)


@app.command("edge-aarch64", help="Bundles on an emulated 64-bit ARM against this machine.")
def edge_aarch64(
    bundle: Annotated[list[Path], typer.Option(help="Folder of a bundle; several may follow.")],
    root: Annotated[Path, typer.Option(help="Unpacked arm64 packages, wheels in site/.")],
    qemu: Annotated[str, typer.Option(help="The emulator.")] = "qemu-aarch64-static",
    video: Annotated[Path | None, typer.Option(help="What to watch.", show_default="the sample video")] = None,
    frames: Annotated[int, typer.Option(min=1, help="How many.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Bundles in, differences of their numbers out."""
    need_exporters()
    from exporters.edge.aarch64 import compare_bundles
    from posepipe.samples import SAMPLE_VIDEO

    _show(compare_bundles(bundle, root, qemu, video=video or SAMPLE_VIDEO, frames=frames), as_json)


@app.command("edge-counts", help="Whether the edge bundle counts as a live session does, or its page as its runner.")
def edge_counts(
    bundle: Annotated[Path, typer.Option(help="Folder of a bundle.")],
    data: Annotated[Path, typer.Option(help="Folder of videos whose videos.csv counts repetitions.")],
    page: Annotated[bool, typer.Option("--page", help="The browser page beside the runner, in Chromium.")] = False,
    clip: Annotated[list[str] | None, typer.Option(help="Only this clip; several may follow.")] = None,
    as_json: AsJson = False,
) -> None:
    """Counted clips in, counts of both out."""
    need_exporters()
    from exporters.edge.counts import compare_counts, compare_page, counted_clips

    def say(text: str) -> None:
        typer.echo(text, err=True)

    clips = counted_clips(data, clip or ())
    _show(compare_page(bundle, clips, say=say) if page else compare_counts(bundle, clips, say=say), as_json)


@app.command("publish", help="Renew the figures in README.md and docs of the folder we are in.")
def publish(
    measure: Annotated[
        list[str] | None,
        typer.Option(help="Measure this figure first; several, or all.", show_default=False),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a document is out of date.")] = False,
) -> None:
    """docs/figures in, tables in the documents out."""
    from posepipe.errors import PosePipeError
    from posepipe.lab import publish as documents

    for name in documents.COMMANDS if measure == ["all"] else measure or ():
        documents.measure(name, Path("docs/figures"))
    stale = documents.publish(Path(), check=check)
    if check and stale:
        raise PosePipeError("out of date", where=", ".join(map(str, stale)), hint="posepipe evaluate publish")


@app.command("showcase", help="The README's animation.")
def showcase(
    out: Annotated[Path, typer.Argument(help="GIF to write.")] = Path("docs/images/demo.gif"),
) -> None:
    """The sample clip with its skeleton, and the same pose in 3D, turning."""
    from posepipe.lab.publish import write_showcase

    write_showcase(out)
