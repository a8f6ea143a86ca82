"""One table of speed: each quality, short and long clips, one and four people, batch, live and the bundle.

Beside them MediaPipe's bare loops over the same files. Every turn runs everything once, so that what else the machine
does meets all of them; a row is the median of its turns.
"""

from __future__ import annotations

import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.doctor import installed
from posepipe.errors import InputError, PosePipeError
from posepipe.keypoints.blazepose_models import have_blazepose
from posepipe.lab.speed import PACKAGES, Spent, mediapipe_loop, timed
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.system import busy_share, cores, processor_name

__all__ = ["QUIET", "SHORT_S", "make_clip", "measure_suite"]

QUIET = 0.05
"""Most of all cores that others may keep busy; above it figures are marked "not quiet"."""
SHORT_S = 3.0
"""Length of the short clip, and of those of other sizes and rates."""
_4K_PX = 3840
"""Longer side."""
_RATES_HZ = (60, 240)
_BATCH = 4
"""Clips of a batch."""
_LISTEN_S = 1.0
"""For so long the machine is listened to before each turn."""

# Analyses with a clock in every network: what is left is overhead. A network's own second thread isn't counted.
_OURS = """
import json, sys, time
from posepipe.cli.main import leave, run, tune
tune()
import onnxruntime
spent = [0.0]
class Timed(onnxruntime.InferenceSession):
    def run(self, *args, **kwargs):
        start = time.thread_time()
        try:
            return super().run(*args, **kwargs)
        finally:
            spent[0] += time.thread_time() - start
onnxruntime.InferenceSession = Timed
code = run(sys.argv[1:])
print(json.dumps({"networks_s": spent[0]}))
leave(code)
"""
_LIVE = """
import json, sys
from posepipe.api import stream
frames = sum(1 for _ in stream(sys.argv[1]))
print(json.dumps({"frames": frames}))
"""

_NOT_HERE = "not here"

Image = NDArray[np.uint8]
_Loop = tuple[str, int]
"""Clip and MediaPipe's ``model_complexity``."""
_LOOPS: tuple[_Loop, ...] = (("whole", 0), ("whole", 1), ("whole", 2), ("short", 1), ("long", 1), ("four", 1))


@dataclass(frozen=True, slots=True)
class _Turn:
    """What each case spent, and how fast each of MediaPipe's loops was; `mediapipe` is its version."""

    spent: Mapping[str, Spent]
    loop_fps: Mapping[_Loop, float]
    mediapipe: str


@dataclass(frozen=True, slots=True)
class Case:
    """One row.

    Attributes:
        name: what is measured.
        clip: name of the clip.
        command: what to run, given the clip's folder and a folder for results.
        clips: how often the clip is analysed.
        missing: why it can't run; empty if it can.
    """

    name: str
    clip: str
    command: Callable[[Path, Path], Sequence[str]]
    clips: int = 1
    missing: str = ""


def measure_suite(
    video: Path,
    *,
    turns: int = 5,
    long_s: float = 60.0,
    python: Path | None = None,
    bundles: Sequence[Path] = (),
    alone: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Measure everything in turns.

    Args:
        video: a clip with one person.
        turns: how often; medians are reported.
        long_s: length of the long clip, the video over and over.
        python: of another environment, which has MediaPipe 0.10.21.
        bundles: edge bundles to measure, as ``posepipe export edge`` makes them.
        alone: leave MediaPipe out.
        say: takes news of the progress.

    Returns:
        ``{"metrics", "rows", "versions"}``. In a row: ``wall_s`` and ``cpu_s`` of the whole command, start and report
        included; ``fps``; ``networks_s`` processor time of the networks in it (of what runs in one process);
        ``overhead_pct`` of the rest over that; ``peak_mb``; ``mediapipe_0`` to ``_2`` frames a second of MediaPipe's
        bare loop by ``model_complexity``, without its start; ``ratio`` of ours over that of complexity 1.

    Raises:
        InputError: the video can't be read, or a bundle has no runner.
        PosePipeError: one of our programs failed.
    """
    for bundle in bundles:
        if not (bundle / "run_edge.py").is_file():
            raise InputError(
                "no run_edge.py in it", where=str(bundle), hint="Make it: posepipe export edge --out FOLDER"
            )
    cases = _cases(bundles)
    loops = () if alone else _LOOPS
    with tempfile.TemporaryDirectory(prefix="posepipe-speed-") as temporary:
        folder = Path(temporary)
        say("making the clips")
        # In a process of its own: what its parent holds counts as a program's peak memory, see wait_usage.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as maker:
            frames = maker.submit(_make_clips, video, folder, long_s).result()
        busy = [busy_share(_LISTEN_S)]
        # The first turn compiles our modules and fills caches.
        _turn(folder, [case for case in cases if case.name in ("standard", "live")], (), python)
        turned = []
        for turn in range(turns):
            say(f"turn {turn + 1} of {turns}")
            turned.append(_turn(folder, cases, loops, python))
            busy.append(busy_share(_LISTEN_S))
            loops = tuple(loop for loop in loops if loop in turned[0].loop_fps)
    rows = [_row(case, turned, frames[case.clip]) for case in cases]
    loudest = max((share for share in busy if share is not None), default=None)
    metrics: dict[str, Any] = {"turns": turns, "cores": cores(), "processor": processor_name()}
    metrics["quiet"] = "unknown" if loudest is None else "yes" if loudest <= QUIET else "not quiet"
    if loudest is not None:
        metrics["busy_pct_most"] = 100.0 * loudest
    version = next((turn.mediapipe for turn in turned if turn.mediapipe), None)
    versions = installed(PACKAGES) | ({"mediapipe": version} if version else {})
    return {"metrics": metrics, "rows": rows, "versions": versions}


def _cases(bundles: Sequence[Path]) -> list[Case]:
    def analyze(quality: str) -> Callable[[Path, Path], Sequence[str]]:
        words = ("analyze", "--no-video", "--json", "--quality", quality)
        return lambda clip, out: [sys.executable, "-c", _OURS, *words, "--out", str(out), str(clip / "clip.mp4")]

    def batch(workers: int) -> Callable[[Path, Path], Sequence[str]]:
        words = ("batch", "--json", "--no-video", "--quality", "standard", "--workers", str(workers))
        start = (sys.executable, "-m", "posepipe.cli.main")
        return lambda clip, out: [*start, *words, "--out", str(out), str(clip)]

    def edge(bundle: Path) -> Callable[[Path, Path], Sequence[str]]:
        return lambda clip, out: [sys.executable, str(bundle / "run_edge.py"), str(clip / "clip.mp4"), "--no-frames"]

    heavy = "" if have_blazepose("heavy") else "posepipe models get heavy"
    return [
        Case("fast", "whole", analyze("fast")),
        Case("standard", "whole", analyze("standard")),
        Case("best", "whole", analyze("best"), missing=heavy),
        Case("standard, short", "short", analyze("standard")),
        Case("standard, long", "long", analyze("standard")),
        Case("standard, four people", "four", analyze("standard")),
        Case("standard, 4K", "4k", analyze("standard")),
        *(Case(f"standard, {rate} pictures a second", str(rate), analyze("standard")) for rate in _RATES_HZ),
        Case("batch, 1 worker", "batch", batch(1), _BATCH),
        Case("batch, 2 workers", "batch", batch(2), _BATCH),
        Case("live", "whole", lambda clip, out: [sys.executable, "-c", _LIVE, str(clip / "clip.mp4")]),
        *(Case(f"bundle {bundle.name}", "whole", edge(bundle)) for bundle in bundles),
    ]


def _turn(folder: Path, cases: Sequence[Case], loops: Sequence[_Loop], python: Path | None) -> _Turn:
    """Everything once. A loop whose package or network isn't here is left out: another network is fetched first."""
    # Modules are compiled once, as in any installation; some environments keep no compiled code.
    environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    spent, loop_fps, version = {}, {}, ""
    for case in cases:
        if not case.missing:
            with tempfile.TemporaryDirectory(dir=folder) as out:
                spent[case.name] = timed(case.command(folder / case.clip, Path(out)), environment)
    for clip, complexity in loops:
        with suppress(PosePipeError):
            said = mediapipe_loop(folder / clip / "clip.mp4", complexity, python).said
            loop_fps[clip, complexity] = said["frames"] / said["loop_s"]
            version = said["version"]
    return _Turn(spent, loop_fps, version)


def _row(case: Case, turned: Sequence[_Turn], frames: int) -> dict[str, Any]:
    clip = "whole" if case.clip == "batch" else case.clip
    row: dict[str, Any] = {"case": case.name, "clip": clip, "frames": frames * case.clips}
    if case.missing:
        return row | {"wall_s": f"needs: {case.missing}"}
    spent = [turn.spent[case.name] for turn in turned]
    row["wall_s"] = median(run.wall_s for run in spent)
    row["cpu_s"] = median(run.cpu_s for run in spent)
    row["fps"] = row["frames"] / row["wall_s"]
    if "networks_s" in spent[0].said:
        row["networks_s"] = median(run.said["networks_s"] for run in spent)
        row["overhead_pct"] = median(100.0 * (run.cpu_s / run.said["networks_s"] - 1.0) for run in spent)
    row["peak_mb"] = median(run.peak_mb for run in spent)
    for complexity in (0, 1, 2):
        speeds = [turn.loop_fps[clip, complexity] for turn in turned if (clip, complexity) in turn.loop_fps]
        row[f"mediapipe_{complexity}"] = median(speeds) if speeds else _NOT_HERE if clip == "whole" else None
        if speeds and complexity == 1:
            row["ratio"] = row["fps"] / median(speeds)
    return row


def _make_clips(video: Path, folder: Path, long_s: float) -> dict[str, int]:
    """Folders ``whole short long four 4k 60 240 batch``, each with ``clip.mp4``; frames of each."""
    for name in ("whole", "short", "long", "four", "4k", *map(str, _RATES_HZ), "batch"):
        (folder / name).mkdir()
    for number in range(_BATCH):
        shutil.copyfile(video, folder / "batch" / f"clip{number}.mp4")
    shutil.copyfile(video, folder / "whole" / "clip.mp4")
    with open_source(video) as source:
        whole = sum(1 for _ in source)
    return {
        "whole": whole,
        "batch": whole,
        "short": make_clip(video, folder / "short" / "clip.mp4", SHORT_S),
        "long": make_clip(video, folder / "long" / "clip.mp4", long_s),
        "four": make_clip(video, folder / "four" / "clip.mp4", None, four=True),
        "4k": make_clip(video, folder / "4k" / "clip.mp4", SHORT_S, longer_px=_4K_PX),
        **{str(rate): make_clip(video, folder / str(rate) / "clip.mp4", SHORT_S, rate_hz=rate) for rate in _RATES_HZ},
    }


def make_clip(
    video: Path,
    path: Path,
    length_s: float | None,
    *,
    four: bool = False,
    rate_hz: float | None = None,
    longer_px: int | None = None,
) -> int:
    """Write a video anew: over and over up to a length, or once.

    Args:
        video: what to write.
        path: where to.
        length_s: None writes it once.
        four: the picture in each quarter.
        rate_hz: with each picture as often as makes this rate.
        longer_px: at another size.

    Returns:
        Frames written.

    Raises:
        MediaError: the video can't be read.
    """
    with open_source(video) as source:
        info = source.info
    film_hz = info.fps_hz or 30.0
    rate, times = (film_hz, 1) if rate_hz is None else (rate_hz, max(1, round(rate_hz / film_hz)))
    most = None if length_s is None else max(1, round(length_s * rate))
    scale = 1.0 if longer_px is None else longer_px / max(info.width_px, info.height_px)
    size = round(scale * info.width_px), round(scale * info.height_px)
    frames = 0
    with VideoWriter(path, *size, rate, preset="veryfast") as writer:
        while most is None or frames < most:
            with open_source(video) as source:
                for frame in source:
                    image = _fourfold(frame.image) if four else frame.image
                    if scale != 1.0:
                        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
                    for _ in range(times if most is None else min(times, most - frames)):
                        writer.write(image, frames / rate)
                        frames += 1
                    if frames == most:
                        break
            if most is None:
                break
    return frames


def _fourfold(image: Image) -> Image:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    out = np.zeros_like(image)
    rows, columns = height // 2 * 2, width // 2 * 2
    out[:rows, :columns] = np.tile(small, (2, 2, 1))
    return out
