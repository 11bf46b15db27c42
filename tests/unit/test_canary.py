"""The canary reports the differences from the lock and the outcomes, however the run ended."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from canary.lock import locked
from canary.oldest import minimum, minimums
from canary.report import END, OUTCOMES, VERSIONS, differences, report
from canary.requirements import ROOT

LOCKED = {"numpy": "2.4.6", "transformers": "5.24.0"}
# A summary in the format of pytest, which programs search for in logs.
SUMMARY = re.compile(r"\d+ (passed|failed|errors?|skipped)|^=+ .* =+$", re.MULTILINE)


def left(folder: Path, *, versions: dict[str, str], same: bool = False) -> Path:
    """Write the files of a run with a complete installation."""
    found = {"python": "3.11.7", "same": same, "versions": {"torch": "2.13.0"} | versions}
    (folder / VERSIONS).write_text(json.dumps(found))
    return folder


def ended(folder: Path, status: int) -> None:
    (folder / END).write_text(json.dumps({"status": status, "minutes": 20}))


def outcomes(folder: Path, *entries: dict[str, object]) -> None:
    (folder / OUTCOMES).write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_markers_choose_one_version_for_each_python() -> None:
    text = (
        "# a comment\nnumpy==2.4.6 ; python_full_version < '3.12'\n"
        "numpy==2.5.5 ; python_full_version >= '3.12'\nA_b.c==1.0  # via x\n"
    )
    assert locked(text, {"python_full_version": "3.11.7"}) == {"numpy": "2.4.6", "a-b-c": "1.0"}
    assert locked(text, {"python_full_version": "3.13.0"}) == {"numpy": "2.5.5", "a-b-c": "1.0"}


@pytest.mark.parametrize(
    ("requirement", "lowest"),
    [("a>=1.2", "1.2"), ("a>=4.4,<5", "4.4"), ("a~=1.3", "1.3"), ("a==2.0", "2.0")],
)
def test_the_minimum_is_what_a_requirement_states(requirement: str, lowest: str) -> None:
    assert minimum(Requirement(requirement)) == Version(lowest)


@pytest.mark.parametrize("requirement", ["a", "a<5", "a!=2"])
def test_a_requirement_without_a_minimum_is_an_error(requirement: str) -> None:
    with pytest.raises(ValueError, match="no minimum"):
        minimum(Requirement(requirement))


def test_the_higher_of_two_minimums_is_installed() -> None:
    found = minimums(["a>=1", "A>=1.10", "a>=1.9", "b>=3; python_version < '3'"])
    assert found == {"a": Version("1.10")}


def test_only_packages_that_differ_are_listed() -> None:
    versions = {
        "numpy": "2.4.6",
        "transformers": "5.25.0",
        "novel": "1.0",
        "torch": "3",
        "pip": "1",
    }
    assert differences(versions, LOCKED) == [
        "novel 1.0 (locked: no)",
        "transformers 5.25.0 (locked: 5.24.0)",
    ]
    assert differences(LOCKED, LOCKED) == []


def test_a_finished_run_reports_counts_and_failing_tests(tmp_path: Path) -> None:
    outcomes(
        left(tmp_path, versions={"transformers": "5.25.0"}),
        {"test": "a::one", "outcome": "passed", "reason": ""},
        {"test": "a::two", "outcome": "failed", "reason": ""},
        {"test": "a::three", "outcome": "passed", "reason": ""},
        {"test": "a::three", "outcome": "failed", "reason": ""},  # its clean-up
        {"test": "a::four", "outcome": "skipped", "reason": "Skipped: 5.25.0 has no XModel"},
        {"ended": 1},
    )
    ended(tmp_path, 2)
    assert report(tmp_path, LOCKED).splitlines() == [
        "Python 3.11.7, torch 2.13.0",
        "Different from the lock:",
        "  transformers 5.25.0 (locked: 5.24.0)",
        "Tests finished:",
        "  passing: 1",
        "  failing: 2",
        "    a::two",
        "    a::three",
        "  not run: 1",
        "    1 x 5.25.0 has no XModel",
    ]


@pytest.mark.parametrize("status", [124, 137])
def test_a_run_that_took_too_long_reports_what_it_has_until_then(
    tmp_path: Path, status: int
) -> None:
    outcomes(
        left(tmp_path, versions={"transformers": "5.25.0"}),
        {"test": "a::one", "outcome": "passed", "reason": ""},
    )
    with (tmp_path / OUTCOMES).open("a") as file:
        file.write('{"test": "a::tw')  # ended while it wrote
    ended(tmp_path, status)
    reported = report(tmp_path, LOCKED)
    assert "Tests did not finish in 20 minutes:\n  passing: 1\n  failing: 0\n" in reported


def test_an_aborted_run_does_not_count_as_finished(tmp_path: Path) -> None:
    left(tmp_path, versions={"transformers": "5.25.0"})
    ended(tmp_path, 2)
    assert "Tests did not finish:\n  passing: 0\n" in report(tmp_path, LOCKED)
    outcomes(tmp_path, {"test": "a::one", "outcome": "passed", "reason": ""}, {"ended": 3})
    assert "Tests did not finish:\n  passing: 1\n" in report(tmp_path, LOCKED)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (1, "The installation failed.\n"),
        (124, "The installation did not finish in 20 minutes.\n"),
    ],
)
def test_a_failed_installation_is_reported(tmp_path: Path, status: int, message: str) -> None:
    ended(tmp_path, status)
    assert report(tmp_path, LOCKED) == message


def test_where_nothing_differs_from_the_lock_no_test_runs_twice(tmp_path: Path) -> None:
    reported = report(left(tmp_path, versions=LOCKED, same=True), LOCKED)
    assert "All versions are those of the lock." in reported
    assert "passing" not in reported


TESTS = """
import pytest
def test_passes(): pass
def test_fails(): assert False
@pytest.mark.skip(reason="not in this release")
def test_is_absent(): pass
@pytest.fixture
def broken():
    yield
    raise RuntimeError
def test_breaks_afterwards(broken): pass
"""


def pytest_in(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the project's plugins in a separate folder."""
    command = [sys.executable, "-m", "pytest", "--rootdir=.", "-c", "none.ini", *options]
    (folder / "none.ini").write_text("[pytest]\n")
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=folder, env=env, check=False, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "with workers"])
def test_each_outcome_is_reported_once(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    left(tmp_path, versions={"transformers": "5.25.0"})
    pytest_in(tmp_path, "-p", "canary.outcomes", f"--outcomes={OUTCOMES}", *workers)
    reported = report(tmp_path, LOCKED)
    assert "Tests finished:\n  passing: 1\n  failing: 2\n" in reported
    assert {"    test_it.py::test_fails", "    test_it.py::test_breaks_afterwards"} <= set(
        reported.splitlines()
    )
    assert "  not run: 1\n    1 x not in this release\n" in reported


def test_a_file_that_cannot_be_imported_counts_as_failing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import no_such_package\n")
    left(tmp_path, versions={"transformers": "5.25.0"})
    pytest_in(tmp_path, "-p", "canary.outcomes", f"--outcomes={OUTCOMES}")
    reported = report(tmp_path, LOCKED)
    assert "Tests did not finish:\n  passing: 0\n  failing: 1\n    test_it.py\n" in reported


def test_the_report_is_directly_before_the_only_summary(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    left(tmp_path, versions={"transformers": "5.25.0"})
    ended(tmp_path, 124)
    printed = pytest_in(tmp_path, "-ra", "-p", "canary.summary", "--canary=.").stdout
    before, _, after = printed.partition("canary: the newest releases")
    shown, _, after = after.partition("the lock ---")
    assert "Tests did not finish in 20 minutes" in shown
    assert not SUMMARY.search(shown)
    assert "short test summary info" in after
    assert len(SUMMARY.findall(after.splitlines()[-1])) >= 1
    assert not re.search(r"\d+ (passed|failed)", before)
