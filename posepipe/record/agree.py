"""How far our angles and gait events are from a laboratory's, of the same movement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.gait.types import Event
from posepipe.record.recording import Person
from posepipe.settings import setting

__all__ = ["AgreeSettings", "Agreement", "AngleAgreement", "CycleAgreement", "EventAgreement", "Reference", "agree"]

Array = NDArray[np.float64]

_WITHIN_90 = 1.645
"""Half width of a 90 % interval, in sigmas."""
_LIMITS = 1.96
"""Limits of agreement in standard deviations of the differences (Bland and Altman 1986, Lancet 327:307)."""


@dataclass(frozen=True, slots=True)
class AgreeSettings:
    """Thresholds of a comparison."""

    step_s: float = setting(0.05, "step of the first search for the offset in time", unit="s", source="judgement")
    fine_s: float = setting(0.005, "step of the last search", unit="s", source="judgement")
    least_s: float = setting(1.0, "less in common isn't compared", unit="s", source="judgement: one stride")
    overlap: float = setting(0.6, "share of the shorter recording that must overlap", source="judgement")
    gap_s: float = setting(0.1, "a longer gap of the reference isn't bridged", unit="s", source="judgement")
    alike: float = setting(0.5, "correlation below which no offset is believed", source="judgement")
    rival: float = setting(
        0.02, "another offset whose correlation is this near may be the true one", source="judgement"
    )
    apart_s: float = setting(0.3, "offsets closer than this are one", unit="s", source="judgement: half a step")
    event_s: float = setting(
        0.15, "events further apart aren't the same", unit="s", source="judgement: a third of a step of 0.5 s"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a laboratory measured.

    Attributes:
        name: of the file.
        time_s: (N,) increasing.
        deg: our name of an angle -> (N,) in our sign; NaN where unknown.
        events: heel strikes and toe offs, in order of time.
        left_out: columns that mean none of our angles.
    """

    name: str
    time_s: Array
    deg: Mapping[str, Array]
    events: tuple[Event, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AngleAgreement:
    """One angle over all moments that both know.

    Attributes:
        angle: name.
        time_s, ours_deg, sigma_deg, theirs_deg: (N,) matched samples, at our frames.
        bias_deg: mean of ours - theirs.
        sd_deg: standard deviation of the differences.
        low_deg, high_deg: limits of agreement, bias -+ 1.96 SD (Bland and Altman 1986). Frames of one recording aren't
            independent: the limits are this recording's.
        rmse_deg: root mean square difference.
        centred_rmse_deg: the same without the bias, which a zero of another skeleton may cause.
        r: Pearson's correlation; NaN for a still joint.
        icc: ICC(A,1), two-way, absolute agreement (McGraw and Wong 1996, Psychol Methods 1:30, table 4).
        coverage_90, centred_coverage_90: share of samples within our 90 % error bar, as measured and without the bias.
    """

    angle: str
    time_s: Array
    ours_deg: Array
    sigma_deg: Array
    theirs_deg: Array
    bias_deg: float
    sd_deg: float
    low_deg: float
    high_deg: float
    rmse_deg: float
    centred_rmse_deg: float
    r: float
    icc: float
    coverage_90: float
    centred_coverage_90: float


@dataclass(frozen=True, slots=True)
class CycleAgreement:
    """One angle in one stride or repetition.

    Attributes:
        kind: "left" or "right" stride, or the exercise's name.
        number: from 1, of its kind.
        start_s, end_s: on our clock.
        angle: name.
        rmse_deg, bias_deg: of the cycle's samples.
        peak_deg, range_deg: ours, then theirs.
    """

    kind: str
    number: int
    start_s: float
    end_s: float
    angle: str
    rmse_deg: float
    bias_deg: float
    peak_deg: tuple[float, float]
    range_deg: tuple[float, float]


@dataclass(frozen=True, slots=True)
class EventAgreement:
    """One kind of event.

    Attributes:
        type: "heel_strike" or "toe_off".
        matched: found by both.
        ours_alone, theirs_alone: found by one, while both recordings run.
        bias_ms: mean of ours - theirs; NaN without a match.
        sd_ms: its standard deviation; NaN below two.
    """

    type: str
    matched: int
    ours_alone: int
    theirs_alone: int
    bias_ms: float
    sd_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """A comparison.

    Attributes:
        reference: name of the file.
        person: id.
        offset_s: added to the reference's clock to give ours.
        offset_from: "given", "angles" (where the curves are most alike) or "events" (where most events meet; then no
            constant lag between the two can be seen).
        alike: correlation of all curves at that offset; NaN without curves.
        rival_s: another offset that fits nearly as well; None without one.
        angles, cycles, events: what was compared.
        left_out: columns of the reference that mean none of our angles.
    """

    reference: str
    person: int
    offset_s: float
    offset_from: str
    alike: float
    rival_s: float | None
    angles: tuple[AngleAgreement, ...]
    cycles: tuple[CycleAgreement, ...]
    events: tuple[EventAgreement, ...]
    left_out: tuple[str, ...]


def agree(
    person: Person,
    reference: Reference,
    *,
    offset_s: float | None = None,
    settings: AgreeSettings | None = None,
) -> Agreement:
    """Compare a person's angles and gait events with a reference.

    Args:
        person: as analysed.
        reference: of the same movement; its clock may begin elsewhere and tick at another rate.
        offset_s: added to the reference's clock to give ours; found where the curves are most alike if None.
        settings: thresholds.

    Raises:
        InputError: nothing in common, or no offset at which both are alike.
    """
    use = settings or AgreeSettings()
    ours = {name: person.angles.deg[:, k].astype(float) for k, name in enumerate(person.angles.names)}
    names = [name for name in reference.deg if name in ours and np.isfinite(ours[name]).sum() > 1]
    if not names and not (reference.events and person.gait.walk.events):
        raise InputError(
            "holds no angle or event that this recording has, too",
            where=reference.name,
            hint="Name its columns with --columns OURS=THEIRS",
        )
    offset_from, alike, rival_s = "given", float("nan"), None
    if offset_s is None and names:
        offset_s, alike, rival_s = _offset(person.pose.time_s, {n: ours[n] for n in names}, reference, use)
        offset_from = "angles"
    elif offset_s is None:
        offset_s, offset_from = _event_offset(person.gait.walk.events, reference.events, use), "events"
    angles = []
    for name in names:
        sigma_deg = person.angles.sigma_deg[:, person.angles.names.index(name)].astype(float)
        found = _angle(name, person.pose.time_s, ours[name], sigma_deg, reference, offset_s, use)
        angles += [found] if found is not None else []
    if offset_from == "given" and angles:
        alike = _likeness((found.ours_deg, found.theirs_deg) for found in angles)
    events = _events(person, reference, offset_s, use)
    if not angles and not events:
        raise InputError(
            f"has nothing in common with this recording at an offset of {offset_s:.2f} s",
            where=reference.name,
            hint="Leave out --offset-s to have it looked for, or name another recording",
        )
    return Agreement(
        reference.name,
        person.id,
        offset_s,
        offset_from,
        alike,
        rival_s,
        tuple(angles),
        tuple(_cycles(person, angles)),
        events,
        reference.left_out,
    )


def _at(time_s: Array, values: Array, wanted_s: Array, gap_s: float) -> Array:
    """Values at other times; NaN outside, and where known neighbours are more than `gap_s` apart."""
    known = np.isfinite(values)
    if known.sum() < 2:
        return np.full(len(wanted_s), np.nan)
    clock, there = time_s[known], values[known]
    out = np.interp(wanted_s, clock, there, left=np.nan, right=np.nan)
    after = np.clip(np.searchsorted(clock, wanted_s), 1, len(clock) - 1)
    far = (clock[after] - clock[after - 1] > gap_s) & (wanted_s != clock[after]) & (wanted_s != clock[after - 1])
    out[far] = np.nan
    return out


def _offset(
    time_s: Array, ours: Mapping[str, Array], reference: Reference, use: AgreeSettings
) -> tuple[float, float, float | None]:
    """The offset at which the curves are most alike, their correlation, and another offset that may be the true one."""
    length_s = min(time_s[-1] - time_s[0], reference.time_s[-1] - reference.time_s[0])
    least_s = max(use.overlap * length_s, min(use.least_s, length_s))
    first = time_s[0] + least_s - reference.time_s[-1]
    last = time_s[-1] - least_s - reference.time_s[0]
    grid = np.arange(time_s[0], time_s[-1], use.step_s)
    steady = {name: _at(time_s, values, grid, use.gap_s) for name, values in ours.items()}

    def likeness(offset_s: float) -> float:
        return _likeness(
            (steady[name], _at(reference.time_s + offset_s, reference.deg[name], grid, use.gap_s)) for name in ours
        )

    coarse = np.arange(first, last + use.step_s, use.step_s) if last > first else np.array([(first + last) / 2.0])
    scores = np.array([likeness(offset) for offset in coarse])
    # A movement that repeats itself fits at several offsets about as well: the one that compares the most is taken.
    near = scores > scores.max() - use.rival
    common = np.array(
        [min(time_s[-1], reference.time_s[-1] + o) - max(time_s[0], reference.time_s[0] + o) for o in coarse]
    )
    longest = near & (common > common[near].max() - use.apart_s)
    best = int(np.argmax(np.where(longest, scores, -np.inf)))
    fine = np.arange(-use.step_s, use.step_s + use.fine_s / 2.0, use.fine_s) + coarse[best]
    closer = np.array([likeness(offset) for offset in fine])
    alike = float(closer.max())
    if alike < use.alike:
        raise InputError(
            f"moves unlike this recording: at best a correlation of {max(alike, 0.0):.2f}",
            where=reference.name,
            hint="Check person, sides and signs; give --offset-s to compare nevertheless",
        )
    # The top of the peak is flat: its middle is the offset.
    top = fine[closer >= alike - 1e-4]
    away = np.abs(coarse - coarse[best]) > use.apart_s
    rivals = coarse[away & (scores > scores.max() - use.rival)]
    rival_s = float(rivals[np.argmax([scores[coarse == rival][0] for rival in rivals])]) if len(rivals) else None
    return float(top.mean()), alike, rival_s


def _likeness(pairs: Iterable[tuple[Array, Array]]) -> float:
    """Correlation of several curves at once, each without its mean: what moves much counts much; -1 if none moves."""
    shared, mine, theirs = 0.0, 0.0, 0.0
    for a, b in pairs:
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() < 3:
            continue
        a, b = a[both] - a[both].mean(), b[both] - b[both].mean()
        shared, mine, theirs = shared + float(a @ b), mine + float(a @ a), theirs + float(b @ b)
    size = float(np.sqrt(mine * theirs))
    return shared / size if size > 1e-9 else -1.0


def _angle(
    name: str, time_s: Array, ours: Array, sigma: Array, reference: Reference, offset_s: float, use: AgreeSettings
) -> AngleAgreement | None:
    theirs = _at(reference.time_s + offset_s, reference.deg[name], time_s, use.gap_s)
    both = np.isfinite(ours) & np.isfinite(theirs)
    if both.sum() < 3 or np.ptp(time_s[both]) < min(use.least_s, np.ptp(time_s)) / 2.0:
        return None
    a, b, spread = ours[both], theirs[both], sigma[both]
    away = a - b
    bias, sd = float(away.mean()), float(away.std(ddof=1))
    half = _WITHIN_90 * spread
    return AngleAgreement(
        name,
        time_s[both],
        a,
        spread,
        b,
        bias,
        sd,
        bias - _LIMITS * sd,
        bias + _LIMITS * sd,
        float(np.sqrt(np.mean(away**2))),
        float(np.sqrt(np.mean((away - bias) ** 2))),
        _r(a, b),
        _icc(a, b),
        float(np.mean(np.abs(away) <= half)),
        float(np.mean(np.abs(away - bias) <= half)),
    )


def _r(a: Array, b: Array) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if min(np.ptp(a), np.ptp(b)) > 1e-6 else float("nan")


def _icc(a: Array, b: Array) -> float:
    """ICC(A,1) of two raters (McGraw and Wong 1996, table 4, case 2A)."""
    pairs = np.column_stack([a, b])
    count = len(pairs)
    mean = pairs.mean()
    rows = 2.0 * np.sum((pairs.mean(axis=1) - mean) ** 2) / (count - 1)
    columns = count * np.sum((pairs.mean(axis=0) - mean) ** 2)
    rest = pairs - pairs.mean(axis=1, keepdims=True) - pairs.mean(axis=0) + mean
    error = np.sum(rest**2) / (count - 1)
    below = rows + error + 2.0 / count * (columns - error)
    return float((rows - error) / below) if below > 1e-12 else float("nan")


def _cycles(person: Person, angles: Sequence[AngleAgreement]) -> Iterator[CycleAgreement]:
    """Every angle in every stride of its own side, else in every repetition."""
    for kind, number, start_s, end_s in _spans(person):
        for found in angles:
            side = found.angle.partition("_")[0]
            inside = (found.time_s >= start_s) & (found.time_s <= end_s)
            if inside.sum() < 3 or (kind in ("left", "right") and side in ("left", "right") and side != kind):
                continue
            a, b = found.ours_deg[inside], found.theirs_deg[inside]
            yield CycleAgreement(
                kind,
                number,
                start_s,
                end_s,
                found.angle,
                float(np.sqrt(np.mean((a - b) ** 2))),
                float(np.mean(a - b)),
                (float(a.max()), float(b.max())),
                (float(np.ptp(a)), float(np.ptp(b))),
            )


def _spans(person: Person) -> Iterator[tuple[str, int, float, float]]:
    counts = {"left": 0, "right": 0}
    for stride in person.gait.walk.strides:
        counts[stride.side] += 1
        yield stride.side, counts[stride.side], stride.start_s, stride.end_s
    if person.gait.walk.strides:
        return
    for bout in person.exercise.bouts:
        for rep in bout.reps:
            counts[bout.label] = counts.get(bout.label, 0) + 1
            yield bout.label, counts[bout.label], rep.start_s, rep.end_s


def _pairs(ours: Sequence[float], theirs: Sequence[float], within_s: float) -> list[tuple[int, int]]:
    """Events of both, nearest first, each once."""
    near = [(abs(a - b), i, j) for i, a in enumerate(ours) for j, b in enumerate(theirs) if abs(a - b) <= within_s]
    taken: list[tuple[int, int]] = []
    for _, i, j in sorted(near):
        if all(i != a and j != b for a, b in taken):
            taken.append((i, j))
    return taken


def _event_offset(ours: Sequence[Event], theirs: Sequence[Event], use: AgreeSettings) -> float:
    """The offset at which most events meet, then the one at which they meet most closely."""
    kinds = sorted({(event.side, event.type) for event in ours} & {(event.side, event.type) for event in theirs})
    times = [
        tuple([event.time_s for event in found if (event.side, event.type) == kind] for found in (ours, theirs))
        for kind in kinds
    ]
    tried = sorted({round(a - b, 3) for mine, other in times for a in mine for b in other})
    if not tried:
        return 0.0

    def fit(offset_s: float) -> tuple[int, float]:
        away = [
            abs(mine[i] - other[j] - offset_s)
            for mine, other in times
            for i, j in _pairs(mine, [time + offset_s for time in other], use.event_s)
        ]
        return len(away), -sum(away)

    return max(tried, key=fit)


def _events(person: Person, reference: Reference, offset_s: float, use: AgreeSettings) -> tuple[EventAgreement, ...]:
    if not reference.events:
        return ()
    clock = person.pose.time_s
    shifted = reference.time_s + offset_s if len(reference.time_s) else np.array([-np.inf, np.inf])
    start_s, end_s = max(clock[0], shifted[0]), min(clock[-1], shifted[-1])
    out = []
    for kind in dict.fromkeys(event.type for event in reference.events):
        away, counts = [], [0, 0]
        for side in ("left", "right"):
            mine, other = (
                [event.time_s + add for event in found if (event.side, event.type) == (side, kind)]
                for found, add in ((person.gait.walk.events, 0.0), (reference.events, offset_s))
            )
            pairs = _pairs(mine, other, use.event_s)
            away += [1000.0 * (mine[i] - other[j]) for i, j in pairs]
            for k, (times, taken) in enumerate(((mine, {i for i, _ in pairs}), (other, {j for _, j in pairs}))):
                counts[k] += sum(start_s <= t <= end_s for n, t in enumerate(times) if n not in taken)
        if away or any(counts):
            bias = float(np.mean(away)) if away else float("nan")
            spread = float(np.std(away, ddof=1)) if len(away) > 1 else float("nan")
            out.append(EventAgreement(kind, len(away), counts[0], counts[1], bias, spread))
    return tuple(out)
