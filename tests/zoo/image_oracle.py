"""Finds with transformers alone which input of a language model one patch of an image becomes.

The attention in the vision tower is switched off, so that each patch stays by itself: which token
it becomes does not depend on the weights. Then the pixels of one patch are changed, and the inputs
of the language model that differ are those that this patch becomes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from tests.zoo.inputs import Given

MERGES = ("out_proj", "o_proj", "attn.proj", "projection_layer")
"""The last linear layers of the attention of vision towers."""

Where = tuple[int | None, ...]
"""Index, row, column, rows, columns, frame."""


@dataclass(frozen=True)
class Painted:
    """A call in which one patch of an image is another one."""

    item: int
    """The batch item of the text."""
    where: Where
    given: Given


def without_mixing(model: torch.nn.Module) -> torch.nn.Module:
    """Switch off the attention of the vision tower."""
    changed = 0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "vis" in name and any(f"{merge}." in name for merge in MERGES):
                parameter.zero_()
                changed += 1
    assert changed
    return model


def language_inputs(model: Any, given: Given) -> torch.Tensor:
    """Return the embeddings (items, tokens, width) that the language model is given."""
    seen: list[torch.Tensor] = []

    def note(_: Any, args: Any, kwargs: Any) -> None:
        seen.append(kwargs["inputs_embeds"].detach().clone())

    base = model.model
    text = getattr(base, "language_model", None) or base.text_model
    hook = text.register_forward_pre_hook(note, with_kwargs=True)
    try:
        with torch.no_grad():
            model(**given)
    finally:
        hook.remove()
    assert len(seen) == 1
    return seen[0]


def true_positions(
    model: Any, given: Given, painted: Iterator[Painted]
) -> dict[tuple[int, int], set[Where]]:
    """Return, by batch item and position in the text, which patches change the token there."""
    before = language_inputs(model, given)
    found: dict[tuple[int, int], set[Where]] = {}
    for one in painted:
        after = language_inputs(model, one.given)
        changed = [(int(a), int(b)) for a, b in (before != after).any(-1).nonzero().tolist()]
        assert len(changed) == 1, changed
        assert changed[0][0] == one.item
        found.setdefault(changed[0], set()).add(one.where)
    return found


def paint(
    given: Given,
    at: tuple[int, ...],
    owner: tuple[int, int],
    size: tuple[int, int],
    tile: tuple[int, int] = (0, 0),
    tiles: tuple[int, int] = (1, 1),
) -> Iterator[Painted]:
    """Change each cell of an image in turn.

    Parameters
    ----------
    at
        Index of the image in ``pixel_values``.
    owner
        The text's batch item, and the index of the image in it.
    size
        Rows and columns of its tokens.
    tile, tiles
        Row and column of a tile in its image, and the numbers of them.
    """
    pixels = given["pixel_values"]
    high, wide = (side // count for side, count in zip(pixels.shape[-2:], size, strict=True))
    for row in range(size[0]):
        for column in range(size[1]):
            changed = pixels.clone()
            patch = changed[at][..., row * high : (row + 1) * high, :]
            patch[..., column * wide : (column + 1) * wide] += 1
            y, x = row + tile[0] * size[0], column + tile[1] * size[1]
            rows, columns = size[0] * tiles[0], size[1] * tiles[1]
            where = (owner[1], y, x, rows, columns, None)
            yield Painted(owner[0], where, given | {"pixel_values": changed})


def paint_packed(
    given: Given, name: str, grids: torch.Tensor, owners: list[tuple[int, int]], merge: int = 2
) -> Iterator[Painted]:
    """Change each patch of images that are packed into one list, block by block."""
    video, start = name.endswith("videos"), 0
    for (frames, high, wide), (item, index) in zip(grids.tolist(), owners, strict=True):
        cells = torch.cartesian_prod(torch.arange(high), torch.arange(wide))
        blocks = cells.view(high // merge, merge, wide // merge, merge, 2)
        order = blocks.permute(0, 2, 1, 3, 4).reshape(-1, 2).tolist()
        for frame in range(frames):
            for row, column in order:
                changed = given[name].clone()
                changed[start] += 1
                start += 1
                where = (
                    *(index, row // merge, column // merge, high // merge, wide // merge),
                    frame if video else None,
                )
                yield Painted(item, where, given | {name: changed})
