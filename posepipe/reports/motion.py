"""The motion report as blocks: ``report.html``, one file to open offline or print, and the same on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.angles import ANGLES
from posepipe.body.world import World
from posepipe.errors import OutputError
from posepipe.reasons import Reason
from posepipe.record.recording import KeyFrame, Person, Recording
from posepipe.reports.about import date_words
from posepipe.reports.blocks import (
    Block,
    Details,
    Figure,
    Figures,
    Page,
    Paragraph,
    Picture,
    Section,
    Sides,
    Viewer,
    page_html,
)
from posepipe.reports.drawings import BAND, Curve, time_plot
from posepipe.reports.exercise import exercise_blocks
from posepipe.reports.numbers import in_language
from posepipe.reports.room import room_blocks, standing
from posepipe.reports.sections import (
    angle_label,
    footer,
    gait_blocks,
    quality_table,
    ranges_table,
    sources,
    verdict,
    withheld_block,
)
from posepipe.skeleton import BODY21
from posepipe.texts import ENGLISH, Texts, load

__all__ = ["motion_page", "render"]

_CURVE_SAMPLES = 1500
_POSES = 600
_PICTURES = 8
_PICTURE_HEIGHT_PX = 480
_SCRIPT_WORDS = (
    "Play",
    "Pause",
    "One square is 25 cm",
    "No pose at this moment",
    "not known",
    "left",
    "right",
    "at",
    ".",
)
_SPECS = {spec.name: spec for spec in ANGLES}

Array = NDArray[Any]


def render(recording: Recording, language: str = "en") -> str:
    """The report as one HTML document. It loads nothing and runs without a network.

    Args:
        recording: made or loaded.
        language: one of `posepipe.texts.LANGUAGES`.

    Raises:
        UsageError: there is no such language.
    """
    return page_html(motion_page(recording, load(language)))


def motion_page(
    recording: Recording, say: Texts = ENGLISH, *, moving: bool = True, about: tuple[Block, ...] = ()
) -> Page:
    """The report of one recording.

    Long clips are thinned: curves to 1,500 samples that keep their peaks, the 3D view to 600 poses, pictures to 8;
    several people share these numbers.

    Args:
        recording: made or loaded.
        say: the language.
        moving: with the 3D view and what else needs a script; paper wants none.
        about: whose it is; see `posepipe.reports.about.about`.
    """
    name = PurePath(recording.video.path).name or recording.video.path
    blocks = [*about, *_facts(recording, say)]
    for person in recording.people:
        several = len(recording.people) > 1
        title = say("Person {id}", id=person.id) if several else ""
        blocks.append(Section(title, _person(recording, person, say, moving), f"person-{int(person.id)}"))
    return in_language(
        Page(
            title=f"{name} – {say('posepipe report')}",
            heading=name,
            sheets=((*blocks, *_made_with(recording, say)),),
            footer=footer(say),
            language=say.language,
            script={text: say(text) for text in _SCRIPT_WORDS} if moving else None,
        )
    )


def _facts(recording: Recording, say: Texts) -> tuple[Block, ...]:
    video = recording.video
    facts = say(
        "{seconds} s, {width} × {height} pixels, {fps} frames a second",
        seconds=f"{video.duration_s:.1f}",
        width=video.width_px,
        height=video.height_px,
        fps=f"{video.fps_hz:.4g}",
    ) + (say(", cut short") if video.truncated else "")
    if video.slowed > 1.0:
        facts += ". " + say(
            "The film plays {factor} times slower than what it shows; all times are those of what it shows",
            factor=f"{video.slowed:.3g}",
        )
    elif video.slowed < 1.0:
        facts += ". " + say(
            "The film plays {factor} times faster than what it shows; all times are those of what it shows",
            factor=f"{1.0 / video.slowed:.3g}",
        )
    made = say("Motion report, {date}.", date=date_words(recording.created, say))
    verdicts = [verdict(recording, person, say) for person in recording.people] or [say("Nobody was followed.")]
    reading = say(
        "Left and right are always the person's own. Every ± and every shaded band is a 90 % error bar: the true value "
        "should lie within it nine times in ten."
    )
    return (
        Paragraph(f"{made} {facts}.", "soft"),
        *(Paragraph(text, "lead") for text in verdicts),
        *(Paragraph(say.warning(text), "notice") for text in recording.warnings),
        Paragraph(reading, "soft"),
    )


def _made_with(recording: Recording, say: Texts) -> Iterator[Block]:
    """Programs, and the checksums of what went in."""
    if recording.versions:
        yield Paragraph(", ".join(f"{name} {version}" for name, version in recording.versions.items()) + ".", "soft")
    if recording.video.sha256:
        yield Paragraph(f"{say('Video')}: SHA-256 {recording.video.sha256}", "soft")
    if recording.models:
        lines = tuple(f"{name}: {digest}" for name, digest in recording.models.items())
        yield Details(f"{say('Models')} (SHA-256)", lines)


def _person(recording: Recording, person: Person, say: Texts, moving: bool) -> tuple[Block, ...]:
    share = max(len(recording.people), 1)
    shown = _shown(person, max(_POSES // share, 60))
    pictures = tuple(_picture(key_frame) for key_frame in person.key_frames[: max(_PICTURES // share, 1)])
    rests = [Paragraph(text) for text in standing(recording, person, say)]
    # What was asked for first, then what it rests on.
    sections: list[tuple[str, tuple[Block, ...]]] = [
        (say("Exercise"), exercise_blocks(person, say) if _asked(person.exercise.withheld) else ()),
        (say("Gait"), gait_blocks(person.gait, say) if _asked(person.gait.withheld) else ()),
        (say("In the room"), room_blocks(person, say)),
        (say("Key frames"), (Figures(pictures, "pictures"),) if pictures else ()),
        (say("The movement in 3D"), _viewer(person, shown, say) if moving else ()),
        (say("Joint angles"), _angles(person, max(_CURVE_SAMPLES // share, 200), say, moving)),
        (say("What was withheld, and why"), (withheld_block(person, say),)),
        (say("How sure is this"), (*_how_sure(say), *sources(recording, person, say), *rests)),
        (say("Data quality"), (quality_table(person, say),)),
    ]
    return tuple(Section(title, blocks) for title, blocks in sections if blocks)


def _asked(withheld: Reason | None) -> bool:
    return withheld is not Reason.NOT_ANALYSED


def _shown(person: Person, most: int) -> NDArray[np.intp]:
    """Frames for the 3D view, evenly spread; none if no 3D pose is known."""
    frames = len(person.pose)
    if not person.pose.valid.any():
        return np.zeros(0, np.intp)
    return np.linspace(0, frames - 1, min(frames, most)).round().astype(np.intp)


def _viewer(person: Person, shown: NDArray[np.intp], say: Texts) -> tuple[Block, ...]:
    if not len(shown):
        return (Paragraph(say("No 3D pose could be made.")),)
    reading = say(
        "Drag to turn; click it first, then the wheel zooms. The discs show how unsure each joint is. The body is kept "
        "over the middle of the grid, its lowest joint on it; the grid is level with the camera."
    )
    if person.world is not None and person.world.knows("path"):
        reading = say(
            "Drag to turn; click it first, then the wheel zooms. The discs show how unsure each joint is. The grid is "
            "the floor, level by gravity, and the line on it the way of the pelvis."
        )
    if len(shown) < len(person.pose):
        reading += " " + say(
            "Of {all} poses, {shown} are here; {file} has all.",
            all=f"{len(person.pose):,}",
            shown=f"{len(shown):,}",
            file="poses.parquet",
        )
    view = Viewer(
        data=_viewer_data(person, shown),
        label=say("3D skeleton. Arrow keys turn it, plus and minus zoom, space plays."),
        slider=say("Moment"),
        buttons=(
            ("play", say("Play")),
            ("filmed", say("As filmed")),
            ("turned", say("Turned")),
            ("side", say("From the side")),
            ("above", say("From above")),
            ("closer", say("Closer")),
            ("farther", say("Farther")),
        ),
        still=say("The 3D view and the cursor need JavaScript; everything else doesn't."),
    )
    return Sides(say("left"), say("right")), view, Paragraph(reading, "screen")


def _viewer_data(person: Person, shown: NDArray[np.intp]) -> dict[str, Any]:
    pose, layout = person.pose, person.pose.layout
    xyz = np.where(pose.valid[shown][..., None], pose.xyz_m[shown], np.nan)
    room: dict[str, Any] = {}
    if person.world is not None and person.world.knows("path"):
        xyz, room = _in_the_room(person.world, shown)
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
        **room,
    }


def _in_the_room(world: World, shown: NDArray[np.intp]) -> tuple[Array, dict[str, Any]]:
    """Joints (F, J, 3) with x right, y down from the floor, z away, the middle of the way at the origin; the way.

    ``reach_mm`` is how far the floor is drawn, ``way_mm`` the pelvis' x and z in turn.
    """
    xyz = world.xyz_m[shown][..., [0, 2, 1]].astype(np.float64) * np.array([1.0, -1.0, 1.0])
    way = xyz[:, BODY21.index("pelvis")][:, [0, 2]]
    known = way[np.isfinite(way).all(axis=1)]
    middle = 0.5 * (known.min(axis=0) + known.max(axis=0)) if len(known) else np.zeros(2)
    xyz -= np.array([middle[0], 0.0, middle[1]])
    half = float(np.abs(known - middle).max()) if len(known) else 0.0
    reach = 250 * int(np.ceil(1000.0 * (half + 0.75) / 250.0))
    return xyz, {"reach_mm": max(reach, 1000), "way_mm": _whole(1000.0 * (way - middle))}


def _whole(values: Array) -> list[list[int | None]]:
    """Rows of whole numbers; None for NaN."""
    finite = np.isfinite(values)
    whole = np.where(finite, np.round(values), 0).astype(int).tolist()
    return [
        [number if known else None for number, known in zip(row, mask, strict=True)]
        for row, mask in zip(whole, finite.tolist(), strict=True)
    ]


def _angles(person: Person, most: int, say: Texts, moving: bool) -> tuple[Block, ...]:
    columns: dict[str, list[tuple[str, int]]] = {}
    known = np.any(np.isfinite(person.angles.deg), axis=0)
    for column in np.flatnonzero(known).tolist():
        name = person.angles.names[column]
        side, _, rest = name.partition("_")
        paired = side in ("left", "right")
        columns.setdefault(rest if paired else name, []).append((side if paired else "middle", column))
    if not columns:
        return (Paragraph(say("No joint angle could be measured.")),)
    blocks: list[Block] = [ranges_table(person, columns, say)]
    if moving:
        blocks.append(Paragraph(say("Click a plot to see that moment in all of them and in 3D."), "screen"))
    if len(person.pose) > most:
        thinned = say(
            "Curves are thinned to {most} samples that keep the peaks; {file} has all.",
            most=f"{most:,}",
            file="angles.parquet",
        )
        blocks.append(Paragraph(thinned, "soft"))
    plots = tuple(_plot(person, sides, most, say) for sides in columns.values())
    return (*blocks, Sides(say("left"), say("right")), Figures(plots, "plots"))


def _plot(person: Person, sides: list[tuple[str, int]], most: int, say: Texts) -> Figure:
    angles, time_s = person.angles, person.keypoints.time_s
    name = angles.names[sides[0][1]]
    spec = _SPECS.get(name)
    meaning = f"0: {say(spec.neutral)}; +: {say(spec.positive)}." if spec else ""
    curves = [Curve(time_s, angles.deg[:, column], angles.sigma_deg[:, column], side) for side, column in sides]
    return time_plot(angle_label(name, say), curves, most, note=meaning, told=tuple(sides))


def _picture(key_frame: KeyFrame) -> Figure:
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
    return Figure(Picture(encoded.tobytes(), width, height), note=key_frame.caption)


def _how_sure(say: Texts) -> tuple[Block, ...]:
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
    return Paragraph(first), Paragraph(second)
