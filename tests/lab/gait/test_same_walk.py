"""The same walk, changed harmlessly: what is changed, and what is compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError, UsageError
from posepipe.gait.types import Abnormal, GaitResult, Parameters, Value
from posepipe.lab.gait import same
from posepipe.lab.gait.same import (
    CHANGES,
    _metrics,
    changed_film,
    differences,
    evaluate_same,
    verdict_of,
    walking_clips,
)
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.reasons import Reason
from posepipe.record.recording import Recording
from posepipe.skeleton import BLAZEPOSE33
from posepipe.types import KeypointTrack
from tests.gait.walks import recording_of, straight_motion

WIDTH, HEIGHT, FRAMES, RATE_HZ = 320, 240, 30, 30.0


def _track() -> KeypointTrack:
    """Hips that go from left to right."""
    xy = np.full((FRAMES, len(BLAZEPOSE33), 2), 100.0, np.float32)
    xy[..., 0] = np.linspace(40.0, 280.0, FRAMES)[:, None]
    flags = np.ones(xy.shape[:2], dtype=bool)
    return KeypointTrack(
        person=1,
        layout=BLAZEPOSE33,
        frame=np.arange(FRAMES, dtype=np.int32),
        time_s=np.arange(FRAMES) / RATE_HZ,
        xy_px=xy,
        sigma_px=np.ones(flags.shape, np.float32),
        score=np.ones(flags.shape, np.float32),
        valid=flags,
        interpolated=~flags,
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright bar that goes along with the hips."""
    path = tmp_path_factory.mktemp("same") / "clip.mp4"
    with VideoWriter(path, WIDTH, HEIGHT, RATE_HZ, crf=10) as writer:
        for number, x in enumerate(np.linspace(40.0, 280.0, FRAMES)):
            image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
            image[60:180, int(x) - 8 : int(x) + 8] = 230
            writer.write(image, number / RATE_HZ)
    return path


def _bar(image: np.ndarray) -> float:
    """Where the bright bar is, as a share of the width."""
    bright = image[image.shape[0] // 2, :, 0] > 130
    return float(np.flatnonzero(bright).mean()) / image.shape[1]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_every_change_makes_a_film_of_the_same_length(change: object, clip: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    changed_film(clip, film, change, _track())  # type: ignore[arg-type]
    with open_source(film) as source:
        frames = [(frame.time_s, frame.image) for frame in source]
    assert abs(frames[-1][0] - (FRAMES - 1) / RATE_HZ) < 0.11
    name = change.name  # type: ignore[attr-defined]
    rate = {"10 pictures a second": 10, "15 pictures a second": 15}.get(name, FRAMES)
    assert abs(len(frames) - rate) <= 1
    first, last = _bar(frames[0][1]), _bar(frames[-1][1])
    if name == "mirrored":
        assert first > 0.8 > 0.2 > last
    elif name == "followed":
        assert frames[0][1].shape[1] < 0.7 * WIDTH
        middle = [_bar(image) for _, image in frames[10:20]]
        assert np.ptp(middle) < 0.15
    else:
        assert first < 0.25 < 0.75 < last
    if name == "240 lines":
        assert frames[0][1].shape[:2] == (240, 320)
    if name == "shaken":
        rows = [float(np.flatnonzero(image[:, :, 0].max(axis=1) > 130).mean()) for _, image in frames]
        assert np.std(rows) > 0.5


def _result(left: float, right: float, sigma: float = 1.0) -> GaitResult:
    items = {
        "cadence_spm": Value(100.0, sigma),
        "stance_pct": {"left": Value(left, sigma), "right": Value(right, sigma)},
        "walking_speed_mps": Reason.SCALE_ASSUMED,
        "symmetry": {"stance_pct": Value(1.0, 0.1)},
    }
    answer = Abnormal(0.8, 0.1, "abnormal", "unspecified", 0.5, ())
    return GaitResult(
        parameters=Parameters({"left": 2, "right": 2}, items), deviation=Reason.WRONG_VIEW, abnormal=answer
    )


def test_a_mirror_exchanges_the_sides_of_the_numbers() -> None:
    away = differences(_result(60.0, 64.0), _result(64.0, 60.0), mirrored=True)
    assert away == {"cadence_spm": 0.0, "stance_pct_left": 0.0, "stance_pct_right": 0.0}
    plain = differences(_result(60.0, 64.0), _result(64.0, 60.0))
    assert plain["stance_pct_left"] == pytest.approx(4.0 / 2**0.5)


def test_what_is_counted() -> None:
    rows = [
        {"clip": "a", "change": "crf 40", "away": {"x": 0.1, "y": -3.0}, "verdict": "normal", "changed": "abnormal"},
        {"clip": "a", "change": "shaken", "away": {}, "verdict": "normal", "changed": "not_walking"},
    ]
    for row, width in zip(rows, (2.0, 4.0), strict=True):
        row["widths"] = {"cadence_spm": width, "stance_pct_left": width}
    found = _metrics(rows)
    assert found["half_width_90_cadence_spm"] == found["half_width_90_stance_pct"] == 3.0
    assert found["outside_90_pct"] == 50.0
    assert (found["judged_both"], found["verdicts_opposite"], found["judged_one_only"]) == (1.0, 1.0, 1.0)
    assert verdict_of(_result(60.0, 60.0)) == "abnormal"
    assert verdict_of(GaitResult(withheld=Reason.NOT_WALKING)) == "not_walking"


def test_what_was_seen_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk, steps = recording_of(straight_motion(11)), []

    def see(_: object, film: Path) -> Recording:
        steps.append(film.name)
        return walk

    monkeypatch.setattr(same._Eyes, "see", see)
    monkeypatch.setattr(same, "changed_film", lambda *_: None)
    (tmp_path / "clip.mp4").touch()
    for _ in range(2):
        found = evaluate_same(tmp_path, only=["240 lines"], results=tmp_path / "seen")
        assert found["metrics"]["outside_90_pct"] == 0.0
        assert found["metrics"]["differences"] > 5.0
    assert steps == ["clip.mp4", "film.mp4"]  # Once each, not twice.
    with pytest.raises(UsageError, match="sideways"):
        evaluate_same(tmp_path, only=["sideways"])
    assert not evaluate_same(tmp_path, limit_s=-1.0)["rows"]


def test_which_clips(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no walking clip"):
        walking_clips(tmp_path)
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in walking_clips(tmp_path)] == ["a.mp4", "b.mp4"]
    (tmp_path / "videos.csv").write_text("file,category\na.mp4,gait\nb.mp4,exercise\n", encoding="utf-8")
    assert [path.name for path in walking_clips(tmp_path)] == ["a.mp4"]
    with pytest.raises(InputError):
        walking_clips(tmp_path, ["b*"])
