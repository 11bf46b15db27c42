"""The direct requirements in `pyproject.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYPROJECT = ROOT / "pyproject.toml"
EXTRAS = ("kernel", "lab", "test", "docs")


def direct(pyproject: Path = PYPROJECT) -> list[str]:
    """List all requirements: of the package, its extras and its build."""
    content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project = content["project"]
    extras = project.get("optional-dependencies", {})
    return [
        *content["build-system"]["requires"],
        *project.get("dependencies", []),
        *(requirement for extra in EXTRAS for requirement in extras.get(extra, [])),
    ]
