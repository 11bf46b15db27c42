"""Copies the backends of fast tokenizers, which store the truncation and padding of a call."""

from __future__ import annotations

import copy
from typing import Any

PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


def copy_backend(backend: Any) -> Any:
    """Copy a `tokenizers.Tokenizer`; the vocabulary, which no call changes, is shared."""
    copied = type(backend)(backend.model)
    for name in PARTS:
        part = getattr(backend, name)
        if part is not None:
            setattr(copied, name, part)
    added = backend.get_added_tokens_decoder()
    for _, token in sorted(added.items()):
        (copied.add_special_tokens if token.special else copied.add_tokens)([token])
    if copied.get_added_tokens_decoder() != added:  # The ids have gaps.
        return copy.deepcopy(backend)
    copied.encode_special_tokens = backend.encode_special_tokens
    if backend.truncation is not None:
        copied.enable_truncation(**backend.truncation)
    if backend.padding is not None:
        copied.enable_padding(**backend.padding)
    return copied
