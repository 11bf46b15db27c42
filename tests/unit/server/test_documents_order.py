"""Edits, cancellations, runs and passes in any order: one response each, of the right text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from attnlab.capture.again import Again, Stopped
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.live.cells.document import CellDocument
from attnlab.live.cells.repeat import Repeat, revision
from attnlab.live.cells.run import Run
from attnlab.live.passes.scheduler import PassScheduler
from attnlab.live.source.parsing import parse
from attnlab.live.texts.arguments import TextArguments
from attnlab.live.texts.paths import path_to
from attnlab.server.messages import PROTOCOL, ErrorCode
from attnlab.server.protocol.worker import Worker
from tests.unit.page import Page, call

MODEL = torch.nn.Linear(1, 1)
WORDS = ("cat", "dog", "bird")
CELLS, CLIENTS = ("c0", "c1"), ("a", "b")
BROKEN = 'model(tok("cat'
OTHER = 'model(tok("cat")); x = 1'


def cell_of(word: str) -> str:
    """Write a cell that passes a word to the model."""
    return f'model(tok("{word}"))'


TEXTS = (*map(cell_of, WORDS), BROKEN, OTHER)


def call_of(word: str) -> RecordedCall:
    """Create the recording of a call with a word."""
    made = call(tokens=2)
    tokens = made.sequences[0].items[0].tokens
    sequences = [Sequence("tokens", [Tokens(tokens, word)])]
    return RecordedCall(made.model, made.records, sequences, made.axes, 1.0)


def document_of(cell: str, execution: int, word: str) -> CellDocument:
    """Create the document of a run."""
    text = cell_of(word)
    document = CellDocument(cell, execution, text, lambda value: value, {})
    tree = parse(text)
    outer = tree.body[0].value  # type: ignore[attr-defined]
    inner = outer.args[0]
    arguments = TextArguments(tree, path_to(tree, inner), {"text": path_to(tree, inner.args[0])})
    feed: Any = SimpleNamespace(
        text_of=lambda item: item,
        model=MODEL,
        refusal="",
        gone="",
        callsite=None,
        tokenized=[SimpleNamespace(method="__call__", tokenizer=None, texts={"text": word})],
    )
    path = path_to(tree, outer)
    repeat = Repeat(0, feed, [arguments], path, [{"text": word}], revision(MODEL))
    document.repeats, document.calls, document.feeds = [repeat], 1, {0: feed}
    return document


class StepWorker(Worker):
    """A worker that is controlled by the test."""

    def _wake(self) -> None:
        pass

    def step(self) -> bool:
        """Run one task; return whether there was one."""
        self.flush()
        job = self._next()
        if job is not None:
            job()
        return job is not None


class StepPasses(PassScheduler):
    """A scheduler that is controlled by the test."""

    def _wake(self) -> None:
        pass

    def step(self) -> bool:
        """Run one pass; return whether one was waiting."""
        if self._pauses or not self._waiting:
            return False
        task = self._next(self._turn)
        assert task is not None
        task()
        return True


class Orders(RuleBasedStateMachine):
    """Actions of clients, and the times at which the kernel handles them."""

    def __init__(self) -> None:
        super().__init__()
        self.patches: list[Any] = [
            mock.patch("attnlab.server.endpoint.Worker", StepWorker),
            mock.patch("attnlab.server.endpoint.PassScheduler", StepPasses),
            mock.patch("attnlab.server.requests.edit.again", self.again),
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
            asked = {"protocol": PROTOCOL, "client": "test", "capabilities": []}
            rpc = {"jsonrpc": "2.0", "id": client, "method": "initialize", "params": asked}
            self.page.endpoint.receive(self.page.envelope(rpc, client))
        self.works(2 * len(CLIENTS))
        self.seen = len(self.page.sent)
        assert self.seen == len(CLIENTS)
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
        for cell in self.session._documents._documents:
            source = self.session.source(cell)
            assert source is not None
            for trace in self.session._traces.of_cell(cell):
                word = trace.sequences[0].items[0].text
                document = self.session.document(cell)
                assert document is not None
                assert trace.execution > document.execution or source["text"] == cell_of(word or "")

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
        for cell in self.session._documents._documents:
            for word in WORDS:
                self.edit("b", cell, cell_of(word))
            self.drain()  # Whatever was before, the last text is the one that is shown.
            source = self.session.source(cell)
            assert source is not None
            assert source["text"] == cell_of(WORDS[-1])
        self.edit("a", "c0", TEXTS[0])
        self.page.endpoint.close()
        self.says_nothing_that_is_not_so()
        assert not self.asked
        for patch in self.patches:
            patch.stop()


def test_an_undo_before_the_edit_is_shown_has_a_separate_trace() -> None:
    orders = Orders()
    orders.begin()
    orders.runs("c0", "bird", refused=False)
    orders.works(3)
    for word in ("cat", "bird"):
        orders.edits("a", "c0", cell_of(word))
        orders.passes_while_more_comes([], -1)
    orders.works(2)
    (trace,) = orders.session._traces.of_cell("c0")
    assert trace.sequences[0].items[0].text == "bird"
    orders.shows_no_picture_of_another_text()
    orders.teardown()


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=250, stateful_step_count=30, deadline=None)
