"""One person's exercise from beginning to end: what, how many, how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from posepipe.body.motion import Motion
from posepipe.exercise.catalogue import MIN_RANGE_DEG, Catalogue, Exercise, load_catalogue
from posepipe.exercise.count import Counted, count_exercise
from posepipe.exercise.features import WINDOW_S
from posepipe.exercise.form import FORM, MOVEMENTS, QualityModel, beyond_doubt, consistency, describe
from posepipe.exercise.hold import held
from posepipe.exercise.labels import OTHER, WALKING
from posepipe.exercise.recognise import Segment, WindowScores, longest, segments
from posepipe.exercise.repeats import REPEAT, Repeats, count_any, find_repeats
from posepipe.exercise.signal import POSE_JOINTS, difference_sigma, measure, resampled
from posepipe.exercise.types import SCORE, Bout, Consistency, ExerciseResult, Rejected, Repetition
from posepipe.reasons import Reason
from posepipe.settings import setting

__all__ = ["Recognises", "analyse_exercise", "bouts", "clip_label", "result_of"]

_MADE = "chosen on 258 synthetic sets in no pool (seed 951 of `posepipe.lab.counter.measure.made_clips`)"
_MOVED = ("knee_flexion", "hip_bend", "arm_raise", "elbow_flexion")
"""What a repetition bends, that somebody who holds a posture doesn't."""
_LEAST_SIGMA_DEG = 1e-3
"""Of an angle whose sigma isn't known."""
LEAST_S = 1.0
"""A shorter clip isn't analysed."""
_LEAST_REPS = 2
"""Repetitions that a set must have to be taken for one of another pace than it is filmed at."""
_SEEN_SHARE = 0.5
"""Where nothing was found and a joint was seen in a smaller share of the frames, that is the reason given."""


class Recognises(Protocol):
    """What `analyse_exercise` needs to know of a recogniser."""

    def probabilities(self, motion: Motion) -> WindowScores:
        """Probabilities of the labels over time."""
        ...


def analyse_exercise(
    motion: Motion, recogniser: Recognises | None, catalogue: Catalogue | None = None
) -> ExerciseResult:
    """What one person did.

    Args:
        motion: one person's movement.
        recogniser: names the movement; without one everything that repeats is counted as "other".
        catalogue: exercises known; posepipe's own if None.
    """
    if len(motion) < 4 or float(motion.time_s[-1] - motion.time_s[0]) < LEAST_S:
        return ExerciseResult(withheld=Reason.TOO_SHORT)
    catalogue = catalogue or load_catalogue()
    found = segments(recogniser.probabilities(motion)) if recogniser is not None else _whole(motion)
    done = bouts(motion, found, catalogue)
    if recogniser is not None:
        done = _well_paced(motion, found, done, recogniser, catalogue)
    if done:
        return result_of(scored(motion, done))
    if _only_walks(found):
        return ExerciseResult(withheld=Reason.NO_EXERCISE)
    if any(item.doubt is not None for item in found):
        return ExerciseResult(withheld=Reason.UNSURE_WHICH)
    if _mostly_unseen(motion):
        return ExerciseResult(withheld=Reason.JOINT_UNSEEN)
    return ExerciseResult(withheld=Reason.NO_EXERCISE)


def _mostly_unseen(motion: Motion) -> bool:
    """Whether a joint that exercises are told by is missing in most frames."""
    index = [motion.layout.joints.index(name) for name in POSE_JOINTS if name in motion.layout.joints]
    return len(index) < len(POSE_JOINTS) or bool((motion.valid[:, index].mean(axis=0) < _SEEN_SHARE).any())


@dataclass(frozen=True, slots=True)
class AnalyseSettings:
    """When the network that counts anything is believed more than the machine that knows the exercise."""

    many: float = setting(1.25, "times as many repetitions, and one more, that it must see", source=_MADE)
    few: float = setting(0.7, "times as many, and one less, that it must see at most", source=_MADE)
    surely: float = setting(
        0.8, "mean probability of its repetitions from which its count stands anyway, of two or more", source=_MADE
    )
    slow: float = setting(
        4.0, "where next to nothing or long repetitions are counted, the clip is looked at so much faster, too",
        source="the slow motion that `posepipe evaluate reps-same` makes",
    )  # fmt: skip
    fast: float = setting(
        0.5, "and where next to nothing or short ones are, so much faster: slower", source="as above, twice as fast"
    )
    long_s: float = setting(
        4.0, "median length of repetitions from which they may be slow motion", unit="s", source="judgement"
    )
    short_s: float = setting(
        1.0, "and under which they are too short for networks that look at two seconds or ten times a second", unit="s",
        source="of 40 synthetic sets at five paces counts hold from 1 to 5 s a repetition, and fall off under 0.9",
    )  # fmt: skip
    bridged_s: float = setting(
        2.0, "what lasts no longer between two stretches of one exercise doesn't part them", unit="s",
        source="the window that recognition looks at",
    )  # fmt: skip
    agreed: int = setting(
        2, "repetitions of which machine and network must count the same to name an exercise that is in doubt",
        source="one may agree by chance; names three stretches of 140 synthetic sets, rightly, none of 130 other takes",
    )  # fmt: skip
    misnamed: float = setting(
        1.0 / 3.0, "share of its repetitions under which what was named is another movement", source="judgement"
    )


ANALYSE = AnalyseSettings()


def bouts(
    motion: Motion, found: Sequence[Segment], catalogue: Catalogue, repeats: Repeats | None = None
) -> tuple[Bout, ...]:
    """Segments with their repetitions; without walking, and without other things that don't repeat.

    A named exercise is counted by the machine that knows it. Where the network that counts whatever repeats sees far
    more or far fewer, or is sure, the machine doesn't see the movement well, or the name is wrong, and the network's
    count stands. What repeats isn't held.

    Args:
        motion: one person's movement.
        found: its segments.
        catalogue: exercises known.
        repeats: what repeats in the motion; found where it is needed if None.
    """
    out = []
    for item in _bridged(found):
        span = (item.start_s, item.end_s)
        if item.label == WALKING or (item.label != OTHER and item.label not in catalogue):
            continue
        exercise = catalogue.get(item.label)
        repeats = repeats if repeats is not None else find_repeats(motion)
        paced = count_any(motion, span, steady=True, found=repeats)
        if exercise is None:
            if (likely := _told(motion, item, paced, catalogue)) is not None:
                out.append(likely)
            elif len(paced):
                out.append(Bout(OTHER, item.confidence, *span, _plain(paced)))
            continue
        if not exercise.counted and not _moves(motion, paced):
            out.append(Bout(item.label, item.confidence, *held(motion, span)))
            continue
        counted = count_exercise(motion, exercise, span)
        if _better_paced(len(counted), paced, repeats, motion, exercise):
            if len(counted) < ANALYSE.misnamed * len(paced):
                out.append(Bout(OTHER, item.confidence, *span, _plain(paced)))
                continue
            counted = Counted(paced.reps)
        reps, rejected = _sure(motion, exercise, span, counted)
        if not reps and len(paced) >= ANALYSE.agreed:
            # It repeats, and not as what it was named.
            out.append(Bout(OTHER, item.confidence, *span, _plain(paced), rejected))
            continue
        out.append(Bout(item.label, item.confidence, *span, reps, rejected))
    return tuple(out)


def _told(motion: Motion, item: Segment, paced: Counted, catalogue: Catalogue) -> Bout | None:
    """The bout of the likeliest exercise, where recognition is unsure which, but its repetitions tell.

    They do if the machine that knows the exercise and the network that knows none count the same number, each beyond
    doubt: a curve that stands for another exercise has its own swings.
    """
    name, confidence = item.likely
    exercise = catalogue.get(name)
    if item.doubt is None or exercise is None or len(paced) < ANALYSE.agreed:
        return None
    span = (item.start_s, item.end_s)
    reps, rejected = _sure(motion, exercise, span, count_exercise(motion, exercise, span))
    return Bout(name, confidence, *span, reps, rejected) if len(reps) == len(paced) else None


def _sure(
    motion: Motion, exercise: Exercise, span: tuple[float, float], counted: Counted
) -> tuple[tuple[Repetition, ...], tuple[Rejected, ...]]:
    """Repetitions that are real beyond doubt, and those turned down.

    Where the exercise's own measure leaves all of them in doubt, such as the knee of somebody whose feet are out of the
    picture, another one that shows the exercise may see them.
    """
    reps = describe(motion, exercise, counted)
    # Counted by another measure, the exercise's own isn't what a repetition was seen by.
    if counted.signal != exercise.signal:
        return reps, counted.rejected
    sure, doubtful = beyond_doubt(reps)
    if doubtful and not sure:
        for name in exercise.others:
            by = replace(exercise, signal=name, others=())
            seen = count_exercise(motion, by, span)
            real = len(beyond_doubt(describe(motion, by, seen))[0])
            if real:
                return describe(motion, exercise, Counted(seen.reps[:real])), seen.rejected
    return sure, tuple(sorted((*counted.rejected, *doubtful), key=lambda one: one.start_s))


def _bridged(found: Sequence[Segment]) -> list[Segment]:
    """Segments of one exercise with something short between them as one: a window that looks like something else."""
    out: list[Segment] = []
    for item in found:
        if len(out) > 1 and item.label == out[-2].label != OTHER and out[-1].duration_s <= ANALYSE.bridged_s:
            last = out[-2]
            whole_s = last.duration_s + item.duration_s
            mean = (last.confidence * last.duration_s + item.confidence * item.duration_s) / whole_s
            out[-2:] = [Segment(item.label, mean, last.start_s, item.end_s)]
        else:
            out.append(item)
    return out


def _moves(motion: Motion, paced: Counted) -> bool:
    """Whether what repeats bends some joint as far as a repetition does, and further than its own doubt.

    Who holds a posture sways, and a joint hidden under the body seems to move.
    """
    if not paced.reps:
        return False
    moments = np.array([(c.start_s, c.turn_s, c.end_s) for c in paced.reps])
    for name in _MOVED:
        seen = measure(motion, name)
        start, turn, end = (resampled(motion.time_s, seen.deg, at) for at in moments.T)
        rest_sigma, turn_sigma = (resampled(motion.time_s, seen.sigma_deg, at) for at in moments.T[:2])
        out = np.abs(turn - (start + end) / 2.0)
        # A doubt that isn't known doesn't speak against it.
        over = out / np.nan_to_num(difference_sigma(out, turn_sigma, rest_sigma), nan=_LEAST_SIGMA_DEG)
        for size, doubts in zip(out.T, over.T, strict=True):
            if np.isfinite(size).all() and np.median(size) >= MIN_RANGE_DEG and np.median(doubts) > FORM.real:
                return True
    return False


def _count(done: Sequence[Bout]) -> int:
    return sum(len(bout.reps) for bout in done)


def _only_walks(found: Sequence[Segment]) -> bool:
    return bool(found) and all(item.label == WALKING for item in found)


def _well_paced(
    motion: Motion, found: Sequence[Segment], done: tuple[Bout, ...], recogniser: Recognises, catalogue: Catalogue
) -> tuple[Bout, ...]:
    """What was done, looked at faster or slower where its repetitions are too long or too short to be seen well.

    Networks and machine know repetitions of one to five seconds. Longer ones fall to pieces for them, so a set seen
    faster may have fewer; of shorter ones some are missed. Where next to nothing is counted either may be why.
    What walks at its own pace isn't a set at another.
    """
    if _only_walks(found):
        return done
    lengths = [rep.end_s - rep.start_s for bout in done for rep in bout.reps]
    few = len(lengths) < _LEAST_REPS
    usual_s = float(np.median(lengths)) if lengths else float("nan")
    if few or usual_s >= ANALYSE.long_s:
        other = _at_pace(motion, ANALYSE.slow, found, recogniser, catalogue)
        if _count(other) > _count(done) or (not few and other):
            return other
    if few or usual_s < ANALYSE.short_s:
        other = _at_pace(motion, ANALYSE.fast, found, recogniser, catalogue)
        if _count(other) > _count(done):
            return other
    return done


def _at_pace(
    motion: Motion, pace: float, found: Sequence[Segment], recogniser: Recognises, catalogue: Catalogue
) -> tuple[Bout, ...]:
    """Sets that are surely done if all goes so many times as fast; none with fewer than two repetitions.

    A bout is sure whose name is, or whose repetitions the network that counts anything is sure of, unless somebody
    walks (of `found`, at the clip's own pace) for most of it.
    """
    if float(motion.time_s[-1] - motion.time_s[0]) < pace * WINDOW_S:
        return ()
    paced = replace(motion, time_s=motion.time_s / pace)
    repeats = find_repeats(paced)
    done = bouts(paced, segments(recogniser.probabilities(paced)), catalogue, repeats)
    sure = [bout for bout in done if bout.reps and _sure_of(bout, repeats)]
    sets = tuple(bout for bout in (_stretched(bout, pace) for bout in sure) if not _walked(bout, found))
    return sets if _count(sets) >= _LEAST_REPS else ()


def _walked(bout: Bout, found: Sequence[Segment]) -> bool:
    both_s = [min(bout.end_s, item.end_s) - max(bout.start_s, item.start_s) for item in found if item.label == WALKING]
    return sum(max(s, 0.0) for s in both_s) > 0.5 * (bout.end_s - bout.start_s)


def _sure_of(bout: Bout, repeats: Repeats) -> bool:
    if bout.label != OTHER and bout.confidence >= ANALYSE.surely:
        return True
    turn_s = repeats.time_s[repeats.cycle[:, 1]]
    mine = repeats.likeness[(turn_s >= bout.start_s) & (turn_s <= bout.end_s)]
    clear = mine[mine >= REPEAT.clear]
    return len(clear) > 0 and float(clear.mean()) >= ANALYSE.surely


def _stretched(bout: Bout, slower: float) -> Bout:
    """The same bout, slower."""

    def stretched(rep: Repetition) -> Repetition:
        out_s, back_s = rep.tempo_s
        return replace(
            rep,
            start_s=rep.start_s * slower,
            turn_s=rep.turn_s * slower,
            end_s=rep.end_s * slower,
            tempo_s=(out_s * slower, back_s * slower),
            speed_m_s=(rep.speed_m_s[0] / slower, rep.speed_m_s[1] / slower),
        )

    return replace(
        bout,
        start_s=bout.start_s * slower,
        end_s=bout.end_s * slower,
        reps=tuple(stretched(rep) for rep in bout.reps),
        rejected=tuple(
            replace(item, start_s=item.start_s * slower, end_s=item.end_s * slower) for item in bout.rejected
        ),
    )


def _better_paced(told: int, paced: Counted, repeats: Repeats, motion: Motion, exercise: Exercise) -> bool:
    """Whether the network's repetitions stand and not the machine's."""
    count = len(paced)
    if count > ANALYSE.many * told + 1 or 0 < count < ANALYSE.few * told - 1:
        return True
    turns = {cycle.turn_s for cycle in paced.reps}
    mine = np.array([turn_s in turns for turn_s in repeats.time_s[repeats.cycle[:, 1]].tolist()], bool)
    sure = count > 1 and float(repeats.likeness[mine].mean()) >= ANALYSE.surely
    return sure and _in_phase(motion, exercise, paced)


def _in_phase(motion: Motion, exercise: Exercise, paced: Counted) -> bool:
    """Whether the network's repetitions begin in the exercise's start posture; a clip cut at the turn begins there."""
    deg = measure(motion, exercise.signal).deg
    sides = np.isfinite(deg)
    known = sides.any(axis=1)
    if known.sum() < 2:
        return False
    curve = np.where(sides, deg, 0.0).sum(axis=1)[known] / sides.sum(axis=1)[known]
    moments = np.array([(c.start_s, c.turn_s, c.end_s) for c in paced.reps])
    start, turn, end = np.interp(moments, motion.time_s[known], curve).T
    out = turn - (start + end) / 2.0
    return bool(np.median(out if exercise.start == "low" else -out) > 0.0)


def clip_label(motion: Motion, found: Sequence[Segment], catalogue: Catalogue) -> str:
    """What a whole clip is of: the exercise done in it, or else what lasts longest.

    People walk up, stand, rest and leave, so an exercise needn't last longest. It is done if a repetition of it was
    counted, or if it is one that is held, and its seconds times confidence make a window at least; of several, the one
    with most of these.

    Args:
        motion: one person's movement.
        found: its segments.
        catalogue: exercises known.
    """
    sure_s: dict[str, float] = {}
    for bout in bouts(motion, found, catalogue):
        if bout.label in catalogue and (bout.reps or not catalogue[bout.label].counted):
            lasts_s = bout.confidence * (bout.end_s - bout.start_s)
            sure_s[bout.label] = sure_s.get(bout.label, 0.0) + lasts_s
    best = max(sure_s, key=lambda name: sure_s[name], default=None)
    return best if best is not None and sure_s[best] >= WINDOW_S else longest(found)


def scored(motion: Motion, done: Sequence[Bout], model: QualityModel | None = None) -> tuple[Bout, ...]:
    """The same bouts; repetitions of movements that the form model knows get a score, or the reason why not.

    The model knows people before motion capture: from a picture every repetition is unlike theirs, right or wrong.

    Args:
        motion: one person's movement.
        done: from `bouts`.
        model: the shipped one if None.
    """
    out = []
    for bout in done:
        if bout.label in MOVEMENTS and bout.reps:
            if motion.keypoints is not None:
                reps = tuple(_unscored(rep, Reason.NOT_COMPARABLE) for rep in bout.reps)
            else:
                model = model or QualityModel()
                scores = model.score(bout.label, motion, [(rep.start_s, rep.end_s) for rep in bout.reps])
                reps = tuple(
                    replace(rep, score=float(score)) if np.isfinite(score) else _unscored(rep, Reason.TOO_UNCERTAIN)
                    for rep, score in zip(bout.reps, scores, strict=True)
                )
            bout = replace(bout, reps=reps)
        out.append(bout)
    return tuple(out)


def _unscored(rep: Repetition, reason: Reason) -> Repetition:
    return replace(rep, withheld={**rep.withheld, SCORE: reason})


def result_of(done: Sequence[Bout]) -> ExerciseResult:
    """Bouts as they are given: to 0.01 s and 0.1 degrees, and how alike the repetitions of each are."""
    return ExerciseResult(tuple(_given(bout) for bout in done))


def _given(bout: Bout) -> Bout:
    alike = consistency(bout.reps)
    if alike is not None:
        rom_mean_deg, rom_sd_deg = round(alike.rom_mean_deg, 1), round(alike.rom_sd_deg, 1)
        alike = Consistency(rom_mean_deg, rom_sd_deg, round(alike.tempo_sd_s, 2))
    return replace(
        bout,
        confidence=round(bout.confidence, 3),
        start_s=round(bout.start_s, 2),
        end_s=round(bout.end_s, 2),
        reps=tuple(_given_rep(rep) for rep in bout.reps),
        rejected=tuple(replace(r, start_s=round(r.start_s, 2), end_s=round(r.end_s, 2)) for r in bout.rejected),
        alike=alike,
    )


def _given_rep(rep: Repetition) -> Repetition:
    return replace(
        rep,
        start_s=round(rep.start_s, 2),
        turn_s=round(rep.turn_s, 2),
        end_s=round(rep.end_s, 2),
        rom_deg=round(float(rep.rom_deg), 1),
        rom_sigma_deg=round(float(rep.rom_sigma_deg), 1),
        tempo_s=(round(float(rep.tempo_s[0]), 2), round(float(rep.tempo_s[1]), 2)),
        left_right_deg=round(float(rep.left_right_deg), 1),
        speed_m_s=(round(float(rep.speed_m_s[0]), 3), round(float(rep.speed_m_s[1]), 3)),
        score=round(rep.score, 3),
    )


def _plain(counted: Counted) -> tuple[Repetition, ...]:
    """Repetitions of a movement without a name: only their times are known."""
    return tuple(
        Repetition(c.start_s, c.turn_s, c.end_s, tempo_s=(c.turn_s - c.start_s, c.end_s - c.turn_s))
        for c in counted.reps
    )


def _whole(motion: Motion) -> tuple[Segment, ...]:
    return (Segment(OTHER, 1.0, float(motion.time_s[0]), float(motion.time_s[-1])),)
