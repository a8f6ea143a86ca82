"""The report as the app shows it: beside the annotated video, in step with it."""

from __future__ import annotations

from posepipe.ui.assets import asset

__all__ = ["beside_video", "with_theme"]

# Beside the video stands what moves with it: the 3D view and the curves come first.
_SMALL = """
body { padding: .4rem .8rem; } header, main > p, section:has(> .pictures) { display: none; }
main > div { display: flex; flex-direction: column; } main > div > * { min-width: 0; } main > div > h2 { order: -3; }
section:has(> .viewer) { order: -2; } section:has(> .plots) { order: -1; }
"""


def beside_video(report: str, *, dark: bool) -> str:
    """A report with what makes it follow the page's video.

    Args:
        report: ``report.html`` as text.
        dark: whether the page around it is dark, whatever the system prefers.
    """
    script = f"<script>{asset('player.js')}</script>"
    return with_theme(report, dark=dark, style=_SMALL).replace("</body>", f"{script}</body>", 1)


def with_theme(document: str, *, dark: bool, style: str = "") -> str:
    """A report as light or dark as the page around it.

    Args:
        document: HTML that asks the system which it prefers; the user may have told the app otherwise.
        dark: whether the page is dark.
        style: more CSS.
    """
    document = document.replace("(prefers-color-scheme: dark)", "all" if dark else "not all")
    scheme = "dark" if dark else "light"
    return document.replace("</head>", f"<style>:root {{ color-scheme: {scheme}; }} {style}</style></head>", 1)
