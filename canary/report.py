"""The canary's report: the versions that differ from the lock, and the outcomes of the tests."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

# These are part of every environment, or this project; torch has a separate pin.
NOT_LOCKED = {"attnlab", "pip", "torch", "uv"}
VERSIONS, OUTCOMES, END = "versions.json", "outcomes.jsonl", "end.json"


def installed() -> dict[str, str]:
    """Return the version of each package in this environment."""
    return {
        canonicalize_name(item.metadata["Name"]): item.version
        for item in distributions()
        if item.metadata["Name"]
    }


def differences(versions: Mapping[str, str], locked: Mapping[str, str]) -> list[str]:
    """List installed packages whose versions differ from the lock."""
    return [
        f"{name} {version} (locked: {locked.get(name, 'no')})"
        for name, version in sorted(versions.items())
        if name not in NOT_LOCKED and locked.get(name) != version
    ]


@dataclass
class Tests:
    """The outcomes of tests."""

    ended: bool = False
    outcomes: dict[str, str] = field(default_factory=dict)
    unrun: Counter[str] = field(default_factory=Counter)
    """Number of skipped tests, by reason."""

    @classmethod
    def read(cls, file: Path) -> Tests:
        """Read the outcomes of a run; its last line may be incomplete if the run was killed."""
        tests = cls()
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "ended" in entry:
                # Any other status is an error of pytest, or an interruption.
                tests.ended = entry["ended"] in (0, 1)
            elif tests.outcomes.get(entry["test"]) != "failed":
                tests.outcomes[entry["test"]] = entry["outcome"]
                if entry["outcome"] == "skipped":
                    tests.unrun[entry["reason"].removeprefix("Skipped: ")] += 1
        return tests

    def named(self, outcome: str) -> list[str]:
        """Return the tests with an outcome."""
        return [test for test, ended in self.outcomes.items() if ended == outcome]


def _content(file: Path) -> dict[str, Any]:
    """Read a JSON object; empty if the run did not reach this point."""
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def report(folder: Path, locked: Mapping[str, str]) -> str:
    """Create the report on a run from the files in its folder.

    It must not look like pytest's summary, because both may be in the same output.
    """
    found, end = _content(folder / VERSIONS), _content(folder / END)
    late = end.get("status") in (124, 137)  # of `timeout`: terminated, or killed
    unfinished = f"did not finish in {end.get('minutes')} minutes" if late else "did not finish"
    if not found:
        return f"The installation {unfinished if late else 'failed'}.\n"
    lines = [f"Python {found['python']}, torch {found['versions'].get('torch', 'absent')}"]
    differ = differences(found["versions"], locked)
    if not differ:
        lines.append("All versions are those of the lock.")
    else:
        lines += ["Different from the lock:", *(f"  {line}" for line in differ)]
    if found["same"]:
        return "\n".join([*lines, "The tests are skipped: they also run with the lock.", ""])
    tests = Tests.read(folder / OUTCOMES)
    lines.append(f"Tests {'finished' if tests.ended else unfinished}:")
    lines.append(f"  passing: {len(tests.named('passed')):,}")
    lines.append(f"  failing: {len(tests.named('failed')):,}")
    lines += [f"    {test}" for test in tests.named("failed")]
    if tests.unrun:
        lines.append(f"  not run: {tests.unrun.total():,}")
        lines += [f"    {count} x {reason}" for reason, count in tests.unrun.most_common()]
    return "\n".join([*lines, ""])


def python() -> str:
    """Return this Python's version."""
    return platform.python_version()
