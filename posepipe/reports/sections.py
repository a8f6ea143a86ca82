"""What the reports say of a result, as words and blocks: what was found, angles, quality, and what was withheld."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.body.angles import ANGLES
from posepipe.exercise.types import Bout, ExerciseResult
from posepipe.gait.features import FEATURES
from posepipe.gait.types import (
    DISCLAIMER,
    SIDES,
    UNNAMED,
    Abnormal,
    Deviation,
    Evidence,
    GaitResult,
    Measured,
    Side,
    Value,
)
from posepipe.reasons import Reason, explain
from posepipe.record.recording import Person, Recording
from posepipe.record.summary import quality
from posepipe.reports.blocks import Block, Paragraph, Table
from posepipe.reports.drawings import BAND
from posepipe.texts import ENGLISH, Texts
from posepipe.types import BoolArray

__all__ = [
    "MINUS", "angle_label", "chance", "footer", "gait_blocks", "pattern_words", "quality_table", "ranges_table",
    "screening_words", "sources", "verdict", "why", "with_error", "withheld", "withheld_block", "words",
]  # fmt: skip

MINUS = "\u2212"

_UNITS = {
    "spm": "steps/min",
    "mps": "m/s",
    "pct": "%",
    "deg": "°",
    "hz": "Hz",
    "m": "m",
    "mm": "mm",
    "s": "s",
    "px": "px",
}
_NAMES = {
    "step_length_side_m": "Step length by side (m)",
    "step_length_ll": "Step length (leg lengths)",
    "walk_ratio_m_spm": "Walk ratio (m per step/min)",
    "stride_time_cv_pct": "Stride time, variation (%)",
    "step_length_cv_pct": "Step length, variation (%)",
}
_WORTH_SAYING = 0.01
"""Angles missing in a smaller share of the frames aren't listed."""

# Joints that an angle rests on: those of its own side, or of the middle.
_LIMBS: Mapping[str, tuple[str, ...]] = {
    "hip": ("hip", "knee"),
    "knee": ("hip", "knee", "ankle"),
    "ankle": ("knee", "ankle", "heel", "foot_index"),
    "shoulder": ("shoulder", "elbow"),
    "elbow": ("shoulder", "elbow", "wrist"),
}
_MIDDLE: Mapping[str, tuple[str, ...]] = {
    "trunk": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "neck": ("thorax", "head"),
}
_SPECS = {spec.name: spec for spec in ANGLES}
_FEATURE_LABELS = {spec.name: spec.label for spec in FEATURES}


_WORLD = {
    "gravity": "Which way is up",
    "floor": "The floor, and the camera's height over it",
    "path": "The way through the room",
}
"""What a part of the world is called."""


class Withheld(NamedTuple):
    """One thing the report can't give: its name and the reason, in words."""

    what: str
    why: str


def words(name: str) -> str:
    """A name of the data as words, its unit in brackets: ``stance_pct`` is "Stance (%)"."""
    if name in _NAMES:
        return _NAMES[name]
    stem, _, unit = name.rpartition("_")
    if stem and unit in _UNITS:
        return f"{words(stem)} ({_UNITS[unit]})"
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def why(reason: Reason, say: Texts = ENGLISH) -> str:
    """A reason as a sentence."""
    return say(explain(reason))


def with_error(value: float | None, sigma: float | None, unit: str = "", decimals: int | None = None) -> str:
    """A value with its 90 % error bar, rounded to what the bar allows: "92° ± 20"; a dash if it isn't known.

    Args:
        value: None or NaN if it isn't known.
        sigma: the same; the value stands alone then.
        unit: put behind the value.
        decimals: instead of those that the bar allows.
    """
    if value is None or not np.isfinite(value):
        return "–"
    half = BAND * sigma if sigma is not None and np.isfinite(sigma) else 0.0
    if half <= 0:
        text = f"{value:.3g}" if decimals is None else f"{value:.{decimals}f}"
        return f"{text}{unit}".replace("-", MINUS)
    if decimals is None:
        decimals = int(np.clip(1 - np.floor(np.log10(half)), 0, 3))
        decimals = 4 if half < 0.0005 else decimals  # No error bar reads 0.
    # Adding zero turns -0 into 0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}{unit} ± {half:.{decimals}f}".replace("-", MINUS)


def chance(probability: float) -> str:
    """In percent; no model is as sure as 0 or 100."""
    if probability > 0.99:
        return "> 99 %"
    return "< 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def pattern_words(pattern: str) -> str:
    """A pattern's name as words."""
    return pattern.replace("_", " ")


def footer(say: Texts) -> str:
    """Version and disclaimer."""
    return f"posepipe {__version__}. {say(DISCLAIMER)} {say('It does not replace an examination.')}"


def withheld(person: Person, say: Texts = ENGLISH) -> list[Withheld]:
    """Everything withheld from one person's record, nested parts too."""
    found = []
    for name, reason in (("Exercise", person.exercise.withheld), ("Gait", person.gait.withheld)):
        if reason not in (None, Reason.NOT_ANALYSED):
            found.append(Withheld(say(name), why(reason, say)))
    found += [
        Withheld(" › ".join((say("Gait"), *path)), why(reason, say)) for path, reason in _unmeasured(person.gait, say)
    ]
    if person.world is not None:
        found += [Withheld(say(_WORLD[part]), why(reason, say)) for part, reason in person.world.withheld.items()]
    items = {} if person.outcomes is None or not person.outcomes.known else person.outcomes.items
    found += [
        Withheld(say(words(name)), why(item, say))
        for name, item in items.items()
        if isinstance(item, Reason) and item not in (Reason.NOT_JUMPING, Reason.NOT_WALKING, Reason.NOT_ANALYSED)
    ]
    for column, name in enumerate(person.angles.names):
        missing = ~np.isfinite(person.angles.deg[:, column])
        share = float(missing.mean()) if len(missing) else 1.0
        if share < _WORTH_SAYING:
            continue
        part = say(", in {share} of the frames", share=_percent(share, say)) if _WORTH_SAYING <= share < 1.0 else ""
        reason = _angle_reason(person, name, missing)
        found.append(
            Withheld(
                f"{say('Angle')} › {say(_SPECS[name].label if name in _SPECS else words(name))}{part}", why(reason, say)
            )
        )
    return found


def verdict(recording: Recording, person: Person, say: Texts = ENGLISH) -> str:
    """What was found, then who, how long, from where and how well, in a few plain sentences."""
    track, seen = person.keypoints, quality(person)
    if len(track) == 0:
        return say("Person {id}: no frames.", id=person.id)
    seconds = float(track.time_s[-1] - track.time_s[0]) + 1.0 / max(recording.video.fps_hz, 1.0)
    who = say(
        "Person {id} was followed for {seconds} s ({seen} of {frames} frames)",
        id=person.id,
        seconds=f"{seconds:.1f}",
        seen=f"{len(track):,}",
        frames=f"{recording.video.frames:,}",
    )
    who += f", {view_words(person, say)}." if person.view.label != "unknown" else "."
    joints = say("Of the limb joints, {share} were seen", share=_percent(seen.seen_share, say))
    if seen.filled_share > 0:
        joints += say(", {share} filled in", share=_percent(seen.filled_share, say))
    if seen.missing_share > 0:
        joints += say(" and {share} missing", share=_percent(seen.missing_share, say))
    found = [_exercise_verdict(person.exercise, say), _gait_verdict(person.gait, say)]
    withheld = (person.exercise.withheld, person.gait.withheld)
    known = [text for text, reason in zip(found, withheld, strict=True) if reason is None]
    # Whoever does squats needn't be told that they don't walk.
    return " ".join(text for text in (*(known if any(known) else found), who, f"{joints}.") if text)


def view_words(person: Person, say: Texts = ENGLISH) -> str:
    """The view as words: "seen from the front-left in 93 % of the frames"."""
    label = person.view.label.replace("_", "-")
    side = f"from {'the ' if label.startswith(('front', 'back')) else 'their '}{label}"
    return say("seen {side} in {share} of the frames", side=say(side), share=_percent(person.view.share, say))


def withheld_block(person: Person, say: Texts = ENGLISH) -> Block:
    """What was withheld, and why, as a table."""
    rows = tuple(withheld(person, say))
    if not rows:
        return Paragraph(say("Nothing was withheld."))
    return Table(rows, (0.45, 0.55), (say("What"), say("Why")))


def quality_table(person: Person, say: Texts = ENGLISH) -> Table:
    """Data quality as a table."""
    seen = quality(person)
    rows = [
        (say("Limb joints seen"), _percent(seen.seen_share, say)),
        (say("Limb joints filled in between seen ones"), _percent(seen.filled_share, say)),
        (say("Limb joints missing"), _percent(seen.missing_share, say)),
        (say("Typical error bar in the picture"), f"± {BAND * seen.median_sigma_px:.1f} px"),
        (say("Typical error bar of a joint in 3D, along each axis"), f"± {BAND * seen.median_sigma_m * 100:.1f} cm"),
        (say("Left/right mix-ups repaired"), str(seen.swaps_repaired)),
    ]
    known = tuple((name, say("not known") if "nan" in value else value) for name, value in rows)
    return Table(known, (0.6, 0.4), (say("Measure"), say("Value")))


def sources(recording: Recording, person: Person, say: Texts = ENGLISH) -> tuple[Block, ...]:
    """Where metres and the camera's angle of view come from."""
    scale = (
        say("Metres rest on the body height given, {height} m.", height=f"{person.height_m:.2f}")
        if person.scale_source == "given" and person.height_m
        else say("Metres rest on the camera's height over the floor, as given.")
        if person.scale_source == "camera"
        else say(
            "Body height wasn't given, so metres rest on an average body: lengths and speeds may be off by the same "
            "part that this person is taller or shorter. Angles and times don't depend on it."
        )
    )
    focal = {
        "given": say("The camera's angle of view was given."),
        "metadata": say("The camera's angle of view was read from the file."),
        "estimated": say("The camera's angle of view was estimated from the picture."),
    }.get(
        recording.camera.focal_source,
        say("The camera's angle of view isn't known and was assumed; distances from the camera are rough."),
    )
    return Paragraph(scale), Paragraph(focal)


def _angle_reason(person: Person, name: str, missing: BoolArray) -> Reason:
    """Why an angle is missing: its joints weren't there, or they were and its error bar was too wide."""
    side, _, rest = name.partition("_")
    part = rest.split("_")[0] if side in ("left", "right") else side
    joints = [f"{side}_{joint}" for joint in _LIMBS[part]] if part in _LIMBS else _MIDDLE.get(part, ())
    layout = person.pose.layout
    if any(joint not in layout.joints for joint in joints):
        return Reason.JOINT_UNSEEN
    there = person.pose.valid[missing][:, layout.indices(*joints)].all(axis=1)
    return Reason.TOO_UNCERTAIN if there.size and there.mean() > 0.5 else Reason.JOINT_UNSEEN


def _exercise_verdict(result: ExerciseResult, say: Texts) -> str:
    if result.withheld is not None:
        reason = lower(why(result.withheld, say), say)
        return "" if result.withheld is Reason.NOT_ANALYSED else say("No exercise result: {reason}", reason=reason)
    bouts = [_bout_words(bout, say) for bout in result.bouts]
    return say("Exercise: {bouts}.", bouts=", ".join(bouts)) if bouts else ""


def _bout_words(bout: Bout, say: Texts) -> str:
    """How often, or how long what is held, or of what no repetition was whole."""
    label = say(bout.label.replace("_", " "))
    if bout.reps:
        return f"{len(bout.reps)} × {label}"
    return say("{label} for {seconds} s", label=label, seconds=f"{bout.end_s - bout.start_s:.0f}")


def _gait_verdict(result: GaitResult, say: Texts) -> str:
    if result.withheld is not None:
        reason = lower(why(result.withheld, say), say)
        return "" if result.withheld is Reason.NOT_ANALYSED else say("No gait result: {reason}", reason=reason)
    found = say("Gait: {strides}.", strides=strides_words(result.parameters.strides, say))
    if isinstance(result.abnormal, Reason):
        return f"{found} {say('Normal or abnormal: withheld.')} {why(result.abnormal, say)}"
    return f"{found} {screening_words(result.abnormal, say)}."


def strides_words(strides: Mapping[Side, int], say: Texts = ENGLISH) -> str:
    """How many strides of each side: "5 left and 4 right strides"."""
    left, right = (strides.get(side, 0) for side in SIDES)
    return say("{left} left and {right} right strides", left=left, right=right)


def lower(sentence: str, say: Texts) -> str:
    """To go on within a sentence; German nouns keep their capital."""
    return sentence[:1].lower() + sentence[1:] if say.language == ENGLISH.language else sentence


def _unmeasured(result: GaitResult, say: Texts) -> Iterator[tuple[tuple[str, ...], Reason]]:
    if result.withheld is not None:
        return
    items: Mapping[str, object] = result.parameters.items
    for name, item in {**items, "deviation_score": result.deviation, "abnormal": result.abnormal}.items():
        parts = item.items() if isinstance(item, Mapping) else ((None, item),)
        for part, value in parts:
            if isinstance(value, Reason):
                yield tuple(say(words(str(key))) for key in (name, part) if key is not None), value


def _percent(share: float, say: Texts) -> str:
    if 0.0 < share < 0.0005:
        return say("under {share}", share="0.1\u00a0%")
    if 0.0 < share < 0.01 or 0.99 < share < 1.0:
        return f"{100 * share:.1f}\u00a0%"
    return f"{100 * share:.0f}\u00a0%"


_ENDS = (1.0, 99.0)
"""Percentiles that stand for the least and the greatest value: a single wild frame isn't a range of motion."""
_NEAR = 5.0
"""The error bar of an end is the typical one of this share of the frames, in percent, nearest to it."""


def angle_label(name: str, say: Texts) -> str:
    """An angle's name without its side."""
    spec = _SPECS.get(name)
    label = spec.label.removeprefix("Left ").removeprefix("Right ") if spec else words(name)
    return say(label[:1].upper() + label[1:])


def ranges_table(person: Person, columns: Mapping[str, Sequence[tuple[str, int]]], say: Texts) -> Table:
    """Least and greatest value of every angle, each side for itself.

    Args:
        person: whose angles.
        columns: angle without side -> side ("left", "right", "middle") and column of each.
        say: the language.
    """
    rows = []
    for sides in columns.values():
        cells = {
            side: _range(person.angles.deg[:, column], person.angles.sigma_deg[:, column], say)
            for side, column in sides
        }
        label = angle_label(person.angles.names[sides[0][1]], say)
        if "middle" in cells:
            rows.append((label, "", "", cells["middle"]))
        else:
            rows.append((label, cells.get("left", "–"), cells.get("right", "–"), ""))
    head = (say("Angle (degrees)"), say("Left"), say("Right"), say("Middle"))
    caption = say("Least and greatest value of each angle, with error bars")
    return Table(tuple(rows), (0.25, 0.25, 0.25, 0.25), head, caption)


def _range(deg: NDArray[np.float32], sigma_deg: NDArray[np.float32], say: Texts) -> str:
    known = np.isfinite(deg) & np.isfinite(sigma_deg)
    if not known.any():
        return "–"
    values, sigma = deg[known].astype(np.float64), sigma_deg[known]
    low, high = np.percentile(values, _ENDS)
    near = max(1, round(len(values) * _NEAR / 100.0))
    order = np.argsort(values)
    ends = [
        with_error(float(end), float(np.median(sigma[frames])), decimals=0)
        for end, frames in ((low, order[:near]), (high, order[-near:]))
    ]
    text = say("{low} to {high}", low=ends[0], high=ends[1])
    share = float(known.mean())
    if share < 0.995:
        text += " " + say("(known in {share} % of the frames)", share=f"{100 * share:.0f}")
    return text


def gait_blocks(result: GaitResult, say: Texts = ENGLISH) -> tuple[Block, ...]:
    """The gait section of one person."""
    if result.withheld is not None:
        return (Paragraph(f"{say('Withheld.')} {why(result.withheld, say)}"),)
    blocks = [*_answer(result.abnormal, say), _deviation(result.deviation, say)]
    blocks.append(Paragraph(say("Found: {strides}.", strides=strides_words(result.parameters.strides, say)), "soft"))
    rows = tuple((" › ".join(path), text) for path, text in _parameters(result.parameters.items, say))
    if rows:
        blocks.append(Table(rows, (0.4, 0.6), (say("What"), say("Value")), say("Parameters")))
    counts = Counter(say(f"{event.side} {event.type}".replace("_", " ")) for event in result.walk.events)
    if counts:
        events = ", ".join(f"{count} × {name}" for name, count in sorted(counts.items()))
        blocks.append(Paragraph(say("Events found: {events}.", events=events), "soft"))
    two = say("Curves against normal walks: {file}, two pages to print.", file="gait.html")
    return (*blocks, Paragraph(two, "soft", link="gait.html"))


def _answer(answer: Abnormal | Reason, say: Texts) -> Iterator[Block]:
    if isinstance(answer, Reason):
        yield Paragraph(f"{say('Normal or abnormal: withheld.')} {why(answer, say)}")
        return
    label, text = say(answer.label), screening_words(answer, say)
    closer = say("This points out who may need a closer look; it doesn't diagnose.")
    yield Paragraph(f"{text}. {closer}", "notice", strong=label)
    if answer.evidence:
        rows = tuple(_sign(sign, say) for sign in answer.evidence)
        yield Table(rows, (0.35, 0.1, 0.3, 0.25), caption=say("Signs"))


def screening_words(answer: Abnormal, say: Texts = ENGLISH) -> str:
    """What the classifier says, without a full stop."""
    text = say("Screening: {label} walking", label=say(answer.label))
    text += say(", probability of an abnormal gait {share}", share=chance(answer.probability).replace(" ", "\u00a0"))
    if answer.label == "abnormal" and answer.pattern not in UNNAMED:
        text += say(", most like “{pattern}”", pattern=say(pattern_words(answer.pattern)))
    return text


def _sign(sign: Evidence, say: Texts) -> tuple[str, ...]:
    return (
        say(sign.words),
        say(sign.side),
        say(_FEATURE_LABELS.get(sign.feature) or words(sign.feature)),
        say("{distance} SD from normal", distance=f"{sign.sd_from_norm:+.1f}".replace("-", MINUS)),
    )


def _deviation(score: Deviation | Reason, say: Texts) -> Block:
    if isinstance(score, Reason):
        return Paragraph(f"{say('Sagittal deviation score: withheld.')} {why(score, say)}")
    value = with_error(score.score, score.sigma)
    text = say(
        "Sagittal deviation score: {score} (normal walks: mean 100, standard deviation 10; less is further from "
        "normal).",
        score=value,
    )
    return Paragraph(text, strong=value)


def _parameters(items: Mapping[str, Measured], say: Texts) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, item in items.items():
        label = say(words(name))
        if not isinstance(item, Mapping):
            yield (label,), _measured(item, say)
        elif set(item) == set(SIDES) and all(isinstance(part, Value) for part in item.values()):
            yield (label,), ", ".join(f"{say(side)} {_measured(part, say)}" for side, part in item.items())
        else:
            yield from (((label, say(words(part))), _measured(value, say)) for part, value in item.items())


def _measured(item: Value | Reason, say: Texts) -> str:
    if isinstance(item, Reason):
        return say("withheld: {reason}", reason=lower(why(item, say), say))
    return with_error(item.value, item.sigma)
