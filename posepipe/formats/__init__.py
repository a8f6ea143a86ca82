"""Other programs' files, written and read."""

from posepipe.formats.registry import parse_formats, write_formats

__all__ = ["parse_formats", "write_formats"]
