"""Gravity and floor frame by frame: they come to what the whole clip tells, at a bounded cost."""

from __future__ import annotations

import numpy as np
import pytest

from posepipe.body import world_live
from posepipe.body.world import find_world
from posepipe.body.world_live import LiveRoom, LiveWorld
from posepipe.lab.people.filmed import draw_clip
from posepipe.types import PoseTrack

from .test_world import Seen, filmed

NAMES = ("time_s", "xyz_m", "sigma_m", "root_m", "root_sigma_m", "valid", "interpolated")


def frame(given: Seen, index: int, later_s: float = 0.0) -> tuple[PoseTrack, world_live.Rays]:
    pose, rays, _ = given
    part = slice(index, index + 1)
    one = PoseTrack(pose.layout, *(getattr(pose, name)[part] for name in NAMES))
    return PoseTrack(one.layout, one.time_s + later_s, *(getattr(one, name) for name in NAMES[1:])), rays.part(part)


def watched(given: Seen, times: int = 1) -> list[LiveRoom | None]:
    """What is known after each frame of a clip that is shown again and again."""
    live, out = LiveWorld(given[2]), []
    for round_ in range(times):
        later_s = round_ * (given[0].time_s[-1] + 1.0 / 30.0)
        out += [live.step(*frame(given, index, later_s)) for index in range(len(given[0]))]
    return out


@pytest.mark.parametrize("move", ["walk towards", "walk turn", "squat", "jumping_jack"])
def test_it_comes_to_what_the_clip_tells(move: str) -> None:
    given = filmed(draw_clip(move, 8))
    whole, rooms = find_world(*given), watched(given, 3)
    assert whole.knows("floor")
    known = [index for index, room in enumerate(rooms) if room is not None]
    assert given[0].time_s[known[0] % len(given[0])] + 1e-6 >= 2.0 and known[0] < 80
    last = rooms[-1]
    assert last is not None and known == list(range(known[0], len(rooms)))
    assert np.degrees(np.arccos(np.clip(last.up @ whole.up, -1.0, 1.0))) < 2.0
    assert last.camera_m == pytest.approx(whole.camera_m, abs=max(0.15, whole.camera_sigma_m))
    np.testing.assert_allclose(last.place(given[0].root_m[-1])[2], whole.root_m[-1, 2], atol=0.2)


def test_its_cost_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    given = filmed(draw_clip("squat", 8))
    sizes: list[int] = []

    def counted(pose: PoseTrack, *rest: object, **options: float) -> object:
        sizes.append(len(pose))
        return find_world(pose, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(world_live, "find_world", counted)
    frames = len(watched(given, 10))
    assert len(sizes) >= 4 and max(sizes) <= 8 * 15 + 1
    # Half a millisecond for each that is solved: 0.3 ms for each that is seen.
    assert 0.5 * sum(sizes) / frames < 0.3


def test_nothing_is_known_of_who_is_not_seen() -> None:
    pose, rays, lens = filmed(draw_clip("squat", 8))
    lost = rays._replace(valid=np.zeros_like(rays.valid))
    assert watched((pose, lost, lens))[-1] is None


def test_rooms_are_averaged_by_what_they_know() -> None:
    up = np.array([0.0, -1.0, 0.0])
    sure, vague = LiveRoom(up, np.array([1.0, 1.0]), 1.4, 0.1), LiveRoom(up, np.array([4.0, 4.0]), 2.0, 0.4)
    mean = world_live._average([sure, vague])
    assert 1.4 < mean.camera_m < 1.45 and 0.1 < mean.camera_sigma_m < 0.2
    np.testing.assert_allclose(mean.up, up)
    floorless = world_live._average([LiveRoom(up, np.array([1.0, 1.0]), np.nan, np.nan)])
    assert np.isnan(floorless.camera_m) and floorless.place(np.array([1.0, 2.0, 3.0])) == pytest.approx([1, 3, -2])
