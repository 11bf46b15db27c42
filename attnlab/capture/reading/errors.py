"""The error of an attention call that cannot be recorded."""

from __future__ import annotations


class UnreadableError(Exception):
    """The reason why the weights of an attention call do not follow from what was seen."""
