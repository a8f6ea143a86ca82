"""Keypoints that other programs found; see docs/formats.md."""

from posepipe.results.importers.people import ImportedTracks
from posepipe.results.importers.read import SOURCES, read_keypoints

__all__ = ["SOURCES", "ImportedTracks", "read_keypoints"]
