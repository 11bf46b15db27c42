"""Cells that are looked at: which run is watched, and what its model calls left behind."""
