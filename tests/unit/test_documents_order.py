"""Edits, cancels, runs and passes in any order: one answer each, and no picture of another text."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from page import Page, call

from attnlab.capture.again import Again, Stopped
from attnlab.capture.call import Call
from attnlab.capture.sequence import Sequence, Tokens
from attnlab.live.document import Document, Repeat, revision
from attnlab.live.edits import path_to
from attnlab.live.passes import Passes
from attnlab.live.run import Run
from attnlab.live.wording import Wording
from attnlab.server.messages import ErrorCode
from attnlab.server.worker import Worker

MODEL = torch.nn.Linear(1, 1)
WORDS = ("cat", "dog", "bird")
CELLS, CLIENTS = ("c0", "c1"), ("a", "b")
BROKEN = 'model(tok("cat'
OTHER = 'model(tok("cat")); x = 1'


def cell_of(word: str) -> str:
    """Write a cell that gives a word to the model."""
    return f'model(tok("{word}"))'


TEXTS = (*map(cell_of, WORDS), BROKEN, OTHER)


def call_of(word: str) -> Call:
    """Make up what a model leaves of a word."""
    made = call(tokens=2)
    tokens = made.sequences[0].items[0].tokens
    sequences = [Sequence("tokens", [Tokens(tokens, word)])]
    return Call(made.model, made.records, sequences, made.axes, 1.0)


def document_of(cell: str, execution: int, word: str) -> Document:
    """Note a run of a cell, as live cells do."""
    text = cell_of(word)
    document = Document(cell, execution, text, lambda own: own, {})
    tree = ast.parse(text)
    outer = tree.body[0].value  # type: ignore[attr-defined]
    inner = outer.args[0]
    wording = Wording(tree, path_to(tree, inner), {"text": path_to(tree, inner.args[0])})
    feed: Any = SimpleNamespace(
        model=MODEL,
        refusal="",
        callsite=None,
        tokenized=[SimpleNamespace(tokenizer=None, texts={"text": word})],
    )
    path = path_to(tree, outer)
    repeat = Repeat(0, feed, [wording], path, [{"text": word}], revision(MODEL))
    document.repeats, document.calls, document.feeds = [repeat], 1, {0: feed}
    return document


class StepWorker(Worker):
    """A worker that works when it is told to."""

    def _wake(self) -> None:
        pass

    def step(self) -> bool:
        """Do one thing; return whether there was any."""
        self.flush()
        job = self._next()
        if job is not None:
            job()
        return job is not None


class StepPasses(Passes):
    """Passes that are made when they are told to."""

    def _wake(self) -> None:
        pass

    def step(self) -> bool:
        """Make one pass; return whether one waited."""
        if self._pauses or not self._waiting:
            return False
        job = self._next()
        assert job is not None
        self._do(job)
        return True


class Orders(RuleBasedStateMachine):
    """What clients do, and when the kernel comes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = [
            mock.patch("attnlab.server.endpoint.Worker", StepWorker),
            mock.patch("attnlab.server.endpoint.Passes", StepPasses),
            mock.patch("attnlab.server.retyping.again", self.again),
        ]
        for patch in self.patches:
            patch.start()
        self.page = Page()
        self.worker: Any = self.page.endpoint.worker
        self.passes: Any = self.page.endpoint.passes
        self.session = self.page.session
        self.executions = 0
        self.versions = 0
        self.asked: dict[int, tuple[str, str, str]] = {}
        self.newest: dict[tuple[str, str], str] = {}
        self.seen = 0
        self.during: list[Callable[[], None]] = []
        self.in_pass = 0

    def again(self, feed: Any, texts: Any, stop: Any, limit: int, held: Any) -> Again:
        self.in_pass += 1
        assert self.in_pass == 1  # At most one pass runs.
        assert not self.passes._pauses
        try:
            during, self.during = self.during, []
            for action in during:
                action()
            if stop():
                raise Stopped
            return Again(call_of(texts[0]["text"]), [])
        finally:
            self.in_pass -= 1

    @initialize()
    def begin(self) -> None:
        for client in CLIENTS:
            self.page.initialize(client)
        self.seen = len(self.page.sent)
        for client in CLIENTS:
            for cell in CELLS:
                self.request(client, cell, "textDocument/didOpen", version=0, text="")

    def request(self, client: str, cell: str, method: str, text: str = "", **more: Any) -> int:
        id_ = next(self.page._ids)
        params = {"cell": cell, "text": text, **more}
        if method.endswith("didChange"):
            params = {"cell": cell, "limit": 9, "changes": [{"text": text}], **more}
            self.newest[client, cell] = text
        self.asked[id_] = (client, cell, text)
        rpc = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
        self.page.endpoint.receive(self.page.envelope(rpc, client))
        return id_

    def edit(self, client: str, cell: str, text: str) -> None:
        self.versions += 1
        self.request(client, cell, "textDocument/didChange", text, base=0, version=self.versions)

    def cancel(self, back: int) -> None:
        if self.asked:
            id_ = list(self.asked)[-1 - back % len(self.asked)]
            self.page.tell("$/cancelRequest", {"id": id_}, self.asked[id_][0])

    @rule(client=st.sampled_from(CLIENTS), cell=st.sampled_from(CELLS), text=st.sampled_from(TEXTS))
    def edits(self, client: str, cell: str, text: str) -> None:
        self.edit(client, cell, text)

    @rule(back=st.integers(0, 5))
    def cancels(self, back: int) -> None:
        self.cancel(back)

    @rule(
        texts=st.lists(
            st.tuples(st.sampled_from(CLIENTS), st.sampled_from(CELLS), st.sampled_from(TEXTS)),
            max_size=3,
        ),
        back=st.integers(-1, 2),
    )
    def passes_while_more_comes(self, texts: list[tuple[str, str, str]], back: int) -> None:
        self.during = [functools.partial(self.edit, *text) for text in texts]
        if back >= 0:
            self.during.append(lambda: self.cancel(back))
        self.passes.step()
        self.during = []

    @rule(turns=st.integers(1, 3))
    def works(self, turns: int) -> None:
        for _ in range(turns):
            self.worker.step()

    @rule(cell=st.sampled_from(CELLS), word=st.sampled_from(WORDS), refused=st.booleans())
    def runs(self, cell: str, word: str, refused: bool) -> None:
        self.passes.pause()
        self.executions += 1
        run = Run(cell, self.executions)
        run.document = document_of(cell, self.executions, word)
        self.session.began(run)
        assert not self.passes.step()  # No pass beside a cell.
        if not refused:
            self.session.called(run, call_of(word))
        self.session.ended(run)
        self.passes.resume()

    @invariant()
    def says_nothing_that_is_not_so(self) -> None:
        sent, self.seen = self.page.sent[self.seen :], len(self.page.sent)
        for envelope, _ in sent:
            rpc = envelope["rpc"]
            if rpc.get("id") is None:
                continue
            client, _, text = self.asked.pop(rpc["id"])  # Exactly one answer each.
            assert envelope["to"] == client
            if "error" in rpc:
                codes = (ErrorCode.CONTENT_MODIFIED, ErrorCode.REQUEST_CANCELLED)
                assert rpc["error"]["code"] in codes
            elif text:
                assert rpc["result"]["live"] == (not rpc["result"]["diagnostics"])
                assert not (rpc["result"]["live"] and text in (BROKEN, OTHER))

    @invariant()
    def shows_no_picture_of_another_text(self) -> None:
        for cell, source in self.session.shelf.sources.items():
            for trace in self.session.shelf.of(cell):
                word = trace.sequences[0].items[0].text
                ran = self.session.shelf.documents[cell].execution
                assert trace.execution > ran or source["text"] == cell_of(word or "")

    @invariant()
    def counts_its_pushes(self) -> None:
        revisions = [params["revision"] for params, _ in self.page.pushes()]
        assert revisions == sorted(set(revisions))

    def drain(self) -> None:
        while self.passes.step() or self.worker.step():
            pass
        self.says_nothing_that_is_not_so()
        assert not self.asked
        assert self.page.endpoint.dispatcher.open == 0

    def teardown(self) -> None:
        self.drain()
        for cell in self.session.shelf.documents:
            for word in WORDS:
                self.edit("b", cell, cell_of(word))
            self.drain()  # Whatever was before, the last text is the one that is shown.
            assert self.session.shelf.sources[cell]["text"] == cell_of(WORDS[-1])
        self.edit("a", "c0", TEXTS[0])
        self.page.endpoint.close()
        self.says_nothing_that_is_not_so()
        assert not self.asked
        for patch in self.patches:
            patch.stop()


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=250, stateful_step_count=30, deadline=None)
