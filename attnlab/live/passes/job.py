"""The interface of a pass over an edited text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Job(Protocol):
    """One pass over an edited text.

    Attributes
    ----------
    key
        Identifies the document of the text.
    """

    key: str

    def run(self, stop: Callable[[], bool]) -> Callable[[], None] | None:
        """Run the pass, and return a function that delivers the result; None if stopped.

        Must not raise. It must poll `stop`, and return soon after `stop` has returned true. It
        must not change state or send responses: the returned function does this, and is called
        only if the result is still needed.
        """

    def discard(self) -> None:
        """Handle that the pass will not run or was stopped; called at most once."""

    def abandon(self, why: str) -> None:
        """Handle that the pass was abandoned; its thread may still be running.

        `why` is the beginning of a sentence that is shown to the user.
        """
