"""Parses Python without showing warnings, also while other threads parse."""

from __future__ import annotations

import ast

from attnlab.capture.isolation.random_generators import RandomGenerators
from attnlab.capture.isolation.silenced_output import silenced

ATTEMPTS = 8
"""How often a text is parsed again that Python could not parse for the reason in `parse`."""


def parse(code: str) -> ast.Module:
    """Parse Python. The process's warning filters are not changed, as other threads use them.

    Parameters
    ----------
    code
        Python code of a cell.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        If Python cannot parse it.
    """
    # Python warns when the cell runs.
    with silenced(RandomGenerators()):
        for _ in range(ATTEMPTS - 1):
            try:
                return ast.parse(code)
            except SystemError:
                # In Python 3.11, the garbage collector may run while a tree is made and let another
                # thread run. All threads count the depth of their trees in one number, so if that
                # thread parses as well, this parse fails.
                continue
        return ast.parse(code)
