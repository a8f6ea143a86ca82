"""Numbers that decide a result, each with what it is, its unit and where it comes from.

A stage keeps its thresholds in a frozen dataclass, the fields made by `setting`, and takes an instance as an argument
whose default is the one that ships:

    @dataclass(frozen=True, slots=True)
    class WalkSettings:
        least_s: float = setting(2.0, "a shorter walk isn't judged", unit="s", source="Perry 2010, chapter 1")

`posepipe evaluate publish` prints them all into docs/thresholds.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

__all__ = ["Setting", "setting", "settings_of"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """One number.

    Attributes:
        name: of the field.
        value: its default; a number, or several.
        what: what it decides, one sentence.
        unit: "s", "deg", "m", "px", "Hz"; empty for shares, counts and probabilities.
        source: the paper and section, or "chosen on ... by `command`", or "judgement" where nobody measured it.
    """

    name: str
    value: Any
    what: str
    unit: str
    source: str


def setting(value: T, what: str, *, unit: str = "", source: str) -> T:
    """A field of a settings dataclass, see `Setting`.

    Raises:
        ValueError: what or source is empty.
    """
    if not what or not source:
        raise ValueError("a setting says what it is and where it comes from")
    made: Any = field(default=value, metadata={"setting": (what, unit, source)})
    return made  # type: ignore[no-any-return]


def settings_of(kind: object) -> tuple[Setting, ...]:
    """The settings of a dataclass; none of anything else."""
    if not is_dataclass(kind):
        return ()
    return tuple(Setting(f.name, f.default, *f.metadata["setting"]) for f in fields(kind) if "setting" in f.metadata)
