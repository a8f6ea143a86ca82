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
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import joint_angles
from posepipe.body.lift import Lifter, assumed_camera
from posepipe.body.motion import Motion
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.errors import MediaError, ModelError, PosePipeError, UsageError
from posepipe.exercise.analyse import analyse_exercise
from posepipe.exercise.catalogue import Exercise, _Reader
from posepipe.exercise.coach import Coach
from posepipe.exercise.recognise import Recogniser
from posepipe.exercise.types import CoachState, ExerciseResult
from posepipe.gait.analyse import analyse
from posepipe.gait.types import GaitResult
from posepipe.keypoints.blazepose import BlazePoseStream, Person, read_person
from posepipe.keypoints.finder import Area, detect
from posepipe.keypoints.roi import Roi
from posepipe.live import LivePerson, LiveSession
from posepipe.reasons import Reason
from posepipe.record.codec import exercise_json, gait_json
from posepipe.types import Angles, Camera, Frame, KeypointTrack, PoseTrack
from posepipe.weights import sha256_of_file

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["Models", "main", "run", "use"]

HERE = Path(__file__).resolve().parent
"""In a bundle: the bundle."""

FloatArray = NDArray[np.float32]
_CROP_PX = 256
_MOST_FRAMES = 9000  # Kept for the results at the end: five minutes at 30 fps.
_NO_PICTURE = np.zeros((1, 1, 3), np.uint8)
_WARM_FRAMES = 30


class Models:
    """The bundle's networks, each checked against the manifest before it is opened.

    Args:
        folder: the bundle.
        threads: of ONNX Runtime.

    Raises:
        ModelError: the manifest can't be read.
    """

    def __init__(self, folder: Path = HERE, threads: int = 1) -> None:
        self.folder = folder
        self.threads = threads
        path = folder / "manifest.json"
        try:
            self.manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self._entries = {str(name): dict(entry) for name, entry in self.manifest["models"].items()}
        except FileNotFoundError as error:
            raise ModelError("no such file", where=str(path), hint="Run it in the bundle's folder") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError("not a bundle's manifest", where=str(path), hint="Make the bundle again") from error

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def open(self, name: str, *, memory_reuse: bool = True) -> InferenceSession:
        """Check and open one network; without `memory_reuse` no plan is made of which tensors share memory.

        Raises:
            ModelError: it is missing, cut short, changed, or another network under its name.
        """
        if name not in self._entries:
            raise ModelError(f"the bundle has no {name}", where=str(self.folder / "manifest.json"))
        entry = self._entries[name]
        path = self.folder / str(entry["file"])
        hint = "Copy the bundle again or make it anew"
        try:
            size, digest = path.stat().st_size, sha256_of_file(path)
        except OSError as error:
            raise ModelError(f"can't be read ({error.strerror})", where=str(path), hint=hint) from error
        if size != entry["size_bytes"]:
            raise ModelError(f"has {size} bytes, expected {entry['size_bytes']}", where=str(path), hint=hint)
        if digest != entry["sha256"]:
            raise ModelError("its sha256 isn't the manifest's: damaged, or another file", where=str(path), hint=hint)
        # Read at the import: nothing is reported (see posepipe/__init__.py, which a bundle doesn't have).
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads sleep as soon as a run ends, so that the other networks' threads and the decoder get the cores.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.enable_cpu_mem_arena = False
        options.enable_mem_reuse = memory_reuse
        try:
            session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        # ONNX Runtime's exceptions share no base of their own.
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"ONNX Runtime can't use it ({first[:200]})", where=str(path), hint=hint) from error
        _check_ports(session, name, entry, path)
        return session


def _check_ports(session: InferenceSession, name: str, entry: dict[str, Any], path: Path) -> None:
    """That a file is the network that the manifest says."""
    said = session.get_modelmeta().custom_metadata_map.get("posepipe_name")
    found = {item.name for item in (*session.get_inputs(), *session.get_outputs())}
    needed = {str(port["name"]) for port in (*entry["inputs"], *entry["outputs"])}
    if said != name or not needed <= found:
        raise ModelError(
            f"holds {said or 'another network'}, expected {name}", where=str(path), hint="Files are swapped"
        )


_CURRENT: list[Models] = []


def use(models: Models) -> None:
    """Let the code of posepipe find these networks and tables from now on."""
    _CURRENT[:] = [models]


def find_model(name: str | Path) -> Path:
    """Stands in for `posepipe.weights.find_model`: `open_session` checks the file."""
    return Path(f"{name}.onnx")


def open_session(model: Path, *, threads: int | None = None, memory_reuse: bool = True) -> InferenceSession:
    """Stands in for `posepipe.inference.open_session`: a network of the bundle in use."""
    del threads
    return _CURRENT[-1].open(Path(model).stem, memory_reuse=memory_reuse)


def files(package: str) -> Path:
    """Stands in for `importlib.resources.files`: the bundle's folder of tables."""
    del package
    return _CURRENT[-1].folder / "tables"


def read_catalogue(where: str, text: str) -> dict[str, Exercise]:
    """Stands in for the reader of the exercise catalogue, which is JSON in the bundle."""
    return {str(name): _Reader(where, str(name)).exercise(value) for name, value in json.loads(text).items()}


class EdgeNetworks:
    """The two networks of the detector, with the pipeline's own decoding; see `posepipe.keypoints.blazepose.Networks`.

    Attributes:
        finder: itself; it is also what `posepipe.keypoints.finder.PersonFinder` is to the pipeline.
    """

    def __init__(self, models: Models) -> None:
        self.finder = self
        self._detector = models.open("detector")
        self._landmarks = models.open("landmarks")
        self._closer = float(models.manifest["finder"]["closer"])

    def detect(
        self, image: NDArray[np.uint8], min_score: float = 0.5, area: Area | None = None
    ) -> tuple[tuple[float, Roi], ...]:
        """People in a picture; see `posepipe.keypoints.finder.detect`."""
        return detect(self._run, image, min_score, area)

    def _run(self, square: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        boxes, logits = self._detector.run(["boxes", "scores"], {"image": square[None]})
        return boxes, logits

    def landmarks(self, image: NDArray[np.uint8], roi: Roi) -> Person:
        """Landmarks of the person in a region of interest, without MediaPipe's own 3D guess."""
        roi = replace(roi, size_px=roi.size_px / self._closer)
        crop = roi.crop(image, _CROP_PX)
        raw, presence, maps = self._landmarks.run(["landmarks", "presence", "heatmaps"], {"image": crop[None]})
        return read_person(raw, float(presence[0, 0]), maps, roi)


class EdgeLifter(Lifter):
    """The lifter; encoding, turning back and calibration are part of its graph."""

    def __init__(self, models: Models) -> None:
        self._session = models.open("lifter")

    def lift_rays(
        self,
        rays: FloatArray,
        ray_sigma: FloatArray,
        valid: NDArray[np.bool_],
        focal_assumed: NDArray[np.bool_],
        *,
        independent: bool = False,
    ) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """As `posepipe.body.lift.Lifter.lift_rays`; the graph holds sigma for a detector's keypoints only.

        Raises:
            UsageError: sigma for independent keypoints is asked for.
        """
        if independent:
            raise UsageError("the edge lifter knows sigma for a detector's keypoints only")
        feeds = {"rays": np.nan_to_num(rays), "ray_sigma": np.nan_to_num(ray_sigma, nan=1.0), "valid": valid}
        found = [
            self._session.run(
                ["xyz_m", "sigma_m", "usable"],
                {name: value[i : i + 1] for name, value in feeds.items()} | {"focal_assumed": focal_assumed[i : i + 1]},
            )
            for i in range(len(rays))
        ]
        xyz, sigma, usable = (np.concatenate(part) for part in zip(*found, strict=True))
        return xyz, sigma, usable


@dataclass(slots=True, eq=False)
class _Memory:
    """What is kept of one person for the results at the end."""

    seconds: float
    coach: Coach | None
    past: deque[tuple[Frame, LivePerson]]


class Watch:
    """Everything for one input: the live session, and for each person a coach and a memory of some minutes.

    Args:
        models: the bundle's.
        camera: size and focal length of the pictures.
        people: follow at most so many.
        height_m: the person's height; None leaves the scale assumed.
        refine: optimise the poses at test time before the results are made; needs the refiner in the bundle.
    """

    def __init__(
        self, models: Models, camera: Camera, *, people: int = 1, height_m: float | None = None, refine: bool = False
    ) -> None:
        use(models)
        self._camera = camera
        self._height_m = height_m
        # Without the clip stage, whose long loops a board would feel.
        self._refiner = Refiner(threads=models.threads, config=RefineConfig(clip=False)) if refine else None
        stream = BlazePoseStream(cast(Any, EdgeNetworks(models)), people)
        self._lifter = EdgeLifter(models)
        self.session = LiveSession(stream, self._lifter, camera, height_m)
        self._size = camera.width_px, camera.height_px
        self._scale_known = height_m is not None
        self._recogniser = Recogniser() if "exercise" in models else None
        self._gait = "gait" in models
        self._people: dict[int, _Memory] = {}

    def step(self, frame: Frame) -> list[tuple[LivePerson, CoachState | None]]:
        """Everyone in the next frame, each with what the coach knows."""
        return [(person, self._remember(frame, person)) for person in self.session.step(frame)]

    def _remember(self, frame: Frame, person: LivePerson) -> CoachState | None:
        if person.id not in self._people:
            coach = Coach(recogniser=self._recogniser) if self._recogniser is not None else None
            self._people[person.id] = _Memory(frame.time_s, coach, deque(maxlen=_MOST_FRAMES))
        memory = self._people[person.id]
        memory.past.append((Frame(frame.index, frame.time_s, _NO_PICTURE), person))
        if memory.coach is None:
            return None
        return memory.coach.step(frame.time_s, person.pose, person.angles, person.keypoints, self._size)

    def results(self) -> list[dict[str, Any]]:
        """Each person's exercise and gait, in the form of ``summary.json``'s people."""
        return [self._result(i, memory) for i, memory in self._people.items() if len(memory.past) > 1]

    def _result(self, person: int, memory: _Memory) -> dict[str, Any]:
        motion = self._refined(_motion_of(person, list(memory.past), self._size))
        exercise = ExerciseResult(withheld=Reason.NOT_ANALYSED)
        if self._recogniser is not None:
            exercise = analyse_exercise(motion, self._recogniser)
        gait = GaitResult(withheld=Reason.NOT_ANALYSED)
        if self._gait:
            gait = analyse(motion, scale_known=self._scale_known)
        return {
            "id": person,
            "frames": len(motion),
            "seconds": round(float(motion.time_s[-1] - motion.time_s[0]), 3),
            "exercise": exercise_json(exercise),
            "gait": gait_json(gait),
        }

    def _refined(self, motion: Motion) -> Motion:
        """The motion lifted again and optimised, if that was asked for."""
        if self._refiner is None or motion.keypoints is None:
            return motion
        lifted = self._lifter.lift(motion.keypoints, self._camera, height_m=self._height_m)
        pose = self._refiner.refine(lifted).pose
        return Motion.from_pose(pose, joint_angles(pose), motion.keypoints, self._size)


def _motion_of(person: int, past: Sequence[tuple[Frame, LivePerson]], size_px: tuple[int, int]) -> Motion:
    """One person's frames as a motion, as the live session gave them."""
    poses = [seen.pose for _, seen in past]
    time_s = np.array([frame.time_s for frame, _ in past])
    pose = PoseTrack(
        poses[0].layout,
        time_s,
        *(
            np.concatenate([getattr(pose, name) for pose in poses])
            for name in ("xyz_m", "sigma_m", "root_m", "root_sigma_m", "valid", "interpolated")
        ),
    )
    angles = [seen.angles for _, seen in past]
    joined = Angles(
        angles[0].names, np.concatenate([a.deg for a in angles]), np.concatenate([a.sigma_deg for a in angles])
    )
    points = [seen.keypoints for _, seen in past]
    xy_px = np.stack([k.xy_px for k in points])
    valid = np.all(np.isfinite(xy_px), axis=2)
    track = KeypointTrack(
        person,
        points[0].layout,
        np.array([frame.index for frame, _ in past], np.int32),
        time_s,
        xy_px,
        np.stack([k.sigma_px for k in points]),
        np.stack([k.score for k in points]),
        valid,
        np.zeros_like(valid),
    )
    return Motion.from_pose(pose, joined, track, size_px)


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
                watch = Watch(models, camera, people=options.people, height_m=options.height_m, refine=options.refine)
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
        found = [
            line.split()[1] for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")
        ]
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
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    return 0


if __name__ == "__main__":
    sys.exit(main())
