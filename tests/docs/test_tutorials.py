"""The tutorial notebooks run from top to bottom, and their results are what the text claims."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from docs.tutorials import NOTEBOOKS, run

HIDDEN = "remove-cell"
"""Tag of cells that check results and are not part of the page."""


def checks(path: Path) -> list[nbformat.NotebookNode]:
    """Return the cells that check results."""
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if HIDDEN in cell.metadata.get("tags", [])]


def test_there_are_six_tutorials() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "encoder",
        "generate",
        "long-texts",
        "module",
        "python",
        "vision",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_tutorial_runs_and_its_checks_pass(path: Path) -> None:
    finished = run(nbformat.read(path, as_version=4))
    codes = [cell for cell in finished.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in codes)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_tutorial_checks_its_results(path: Path) -> None:
    assert sum(cell.source.count("assert ") for cell in checks(path)) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_tutorial_is_committed_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    codes = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.id for cell in codes if cell.outputs or cell.execution_count] == []
