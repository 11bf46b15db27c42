"""The labels that the user gave for the positions of a call, e.g. residues or frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EXPECTED = "tokens= takes a list of strings, one for each position, or one such list per batch item"


@dataclass(frozen=True)
class Labels:
    """Labels by batch item.

    Attributes
    ----------
    rows
        The labels of each batch item; one row for all items if `shared`.
    shared
        Whether all batch items have the same labels.
    """

    rows: tuple[tuple[str, ...], ...]
    shared: bool

    @classmethod
    def of(cls, given: Any) -> Labels:
        """Read the argument ``tokens=``. The labels are copied: the list may change later.

        Raises
        ------
        TypeError
            If it is not a list of strings, or of such lists.
        ValueError
            If it is empty.
        """
        rows = _listed(given)
        if not rows:
            raise ValueError(f"{EXPECTED}; this list is empty")
        shared = not isinstance(rows[0], list | tuple) and not _is_array(rows[0])
        return cls(tuple(map(_row, [rows] if shared else rows)), shared)

    def count(self) -> str:
        """Return the number of labels of a batch item, in words."""
        counts = sorted({len(row) for row in self.rows})
        if len(counts) > 1:
            return f"{counts[0]} to {counts[-1]} labels per batch item"
        return "1 label" if counts[0] == 1 else f"{counts[0]} labels"


def _row(given: Any) -> tuple[str, ...]:
    row = _listed(given)
    for label in row:
        if not isinstance(label, str):
            raise TypeError(f"{EXPECTED}, not {type(label).__name__}: {label!r:.40}")
    return tuple(str(label) for label in row)


def _listed(given: Any) -> list[Any]:
    """Return the elements of a list, a tuple, or an array or column of a table."""
    if isinstance(given, str):
        raise TypeError(f"{EXPECTED}. For one label per character, pass tokens=list(…).")
    if isinstance(given, list | tuple):
        return list(given)
    listed = given.tolist() if hasattr(given, "tolist") else None
    if not isinstance(listed, list):
        raise TypeError(f"{EXPECTED}, not {type(given).__name__}")
    return listed


def _is_array(given: Any) -> bool:
    return hasattr(given, "tolist") and hasattr(given, "__len__") and not isinstance(given, str)
