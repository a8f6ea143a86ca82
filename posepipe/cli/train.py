"""``posepipe train``: how the shipped weights, and the data they come from, are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from posepipe.system import need

__all__ = ["app"]

_LIFTER_CONFIG = Path(__file__).resolve().parents[1] / "lab" / "configs" / "lifter.toml"

app = typer.Typer(no_args_is_help=True, help="Train the networks again (needs the extra 'train').")

Mocap = Annotated[Path, typer.Option("--data", help="Folder with train.npz and val.npz.")]
Loop = Annotated[Path | None, typer.Option("--pairs", help="Folder with loop*train*.npz.", show_default="none")]
Start = Annotated[Path | None, typer.Option(help="weights.safetensors to go on from.", show_default="none")]
Seed = Annotated[int, typer.Option(help="Of everything that chance decides.")]
Held = Annotated[bool, typer.Option("--held", help="To calibrate or validate on: the file's name says so.")]
Models = Annotated[Path, typer.Option("--out", help="Folder of models.")]
Network = Annotated[Literal["lite", "full", "heavy"], typer.Option(help="Which of BlazePose's landmark networks.")]
Threads = Annotated[int, typer.Option(min=1, help="Of torch.")]


@app.callback()
def _root() -> None:
    pass


def _need_training() -> None:
    need("torch", extra="train")
    need("onnx", extra="train")


@app.command("lifter", help="The network from 2D to 3D, on motion capture.")
def lifter(
    data: Mocap,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the log.")] = Path("runs/lifter"),
    config: Annotated[Path | None, typer.Option(help="TOML file.", show_default="the shipped one")] = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Go on from a checkpoint, if any.")] = True,
    minutes: Annotated[float | None, typer.Option(help="Stop after this time.")] = None,
    pairs: Loop = None,
    start: Start = None,
) -> None:
    """Train until the configured number of steps, or until the time is up."""
    need("torch", extra="train")
    from posepipe.lab.lifter.train import LifterConfig, train_lifter
    from posepipe.lab.runs import read_config

    settings = read_config(LifterConfig, config or _LIFTER_CONFIG)
    resume = resume and (out / "state.json").is_file()
    train_lifter(settings, data, out, resume=resume, minutes=minutes, pairs=pairs, start=start)


@app.command("export-lifter", help="Calibrate a trained lifter's sigma and write what ships.")
def export(
    data: Mocap,
    run: Annotated[Path, typer.Option(help="Folder of the training run.")] = Path("runs/lifter"),
    out: Models = Path("models"),
    pairs: Loop = None,
    threads: Threads = 1,
) -> None:
    """A run in; lifter.onnx, lifter.safetensors and lifter.toml out."""
    _need_training()
    import torch

    from posepipe.lab.lifter.export import export_lifter

    torch.set_num_threads(threads)
    export_lifter(data, run, out, pairs=pairs)


@app.command("refiner", help="The test-time optimisation of a lifter as one network.")
def refiner(
    weights: Annotated[Path, typer.Option(help="The lifter's safetensors file.")] = Path("models/lifter.safetensors"),
    out: Models = Path("models"),
    threads: Threads = 1,
) -> None:
    """Weights in, refiner.onnx and refiner.toml out."""
    from posepipe.cli.export import need_exporters

    _need_training()
    need_exporters()
    import torch

    from exporters.refiner import export_refiner

    torch.set_num_threads(threads)
    export_refiner(weights, out)


@app.command("average", help="The mean of the weights at several points of one training run.")
def average(
    weights: Annotated[list[Path], typer.Argument(help="safetensors of the same network.")],
    out: Annotated[Path, typer.Option(help="safetensors to write.")],
) -> None:
    """Files in, one file out."""
    need("torch", extra="train")
    from posepipe.lab.runs import average_weights

    average_weights(weights, out)


@app.command("exercise-pool", help="Film the takes that the exercise networks learn from.")
def exercise_pool(
    data: Annotated[Path, typer.Option(help="Folder with mocap, exercise and gait.")],
    out: Annotated[Path, typer.Option(help="Folder of pools.")],
    takes: Annotated[int, typer.Option(min=0, help="Synthetic ones.")] = 1500,
    seed: Seed = 1,
    real: Annotated[Literal["train", "val", "none"], typer.Option(help="Motion capture to film too.")] = "none",
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of the motion capture, drawn at random.")] = 1.0,
    held: Held = False,
    hard: Annotated[bool, typer.Option("--hard", help="Short walks, dances and hands at work, hardly seen.")] = False,
) -> None:
    """Takes seen by simulated cameras and lifted once, as npz."""
    from posepipe.lab.film import open_film
    from posepipe.lab.recogniser.pool import build_pool, hard_takes, real_takes, save_pool, synthetic_takes

    stages = open_film()
    if real != "none":
        save_pool(build_pool(stages, real_takes(data, real, seed, share), seed), out / f"real_{real}_{seed}.npz")
    if takes:
        made = (hard_takes if hard else synthetic_takes)(takes, seed)
        name = f"{'val' if held else 'synth'}{'_hard' if hard else ''}_{seed}.npz"
        save_pool(build_pool(stages, made, seed, hard=hard), out / name)


@app.command("exercise", help="The networks that name movements, on filmed synthetic exercises and motion capture.")
def exercise(
    config: Annotated[Path, typer.Option(help="TOML file, as in posepipe/lab/configs.")],
    data: Annotated[Path, typer.Option(help="Folder of pools made by exercise-pool.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights and the report.")] = Path("runs/exercise"),
    models: Annotated[Path | None, typer.Option(help="Folder for ONNX file and card.", show_default="none")] = None,
    start: Start = None,
) -> None:
    """Train, calibrate on held-out takes, export where asked."""
    _need_training()
    from posepipe.lab.recogniser.train import ExerciseConfig, export_exercise, train_exercise
    from posepipe.lab.runs import read_config

    train_exercise(read_config(ExerciseConfig, config), data, out, typer.echo, start)
    if models is not None:
        typer.echo(str(export_exercise(out, models)))


@app.command("reps-pool", help="Film the sets of repetitions that the network that counts learns from.")
def reps_pool(
    out: Annotated[Path, typer.Option(help="Folder of pools.")],
    takes: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    seed: Seed = 1,
    held: Held = False,
    nothing: Annotated[bool, typer.Option("--nothing", help="Only takes without repetitions.")] = False,
    web: Annotated[bool, typer.Option("--web", help="As a detector's poses of web videos show them.")] = False,
) -> None:
    """Sets seen by simulated cameras and lifted once, as npz."""
    from posepipe.lab.counter.data import build_pace_pool, write_pace_pool

    name = ("val" if held else "nothing" if nothing else "reps") + ("_web" if web else "")
    write_pace_pool(build_pace_pool(takes, seed, nothing, web), out / f"{name}_{seed}.npz")


@app.command("reps", help="The network that counts repetitions, on filmed synthetic sets.")
def reps(
    data: Annotated[Path, typer.Option(help="Folder of pools made by reps-pool.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights and the report.")] = Path("runs/reps"),
    models: Annotated[Path | None, typer.Option(help="Folder for ONNX file and card.", show_default="none")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of AdamW.")] = 2500,
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    seed: Seed = 0,
    threads: Threads = 1,
    start: Start = None,
) -> None:
    """Train, look at held-out takes, export where asked."""
    _need_training()
    from posepipe.lab.counter.train import export_pace, train_pace

    train_pace(data, out, steps=steps, lr=lr, threads=threads, seed=seed, start=start, log=typer.echo)
    if models is not None:
        typer.echo(str(export_pace(out, models)))


@app.command("form", help="What correct repetitions look like, from UI-PRMD's.")
def form(data: Mocap, out: Models = Path("models")) -> None:
    """Motion capture in; form.onnx and form.toml out, and the metrics on held-out people."""
    need("onnx", extra="train")
    from posepipe.lab.form import make_form

    for name, value in make_form(data, out).items():
        typer.echo(f"{name}: {value:.4g}")


@app.command("gait", help="Gait norms and the abnormal-gait classifier, on motion capture and synthetic walks.")
def gait(
    data: Annotated[Path, typer.Option(help="Folder with walks.csv, train.npz and val.npz.")],
    out: Annotated[Path, typer.Option(help="Folder for filmed walks; those there already are used.")] = Path(
        "runs/gait"
    ),
    models: Annotated[Path, typer.Option(help="Folder for gait.onnx and gait.toml.")] = Path("models"),
    walks: Annotated[int, typer.Option(help="Synthetic walks to film.")] = 1200,
    rendered: Annotated[
        int, typer.Option(help="Walkers to render for the detector's habits; 0 keeps those known.")
    ] = 24,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 21,
    remeasure: Annotated[bool, typer.Option(help="Measure films again that were measured before.")] = True,
) -> None:
    """Film, measure, write the norms, train, export; prints the metrics on held-out walks."""
    _need_training()
    from posepipe.lab.gait.train import make_gait

    for name, value in make_gait(
        data, out, models, walks=walks, rendered=rendered, seed=seed, remeasure=remeasure
    ).items():
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
    _need_training()
    from posepipe.lab.lifter.adapt import adapt as adapt_lifter
    from posepipe.lab.lifter.adapt import clips_of
    from posepipe.lab.metrics import markdown

    result = adapt_lifter(clips_of(videos, fov_deg=fov_deg), out, data=data)
    typer.echo(markdown(result.as_dict()))
    typer.echo(f"written: {result.lifter}" if result.kept else "not kept: it did not get better")


@app.command("pairs", help="What BlazePose sees on rendered motion capture, with the truth beside it.")
def pairs(
    data: Annotated[Path, typer.Option(help="Motion capture, npz.")],
    out: Annotated[Path, typer.Option(help="npz to write; FILE_000.npz and so on with --shard.")],
    frames: Annotated[int, typer.Option(min=1, help="To reach, in whole runs.")] = 2000,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the result doesn't depend on them.")] = 1,
    cmu_share: Annotated[float, typer.Option(help="Share of runs from CMU; the rest from UI-PRMD.")] = 0.65,
    lengths: Annotated[tuple[int, int], typer.Option(help="Fewest and most frames of a run.")] = (8, 16),
    wide_share: Annotated[float, typer.Option(help="Share of runs drawn widely, to learn from.")] = 0.0,
    leave_out: Annotated[list[str] | None, typer.Option(help="Subject not to take; may be repeated.")] = None,
    shard: Annotated[int, typer.Option(min=0, help="Frames in each file; one file if 0.")] = 0,
    network: Network = "full",
) -> None:
    """Runs of consecutive frames as npz."""
    from posepipe.lab.rendered import Draw, write_shards

    draw = Draw(cmu_share, lengths, wide_share, tuple(leave_out or ()))
    for path, count in write_shards(data, out, frames, shard, seed=seed, draw=draw, workers=workers, network=network):
        typer.echo(f"{path}: {count} frames", err=True)


@app.command("sigma-cap", help="Fit the cap on the keypoint detector's sigma; prints the table it takes.")
def sigma_cap(
    pairs: Annotated[Path, typer.Option(help="Folder with loop*train*.npz and loop_val*.npz.")],
    network: Network = "full",
) -> None:
    """Pairs in, rows of posepipe.keypoints.sigma out."""
    from posepipe.lab.detector import cap_table

    typer.echo(cap_table(pairs, network))


@app.command("upright", help="Which way is up, from made people; prints the table it takes.")
def upright(
    data: Annotated[Path, typer.Option(help="File of captured motion, train.npz.")],
    takes: Annotated[int, typer.Option(min=100, help="Made movements.")] = 1000,
    seed: Seed = 0,
) -> None:
    """Captured motion in, rows of posepipe.tracking.upright_weights out, and what they reach."""
    from posepipe.lab.upright import upright_table

    typer.echo(upright_table(data, takes=takes, seed=seed))


@app.command("world-bias", help="What the lifter has wrong about who stays on the spot, from made clips.")
def world_bias(
    data: Annotated[Path, typer.Option(help="Folder with val.npz and more.npz.")],
    seed: Seed = 10,
) -> None:
    """Motion capture in, world_bias.npz beside posepipe.body.world_bias out."""
    from posepipe.lab.world_bias import make_bias

    make_bias(data, seed=seed)


@app.command("angle-sigma", help="Fit the sigma of joint angles; prints the table it takes.")
def angle_sigma(
    data: Annotated[Path, typer.Option(help="Folder with train.npz.")],
    pairs: Loop = None,
    subject: Annotated[
        list[str] | None, typer.Option(help="Held out from training; may be repeated.", show_default="the lifter's")
    ] = None,
) -> None:
    """Motion capture in, factors of posepipe.body.angles out."""
    from posepipe.lab.angles import angle_table

    typer.echo(angle_table(data, subject or ("ui_s07", "94", "49", "120"), pairs))


@app.command("sample", help="Render the sample clip and its truth.")
def sample(
    folder: Annotated[Path | None, typer.Argument(help="Where to.", show_default="posepipe's samples")] = None,
) -> None:
    """walk_and_squat.mp4 and walk_and_squat_truth.npz out."""
    from posepipe.lab.people.sample import write_sample
    from posepipe.samples import SAMPLE_VIDEO

    write_sample(folder or SAMPLE_VIDEO.parent)
