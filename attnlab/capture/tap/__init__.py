"""Follows single operations, to find attention outside the interface of transformers."""
