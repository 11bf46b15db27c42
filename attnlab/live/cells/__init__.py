"""Runs of watched cells, and the state needed to repeat their model calls."""
