"""Live cells: their runs, and the forward passes over their edited texts.

`cells` observes the runs of watched cells. After an edit, `source` parses the cell, `texts` checks
that only texts changed, and `evaluation` finds their values without running the cell. `passes`
schedules the forward passes. `blocks` records models that are called from Python.
"""
