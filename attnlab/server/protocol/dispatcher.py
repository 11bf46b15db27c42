"""The JSON-RPC 2.0 dispatcher: every request gets exactly one response."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from attnlab.server.messages import (
    MAX_MESSAGE_BYTES,
    NOTIFICATIONS,
    REQUESTS,
    CancelParams,
    ErrorCode,
)
from attnlab.server.protocol.errors import RpcError, cancelled, from_exception, too_large
from attnlab.server.protocol.request import Handler, Id, Notice, Reply, Request, Send
from attnlab.server.protocol.validation import MisfitError, check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.server.protocol.worker import Worker

logger = logging.getLogger(__name__)

REMEMBERED_CANCELS = 256
"""Maximum number of remembered cancellations that arrived before their request."""


class Dispatcher:
    """Passes the JSON-RPC messages of clients to handlers and sends the responses.

    Thread-safe: used on the kernel's main thread, subshells, the control thread and the worker.

    Parameters
    ----------
    handlers
        Handlers of the methods of `messages.REQUESTS`.
    notices
        Handlers of the methods of `messages.NOTIFICATIONS` except ``$/cancelRequest``.
    admit
        Called with client and method first; raises `RpcError` to refuse a request.
    worker
        Runs handlers that compute.
    send
        Sends messages.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        notices: Mapping[str, Notice],
        admit: Callable[[str, str], None],
        worker: Worker,
        send: Send,
    ) -> None:
        self._handlers = handlers
        self._notices = notices
        self._admit = admit
        self._worker = worker
        self.send = send
        self._lock = threading.Lock()
        self._open: dict[tuple[str, Id], Request] = {}
        self._early_cancels: OrderedDict[tuple[str, Id], None] = OrderedDict()

    @property
    def open(self) -> int:
        """Number of requests that wait for their response."""
        return len(self._open)

    def receive(self, client: str, rpc: Any) -> None:
        """Handle one message. Raises nothing; errors are sent as responses.

        A request with the id of an open request is refused without an id, so that the open
        request still gets its response.
        """
        if isinstance(rpc, dict) and "method" not in rpc and ("result" in rpc or "error" in rpc):
            return  # A response, but the kernel sends no requests.
        try:
            id_, method, params = _parse(rpc)
        except RpcError as error:
            self._refuse(client, _id_of(rpc), error)
            return
        if id_ is None:
            self._notice(client, method, params)
        else:
            self._ask(client, id_, method, params)

    def _ask(self, client: str, id_: Id, method: str, params: Any) -> None:
        key = (client, id_)
        with self._lock:
            early = key in self._early_cancels
            self._early_cancels.pop(key, None)
            duplicate = key in self._open
            if not duplicate:
                handler = self._handlers.get(method)
                absent = Handler(lambda *_: _raise(_unknown(method, self._handlers)))
                request = Request(client, id_, self.send, handler or absent, params, self.settle)
                self._open[key] = request
        if duplicate:
            message = f"Request {id_!r} is open already; ids must not be used twice."
            self._refuse(client, None, RpcError(ErrorCode.INVALID_REQUEST, message))
            return
        try:
            if early:
                raise cancelled()
            if handler is not None:
                self._admit(client, method)
                _check_params(method, params, REQUESTS[method][0])
                handler.begin(client, params)
        except RpcError as error:
            self.settle(request, error)
            return
        if handler is not None and handler.computes:
            self._worker.request(request, yields=handler.yields(params))
        else:
            request.attempt()  # Responds to interrupts and exits, and raises them.

    def _notice(self, client: str, method: str, params: Any) -> None:
        # Notifications have no response, so invalid ones are ignored.
        take = self._cancel if method == "$/cancelRequest" else self._notices.get(method)
        if take is None:
            return
        try:
            _check_params(method, params, NOTIFICATIONS[method])
            take(client, params)
        except RpcError as error:
            logger.debug("ignored an invalid notification of a panel: %s", error)
        except Exception:
            logger.exception("attnlab failed with a notification of a panel")

    def _cancel(self, client: str, params: CancelParams) -> None:
        key = (client, params["id"])
        with self._lock:
            request = self._open.get(key)
            if request is None:
                self._early_cancels[key] = None
                while len(self._early_cancels) > REMEMBERED_CANCELS:
                    self._early_cancels.popitem(last=False)
                return
        request.cancel()
        if self._worker.withdraw(request):
            self.settle(request, cancelled())

    def settle(self, request: Request, answer: Reply | RpcError) -> None:
        """Send the response to a request, unless it was sent before."""
        with self._lock:
            if self._open.get((request.client, request.id)) is not request:
                return
            del self._open[(request.client, request.id)]
        request.end()
        if not isinstance(answer, RpcError):
            result, buffers = answer
            rpc = {"jsonrpc": "2.0", "id": request.id, "result": result}
            try:
                _check_size(result)
                request.send(rpc, buffers)
            except Exception as error:  # noqa: BLE001 - not sent: send the error instead
                answer = from_exception(error)
        if isinstance(answer, RpcError):
            request.send(_error(request.id, answer), [])

    def refuse(self, client: str, rpc: Any, why: str) -> None:
        """Send an error for a message with an invalid envelope."""
        self._refuse(client, _id_of(rpc), RpcError(ErrorCode.INVALID_REQUEST, why))

    def _refuse(self, client: str, id_: Id | None, error: RpcError) -> None:
        self.send(client, _error(id_, error), [])


def _parse(rpc: Any) -> tuple[Id | None, str, Any]:
    def invalid(why: str) -> RpcError:
        return RpcError(ErrorCode.INVALID_REQUEST, f"Not a JSON-RPC 2.0 request: {why}.")

    if not isinstance(rpc, dict):
        raise invalid(f"the message is a {type(rpc).__name__}, not an object")
    if rpc.get("jsonrpc") != "2.0":
        raise invalid("jsonrpc must be '2.0'")
    if not isinstance(rpc.get("method"), str):
        raise invalid("method must be a string")
    if "id" in rpc and _id_of(rpc) is None:
        raise invalid("id must be a string or an integer")
    params = rpc.get("params")
    if isinstance(params, list) and len(params) == 1:
        params = params[0]  # vscode-jsonrpc sends null as a single positional parameter.
    return _id_of(rpc), rpc["method"], params


def _id_of(rpc: Any) -> Id | None:
    id_ = rpc.get("id") if isinstance(rpc, dict) else None
    return id_ if isinstance(id_, int | str) and not isinstance(id_, bool) else None


def _check_params(method: str, params: Any, hint: Any) -> None:
    if hint is None and params in ([], {}):
        return
    try:
        check(params, hint, "params")
    except MisfitError as error:
        raise RpcError(ErrorCode.INVALID_PARAMS, f"{method}: {error}.") from None


def _check_size(result: Any) -> None:
    """Refuse a result, e.g. the tokens of a text, whose JSON is too large."""
    nbytes = len(json.dumps(result))
    if nbytes > MAX_MESSAGE_BYTES:
        raise too_large(
            "The description of what the kernel has recorded", nbytes, "Use shorter texts."
        )


def _unknown(method: str, handlers: Mapping[str, Handler]) -> RpcError:
    known = ", ".join(sorted(handlers))
    return RpcError(
        ErrorCode.METHOD_NOT_FOUND,
        f"The kernel's attnlab has no method {method!r}; it has {known}. If the panel is newer, "
        "update attnlab in the kernel's environment.",
    )


def _raise(error: BaseException) -> Any:
    raise error


def _error(id_: Id | None, error: RpcError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": int(error.code), "message": error.message}
    if error.remedy:
        body["data"] = {"remedy": error.remedy}
    return {"jsonrpc": "2.0", "id": id_, "error": body}
