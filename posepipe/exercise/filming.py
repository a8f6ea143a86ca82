"""From where an exercise is best filmed: the side of the body from which most of its rules can be judged."""

from __future__ import annotations

from posepipe.body.filming import Wanted
from posepipe.body.motion import LABELS
from posepipe.exercise.catalogue import Exercise

__all__ = ["best_views", "place", "wanted"]

PLACES = {
    "side": frozenset({"left", "right"}),
    "front": frozenset({"front"}),
    "back": frozenset({"back"}),
    "diagonal": frozenset({"front_left", "front_right"}),
    "behind": frozenset({"back_left", "back_right"}),
}
"""Where the phone stands, in words' order of preference, and what it then sees."""


def best_views(exercise: Exercise) -> frozenset[str]:
    """Of the views that show an exercise, those from which the most rules can be judged."""
    shown = [view for view in LABELS if view in exercise.views]
    judged = {view: sum(view in rule.views for rule in exercise.rules) for view in shown}
    return frozenset(view for view in shown if judged[view] == max(judged.values()))


def place(exercise: Exercise) -> str:
    """Where the phone goes: the first of `PLACES` whose views are all among the best; "any" where all are."""
    best = best_views(exercise)
    if best == frozenset(LABELS):
        return "any"
    return next((name for name, views in PLACES.items() if views <= best), "any")


def wanted(exercise: Exercise) -> Wanted:
    """What a film of an exercise has to show."""
    whole = Wanted().needs
    return Wanted(best_views(exercise), needs=(*whole, *(joint for joint in exercise.needs if joint not in whole)))
