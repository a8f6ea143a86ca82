"""Writes measured figures into the documents, so that no number is typed by hand.

``docs/figures/NAME.json`` holds what ``posepipe evaluate NAME --json`` or ``posepipe bench --json`` printed, with the
command beside it. In a document, the text between ``<!-- figures: NAME -->`` and ``<!-- end -->`` is replaced by its
table. Run ``python -m posepipe.evaluation.publish`` in the repository after new measurements; with ``--check`` it only
says whether the documents are up to date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from posepipe.errors import InputError
from posepipe.evaluation.tables import markdown

__all__ = ["filled", "main"]

_BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, figures: Path) -> str:
    """A document with its figures renewed.

    Args:
        text: markdown.
        figures: folder of the JSON files.

    Raises:
        InputError: a figure that the document names has no file.
    """

    def block(match: re.Match[str]) -> str:
        path = figures / f"{match[2]}.json"
        if not path.is_file():
            raise InputError("no such figure", where=str(path), hint="Measure it, and keep the JSON there")
        result = json.loads(path.read_text(encoding="utf-8"))
        command = f"`{result['command']}`\n\n" if "command" in result else ""
        return f"{match[1]}{command}{markdown(result)}\n{match[3]}"

    return _BLOCK.sub(block, text)


def main(arguments: Sequence[str]) -> int:
    """Renew ``README.md`` and ``docs/*.md`` of the folder we are in; returns 1 if ``--check`` finds one out of date."""
    stale = 0
    for path in [Path("README.md"), *sorted(Path("docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        new = filled(text, Path("docs/figures"))
        if new != text:
            stale = 1
            if "--check" not in arguments:
                path.write_text(new, encoding="utf-8")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
