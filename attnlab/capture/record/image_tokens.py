"""Finds where in its image each image token of a text is.

A model replaces the placeholders of a text by the states of its images, in the order of the batch
and of the text. So the number of tokens of each image decides which placeholder is which. If the
numbers do not agree exactly, nothing is said.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from attnlab.capture.feed.image_settings import first_number
from attnlab.capture.record.image_blocks import WITHOUT_PLACE, equal, packed, sized, tiled
from attnlab.capture.record.image_tiles import join_tiles

if TYPE_CHECKING:
    from typing import Any

    from attnlab.capture.feed.image_inputs import ImageInputs
    from attnlab.capture.feed.model_inputs import ModelInputs
    from attnlab.capture.record.attention_record import AttentionRecord
    from attnlab.capture.record.sequence import Sequence, Tokens
    from attnlab.capture.tokens.image_position import ImagePosition
    from attnlab.capture.tokens.tokens import TokenInfo

    Places = list[dict[int, ImagePosition]]
    """By batch item: positions in images by position in the text."""


class ImageTokens:
    """The image tokens of one call.

    Parameters
    ----------
    inputs
        The images of the call.
    processor
        The tokenizer or processor that the user gave; it may know the placeholders' ids.
    """

    def __init__(self, inputs: ImageInputs, processor: Any = None) -> None:
        self._inputs = inputs
        settings = inputs.settings
        image, video = settings.image_token, settings.video_token
        self._image = first_number(processor, "image_token_id") if image is None else image
        self._video = first_number(processor, "video_token_id") if video is None else video
        self._places: Places = [{} for _ in inputs.ids]
        if inputs.videos and not self._place_videos(inputs.videos):
            return
        if self._image is not None:
            self._place_images(self._image)

    def on(self, tokens: list[TokenInfo], ids: list[int], item: int) -> list[TokenInfo]:
        """Set the image positions of a text's tokens; `item` is its index among the texts."""
        inputs = self._inputs
        if inputs.spread is not None:
            item = inputs.spread[item] if item < len(inputs.spread) else -1
        if not 0 <= item < len(inputs.ids):
            return tokens
        given = inputs.ids[item]
        # A text may begin or end with ids that the model was not given in this call.
        if ids[: len(given)] != given or not self._places[item]:
            return tokens
        places = join_tiles(self._places[item], tokens, apart=self._apart)
        return [
            replace(token, image=places[position]) if position in places else token
            for position, token in enumerate(tokens)
        ]

    @property
    def _apart(self) -> bool:
        """Whether each run of placeholders is an image, if the text does not name tiles."""
        pixels = self._inputs.pixels
        return len(pixels) != 5 or pixels[1] == 1 or self._inputs.sizes is not None

    def _place_videos(self, grids: list[list[int]]) -> bool:
        blocks = packed(grids, self._inputs.settings, video=True)
        if blocks is None:
            return False
        # Some models put the images of a video at the placeholders of images.
        tokens = [self._video] if self._inputs.grids else [self._video, self._image]
        return any(token is not None and self._assign(token, blocks) for token in tokens)

    def _place_images(self, token: int) -> None:
        inputs, settings = self._inputs, self._inputs.settings
        if inputs.grids is not None:
            blocks = packed(inputs.grids, settings, video=False)
        elif inputs.sizes is not None:
            blocks = tiled(inputs) if settings.pinpoints else sized(inputs)
        else:
            self._place_equal(token)
            return
        if blocks is not None and settings.resampled:
            blocks = [[WITHOUT_PLACE] * len(block) for block in blocks]
        if (blocks is None or not self._assign(token, blocks)) and self._count == 1:
            self._assign(token, [[WITHOUT_PLACE] * len(self._placeholders(token))])

    @property
    def _count(self) -> int | None:
        """Number of images; None if unknown."""
        inputs = self._inputs
        known = inputs.grids or inputs.sizes
        return None if known is None or inputs.videos else len(known)

    def _place_equal(self, token: int) -> None:
        """Place images that have the same number of tokens, each in a run of placeholders."""
        pixels, total = self._inputs.pixels, len(self._placeholders(token))
        runs = [_runs(row, token) for row in self._inputs.ids]
        number = sum(map(len, runs))
        if len(pixels) < 4 or not total:
            return
        # Between these axes, images are padded with empty ones to the same number.
        count = total // pixels[0] if len(pixels) == 4 else total // number
        if count == 0 or (len(pixels) == 4 and count * pixels[0] != total):
            return
        if len(pixels) > 4 and any(len(run) != count for found in runs for run in found):
            return
        block = equal(self._inputs, count)
        for places, found in zip(self._places, runs, strict=True):
            for index, run in enumerate(found):
                # Adjacent images, or the tiles of one image: unknown which.
                if len(run) != count:
                    break
                for position, place in zip(run, block, strict=True):
                    places[position] = replace(place, index=index)

    def _placeholders(self, token: int) -> list[tuple[int, int]]:
        return [
            (item, position)
            for item, row in enumerate(self._inputs.ids)
            for position, number in enumerate(row)
            if number == token
        ]

    def _assign(self, token: int, blocks: list[list[ImagePosition]]) -> bool:
        """Place the tokens of images on the placeholders; whether the numbers agree."""
        found = self._placeholders(token)
        placeholders = iter(found)
        if len(found) != sum(map(len, blocks)):
            return False
        counts = [0] * len(self._places)
        placed: Places = [{} for _ in self._places]
        for block in blocks:
            where = [next(placeholders) for _ in block]
            if len({item for item, _ in where}) != 1:
                return False
            item = where[0][0]
            for (_, position), place in zip(where, block, strict=True):
                placed[item][position] = replace(place, index=counts[item])
            counts[item] += 1
        for places, new in zip(self._places, placed, strict=True):
            places |= new
        return True


def _runs(row: list[int], token: int) -> list[list[int]]:
    """Return the positions of consecutive placeholders."""
    groups = groupby(range(len(row)), lambda position: row[position] == token)
    return [list(positions) for placeholder, positions in groups if placeholder]


def note_resampled(inputs: ModelInputs, records: list[AttentionRecord]) -> None:
    """Note which numbers of tokens attended to other states, as those of a Q-Former.

    If these are the tokens of images, they are summaries of the patches.
    """
    if inputs.images is not None:
        crossing = (one for one in records if one.kind == "cross" or one.queries != one.keys)
        resampled = frozenset(record.queries for record in crossing)
        inputs.images = replace(inputs.images, resampled=resampled)


def after(past: list[Tokens], sequence: Sequence) -> Sequence:
    """Count the images of tokens on from those of the tokens before them, in a cache."""
    items = [
        replace(item, tokens=_after(before.tokens, item.tokens))
        for before, item in zip(past, sequence.items, strict=True)
    ]
    return replace(sequence, items=items)


def _after(past: list[TokenInfo], tokens: list[TokenInfo]) -> list[TokenInfo]:
    placeholders = {token.id for token in tokens if token.image is not None}
    if not placeholders or not past:
        return tokens
    unknown = any(
        token.image is None and (token.id in placeholders or (token.id < 0 and not token.padding))
        for token in past
    )
    if unknown:
        return [replace(token, image=None) for token in tokens]
    before = {True: 0, False: 0}
    for token in past:
        if token.image is not None and token.image.index is not None:
            video = token.image.frame is not None
            before[video] = max(before[video], token.image.index + 1)
    return [_moved(token, before) for token in tokens]


def _moved(token: TokenInfo, before: dict[bool, int]) -> TokenInfo:
    image = token.image
    if image is None or image.index is None:
        return token
    return replace(token, image=replace(image, index=image.index + before[image.frame is not None]))
