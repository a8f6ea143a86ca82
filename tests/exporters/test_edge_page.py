"""The browser page's guard, ids and counter say what the pipeline's say. Needs Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from exporters.edge import bundle as bundle_module
from exporters.edge.bundle import page_facts
from posepipe.body.sides import SwapGuard
from posepipe.body.smooth import OneEuro
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.count import RepCounter
from posepipe.skeleton import BLAZEPOSE33, BODY21
from posepipe.tracking.tracker import Tracker
from posepipe.types import Keypoints

FPS_HZ = 30.0
_PROGRAM = """
import { readFileSync } from "node:fs";
import { Guard, Tracker } from "./people.js";
import { RepCounter } from "./coach.js";
import { OneEuro } from "./motion.js";
const { what, facts, frames } = JSON.parse(readFileSync(0));
const guard = new Guard(facts.guard), tracker = new Tracker(facts.tracker), euro = new OneEuro();
const counter = what === "count" ? new RepCounter(facts.exercise, facts.count) : null;
const said = frames.map(({ time, people, xyz }) => {
  if (what === "guard") { const { xy, sigma } = guard.step(time, people[0]); return { xy, sigma }; }
  if (what === "smooth") return euro.step(time, people[0].xy, people[0].sigma);
  if (what === "ids") return tracker.step(time, people);
  counter.step(time, xyz);
  return counter.cycles.map((cycle) => [cycle.start, cycle.turn, cycle.end, cycle.side]);
});
console.log(JSON.stringify(said));
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    folder = tmp_path_factory.mktemp("page")
    for path in (Path(bundle_module.__file__).parent / "web_page").glob("*.js"):
        shutil.copyfile(path, folder / path.name)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "try.js").write_text(_PROGRAM, encoding="utf-8")
    return folder


def _said(page: Path, what: str, frames: list[dict[str, Any]], **facts: Any) -> list[Any]:
    given = json.dumps({"what": what, "facts": page_facts() | facts, "frames": frames})
    done = subprocess.run(["node", "try.js"], cwd=page, input=given, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def _walker(rng: np.random.Generator, frames: int, x_px: float, step_px: float) -> NDArray[np.float32]:
    """(F, 33, 2) somebody whose left and right swing against each other, and who goes sideways."""
    side = np.array([(1 if "left" in n else -1 if "right" in n else 0) for n in BLAZEPOSE33.joints], np.float64)
    place = rng.normal(0, 20, (33, 2)) + np.linspace(0, 300, 33)[:, None] * [0, 1]
    t = np.arange(frames) / FPS_HZ
    swing = 12 * np.sin(2 * np.pi * 0.9 * t)[:, None] * side
    xy = np.repeat(place[None], frames, 0)
    xy[..., 0] += x_px + step_px * np.arange(frames)[:, None] + swing + 18 * side
    return (xy + rng.normal(0, 0.8, xy.shape)).astype(np.float32)


def _keypoints(xy: NDArray[np.float32], sigma: NDArray[np.float32]) -> Keypoints:
    return Keypoints(BLAZEPOSE33, xy, sigma, np.full(33, 0.9, np.float32), 0.9)


def _json(people: list[Keypoints]) -> list[dict[str, Any]]:
    return [{"xy": p.xy_px.tolist(), "sigma": p.sigma_px.tolist(), "score": p.score.tolist()} for p in people]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_guard_exchanges_the_same(page: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = _walker(rng, 150, 200.0, 1.0)
    sigma = rng.uniform(1.0, 2.0, (150, 33)).astype(np.float32)
    mirror = BLAZEPOSE33.mirror
    legs = np.array([any(part in n for part in ("hip", "knee", "ankle", "heel", "foot")) for n in BLAZEPOSE33.joints])
    swapped = np.where(legs, mirror, np.arange(33)) if seed else mirror
    xy[60:75], sigma[60:75] = xy[60:75][:, swapped], sigma[60:75][:, swapped]
    # A hole, after which it begins anew.
    keep = [i for i in range(150) if not 110 <= i < 130]
    guard = SwapGuard()
    wanted = [guard.step(i / FPS_HZ, _keypoints(xy[i], sigma[i])) for i in keep]
    frames = [{"time": i / FPS_HZ, "people": _json([_keypoints(xy[i], sigma[i])])} for i in keep]
    said = _said(page, "guard", frames)
    changed = 0
    for i, ours, theirs in zip(keep, wanted, said, strict=True):
        np.testing.assert_allclose(theirs["xy"], ours.xy_px, atol=1e-3)
        np.testing.assert_allclose(theirs["sigma"], ours.sigma_px, rtol=1e-5)
        changed += not np.array_equal(ours.xy_px, xy[i])
    assert changed > 5


def test_smoothing_is_the_same(page: Path) -> None:
    rng = np.random.default_rng(5)
    xy, sigma = _walker(rng, 60, 100.0, 4.0), rng.uniform(0.5, 4.0, (60, 33)).astype(np.float32)
    euro, keep = OneEuro(), [i for i in range(60) if not 30 <= i < 50]
    wanted = [euro.step(i / FPS_HZ, xy[i], sigma[i]) for i in keep]
    said = _said(page, "smooth", [{"time": i / FPS_HZ, "people": _json([_keypoints(xy[i], sigma[i])])} for i in keep])
    for (value, spread), theirs in zip(wanted, said, strict=True):
        np.testing.assert_allclose(theirs["value"], value, rtol=1e-5)
        np.testing.assert_allclose(theirs["sigma"], spread, rtol=1e-4)


def test_ids_are_the_same(page: Path) -> None:
    rng = np.random.default_rng(3)
    one, other = _walker(rng, 90, 100.0, 6.0), _walker(rng, 90, 640.0, -6.0)
    sigma = np.full(33, 1.5, np.float32)
    tracker, frames, wanted = Tracker(), [], []
    for i in range(90):
        people = [_keypoints(xy, sigma) for xy in (one[i], other[i])]
        # One comes later, one is lost for a moment, and their order changes.
        people = people[: 1 if i < 10 else 2] if not 30 <= i < 38 else people[1:]
        people = people[::-1] if i % 7 == 0 else people
        wanted.append(list(tracker.step(i / FPS_HZ, people)))
        frames.append({"time": i / FPS_HZ, "people": _json(people)})
    assert {i for ids in wanted for i in ids} == {1, 2}
    assert _said(page, "ids", frames) == wanted


@pytest.mark.parametrize("name", ["squat", "bicep_curl", "lateral_raise", "sit_up"])
def test_the_counter_counts_the_same(page: Path, name: str) -> None:
    exercise, facts = load_catalogue()[name], page_facts()
    page_exercise = facts["recogniser"]["exercises"][name]
    rng = np.random.default_rng(4)
    t = np.arange(0, 30, 1 / FPS_HZ)
    # Repetitions of several sizes, a tremble, a rest; left and right a little apart.
    out = np.clip(np.sin(2 * np.pi * 0.3 * t) - 0.2, 0, 1) * (110 + 25 * np.sin(0.7 * t)) * ((t < 12) | (t > 15))
    bend = np.stack([out, np.roll(out, 6)], axis=1) + rng.normal(0, 1.0, (len(t), 2)) + 15
    if exercise.start == "high":
        bend = 170 - bend
    counter, frames, wanted = RepCounter(exercise), [], []
    for time_s, deg in zip(t.tolist(), bend, strict=True):
        counter.step(time_s, deg)
        wanted.append([[c.start_s, c.turn_s, c.end_s, c.side] for c in counter.cycles])
        frames.append({"time": time_s, "xyz": _bent(page_exercise, deg)})
    said = _said(page, "count", frames, exercise=page_exercise)
    assert len(wanted[-1]) >= 5
    for ours, theirs in zip(wanted, said, strict=True):
        assert [one[3] for one in theirs] == [one[3] for one in ours]
        np.testing.assert_allclose([one[:3] for one in theirs], [one[:3] for one in ours], atol=1e-6)


def _bent(exercise: dict[str, Any], deg: NDArray[np.float64]) -> list[list[float]]:
    """A body whose two triples of joints show these angles; the other joints are anywhere."""
    xyz = np.zeros((len(BODY21.joints), 3))
    for (a, b, c), angle in zip(exercise["triples"], deg, strict=True):
        inner = np.radians(angle if exercise["flip"] else 180.0 - angle)
        xyz[b] = 0.0
        xyz[a], xyz[c] = [1.0, 0.0, 0.0], [np.cos(inner), np.sin(inner), 0.0]
    return [[float(v) for v in row] for row in xyz]
