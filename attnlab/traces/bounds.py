"""Checks that the indices of a request are valid for a site."""

from __future__ import annotations

from dataclasses import dataclass

from attnlab.traces.errors import (
    NoSuchHeadError,
    NoSuchItemError,
    NoSuchPartError,
    NoSuchQueryError,
)


@dataclass(frozen=True)
class Bounds:
    """The numbers of batch items, heads, queries and keys of a site.

    Attributes
    ----------
    site
        Index of the site, for error messages.
    """

    site: int
    items: int
    heads: int
    queries: int
    keys: int

    def check(self, item: int, head: int = 0, query: int = 0) -> None:
        """Check a batch item, a head and a query.

        Raises
        ------
        NoSuchItemError, NoSuchHeadError, NoSuchQueryError
            All are IndexErrors that state the valid indices.
        """
        if not 0 <= item < self.items:
            raise NoSuchItemError(item, self.items, f"site {self.site}")
        if not 0 <= head < self.heads:
            raise NoSuchHeadError(self.site, head, self.heads)
        if not 0 <= query < self.queries:
            raise NoSuchQueryError(self.site, query, self.queries)

    def check_part(self, queries: range, keys: range) -> None:
        """Check a range of queries and a range of keys.

        Raises
        ------
        NoSuchPartError
            An IndexError that states the valid indices.
        """
        for axis, part, count in (("queries", queries, self.queries), ("keys", keys, self.keys)):
            if part.step != 1 or not 0 <= part.start < part.stop <= count:
                raise NoSuchPartError(self.site, axis, part, count)
