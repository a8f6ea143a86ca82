"""README for PyPI, where a link needs a whole address: `repository` in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")
_IMAGES = (".gif", ".png", ".jpg", ".svg")


def absolute_links(text: str, repository: str) -> str:
    """Markdown whose links to files lead to the repository; without an address they are plain words, and images go."""

    def whole(link: re.Match[str]) -> str:
        mark, words, path = link.groups()
        if not repository:
            return "" if mark else words
        kind = "raw" if path.endswith(_IMAGES) else "blob"
        return f"{mark}[{words}]({repository}/{kind}/HEAD/{path})"

    return _LINK.sub(whole, text)


class ReadmeHook(MetadataHookInterface):
    """Gives hatchling the readme and the project's addresses."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called with the project's metadata when a package is built."""
        repository = str(self.config.get("repository", "")).rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute_links(text, repository)}
        metadata["urls"] = (
            {"Repository": repository, "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md"} if repository else {}
        )
