"""posepipe: one ordinary video to 3D human motion, with an error bar on every number."""

__all__ = ["__version__"]

__version__ = "0.1.0"
