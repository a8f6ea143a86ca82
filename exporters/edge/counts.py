"""Whether the bundle's runner, the live session and the browser page count alike: ``posepipe evaluate edge-counts``."""

from __future__ import annotations

import csv
import functools
import http.server
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporters.edge.measure import run_clip
from posepipe.doctor import installed
from posepipe.errors import InputError, PosePipeError, UsageError
from posepipe.exercise.coach import Coach
from posepipe.exercise.recognise import Recogniser
from posepipe.media.sources import open_source
from posepipe.pipeline import Config, Pipeline
from posepipe.system import need

__all__ = [
    "Told", "coached", "compare_counts", "compare_page", "counted_clips", "live_frames", "open_page", "page_count",
    "runner_frames",
]  # fmt: skip

Told = tuple[int, "str | None", int]
"""A person's id, the exercise that the coach names, and the repetitions counted by then."""


def coached(frames: Iterable[Sequence[Told]]) -> tuple[str | None, int]:
    """What a coach said in all of whoever was there most: the exercise named most, and the last count."""
    seen, reps, named = Counter[int](), dict[int, int](), dict[int, Counter[str]]()
    for people in frames:
        for person, exercise, total in people:
            seen[person] += 1
            reps[person] = total
            if exercise is not None:
                named.setdefault(person, Counter())[exercise] += 1
    if not seen:
        return None, 0
    main = seen.most_common(1)[0][0]
    return named[main].most_common(1)[0][0] if main in named else None, reps[main]


def runner_frames(bundle: Path, video: Path) -> list[list[Told]]:
    """What the runner's coach said in each frame of a video."""
    rows = [row for row in run_clip(bundle, video) if "frame" in row]
    return [
        [(one["id"], one["coach"]["exercise"], one["coach"]["reps_total"]) for one in row["people"]] for row in rows
    ]


def live_frames(video: Path) -> Iterator[list[Told]]:
    """What the coach of a live session says in each frame of a video; one person is followed, as by the runner."""
    recogniser, coaches = Recogniser(threads=1), dict[int, Coach]()
    pipeline = Pipeline(Config(max_people=1, quality="standard"))
    with open_source(video) as source, pipeline.start(*_size(source.info), threads=1) as live:
        for frame in source:
            told: list[Told] = []
            for person in live.step(frame):
                coach = coaches.setdefault(person.id, Coach(recogniser=recogniser))
                state = coach.step(frame.time_s, person.pose, person.angles, person.keypoints, frame.size_px)
                told.append((person.id, state.label, state.reps_total))
            yield told


def _size(info: Any) -> tuple[int, int]:
    return info.width_px, info.height_px


def counted_clips(folder: Path, only: Sequence[str] = ()) -> list[Path]:
    """Videos of a folder whose repetitions somebody counted, by its ``videos.csv`` (columns file and reps).

    Args:
        folder: with videos and table.
        only: names of clips; all if empty.

    Raises:
        InputError: no such table, or no such clip in it.
    """
    table = folder / "videos.csv"
    if not table.is_file():
        raise InputError("no videos.csv", where=str(folder), hint="It needs the columns file and reps")
    with table.open(encoding="utf-8", newline="") as file:
        found = [folder / row["file"] for row in csv.DictReader(file) if row["reps"]]
    found = [path for path in found if not only or path.name in only]
    if not found or len(found) < len(set(only)):
        raise InputError("it doesn't count these clips", where=str(table), hint="Name files of its column file")
    return found


def compare_counts(
    bundle: Path, clips: Sequence[Path], *, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Let the runner and a live session watch clips.

    Args:
        bundle: the bundle.
        clips: videos.
        say: takes news of the progress.

    Returns:
        ``{"metrics", "rows", "versions"}``: in how many clips exercise and count are the same in the end, and in how
        many the coach says the same in every frame; a row for each clip in which it doesn't.

    Raises:
        PosePipeError: the runner failed.
    """
    rows, alike, always = [], 0, 0
    for video in clips:
        say(video.name)
        runner, live = runner_frames(bundle, video), list(live_frames(video))
        ours, theirs = coached(live), coached(runner)
        apart = sum(a != b for a, b in zip(live, runner, strict=False)) + abs(len(live) - len(runner))
        alike += ours == theirs
        always += not apart
        if apart:
            names = ("live", "live_reps", "runner", "runner_reps")
            found = dict(zip(names, (*ours, *theirs), strict=True))
            rows.append({"clip": video.name, "frames": len(live), "frames_apart": apart} | found)
    metrics = {"clips": len(clips), "same_count": alike, "same_in_every_frame": always}
    return {"metrics": metrics, "rows": rows, "versions": installed(("onnxruntime", "numpy", "opencv-python", "av"))}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def open_page(bundle: Path, wait_s: float = 900.0, people: int = 1) -> Iterator[Callable[[Path], dict[str, Any]]]:
    """The bundle's page in headless Chromium: takes a video, and gives what the page found in it.

    Args:
        bundle: one with ``web/``.
        wait_s: for one video.
        people: follow at most so many.

    Raises:
        InputError: the bundle has no page.
        UsageError: no Chromium, or no playwright.
    """
    if not (bundle / "web" / "index.html").is_file():
        raise InputError("no page in it", where=str(bundle), hint="Make it: posepipe export edge --ort-web DIR")
    need("playwright", "dev")
    chromium = shutil.which("chromium")
    if chromium is None:
        raise UsageError("chromium isn't installed", where="the browser page")
    from playwright.sync_api import sync_playwright

    handler = functools.partial(_Quiet, directory=str(bundle))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as play:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def watch(video: Path) -> dict[str, Any]:
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{server.server_address[1]}/web/")
            tab.fill("#people", str(people))
            tab.set_input_files("#file", str(video))
            tab.wait_for_function("window.posepipeResult", timeout=1000.0 * wait_s)
            found: dict[str, Any] = tab.evaluate("window.posepipeResult")
            tab.close()
            return found

        try:
            yield watch
        finally:
            browser.close()
            server.shutdown()


def page_count(found: dict[str, Any]) -> tuple[str | None, int]:
    """Of what the page found: the exercise that whoever was there most did longest, and all their repetitions.

    Raises:
        PosePipeError: the page failed.
    """
    if "error" in found:
        raise PosePipeError(f"the page failed: {found['error']}")
    if not found["people"]:
        return None, 0
    main = max(found["people"], key=lambda person: int(person["frames"]))["exercise"]
    bouts = main["segments"]
    longest = max(bouts, key=lambda bout: float(bout["end_s"] - bout["start_s"]))["label"] if bouts else None
    return longest, main["reps_total"]


def compare_page(
    bundle: Path, clips: Sequence[Path], *, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Let the runner and the browser page watch clips.

    Args:
        bundle: one with ``web/``.
        clips: videos that Chromium can play.
        say: takes news of the progress.

    Returns:
        ``{"metrics", "rows", "versions"}``: a row for each clip; in how many exercise and count are the same.

    Raises:
        InputError: the bundle has no page.
        PosePipeError: page or runner failed.
        UsageError: no Chromium, or no playwright.
    """
    rows = []
    with open_page(bundle) as watch:
        for video in clips:
            say(video.name)
            found = watch(video)
            frames = runner_frames(bundle, video)
            (exercise, reps), (wanted, wanted_reps) = page_count(found), coached(frames)
            row: dict[str, Any] = {"clip": video.name, "frames": len(frames), "page_frames": found["frames"]}
            row |= {"runner": wanted, "runner_reps": wanted_reps, "page": exercise, "page_reps": reps}
            rows.append(row | {"step_ms": round(found["step_ms_median"], 1)})
    same = sum((row["page"], row["page_reps"]) == (row["runner"], row["runner_reps"]) for row in rows)
    metrics = {"clips": len(rows), "same_count": same}
    return {"metrics": metrics, "rows": rows, "versions": installed(("onnxruntime", "numpy", "opencv-python"))}
