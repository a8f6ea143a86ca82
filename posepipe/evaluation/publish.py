"""Writes measured figures into the documents, so that no number is typed by hand.

``docs/figures/NAME.json`` holds what the command in `COMMANDS` printed. In a document, the text between
``<!-- figures: NAME -->`` and ``<!-- end -->`` is replaced by its table; ``<!-- metrics: NAME key key -->`` picks some
of its metrics. In the repository:

    python -m posepipe.evaluation.publish measure speed
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from posepipe.errors import InputError, PosePipeError
from posepipe.evaluation.tables import markdown

__all__ = ["COMMANDS", "filled", "main", "measure"]

# Made by: python -m posepipe.synth.detector_loop --data ../shared/data/mocap/val.npz --out runs/loop/loop_val.npz
# --frames 3000 --shard 1000 --seed 2
_LOOP = "runs/loop/loop_val_000.npz runs/loop/loop_val_001.npz runs/loop/loop_val_002.npz"

# Made by: posepipe batch ../shared/videos --out runs/clips
_CLIPS = "../shared/videos --results runs/clips"

COMMANDS: Mapping[str, str] = {
    "speed": "bench ../shared/videos/lateralraise_01_front.mp4",
    "speed-sample": "bench",
    "detector": "evaluate detector --data ../shared/videos --max-frames 25",
    "multiview": "evaluate multiview --data ../shared/videos/multiview/pose2sim_single",
    "edge": "export compare",
    # Needs the folder arm/ that docs/edge.md tells how to make.
    "edge-aarch64": "python -m exporters.edge.aarch64 --bundle arm/float32 arm/int8 --root arm/root "
    "--qemu arm/qemu/usr/bin/qemu-aarch64-static --frames 10 --video arm/png/img_%04d.png",
    "lifter": "evaluate lifter --data ../shared/data/mocap/val.npz",
    "calibration": "evaluate calibration --data ../shared/data/mocap/val.npz --pairs runs/loop",
    "rendered": f"evaluate rendered --data {_LOOP}",
    "refine": f"evaluate refine --data {_LOOP}",
    # Made by: python -m posepipe.synth.detector_loop --data ../shared/data/mocap/val.npz --out runs/loop/loop_long.npz
    # --frames 3000 --lengths 60 109 --seed 7
    "refine-long": "evaluate refine --data runs/loop/loop_long.npz",
    "recognition": f"evaluate recognition --data {_CLIPS}",
    "recognition-penn": "python -m posepipe.evaluation.recognition_folds --init exercise --json "
    "--data ../shared/data/exercise/penn_action_train.npz",
    "reps": f"evaluate reps --data {_CLIPS}",
    "reps-poses": "evaluate reps --data ../shared/data/exercise/repcount_poses.npz",
    "reps-made": "python -m posepipe.evaluation.reps_made --sets 220",
    "form": "evaluate form --data ../shared/data/mocap/val.npz",
    "yaw": "evaluate yaw --data ../shared/data/mocap/val.npz",
    "gait": "evaluate gait --walks 12",
    "gait-sensor": "evaluate gait --data ../shared/data/gait/sphere.npz",
    "scale": "python -m posepipe.batch.measure ../shared/videos --pattern 'squat_*' --workers 1,2 --repeats 2",
}
"""What makes each figure: after the word posepipe, or from the word python on."""

_BLOCK = re.compile(r"(<!-- (figures|metrics): ([\w-]+)((?: \w+)*) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, figures: Path) -> str:
    """A document with its figures renewed.

    Args:
        text: markdown.
        figures: folder of the JSON files.

    Raises:
        InputError: a figure that the document names has no file.
    """

    def block(match: re.Match[str]) -> str:
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


def measure(name: str, figures: Path) -> None:
    """Run a figure's command and keep what it prints.

    Raises:
        PosePipeError: the command failed.
    """
    words = shlex.split(COMMANDS[name])
    own = words[0] != "python"
    command = f"posepipe {COMMANDS[name]}" if own else COMMANDS[name]
    run = [sys.executable, *(["-m", "posepipe.cli.main", *words, "--json"] if own else words[1:])]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PosePipeError(f"{command} failed", hint=done.stderr.strip().splitlines()[-1])
    result = {"command": command} | json.loads(done.stdout)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (figures / f"{name}.json").write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Renew ``README.md`` and ``docs/*.md`` of the folder we are in.

    ``measure NAME...`` runs the commands of these figures first (all, without a name). ``--check`` writes nothing.

    Returns:
        1 if ``--check`` finds a document out of date, else 0.
    """
    figures = Path("docs/figures")
    if arguments and arguments[0] == "measure":
        for name in arguments[1:] or COMMANDS:
            measure(name, figures)
    stale = 0
    for path in [Path("README.md"), *sorted(Path("docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        new = filled(text, figures)
        if new != text:
            stale = 1
            if "--check" not in arguments:
                path.write_text(new, encoding="utf-8")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
