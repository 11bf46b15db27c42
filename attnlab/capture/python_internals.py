"""All private names of Python's standard library and of NumPy that are used.

`sys._getframe` and `sys._current_frames`, which are documented, are called where they are needed.
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

PYTHON_GENERATOR: random.Random = random._inst
"""The generator behind the functions of `random`, in all supported releases."""

SHOW_WARNING = "_showwarnmsg"
"""Function of `warnings`, since Python 3.6, through which compiled code shows warnings.

Without it, the warnings of compiled code in a second pass are shown.
"""


def numpy_generator() -> Any:
    """Return the generator behind the functions of `numpy.random`, which must be imported."""
    return sys.modules["numpy"].random.mtrand._rand


def work_item_code() -> CodeType | None:
    """Return the code that runs submitted work in the threads of an executor.

    None if `concurrent.futures` is not imported, or has no such function: then work that a block
    submits to older threads is not recorded.
    """
    library = sys.modules.get("concurrent.futures.thread")
    run = getattr(getattr(library, "_WorkItem", None), "run", None)
    code: CodeType | None = getattr(run, "__code__", None)
    return code
