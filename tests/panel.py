"""What a panel knows, kept as the protocol says: pushes in order, a gap healed by `state`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


def numbers(payload: dict[str, Any], buffers: list[Any]) -> np.ndarray[Any, Any]:
    """The array of a payload."""
    data = np.frombuffer(bytes(buffers[payload["buffer"]]), f"<{payload['dtype']}")
    return data.reshape(payload["shape"])


@dataclass
class Panel:
    """One panel's copy of the kernel's state."""

    revision: int = 0
    running: str | None = None
    traces: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: dict[str, dict[str, Any]] = field(default_factory=dict)
    payloads: dict[tuple[Any, ...], np.ndarray[Any, Any]] = field(default_factory=dict)

    def load(self, state: dict[str, Any]) -> None:
        """Take a whole state."""
        self.revision, self.running = state["revision"], state["running"]
        self.traces = {trace["id"]: trace for trace in state["traces"]}
        self.problems = {problem["cell"]: problem for problem in state["problems"]}

    def push(self, params: dict[str, Any], buffers: list[Any]) -> bool:
        """Take a push; return whether one before it was lost."""
        for payload in params["payloads"]:
            names = ("kind", "trace", "item", "site", "head", "query")
            place = tuple(payload.get(name) for name in names)
            self.payloads[place] = numbers(payload, buffers)
        if params["revision"] <= self.revision:
            return False
        if params["revision"] > self.revision + 1:
            return True
        self.revision, self.running = params["revision"], params["running"]
        for gone in params["removed"]:
            self.traces.pop(gone, None)
        if "trace" in params:
            self.traces[params["trace"]["id"]] = params["trace"]
        for cell in params.get("resolved", []):
            self.problems.pop(cell, None)
        if "problem" in params:
            self.problems[params["problem"]["cell"]] = params["problem"]
        return False
