"""What of the server's own machine a page may reach: its folders and cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["Access", "access_of", "is_loopback"]


@dataclass(frozen=True, slots=True)
class Access:
    """What a page may reach.

    Attributes:
        server_files: folders, files, cameras and addresses may be typed in. Else the library is the folder given at the
            start, and a camera one of `cameras`.
        cameras: numbers and addresses that were given at the start.
    """

    server_files: bool
    cameras: tuple[str, ...]


def is_loopback(name: str | None) -> bool:
    """Whether a host's name or address means this very machine."""
    name = (name or "").lower().strip("[]").rstrip(".")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def access_of(settings: Mapping[str, str], address: str | None, headers: Mapping[str, str]) -> Access:
    """What a page may reach.

    Args:
        settings: ``POSEPIPE_SERVER_FILES`` (``yes`` or ``no``) goes before the rest; ``POSEPIPE_CAMERA``, one a line.
        address: that the server listens on.
        headers: of the browser's request. They can only take away: whoever asks could have written them.
    """
    said = settings.get("POSEPIPE_SERVER_FILES", "")
    host = urlsplit(f"//{headers.get('Host', '')}").hostname
    proxy = any(headers.get(name) for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"))
    here = is_loopback(address) and is_loopback(host) and not proxy
    cameras = tuple(line.strip() for line in settings.get("POSEPIPE_CAMERA", "").splitlines() if line.strip())
    return Access(said == "yes" or (said != "no" and here), cameras)
