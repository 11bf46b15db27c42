"""Cells as documents: their runs, and the texts that they are edited to."""
