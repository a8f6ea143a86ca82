"""Front taken for back where the face is covered: the toes tell.

A detector that sees no face (blurred, boxed or pixelated, as clinics publish films) takes a person from the front for
one from behind and exchanges left and right in everything. The toes of planted feet still point at the camera: in the
picture they lie below the heels, from behind above them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.types import KeypointTrack, Swap

__all__ = ["TOES", "ToeSettings", "exchanged", "facing", "keep_to_toes", "spans", "turn_to_toes"]

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

_NEEDED = (
    "nose",
    *tuple(
        f"{side}_{part}"
        for part in ("shoulder", "wrist", "hip", "knee", "ankle", "heel", "foot_index")
        for side in ("left", "right")
    ),
)
_MADE = "chosen on made people with boxed and blurred heads, and from behind, by posepipe evaluate hard"


@dataclass(frozen=True, slots=True)
class ToeSettings:
    """When toes overrule the labels. Lengths are shares of the body's height in the picture."""

    wide: float = setting(0.08, "mean width of shoulders and hips from which labels say front or back", source=_MADE)
    above: float = setting(0.005, "toes lower than heels by so much point at the camera", source=_MADE)
    most: float = setting(
        0.045,
        "toes lower than that hang, or the body lies",
        source="a detector that believes in a back says 0.035 at most; set after two false hits on filmed clips",
    )
    shank: float = setting(0.12, "shanks that stand so high are no kneeling ones", source="judgement: half a shank")
    trunk: float = setting(0.15, "trunks that stand so high are no planks", source="judgement: half a trunk")
    level: float = setting(0.05, "ankles so near in height stand side by side", source="judgement")
    min_score: float = setting(0.5, "feet of a lower score aren't asked", source="judgement")
    share: float = setting(0.75, "share of a span's telling frames that must speak against it", source=_MADE)
    least_s: float = setting(0.5, "and their time", unit="s", source="set after two false hits on filmed clips")
    gap_s: float = setting(
        0.25, "a shorter hole between frames that say back is part of the span", unit="s", source="judgement"
    )


TOES = ToeSettings()


def turn_to_toes(track: KeypointTrack, settings: ToeSettings = TOES) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """Exchange left and right over spans in which the labels say back and the toes say front.

    Only planted feet tell: hanging, kneeling or on their toes, people show toes below the heels from behind, too.

    Args:
        track: keypoints of a layout with heels and toes; others are given back as they are.
        settings: thresholds.

    Returns:
        The track (the same object if nothing was exchanged) and the spans; their gain is the toes' mean height below
        the heels, in hundredths of the body's height.
    """
    found = facing(track, settings)
    if found is None:
        return track, ()
    width, toes = found
    state, swaps = np.zeros(len(track), bool), []
    step_s = np.diff(track.time_s, append=track.time_s[-1] + float(np.median(np.diff(track.time_s))))
    for first, last in spans(width, track.time_s, settings):
        run = slice(first, last + 1)
        tells = np.abs(toes[run]) >= settings.above
        against = tells & (toes[run] > 0.0) & (toes[run] <= settings.most)
        if step_s[run][against].sum() < settings.least_s or against.sum() < settings.share * tells.sum():
            continue
        state[run] |= width[run] < 0.0
        times = float(track.time_s[first]), float(track.time_s[last])
        gain = 100.0 * float(toes[run][against].mean())
        swaps.append(Swap("body", *times, int(state[run].sum()), gain, repaired=True))
    if not swaps:
        return track, ()
    return exchanged(track, state), tuple(swaps)


def keep_to_toes(
    before: KeypointTrack, after: KeypointTrack, swaps: Sequence[Swap], settings: ToeSettings = TOES
) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """Take back repairs of the whole body after which the toes point the other way; planted feet only.

    Args:
        before: the track as it was.
        after: the repaired one, of the same frames.
        swaps: what was repaired.
        settings: thresholds.

    Returns:
        The track, and the swaps with those taken back marked as not repaired.
    """
    found = facing(after, settings)
    if after is before or found is None:
        return after, tuple(swaps)
    width, toes = found
    tells = (np.abs(toes) >= settings.above) & (np.abs(width) >= settings.wide)
    against = tells & (width * toes < 0.0)
    step_s = np.diff(after.time_s, append=after.time_s[-1] + float(np.median(np.diff(after.time_s))))
    kept, out = np.ones(len(after), bool), []
    for swap in swaps:
        span = (after.time_s >= swap.start_s) & (after.time_s <= swap.end_s)
        wrong = span & against
        enough = step_s[wrong].sum() >= settings.least_s and wrong.sum() >= settings.share * (span & tells).sum()
        if enough and swap.repaired and swap.group == "body":
            kept &= ~span
            swap = replace(swap, repaired=False)
        out.append(swap)
    if kept.all():
        return after, tuple(swaps)
    names = ("xy_px", "sigma_px", "score", "valid", "interpolated")
    fields = {name: np.where(_wide(kept, after, name), getattr(after, name), getattr(before, name)) for name in names}
    return replace(after, **fields), tuple(out)


def _wide(kept: Bool, track: KeypointTrack, name: str) -> Bool:
    """The mask (F,) with as many axes as a field of the track."""
    return kept.reshape(-1, *([1] * (getattr(track, name).ndim - 1)))


def exchanged(track: KeypointTrack, state: Bool) -> KeypointTrack:
    """A track with left and right exchanged in everything in the frames (F,) that are true."""
    order = np.where(state[:, None], track.layout.mirror, np.arange(len(track.layout)))
    rows = np.arange(len(track))[:, None]
    fields = {
        name: getattr(track, name)[rows, order] for name in ("xy_px", "sigma_px", "score", "valid", "interpolated")
    }
    return replace(track, **fields)


def facing(track: KeypointTrack, settings: ToeSettings = TOES) -> tuple[Float64, Float64] | None:
    """Signed width of shoulders and hips (F,), negative from behind, and height of heels over toes (F,).

    In body heights. NaN where it can't be told; the toes' also where the feet aren't planted or don't agree. None of a
    layout without heels or toes, or of less than two frames.
    """
    if not set(_NEEDED) <= set(track.layout.joints) or len(track) < 2:
        return None
    at = {name: track.layout.index(name) for name in _NEEDED}
    xy = np.where(track.valid[..., None], track.xy_px, np.nan).astype(np.float64)
    low = np.min(xy[..., 1], axis=1, initial=np.inf, where=track.valid)
    tall = np.max(xy[..., 1], axis=1, initial=-np.inf, where=track.valid) - low
    tall = np.where(tall > 0.0, tall, np.nan)

    def pair(part: str, axis: int) -> Float64:
        """(F, 2) left and right."""
        return np.asarray(xy[:, [at[f"left_{part}"], at[f"right_{part}"]], axis] / tall[:, None])

    shoulders, hips = (pair(part, 0) @ np.array([1.0, -1.0]) for part in ("shoulder", "hip"))
    width = np.where(shoulders * hips > 0.0, 0.5 * (shoulders + hips), 0.0)
    width = np.where(np.isfinite(shoulders + hips), width, np.nan)
    toes = pair("foot_index", 1) - pair("heel", 1)
    shoulder, hip, knee, ankle = (pair(part, 1) for part in ("shoulder", "hip", "knee", "ankle"))
    standing = ((hip - shoulder >= settings.trunk) & (ankle - knee >= settings.shank)).all(axis=1)
    level = np.abs(ankle[:, 0] - ankle[:, 1]) <= settings.level
    nose = xy[:, track.layout.index("nose"), 1] / tall
    hanging = (pair("wrist", 1) < nose[:, None]).all(axis=1)
    feet = [at[f"{side}_{part}"] for side in ("left", "right") for part in ("heel", "foot_index")]
    clear = (track.score[:, feet] >= settings.min_score).all(axis=1)
    planted = standing & level & ~hanging & clear & (toes[:, 0] * toes[:, 1] > 0.0)
    return width, np.where(planted, toes.mean(axis=1), np.nan)


def spans(width: Float64, time_s: Float64, settings: ToeSettings = TOES) -> list[tuple[int, int]]:
    """First and last rows of runs whose labels say back, short holes closed, from `facing`'s widths (F,)."""
    rows = np.flatnonzero(width < -settings.wide)
    if not len(rows):
        return []
    cut = np.flatnonzero(np.diff(time_s[rows]) > settings.gap_s)
    return [(int(part[0]), int(part[-1])) for part in np.split(rows, cut + 1)]
