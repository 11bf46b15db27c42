"""Clauses of messages, from which sentences are made."""

from __future__ import annotations


def uncapitalized(sentence: str) -> str:
    """Lowercase the first letter of a sentence, to continue another one."""
    return f"{sentence[:1].lower()}{sentence[1:]}"


def capitalized(clause: str) -> str:
    """Uppercase the first letter of a clause, and keep all others, unlike `str.capitalize`."""
    return f"{clause[:1].upper()}{clause[1:]}"
