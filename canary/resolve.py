"""Write the lock: ``python -m canary.resolve UV TORCH PACKAGE...``; `make lock` calls it.

uv resolves for all supported Python versions and all systems. This program imports only the
standard library, because it must run even if the lock can no longer be installed.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from canary.requirements import EXTRAS, PYPROJECT, ROOT

HEADER = """\
# The versions that `make demo` and `make test` install, as constraints for pip.
# `make lock` writes this file; CONTRIBUTING.md says when to run it.
# torch is not here: the Makefile's TORCH pins it, and an environment may bring its own.
"""
# Requirements of builds of torch for accelerators, which these builds pin themselves.
ACCELERATOR = re.compile(r"(nvidia|cuda|triton|pytorch-triton|intel|rocm)\b", re.IGNORECASE)


def torch_requirements(requirements: list[str]) -> list[str]:
    """Return the requirements of torch that apply to all machines."""
    return [item for item in requirements if not ACCELERATOR.match(item) and "extra ==" not in item]


def settings(without_dependencies: list[str], torch: list[str]) -> str:
    """Return uv's settings: torch's requirements, and packages without their requirements."""
    needs = {"torch": torch, **{name: [] for name in without_dependencies}}
    return "".join(
        f"[[dependency-metadata]]\nname = {json.dumps(name)}\nrequires-dist = {json.dumps(need)}\n"
        for name, need in needs.items()
    )


def resolve(uv: str, torch: str, models: list[str]) -> str:
    """Return the text of a new lock."""
    pyproject = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    python = pyproject["project"]["requires-python"].removeprefix(">=")
    needed = torch_requirements(importlib.metadata.requires("torch") or [])
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "uv.toml"
        config.write_text(settings(models, needed), encoding="utf-8")
        also = Path(folder) / "also.in"
        requires = pyproject["build-system"]["requires"]
        also.write_text("\n".join([torch, *models, *requires]), encoding="utf-8")
        command = [str(Path(uv).absolute()), "pip", "compile", "--quiet", "--universal"]
        command += [f"--python-version={python}", f"--python={sys.executable}"]
        command += [f"--config-file={config}"]
        command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        command += ["--no-emit-package=torch", *(f"--extra={extra}" for extra in EXTRAS)]
        command += [str(PYPROJECT), str(also)]
        done = subprocess.run(command, cwd=folder, check=True, text=True, stdout=subprocess.PIPE)
    pins = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    return HEADER + "\n".join(pins) + "\n"


if __name__ == "__main__":
    uv, torch, *models = sys.argv[1:]
    lock = resolve(uv, torch, models)
    (ROOT / "requirements.lock").write_text(lock, encoding="utf-8")
    sys.stdout.write(f"requirements.lock pins {lock.count('==')} versions\n")
