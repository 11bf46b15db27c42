"""Models called from Python: in a ``with`` block, or once for a given text."""
