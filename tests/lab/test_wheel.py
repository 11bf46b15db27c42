"""Whoever installs the wheel needs no Node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", "--no-deps", "-w", str(folder), str(ROOT)], check=True)
    return next(folder.glob("attnlab-*.whl"))


def test_the_wheel_holds_what_the_browser_needs_and_the_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for built in ("bridge.js", "inline.js", "inline.css"):
        assert f"attnlab/static/{built}" in names
    assert "attnlab/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "examples/"))]


def test_the_wheel_installs_without_node_and_jupyterlab_finds_the_extension(
    wheel: Path, tmp_path: Path
) -> None:
    without_node = {"PATH": "/nowhere", "HOME": str(tmp_path)}
    command = [*PIP, "install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel)]
    subprocess.run(command, check=True, env=os.environ | without_node)
    extension = tmp_path / "site/share/jupyter/labextensions/attnlab/package.json"
    entry = tmp_path / "site/share/jupyter/labextensions/attnlab"
    load = json.loads(extension.read_text())["jupyterlab"]["_build"]["load"]
    assert (entry / load).exists()


def test_both_sides_have_one_version(wheel: Path) -> None:
    version = json.loads((ROOT / "package.json").read_text())["version"]
    assert wheel.name.startswith(f"attnlab-{version}-")
    code = "import attnlab; print(attnlab.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
