"""The base class of attnlab's dispatch modes, through which each operation of a thread passes."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode that leaves control flow and compiled functions as they are."""

    # Operations that take functions (torch.cond) are run without looking into the functions.
    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Let functions that a model compiles itself, e.g. flex attention, stay compiled."""
        return True
