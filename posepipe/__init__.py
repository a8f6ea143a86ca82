"""posepipe: one ordinary video to 3D human motion, with an error bar on every number."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posepipe.api import Config, Pipeline, Recording, analyze, lift, load, stream

__all__ = ["Config", "Pipeline", "Recording", "__version__", "analyze", "lift", "load", "stream"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # The rest loads when it is first asked for: `import posepipe` stays light.
    if name in __all__:
        from posepipe import api

        return getattr(api, name)
    raise AttributeError(f"module 'posepipe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
