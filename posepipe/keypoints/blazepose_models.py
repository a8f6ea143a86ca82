"""Where BlazePose's networks come from: the cache, filled once by ``posepipe models get``.

They are Google's (Apache-2.0) and not in this repository. Packages bring them: the wheel ``mediapipe==0.10.21``, whose
files are read while the package is never imported or even installed, and npm's ``@mediapipe/pose``. `get_blazepose`
asks a package manager for one: for "full" any, for "lite" and "heavy" npm, whose package alone holds them. A user's own
``pose_landmarker_{lite,full,heavy}.task`` can be named by path instead.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from posepipe.errors import ModelError, OutputError, UsageError
from posepipe.media.atomic import atomic_path
from posepipe.weights import cache_dir, sha256_of

__all__ = [
    "GET", "NETWORKS", "BlazePoseFiles", "blazepose_files", "from_task", "get_blazepose", "have_blazepose",
    "onnx_model",
]  # fmt: skip

_log = logging.getLogger(__name__)

_VERSION = 1
"""Of the translation; raise it whenever the translator gives another file."""
GET = "posepipe models get"
"""The command that fetches the networks, for every message about a missing one."""

NETWORKS = ("lite", "full", "heavy")
"""The landmark networks, from fast to sharp."""
DETECTOR = "pose_detection.tflite"
LANDMARKS: Mapping[str, str] = {network: f"pose_landmark_{network}.tflite" for network in NETWORKS}

PARTS: Mapping[str, tuple[str, ...]] = {
    # mediapipe 0.10.21's file, and the same network as npm's package packs it: both translate to the same ONNX bytes.
    DETECTOR: (
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85",
    ),
    LANDMARKS["lite"]: ("f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",),
    LANDMARKS["full"]: ("e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",),
    LANDMARKS["heavy"]: ("59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",),
}
"""The source files, and the sha256 that each may have."""

_TASK_DETECTOR = "pose_detector.tflite"
_TASK_LANDMARKS = "pose_landmarks_detector.tflite"
_MOST_BYTES = 64 << 20
"""Of one file in a package; the largest network has 28 MB."""

_WHEEL = "mediapipe==0.10.21"
# The newest wheel with the networks exists for CPython 3.9 to 3.12 on x86-64 and macOS alone. Any of them will do: it
# is only unpacked.
_ANY_PLATFORM = ("--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux_2_28_x86_64")
_NPM = "@mediapipe/pose@0.5.1675469404"
_NPM_ADDRESS = "https://registry.npmjs.org/@mediapipe/pose/-/pose-0.5.1675469404.tgz"
_LIMIT_S = 600
"""For a package manager to bring one."""

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


def _parts(network: str) -> tuple[str, str]:
    if network not in LANDMARKS:
        raise UsageError(f"no network {network!r}", where="blazepose", hint=f"Valid: {', '.join(NETWORKS)}")
    return DETECTOR, LANDMARKS[network]


def get_command(network: str = "full") -> str:
    """The command that fetches a network."""
    return GET if network == "full" else f"{GET} {network}"


def have_blazepose(network: str) -> bool:
    """Whether the cache holds a network's files; their content isn't looked at.

    Raises:
        UsageError: no network of that name.
    """
    return all((_folder() / part).is_file() for part in _parts(network))


def blazepose_files(network: str = "full") -> BlazePoseFiles:
    """A network from the cache; else from an installed mediapipe, whose networks are kept there then.

    Args:
        network: one of `NETWORKS`.

    Raises:
        UsageError: no network of that name.
        ModelError: neither has it; the hint names the command that fetches it.
    """
    if missing_parts(network):
        _keep_installed()
    if missing := missing_parts(network):
        raise ModelError(
            f"BlazePose's network {network!r} isn't on this machine yet ({', '.join(missing)})",
            where="blazepose",
            hint=f"Fetch it once: {get_command(network)}",
        )
    folder, (detector, landmarks) = _folder(), _parts(network)
    return BlazePoseFiles(network, str(folder), (folder / detector).read_bytes(), (folder / landmarks).read_bytes())


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

    data = translate(source, outputs, where=where)
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


def missing_parts(network: str = "full") -> tuple[str, ...]:
    """Which of a network's `PARTS` the cache lacks, or holds damaged."""
    missing = []
    for name in _parts(network):
        try:
            there = sha256_of((_folder() / name).read_bytes()) in PARTS[name]
        except OSError:
            there = False
        if not there:
            missing.append(name)
    return tuple(missing)


def keep_parts(source: Path) -> tuple[str, ...]:
    """Put the networks found in a file or folder into the cache.

    Args:
        source: a wheel (.whl), an npm package (.tgz), a MediaPipe bundle (.task), one network (.tflite), or the folder
            of an installed mediapipe. They are known by their sha256, whatever their names.

    Returns:
        The parts found.

    Raises:
        ModelError: `source` can't be read.
        OutputError: the cache can't be written.
    """
    by_sha = {sha: name for name, wanted in PARTS.items() for sha in wanted}
    kept = []
    try:
        for data in _networks_in(source):
            name = by_sha.get(sha256_of(data))
            if name is None:
                continue
            with atomic_path(_folder() / name) as temporary:
                temporary.write_bytes(data)
            kept.append(name)
    except FileNotFoundError as error:
        raise ModelError("no such file", where=str(source)) from error
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
        hint = "Name a .whl, .tgz, .task or .tflite file"
        raise ModelError(f"can't be read ({error})", where=str(source), hint=hint) from error
    return tuple(kept)


def _networks_in(source: Path) -> Iterator[bytes]:
    """Contents of all files that can be a network."""
    if source.is_dir():
        for path in sorted(source.glob("modules/pose_*/*.tflite")):
            yield path.read_bytes()
    elif source.suffix == ".tflite":
        yield source.read_bytes()
    elif source.suffix in (".tgz", ".gz"):
        with tarfile.open(source) as package:
            for member in package:
                file = package.extractfile(member) if _may_be_network(member.name, member.size) else None
                if file is not None:
                    yield file.read()
    else:
        with zipfile.ZipFile(source) as package:
            for entry in package.infolist():
                if _may_be_network(entry.filename, entry.file_size):
                    yield package.read(entry)


def _may_be_network(name: str, size: int) -> bool:
    # npm's package calls the person detector pose_solution_packed_assets.data.
    return PurePosixPath(name).suffix in (".tflite", ".data") and size <= _MOST_BYTES


def _keep_installed() -> None:
    """Take the networks out of an installed mediapipe that has them."""
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or not spec.submodule_search_locations:
        return
    try:
        keep_parts(Path(next(iter(spec.submodule_search_locations))))
    except (ModelError, OutputError) as error:
        _log.warning("the installed mediapipe's networks can't be used: %s", error)


def _folder() -> Path:
    return cache_dir() / "blazepose"


def get_blazepose(source: Path | None = None, network: str = "full") -> tuple[str, ...]:
    """Fill the cache with one of BlazePose's networks and the person detector, translated.

    Args:
        source: a file to take them from; None asks an installed mediapipe, then pip, uv or npm, whichever is there.
        network: one of `NETWORKS`.

    Returns:
        What was done, a line each; none where everything was there already.

    Raises:
        UsageError: no network of that name.
        ModelError: no way led to them; the message names each that was tried.
    """
    said = []
    if source is not None:
        found = keep_parts(source)
        if not found:
            hint = "Name mediapipe 0.10.21's wheel, npm's @mediapipe/pose, or a network of theirs; other bundles: "
            hint += "--detector FILE.task"
            raise ModelError("none of BlazePose's known networks is in it", where=str(source), hint=hint)
        said.append(f"{', '.join(found)} from {source}")
    elif missing_parts(network):
        said.append(_fetch(network))
    files = blazepose_files(network)
    files.onnx_detector()
    files.onnx_landmarks()
    return tuple(said)


def _fetch(network: str) -> str:
    try:
        return f"from {blazepose_files(network).where}"
    except ModelError:
        pass
    failed = []
    for name, command in _commands(network):
        with tempfile.TemporaryDirectory(prefix="posepipe-") as folder:
            problem = _run([*command, folder], folder)
            for package in sorted(Path(folder).iterdir()):
                if package.suffix in (".whl", ".tgz"):
                    keep_parts(package)
        if not missing_parts(network):
            return f"by {name}"
        failed.append(f"{name} ({problem or 'brought another file'})")
    ways = "neither pip, uv nor npm is there" if network == "full" else "npm isn't there"
    bring = f"the wheel {_WHEEL}" if network == "full" else f"npm's package {_NPM} ({_NPM_ADDRESS})"
    raise ModelError(
        f"BlazePose's network {network!r} can't be fetched: {'; '.join(failed) or ways}",
        where="blazepose",
        hint=f"Bring {bring} from a machine with a network, then: {get_command(network)} --from FILE",
    )


def _commands(network: str) -> Iterator[tuple[str, list[str]]]:
    """Name and command line of each package manager here that has the network; the folder to write into goes last."""
    download = ["download", _WHEEL, "--no-deps", "--only-binary=:all:", *_ANY_PLATFORM, "--quiet", "--dest"]
    wheel = network == "full"  # the wheel has no other
    if wheel and importlib.util.find_spec("pip"):
        yield "pip", [sys.executable, "-m", "pip", "--disable-pip-version-check", *download]
    if wheel and (uv := shutil.which("uv")):
        yield "uv", [uv, "tool", "run", "pip", *download]
    if npm := shutil.which("npm"):
        yield "npm", [npm, "pack", _NPM, "--silent", "--pack-destination"]
    if wheel and (other := shutil.which("pip3") or shutil.which("pip")):
        yield "pip3", [other, *download]


def _run(command: list[str], folder: str) -> str:
    """Run a package manager; what went wrong, or nothing."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return "" if done.returncode == 0 else (lines[-1].strip() if lines else f"exit code {done.returncode}")
