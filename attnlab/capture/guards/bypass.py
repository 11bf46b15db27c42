"""A switch that turns the replacement of a function off for the current thread."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Bypass(threading.local):
    """Whether calls in the current thread need not be noticed.

    A step of ``generate`` makes hundreds of module calls that concern nobody.
    """

    on = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Turn it on for a block."""
        before, self.on = self.on, True
        try:
            yield
        finally:
            self.on = before
