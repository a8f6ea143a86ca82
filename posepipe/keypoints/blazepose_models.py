"""Where BlazePose's networks come from, and the cache of their translations.

The wheel ``mediapipe==0.10.21`` brings the person detector and the landmark network "full"; its files are read, the
package is never imported. MediaPipe's own bundles ``pose_landmarker_{lite,full,heavy}.task`` hold both networks and
can be named by path.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from posepipe.errors import ModelError, OutputError
from posepipe.media.atomic import atomic_path
from posepipe.weights import cache_dir, sha256_of

__all__ = ["BlazePoseFiles", "from_task", "from_wheel", "onnx_model"]

_log = logging.getLogger(__name__)

_VERSION = 1  # of the translation; raise it whenever the translator gives another file
_WHEEL_DETECTOR = "modules/pose_detection/pose_detection.tflite"
_WHEEL_LANDMARKS = "modules/pose_landmark/pose_landmark_full.tflite"
_TASK_DETECTOR = "pose_detector.tflite"
_TASK_LANDMARKS = "pose_landmarks_detector.tflite"
_HINT = "Install the version that still brings the networks: pip install mediapipe==0.10.21"

_DETECTOR_OUTPUTS: Mapping[str, tuple[int, ...]] = {"boxes": (1, 2254, 12), "scores": (1, 2254, 1)}
_LANDMARK_OUTPUTS: Mapping[str, tuple[int, ...]] = {
    "landmarks": (1, 195),
    "presence": (1, 1),
    "heatmaps": (1, 64, 64, 39),
    "world": (1, 117),
}


@dataclass(frozen=True, slots=True)
class BlazePoseFiles:
    """The two source networks.

    Attributes:
        name: part of the cached files' names, such as "full".
        where: the file or folder they come from, for messages.
        detector: TFLite content of the person detector.
        landmarks: TFLite content of the landmark network.
    """

    name: str
    where: str
    detector: bytes
    landmarks: bytes

    def onnx_detector(self) -> bytes:
        """The person detector: ``image`` (n, 3, 224, 224) RGB in [-1, 1] to ``boxes`` and ``scores``.

        Raises:
            ModelError: it can't be translated.
        """
        return onnx_model(f"blazepose-{self.name}-detector", self.detector, _DETECTOR_OUTPUTS, where=self.where)

    def onnx_landmarks(self) -> bytes:
        """The landmark network, without its segmentation branch.

        ``image`` (n, 3, 256, 256) RGB in [0, 1] to ``landmarks`` (n, 195), ``presence`` (n, 1), ``heatmaps``
        (n, 39, 64, 64) before the sigmoid, and ``world`` (n, 117).

        Raises:
            ModelError: it can't be translated.
        """
        return onnx_model(f"blazepose-{self.name}", self.landmarks, _LANDMARK_OUTPUTS, where=self.where)


def from_wheel() -> BlazePoseFiles:
    """The networks in the installed mediapipe wheel.

    Raises:
        ModelError: mediapipe isn't installed, or is a version without them.
    """
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("mediapipe isn't installed", where="blazepose", hint=_HINT)
    root = Path(next(iter(spec.submodule_search_locations)))
    try:
        return BlazePoseFiles(
            "full", str(root), (root / _WHEEL_DETECTOR).read_bytes(), (root / _WHEEL_LANDMARKS).read_bytes()
        )
    except OSError as error:
        raise ModelError("this mediapipe brings no BlazePose networks", where=str(root), hint=_HINT) from error


def from_task(path: Path) -> BlazePoseFiles:
    """The networks in a MediaPipe bundle.

    Raises:
        ModelError: missing, not a bundle, or not one of a pose landmarker.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            detector, landmarks = bundle.read(_TASK_DETECTOR), bundle.read(_TASK_LANDMARKS)
    except FileNotFoundError as error:
        raise ModelError("no such model file", where=str(path)) from error
    except (OSError, zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise ModelError(
            "not a pose landmarker bundle",
            where=str(path),
            hint="Name a pose_landmarker_lite, _full or _heavy.task",
        ) from error
    return BlazePoseFiles(path.stem, str(path), detector, landmarks)


def onnx_model(name: str, source: bytes, outputs: Mapping[str, tuple[int, ...]], *, where: str) -> bytes:
    """Translation of a network, from the cache or made now.

    The cache holds the ONNX file and a small JSON with the sha256 of source and result. A file that doesn't match is
    made again. Several processes may do this at once: files are renamed into place whole.

    Args:
        name: beginning of the cached file's name.
        source: TFLite content.
        outputs: see `posepipe.keypoints.translate.translate`.
        where: name of the source, for messages.

    Returns:
        Content of the ONNX file.

    Raises:
        ModelError: it can't be translated.
    """
    from_sha = sha256_of(source)
    path = cache_dir() / f"{name}-{from_sha[:16]}-v{_VERSION}.onnx"
    cached = _read_cached(path, from_sha)
    if cached is not None:
        return cached
    from posepipe.keypoints.translate import translate

    data: bytes = translate(source, outputs, where=where).SerializeToString(deterministic=True)
    record = {"source": where, "source_sha256": from_sha, "sha256": sha256_of(data), "translation": _VERSION}
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
        with atomic_path(path.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
    except OutputError as error:
        _log.warning("the translated network isn't kept: %s", error)
    return data


def _read_cached(path: Path, from_sha: str) -> bytes | None:
    try:
        data = path.read_bytes()
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict):
        return None
    whole = record.get("source_sha256") == from_sha and record.get("sha256") == sha256_of(data)
    return data if whole else None
