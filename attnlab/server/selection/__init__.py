"""`attnlab.selection`: the selection of the active panel, for Python."""
