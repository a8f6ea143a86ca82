"""Left and right of one track, in the order in which they are settled."""

from __future__ import annotations

from dataclasses import replace

from posepipe.body.lift import Lifter
from posepipe.body.sides import repair_swaps, settle_sides
from posepipe.body.toes import keep_to_toes, turn_to_toes
from posepipe.body.turning import turn_back, turn_to_walk
from posepipe.types import Camera, KeypointTrack, Swap

__all__ = ["in_order"]


def in_order(track: KeypointTrack, lifter: Lifter, camera: Camera) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """A track with left and right exchanged where the detector had them swapped.

    First the whole body: turns that nobody makes, toes of planted feet, the way people walk. Then arms and legs by how
    they move, and last, where the lifter clearly has less doubt, whatever is left.

    Args:
        track: keypoints as detected.
        lifter: whose sigma decides at last.
        camera: that filmed them.

    Returns:
        The track (the same object if nothing was exchanged), and the spans, with those that weren't repaired.
    """
    steadied, sudden = turn_back(track)
    planted, toes = turn_to_toes(steadied)
    walked, steps = turn_to_walk(planted)
    if any(not swap.repaired for swap in sudden):
        # Which half is right can't be told, and what is repaired after one of them may be wrong throughout.
        return walked, (*sudden, *toes, *steps)
    repaired, swaps = keep_to_toes(walked, *repair_swaps(walked))
    told = (*(_with_its_like(swap) for swap in sudden), *toes, *steps)
    settled, doubted = settle_sides(repaired, lifter, camera, told=told)
    return settled, (*sudden, *toes, *steps, *swaps, *doubted)


def _with_its_like(swap: Swap) -> Swap:
    """A turn taken back with what lasted longer on both sides of it, on which that stands."""
    lasted_s = swap.end_s - swap.start_s
    return replace(swap, start_s=swap.start_s - lasted_s, end_s=swap.end_s + lasted_s)
