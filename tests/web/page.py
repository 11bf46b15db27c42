"""The page that shows a panel without Jupyter: its folder, bundled once or while files change."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"


def esbuild(into: Path, script: str) -> list[str]:
    """Return the command that bundles a kernel's script with the views, and the styles."""
    program = ROOT / "node_modules/.bin/esbuild"
    entries = [f"page={HERE / script}", f"panel={ROOT / 'style/index.css'}"]
    jsx = ["--format=iife", "--jsx=automatic", "--jsx-import-source=preact"]
    return [str(program), *entries, "--bundle", *jsx, f"--outdir={into}"]


def furnish(into: Path) -> None:
    """Copy what is not bundled: the page itself and JupyterLab's themes."""
    shutil.copy(HERE / "page.html", into)
    for theme in ("light", "dark", "dark-high-contrast"):
        shutil.copy(THEMES / f"theme-{theme}-extension/index.css", into / f"{theme}.css")


def bundle(into: Path, script: str = "fake.ts") -> None:
    """Bundle the views with a kernel's script, and the styles with JupyterLab's own themes."""
    subprocess.run([*esbuild(into, script), "--log-level=warning"], check=True, cwd=ROOT)
    furnish(into)
