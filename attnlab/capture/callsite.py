"""Where in the cell that runs a call was made."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import FrameType

    from attnlab.capture.observation import Observation

LIBRARIES = frozenset(
    {"accelerate", "attnlab", "contextlib", "functools", "peft", "sentence_transformers", "torch",
     "transformers"}
)  # fmt: skip
"""Packages whose functions may stand between a cell and a call: what they do is known."""

INNER = frozenset({"<lambda>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Code of a cell that does not run when the cell does."""


@dataclass(frozen=True)
class Callsite:
    """A call in a cell.

    Attributes
    ----------
    filename
        Of the cell's code.
    position
        First and last line, from 1, and first and last column, in UTF-8 bytes from 0, of the
        call in the cell's own code, through which the call was made.
    through
        Name of the outermost function between the two that is none of a known library; empty
        where there is none.
    direct
        Whether nothing stands between the two.
    """

    filename: str
    position: tuple[int, int, int, int]
    through: str
    direct: bool


def callsite(names: Mapping[str, Any]) -> Callsite | None:
    """Find the cell among the callers of this function.

    Parameters
    ----------
    names
        The notebook's names; the cell is the outermost code that has them as its globals.

    Returns
    -------
    Callsite or None
        None where no cell is among the callers, or Python knows no position in it.
    """
    frame: FrameType | None = sys._getframe(1)
    cell: FrameType | None = None
    others: list[FrameType] = []
    between: list[FrameType] = []
    while frame is not None:
        if frame.f_globals is names and frame.f_code.co_name.startswith("<"):
            cell, between = frame, list(others)
        others.append(frame)
        frame = frame.f_back
    # In a thread of its own no cell is among the callers, but a lambda of one may be.
    if cell is None or cell.f_code.co_name in INNER:
        return None
    position = next(itertools.islice(cell.f_code.co_positions(), cell.f_lasti // 2, None), None)
    if position is None or None in position:
        return None
    first, last, start, end = (part or 0 for part in position)
    own = [caller for caller in between if _package(caller) != "attnlab"]
    unknown = [caller for caller in own if _package(caller) not in LIBRARIES]
    through = unknown[-1].f_code.co_name if unknown else ""
    return Callsite(cell.f_code.co_filename, (first, last, start, end), through, not own)


def callsites_of(observations: Iterable[Observation]) -> dict[int, Callsite | None]:
    """Find where a call is made that is about to begin, for the blocks that ask, by their id."""
    return {
        id(observation): callsite(observation.sequences.namespace)
        for observation in observations
        if observation.fed
    }


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
