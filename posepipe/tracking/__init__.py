"""Who is who over time, and whom to analyse."""

from posepipe.tracking.collect import TrackBuilder
from posepipe.tracking.stitch import merge_tracks
from posepipe.tracking.subject import choose_subject
from posepipe.tracking.tracker import Tracker

__all__ = ["TrackBuilder", "Tracker", "choose_subject", "merge_tracks"]
