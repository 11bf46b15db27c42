"""Locates a call in the cell that is running."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.capture.guards.frames import is_hidden

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

LIBRARIES = frozenset(
    {"accelerate", "attnlab", "contextlib", "functools", "peft", "sentence_transformers", "torch",
     "transformers"}
)  # fmt: skip
"""Packages whose functions may be between a cell and a call: their behavior is known."""

INNER = frozenset({"<lambda>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Code objects of a cell that do not run when the cell itself does."""


@dataclass(frozen=True)
class Callsite:
    """The position of a call in a cell.

    Attributes
    ----------
    filename
        File name of the cell's code.
    position
        First and last line, from 1, and first and last column, in UTF-8 bytes from 0, of the
        call in the cell's source through which the call was made.
    through
        Name of the outermost function in between that does not belong to a known library; empty
        if there is none.
    """

    filename: str
    position: tuple[int, int, int, int]
    through: str


def callsite(names: Mapping[str, Any]) -> Callsite | None:
    """Find the cell among the callers of this function.

    Parameters
    ----------
    names
        The notebook's global names; the cell is the outermost code that has them as its globals.

    Returns
    -------
    Callsite or None
        None if no cell is among the callers, or Python has no position for the call.
    """
    frame: FrameType | None = sys._getframe(1)
    cell: FrameType | None = None
    outer: list[FrameType] = []
    between: list[FrameType] = []
    while frame is not None:
        if frame.f_globals is names and frame.f_code.co_name.startswith("<"):
            cell, between = frame, list(outer)
        outer.append(frame)
        frame = frame.f_back
    # In a new thread, no cell is among the callers, but a lambda of a cell may be.
    if cell is None or cell.f_code.co_name in INNER:
        return None
    position = next(itertools.islice(cell.f_code.co_positions(), cell.f_lasti // 2, None), None)
    if position is None or None in position:
        return None
    first, last, start, end = (part or 0 for part in position)
    callers = [
        caller for caller in between if _package(caller) != "attnlab" and not is_hidden(caller)
    ]
    others = [caller for caller in callers if _package(caller) not in LIBRARIES]
    through = others[-1].f_code.co_name if others else ""
    return Callsite(cell.f_code.co_filename, (first, last, start, end), through)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
