"""posepipe: one ordinary video to 3D human motion, with an error bar on every number."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("posepipe")
except PackageNotFoundError:
    __version__ = "0.1.0"
