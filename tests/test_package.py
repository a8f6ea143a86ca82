"""What is published: the source archive and the wheel (`-m slow`; needs build, twine and hatchling)."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = """# posepipe

![A person](docs/images/demo.gif) [docs](docs/app.md#start), [us](https://example.org), [below](#start)
"""


def _absolute_links(text: str, repository: str) -> str:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.absolute_links(text, repository))


def test_links_on_pypi() -> None:
    assert "demo.gif" not in (plain := _absolute_links(README, "")) and " docs, [us]" in plain
    whole = _absolute_links(README, "https://github.com/a/b")
    assert "![A person](https://github.com/a/b/raw/HEAD/docs/images/demo.gif)" in whole
    assert "[docs](https://github.com/a/b/blob/HEAD/docs/app.md#start)" in whole
    assert "[us](https://example.org), [below](#start)" in whole


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("build", "hatchling", "twine"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("dist")
    _run("-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), where=folder)
    return folder


def _run(*words: str, where: Path, **environment: str) -> str:
    command = [sys.executable, *words]
    # Not the folder of the sources, so that what is imported is what was installed.
    variables = os.environ | {"PYTHONPATH": ""} | environment
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=where, env=variables, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_both_are_fit_for_pypi(dist: Path) -> None:
    names = sorted(path.name for path in dist.iterdir())
    assert len(names) == 2 and names[0].endswith("-py3-none-any.whl") and names[1].endswith(".tar.gz")
    _run("-m", "twine", "check", "--strict", *names, where=dist)


@pytest.mark.slow
def test_wheel_holds_one_package_and_no_training_weights(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"posepipe"}
    assert not [
        name
        for name in names
        if name.endswith(".safetensors") or "/tests/" in name or "_models/exercise_bilstm" in name
    ]
    for wanted in ("py.typed", "_models/lifter.onnx", "_models/lifter.toml", "_exporters/edge/web_page/index.html"):
        assert f"posepipe/{wanted}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    readme = metadata.partition("\n\n")[2]
    assert readme.startswith("# posepipe") and "](docs/" not in readme


@pytest.mark.slow
def test_source_archive_holds_what_the_wheel_is_made_of(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"hatch_build.py", "README.md", "LICENSE", "models/lifter.safetensors", "exporters/refiner.py"} <= names
    assert not [name for name in names if name.startswith((".git/", "runs/", "results/"))]


@pytest.mark.slow
def test_installed_wheel_works(dist: Path, tmp_path: Path) -> None:
    """Beside this environment's libraries, in a folder that comes first."""
    wheel = next(dist.glob("*.whl"))
    _run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), str(wheel), where=dist)
    where = {"where": dist, "PYTHONPATH": str(tmp_path)}
    assert _run("-m", "posepipe.cli.main", "--version", **where).startswith("posepipe ")
    assert "lifter" in _run("-m", "posepipe.cli.main", "models", "list", **where)
    code = "from posepipe.cli.export import need_exporters as need; need()"
    code += "; from exporters.edge import bundle; bundle.runner_text(); print(bundle.__file__)"
    assert str(tmp_path) in _run("-c", code, **where)
