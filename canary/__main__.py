"""Run the canary's tests in this environment: ``python -m canary FOLDER [pytest's options]``.

``--unless-locked`` skips the tests if all versions are those of the lock, for which they also run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from canary.lock import LOCK, locked
from canary.report import END, OUTCOMES, VERSIONS, differences, installed, python, report

TESTS = [
    "tests/unit",
    "tests/kernel",
    "tests/zoo",
    # A real JupyterLab, a tagged cell, the panel and its numbers.
    "tests/lab/test_path.py::test_hovering_a_token_marks_it_everywhere_and_prints_its_weights",
]


def main() -> int:
    """Write down the versions, run the tests, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m canary")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--unless-locked", action="store_true")
    choice, options = parser.parse_known_args()
    folder: Path = choice.folder
    folder.mkdir(parents=True, exist_ok=True)
    for old in (VERSIONS, OUTCOMES, END):
        (folder / old).unlink(missing_ok=True)
    versions, lock = installed(), locked(LOCK.read_text(encoding="utf-8"))
    same = choice.unless_locked and not differences(versions, lock)
    found = {"python": python(), "versions": versions, "same": same}
    (folder / VERSIONS).write_text(json.dumps(found, indent=1), encoding="utf-8")
    status = 0
    if not same:
        recorder = ["-p", "canary.outcomes", f"--outcomes={folder / OUTCOMES}"]
        command = [sys.executable, "-m", "pytest", *recorder, *options, *TESTS]
        status = subprocess.run(command, check=False).returncode
    sys.stdout.write(report(folder, lock))
    return status


if __name__ == "__main__":
    sys.exit(main())
