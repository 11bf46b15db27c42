"""Protects the user's calls from errors inside attnlab, and attnlab from the user's modes."""
