"""Measures ``import attnlab``, compared with its dependency anywidget."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

ROUNDS = 9
IMPORTS = {
    "nothing": "pass",
    "attnlab": "import attnlab",
    "anywidget": "import anywidget",
    "the backend (attnlab.widget)": "import attnlab.widget",
}
PROBE = "import time; t = time.perf_counter(); {}; print((time.perf_counter() - t) * 1000)"


def milliseconds(code: str) -> float:
    """Time of one statement in a new interpreter, in milliseconds."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(code)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def measure() -> Iterator[str]:
    """Interleave the rounds, so that slow moments of the machine affect all imports equally."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(ROUNDS):
        for name, code in IMPORTS.items():
            times[name].append(milliseconds(code))
    for name, values in times.items():
        yield f"- import {name}: {median(values):.0f} ms (median of {ROUNDS})"
