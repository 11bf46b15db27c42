"""A pytest plugin that writes the outcome of each test to a file immediately.

``pytest -p canary.outcomes --outcomes=FILE``: the file is complete up to the last test, even if the
run is killed.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the file."""
    parser.addoption("--outcomes", type=Path, required=False, help="write outcomes to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder in the main process only, not in each worker."""
    file = config.getoption("--outcomes")
    if file is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(file))


class Outcomes:
    """The file of outcomes: one JSON object per line, and a last one at the end of the run."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_text("", encoding="utf-8")

    def write(self, **entry: object) -> None:
        """Append an entry."""
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the outcome of a test, or of a failure in its setup or teardown."""
        if report.when == "call" or report.outcome != "passed":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.write(test=report.nodeid, outcome=report.outcome, reason=reason)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write a test file that could not be collected."""
        if report.failed:
            self.write(test=report.nodeid, outcome="failed", reason="")

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write that the run is complete."""
        self.write(ended=int(exitstatus))
