"""Encodes texts with tokenizers of other libraries than transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.tokens.other_tokenizers import unwrapped

if TYPE_CHECKING:
    from collections.abc import Mapping


def only_encodes(tokenizer: Any) -> bool:
    """Whether a tokenizer cannot be called like one of transformers, but has ``encode``."""
    return not callable(tokenizer) and hasattr(unwrapped(tokenizer), "encode")


def encoded(
    tokenizer: Any,
    text: str | list[str],
    text_pair: str | list[str] | None,
    options: Mapping[str, Any],
) -> dict[str, torch.Tensor]:
    """Encode a text, or several, with the ``encode`` method of a tokenizer.

    That of the tokenizers library returns an object with ids, and those of tiktoken,
    mistral-common and SentencePiece return the ids.

    Raises
    ------
    ValueError
        If a second text is given to a tokenizer that takes one, or if the numbers of tokens differ.
    TypeError
        If ``encode`` returns something else.
    """
    inner = unwrapped(tokenizer)
    name = type(inner).__name__
    texts = [text] if isinstance(text, str) else list(text)
    pairs = [text_pair] if isinstance(text_pair, str) else list(text_pair or ())
    if not pairs:
        results = [inner.encode(one, **options) for one in texts]
    elif hasattr(inner, "encode_batch") and hasattr(inner, "id_to_token"):
        results = [inner.encode(*both, **options) for both in zip(texts, pairs, strict=True)]
    else:
        raise ValueError(f"{name} encodes one text at a time: join both texts, and omit text_pair=")
    rows = [_ids(result, name) for result in results]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise ValueError(
            f"{name} encodes these texts as {lengths[0]} to {lengths[-1]} tokens, without padding: "
            "trace them one by one"
        )
    return {"input_ids": torch.tensor(rows)}


def _ids(result: Any, name: str) -> list[int]:
    ids = getattr(result, "ids", result)
    if isinstance(ids, list) and ids and all(isinstance(number, int) for number in ids):
        return ids
    if isinstance(ids, list) and not ids:
        raise ValueError(f"{name} encodes this text as no tokens")
    raise TypeError(f"{name}.encode returned {type(result).__name__}, not a list of ids")
