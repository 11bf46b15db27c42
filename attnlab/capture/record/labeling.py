"""Puts the user's labels on the positions of a call's main sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.tokens.tokens import TokenInfo, sendable, visible

if TYPE_CHECKING:
    from collections.abc import Sequence as Several

    from attnlab.capture.feed.model_inputs import ModelInputs
    from attnlab.capture.tokens.labels import Labels


@dataclass(frozen=True)
class Labeling:
    """The labels for one call.

    Attributes
    ----------
    labels
        The labels that the user gave.
    inputs
        The inputs of the call.
    items
        Number of recorded batch items.
    """

    labels: Labels
    inputs: ModelInputs
    items: int

    def fit(self, sequence: Sequence) -> tuple[int, str]:
        """Return the number of positions that the labels are for, and why it is 0.

        That is every position, or the prompt of a call of ``generate``.
        """
        rows = self._rows(sequence)
        if rows is None:
            batch = self._batch(sequence)
            given = _counted(len(self.labels.rows), "batch item")
            return 0, (
                f"tokens= has labels for {given}, and this call has {batch}: they are not shown. "
                "Pass one list of labels for each batch item, or one list of strings for all of "
                "them."
            )
        length, prompt = len(sequence), self.inputs.prompt
        for count in (length, prompt):
            if count is not None and all(len(row) == count for row in rows):
                return count, ""
        positions = _counted(length, "position")
        if prompt is not None:
            positions += f", {prompt} of them in the prompt"
        return 0, (
            f"tokens= has {self.labels.count()}, and this call has {positions}: the labels are not "
            "shown. Pass one label for each position, including special tokens and padding."
        )

    def sequence(self, sequence: Sequence, count: int, name: str) -> Sequence:
        """Return the main sequence with labels on its first positions.

        `name` is the name that it has with token ids, which finds the padding mask.
        """
        rows = self._rows(sequence) if count else None
        if rows is None:
            return sequence
        items = sequence.items if len(sequence.items) > 1 else sequence.items * len(rows)
        rows = rows * (len(items) // len(rows))
        # One row for several items cannot have the padding of each of them.
        padded = len(items) > 1 or self.inputs.batch == 1
        labeled = []
        for index, (item, row) in enumerate(zip(items, rows, strict=True)):
            tokens = [
                *map(_labeled, item.tokens, row),
                *item.tokens[count:],
            ]
            tokens = self.inputs.padded(tokens, index, name) if padded else tokens
            labeled.append(Tokens(tokens, item.text))
        return Sequence(sequence.name, labeled)

    def _batch(self, sequence: Sequence) -> int:
        """Return the number of recorded texts, or of recorded items of a call without texts."""
        return len(sequence.items) if len(sequence.items) > 1 else self.items

    def _rows(self, sequence: Sequence) -> list[tuple[str, ...]] | None:
        """Return the labels of each item, or one row for all; None if their number differs."""
        rows = list(self.labels.rows)
        if self.labels.shared:
            return rows
        batch = self._batch(sequence)
        if len(rows) in (batch, self.inputs.batch):
            return rows[:batch]  # If memory is short, only the first items are recorded.
        return self._spread(rows)

    def _spread(self, rows: Several[tuple[str, ...]]) -> list[tuple[str, ...]] | None:
        """Return the labels of the texts of ``generate``, which are several for each prompt."""
        prompt, ids = self.inputs.prompt, self.inputs.decoder or self.inputs.ids
        if self.inputs.written is not None and not self.inputs.batch % len(rows):
            share = self.inputs.batch // len(rows)
            return [row for row in rows for _ in range(share)]
        if prompt is None or not ids:
            return None
        groups = [list(group) for _, group in groupby(ids, lambda text: text[:prompt])]
        if len(groups) != len(rows):
            return None
        return [row for row, group in zip(rows, groups, strict=True) for _ in group]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _labeled(token: TokenInfo, label: str) -> TokenInfo:
    return replace(token, text=visible(label), piece=sendable(label), part=False)
