"""Single values as other programs and people spell them: texts, tables, numbers, frame numbers, times."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.media._images import natural_key

__all__ = [
    "FEW", "FRAME_KEYS", "JOINT_KEYS", "PERSON_KEYS", "SCORE_KEYS", "TIME_KEYS", "confidences", "decode",
    "frame_numbers", "frame_times", "number", "person_key", "pixels", "plain", "table", "time_of",
]  # fmt: skip

FRAME_KEYS = (
    *("frame", "frameid", "frameindex", "frameidx", "frameno", "framenumber", "framenum", "fnum", "imageid", "image"),
    *("imagename", "imagepath", "filename", "imgname", "img", "file", "index", ""),
)
PERSON_KEYS = (
    *("trackid", "trackingid", "trackname", "track", "personid", "person", "individual", "subject", "idx"),
    *("instanceid", "objectid", "id"),
)
JOINT_KEYS = (
    *("joint", "jointname", "keypoint", "keypointname", "landmark", "landmarkname", "landmarktype", "bodypart"),
    *("bodyparts", "node", "part", "name", "point", "type", "label", "landmarkid", "landmarkindex", "landmarkidx"),
    *("keypointid", "jointid", "id"),
)
SCORE_KEYS = (
    *("visibility", "visible", "score", "confidence", "conf", "likelihood", "inframelikelihood", "vis", "prob"),
    *("presence", "v", "c", "s", "p"),
)
"""What frames, people, joints and confidences are called, as `plain` gives it."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LARGEST = 2**31 - 1
"""Results hold frame numbers in 32 bits."""
_LONGEST_NAME = 255
_FAR = 1000
"""Uneven steps between the numbers in two names that are usually beyond this are a clock's, not a count's."""
_CLOCK = 100_000_000
"""Nine digits that go up in steps of more than `_CLOCK_STEP` are a date or a clock."""
_CLOCK_STEP = 10
FEW = 0.1
"""A share of odd ones out that is left away; more of them are a mixture."""

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_GROUPED = re.compile(r"[-+]?\d{1,3}([.,' ]\d{3})+([.,]\d+)?")
_EXTENSION = re.compile(r"\.[A-Za-z]\w{1,4}$")


def decode(data: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 or UTF-32, with or without a mark; anything else is Windows' Latin 1."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            text = data.decode(name, errors="replace")
            break
    else:
        if len(data) > 3 and 0 in data[:2]:
            text = data.decode("utf-16-le" if data[1] == 0 else "utf-16-be", errors="replace")
        else:
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError:
                text = data.decode("cp1252", errors="replace")
    return text.lstrip("\ufeff").replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


@lru_cache(maxsize=4096)
def plain(key: object) -> str:
    """A key without capitals and signs: ``poseLandmarks`` and ``pose_landmarks`` are ``poselandmarks``."""
    return re.sub(r"[^a-z0-9]", "", str(key).lower())


def number(value: object) -> float:
    """A number, or NaN for whatever is none: null, an empty text, ``n/a``; a decimal comma is understood."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        value = value.strip().replace("\u2212", "-")
        if _DECIMAL_COMMA.fullmatch(value):
            value = value.replace(",", ".")
    if not isinstance(value, (str, int, float, np.number)):
        return float("nan")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")


def person_key(value: object) -> int | str | None:
    """A program's own number or name of a person; None if it gives none (null, empty, negative)."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    amount = number(value)
    if np.isfinite(amount):
        return int(amount) if amount >= 0 else None
    if isinstance(value, str) and value.strip().lower() not in ("", "nan", "none", "null"):
        return value.strip()
    return None


def table(text: str) -> list[list[str]]:
    """Rows of a table with commas, semicolons or tabs between its cells, and points or commas in its numbers.

    Whether a comma in a number is decimal is decided for the whole table.

    Raises:
        InputError: the table can't be taken apart.
    """
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    separator = None
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == len("sep=;"):
        separator = lines.pop(0)[4]
    if not lines:
        return []
    if separator is None:
        head = re.sub(r'"[^"]*"', "", lines[0])
        separator = max("\t;,|", key=head.count)
    try:
        rows = [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator)
        ]
    except csv.Error as error:
        raise InputError(f"isn't a table ({error})") from error
    odd = [cell for row in rows for cell in row if "," in cell and any(map(str.isdigit, cell))]
    if not odd:
        return rows
    whole = [cell for cell in odd if _DECIMAL_COMMA.fullmatch(cell) or _GROUPED.fullmatch(cell)]
    pointed = any(re.fullmatch(r"[-+]?\d+\.\d+", cell) for row in rows[1:] for cell in row[1:])
    both = [cell for cell in whole if "." in cell]
    comma = all(cell.rfind(",") > cell.rfind(".") for cell in both) if both else not pointed
    return [[_pointed(cell, comma) for cell in row] for row in rows]


def _pointed(cell: str, comma: bool) -> str:
    if not (_DECIMAL_COMMA.fullmatch(cell) or _GROUPED.fullmatch(cell)):
        return cell
    cell = cell.replace(" ", "").replace("'", "")
    return cell.replace(".", "").replace(",", ".") if comma else cell.replace(",", "")


def frame_numbers(labels: Sequence[object], said: list[str], where: str) -> list[int | None]:
    """A frame number for each label: a number, or a name that holds one somewhere; the same label, the same number.

    In names, the number is the one that differs from name to name (not a camera's, not a date) and goes up in the
    smallest steps. Names without such a number are counted in their order. None for a name unlike all others.

    Raises:
        InputError: the names are those of several clips.
    """
    amounts = [number(label) for label in labels]
    if all(np.isfinite(amount) for amount in amounts):
        if all(amount == int(amount) and 0 <= amount <= _LARGEST for amount in amounts):
            return [int(amount) for amount in amounts]
        said.append("The frame numbers are no whole numbers of at most ten digits; frames are counted instead.")
        places = {amount: place for place, amount in enumerate(sorted(set(amounts)))}
        return [places[amount] for amount in amounts]
    names = [name for name in dict.fromkeys(map(str, labels)) if len(name) <= _LONGEST_NAME]
    stems = {name: _EXTENSION.sub("", name.replace("\\", "/")) for name in names}
    found = _numbers_in(stems, said, where)
    return [found.get(str(label)) for label in labels]


def _numbers_in(stems: Mapping[str, str], said: list[str], where: str) -> dict[str, int]:
    """Name -> frame number; names unlike the others are missing."""
    if not stems:
        return {}
    shapes = {name: re.sub(r"\d+", "0", stem) for name, stem in stems.items()}
    shape, count = Counter(shapes.values()).most_common(1)[0]
    if "0" not in shape or count < max(2, len(stems) / 2):
        if len(stems) == 1:
            digits = re.findall(r"\d+", next(iter(stems.values())).removesuffix("_keypoints"))
            last = int(digits[-1]) if digits else 0
            return dict.fromkeys(stems, last if last <= _LARGEST else 0)
        said.append("The frames' names hold no common number; they are counted in their order.")
        return {name: place for place, name in enumerate(stems)}
    if len(stems) - count > max(FEW * len(stems), 1):
        raise InputError("mixes files of several kinds of names", where=where, hint="Give one clip's alone")
    alike = [name for name in stems if shapes[name] == shape]
    columns = np.array([[int(digits) for digits in re.findall(r"\d+", stems[name])] for name in alike], dtype=object)
    varying = [column for column in columns.T if len(set(column)) > 1]
    single = [column for column in varying if len(set(column)) == len(alike)]
    best = min(reversed(single), key=_step, default=None)
    if best is not None and not _is_clock(best):
        return {name: int(value) for name, value in zip(alike, best, strict=True)}
    if best is None and any(len(set(column)) <= 0.5 * len(alike) for column in varying):
        fullest = max(varying, key=lambda column: len(set(column)))
        if len(set(fullest)) <= 0.6 * len(alike):
            raise InputError(
                "holds several files for each frame number", where=where, hint="Give one camera's or one clip's alone"
            )
    said.append("The numbers in the frames' names are a clock's; frames are counted in the order of their names.")
    return {name: place for place, name in enumerate(sorted(alike, key=lambda name: natural_key(Path(stems[name]))))}


def _step(column: Sequence[int]) -> float:
    return float(np.median(np.diff(np.sort(np.array(column, dtype=np.float64)))))


def _is_clock(column: Sequence[int]) -> bool:
    step = _step(column)
    uneven = len(set(np.diff(np.sort(np.array(column, dtype=object))))) > 1
    far = step > _FAR or (min(column) >= _CLOCK and step > _CLOCK_STEP)
    return max(column) > _LARGEST or (far and uneven)


_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "usec", "micros", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanoseconds"), 1e-9),
}
TIME_KEYS: dict[str, float | None] = {
    **dict.fromkeys(("time", "timestamp", "timestamps", "times", "ts", "t", "pts", "ptstime")),
    **{word + unit: scale for word in ("time", "timestamp", "t", "pts") for unit, scale in _UNITS.items()},
    **{unit: scale for unit, scale in _UNITS.items() if len(unit) > 1},
}


def time_of(fields: Mapping[str, Any]) -> tuple[float, float | None] | None:
    """The time among fields with `plain` keys, and its unit in seconds where the key names one."""
    for key, value in fields.items():
        if key not in TIME_KEYS:
            continue
        if np.isfinite(amount := number(value)):
            return amount, TIME_KEYS[key]
        if isinstance(value, str) and np.isfinite(amount := _clock_s(value.strip())):
            return amount, 1.0
    return None


def _clock_s(text: str) -> float:
    """Seconds of ``00:01:02.5`` or of an ISO date with time."""
    if re.fullmatch(r"(\d+:)?\d+:\d+([.,]\d+)?", text):
        parts = [float(part) for part in text.replace(",", ".").split(":")]
        return float(np.dot(parts[::-1], (1.0, 60.0, 3600.0)[: len(parts)]))
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return float("nan")


Array = NDArray[np.float64]

_MOST = 0.95
"""What holds for this share of the points holds for the file."""
_SHARES_TO = 2.0
"""Places within this are shares of the picture: no person is two pixels large, and few points lie a picture outside."""
_SOME = 0.1
"""More negative places than this on both axes: the origin is in the picture's middle."""
_DEEP_M = 20.0
"""Third values up to this beside places within 2 are depths, all three in metres."""
_SEVERAL = 10
"""People in frames that are enough to judge a file by how they stand."""
_MAINLY = 0.6
"""The same for one axis: most of the person would be outside."""
_LARGE = 30.0
"""Places within 0..100 over more than this are percent: as pixels, a small person in a corner of the picture."""
_OUTSIDE = 0.2
"""A share of points outside the picture that is worth a word, and how far outside they are, in pictures."""
_FAR_OUT = 100.0
"""Pictures; a point beyond is a mistake in the file."""
_FURTHEST = 1e9
"""Numbers are cut to this, far out in any unit: sums of larger ones overflow."""
_RATES_HZ = (0.5, 500.0)
"""Frames a second that a unit of time may lead to."""
_DEFAULT_HZ = 30.0
_EPOCH_S = 1e6
"""Times beyond are dates, not times since a video's start."""
_PAUSE_S = 86_400.0
"""Times further from an even clock than a day are mistakes."""


def _not_2d(where: str, why: str) -> InputError:
    hint = "Give places in the picture, in pixels or as shares of it"
    return InputError(f"is no file of 2D keypoints: {why}", where=where, hint=hint)


def confidences(points: Array, said: list[str], where: str) -> Array:
    """Scores in 0..1 of points (N, K, 3), 0 for a missing one: without a finite place, at (0, 0) or at (-1, -1).

    Raises:
        InputError: the third values are depths.
    """
    xy, score = points[..., :2], points[..., 2].copy()
    placed = np.isfinite(xy).all(axis=2) & (xy != 0.0).any(axis=2) & (xy != -1.0).any(axis=2)
    known = placed & np.isfinite(score)
    given = score[known]
    if len(given) == 0 or (given == 0.0).all():
        if placed.any():
            said.append("The file holds no confidences; every point that has a place is taken as surely seen.")
        return np.asarray(placed, np.float64)
    if np.mean((given < 0.0) & (given != -1.0)) > _OUTSIDE:
        raise _not_2d(where, "the third values of its points are depths, it is three-dimensional")
    if not known[placed].all():
        missing = int((~known[placed]).sum())
        said.append(f"{missing} points have no confidence; they get the median of the others.")
        score[placed & ~known] = np.median(given[given > 0.0]) if (given > 0.0).any() else 0.0
    largest, usual = float(given.max()), float(np.quantile(given, _MOST))
    if largest == 2.0 and np.isin(given, (0.0, 1.0, 2.0)).all():
        score /= 2.0  # COCO's v: 0 missing, 1 hidden, 2 seen.
    elif usual > _SHARES_TO:
        if largest > 255.0 or (largest < _DEEP_M and np.quantile(np.abs(xy[known]), _MOST) <= _SHARES_TO):
            raise _not_2d(where, f"the third values of its points go up to {largest:.4g}, which are no confidences")
        full = next((top for top in (10.0, 100.0) if largest <= top), 255.0)
        said.append(f"Confidences go up to {largest:.4g}; they are taken as shares of {full:g}.")
        score /= full
    return np.where(placed, np.clip(np.nan_to_num(score), 0.0, 1.0), 0.0)


def pixels(
    points: Array,
    seen: NDArray[np.bool_],
    names: Sequence[str | None],
    sizes: tuple[tuple[int, int], tuple[int, int] | None],
    said: list[str],
    where: str,
) -> Array:
    """Places (N, K, 2) in pixels of the picture, y down; NaN for those that are a mistake.

    Args:
        points: (N, K, 2) as the file has them.
        seen: (N, K) which of them count.
        names: our names of the K points.
        sizes: the picture's width and height in pixels, and those that the file itself tells, if it does.
        said: takes sentences for the user.
        where: the file, for messages.

    Raises:
        InputError: they are no places in a picture.
    """
    size = np.array(sizes[0], np.float64)
    points = np.clip(points, -_FURTHEST, _FURTHEST)
    xy = np.where(seen[..., None], points, np.nan)
    flat = xy[seen]
    if len(flat) == 0:
        return xy
    _refuse_centred_on_hips(xy, names, where)
    _refuse_other_order(xy, names, where)
    negative = (flat < 0.0).mean(axis=0)
    middle = bool((negative > _SOME).all() or (negative > _MAINLY).any())
    if float(np.quantile(np.abs(flat), _MOST)) <= _SHARES_TO:
        if middle:
            said.append("Places run from -1 to 1, which is taken as from one edge of the picture to the other.")
            xy = (xy + 1.0) / 2.0
        elif tuple(names)[:1] != ("nose",) or len(names) != 33:
            said.append("Places are taken as shares of the picture's width and height.")
        xy *= size
    elif flat.min() >= 0.0 and flat.max() <= 100.0 and np.ptp(flat, axis=0).max() > _LARGE and size.min() > 5 * _LARGE:
        said.append("Places are taken as percent of the picture's width and height.")
        xy *= size / 100.0
    elif negative[1] > _MOST and negative[0] < _SOME:
        said.append("Heights are negative; they are taken as pixels below the picture's upper edge.")
        xy[..., 1] *= -1.0
    elif middle:
        if (np.quantile(np.abs(flat), _MOST, axis=0) > 0.55 * size).any():
            raise _not_2d(where, f"too many places are negative for a picture of {size[0]:g} x {size[1]:g}")
        said.append("Many places are negative; they are taken as pixels from the picture's middle.")
        xy += size / 2.0
    elif sizes[1] is not None and sizes[1] != sizes[0]:
        xy = _from_own_size(xy, flat, sizes[0], sizes[1], said)
    if float(np.quantile(np.abs(flat), _MOST)) > _SHARES_TO:
        xy = _without_shares(xy, points, said, where)
    xy = _upright(xy, names, size[1], said)
    return _plausible(xy, size, said)


def _without_shares(xy: Array, points: Array, said: list[str], where: str) -> Array:
    """Among people in pixels, those in shares of the picture are left out."""
    largest = np.abs(np.where(np.isfinite(xy), points, 0.0)).max(axis=(1, 2))
    shares = (largest > 0.0) & (largest <= _SHARES_TO)
    if shares.mean() > FEW:
        raise InputError("mixes pixels and shares of the picture", where=where, hint="Give one program's output alone")
    if shares.any():
        said.append(f"{int(shares.sum())} people whose places are shares, not pixels, were left out.")
    return np.where(shares[:, None, None], np.nan, xy)


def _from_own_size(xy: Array, flat: Array, size: tuple[int, int], own: tuple[int, int], said: list[str]) -> Array:
    """Pixels of the file's own picture as pixels of the picture it was made from, if they have one shape."""
    factor = np.array(size) / np.array(own)
    text = f"The file tells a picture of {own[0]} x {own[1]}, not {size[0]} x {size[1]}"
    fits = (np.quantile(flat, _MOST, axis=0) <= 1.05 * np.array(own)).all()
    if fits and abs(factor[0] / factor[1] - 1.0) < 0.02:
        said.append(f"{text}; places are scaled.")
        return np.asarray(xy * factor)
    said.append(f"{text}, of another shape; places are taken as they are.")
    return xy


def _middle(xy: Array, names: Sequence[str | None], part: str) -> Array:
    """(N, 2) between the left and the right joint."""
    left, right = (list(names).index(f"{side}_{part}") for side in ("left", "right"))
    return 0.5 * (xy[:, left] + xy[:, right])


def _refuse_centred_on_hips(xy: Array, names: Sequence[str | None], where: str) -> None:
    hips = np.abs(_middle(xy, names, "hip")).max(axis=1)
    body = np.abs(_middle(xy, names, "shoulder") - _middle(xy, names, "ankle")).max(axis=1)
    known = np.isfinite(hips) & np.isfinite(body) & (body > 0.0)
    if known.any() and np.mean(hips[known] < 1e-2 * body[known]) > _MOST:
        raise _not_2d(where, "its places are measured from the hips (world or three-dimensional coordinates)")


def _refuse_other_order(xy: Array, names: Sequence[str | None], where: str) -> None:
    """Faces are nearer to shoulders than to hips; where they never are, the points are other joints than we think."""
    if "nose" not in names:
        return
    nose = xy[:, list(names).index("nose")]
    shoulders, hips = (np.hypot(*(_middle(xy, names, part) - nose).T) for part in ("shoulder", "hip"))
    known = np.isfinite(shoulders) & np.isfinite(hips)
    if known.sum() >= _SEVERAL and np.mean(shoulders[known] > hips[known]) > _MOST:
        raise InputError(
            "has its points in another order: the nose is nearer to the hips than to the shoulders",
            where=where,
            hint=f"{len(names)} points without names are taken as {names[0]}, {names[1]}, {names[2]} and so on",
        )


def _upright(xy: Array, names: Sequence[str | None], height_px: float, said: list[str]) -> Array:
    """With y down: people who stand on their heads from the first to the last frame are seen with y up."""
    parts = [_middle(xy, names, part) for part in ("shoulder", "hip", "ankle")]
    down = np.array([parts[1] - parts[0], parts[2] - parts[1]])
    known = np.isfinite(down).all(axis=(0, 2))
    steep = (down[..., 1] < -np.abs(down[..., 0])).all(axis=0)
    if known.sum() < _SEVERAL or np.mean(steep[known]) <= _MOST:
        return xy
    said.append("Everybody is upside down throughout; y is taken as pointing up.")
    return np.stack([xy[..., 0], height_px - xy[..., 1]], axis=-1)


def _plausible(xy: Array, size: Array, said: list[str]) -> Array:
    share = xy / size
    lost = np.any(np.abs(share) > _FAR_OUT, axis=-1)
    if lost.any():
        said.append(f"{int(lost.sum())} points lie more than {_FAR_OUT:g} pictures away and were left out.")
        xy = np.where(lost[..., None], np.nan, xy)
    known = np.all(np.isfinite(share), axis=-1)
    outside = np.any((share < -_OUTSIDE) | (share > 1.0 + _OUTSIDE), axis=-1)[known].mean()
    if outside > _OUTSIDE:
        said.append(
            f"{outside:.0%} of the points lie far outside a picture of {size[0]:g} x {size[1]:g}; check its size."
        )
    return xy


def frame_times(
    frames: NDArray[np.int64], times: Mapping[int, tuple[float, float | None]], fps_hz: float | None, said: list[str]
) -> tuple[Array, float, bool]:
    """Rising times in seconds of all frames, frames a second, and whether the latter had to be assumed.

    Args:
        frames: rising frame numbers.
        times: frame -> time and its unit in seconds, None where the file doesn't name one.
        fps_hz: frames a second, if somebody said.
        said: takes sentences for the user.
    """
    known = np.array(sorted(times), np.int64)
    seconds = _seconds(known, times, said)
    if seconds is None:
        if fps_hz is None:
            said.append("The file doesn't say how many frames a second there were; 30 are assumed.")
        rate_hz = fps_hz or _DEFAULT_HZ
        return frames / rate_hz, rate_hz, fps_hz is None
    rate_hz = float((known[-1] - known[0]) / (seconds[-1] - seconds[0]))
    place = np.clip(frames, known[0], known[-1])
    time_s = np.interp(place, known, seconds) + (frames - place) / rate_hz
    return time_s, fps_hz or rate_hz, False


def _seconds(
    known: NDArray[np.int64], times: Mapping[int, tuple[float, float | None]], said: list[str]
) -> Array | None:
    """Rising times of the frames that have one; None if nothing can be made of them."""
    if len(known) < 2:
        return None
    values = np.array([times[frame][0] for frame in known.tolist()])
    # Steps over half the clip: neither rounding nor a few times that stand still or fall weigh much.
    half = (len(known) + 1) // 2
    step = float(np.median((values[half:] - values[:-half]) / (known[half:] - known[:-half])))
    unit = times[int(known[0])][1]
    slowest, fastest = _RATES_HZ
    if unit is None or not slowest / 4 <= 1.0 / max(step * unit, 1e-12) <= 4 * fastest:
        named = unit is not None
        fitting = [u for u in (1.0, 1e-3, 1e-6, 1e-9) if step > 0.0 and slowest <= 1.0 / (step * u) <= fastest]
        # In steps of one they count frames.
        if not fitting or abs(step - 1.0) < 1e-9:
            said.append("The file's times can't be times of frames that follow each other; they aren't used.")
            return None
        unit = min(fitting, key=lambda u: abs(np.log(step * u * _DEFAULT_HZ)))
        word = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}[unit]
        said.append(f"The file's times {'can only be' if named else 'are taken as'} {word}.")
    values, step = values * unit, step * unit
    even = step * (known - known[0])
    even = np.asarray(even + np.median(values - even))
    wrong = int((np.diff(values) <= 0.0).sum() + (np.abs(values - even) > _PAUSE_S).sum())
    if wrong:
        said.append(
            f"{wrong} of the file's times stand still, fall or leap; even steps of {1e3 * step:.4g} ms are used."
        )
        values = even
    if abs(values[0]) > _EPOCH_S:
        said.append("Times are counted from the first frame.")
        values = values - values[0]
    return values
