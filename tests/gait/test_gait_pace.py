"""Stride time from all events at once: events that are missing, misplaced, invented, or of the other foot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from posepipe.gait.pace import pace_of
from posepipe.gait.types import HEEL_STRIKE, SIDES, TOE_OFF, Event, Pass, Walk

_STRIDE_S = 1.2


def _even(strikes: int, *, late: float = 0.0, stride_s: float = _STRIDE_S, offs: bool = True) -> list[Event]:
    """A walk from 0.5 s on; the right foot comes later by a share of the stride."""
    out = []
    for i in range(strikes):
        time_s = 0.5 + stride_s * (0.5 * i + late * (i % 2))
        out.append(Event(time_s, 0.02, SIDES[i % 2], HEEL_STRIKE, 1.0))
        if offs:
            out.append(Event(time_s + 0.64 * stride_s, 0.02, SIDES[i % 2], TOE_OFF, 1.0))
    return sorted(out, key=lambda e: e.time_s)


def _walk(events: Sequence[Event], stride_s: float = _STRIDE_S) -> Walk:
    return Walk((Pass(0.0, 60.0, 1, "overground", "side", 90.0, stride_s=stride_s),), tuple(events))


def _stride(events: Sequence[Event]) -> float:
    found = pace_of(_walk(events))
    assert found is not None
    assert found.sigma > 0.0
    return found.value


def _exchanged(event: Event) -> Event:
    return replace(event, side="left" if event.side == "right" else "right")


@pytest.mark.parametrize("late", [0.0, 0.1, -0.1])
@pytest.mark.parametrize("strikes", [4, 5, 8])
def test_a_limp_has_the_pace_of_its_strides(strikes: int, late: float) -> None:
    assert _stride(_even(strikes, late=late)) == pytest.approx(_STRIDE_S, rel=0.01)
    assert _stride(_even(strikes, late=late, offs=False)) == pytest.approx(_STRIDE_S, rel=0.02)


def test_one_strike_at_the_edge_doesnt_decide() -> None:
    """Between first and last strike the pace would be 5 % off."""
    events = _even(5)
    last = max(i for i, e in enumerate(events) if e.type == HEEL_STRIKE)
    for away_s in (-0.12, 0.12, 0.2):
        moved = [replace(e, time_s=e.time_s + away_s) if i == last else e for i, e in enumerate(events)]
        assert _stride(moved) == pytest.approx(_STRIDE_S, rel=0.025)


def test_a_strike_that_is_missing_or_invented() -> None:
    events = _even(6)
    middle = [i for i, e in enumerate(events) if e.type == HEEL_STRIKE][2]
    assert _stride([e for i, e in enumerate(events) if i != middle]) == pytest.approx(_STRIDE_S, rel=0.01)
    more = Event(events[-1].time_s + 0.25, 0.03, "right", HEEL_STRIKE, 1.0)
    assert _stride([*events, more]) == pytest.approx(_STRIDE_S, rel=0.015)


def test_legs_that_are_exchanged_from_some_moment_on() -> None:
    events = _even(7)
    half = [_exchanged(e) if e.time_s > 2.45 else e for e in events]
    assert _stride(half) == pytest.approx(_STRIDE_S, rel=0.02)
    assert _stride([_exchanged(e) for e in events]) == pytest.approx(_stride(events), rel=1e-3)
    # The left strike at 1.7 is missed, too.
    missed = [Event(t, 0.01, SIDES[i % 2], HEEL_STRIKE, 1.0) for i, t in enumerate((0.5, 1.1, 2.3, 2.9, 3.5))]
    assert _stride(missed) == pytest.approx(_STRIDE_S, rel=0.02)


def test_a_doubtful_strike_between_is_no_loss() -> None:
    times = np.cumsum([0.3, 0.6, 0.4, 0.6, 0.4, 0.6])
    events = [Event(float(t), 0.01, SIDES[i % 2], HEEL_STRIKE, 0.4 if i == 2 else 1.0) for i, t in enumerate(times)]
    for mine in (events, [*events, replace(events[0], time_s=6.3), replace(events[1], time_s=6.9)]):
        found = pace_of(_walk(mine, 1.0))
        assert found is not None
        assert found.value == pytest.approx(1.0, rel=0.01)


def test_two_paces_have_no_one_pace() -> None:
    fast, slow = _even(9, stride_s=1.0), _even(9, stride_s=1.4)
    later = [replace(e, time_s=e.time_s + 20.0) for e in slow]
    passes = tuple(
        Pass(start, start + 15.0, 1, "overground", "side", 90.0, stride_s=s) for start, s in ((0.0, 1.0), (20.0, 1.4))
    )
    both = pace_of(Walk(passes, (*fast, *later)))
    one = pace_of(Walk(passes[:1], tuple(fast)))
    assert both is not None
    assert one is not None
    assert both.value - 1.645 * both.sigma < 1.05
    assert both.value + 1.645 * both.sigma > 1.35
    assert one.sigma < 0.02


def test_too_few_steps_tell_no_pace() -> None:
    assert pace_of(_walk(_even(3))) is None
    assert pace_of(_walk([e for e in _even(8) if e.side == "left"])) is None
    assert pace_of(Walk()) is None


def test_fewer_steps_are_less_sure() -> None:
    sigmas = []
    for strikes in (4, 6, 10):
        found = pace_of(_walk(_even(strikes)))
        assert found is not None
        sigmas.append(found.sigma)
    assert sigmas[0] > sigmas[1] > sigmas[2]


def test_the_interval_holds_nine_of_ten() -> None:
    """Strides that vary by 2 %, events read to 25 ms, every fifth end strike off by an eighth of a second."""
    rng = np.random.default_rng(0)
    inside, near = [], []
    for _ in range(150):
        gaps = 0.5 * _STRIDE_S * (1.0 + 0.03 * rng.standard_normal(int(rng.integers(4, 9))))
        strikes = 0.5 + np.cumsum(gaps)
        true = float(np.mean(strikes[2:] - strikes[:-2]))
        seen = strikes + 0.025 * rng.standard_normal(len(strikes))
        seen[-1] += rng.choice([0.0, 0.125], p=[0.8, 0.2])
        events = [Event(t, 0.02, SIDES[i % 2], HEEL_STRIKE, 1.0) for i, t in enumerate(seen)]
        offs = strikes + 0.62 * _STRIDE_S + 0.03 * rng.standard_normal(len(strikes))
        events += [Event(t, 0.02, SIDES[i % 2], TOE_OFF, 1.0) for i, t in enumerate(offs)]
        found = pace_of(_walk(sorted(events, key=lambda e: e.time_s), true * (1.0 + 0.03 * rng.standard_normal())))
        assert found is not None
        inside.append(abs(found.value - true) < 1.645 * found.sigma)
        near.append(abs(found.value / true - 1.0) < 0.03)
    assert 0.86 < np.mean(inside) <= 1.0
    assert np.mean(near) > 0.9


def test_a_step_that_hides_a_strike_isnt_a_limp_where_the_legs_passing_is_wrong_too() -> None:
    """A filmed walk of 1.17 s in which one strike and one passing were missed read as a limp of 1.75 s."""
    sides = ("left", "right", "left", "right")
    events = [
        Event(t, 0.02, side, HEEL_STRIKE, 1.0)  # type: ignore[arg-type]
        for t, side in zip((1.46, 2.04, 3.23, 3.70), sides, strict=True)
    ]
    assert pace_of(_walk(events, 1.75)) is None
    assert pace_of(_walk(events, 1.17)) is not None
