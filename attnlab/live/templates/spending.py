"""The budget that chat templates use while they are compiled and rendered."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.live.values.budget import Budget

_budget: ContextVar[Budget] = ContextVar("budget")


@contextlib.contextmanager
def spending(budget: Budget) -> Iterator[None]:
    """Let templates compile and render within a budget."""
    token = _budget.set(budget)
    try:
        yield
    finally:
        _budget.reset(token)


def current_budget() -> Budget:
    """Return the budget of the surrounding `spending` block."""
    return _budget.get()
