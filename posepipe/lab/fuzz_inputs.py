"""Small whole inputs of every kind that posepipe reads, and ways to break them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from posepipe.formats.read_people import ORDERS
from posepipe.lab.people.gait import make_walk
from posepipe.media.sources import open_source
from posepipe.record.folder import save
from posepipe.record.recording import Recording
from posepipe.samples import SAMPLE_VIDEO
from posepipe.skeleton import BODY21
from posepipe.weights import models_dir

__all__ = ["Seed", "make_seeds", "mutated"]

_FRAMES, _VIDEO_FRAMES = 40, 10
_SIZE_PX = 64, 48
_RATE_HZ = 30

_CONTAINERS = {
    "mp4": "libx264", "mkv": "libx264", "mov": "libx264", "avi": "mpeg4", "webm": "libvpx", "ts": "mpeg2video",
    "mpeg": "mpeg1video", "gif": "gif",
}  # fmt: skip

_ODD: tuple[Any, ...] = (
    *(float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 5e-324, -1, 0, -0.0, 0.5),
    *(2**31, 2**63, -(2**63), 10**30, True, None, "", "text", "\ud800", "1e400", "0x10", "1,5", "٣", "../..", "\x00"),
    *([], {}, [[]], {"": {}}, [None], [1, "2"], [[1, 2], [3]]),
)
"""What may stand anywhere in a file, though nobody expects it there."""

_BROKEN = (ValueError, LookupError, TypeError, OSError, RecursionError, csv.Error, yaml.YAMLError, pa.ArrowException)

_NUMBERS = ("", "", "NaN", "Infinity", "-Infinity", "1e308", "1e38", "1e-320", "-1", "0", "1e6", "null")
"""What fractions are replaced by; empty: scaled."""

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Seed:
    """One whole input.

    Attributes:
        kind: "video", "keypoints", "results", "exercises", "model" or "list".
        name: whose, or which.
        files: content by the path below the input's folder.
        target: what is opened, below that folder.
    """

    kind: str
    name: str
    files: Mapping[str, bytes]
    target: str


def make_seeds(folder: Path, video: Path = SAMPLE_VIDEO) -> tuple[Seed, ...]:
    """Whole inputs of every kind.

    Args:
        folder: empty; for files on the way.
        video: whose first frames become the videos.

    Raises:
        MediaError: the video can't be read.
    """
    # Seen from the side, a camera four metres away at the height of the hips.
    walk = make_walk(np.random.default_rng(0), treadmill=True, fps_hz=_RATE_HZ, height_m=1.75)
    x, y, z = np.moveaxis(walk.xyz_m, -1, 0)
    xy = np.stack([320.0 + 550.0 * x / (y + 4.0), 240.0 - 550.0 * (z - 0.9) / (y + 4.0)], axis=-1)
    names, size = BODY21.joints, {"width_px": 640, "height_px": 480}
    whole = next(seed for seed in _keypoints(names, xy, size) if seed.name == "coco")
    seeds = [*_videos(folder, video), *_keypoints(names, xy[:_FRAMES], size)]
    seeds += [*_results(folder, whole), *_models(), *_lists()]
    catalogue = Path(__file__).parents[1] / "exercise" / "catalogue.yaml"
    seeds.append(Seed("exercises", "yaml", {"mine.yaml": catalogue.read_bytes()}, "mine.yaml"))
    return tuple(seeds)


def _videos(folder: Path, video: Path) -> list[Seed]:
    seeds = []
    with open_source(video) as source:
        pictures = [frame.image for frame, _ in zip(source, range(_VIDEO_FRAMES), strict=False)]
    for suffix, codec in _CONTAINERS.items():
        path = folder / f"clip.{suffix}"
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(codec, rate=25)
            stream.width, stream.height = _SIZE_PX
            stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
            stream.codec_context.thread_count = 1
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(*_SIZE_PX, stream.pix_fmt)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        seeds.append(Seed("video", suffix, {path.name: path.read_bytes()}, path.name))
    return seeds


def _keypoints(names: Sequence[str], xy: NDArray[np.float64], size: Mapping[str, int]) -> list[Seed]:
    """The same walk as seven programs write it."""

    def points(row: int, count: int) -> list[list[float]]:
        order = ORDERS[count]
        return [[*xy[row, names.index(name)].tolist(), 0.9] if name in names else [0.0, 0.0, 0.0] for name in order]

    def flat(row: int, count: int) -> list[float]:
        return [value for point in points(row, count) for value in point]

    rows = range(len(xy))
    width_px, height_px = size["width_px"], size["height_px"]
    alphapose = [{"image_id": f"{row}.jpg", "keypoints": flat(row, 26), "score": 2.9, "idx": 1} for row in rows]
    instances = [
        [{"keypoints": [p[:2] for p in points(row, 17)], "keypoint_scores": [p[2] for p in points(row, 17)]}]
        for row in rows
    ]
    joints = ORDERS[17]
    meta = {"keypoint_id2name": {str(i): name for i, name in enumerate(joints)}}
    info = [{"frame_id": row + 1, "instances": found} for row, found in enumerate(instances)]
    keys = ("x", "y", "visibility")
    marks = [
        [dict(zip(keys, (p[0] / width_px, p[1] / height_px, p[2]), strict=True)) for p in points(row, 33)]
        for row in rows
    ]
    mediapipe = [{"timestamp_ms": row * 1000 / _RATE_HZ, "pose_landmarks": [marks[row]]} for row in rows]
    coco = {
        "images": [{"id": row, "file_name": f"{row}.jpg", "width": width_px, "height": height_px} for row in rows],
        "annotations": [{"id": row, "image_id": row, "category_id": 1, "keypoints": flat(row, 17)} for row in rows],
        "categories": [{"id": 1, "name": "person", "keypoints": list(joints), "skeleton": []}],
    }
    cells = [(joint, axis) for joint in joints for axis in ("x", "y", "likelihood")]
    deeplabcut: list[Sequence[object]] = [
        *(["scorer", *["net"] * len(cells)], ["bodyparts", *(c[0] for c in cells)], ["coords", *(c[1] for c in cells)]),
        *([row, *flat(row, 17)] for row in rows),
    ]
    sleap: list[Sequence[object]] = [
        ["track", "frame_idx", "instance.score", *(f"{joint}.{c}" for joint in joints for c in ("x", "y", "score"))],
        *(["track_0", row, 0.9, *flat(row, 17)] for row in rows),
    ]
    openpose = {
        f"clip_{row:012d}_keypoints.json": _json({"people": [{"pose_keypoints_2d": flat(row, 25)}]}) for row in rows
    }
    files = {
        "alphapose": _json(alphapose), "mmpose": _json({"meta_info": meta, "instance_info": info}),
        "mediapipe": _json(mediapipe), "coco": _json(coco),
        "deeplabcut": _table(deeplabcut), "sleap": _table(sleap),
    }  # fmt: skip
    seeds = [Seed("keypoints", "openpose", openpose, ".")]
    for name, content in files.items():
        file = f"points.{'csv' if name in ('deeplabcut', 'sleap') else 'json'}"
        seeds.append(Seed("keypoints", name, {file: content}, file))
    return seeds


def _results(folder: Path, coco: Seed) -> list[Seed]:
    """What `posepipe lift` makes of one of them."""
    from posepipe.api import lift

    (folder / coco.target).write_bytes(coco.files[coco.target])
    recording: Recording = lift(folder / coco.target, fps_hz=_RATE_HZ, height_m=1.75)
    save(recording, folder / "results")
    names = ("summary.json", "poses.parquet", "angles.parquet")
    whole = {name: (folder / "results" / name).read_bytes() for name in names}
    return [Seed("results", "folder", whole, ".")]


def _models() -> list[Seed]:
    files = {path.name: path.read_bytes() for path in sorted(models_dir().glob("form.*"))}
    return [Seed("model", "card", files, "."), Seed("model", "onnx", {"pose.onnx": files["form.onnx"]}, "pose.onnx")]


def _lists() -> list[Seed]:
    rows: list[Sequence[object]] = [["file", "height_m", "subject", "task", "name"]]
    rows += [[f"clip{i}.mp4", 1.5 + i / 10, "largest", "gait", f"person {i}"] for i in range(8)]
    lines = "\n".join(["# clips", *(str(row[0]) for row in rows[1:])]).encode()
    return [
        Seed("list", "csv", {"list.csv": _table(rows)}, "list.csv"),
        Seed("list", "txt", {"list.txt": lines}, "list.txt"),
    ]


def _json(content: object) -> bytes:
    return json.dumps(content).encode("utf-8", "surrogatepass")


def _table(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def mutated(seed: Seed, seeds: Sequence[Seed], rng: Rng) -> dict[str, bytes]:
    """The seed's files with one to three faults in one of them; now and then one is missing or empty."""
    files = dict(seed.files)
    name = sorted(files)[rng.integers(len(files))]
    if len(files) > 1 and rng.random() < 0.05:
        del files[name]
        return files
    others = [content for other in seeds if other.kind == seed.kind for content in other.files.values()]
    for _ in range(rng.integers(1, 4)):
        suffix = Path(name).suffix
        if suffix in _SHAPED and rng.random() < 0.8:
            try:
                files[name] = _SHAPED[suffix](files[name], rng)
                continue
            except _BROKEN:
                pass  # Broken too far by the fault before.
        files[name] = _bytes(files[name], others, rng)
    return files


def _bytes(content: bytes, others: Sequence[bytes], rng: Rng) -> bytes:
    """Flipped bits, cuts, splices, repeats, runs of one value, deep nesting, noise."""
    data = bytearray(content)
    start, end = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    end = min(end, start + int(10 ** rng.uniform(0, 4)))
    way = rng.integers(8)
    if way == 0:
        for place in rng.integers(0, max(len(data), 1), rng.integers(1, 32)) if data else ():
            data[place] ^= 1 << int(rng.integers(8))
    elif way == 1:
        del data[start:]
    elif way == 2:
        del data[start:end]
    elif way == 3:
        other = others[int(rng.integers(len(others)))]
        at = int(rng.integers(0, len(other) + 1))
        data[start:] = other[at:]
    elif way == 4:
        data[start:start] = data[start:end] * int(rng.integers(1, 4))
    elif way == 5:
        data[start:end] = bytes([int(rng.choice([0, 255, 127, 10, 34]))]) * (end - start)
    elif way == 6:
        data[start:start] = b"[" * 100_000
    else:
        data[start:start] = rng.integers(0, 256, rng.integers(1, 64), dtype=np.uint8).tobytes()
    return bytes(data)


def _node(tree: Any, rng: Rng) -> Any:
    """The tree with one node deleted, doubled, moved, or of another type or size."""
    parent: Any = None
    key: Any = None
    here = tree
    while isinstance(here, (dict, list)) and here and (parent is None or rng.random() < 0.85):
        parent, keys = here, list(here) if isinstance(here, dict) else range(len(here))
        key = keys[rng.integers(len(keys))]
        here = here[key]
    way = rng.integers(6)
    if parent is None or way == 5:
        odd = _ODD[rng.integers(len(_ODD))]
        if parent is None:
            return odd
        parent[key] = odd
    elif way == 0:
        del parent[key]
    elif way == 1 and isinstance(parent, list):
        parent[key:key] = [here] * int(rng.integers(1, 5))
    elif way == 2:
        parent[key] = {str(i): v for i, v in enumerate(here)} if isinstance(here, list) else [here]
    elif way == 3 and isinstance(here, (int, float)):
        parent[key] = here * [-1, 1e3, 1e9, 1e-9, 1e300][rng.integers(5)]
    elif way == 4 and isinstance(parent, dict):
        parent[f"{key}_"] = parent.pop(key)
    else:
        parent[key] = _ODD[rng.integers(len(_ODD))]
    return tree


def _number_fault(content: bytes, rng: Rng) -> bytes:
    """From one in ten thousand to all of the fractions replaced by one odd number, or scaled."""
    share, odd = 10 ** rng.uniform(-4, 0), _NUMBERS[rng.integers(len(_NUMBERS))]
    factor = float(rng.choice([-1.0, 0.0, 1e-6, 1e6]))

    def replaced(match: re.Match[str]) -> str:
        if rng.random() >= share:
            return match[0]
        return odd or str(float(match[0]) * factor)

    return re.sub(r"-?\d+\.\d+", replaced, content.decode()).encode()


def _json_fault(content: bytes, rng: Rng) -> bytes:
    if rng.random() < 0.3:
        return _number_fault(content, rng)
    return _json(_node(json.loads(content), rng))


def _yaml_fault(content: bytes, rng: Rng) -> bytes:
    return yaml.safe_dump(_node(yaml.safe_load(content), rng), allow_unicode=True).encode("utf-8", "surrogatepass")


def _csv_fault(content: bytes, rng: Rng) -> bytes:
    """A column dropped, doubled, shifted or renamed; a row dropped, doubled or cut; a cell replaced."""
    if rng.random() < 0.3:
        return _number_fault(content, rng)
    rows = list(csv.reader(io.StringIO(content.decode())))
    row, column = int(rng.integers(len(rows))), int(rng.integers(len(rows[0])))
    way = rng.integers(8)
    if way == 0:
        rows = [cells[:column] + cells[column + 1 :] for cells in rows]
    elif way == 1:
        rows = [[*cells, *cells[column : column + 1]] for cells in rows]
    elif way == 2:
        rows = [cells[column:] + cells[:column] for cells in rows]
    elif way == 3:
        rows[int(rng.integers(min(4, len(rows))))][column] = str(_ODD[rng.integers(len(_ODD))])
    elif way == 4:
        del rows[row]
    elif way == 5:
        rows.insert(row, list(rows[row]))
    elif way == 6:
        del rows[row][column:]
    else:
        for place in rng.integers(0, len(rows), rng.integers(1, 9)):
            rows[place][column] = str(_ODD[rng.integers(len(_ODD))])
    return _table(rows)


def _text_fault(content: bytes, rng: Rng) -> bytes:
    """A number or word replaced, or a line dropped or doubled."""
    text = content.decode()
    if rng.random() < 0.3:
        lines = text.splitlines()
        row = int(rng.integers(len(lines)))
        lines[row : row + 1] = [lines[row]] * int(rng.choice([0, 2]))
        return "\n".join(lines).encode()
    words = list(re.finditer(r"[\w.-]+", text))
    word = words[rng.integers(len(words))]
    odd = str(_ODD[rng.integers(len(_ODD))])
    return f"{text[: word.start()]}{odd}{text[word.end() :]}".encode("utf-8", "surrogatepass")


def _parquet_fault(content: bytes, rng: Rng) -> bytes:
    """A column dropped, renamed, retyped, emptied or filled with odd numbers; rows dropped, doubled or shuffled."""
    table = pq.read_table(io.BytesIO(content))
    column = int(rng.integers(table.num_columns))
    name, values = table.column_names[column], table.column(column)
    way = rng.integers(8)
    if way == 0:
        table = table.remove_column(column)
    elif way == 1:
        table = table.rename_columns([*table.column_names[:column], f"{name}_", *table.column_names[column + 1 :]])
    elif way == 2:
        table = table.set_column(column, name, pa.array([str(value) for value in values.to_pylist()]))
    elif way == 3:
        table = table.set_column(column, name, pa.nulls(len(values), values.type))
    elif way == 4 and pa.types.is_floating(values.type):
        numbers = values.to_numpy().copy()
        numbers[rng.integers(0, len(numbers), 20)] = rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0])
        table = table.set_column(column, name, pa.array(numbers, values.type))
    elif way == 5:
        table = table.take(rng.permutation(table.num_rows))
    elif way == 6:
        table = table.slice(int(rng.integers(table.num_rows)), int(rng.integers(table.num_rows)))
    else:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"posepipe": b"?", b"schema": b"9"})
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


_SHAPED: Mapping[str, Callable[[bytes, Rng], bytes]] = {
    ".json": _json_fault, ".yaml": _yaml_fault, ".csv": _csv_fault, ".txt": _text_fault, ".toml": _text_fault,
    ".parquet": _parquet_fault,
}  # fmt: skip
"""Changes that keep a file's form, by its suffix."""
