"""What the documents show: measured figures, so that no number is typed by hand, and the README's animation.

``docs/figures/NAME.json`` holds what the command in `COMMANDS` printed. In a document, the text between
``<!-- figures: NAME -->`` and ``<!-- end -->`` is replaced by its table; ``<!-- metrics: NAME key key -->`` picks some
of its metrics. ``<!-- thresholds: ROOM -->`` takes the settings and the documented constants of ``posepipe.ROOM``.

In the repository: ``posepipe evaluate publish --measure speed``, and ``posepipe evaluate showcase``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.annotate import keypoints_at
from posepipe.errors import InputError, PosePipeError, UsageError
from posepipe.lab.metrics import markdown
from posepipe.media.atomic import atomic_path
from posepipe.media.draw import draw_pose
from posepipe.media.sources import open_source
from posepipe.pipeline import Config, Pipeline
from posepipe.record.recording import Person
from posepipe.samples import SAMPLE_HEIGHT_M, SAMPLE_VIDEO
from posepipe.settings import settings_of

__all__ = ["COMMANDS", "filled", "measure", "publish", "write_showcase"]

Image = NDArray[np.uint8]

_RATE_HZ = 10
_SIZE_PX = (480, 270)
_PANEL_PX = 270
_LEFT, _RIGHT, _MIDDLE = (178, 114, 0), (0, 94, 213), (90, 90, 90)
_DISC = (225, 225, 225)

# Made by: posepipe train pairs --data ../shared/data/mocap/val.npz --out runs/loop/loop_val.npz
# --frames 3000 --shard 1000 --seed 2
_LOOP = "runs/loop/loop_val_000.npz runs/loop/loop_val_001.npz runs/loop/loop_val_002.npz"

# Made by: posepipe batch ../shared/videos --out runs/clips
_CLIPS = "../shared/videos --results runs/clips"

COMMANDS: Mapping[str, str] = {
    "speed": "bench ../shared/videos/lateralraise_01_front.mp4",
    "speed-sample": "bench",
    # Bundles made by: posepipe export edge --out runs/bundle/int8 --no-report, and the same with --variant float32.
    "speed-suite": "bench ../shared/videos/lateralraise_01_front.mp4 --suite --repeats 5 "
    "--bundle runs/bundle/float32 --bundle runs/bundle/int8",
    "detector": "evaluate detector --data ../shared/videos --max-frames 25",
    "multiview": "evaluate multiview --data ../shared/videos/multiview/pose2sim_single",
    "multiview-heavy": "evaluate multiview --data ../shared/videos/multiview/pose2sim_single --no-mediapipe "
    "--detector blazepose:heavy",
    "multiview-lite": "evaluate multiview --data ../shared/videos/multiview/pose2sim_single --no-mediapipe "
    "--detector blazepose:lite",
    "edge": "export compare",
    # Needs the folder arm/ that docs/edge.md tells how to make.
    "edge-aarch64": "evaluate edge-aarch64 --bundle arm/float32 --bundle arm/int8 --root arm/root "
    "--qemu arm/qemu/usr/bin/qemu-aarch64-static --frames 10 --video arm/png/img_%04d.png",
    "edge-counts": "evaluate edge-counts --bundle runs/bundle/float32 --data ../shared/videos",
    # Made by: posepipe export edge --out runs/bundle/web --variant float32 --no-report --ort-web package/dist
    # The first clip of each movement that is counted, but the squat.
    "edge-page": "evaluate edge-counts --page --bundle runs/bundle/web --data ../shared/videos "
    "--clip bench_01_front.mp4 --clip crunch_01_side.mp4 --clip curl_01_barbell_side.mp4 "
    "--clip deadlift_01_side.mp4 --clip frontraise_01_side.mp4 --clip jacks_01_front.mp4 "
    "--clip lateralraise_01_front.mp4 --clip lunge_01_front34.mp4 --clip press_01_barbell_front.mp4 "
    "--clip pullup_01_dark_back.mp4 --clip pushup_01_front34.mp4",
    "lifter": "evaluate lifter --data ../shared/data/mocap/val.npz",
    "calibration": "evaluate calibration --data ../shared/data/mocap/val.npz --pairs runs/loop",
    "rendered": f"evaluate rendered --data {_LOOP}",
    "refine": f"evaluate refine --data {_LOOP}",
    # Made by: posepipe train pairs --data ../shared/data/mocap/val.npz --out runs/loop/loop_long.npz
    # --frames 3000 --lengths 60 109 --seed 7
    "refine-long": "evaluate refine --data runs/loop/loop_long.npz",
    "recognition": f"evaluate recognition --data {_CLIPS}",
    "recognition-penn": "evaluate folds --data ../shared/data/exercise/penn_action_train.npz --init exercise",
    "reps": f"evaluate reps --data {_CLIPS}",
    "reps-same": f"evaluate reps-same --data {_CLIPS}",
    "reps-same-film": "evaluate reps-same --data ../shared/videos "
    "--clip curl_07_home_34.mp4 --clip deadlift_03_front_gif.mp4 --clip jacks_01_front.mp4 "
    "--clip lunge_02_overlay_side.mp4 --clip pullup_02_overlay_front.mp4 --clip pushup_10_overlay_side.mp4 "
    "--clip pushup_16_wall_side.mp4 --clip squat_08_goblet_front34.mp4 --clip squat_12_barbell_lowangle_partial.mp4 "
    "--clip squat_16_overlay_side.mp4 --clip squat_23_air_side.mp4 --clip squat_14_goblet_front_phone.mp4 "
    "--only '240 lines' --only '160 lines' --only 'quality 40' --only dark --only 'text over it' "
    "--only shaken --only letterboxed --only 'cropped to portrait' --only 'on its side' --cache runs/same",
    "reps-poses": "evaluate reps --data ../shared/data/exercise/repcount_poses.npz",
    "reps-made": "evaluate reps-made --sets 60",
    # A seed that nothing was chosen on.
    "reps-firm": "evaluate reps-firm --sets 90 --seed 9612",
    "reps-live": "evaluate reps-live --sets 44",
    "reps-live-film": f"evaluate reps-live --data {_CLIPS}",
    "reps-sweep": "evaluate reps-made --sweep --sets 110",
    "lifts": "evaluate lifts --sets 60",
    "holds": "evaluate holds --sets 60",
    "form-power": "evaluate form-power --sets 1100",
    "form": "evaluate form --data ../shared/data/mocap/val.npz",
    "yaw": "evaluate yaw --data ../shared/data/mocap/val.npz",
    "gait": "evaluate gait --walks 12",
    "gait-events": "evaluate gait-events --data ../shared/data/gait/force_plate_walks.npz",
    "gait-sensor": "evaluate gait --data ../shared/data/gait/sphere.npz",
    "gait-counts": "evaluate gait --data ../shared/videos --counts tests/lab/gait/hand_counts.toml --quality standard "
    "--results runs/gait-counts",
    "gait-short": "evaluate gait-short --walks 24 --seed 12000 --results runs/gait-short",
    # Rendered, or changed, and seen once and kept: 4, 10 and 40 minutes the first time.
    "gait-motion": "evaluate gait-motion --data ../shared/data/gait/force_plate_walks.npz --results runs/gait-motion",
    "gait-motion-cmu": "evaluate gait-motion --data ../shared/data/mocap/train.npz --walks 20 "
    "--results runs/gait-motion",
    "gait-same": "evaluate gait-same --data ../shared/videos --quality standard --results runs/gait-same",
    "gait-patients": "evaluate gait --data ../shared/data/gait/patients.npz",
    # Rendered once and kept: minutes the first time.
    "world": "evaluate world --clips 1 --keep runs/world",
    "world-ablation": "evaluate world --clips 1 --keep runs/world --ablation",
    "world-filmed": "evaluate world --data ../shared/videos/multiview/pose2sim_single",
    "outcomes": "evaluate outcomes --clips 1 --keep runs/outcomes",
    "fuzz": "evaluate fuzz --cases 10000 --seed 1 --log runs/fuzz.jsonl",
    "soak": "evaluate soak --minutes 12",
    "scale": "evaluate scale ../shared/videos --pattern 'squat_*' --workers 1,2 --repeats 2",
}
"""What makes each figure, after the word posepipe."""

_BLOCK = re.compile(r"(<!-- (figures|metrics|thresholds): ([\w-]+)((?: \w+)*) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, figures: Path) -> str:
    """A document with its figures renewed.

    Args:
        text: markdown.
        figures: folder of the JSON files.

    Raises:
        InputError: a figure that the document names has no file.
    """

    def block(match: re.Match[str]) -> str:
        if match[2] == "thresholds":
            return f"{match[1]}{thresholds(match[3])}\n{match[5]}"
        path = figures / f"{match[3]}.json"
        if not path.is_file():
            raise InputError("no such figure", where=str(path), hint="Measure it first")
        result = json.loads(path.read_text(encoding="utf-8"))
        command = f"`{result['command']}`\n\n" if "command" in result else ""
        if match[2] == "metrics":
            wanted = match[4].split()
            result = {"metrics": {key: value for key, value in result["metrics"].items() if key in wanted}}
        return f"{match[1]}{command}{markdown(result)}\n{match[5]}"

    return _BLOCK.sub(block, text)


def thresholds(room: str) -> str:
    """Markdown of every number of a room that decides a result: a part for each module, settings first."""
    package = importlib.import_module(f"posepipe.{room}")
    names = [room] + [f"{room}.{item.name}" for item in pkgutil.iter_modules(getattr(package, "__path__", []))]
    parts = []
    for name in names:
        module = importlib.import_module(f"posepipe.{name}")
        kinds = [kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__]
        rows = [asdict(item) for kind in kinds if isinstance(kind, type) for item in settings_of(kind)]
        constants = [{"name": key, "value": value, "what": what} for key, value, what in constants_of(module) if what]
        if rows or constants:
            parts += [f"### {name}", *(markdown({"rows": part}) for part in (rows, constants) if part)]
    return "\n\n".join(parts)


def constants_of(module: ModuleType) -> Iterator[tuple[str, Any, str]]:
    """Name, value and docstring of a module's own numbers; the docstring is empty where there is none."""
    body = ast.parse(inspect.getsource(module)).body
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        for name in names:
            value = getattr(module, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if numbers and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
                yield name, value, " ".join(str(text).split())


def measure(name: str, figures: Path) -> None:
    """Run a figure's command and keep what it prints.

    Raises:
        UsageError: there is no such figure.
        PosePipeError: the command failed.
    """
    if name not in COMMANDS:
        raise UsageError(f"no figure {name!r}", hint=f"Valid: {', '.join(COMMANDS)}")
    run = [sys.executable, "-m", "posepipe.cli.main", *shlex.split(COMMANDS[name]), "--json"]
    done = subprocess.run(run, capture_output=True, encoding="utf-8", check=False)
    command = f"posepipe {COMMANDS[name]}"
    if done.returncode:
        raise PosePipeError(f"{command} failed", hint=done.stderr.strip().splitlines()[-1])
    text = json.dumps({"command": command} | json.loads(done.stdout), indent=1, ensure_ascii=False) + "\n"
    (figures / f"{name}.json").write_text(text, encoding="utf-8")


def publish(root: Path, *, check: bool = False) -> list[Path]:
    """Renew ``README.md`` and ``docs/*.md`` of a folder from its ``docs/figures``.

    Args:
        root: the repository.
        check: write nothing.

    Returns:
        The documents that were out of date.
    """
    stale = []
    for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        new = filled(text, root / "docs" / "figures")
        if new != text:
            stale.append(path)
            if not check:
                path.write_text(new, encoding="utf-8")
    return stale


def panel(person: Person, row: int, turn_deg: float) -> Image:
    """One pose seen from a camera that goes round it, on a light square; discs are two sigmas wide."""
    image = np.full((_PANEL_PX, _PANEL_PX, 3), 248, np.uint8)
    pose = person.pose
    angle = np.radians(turn_deg)
    x = pose.xyz_m[row, :, 0] * np.cos(angle) + pose.xyz_m[row, :, 2] * np.sin(angle)
    px = np.stack([x, pose.xyz_m[row, :, 1]], axis=1) * 125.0 + (_PANEL_PX / 2, _PANEL_PX / 2)
    for joint in np.flatnonzero(pose.valid[row]):
        cv2.circle(image, _point(px[joint]), max(1, round(2 * 125.0 * float(pose.sigma_m[row, joint]))), _DISC, -1)
    for a, b in pose.layout.edge_indices:
        if pose.valid[row, a] and pose.valid[row, b]:
            names = pose.layout.joints[a] + pose.layout.joints[b]
            color = _LEFT if "left" in names else _RIGHT if "right" in names else _MIDDLE
            cv2.line(image, _point(px[a]), _point(px[b]), color, 3, cv2.LINE_AA)
    return image


def _point(xy: NDArray[np.float32]) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))


def write_gif(images: Iterable[Image], path: Path, rate_hz: int) -> None:
    """Write pictures of one size as an animated GIF with a palette of its own.

    Raises:
        OutputError: the path can't be written.
    """
    frames = [av.VideoFrame.from_ndarray(image, format="bgr24") for image in images]
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frames[0].width, height=frames[0].height, format="bgr24", time_base=Fraction(1, rate_hz)
    )
    split, palette, use, sink = (graph.add(name) for name in ("split", "palettegen", "paletteuse", "buffersink"))
    source.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    for i, frame in enumerate(frames):
        frame.pts, frame.time_base = i, Fraction(1, rate_hz)
        source.push(frame)
    source.push(None)
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="gif") as container:
        stream = container.add_stream("gif", rate=rate_hz)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "pal8"
        for _ in frames:
            container.mux(stream.encode(sink.pull()))
        container.mux(stream.encode(None))


def _pictures() -> Iterator[Image]:
    recording = Pipeline(Config(height_m=SAMPLE_HEIGHT_M, quality="standard")).run(SAMPLE_VIDEO)
    person = recording.people[0]
    with open_source(SAMPLE_VIDEO) as source:
        for frame in source:
            keypoints = keypoints_at(person.keypoints, frame.index)
            if frame.index % (30 // _RATE_HZ) or keypoints is None:
                continue
            row = int(np.searchsorted(person.keypoints.frame, frame.index))
            drawn = cv2.resize(draw_pose(frame.image, keypoints), _SIZE_PX, interpolation=cv2.INTER_AREA)
            turned = panel(person, row, 50.0 * np.sin(frame.time_s * 0.8))
            yield np.ascontiguousarray(np.hstack([drawn, turned]), dtype=np.uint8)


def write_showcase(path: Path) -> None:
    """Make the README's animation: the sample clip with its skeleton, and the same pose in 3D, turning."""
    write_gif(_pictures(), path, _RATE_HZ)
