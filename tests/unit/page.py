"""The server's wire with clients at its other end, and made-up calls to put behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.record.terms import Scale
from attnlab.capture.tokens.tokens import TokenInfo
from attnlab.live.cells.run import Run
from attnlab.server.endpoint import Endpoint
from attnlab.server.messages import PROTOCOL, Envelope, ErrorCode

PATIENCE = 10.0
HEADS, TOKENS, WIDTH, SITES = 3, 5, 4, 2


def call(seed: int = 0, tokens: int = TOKENS, items: int = 1, **more: Any) -> RecordedCall:
    """A made-up call of a model with two attention layers."""
    generator = torch.Generator().manual_seed(seed)

    def tensor() -> torch.Tensor:
        return torch.randn(items, HEADS, tokens, WIDTH, generator=generator)

    def layer(i: int) -> AttentionRecord:
        value, query, key = tensor(), tensor(), tensor()
        return AttentionRecord(
            f"layer.{i}",
            "layer.#",
            "encoder",
            i,
            "interface",
            value=value,
            query=query,
            key=key,
            terms=(Scale(0.5),),
        )

    def text(item: int) -> Tokens:
        infos = [TokenInfo(i, f"{item}t{i}", f"t{i}", padding=i > 3) for i in range(tokens)]
        return Tokens(infos, f"text {item}")

    sequences = [Sequence("tokens", [text(item) for item in range(items)])]
    records = [layer(i) for i in range(SITES)]
    return RecordedCall("Tiny", records, sequences, [(0, 0)] * SITES, 1.5, items, **more)


def expected(made: RecordedCall, site: int, head: int, item: int = 0) -> np.ndarray[Any, Any]:
    record = made.records[site]
    assert record.query is not None
    assert record.key is not None
    scores = record.query[item, head] @ record.key[item, head].T * 0.5
    return scores.softmax(-1).numpy()


def words(sequences: list[dict[str, Any]]) -> list[str]:
    return [token["text"] for token in sequences[0]["tokens"]]


class Page:
    """The wire, with one or more clients at its other end."""

    def __init__(self) -> None:
        self.sent: list[tuple[Envelope, list[bytes]]] = []
        self.changes: list[tuple[int, str | None]] = []
        self.news = threading.Condition()
        self.missing = ["torch"]
        self.endpoint = Endpoint(
            self._post,
            lambda *change: self.changes.append(change),
            "attnlab 0",
            ["busy/subshell"],
            lambda: self.missing,
        )
        self.session = self.endpoint.session
        self._ids = iter(range(10**6))

    def _post(self, envelope: Envelope, buffers: list[bytes]) -> None:
        with self.news:
            self.sent.append((envelope, buffers))
            self.news.notify_all()

    def wait(self, ready: Callable[[], Any]) -> Any:
        with self.news:
            assert self.news.wait_for(lambda: bool(ready()), PATIENCE), self.sent
            return ready()

    def envelope(self, rpc: Any, client: str = "a") -> dict[str, Any]:
        return {"sender": client, "to": "kernel", "session": self.session.name, "rpc": rpc}

    def ask(self, method: str, params: Any = None, client: str = "a") -> tuple[dict[str, Any], Any]:
        """The answer to a request, and its buffers."""
        id_ = next(self._ids)
        rpc = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
        self.endpoint.receive(self.envelope(rpc, client))
        sent, buffers = self.wait(
            lambda: [it for it in self.sent if it[0]["rpc"].get("id") == id_]
        )[0]
        assert sent["to"] == client
        assert sent["sender"] == "kernel"
        return sent["rpc"], buffers

    def tell(self, method: str, params: Any, client: str = "a") -> None:
        """Send a notification, which has no answer."""
        rpc = {"jsonrpc": "2.0", "method": method, "params": params}
        self.endpoint.receive(self.envelope(rpc, client))

    def initialize(self, client: str = "a", protocol: int = PROTOCOL) -> dict[str, Any]:
        params = {"protocol": protocol, "client": "test", "capabilities": []}
        return self.ask("initialize", params, client)[0]

    def subscribe(
        self,
        client: str = "a",
        panel: str = "p",
        size: int = 4,
        focus: Any = None,
        query: Any = None,
        item: int = 0,
        pinned: str | None = None,
        heads: tuple[int, ...] = (),
        neuron: bool = False,
    ) -> dict[str, Any]:
        shown = {"item": item, "focus": focus, "query": query}
        shown |= {"heads": list(heads), "neuron": neuron}
        params = {"panel": panel, "size": size, "pinned": pinned, **shown}
        return self.ask("subscribe", params, client)[0]

    def run(self, *outcomes: RecordedCall | Refusal, cell: str = "c", execution: int = 1) -> None:
        """A run of a watched cell with these model calls; returns when it is published."""
        before = len(self.changes)
        run = Run(cell, execution)
        self.session.began(run)
        for outcome in outcomes:
            self.session.called(run, outcome)
        self.session.ended(run)
        done = threading.Event()
        self.endpoint.worker.push(done.set)
        assert done.wait(PATIENCE)
        assert len(self.changes) == before + 2 + len(outcomes)

    def pushes(self) -> list[tuple[dict[str, Any], list[bytes]]]:
        return [
            (envelope["rpc"]["params"], buffers)
            for envelope, buffers in self.sent
            if envelope["rpc"].get("method") == "publish"
        ]


@pytest.fixture
def page() -> Iterator[Page]:
    it = Page()
    yield it
    it.endpoint.close()


def code(answer: dict[str, Any]) -> ErrorCode:
    return ErrorCode(answer["error"]["code"])
