"""Reads objects and tensors without running code of their classes."""
