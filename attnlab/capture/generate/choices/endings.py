"""Notes where the texts of a batch end: behind a finished text, ``generate`` fills in padding."""

from __future__ import annotations

import torch

RUNNING = torch.iinfo(torch.int64).max
"""The end of a text that is not finished."""


class Endings:
    """Where the rows of a batch were finished, as the stopping criteria decided.

    Rows are those of the passes, so this describes texts only if no pass reorders them.
    """

    def __init__(self) -> None:
        self._ends: torch.Tensor | None = None

    def decide(self, length: int, finished: torch.Tensor, rows: int) -> None:
        """Note a decision.

        Parameters
        ----------
        length
            Number of tokens of each text, with the newest one.
        finished
            Shape (rows,), booleans: the rows that get padding from now on.
        rows
            Number of rows of the passes.
        """
        # A single text has no padding: generate() returns when it is finished.
        if rows == 1 or tuple(finished.shape) != (rows,):
            return
        # Reading values here would make a GPU wait, so the decisions are combined on the device.
        ends = torch.where(finished.detach().bool(), length, RUNNING)
        self._ends = ends if self._ends is None else torch.minimum(self._ends, ends)

    def of(self, row: int) -> int:
        """Return the number of tokens of a row's text, without padding; `RUNNING` if unfinished."""
        return RUNNING if self._ends is None else int(self._ends[row])
