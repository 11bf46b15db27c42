"""A real kernel, spoken to as JupyterLab speaks to it."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from attnlab.server.messages import PROTOCOL
from tests.panel import Panel

PATIENCE = 60.0
START = "__import__('attnlab.widget', fromlist=['start']).start()"

LOAD = """
import os
from transformers import AutoModel, AutoTokenizer
model = AutoModel.from_pretrained({path!r})
tokenizer = AutoTokenizer.from_pretrained({path!r})
inputs = tokenizer("The cat sat on the mat", return_tensors="pt")
"""


@dataclass
class Ran:
    """What came of an execution: reply, output messages, and the request's id."""

    reply: dict[str, Any]
    outputs: list[dict[str, Any]] = field(default_factory=list)
    id: str = ""

    @property
    def text(self) -> str:
        return "".join(m["content"].get("text", "") for m in self.outputs)

    @property
    def result(self) -> Any:
        """The value of the cell's last expression, printed by its repr."""
        assert self.reply["status"] == "ok", "\n".join(self.reply["traceback"])
        (found,) = (m for m in self.outputs if m["msg_type"] == "execute_result")
        return found["content"]["data"]["text/plain"]


class Kernel:
    """A kernel and a page that is open on it."""

    def __init__(self, **environment: str) -> None:
        self.manager = KernelManager(kernel_name="python3")
        # The order of sets shows in some messages.
        self.manager.start_kernel(env=os.environ | {"PYTHONHASHSEED": "0"} | environment)
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(PATIENCE)
        self.iopub: list[dict[str, Any]] = []
        self.news = threading.Condition()
        self.closing = threading.Event()
        self.subshell: str | None = None
        self.hub: str = ""
        self.session = ""
        self.busy: list[str] = []
        self._ids = iter(range(10**6))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self.closing.is_set():
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except Empty:
                continue
            with self.news:
                self.iopub.append(message)
                self.news.notify_all()

    def close(self) -> None:
        self.closing.set()
        self._reader.join()
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def wait(self, ready: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Wait until `ready` gives something, and return that."""
        with self.news:
            assert self.news.wait_for(lambda: bool(ready()), patience), "the kernel said nothing"
            return ready()

    # --- cells ------------------------------------------------------------------------

    def begin(
        self,
        code: str,
        tags: Sequence[str] = (),
        cell: str = "",
        silent: bool = False,
        expressions: dict[str, str] | None = None,
    ) -> str:
        """Send an execute_request; return its id."""
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": expressions or {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        message = self.client.session.msg("execute_request", content)
        message["metadata"] = {"tags": list(tags), "cellId": cell or uuid.uuid4().hex}
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def finish(self, id_: str) -> Ran:
        """Wait for an execution's reply and its last output."""
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == id_:
                break
        self.wait(lambda: any(_idle(message, id_) for message in self.iopub))
        mine = [m for m in self.iopub if m["parent_header"].get("msg_id") == id_]
        shown = {"stream", "execute_result", "display_data", "error"}
        return Ran(reply["content"], [m for m in mine if m["msg_type"] in shown], id_)

    def run(self, code: str, tags: Sequence[str] = (), cell: str = "") -> Ran:
        """Run a cell to its end."""
        return self._until_taken(lambda: self.begin(code, tags, cell))

    def _until_taken(self, begin: Callable[[], str]) -> Ran:
        """Ask until it is done: after an error, ipykernel 6 refuses every request for a moment."""
        ran = self.finish(begin())
        while ran.reply["status"] == "aborted":
            ran = self.finish(begin())
        return ran

    def value(self, expression: str) -> Any:
        """The value of a JSON-able expression."""
        asked = {"v": f"repr({expression})"}
        ran = self._until_taken(lambda: self.begin("", silent=True, expressions=asked))
        said = ran.reply["user_expressions"]["v"]
        assert said["status"] == "ok", said
        text = eval(said["data"]["text/plain"])
        return eval(text)

    # --- attnlab ----------------------------------------------------------------------

    def start(self) -> dict[str, Any]:
        """Start the backend as the labextension does, and find its hub."""
        ran = self.finish(self.begin("", silent=True, expressions={"attnlab": START}))
        said = ran.reply["user_expressions"]["attnlab"]
        assert said["status"] == "ok", said
        assert not ran.outputs
        started = json.loads(said["data"]["text/plain"])
        assert said["data"]["application/json"] == started
        opened = [m for m in self.iopub if m["msg_type"] == "comm_open" and _is_hub(m)]
        self.hub, self.session = opened[-1]["content"]["comm_id"], started["session"]
        self.busy = started["busy"]
        if "control" not in self.busy and self.subshell is None:
            self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
            reply = self.client.get_control_msg(timeout=PATIENCE)
            self.subshell = reply["content"]["subshell_id"]
        return started

    def send(self, rpc: dict[str, Any], page: str = "page") -> None:
        """Send a JSON-RPC message as a page does, so that a running cell does not delay it."""
        envelope = {"sender": page, "to": "kernel", "session": self.session, "rpc": rpc}
        data = {"method": "custom", "content": envelope}
        message = self.client.session.msg("comm_msg", {"comm_id": self.hub, "data": data})
        if "control" in self.busy:
            self.client.control_channel.send(message)
        else:
            message["header"]["subshell_id"] = self.subshell
            self.client.shell_channel.send(message)

    def ask(self, method: str, params: Any = None, page: str = "page") -> tuple[Any, list[Any]]:
        """The result of a request, and its buffers."""
        id_ = f"{page}.{next(self._ids)}"
        self.send({"jsonrpc": "2.0", "id": id_, "method": method, "params": params}, page)
        message = self.wait(lambda: [m for m in self.messages() if _rpc(m).get("id") == id_])[0]
        assert message["content"]["data"]["content"]["to"] == page
        assert "error" not in _rpc(message), _rpc(message)
        return _rpc(message)["result"], message["buffers"]

    def attach(self, page: str = "page", **subscription: Any) -> Panel:
        """Open a panel: initialize, subscribe."""
        params = {"protocol": PROTOCOL, "client": "test", "capabilities": []}
        state = self.ask("initialize", params, page)[0]["state"]
        nothing: dict[str, Any] = {
            "item": 0,
            "focus": None,
            "heads": [],
            "query": None,
            "neuron": False,
            "pinned": None,
        }
        subscribed = {"panel": "p", "size": 8} | nothing | subscription
        assert self.ask("subscribe", subscribed, page)[0] is None
        panel = Panel()
        panel.load(state)
        return panel

    def messages(self) -> list[dict[str, Any]]:
        """The hub's custom messages so far."""
        return [
            m
            for m in self.iopub
            if m["msg_type"] == "comm_msg"
            and m["content"]["comm_id"] == self.hub
            and m["content"]["data"].get("method") == "custom"
        ]

    def pushes(self, since: int = 0) -> list[dict[str, Any]]:
        """The params of pushes beyond a revision, with their message's buffers and parent."""
        return [
            {
                **_rpc(message)["params"],
                "buffers": message["buffers"],
                "parent": message["parent_header"].get("msg_id"),
            }
            for message in self.messages()
            if _rpc(message).get("method") == "publish"
            and _rpc(message)["params"]["revision"] > since
        ]

    @property
    def revision(self) -> int:
        """Of the newest push that has come."""
        return max((push["revision"] for push in self.pushes()), default=0)

    def watched(
        self, code: str, cell: str = "abc", tags: Sequence[str] = ("attention",)
    ) -> Watched:
        """Run a tagged cell, and wait until its end is pushed."""
        since = self.revision
        ran = self.run(code, tags, cell)
        self.wait(lambda: any(push["running"] is None for push in self.pushes(since)))
        return Watched(ran, self.pushes(since))


@dataclass
class Watched:
    """A watched run: what Jupyter shows of it, and what was pushed."""

    ran: Ran
    pushes: list[dict[str, Any]]

    @property
    def traces(self) -> list[dict[str, Any]]:
        return [push["trace"] for push in self.pushes if "trace" in push]

    @property
    def problems(self) -> list[dict[str, Any]]:
        return [push["problem"] for push in self.pushes if "problem" in push]


def _rpc(message: dict[str, Any]) -> dict[str, Any]:
    rpc = message["content"]["data"]["content"]["rpc"]
    assert isinstance(rpc, dict)
    return rpc


def _idle(message: dict[str, Any], id_: str) -> bool:
    return bool(
        message["msg_type"] == "status"
        and message["parent_header"].get("msg_id") == id_
        and message["content"]["execution_state"] == "idle"
    )


def _is_hub(message: dict[str, Any]) -> bool:
    state = message["content"]["data"].get("state", {})
    return bool(state.get("_anywidget_id") == "attnlab.widget.Hub")


@pytest.fixture
def fresh() -> Iterator[Kernel]:
    """A kernel of the test's own."""
    kernel = Kernel()
    yield kernel
    kernel.close()


@pytest.fixture(scope="module")
def kernel(minilm_path: Path) -> Iterator[Kernel]:
    """A kernel with the backend started and a small real BERT loaded, and a page attached."""
    it = Kernel()
    it.start()
    it.attach()
    assert it.run(LOAD.format(path=str(minilm_path))).reply["status"] == "ok"
    yield it
    it.close()
