"""``report.html``: one file with everything in it, to open offline or print."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
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
from posepipe.reasons import Reason
from posepipe.results.exercise_section import exercise_html
from posepipe.results.gait_section import gait_html
from posepipe.results.language import Words, report_words
from posepipe.results.plots import BAND, Curve, angle_plot
from posepipe.results.ranges import angle_label, ranges_html
from posepipe.results.recording import KeyFrame, Person, Recording
from posepipe.results.sections import (
    quality_html,
    sources_html,
    verdict,
    withheld_html,
)

__all__ = ["render"]

_CURVE_SAMPLES = 1500
_POSES = 600
_PICTURES = 8
_PICTURE_HEIGHT_PX = 480
_SCRIPT_WORDS = ("Play", "Pause", "One square is 25 cm", "No pose at this moment", "not known", "left", "right", "at")
_SPECS = {spec.name: spec for spec in ANGLES}

Array = NDArray[Any]


def render(recording: Recording, language: str = "en") -> str:
    """The report as one HTML document. It loads nothing and runs without a network.

    Long clips are thinned: curves to 1,500 samples that keep their peaks, the 3D view to 600 poses, pictures to 8;
    several people share these numbers.

    Args:
        recording: made or loaded.
        language: one of `posepipe.results.language.LANGUAGES`.

    Raises:
        UsageError: the report doesn't speak the language.
    """
    say = report_words(language)
    assets = files("posepipe.results") / "templates"
    share = max(len(recording.people), 1)
    name = PurePath(recording.video.path).name or recording.video.path
    body = [_header(recording, name, say)]
    data = []
    for person in recording.people:
        shown = _shown(person, max(_POSES // share, 60))
        curves = max(_CURVE_SAMPLES // share, 200)
        body.append(_person(recording, person, shown, curves, max(_PICTURES // share, 1), say))
        if len(shown):
            data.append(_viewer_data(person, shown))
    body.append(_footer(recording, say))
    template = Template((assets / "report.html").read_text(encoding="utf-8"))
    return template.substitute(
        language=say.language,
        title=escape(f"{name} – {say('posepipe report')}"),
        generator=escape(f"posepipe {__version__}"),
        style=(assets / "report.css").read_text(encoding="utf-8"),
        script=(assets / "report.js").read_text(encoding="utf-8"),
        body="\n".join(body),
        data=_script_json(data),
        words=_script_json({text: say(text) for text in _SCRIPT_WORDS}),
    )


def _header(recording: Recording, name: str, say: Words) -> str:
    video = recording.video
    facts = say(
        "{seconds} s, {width} × {height} pixels, {fps} frames a second",
        seconds=f"{video.duration_s:.1f}",
        width=video.width_px,
        height=video.height_px,
        fps=f"{video.fps_hz:.4g}",
    ) + (say(", cut short") if video.truncated else "")
    verdicts = "".join(f'<p class="verdict">{escape(verdict(recording, p, say))}</p>' for p in recording.people)
    warnings = "".join(f'<p class="note">{escape(say.warning(text))}</p>' for text in recording.warnings)
    made = say("Motion report, {date}.", date=_date(recording.created, say))
    nobody = f'<p class="verdict">{say("Nobody was followed.")}</p>'
    reading = say(
        "Left and right are always the person's own. Every ± and every shaded band is a 90 % error bar: the true value "
        "should lie within it nine times in ten."
    )
    return (
        f"<header><h1>{escape(name)}</h1>"
        f'<p class="soft">{escape(made)} {escape(facts)}. posepipe {escape(__version__)}.</p></header>'
        f'<main>{verdicts or nobody}{warnings}<p class="soft">{reading}</p>'
    )


def _date(created: str, say: Words) -> str:
    """An ISO time as people write it; anything else as it is."""
    try:
        when = datetime.fromisoformat(created)
    except ValueError:
        return created or say("undated")
    clock = f"{when:%Y, %H:%M} {when.tzname() or ''}".strip()
    return say("{day} {month} {year_and_time}", day=when.day, month=say(f"{when:%B}"), year_and_time=clock)


def _person(recording: Recording, person: Person, shown: Array, curves: int, pictures: int, say: Words) -> str:
    several = len(recording.people) > 1
    title = f"<h2>{say('Person {id}', id=person.id)}</h2>" if several else ""
    head = "h3" if several else "h2"
    # What was asked for first, then what it rests on.
    sections = [
        (say("Exercise"), exercise_html(person, say) if _asked(person.exercise) else ""),
        (say("Gait"), gait_html(person.gait, say) if _asked(person.gait) else ""),
        (say("Key frames"), _pictures(person.key_frames[:pictures])),
        (say("The movement in 3D"), _viewer(person, shown, say)),
        (say("Joint angles"), _plots(person, curves, say)),
        (say("What was withheld, and why"), withheld_html(person, say)),
        (say("How sure is this"), _how_sure(say) + sources_html(recording, person, say)),
        (say("Data quality"), quality_html(person, say)),
    ]
    body = "".join(f"<section><{head}>{name}</{head}>{html}</section>" for name, html in sections if html)
    return f'<div id="person-{int(person.id)}">{title}{body}</div>'


def _asked(section: Mapping[str, object]) -> bool:
    return section.get("withheld") != Reason.NOT_ANALYSED


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


def _viewer(person: Person, shown: NDArray[np.intp], say: Words) -> str:
    if not len(shown):
        return f"<p>{say('No 3D pose could be made.')}</p>"
    thinned = (
        " "
        + say(
            "Of {all} poses, {shown} are here; {file} has all.",
            all=f"{len(person.pose):,}",
            shown=f"{len(shown):,}",
            file="<code>poses.parquet</code>",
        )
        if len(shown) < len(person.pose)
        else ""
    )
    buttons = (
        ("play", say("Play")),
        ("filmed", say("As filmed")),
        ("turned", say("Turned")),
        ("side", say("From the side")),
        ("above", say("From above")),
        ("closer", say("Closer")),
        ("farther", say("Farther")),
    )
    row = "".join(f'<button type="button" data-do="{do}">{name}</button>' for do, name in buttons)
    label = escape(say("3D skeleton. Arrow keys turn it, plus and minus zoom, space plays."))
    reading = say(
        "Drag to turn; click it first, then the wheel zooms. The discs show how unsure each joint is. The body is kept "
        "over the middle of the grid, its lowest joint on it; the grid is level with the camera."
    )
    still = say("The 3D view and the cursor need JavaScript; everything else doesn't.")
    return (
        f'{_key(say)}<div class="viewer"><svg viewBox="0 0 640 480" tabindex="0" role="application" '
        f'aria-label="{label}"></svg><div class="controls">'
        f'<input type="range" min="0" max="0" value="0" aria-label="{escape(say("Moment"))}"><output></output></div>'
        f'<div class="controls">{row}</div></div>'
        f'<noscript><p class="note">{still}</p></noscript><p class="soft screen">{reading}{thinned}</p>'
    )


def _key(say: Words) -> str:
    return (
        f'<p><span class="key left"></span><b class="left">{say("left")}</b> '
        f'<span class="key right"></span><b class="right">{say("right")}</b></p>'
    )


def _plots(person: Person, most: int, say: Words) -> str:
    columns: dict[str, list[tuple[str, int]]] = {}
    known = np.isfinite(person.angles.deg).any(axis=0)
    for column, name in enumerate(person.angles.names):
        side, _, rest = name.partition("_")
        paired = side in ("left", "right")
        if known[column]:
            columns.setdefault(rest if paired else name, []).append((side if paired else "middle", column))
    if not columns:
        return f"<p>{say('No joint angle could be measured.')}</p>"
    thinned = ""
    if len(person.pose) > most:
        thinned = " " + say(
            "Curves are thinned to {most} samples that keep the peaks; {file} has all.",
            most=f"{most:,}",
            file="<code>angles.parquet</code>",
        )
    click = say("Click a plot to see that moment in all of them and in 3D.")
    return (
        f"{ranges_html(person, columns, say)}"
        f'<p class="soft"><span class="screen">{click}</span>{thinned}</p>{_key(say)}'
        f'<div class="plots">{"".join(_plot(person, name, sides, most, say) for name, sides in columns.items())}</div>'
    )


def _plot(person: Person, name: str, sides: list[tuple[str, int]], most: int, say: Words) -> str:
    angles = person.angles
    spec = _SPECS.get(angles.names[sides[0][1]])
    label = angle_label(angles.names[sides[0][1]], say)
    meaning = f"0: {say(spec.neutral)}; +: {say(spec.positive)}." if spec else ""
    curves = [
        Curve(side, person.keypoints.time_s, angles.deg[:, column], angles.sigma_deg[:, column])
        for side, column in sides
    ]
    return (
        f'<figure data-curves="{escape(json.dumps(sides))}"><p class="head">{escape(label)}</p>'
        f"{angle_plot(label, curves, most)}"
        f'<figcaption>{escape(meaning)}<div class="readout screen"></div></figcaption></figure>'
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


def _how_sure(say: Words) -> str:
    first = say(
        "Every joint carries a standard deviation, made of what the detector couldn't tell in the picture and what one "
        "camera can't tell about depth. Angles inherit it from their joints. A number that can't be vouched for isn't "
        "given: it stands in the table above with its reason."
    )
    second = say(
        "Error bars don't cover everything: loose clothing, an odd viewpoint or a skeleton that is too simple (hips, "
        "spine) can shift a whole curve. Compare sides and sessions filmed the same way rather than trusting a single "
        "value."
    )
    return f"<p>{first}</p><p>{second}</p>"


def _footer(recording: Recording, say: Words) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in recording.versions.items())
    models = "".join(
        f"<li>{escape(name)}: <code>{escape(digest)}</code></li>" for name, digest in recording.models.items()
    )
    listed = f"<details><summary>{say('Models')} (SHA-256)</summary><ul>{models}</ul></details>" if models else ""
    digest = recording.video.sha256
    source = f"<p>Video: SHA-256 <code>{escape(digest)}</code></p>" if digest else ""
    return (
        f"</main><footer><p><b>{say('A screening aid, not a diagnosis.')}</b> "
        f"{say('It does not replace an examination.')}</p>"
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
