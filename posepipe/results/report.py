"""``report.html``: one file with everything in it, to open offline or print."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import PurePath
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe import __version__
from posepipe.errors import OutputError
from posepipe.motion.angles import ANGLES
from posepipe.results.exercise_section import exercise_html
from posepipe.results.gait_section import gait_html
from posepipe.results.plots import BAND, Curve, angle_plot
from posepipe.results.recording import KeyFrame, Person, Recording
from posepipe.results.sections import (
    quality_html,
    sources_html,
    verdict,
    withheld_html,
    words,
)

__all__ = ["render"]

_CURVE_SAMPLES = 1500
_POSES = 600
_PICTURES = 8
_PICTURE_HEIGHT_PX = 480
_SPECS = {spec.name: spec for spec in ANGLES}

Array = NDArray[Any]


def render(recording: Recording) -> str:
    """The report as one HTML document. It loads nothing and runs without a network.

    Long clips are thinned: curves to 1,500 samples that keep their peaks, the 3D view to 600 poses, pictures to 8;
    several people share these numbers.
    """
    assets = files("posepipe.results") / "templates"
    share = max(len(recording.people), 1)
    name = PurePath(recording.video.path).name or recording.video.path
    body = [_header(recording, name)]
    data = []
    for person in recording.people:
        shown = _shown(person, max(_POSES // share, 60))
        curves = max(_CURVE_SAMPLES // share, 200)
        body.append(_person(recording, person, shown, curves, max(_PICTURES // share, 1)))
        if len(shown):
            data.append(_viewer_data(person, shown))
    body.append(_footer(recording))
    template = Template((assets / "report.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"{name} – posepipe report"),
        generator=escape(f"posepipe {__version__}"),
        style=(assets / "report.css").read_text(encoding="utf-8"),
        script=(assets / "report.js").read_text(encoding="utf-8"),
        body="\n".join(body),
        data=_script_json(data),
    )


def _header(recording: Recording, name: str) -> str:
    video = recording.video
    when = _date(recording.created)
    facts = (
        f"{video.duration_s:.1f} s, {video.width_px} × {video.height_px} pixels, {video.fps_hz:.4g} frames a second"
        + (", cut short" if video.truncated else "")
    )
    verdicts = "".join(f'<p class="verdict">{escape(verdict(recording, p))}</p>' for p in recording.people)
    warnings = "".join(f'<p class="note">{escape(text)}</p>' for text in recording.warnings)
    return (
        f"<header><h1>{escape(name)}</h1>"
        f'<p class="soft">Motion report, {escape(when)}. {escape(facts)}. posepipe {escape(__version__)}.</p></header>'
        f"<main>{verdicts or '<p class=verdict>Nobody was followed.</p>'}{warnings}"
        '<p class="soft">Left and right are always the person\'s own. Every ± and every shaded band is a 90 % error '
        "bar: the true value should lie within it nine times in ten.</p>"
    )


def _date(created: str) -> str:
    """An ISO time as people write it; anything else as it is."""
    try:
        when = datetime.fromisoformat(created)
    except ValueError:
        return created or "undated"
    return f"{when.day} {when:%B %Y, %H:%M} {when.tzname() or ''}".strip()


def _person(recording: Recording, person: Person, shown: Array, curves: int, pictures: int) -> str:
    several = len(recording.people) > 1
    title = f"<h2>Person {person.id}</h2>" if several else ""
    head = "h3" if several else "h2"
    viewer, plots = _viewer(person, shown), _plots(person, curves)
    sections = [
        ("Key frames", _pictures(person.key_frames[:pictures])),
        ("The movement in 3D", viewer),
        ("Joint angles", plots),
        ("Exercise", exercise_html(person)),
        ("Gait", gait_html(person.gait)),
        ("What was withheld, and why", withheld_html(person)),
        ("How sure is this", _how_sure() + sources_html(recording, person)),
        ("Data quality", quality_html(person)),
    ]
    body = "".join(f"<section><{head}>{name}</{head}>{html}</section>" for name, html in sections if html)
    return f'<div id="person-{int(person.id)}">{title}{body}</div>'


def _shown(person: Person, most: int) -> NDArray[np.intp]:
    """Frames for the 3D view, evenly spread; none if no 3D pose is known."""
    frames = len(person.pose)
    if not person.pose.valid.any():
        return np.zeros(0, np.intp)
    return np.linspace(0, frames - 1, min(frames, most)).round().astype(np.intp)


def _viewer_data(person: Person, shown: NDArray[np.intp]) -> dict[str, Any]:
    pose, layout = person.pose, person.pose.layout
    xyz = np.where(pose.valid[shown][..., None], pose.xyz_m[shown], np.nan)
    sides = [next((side for side in ("left", "right") if side in a or side in b), "middle") for a, b in layout.edges]
    return {
        "id": int(person.id),
        "time_s": [round(float(t), 3) for t in person.keypoints.time_s[shown]],
        "joints": len(layout),
        "bones": [[int(a), int(b), side] for (a, b), side in zip(layout.edge_indices, sides, strict=True)],
        "band": BAND,
        "mm": _whole(1000.0 * xyz.reshape(len(shown), -1)),
        "sigma_mm": _whole(1000.0 * pose.sigma_m[shown]),
        "deg": _whole(person.angles.deg[shown].T),
        "half_deg": _whole(BAND * person.angles.sigma_deg[shown].T),
    }


def _viewer(person: Person, shown: NDArray[np.intp]) -> str:
    if not len(shown):
        return "<p>No 3D pose could be made.</p>"
    thinned = (
        f" Of {len(person.pose):,} poses, {len(shown):,} are here; <code>poses.parquet</code> has all."
        if len(shown) < len(person.pose)
        else ""
    )
    buttons = (
        ("play", "Play"),
        ("filmed", "As filmed"),
        ("turned", "Turned"),
        ("side", "From the side"),
        ("above", "From above"),
        ("closer", "Closer"),
        ("farther", "Farther"),
    )
    row = "".join(f'<button type="button" data-do="{do}">{name}</button>' for do, name in buttons)
    return (
        f'{_key()}<div class="viewer"><svg viewBox="0 0 640 480" tabindex="0" role="application" '
        'aria-label="3D skeleton. Arrow keys turn it, plus and minus zoom, space plays."></svg>'
        '<div class="controls"><input type="range" min="0" max="0" value="0" aria-label="Moment"><output></output>'
        "</div>"
        f'<div class="controls">{row}</div></div>'
        '<noscript><p class="note">The 3D view and the cursor need JavaScript; everything else doesn\'t.</p></noscript>'
        '<p class="soft screen">Drag to turn; click it first, then the wheel zooms. The discs show how unsure each '
        "joint is. The body is kept over the middle of the grid, its lowest joint on it; the grid is level with the "
        f"camera.{thinned}</p>"
    )


def _key() -> str:
    return (
        '<p><span class="key left"></span><b class="left">left</b> '
        '<span class="key right"></span><b class="right">right</b></p>'
    )


def _plots(person: Person, most: int) -> str:
    columns: dict[str, list[tuple[str, int]]] = {}
    known = np.isfinite(person.angles.deg).any(axis=0)
    for column, name in enumerate(person.angles.names):
        side, _, rest = name.partition("_")
        paired = side in ("left", "right")
        if known[column]:
            columns.setdefault(rest if paired else name, []).append((side if paired else "middle", column))
    if not columns:
        return "<p>No joint angle could be measured.</p>"
    thinned = ""
    if len(person.pose) > most:
        thinned = f" Curves are thinned to {most:,} samples that keep the peaks; <code>angles.parquet</code> has all."
    return (
        f'<p class="soft"><span class="screen">Click a plot to see that moment in all of them and in 3D.</span>'
        f"{thinned}</p>"
        f"{_key()}"
        f'<div class="plots">{"".join(_plot(person, name, sides, most) for name, sides in columns.items())}</div>'
    )


def _plot(person: Person, name: str, sides: list[tuple[str, int]], most: int) -> str:
    angles = person.angles
    spec = _SPECS.get(angles.names[sides[0][1]])
    label = spec.label.removeprefix("Left ").removeprefix("Right ") if spec else words(name)
    label = label[:1].upper() + label[1:]
    meaning = f"0: {spec.neutral}; +: {spec.positive}." if spec else ""
    curves = [
        Curve(side, person.keypoints.time_s, angles.deg[:, column], angles.sigma_deg[:, column])
        for side, column in sides
    ]
    ranges = []
    for curve in curves:
        finite = np.isfinite(curve.deg)
        low, high = (round(float(end)) for end in np.percentile(curve.deg[finite], [1, 99]))
        said = f'<b class="{curve.side}">{curve.side}</b> ' if curve.side != "middle" else ""
        share = f" (known in {100 * finite.mean():.0f} % of frames)" if finite.mean() < 0.995 else ""
        ranges.append(f"{said}{low}° to {high}°{share}")
    return (
        f'<figure data-curves="{escape(json.dumps(sides))}"><p class="head">{escape(label)}</p>'
        f"{angle_plot(label, curves, most)}"
        f"<figcaption>{', '.join(ranges).replace('-', '−')}. {escape(meaning)}"
        '<div class="readout screen"></div></figcaption></figure>'
    )


def _pictures(key_frames: tuple[KeyFrame, ...]) -> str:
    if not key_frames:
        return ""
    return f'<div class="pictures">{"".join(_picture(key_frame) for key_frame in key_frames)}</div>'


def _picture(key_frame: KeyFrame) -> str:
    import cv2

    image: Array = key_frame.image
    height, width = image.shape[:2]
    if height > _PICTURE_HEIGHT_PX:
        width = max(1, round(width * _PICTURE_HEIGHT_PX / height))
        height = _PICTURE_HEIGHT_PX
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not done:
        raise OutputError(f"picture of frame {key_frame.frame} can't be encoded", where="report.html")
    source = base64.b64encode(encoded.tobytes()).decode("ascii")
    caption = escape(key_frame.caption)
    return (
        f'<figure><img src="data:image/jpeg;base64,{source}" width="{width}" height="{height}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _how_sure() -> str:
    return (
        "<p>Every joint carries a standard deviation, made of what the detector couldn't tell in the picture and what "
        "one camera can't tell about depth. Angles inherit it from their joints. A number that can't be vouched for "
        "isn't given: it stands in the table above with its reason.</p>"
        "<p>Error bars don't cover everything: loose clothing, an odd viewpoint or a skeleton that is too simple "
        "(hips, spine) can shift a whole curve. Compare sides and sessions filmed the same way rather than trusting "
        "a single value.</p>"
    )


def _footer(recording: Recording) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in recording.versions.items())
    models = "".join(
        f"<li>{escape(name)}: <code>{escape(digest)}</code></li>" for name, digest in recording.models.items()
    )
    listed = f"<details><summary>Models (SHA-256)</summary><ul>{models}</ul></details>" if models else ""
    digest = recording.video.sha256
    source = f"<p>Video: SHA-256 <code>{escape(digest)}</code></p>" if digest else ""
    return (
        "</main><footer><p><b>A screening aid, not a diagnosis.</b> It doesn't replace an examination.</p>"
        f"<p>posepipe {escape(__version__)}{'; ' + escape(versions) if versions else ''}.</p>{source}{listed}</footer>"
    )


def _whole(values: Array) -> list[list[int | None]]:
    """Rows of whole numbers; None for NaN."""
    finite = np.isfinite(values)
    whole = np.where(finite, np.round(values), 0).astype(int).tolist()
    return [
        [number if known else None for number, known in zip(row, mask, strict=True)]
        for row, mask in zip(whole, finite.tolist(), strict=True)
    ]


def _script_json(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
