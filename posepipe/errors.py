"""Every error posepipe raises on purpose.

PosePipeError                       1  a defect, or anything not listed below
├── UsageError                      2  wrong arguments or settings
│   └── OutputError                 2  the output can't be written (permission, full disk)
├── InputError                      3  the input can't be read
│   ├── MediaError                  3  missing, empty, broken or not a video
│   │   └── SeekError               3  it can only be read from its beginning
│   └── NobodyFoundError            3  readable, but no person in it
└── ModelError                      4  a model is missing, unusable or fails its checksum

The number is the exit code of the command line. A message has three parts: what happened, where, what to do next.
"""

from __future__ import annotations

__all__ = [
    "InputError",
    "MediaError",
    "ModelError",
    "NobodyFoundError",
    "OutputError",
    "PosePipeError",
    "SeekError",
    "UsageError",
]


class PosePipeError(Exception):
    """Base of the tree.

    Args:
        what: what went wrong, a short sentence without a full stop.
        where: the file, option or model it concerns; may be empty.
        hint: what the user can do next; may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        parts = [f"{where}: {what}" if where else what, hint]
        super().__init__(" ".join(part if part[-1] in ".?!" else f"{part}." for part in parts if part))

    def as_dict(self) -> dict[str, str | int]:
        """The error as the object that ``--json`` prints."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


class UsageError(PosePipeError):
    """Wrong arguments or settings."""

    exit_code = 2


class OutputError(UsageError):
    """The output can't be written."""


class InputError(PosePipeError):
    """The input can't be used."""

    exit_code = 3


class MediaError(InputError):
    """The video, image or stream is missing, empty or broken."""


class SeekError(MediaError):
    """The video can't be read from its middle; reading it from the beginning may work."""


class NobodyFoundError(InputError):
    """The input was read to its end and holds no person."""


class ModelError(PosePipeError):
    """A model file is missing, unusable or fails its checksum."""

    exit_code = 4
