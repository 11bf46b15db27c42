"""The rows of the steps of ``generate``, shared by sites that are alike.

Calls of several layers are mostly the same in each step but for their tensors. So sites share the
objects that describe their rows, and what is derived from these.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from attnlab.capture.generate.returned_texts import FIRST
from attnlab.capture.generate.rows import StepRows
from attnlab.capture.reading.errors import UnreadableError

if TYPE_CHECKING:
    from attnlab.capture.generate.returned_texts import Path
    from attnlab.capture.generate.step import Block, SiteKey
    from attnlab.capture.generate.stream import Stream


class StepGroup:
    """The rows of some steps, of all sites that share the calls.

    Parameters
    ----------
    rows
        The rows, in the order of the text.
    """

    def __init__(self, rows: tuple[StepRows, ...]) -> None:
        self.rows = rows

    @cached_property
    def count(self) -> int:
        """Number of rows."""
        return sum(row.count for row in self.rows)

    @cached_property
    def changed(self) -> int | None:
        """Index of the first step whose keys are not those of the passes before; None if none."""
        return next((n for n, row in enumerate(self.rows) if row.call.changed is not None), None)

    @cached_property
    def doubt(self) -> str:
        """The first doubt of a call."""
        return next((row.call.doubt for row in self.rows if row.call.doubt), "")

    @cached_property
    def key_counts(self) -> set[int]:
        """How many keys the calls were given."""
        return {row.keys for row in self.rows}

    @cached_property
    def alike(self) -> bool:
        """Whether all blocks have the same number of calls."""
        return len({_calls(row.block) for row in self.rows}) == 1


class SiteSteps:
    """The rows of the steps of one site.

    Attributes
    ----------
    group
        The rows.
    indices
        By row, the index of the site on the first axis of the block's tensors.
    """

    def __init__(self, group: StepGroup, indices: tuple[int, ...]) -> None:
        self.group, self.indices = group, indices

    def __getitem__(self, steps: slice) -> SiteSteps:
        """Return some of the steps."""
        return SiteSteps(StepGroup(self.group.rows[steps]), self.indices[steps])

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.indices)

    @property
    def index(self) -> int | None:
        """The index if it is the same in all blocks, and these have the same number of calls."""
        same = self.group.alike and len(set(self.indices)) == 1
        return self.indices[0] if same else None


class SharedSteps:
    """Finds the rows of steps; sites that are alike in all steps share one `StepGroup`.

    Parameters
    ----------
    stream, path
        The passes, and the texts that were returned.
    """

    def __init__(self, stream: Stream, path: Path) -> None:
        self._segments = [
            (stream.steps[segment.step], segment)
            for segment in path.segments
            if segment.step != FIRST
        ]
        # The steps keep their blocks and calls as long as this object exists.
        self._groups: dict[tuple[int, ...], StepGroup] = {}

    def of(self, site: SiteKey) -> SiteSteps:
        """Return the rows of a site.

        Raises
        ------
        UnreadableError
            If the site was not called in every step.
        """
        blocks = [step.find(site) for step, _ in self._segments]
        found = [block for block in blocks if block is not None]
        if len(found) < len(blocks):
            raise UnreadableError("it was not called in every step of generate()")
        calls = [block.at(site) for block in found]
        identity = (*map(id, found), *map(id, calls))
        if identity not in self._groups:
            self._groups[identity] = StepGroup(
                tuple(
                    StepRows(
                        call, part.offset, part.count, part.start, step.stop, part.items, block
                    )
                    for (step, part), block, call in zip(self._segments, found, calls, strict=True)
                )
            )
        return SiteSteps(self._groups[identity], tuple(block.sites[site] for block in found))


def _calls(block: Block) -> int:
    """Return the number of calls of a block."""
    some = block.query if block.query is not None else block.value
    return 0 if some is None else int(some.shape[0])
