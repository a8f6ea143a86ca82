"""Parts of the exporter that need no export; what it makes is tested in tests/body/test_refine.py."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from exporters.refiner import INPUTS, example, load_lifter  # noqa: E402
from posepipe.errors import InputError  # noqa: E402
from posepipe.inference import open_session  # noqa: E402
from posepipe.lab.lifter.network import Clip, HopFIR, NetworkConfig, closed_form_root  # noqa: E402  # noqa: E402
from posepipe.weights import find_model, models_dir  # noqa: E402


def test_the_shape_is_read_off_the_weights(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    for config in (
        NetworkConfig(dim=24, blocks=2, hops=2, ijr_hidden=8, ffn=1.5),
        NetworkConfig(dim=16, blocks=1, hops=1, ijr="none", grouping=False, ijr_hidden=0),
    ):
        network = HopFIR(config).eval()
        save_file(network.state_dict(), tmp_path / "lifter.safetensors")
        found = load_lifter(tmp_path / "lifter.safetensors")
        assert found.config == config
        inputs = torch.from_numpy(example(3)["keypoints"])
        assert torch.equal(found(inputs)[0], network(inputs)[0])


def test_closed_form_root_finds_the_pelvis() -> None:
    inputs = {name: torch.from_numpy(value) for name, value in example(6).items()}
    xyz = 0.4 * torch.randn(6, 21, 3, generator=torch.Generator().manual_seed(0))
    root = torch.tensor([[0.3, -0.2, 3.5]])
    point = xyz + root.unsqueeze(1)
    inputs["rays"] = point[..., :2] / point[..., 2:]
    found = closed_form_root(xyz, Clip(*(inputs[name] for name in INPUTS[2:])))
    assert torch.allclose(found, root.expand(6, 3), atol=2e-3)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(InputError, match="no such file"):
        load_lifter(tmp_path / "none.safetensors")
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="not the lifter's weights"):
        load_lifter(tmp_path / "other.safetensors")


def test_shipped_refiner_belongs_to_the_shipped_lifter() -> None:
    weights = (models_dir() / "lifter.safetensors").read_bytes()
    metadata = open_session(find_model("refiner"), threads=1).get_modelmeta().custom_metadata_map
    assert metadata["lifter_sha256"] == hashlib.sha256(weights).hexdigest(), "run posepipe train refiner again"
