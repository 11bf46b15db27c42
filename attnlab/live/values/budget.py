"""The budget for everything that is computed from typed text.

Each operation spends its maximum cost before it starts. Most operations run in C and cannot be
interrupted, so nothing else would limit them.
"""

from __future__ import annotations

import time

from attnlab.live.findings import NotComputedError

STEPS = 1 << 17
"""Steps: one per expression and per item, or per microsecond of a fast operation."""

CHARACTERS = 1 << 23
"""Total characters of all texts that are created."""

LARGEST = 1 << 20
"""Characters or items of one value."""

BITS = 1 << 12
"""Bits of an integer: operations on shorter ones, and their conversion to decimal, are fast."""

SECONDS = 2.0
"""Time limit. On a typical machine, the steps run out first."""

DEPTH = 100
"""Levels of nested containers."""

PER_STEP = 64
"""Characters per step."""


class OverBudgetError(NotComputedError):
    """The operation would exceed the remaining budget."""


class Budget:
    """Steps, characters and time for one edit.

    Once it is exceeded, it rejects everything.

    Parameters
    ----------
    steps, characters, seconds
        Limits.
    """

    def __init__(
        self, steps: int = STEPS, characters: int = CHARACTERS, seconds: float = SECONDS
    ) -> None:
        self._steps = steps
        self._characters = characters
        self._end = time.perf_counter() + seconds

    def part(self, steps: int) -> Budget:
        """Return a separate budget with the same deadline, for something optional."""
        self.spend(1)
        part = Budget(steps)
        part._end = self._end
        return part

    def spend(self, steps: int = 1) -> None:
        """Spend steps.

        Raises
        ------
        OverBudgetError
            If no steps or no time are left.
        """
        self._steps -= steps
        if self._steps < 0:
            raise OverBudgetError("computing the text takes too many steps to do it while typing")
        if time.perf_counter() > self._end:
            raise OverBudgetError("computing the text takes too long to do it while typing")

    def make(self, characters: int) -> None:
        """Spend the characters of a text that is about to be created, and the steps for it.

        Raises
        ------
        OverBudgetError
            If the text would be too long, or too few characters are left.
        """
        if characters > LARGEST:
            raise OverBudgetError(f"it would create a text of more than {LARGEST:,} characters")
        self._characters -= characters
        if self._characters < 0:
            raise OverBudgetError(
                "computing the text creates more intermediate text than is allowed while typing"
            )
        self.spend(1 + characters // PER_STEP)

    def list(self, items: int) -> None:
        """Spend the steps for a list that is about to be created.

        Raises
        ------
        OverBudgetError
            If it would have too many items, or too few steps are left.
        """
        if items > LARGEST:
            raise OverBudgetError(f"it would create a list of more than {LARGEST:,} items")
        self.spend(1 + items)

    def integer(self, bits: int) -> None:
        """Check the size of an integer that is about to be computed.

        Raises
        ------
        OverBudgetError
            If it has too many bits.
        """
        if bits > BITS:
            raise OverBudgetError(f"it would compute an integer of more than {BITS:,} bits")
