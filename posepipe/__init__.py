"""posepipe: one ordinary video to 3D human motion, with an error bar on every number."""

import os
from typing import TYPE_CHECKING

from posepipe._version import __version__

if TYPE_CHECKING:
    from posepipe.api import Config, Pipeline, Recording, analyze, lift, load, save, stream, to_pandas

__all__ = [
    "Config",
    "Pipeline",
    "Recording",
    "__version__",
    "analyze",
    "lift",
    "load",
    "save",
    "stream",
    "to_pandas",
]

# ONNX Runtime 1.31 and later else write a device id into the user's cache and look a host's name up to report usage. It
# is read when onnxruntime is first imported; every module of ours that does so runs this one first.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def __getattr__(name: str) -> object:
    # The rest loads when it is first asked for: `import posepipe` stays light.
    if name in __all__:
        from posepipe import api

        return getattr(api, name)
    raise AttributeError(f"module 'posepipe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
