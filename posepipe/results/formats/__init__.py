"""A recording in other programs' formats; see docs/formats.md."""

from posepipe.results.formats.registry import FORMATS, Format, parse_formats, write_formats

__all__ = ["FORMATS", "Format", "parse_formats", "write_formats"]
