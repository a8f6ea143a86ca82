"""Synthetic people who exercise, walk and do other things, with exact truth about every repetition."""

from posepipe.synth.exercises.takes import ExerciseTake, make_exercise

__all__ = ["ExerciseTake", "make_exercise"]
