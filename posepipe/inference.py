"""The one place that opens an ONNX Runtime session."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from posepipe.errors import ModelError, UsageError
from posepipe.system import cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnxruntime import InferenceSession

__all__ = ["default_threads", "open_session", "providers"]

_MAX_DEFAULT_THREADS = 4


def default_threads() -> int:
    """Threads for one session if nobody says otherwise: the cores we may use, four at most.

    The networks here are small; more threads wait for each other longer than they work.
    """
    return min(cores(), _MAX_DEFAULT_THREADS)


def providers() -> tuple[str, ...]:
    """Execution providers that this ONNX Runtime offers, the preferred one first."""
    import onnxruntime as ort

    return tuple(ort.get_available_providers())


def open_session(
    model: str | os.PathLike[str] | bytes,
    *,
    threads: int | None = None,
    providers: Sequence[str] | None = None,
    memory_reuse: bool = True,
) -> InferenceSession:
    """Open a network for inference.

    Args:
        model: path of an ONNX file, or its content.
        threads: threads inside one operator; `default_threads` if None. Operators run one after another.
        providers: execution providers in order of preference; the CPU if None, so that results don't depend on what
            happens to be installed.
        memory_reuse: plan which tensors share memory; slow to plan for graphs of thousands of operators.

    Raises:
        ModelError: the file is missing or ONNX Runtime can't use it.
        UsageError: fewer than one thread.
    """
    import onnxruntime as ort

    threads = default_threads() if threads is None else threads
    if threads < 1:
        raise UsageError(f"{threads} threads for a network", hint="Give 1 or more")
    where = "model in memory" if isinstance(model, bytes) else str(model)
    if not isinstance(model, bytes) and not Path(model).is_file():
        raise ModelError("no such model file", where=where)

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_reuse = memory_reuse
    # Threads spin between the operators of one run, which halves the time of small networks on two cores, and sleep
    # as soon as the run ends, so that decoding and the other stages get the core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    source = model if isinstance(model, bytes) else os.fspath(model)
    chosen = list(providers) if providers is not None else ["CPUExecutionProvider"]
    try:
        return ort.InferenceSession(source, options, providers=chosen)
    # ONNX Runtime's exceptions share no base of their own.
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"ONNX Runtime can't use it ({first[:200]})", where=where) from error
