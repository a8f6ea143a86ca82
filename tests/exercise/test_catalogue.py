"""The catalogue: ours is sound, a coach can add to it, and mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from exercise_kit import filmed, take_of

from posepipe.errors import UsageError
from posepipe.exercise.analyse import bouts
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.count import count_exercise
from posepipe.exercise.form import describe
from posepipe.exercise.labels import EXERCISES
from posepipe.exercise.recognise import Segment

DOCS = Path(__file__).resolve().parents[2] / "docs" / "adding-an-exercise.md"

GOOD = """
heel_squat:
  words: heel squat
  signal: knee_flexion
  min_range_deg: 40
  rules:
    - code: very_shallow
      measure: knee_flexion
      at: turn
      below_deg: 179
      say: Lower.
      source: made up for this test
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_exercise_has_an_entry() -> None:
    catalogue = load_catalogue()
    assert set(EXERCISES) <= set(catalogue.exercises)
    for exercise in catalogue.exercises.values():
        assert len({rule.code for rule in exercise.rules}) == len(exercise.rules)
        assert all(rule.source and rule.say.endswith(".") for rule in exercise.rules)


def test_the_document_s_example_works(tmp_path: Path) -> None:
    """A coach adds an exercise with the text of docs/adding-an-exercise.md, without touching Python."""
    text = DOCS.read_text(encoding="utf-8")
    example = text.split("```yaml\n", 1)[1].split("```", 1)[0]
    catalogue = load_catalogue(_write(tmp_path, example))
    (name,) = set(catalogue.exercises) - set(load_catalogue().exercises)
    take = take_of("squat", 21, reps=3)
    _, motion = filmed(take, noise_m=0.005)
    assert len(count_exercise(motion, catalogue[name])) == 3


def test_added_rule_is_judged(tmp_path: Path) -> None:
    catalogue = load_catalogue(_write(tmp_path, GOOD))
    take = take_of("squat", 22, reps=3)
    _, motion = filmed(take, noise_m=0.005)
    found = [Segment("heel_squat", 0.9, *take.set_bounds)]
    (bout,) = bouts(motion, found, catalogue)
    assert len(bout.reps) == 3
    assert all(rep.faults == ("very_shallow",) for rep in bout.reps)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("signal: knee_flexion", "signal: knee_flexoin", "Did you mean 'knee_flexion'?"),
        ("min_range_deg: 40", "min_rang_deg: 40", "Did you mean 'min_range_deg'?"),
        ("min_range_deg: 40", "min_range_deg: far", "heel_squat.min_range_deg: expected a number"),
        ("at: turn", "at: bottom", "heel_squat.rules[1].at: unknown value 'bottom'"),
        ("below_deg: 179", "below_deg: 179\n      above_deg: 3", "expected one of below_deg and above_deg"),
        ("words: heel squat", "words: ''", "key 'words' is missing"),
        ("      source: made up for this test", "", "key 'source' is missing"),
        ("words: heel squat", "words: [heel squat", "not valid YAML"),
        ("words: heel squat", "words: !!bool squat", "not valid YAML"),
        ("words: heel squat", "words: " + "[" * 5000, "not valid YAML"),
        ("signal: knee_flexion", "signal: [knee_flexion]", "unknown value ['knee_flexion']"),
        ("min_range_deg: 40", "posture: {knee_flexion: [45, 140]}", "only a hold has one"),
        ("min_range_deg: 40", "counted: false\n  posture: {knee: [45, 140]}", "posture: unknown value 'knee'"),
        ("min_range_deg: 40", "counted: false\n  posture: {hip_bend: [45, 5]}", "posture.hip_bend: expected least and"),
        ("min_range_deg: 40", "counted: false\n  posture: 45", "expected measures and their two angles"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = _write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_catalogue(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_and_unknown_exercise(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't read it"):
        load_catalogue(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="Did you mean 'squat'"):
        load_catalogue()["squad"]


def test_ranges_are_measured_with_a_sigma() -> None:
    take = take_of("squat", 23, reps=3)
    _, motion = filmed(take, noise_m=0.006)
    squat = load_catalogue()["squat"]
    reps = describe(motion, squat, count_exercise(motion, squat))
    assert all(40 < rep.rom_deg < 150 and 0 < rep.rom_sigma_deg < 20 for rep in reps)
    assert all(abs(sum(rep.tempo_s) - (rep.end_s - rep.start_s)) < 1e-9 for rep in reps)
