"""Torch networks to files that run without torch."""

import posepipe as posepipe  # Before any onnxruntime: see its ``ORT_DISABLE_TELEMETRY``.
