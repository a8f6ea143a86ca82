"""The results folder: tables, summary, report."""

from posepipe.results.folder import load, save, write_report
from posepipe.results.recording import KeyFrame, Person, Recording, VideoFacts, View

__all__ = ["KeyFrame", "Person", "Recording", "VideoFacts", "View", "load", "save", "write_report"]
