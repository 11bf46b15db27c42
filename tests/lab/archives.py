"""Wheel and sdist of this project, for the tests that read or install them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def build(source: Path, into: Path, umask: int = -1) -> dict[str, Path]:
    """Build both archives of a folder whose TypeScript is built already."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel"]
    done = subprocess.run(
        [*command, "-d", str(into)],
        check=False,
        cwd=source,
        umask=umask,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return found(into)


def found(folder: Path) -> dict[str, Path]:
    """Find the archives in a folder, which has one of each kind."""
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


def of_this_checkout(into: Path) -> dict[str, Path]:
    """Return the archives that `make dist` checks, or build them."""
    given = os.environ.get("ATTNLAB_ARCHIVES")
    return found(ROOT / given) if given else build(ROOT, into)
