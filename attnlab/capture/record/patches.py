"""Names positions that are not text: the patches of an image, and plain positions."""

from __future__ import annotations

import re
from dataclasses import replace
from operator import floordiv
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.image_settings import patch_sides
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.tokens.image_position import grid
from attnlab.capture.tokens.tokens import TokenInfo

if TYPE_CHECKING:
    from attnlab.capture.feed.model_inputs import ModelInputs
    from attnlab.capture.record.attention_record import AttentionRecord

TOWER = re.compile(r"visi|visual|image|pixel|video|audio|speech|patch", re.IGNORECASE)

EXTRA = 8
"""Maximum number of tokens before the patches that are not patches, e.g. ``[CLS]``, registers."""


class Patches:
    """Names the axes of one model call that are not text."""

    def __init__(self, model: Any, inputs: ModelInputs) -> None:
        self._inputs = inputs
        self._reads_text = inputs.ids is not None or inputs.decoder is not None
        self._sides = patch_sides(getattr(model, "config", None))

    def owns(self, record: AttentionRecord) -> bool:
        """Whether a call belongs to a module for images or sound beside the text."""
        return self._reads_text and TOWER.search(record.stack) is not None

    def sequence(self, record: AttentionRecord, length: int) -> Sequence:
        """Name the positions of an axis that has no tokens."""
        tower = self.owns(record) or not self._reads_text
        return self.named(length) if tower else self._positions(length)

    def named(self, length: int) -> Sequence:
        """Name positions after their patch, ``row,column``, if the image has as many patches."""
        if self._inputs.pixels is None or self._sides is None:
            return self._positions(length)
        high, wide = map(floordiv, self._inputs.pixels, self._sides)
        extra = length - high * wide
        if not 0 <= extra <= EXTRA:
            return self._positions(length)
        names = ["[CLS]", *(f"[REG {index}]" for index in range(1, extra))][:extra]
        # One sequence names the patches of all images.
        image = 0 if self._inputs.paired else None
        tokens = [TokenInfo(id=-1, text=name, piece="", special=True) for name in names]
        tokens += [
            TokenInfo(
                id=-1,
                text=f"{place.row},{place.column}",
                piece="",
                image=replace(place, index=image),
            )
            for place in grid(high, wide)
        ]
        return Sequence("patches", [Tokens(tokens)])

    def _positions(self, length: int) -> Sequence:
        return Sequence("positions", [Tokens(positions(length))])


def positions(length: int) -> list[TokenInfo]:
    """Return tokens that are named by their index."""
    return [TokenInfo(id=-1, text=str(index), piece="") for index in range(length)]
