"""Intercepts a notebook's model calls by replacing functions, and reports the outcomes."""
