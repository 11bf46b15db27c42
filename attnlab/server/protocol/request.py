"""Requests of panels while they wait for their response."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from attnlab.server.messages import ErrorCode
from attnlab.server.protocol.errors import RpcError, cancelled, from_exception

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PROGRESS = 0.5
NEXT_PROGRESS = 0.1
"""Seconds before the first and between later reports of progress."""

Id = int | str
Reply = tuple[Any, list[bytes]]
"""A result and the binary buffers of its message."""

LATER: Reply = (None, [])
"""Returned by a handler (this very object) that responds later with `RequestContext.settle`."""


class Send(Protocol):
    """Sends a message to a client."""

    def __call__(self, client: str, rpc: dict[str, Any], buffers: list[bytes]) -> None:
        """Send it."""


class RequestContext(Protocol):
    """The request that a handler answers."""

    client: str

    def stopped(self) -> bool:
        """Return whether to stop computing. Poll it, and raise an exception once it is true."""

    def progress(self, done: int, total: int, operation: str) -> None:
        """Report progress, at most ten times a second and not in the first half second."""

    def settle(self, answer: Reply | RpcError) -> None:
        """Respond, from any thread, if the handler has returned `LATER`. Later calls do nothing."""

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the client cancels; at once if it already has."""


@dataclass(frozen=True)
class Handler:
    """The handler of a method.

    Attributes
    ----------
    answer
        Returns the result, or `LATER`.
    computes
        Whether it runs on the worker.
    yields
        Called with the params: whether other requests are answered between its steps.
    begin
        Called with client and params when the request arrives; raises `RpcError` to refuse it.
    """

    answer: Callable[[RequestContext, Any], Reply]
    computes: bool = False
    yields: Callable[[Any], bool] = lambda _: False
    begin: Callable[[str, Any], None] = lambda _client, _params: None


class Notice(Protocol):
    """The handler of a notification."""

    def __call__(self, client: str, params: Any) -> None:
        """Handle it."""


class Request:
    """A request until its response is sent."""

    def __init__(
        self,
        client: str,
        id_: Id,
        send: Send,
        handler: Handler,
        params: Any,
        settle: Callable[[Request, Reply | RpcError], None],
    ) -> None:
        self.client = client
        self.id = id_
        self.cancelled = threading.Event()
        self._send = send
        self._settle = settle
        self._handler = handler
        self._params = params
        self._began = self._told = time.monotonic()
        self._on_cancel: Callable[[], None] = lambda: None
        self._preempted = self._again = False
        self._preempt: Callable[[], bool] = lambda: False
        # ipykernel keeps the parent message in context variables, which other threads do not
        # inherit.
        self._context = contextvars.copy_context()

    def work(self, stop: Callable[[], bool]) -> bool:
        """Respond; return whether the request was preempted and must run again."""
        self._preempt, self._preempted = stop, False
        with contextlib.suppress(BaseException):  # The error was sent.
            self.attempt()
        return self._again

    def attempt(self) -> None:
        """Respond, unless the request was preempted. Raises only what is not an `Exception`."""
        raised = False
        answer: Reply | RpcError = RpcError(ErrorCode.INTERNAL_ERROR, "The request was abandoned.")
        self._again = False
        try:
            if self.cancelled.is_set():
                raise cancelled()
            answer = self._handler.answer(self, self._params)
        except BaseException as error:  # respond to interrupts, too
            raised = True
            answer = cancelled() if self.cancelled.is_set() else from_exception(error)
            if not isinstance(error, Exception):
                raise
        finally:
            # Decided once: a later cancel finds the request waiting again.
            self._again = raised and self._preempted and not self.cancelled.is_set()
            if not self._again and answer is not LATER:
                self._settle(self, answer)

    def settle(self, answer: Reply | RpcError) -> None:
        """Respond to a request whose handler returned `LATER`."""
        self._settle(self, answer)

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the client cancels; at once if it already has."""
        self._on_cancel = callback
        if self.cancelled.is_set():
            callback()

    def end(self) -> None:
        """Drop the callback after the response: callback and request refer to each other."""
        self._on_cancel = lambda: None

    def cancel(self) -> None:
        """Cancel the request."""
        self.cancelled.set()
        self._on_cancel()

    def stopped(self) -> bool:
        """Return whether the request is cancelled or preempted by a push."""
        if self.cancelled.is_set():
            return True
        self._preempted = self._preempted or self._preempt()
        return self._preempted

    def progress(self, done: int, total: int, operation: str) -> None:
        """Report progress to the client."""
        now = time.monotonic()
        if now - self._began < FIRST_PROGRESS or now - self._told < NEXT_PROGRESS:
            return
        self._told = now
        params = {"id": self.id, "done": done, "total": total, "operation": operation}
        self.send({"jsonrpc": "2.0", "method": "$/progress", "params": params}, [])

    def send(self, rpc: dict[str, Any], buffers: list[bytes]) -> None:
        """Send a message to the client with this request as its parent message."""
        self._context.copy().run(self._send, self.client, rpc, buffers)


def polled(request: RequestContext, operation: str, steps: int) -> Callable[[], bool]:
    """Return a function to poll before each step of a computation; it reports the progress.

    Parameters
    ----------
    operation
        As in `ProgressParams`.
    steps
        Number of steps; 0 if unknown.

    Returns
    -------
    callable
        Returns whether to stop.
    """
    done = itertools.count()

    def stopped() -> bool:
        request.progress(next(done), steps, operation)
        return request.stopped()

    return stopped
