"""Clauses of messages, from which sentences are made."""

from __future__ import annotations


def capitalized(clause: str) -> str:
    """Uppercase the first letter of a clause, and keep all others, unlike `str.capitalize`."""
    return f"{clause[:1].upper()}{clause[1:]}"
