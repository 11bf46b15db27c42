"""Errors as a panel sees them: a code of the protocol's table, the cause and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.server.messages import PROTOCOL, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.traces.errors import NotSeenError


class RpcError(Exception):
    """A request's answer that is no result.

    Parameters
    ----------
    code : ErrorCode
        A row of the protocol's table.
    message : str
        Cause and way out, in sentences that a panel shows as they are.
    remedy : str
        The command that is part of the way out, for a panel to offer; empty without one.
    """

    def __init__(self, code: ErrorCode, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


def trace_gone(trace: str, why: str | None) -> RpcError:
    """Return the error for a trace that the kernel holds no more, and why, where that is known."""
    known = f"The kernel holds this trace no more. {why}"
    unknown = f"The kernel does not hold trace {trace!r}."
    return RpcError(ErrorCode.TRACE_GONE, f"{known if why else unknown} Run the cell again.")


def content_modified(why: str) -> RpcError:
    """Return the error for a request about a text that is not the newest any more."""
    return RpcError(ErrorCode.CONTENT_MODIFIED, f"This is not the cell's newest text. {why}")


def version_mismatch(theirs: int) -> RpcError:
    """Return the error for a panel that speaks another version of the protocol."""
    where, which = (
        ("the environment of the kernel", "restart the kernel")
        if theirs > PROTOCOL
        else ("the environment that JupyterLab runs in", "reload the page")
    )
    return RpcError(
        ErrorCode.VERSION_MISMATCH,
        f"The panel speaks version {theirs} of attnlab's protocol, the kernel version {PROTOCOL}. "
        f"Update attnlab in {where}, then {which}.",
        remedy="pip install --upgrade attnlab",
    )


def not_seen(error: NotSeenError, known: Sequence[int]) -> RpcError:
    """Return the error for a site that has weights alone, and where more is known."""
    elsewhere = f", or choose one of the layers {', '.join(map(str, known))}" if known else ""
    cause = str(error)
    return RpcError(
        ErrorCode.NO_SUCH_HEAD,
        f"{cause[0].upper()}{cause[1:]}. Look at the weights themselves{elsewhere}.",
    )


def cancelled() -> RpcError:
    """Return the answer to a request that its client has cancelled."""
    return RpcError(ErrorCode.REQUEST_CANCELLED, "The request was cancelled.")


def from_exception(error: BaseException) -> RpcError:
    """Return what a panel is told of an exception that a handler has raised."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return RpcError(
            ErrorCode.OUT_OF_MEMORY,
            f"The kernel has too little memory for this picture ({error}). Use a shorter text, "
            "or free memory in the notebook.",
        )
    if isinstance(error, IndexError):
        return RpcError(ErrorCode.NO_SUCH_HEAD, str(error))
    return RpcError(
        ErrorCode.INTERNAL_ERROR,
        f"attnlab failed with {type(error).__name__}: {error}. Run the cell again; if it "
        "happens again, please report it.",
    )


def _is_torch_out_of_memory(error: BaseException) -> bool:
    # Told by name: the server must not import torch. The CPU allocator raises a plain
    # RuntimeError.
    if type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
