"""Maps batch items of a trace to those of its sites and sequences, whose number may differ."""

from __future__ import annotations


def corresponding_item(item: int, items: int, count: int) -> int:
    """Return the index, among `count` items, that corresponds to a batch item of a trace.

    A vision tower may have several items for each item of the trace; this returns the first of
    them. A sequence may have one item for all items of the trace.

    Parameters
    ----------
    item, items
        Index of the trace's batch item, and the number of items in its batch.
    count
        Number of items of the site or sequence.
    """
    return item * count // items
