"""Motion-capture files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError

__all__ = ["MocapSet", "load_mocap"]


@dataclass(frozen=True, slots=True, eq=False)
class MocapSet:
    """Motion capture, by sequence.

    Attributes:
        positions: (F, 17, 3) Human3.6M joints, metres, z up.
        extra: (F, 6, 3) nose, top of the head, toes, heels.
        seq_start: (S + 1,) first frame of each sequence, and the end.
        fps_hz: (S,).
        name: (S,) sequence names.
        subject: (S,) people.
    """

    positions: NDArray[np.float32]
    extra: NDArray[np.float32]
    seq_start: NDArray[np.int64]
    fps_hz: NDArray[np.float32]
    name: NDArray[np.str_]
    subject: NDArray[np.str_]

    @property
    def is_cmu(self) -> NDArray[np.bool_]:
        """(S,) not of UI-PRMD."""
        return np.array([not str(name).startswith("ui_") for name in self.name])


@lru_cache(maxsize=2)
def load_mocap(path: Path) -> MocapSet:
    """Read a motion-capture file.

    Raises:
        InputError: the file can't be read, or lacks an array.
    """
    keys = ("positions", "extra", "seq_start", "fps", "seq_name", "subject")
    try:
        with np.load(path) as data:
            missing = [key for key in keys if key not in data]
            if missing:
                raise InputError(f"no array {', '.join(missing)}", where=str(path))
            return MocapSet(*(data[key] for key in keys))
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read ({error})", where=str(path), hint="Give a motion-capture npz") from error
