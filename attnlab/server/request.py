"""One request of a panel on its way to its one answer."""

from __future__ import annotations

import contextvars
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from attnlab.server.errors import RpcError, cancelled, from_exception
from attnlab.server.messages import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PROGRESS = 0.5
NEXT_PROGRESS = 0.1
"""Seconds before the first and between later reports of progress."""

Id = int | str
Reply = tuple[Any, list[bytes]]
"""A result and the binary buffers of its message."""

LATER: Reply = (None, [])
"""What a handler returns, this very object, that will answer by `Call.settle`."""


class Send(Protocol):
    """How a message leaves: to a client, with its buffers."""

    def __call__(self, client: str, rpc: dict[str, Any], buffers: list[bytes]) -> None:
        """Send it."""


class Call(Protocol):
    """What a handler may know of the request that it answers."""

    client: str

    def stopped(self) -> bool:
        """Whether to stop computing; polled, and an exception then ends the work."""

    def progress(self, done: int, total: int, what: str) -> None:
        """Tell the client, at most ten times a second and not in the first half second."""

    def settle(self, answer: Reply | RpcError) -> None:
        """Answer, from any thread, where the handler has returned `LATER`; once alone counts."""

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call back once the client cancels; at once where it has."""


@dataclass(frozen=True)
class Handler:
    """What answers a method; one that computes is put on the worker.

    Where `yields` says so of its params, whatever else is asked is worked between its portions.
    """

    answer: Callable[[Call, Any], Reply]
    computes: bool = False
    yields: Callable[[Any], bool] = lambda _: False


class Notice(Protocol):
    """What takes a method that has no answer: the client, and the params."""

    def __call__(self, client: str, params: Any) -> None:
        """Take it."""


class Request:
    """One request on its way to its one answer."""

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
        # ipykernel keeps a message's parent in context variables, which do not cross
        # into the worker's thread.
        self._context = contextvars.copy_context()

    def work(self, stop: Callable[[], bool]) -> bool:
        """Answer; return whether the request made way and is to be worked again."""
        self._preempt, self._preempted = stop, False
        self.attempt()
        return self._again

    def attempt(self) -> BaseException | None:
        """Answer now, unless it was stopped to make way; return what the handler raised."""
        raised: BaseException | None = None
        answer: Reply | RpcError = RpcError(ErrorCode.INTERNAL_ERROR, "The request was given up.")
        self._again = False
        try:
            if self.cancelled.is_set():
                raise cancelled()
            answer = self._handler.answer(self, self._params)
        except BaseException as error:  # noqa: BLE001 - an interrupt must be answered, too
            raised = error
            answer = cancelled() if self.cancelled.is_set() else from_exception(error)
        finally:
            # Decided once: a cancel that comes a moment later finds it waiting again.
            self._again = raised is not None and self._preempted and not self.cancelled.is_set()
            if not self._again and answer is not LATER:
                self._settle(self, answer)
        return raised

    def settle(self, answer: Reply | RpcError) -> None:
        """Answer a request whose handler has put that off."""
        self._settle(self, answer)

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Have a cancel told to who works on it elsewhere."""
        self._on_cancel = callback
        if self.cancelled.is_set():
            callback()

    def cancel(self) -> None:
        """Note that the client wants no result any more."""
        self.cancelled.set()
        self._on_cancel()

    def stopped(self) -> bool:
        """Whether the client has cancelled it, or it is to make way for a push."""
        if self.cancelled.is_set():
            return True
        self._preempted = self._preempted or self._preempt()
        return self._preempted

    def progress(self, done: int, total: int, what: str) -> None:
        """Tell the client how far it is."""
        now = time.monotonic()
        if now - self._began < FIRST_PROGRESS or now - self._told < NEXT_PROGRESS:
            return
        self._told = now
        params = {"id": self.id, "done": done, "total": total, "what": what}
        self.send({"jsonrpc": "2.0", "method": "$/progress", "params": params}, [])

    def send(self, rpc: dict[str, Any], buffers: list[bytes]) -> None:
        """Send to the client under the parent message of this request."""
        self._context.copy().run(self._send, self.client, rpc, buffers)
