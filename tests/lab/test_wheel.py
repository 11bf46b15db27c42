"""Whoever installs the wheel needs no Node, and enables nothing by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent.name
ROOT = Path(__file__).parent.parent.parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
COLOURS = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture(scope="module")
def wheel(archives: dict[str, Path]) -> Path:
    return archives["wheel"]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it, installed where no program is, Node neither."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(folder)
    target = [*PIP, "--python", str(folder / BIN / "python")]
    command = [*target, "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, env=os.environ | {"PATH": "/nowhere"})
    return folder


def said(installed: Path, *command: str) -> str:
    """What a module's program says in the environment, which has Jupyter from this one.

    Of this environment only the packages are seen, and neither its configuration nor attnlab:
    an editable install is a line in a `.pth` file, which a path in PYTHONPATH does not read.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    env = kept | {"HOME": str(installed.parent), "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(
        [str(installed / BIN / "python"), *command],
        env=env,
        cwd=installed.parent,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return COLOURS.sub("", done.stdout)


def test_the_wheel_holds_what_the_browser_needs_and_the_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for built in ("inline.js", "inline.css"):
        assert f"attnlab/static/{built}" in names
    assert "attnlab/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "examples/"))]


def test_jupyterlab_finds_the_extension_enabled_and_all_of_its_script(installed: Path) -> None:
    version = json.loads((ROOT / "package.json").read_text())["version"]
    listed = said(installed, "-m", "jupyterlab.labextensions", "list")
    assert f"attnlab v{version} enabled OK (python, attnlab)" in listed
    extension = installed / "share/jupyter/labextensions/attnlab"
    load = json.loads((extension / "package.json").read_text())["jupyterlab"]["_build"]["load"]
    assert (extension / load).exists()


def test_the_settings_editor_finds_every_setting(installed: Path) -> None:
    schemas = installed / "share/jupyter/labextensions/attnlab/schemas/attnlab"
    expected = {path.name: json.loads(path.read_text()) for path in (ROOT / "schema").iterdir()}
    assert {path.name: json.loads(path.read_text()) for path in schemas.glob("*.json")} == expected
    assert expected["live.json"]["properties"]


def test_installing_it_enables_what_runs_in_jupyter_server(installed: Path) -> None:
    listed = said(installed, "-m", "jupyter_server", "extension", "list")
    lines = [line.split() for line in listed.splitlines() if "attnlab" in line]
    assert ["attnlab.server_extension", "enabled"] in lines
    assert ["attnlab.server_extension", "OK"] in lines
    where = said(installed, "-c", "import attnlab.server_extension as it; print(it.__file__)")
    assert Path(where.strip()).is_relative_to(installed)


def test_both_sides_have_one_version(wheel: Path) -> None:
    version = json.loads((ROOT / "package.json").read_text())["version"]
    assert wheel.name.startswith(f"attnlab-{version}-")
    code = "import attnlab; print(attnlab.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
