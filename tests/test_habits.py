"""The linters, the type checkers and the TypeScript tests, each reported as a test of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
TYPESCRIPT_TESTS = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("src/**/*.test.ts*"))


def schema(name: str, pattern: str) -> list[object]:
    """Check files in `.github` against a schema that comes with the checker."""
    files = sorted((ROOT / ".github").glob(pattern))
    return [BIN / "check-jsonschema", "--builtin-schema", f"vendor.{name}", *files]


COMMANDS: dict[str, list[object]] = {
    "ruff finds no fault": [BIN / "ruff", "check", "."],
    "Python is formatted": [BIN / "ruff", "format", "--check", "."],
    "Python is strictly typed": [BIN / "mypy"],
    "Python's arrows go one way": [BIN / "lint-imports"],
    "TypeScript is strictly typed": ["npx", "tsc", "--noEmit"],
    "eslint finds no fault and TypeScript's arrows go one way": ["npx", "eslint", "."],
    "TypeScript is formatted": ["npx", "prettier", "--check", "."],
    "the messages of both sides are the same": [
        sys.executable, "-m", "attnlab.server.typescript", "--check",
    ],
    "workflows are valid": schema("github-workflows", "workflows/*.yml"),
    "actions are valid": schema("github-actions", "actions/*/action.yml"),
    "issue forms are valid": schema("github-issue-forms", "ISSUE_TEMPLATE/[!c]*.yml"),
    "the list of issue forms is valid": schema("github-issue-config", "ISSUE_TEMPLATE/config.yml"),
    "the citation is valid": schema("citation-file-format", "../CITATION.cff"),
}  # fmt: skip


def run(command: list[object]) -> subprocess.CompletedProcess[str]:
    """Run a tool in the project's folder."""
    words = [str(word) for word in command]
    program = shutil.which(words[0])
    assert program, f"{words[0]} is not installed: run `make test`"
    return subprocess.run(
        [program, *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("promise", COMMANDS)
def test_that(promise: str) -> None:
    done = run(COMMANDS[promise])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def vitest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    """Results of one vitest run: test file → its tests."""
    report = tmp_path_factory.mktemp("vitest") / "report.json"
    done = run(["npx", "vitest", "run", "--reporter=json", f"--outputFile={report}"])
    assert report.exists(), done.stdout + done.stderr
    files = json.loads(report.read_text())["testResults"]
    return {str(Path(f["name"]).relative_to(ROOT)): f["assertionResults"] for f in files}


@pytest.mark.parametrize("file", TYPESCRIPT_TESTS)
def test_typescript_tests_pass_in(file: str, vitest: dict[str, list[dict[str, object]]]) -> None:
    results = vitest[file]
    assert results, f"{file} ran no test"
    failed = [
        f"{r['fullName']}: {r['failureMessages']}" for r in results if r["status"] != "passed"
    ]
    assert not failed, "\n".join(failed)


def test_there_are_typescript_tests() -> None:
    assert TYPESCRIPT_TESTS
