"""Errors of the protocol: a code, the cause, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnlab.capture.record.clauses import capitalized
from attnlab.capture.record.memory import readable
from attnlab.server.messages import MAX_MESSAGE_BYTES, PROTOCOL, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.traces.errors import NotSeenError


class RpcError(Exception):
    """The error response to a request.

    Parameters
    ----------
    code : ErrorCode
        Code of the protocol.
    message : str
        The cause and what to do about it, in sentences that a panel shows unchanged.
    remedy : str
        A command that solves the problem, for a panel to show; empty if there is none.
    """

    def __init__(self, code: ErrorCode, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


def trace_gone(trace: str, why: str | None) -> RpcError:
    """Return the error for a trace that the kernel does not have, and why, if known."""
    known = f"The kernel no longer has this trace. {why}"
    unknown = f"The kernel does not have trace {trace!r}."
    return RpcError(ErrorCode.TRACE_GONE, f"{known if why else unknown} Run the cell again.")


def content_modified(why: str) -> RpcError:
    """Return the error for a request about a text that is not the newest."""
    return RpcError(ErrorCode.CONTENT_MODIFIED, f"This is no longer the cell's latest text. {why}")


def version_mismatch(theirs: int) -> RpcError:
    """Return the error for a panel with another version of the protocol."""
    where, which = (
        ("the environment of the kernel", "restart the kernel")
        if theirs > PROTOCOL
        else ("the environment that JupyterLab runs in", "reload the page")
    )
    return RpcError(
        ErrorCode.VERSION_MISMATCH,
        f"The panel uses version {theirs} of attnlab's protocol, the kernel version {PROTOCOL}. "
        f"Update attnlab in {where}, then {which}.",
        remedy="pip install --upgrade attnlab",
    )


def not_seen(error: NotSeenError, known: Sequence[int]) -> RpcError:
    """Return the error for a site of which only weights are known, and the other layers."""
    elsewhere = f", or select one of the layers {', '.join(map(str, known))}" if known else ""
    return RpcError(
        ErrorCode.NO_SUCH_HEAD,
        f"{capitalized(str(error))}. Look at its weights in the head view{elsewhere}.",
    )


def too_large(what: str, nbytes: int, instead: str) -> RpcError:
    """Return the error for a result above `MAX_MESSAGE_BYTES`, and what to request instead."""
    return RpcError(
        ErrorCode.TOO_LARGE,
        f"{what} would take {readable(nbytes)}; the kernel sends at most "
        f"{readable(MAX_MESSAGE_BYTES)} in one message. {instead}".rstrip(),
    )


def cancelled() -> RpcError:
    """Return the error for a request that its client has cancelled."""
    return RpcError(ErrorCode.REQUEST_CANCELLED, "The request was cancelled.")


def from_exception(error: BaseException) -> RpcError:
    """Return the error for an exception of a handler."""
    if isinstance(error, RpcError):
        # A copy without traceback, because its frames refer to the computed arrays.
        return RpcError(error.code, error.message, error.remedy)
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return RpcError(
            ErrorCode.OUT_OF_MEMORY,
            f"The kernel does not have enough memory for this view ({error}). Use a shorter "
            "text, or free memory in the notebook.",
        )
    if isinstance(error, IndexError):
        return RpcError(ErrorCode.NO_SUCH_HEAD, f"{capitalized(str(error))}.")
    return RpcError(
        ErrorCode.INTERNAL_ERROR,
        f"attnlab failed with {type(error).__name__}: {error}. Run the cell again; if it "
        "happens again, please report it.",
    )


def _is_torch_out_of_memory(error: BaseException) -> bool:
    # By name, because the server must not import torch. The CPU allocator raises a plain
    # RuntimeError.
    if type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
