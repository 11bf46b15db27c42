"""The table of promises in SECURITY.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| (?P<promise>[^|]+) \| (?P<tests>[^|]+) \|$", re.M)


def rows() -> dict[str, list[str]]:
    """Read the table: promise → tests, as their places are written."""
    table = (ROOT / "SECURITY.md").read_text().partition("## Each promise and its test")[2]
    found = {}
    for row in ROW.finditer(table):
        tests = re.findall(r"`([^`]+)`", row["tests"])
        if tests:
            found[row["promise"].strip()] = tests
    return found


ROWS = rows()


def named_in(path: Path) -> set[str]:
    """List what pytest or vitest finds in a file."""
    if path.suffix == ".ts":
        return set(re.findall(r"^ *test(?:\.\w+)*\(", path.read_text(), re.M))
    found = set()
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):  # of a state machine
                found.add(name)
    return {name for name in found if re.match("test|Test", name)}


def test_all_kinds_of_promises_are_in_the_table() -> None:
    assert len(ROWS) > 30


@pytest.mark.parametrize("promise", ROWS)
def test_the_tests_of_a_promise_exist(promise: str) -> None:
    for entry in ROWS[promise]:
        file, _, name = entry.partition("::")
        path = ROOT / file
        assert path.is_file(), f"{entry}: no such file"
        found = named_in(path)
        assert found, f"{entry}: no test in it"
        assert not name or name in found, f"{entry}: no such test"
