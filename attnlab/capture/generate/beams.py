"""Finds out which text each item of a step continues, from the keys in the cache.

Beam search reorders the items of the cache. What an item attends to determines its text, so this
does not depend on how a release of transformers reorders.
"""

from __future__ import annotations

import torch


class UnknownParentsError(Exception):
    """The reason why it cannot be determined which texts a step continues."""


def parents_of(now: torch.Tensor, before: torch.Tensor, beams: int = 0) -> torch.Tensor | None:
    """Return, by item, the item of the pass before that it continues.

    Parameters
    ----------
    now, before
        Shape (items, …): what determines the earlier text of an item, in the step and in the pass
        before it: the key of the newest earlier token in a deep layer, or the ids.
    beams
        Number of items for each prompt in a beam search; 0 for other methods. After the prompt, all
        beams continue the first one, whose text is that of the others.

    Returns
    -------
    torch.Tensor or None
        Shape (items,); None if each item continues itself.

    Raises
    ------
    UnknownParentsError
        If an item differs from all items before.
    """
    if not beams and now.shape == before.shape and torch.equal(now, before):
        return None
    same = (now[:, None] == before[None]).flatten(2).all(-1)
    if beams:
        prompts = torch.arange(len(now), device=now.device) // beams
        same &= prompts[:, None] == prompts[None]
    if not bool(same.any(dim=1).all()):
        # A cache that rounds its keys: the nearest is meant if it is much nearer than the others.
        distances = (now[:, None].float() - before[None].float()).flatten(2).norm(dim=-1)
        unit = before.float().flatten(1).norm(dim=-1).mean()
        if bool((distances.diagonal() <= 0.1 * unit).all()) and len(now) == len(before):
            return None
        raise UnknownParentsError("the texts that a step continues are not among those before it")
    indices = torch.arange(len(now), device=now.device)
    parents = same.int().argmax(dim=1)
    if not beams and len(now) == len(before):
        # Of equal items, each continues itself if it can.
        parents = torch.where(same.diagonal(), indices, parents)
    return None if torch.equal(parents, indices) else parents
