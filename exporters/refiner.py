"""The unrolled test-time optimisation as an ONNX file with a free batch axis.

    posepipe train refiner --weights models/lifter.safetensors --out models

The gradient is traced by `make_fx` through `torch.func.grad`. The trace has a fixed batch of a prime number of frames;
every multiple of that prime in it is then the batch, which frees the axis.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import operator
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_aggregate

from posepipe.body.steady import BONES
from posepipe.errors import InputError, ModelError
from posepipe.inference import open_session
from posepipe.lab.lifter.network import FEATURES, Clip, HopFIR, NetworkConfig, UnrolledRefiner
from posepipe.skeleton import BODY21
from posepipe.weights import write_card

__all__ = ["INPUTS", "example", "export_refiner", "load_lifter", "parity"]

INPUTS = ("keypoints", "spread", *(field.name for field in fields(Clip)))
OUTPUTS = ("xyz_m", "log_scale")
OPSET = 18
STEPS = 2
_PRIME = 101
_PARITY = 1e-4
_FIXED = ("gain", "rate")
_FLOAT = np.float32


def load_lifter(weights: Path, heads: int = 1) -> HopFIR:
    """The lifter from its weights alone; its shape is read off them.

    Args:
        weights: safetensors file.
        heads: attention heads per hop group, the one number that shapes don't show.

    Raises:
        InputError: the file is missing or isn't a lifter's.
    """
    if not weights.is_file():
        raise InputError("no such file", where=str(weights), hint="Train and export the lifter first")
    state = load_file(weights)
    try:
        dim = state["embed.weight"].shape[0]
        refine = state.get("blocks.0.refine.down.0.weight")
        config = NetworkConfig(
            dim=dim,
            blocks=1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks.")),
            hops=state["blocks.0.attention.beside"].shape[0] - 1,
            heads=heads,
            grouping="blocks.0.attention.hop" in state,
            ijr="none" if refine is None else "full",
            ijr_hidden=0 if refine is None else refine.shape[0],
            ffn=state["blocks.0.ffn.0.weight"].shape[0] / dim,
        )
        network = HopFIR(config)
        network.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise InputError(f"not the lifter's weights ({str(error)[:200]})", where=str(weights)) from error
    return network.eval().requires_grad_(False)


def example(frames: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Random but sensible inputs of the graph for a number of consecutive frames."""
    rng = np.random.default_rng((seed, frames))
    joints, bones = len(BODY21), len(BONES)
    keypoints = rng.standard_normal((frames, joints, FEATURES))
    keypoints[..., 3] = rng.random((frames, joints)) > 0.1
    scale = rng.uniform(0.08, 0.3, (frames, 1))
    rotation = np.linalg.qr(rng.standard_normal((frames, 3, 3)))[0]
    made = {
        "keypoints": keypoints,
        "spread": 0.02 * keypoints[..., 3:4],
        "rotation": rotation,
        "scale": scale,
        "rays": keypoints[..., :2] * scale[:, None],
        "ray_weight": keypoints[..., 3] * rng.uniform(20, 200, (frames, joints)),
        "anchor_m": 0.4 * rng.standard_normal((frames, joints, 3)),
        "joint_weight": rng.uniform(5, 40, (frames, joints)),
        "bone_m": rng.uniform(0.15, 0.5, (frames, bones)),
        "bone_weight": rng.uniform(10, 50, (frames, bones)),
        "accel": np.tile([0.5, -1.0, 0.5], (frames, 1)),
        "root": np.where(rng.random((frames, 1)) < 0.5, [[0.1, 0.0, 3.0, 1.0]], 0.0),
        "gain": np.array([1.0, 0.1, 0.5, 0.5, 0.3, 0.5]),
        "rate": np.array([0.5]),
    }
    made["accel"][[0, -1]] = 0.0
    return {name: np.ascontiguousarray(made[name], dtype=_FLOAT) for name in INPUTS}


def _tensors(inputs: dict[str, NDArray[np.float32]]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(inputs[name]) for name in INPUTS)


class _Traced(nn.Module):
    """The traced graph with the weights it takes as arguments."""

    def __init__(self, module: nn.Module, graph: GraphModule) -> None:
        super().__init__()
        self.module = module
        self.graph = graph

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs in the order of `INPUTS`."""
        return self.graph(_state(self.module), *inputs)  # type: ignore[no-any-return]


def _state(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _trace(module: UnrolledRefiner) -> GraphModule:
    state = _state(module)

    def call(parameters: dict[str, Tensor], *inputs: Tensor) -> Any:
        return torch.func.functional_call(module, parameters, (inputs[0], inputs[1], Clip(*inputs[2:])))

    graph = make_fx(call, tracing_mode="real")(state, *_tensors(example(_PRIME)))
    graph.graph.eliminate_dead_code()
    _free_batch(graph, len(state))
    return graph


def _free_batch(module: GraphModule, parameters: int) -> None:
    """Put the batch's size in place of every multiple of the prime it was traced with."""
    graph = module.graph
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    with graph.inserting_after(inputs[-1]):
        frames = graph.call_function(torch.ops.aten.sym_size.int, (inputs[parameters], 0))
    sizes: dict[int, Node] = {1: frames}

    def free(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0 or value >= 1 << 40 or value % _PRIME:
            return value
        times = value // _PRIME
        if times not in sizes:
            with graph.inserting_after(frames):
                sizes[times] = graph.call_function(operator.mul, (frames, times))
        return sizes[times]

    for node in list(graph.nodes):
        if node.op == "call_function" and node not in sizes.values():
            node.args = map_aggregate(node.args, free)
            node.kwargs = map_aggregate(node.kwargs, free)
    graph.lint()
    module.recompile()


def write_refiner(network: nn.Module, steps: int, path: Path, metadata: dict[str, str]) -> float:
    """Export and check against torch.

    Args:
        network: the lifter, in evaluation mode.
        steps: number of Adam steps.
        path: the ONNX file to write.
        metadata: goes into the file.

    Returns:
        Largest difference of any output over batches of 1, 7 and 64 frames.

    Raises:
        ModelError: the difference is above 1e-4.
    """
    import onnx

    network = network.eval().requires_grad_(False)
    module = UnrolledRefiner(network, steps)
    traced = _Traced(module, _trace(module))
    batch = torch.export.Dim("batch", min=1, max=65536)
    free = tuple(None if name in _FIXED else {0: batch} for name in INPUTS)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            traced,
            _tensors(example(5)),
            dynamo=True,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=(free,),
            opset_version=OPSET,
            # The optimiser drops small constants under square roots.
            optimize=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    for key, value in (metadata | {"steps": str(steps)}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    difference = parity(module, path)
    if difference > _PARITY:
        raise ModelError(f"torch and ONNX Runtime differ by {difference:.1e}", where=str(path))
    return difference


def parity(module: UnrolledRefiner, path: Path, batches: tuple[int, ...] = (1, 7, 64)) -> float:
    """Largest difference between torch and ONNX Runtime over random inputs."""
    session = open_session(path, threads=1)
    worst = 0.0
    for frames in batches:
        inputs = example(frames, seed=1)
        tensors = _tensors(inputs)
        expected = module(tensors[0], tensors[1], Clip(*tensors[2:]))
        for want, got in zip(expected, session.run(list(OUTPUTS), inputs), strict=True):
            worst = max(worst, float(np.abs(want.numpy() - got).max()))
    return worst


def export_refiner(weights: Path, out: Path, *, steps: int = STEPS, heads: int = 1) -> float:
    """Write refiner.onnx and its card.

    Args:
        weights: the lifter's safetensors file.
        out: folder.
        steps: number of Adam steps.
        heads: of the lifter's attention.

    Returns:
        Largest difference between torch and ONNX Runtime.
    """
    network = load_lifter(weights, heads)
    out.mkdir(parents=True, exist_ok=True)
    model = out / "refiner.onnx"
    lifter = hashlib.sha256(weights.read_bytes()).hexdigest()
    difference = write_refiner(network, steps, model, {"layout": BODY21.name, "lifter_sha256": lifter})
    _write_card(out / "refiner.toml", model, steps, lifter, difference)
    return difference


def _write_card(path: Path, model: Path, steps: int, lifter: str, difference: float) -> None:
    content = model.read_bytes()
    card = {
        "name": "refiner",
        "file": model.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "licence": "Apache-2.0",
        "source": "posepipe train refiner --weights models/lifter.safetensors --out models; no weights of its own: "
        f"the lifter's (safetensors sha256 {lifter}), with their data and acknowledgement",
        "input": f"{', '.join(INPUTS)}: float32, made by posepipe.body.refine; B consecutive frames",
        "output": f"xyz_m ({steps + 1}, B, 21, 3) and log_scale ({steps + 1}, B, 21) from the untouched keypoints to "
        "the last step, as the lifter gives them",
        "description": f"Test-time optimisation of the lifter's input: {steps} unrolled Adam steps with gradient",
    }
    metrics = {"steps": steps, "onnx_parity": float(f"{difference:.1e}")}
    write_card(path, card, metrics)
