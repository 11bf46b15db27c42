"""Finds the origin of a model call's arguments: the tokenizer calls, and the call in the cell."""
