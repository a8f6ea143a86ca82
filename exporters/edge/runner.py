"""The edge bundle's runner: pictures in, JSON lines out. `exporters.edge.amalgamate` makes it one file.

Everything here runs on NumPy, OpenCV and ONNX Runtime; what it uses of posepipe goes into the file with it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from exporters.edge.runner_models import HERE, Models
from exporters.edge.runner_watch import Watch
from posepipe.errors import MediaError, PosePipeError, UsageError
from posepipe.exercise.types import CoachState
from posepipe.lifting.lifter import assumed_camera
from posepipe.live import LivePerson
from posepipe.types import Camera, Frame

__all__ = ["main", "run"]

_WARM_FRAMES = 30


def _frames(source: str, threads: int = 1) -> Iterator[Frame]:
    """Pictures of a file, an image pattern, or a camera by its number, with their times.

    Raises:
        MediaError: it can't be opened, or gives no picture.
    """
    live = source.isdigit()
    if not live and "%" not in source and "://" not in source and not Path(source).is_file():
        raise MediaError("no such file", where=source)
    capture = _capture(source, live, threads)
    if not capture.isOpened():
        raise MediaError("OpenCV can't open it", where=source)
    fps_hz = capture.get(cv2.CAP_PROP_FPS) or 30.0
    begin, last_s, index = time.monotonic(), -1.0, 0
    try:
        while True:
            there, image = capture.read()
            if not there:
                break
            time_s = time.monotonic() - begin if live else capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
            if not time_s > last_s:
                time_s = last_s + 1.0 / fps_hz
            yield Frame(index, time_s, np.asarray(image, np.uint8))
            last_s, index = time_s, index + 1
    finally:
        capture.release()
    if index == 0:
        raise MediaError("it holds no picture", where=source)


def _capture(source: str, live: bool, threads: int) -> cv2.VideoCapture:
    if live:
        return cv2.VideoCapture(int(source))
    # OpenCV would decode with a thread for each core.
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    return capture if capture.isOpened() else cv2.VideoCapture(source)


def _numbers(values: NDArray[Any], digits: int) -> list[Any]:
    """Nested lists; missing numbers are null."""
    rounded = np.round(np.asarray(values, np.float64), digits)
    plain = np.array(rounded, object)
    plain[~np.isfinite(rounded)] = None
    return cast("list[Any]", plain.tolist())


def _person(person: LivePerson) -> dict[str, Any]:
    """One person as it is printed; joints in the manifest's order."""
    keypoints, pose, angles = person.keypoints, person.pose, person.angles
    return {
        "id": person.id,
        "presence": round(keypoints.presence, 5),
        "xy_px": _numbers(keypoints.xy_px, 2),
        "sigma_px": _numbers(keypoints.sigma_px, 2),
        "score": _numbers(keypoints.score, 4),
        "xyz_m": _numbers(pose.xyz_m[0], 4),
        "sigma_m": _numbers(pose.sigma_m[0], 4),
        "root_m": _numbers(pose.root_m[0], 4),
        "root_sigma_m": _numbers(pose.root_sigma_m[0], 4),
        "angles_deg": _numbers(angles.deg[0], 2),
        "angles_sigma_deg": _numbers(angles.sigma_deg[0], 2),
        "yaw_deg": _numbers(np.array(person.yaw_deg), 1),
        "yaw_sigma_deg": _numbers(np.array(person.yaw_sigma_deg), 1),
    }


def _coached(state: CoachState | None) -> dict[str, Any]:
    if state is None:
        return {}
    return {
        "coach": {
            "exercise": state.label,
            "confidence": round(state.confidence, 4),
            "reps": state.reps,
            "reps_total": state.reps_total,
            "phase": state.phase.value,
            "progress": _numbers(np.array(state.progress), 3),
            "say": state.feedback.text,
        }
    }


def _camera(width_px: int, height_px: int, fov_deg: float | None) -> Camera:
    if fov_deg is None:
        return assumed_camera(width_px, height_px)
    return Camera.from_fov(width_px, height_px, fov_deg, "given")


def run(options: argparse.Namespace) -> None:
    """Watch an input to its end, or to Ctrl-C, then say what was done in it."""
    models = Models(options.bundle, options.threads)
    watch: Watch | None = None
    frames, warm_s = 0, time.process_time()
    with contextlib.suppress(KeyboardInterrupt):
        for frame in _frames(options.input, options.threads):
            if options.max_frames is not None and frame.index >= options.max_frames:
                break
            if watch is None:
                camera = _camera(*frame.size_px, options.fov_deg)
                watch = Watch(
                    models,
                    camera,
                    people=options.people,
                    height_m=options.height_m,
                    refine=options.refine,
                )
            if frame.index == _WARM_FRAMES:
                warm_s = time.process_time()
            begin = time.perf_counter()
            people = watch.step(frame)
            spent_ms = 1000.0 * (time.perf_counter() - begin)
            frames += 1
            if options.frames:
                seen = [_person(person) | _coached(state) for person, state in people]
                _say({"frame": frame.index, "time_s": round(frame.time_s, 6), "ms": round(spent_ms, 2), "people": seen})
    steady = max(frames - _WARM_FRAMES, 0) or frames
    cpu_ms = 1000.0 * (time.process_time() - warm_s) / max(steady, 1)
    _say({"people": watch.results() if watch is not None else []})
    _say({"done": {"frames": frames, "cpu_ms": round(cpu_ms, 2), "peak_mb": _peak_mb()}})


def _peak_mb() -> float | None:
    """Most memory this process ever had resident; None where the system doesn't say."""
    status = Path("/proc/self/status")
    if status.is_file():
        found = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return round(int(found[0]) / 1e3, 1) if found else None
    try:
        import resource
    except ImportError:
        return None
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run_edge.py", description="3D motion, exercise and gait as JSON lines.")
    parser.add_argument("input", help="video file, image pattern such as img_%%04d.png, or a camera's number")
    parser.add_argument("--bundle", type=Path, default=HERE, help="folder of manifest.json; this one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--people", type=int, default=1, help="follow at most so many")
    parser.add_argument("--height-m", type=float, help="the person's height; makes lengths measured, not assumed")
    parser.add_argument("--fov-deg", type=float, help="the camera's angle of view along the longer side")
    parser.add_argument("--refine", action="store_true", help="optimise the poses before the results (needs refiner)")
    parser.add_argument("--max-frames", type=int, help="stop after so many")
    parser.add_argument("--no-frames", dest="frames", action="store_false", help="print the results only")
    options = parser.parse_args(arguments)
    if options.threads < 1 or options.people < 1:
        raise UsageError("--threads and --people", hint="Give 1 or more")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit codes: 0 done, 2 wrong usage, 3 the input can't be read, 4 a model is missing or damaged."""
    cv2.setNumThreads(1)
    try:
        run(_options(arguments))
    except PosePipeError as error:
        sys.stderr.write(f"run_edge: {error}\n")
        return error.exit_code
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    return 0


if __name__ == "__main__":
    sys.exit(main())
