"""Names of the notebook that typed text may use: plain data, tokenizers and pure functions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from attnlab.live.findings import NotComputedError, OpaqueError
from attnlab.live.templates.tokenizers import is_tokenizer
from attnlab.live.values.budget import Budget
from attnlab.live.values.operators import FUNCTIONS
from attnlab.live.values.plain_data import copy_plain

READ = 1 << 15
"""Steps for copying the value of one name."""


class Names(Mapping[str, Any]):
    """The notebook's names as an evaluation may read them.

    The value of a name that refers to anything else is an `OpaqueError`.

    Parameters
    ----------
    namespace
        The kernel's namespace. Each name is read once, on first access.
    budget
        Budget of the edit. A name whose value exceeds `READ` is unknown, and costs one step.
    """

    def __init__(self, namespace: Mapping[str, Any], budget: Budget | None = None) -> None:
        self._namespace = string_keys(namespace)
        self._budget = budget or Budget()
        self._values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self._read(name, self._namespace[name])
        return self._values[name]

    def _read(self, name: str, value: Any) -> Any:
        if value is textwrap or is_tokenizer(value) or any(value is known for known in FUNCTIONS):
            return value
        try:
            return copy_plain(value, self._budget.part(READ))
        except NotComputedError as error:
            return OpaqueError(f"`{name}` is unknown: {error.why}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespace)

    def __len__(self) -> int:
        return len(self._namespace)


def string_keys(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the entries of a namespace whose keys are strings.

    A key of another type may run code when any name is looked up. So may a mapping that is not a
    dictionary: nothing is read from it.
    """
    if type(namespace) is not dict:
        return {}
    return {name: value for name, value in list(namespace.items()) if type(name) is str}
