"""Names for what is no text: the patches of a picture, and bare positions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attnlab.capture.sequence import Sequence, Tokens
from attnlab.capture.tokens import TokenInfo

if TYPE_CHECKING:
    from attnlab.capture.inputs import Inputs
    from attnlab.capture.records import Record

TOWER = re.compile(r"visi|visual|image|pixel|video|audio|speech|patch", re.IGNORECASE)

EXTRA = 8
"""How many tokens that are no patches may stand before them, e.g. ``[CLS]``, registers."""


class Patches:
    """The axes of one model call that hold no text."""

    def __init__(self, model: Any, inputs: Inputs) -> None:
        self._inputs = inputs
        self._reads_text = inputs.ids is not None or inputs.decoder is not None
        config = getattr(model, "config", None)
        vision = getattr(config, "vision_config", config)
        size = getattr(vision, "patch_size", None)
        self._side = size if isinstance(size, int) and size > 0 else None

    def owns(self, record: Record) -> bool:
        """Whether a call belongs to a tower beside the text."""
        return self._reads_text and TOWER.search(record.stack) is not None

    def sequence(self, record: Record, length: int) -> Sequence:
        """Name the positions of an axis that has no tokens."""
        tower = self.owns(record) or not self._reads_text
        return self.named(length) if tower else self._positions(length)

    def named(self, length: int) -> Sequence:
        """Name positions by their patch, ``row,column``, where the picture has as many."""
        if self._inputs.pixels is None or self._side is None:
            return self._positions(length)
        high, wide = (side // self._side for side in self._inputs.pixels)
        extra = length - high * wide
        if not 0 <= extra <= EXTRA:
            return self._positions(length)
        names = ["[CLS]", *(f"[REG {place}]" for place in range(1, extra))][:extra]
        names += [f"{row},{column}" for row in range(high) for column in range(wide)]
        tokens = [
            TokenInfo(id=-1, text=name, piece="", special=place < extra)
            for place, name in enumerate(names)
        ]
        return Sequence("patches", [Tokens(tokens)])

    def _positions(self, length: int) -> Sequence:
        tokens = [TokenInfo(id=-1, text=str(place), piece="") for place in range(length)]
        return Sequence("positions", [Tokens(tokens)])
