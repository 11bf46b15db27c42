"""A pytest plugin that writes down each test's outcome at once.

``pytest -p canary.outcomes --outcomes=FILE``: what has been written stays, also where the run
is ended from outside.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.addoption("--outcomes", type=Path, required=False, help="write outcomes to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Write for the whole run, not once more for each of its workers."""
    file = config.getoption("--outcomes")
    if file is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(file))


class Outcomes:
    """The file of outcomes: a JSON object a line, and a last one when the run has ended."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_text("", encoding="utf-8")

    def write(self, **entry: object) -> None:
        """Append an entry."""
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended, or what failed before or after it."""
        if report.when == "call" or report.outcome != "passed":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.write(test=report.nodeid, outcome=report.outcome, reason=reason)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that could not even be read."""
        if report.failed:
            self.write(test=report.nodeid, outcome="failed", reason="")

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Note that nothing is missing."""
        self.write(ended=int(exitstatus))
