"""A pytest plugin that prints the canary's report before the summary of the lock's tests.

``pytest -p canary.summary --canary=FOLDER``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.lock import LOCK, locked
from canary.report import report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the folder."""
    parser.addoption("--canary", type=Path, required=True, help="folder of the canary's results")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the report, after failures and warnings."""
    folder: Path = config.getoption("--canary")
    terminalreporter.write_sep("-", "canary: the newest releases")
    terminalreporter.write(report(folder, locked(LOCK.read_text(encoding="utf-8"))))
    terminalreporter.write_sep("-", "the lock")
