"""What can be asked of a trace that it does not have; each says what it has."""

from __future__ import annotations


class NoSuchSiteError(IndexError):
    """The trace has no such attention call."""

    def __init__(self, site: int, count: int) -> None:
        super().__init__(f"site {site} is not in this trace: it has the sites 0 to {count - 1}")


class NoSuchHeadError(IndexError):
    """The site has no such head."""

    def __init__(self, site: int, head: int, count: int) -> None:
        super().__init__(f"head {head} is not in site {site}: it has the heads 0 to {count - 1}")


class NoSuchQueryError(IndexError):
    """The site has no such query."""

    def __init__(self, site: int, query: int, count: int) -> None:
        super().__init__(
            f"query {query} is not in site {site}: it has the queries 0 to {count - 1}"
        )


class NoSuchItemError(IndexError):
    """The batch has no such item."""

    def __init__(self, item: int, count: int) -> None:
        super().__init__(f"item {item} is not in this trace: it holds the items 0 to {count - 1}")
