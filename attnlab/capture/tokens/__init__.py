"""Tokens of a vocabulary, and their positions in a text."""
