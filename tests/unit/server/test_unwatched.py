"""Runs cost nothing without an open page; a page that opens shows what another one shows."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from attnlab.capture.again import Again
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.tokens.tokens import TokenInfo
from attnlab.live.cells.document import CellDocument
from attnlab.live.cells.repeat import Repeat, revision
from attnlab.live.cells.run import Run
from attnlab.live.findings import Finding
from attnlab.live.source.parsing import parse
from attnlab.live.texts.arguments import TextArguments
from attnlab.live.texts.paths import path_to
from attnlab.server.messages import ErrorCode
from attnlab.server.payloads.lazy import LazyPayload
from attnlab.server.session import changes, documents, sources, summaries
from tests.panel import Panel
from tests.unit.page import PATIENCE, Page, call, code, page

__all__ = ["page"]

HEAD = {"site": 1, "head": 2}
REFUSAL = Refusal("Tiny", "It cannot be recorded.", "Call another one.")
WORDS = ("cat", "dog", "ox")
NAMES = ("Al", "Bo", "Anna")
CELLS = ("c0", "c1")


ENCODE = LazyPayload.encode


@pytest.fixture
def computed() -> Any:
    """Number of computations for panels."""
    with (
        mock.patch.object(changes, "summary", wraps=summaries.summary) as summarized,
        mock.patch.object(LazyPayload, "encode", autospec=True, side_effect=ENCODE) as encoded,
        mock.patch.object(documents, "source_of", wraps=sources.source_of) as found,
    ):
        yield lambda: (summarized.call_count, encoded.call_count, found.call_count)


def ran(page: Page, word: str = "cat", execution: int = 1) -> None:
    """Run a tagged cell."""
    document = document_of("c", execution, word, {"name": "Al"})
    run = Run("c", execution, document=document)
    page.session.began(run)
    page.session.called(run, call_of(f"Al {word}"))
    page.session.ended(run)
    rest(page)


def rest(page: Page) -> None:
    """Wait until the worker has finished all tasks."""
    done = threading.Event()
    page.endpoint.worker.push(done.set)
    page.endpoint.worker.flush()
    assert done.wait(PATIENCE)


def test_a_run_without_panels_computes_and_sends_nothing(page: Page, computed: Any) -> None:
    for execution in range(1, 4):
        ran(page, execution=execution)
    page.session.compare()
    rest(page)
    assert computed() == (0, 0, 0)
    assert all(site.checked is None for it in page.session.traces for site in it.sites)
    assert page.sent == []
    assert {running for _, running in page.changes} == {None}
    assert page.session.newest() is page.session.traces[-1]


def test_all_work_ends_when_the_last_page_leaves(page: Page, computed: Any) -> None:
    for client in ("a", "b"):
        page.initialize(client)
        page.subscribe(client, client, focus=HEAD, query=1)
    page.ask("leave", client="a")
    ran(page)
    seen = computed()
    assert all(seen)
    page.ask("leave", client="b")
    sent = len(page.sent)
    ran(page, execution=2)
    assert computed() == seen
    assert len(page.sent) == sent
    assert code(page.ask("state", client="b")[0]) is ErrorCode.NOT_INITIALIZED


def test_a_page_that_connects_finds_computed_payloads(page: Page, computed: Any) -> None:
    ran(page)
    state = page.initialize()["result"]["state"]
    assert computed() == (1, 0, 1)
    (trace,), (source,) = state["traces"], state["sources"]
    assert trace["id"] == source["origins"][0]["trace"] == page.session.traces[0].id
    page.subscribe("a", focus=HEAD)
    ran(page, execution=2)
    params, _ = page.pushes()[-2]
    assert [payload["kind"] for payload in params["payloads"]] == ["thumbnails", "head"]


def test_a_page_that_connects_and_leaves_during_a_run_is_updated(page: Page) -> None:
    run = Run("c", 1)
    page.session.began(run)
    rest(page)
    assert page.changes == [(1, None)]
    assert page.initialize()["result"]["state"]["running"] == "c"
    assert page.changes[1:] == [(1, "c")]
    page.ask("leave")
    rest(page)
    assert page.changes[2:] == [(1, None)]
    page.session.ended(run)


def test_a_trace_that_cannot_be_shown_is_a_problem_and_hides_no_other(page: Page) -> None:
    ran(page)
    page.run(call(), cell="d", execution=2)
    broken = page.session.traces[0]
    wraps = summaries.summary

    def summary(trace: Any, calls: int) -> Any:
        if trace is broken:
            raise MemoryError("none left")
        return wraps(trace, calls)

    with mock.patch.object(changes, "summary", summary):
        state = page.initialize()["result"]["state"]
    assert [trace["cell"] for trace in state["traces"]] == ["d"]
    (problem,) = state["problems"]
    assert problem["cell"] == "c"
    assert "could not store" in problem["title"]


# --- in any order -----------------------------------------------------------------------


def cell_of(word: str) -> str:
    """Write a cell whose text contains a name of another cell."""
    return f'model(tok(f"{{name}} {word}"))'


def call_of(text: str) -> RecordedCall:
    """Create the recording of a call with a text, with one token per character."""
    made = call(seed=len(text), tokens=len(text))
    infos = [
        TokenInfo(ord(thread), thread, thread, start=place, end=place + 1)
        for place, thread in enumerate(text)
    ]
    return RecordedCall(
        made.model, made.records, [Sequence("tokens", [Tokens(infos, text)])], made.axes, 1
    )


def document_of(
    cell: str, execution: int, word: str, held: dict[str, Any], model: Any = None
) -> CellDocument:
    """Create the document of a run."""
    text = cell_of(word)
    document = CellDocument(cell, execution, text, lambda value: value, held)
    tree = parse(text)
    outer: Any = tree.body[0].value  # type: ignore[attr-defined]
    inner = outer.args[0]
    texts = {"text": f"{held['name']} {word}"}
    tokenized = [SimpleNamespace(tokenizer=None, texts=texts)]
    feed: Any = SimpleNamespace(
        text_of=lambda item: item,
        model=model,
        refusal="",
        gone="",
        callsite=None,
        tokenized=tokenized,
    )
    wording = TextArguments(tree, path_to(tree, inner), {"text": path_to(tree, inner.args[0])})
    document.repeats = [Repeat(0, feed, [wording], path_to(tree, outer), [texts], revision(model))]
    document.calls, document.feeds = 1, {0: feed}
    return document


class View:
    """The content of a panel, from its initial state and the pushes since."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.panel = Panel()
        self.panel.load(state)
        self.last = state["last"]
        self.sources = {source["cell"]: source for source in state["sources"]}

    def push(self, params: dict[str, Any], buffers: list[bytes]) -> None:
        assert not self.panel.push(params, buffers), "a push was lost"
        source = params.get("source")
        if source:
            self.sources[source["cell"]] = source
        self.last = params["last"]

    @property
    def cell(self) -> str | None:
        """The cell whose trace is shown."""
        cells = [trace["cell"] for trace in self.panel.traces.values()]
        return self.last if self.last in cells or not cells else cells[-1]

    def seen(self, document: CellDocument | None, edited: set[str]) -> Any:
        """Return the content; traces are identified by position, as ids depend on deleted ones."""
        panel = self.panel
        found = [trace for trace in panel.traces.values() if trace["cell"] == self.cell]
        place = {trace["id"]: at for at, trace in enumerate(found)}
        traces = [{**trace, "id": place[trace["id"]]} for trace in found]
        source = self.sources.get(self.cell or "")
        if source is not None:
            held = [it for it in source["origins"] if it["trace"] in place]
            origins = [{**it, "trace": place[it["trace"]]} for it in held]
            # An edit without an open page runs later, and its trace is newer then.
            true = document is not None and source["outdated"] == document.outdated
            source = {**source, "origins": origins, "outdated": true or "wrong"}
        # A failed run is reported until an edit is processed; an edit that was undone while no
        # page was open may not be processed.
        problems = [value for cell, value in sorted(panel.problems.items()) if cell not in edited]
        return panel.running, self.last, traces, problems, source


class Kernel:
    """A kernel and its only page, which may be open."""

    def __init__(self) -> None:
        self.page = Page()
        self.model = torch.nn.Linear(1, 1)
        self.held = {"name": NAMES[0]}
        self.texts: dict[str, str] = {}
        """The text in the editor of each cell that has run."""
        self.ran: dict[str, str] = {}
        """The text of the last run of each cell."""
        self.view: View | None = None
        self.heard = self.version = 0

    def open(self) -> None:
        self.view = View(self.page.initialize()["result"]["state"])
        self.heard = len(self.page.pushes())
        self.page.subscribe(focus=HEAD)

    def close(self) -> None:
        self.page.ask("unsubscribe", {"panel": "p"})
        self.page.ask("leave")
        self.view = None

    def type(self, cell: str, text: str, earlier: bool = False) -> None:
        """Edit a cell; an open page sends the edit."""
        self.texts[cell] = text
        if self.view is not None:
            self.version += 1
            expected: dict[str, Any] = {
                "cell": cell,
                "base": 0,
                "version": self.version,
                "limit": 99,
            }
            expected |= {"changes": [{"text": text}], "earlier": earlier}
            self.page.ask("textDocument/didChange", expected)

    def run(
        self, cell: str, execution: int, word: str, outcomes: list[RecordedCall | Refusal]
    ) -> None:
        if self.texts.get(cell, "") != cell_of(word):
            self.type(cell, cell_of(word))
        self.texts[cell] = self.ran[cell] = cell_of(word)
        document = document_of(cell, execution, word, self.held, self.model)
        document.calls = len(outcomes)
        if REFUSAL in outcomes:
            document.refuse(Finding("a model call of the cell could not be recorded"))
        run = Run(cell, execution, tagged=True, document=document)
        self.page.session.began(run)
        for outcome in outcomes:
            self.page.session.called(run, outcome)
        run.missed = None if outcomes else REFUSAL
        self.page.session.ended(run)
        self.page.session.compare()

    def hear(self, view: View) -> None:
        rest(self.page)
        pushes = self.page.pushes()
        for params, buffers in pushes[self.heard :]:
            view.push(params, buffers)
        self.heard = len(pushes)

    @property
    def followed(self) -> bool:
        """Whether no edit waits for a page."""
        documents = self.page.session._documents._documents
        return all(value.text == self.texts[cell] for cell, value in documents.items())

    def seen(self) -> Any:
        """The content of the page; None if it is closed."""
        rest(self.page)
        if self.view is None:
            return None
        self.hear(self.view)
        cell = self.view.cell or ""
        if cell in self.texts and self.view.sources.get(cell, {}).get("text") != self.texts[cell]:
            self.type(cell, self.texts[cell], earlier=True)  # It was edited while nobody saw it.
            self.hear(self.view)
        edited = {cell for cell, text in self.texts.items() if self.ran.get(cell) != text}
        return self.view.seen(self.page.session.document(cell), edited)


class Orders(RuleBasedStateMachine):
    """Two kernels with the same events; the page of one is always open."""

    def __init__(self) -> None:
        super().__init__()
        self.again = mock.patch(
            "attnlab.server.requests.edit.again",
            lambda _feed, texts, *_: Again(call_of(texts[0]["text"]), []),
        )
        self.again.start()
        # On a busy machine, a thread may wait for a second without a pass that hangs.
        self.patient = mock.patch("attnlab.live.passes.running.MOST", 10 * PATIENCE)
        self.patient.start()
        self.open, self.other = self.kernels = Kernel(), Kernel()
        self.open.open()
        self.executions = 0
        self.renamed: set[str] = set()
        """Cells whose texts contain a name that was reassigned since they ran."""

    def may_have(self, cell: str, word: str) -> bool:
        """Whether the other page, which may not see it, will follow such an edit in the same way.

        It shows the newest run, not what was typed in another cell, and reads the name later.
        """
        text = self.other.texts.get(cell, cell_of(word))
        unseen = text != cell_of(word) and self.other.view is None
        return not (unseen and cell in self.renamed)

    @rule(
        cell=st.sampled_from(CELLS),
        word=st.sampled_from(WORDS),
        left=st.sampled_from(["call", "calls", "refused", "both", "nothing"]),
    )
    def runs(self, cell: str, word: str, left: str) -> None:
        if not self.may_have(cell, word):
            return
        if left in ("call", "calls", "both"):
            self.renamed.discard(cell)
        self.executions += 1
        for kernel in self.kernels:
            made_call = call_of(f"{kernel.held['name']} {word}")
            outcomes: dict[str, list[RecordedCall | Refusal]] = {
                "call": [made_call],
                "calls": [made_call, call_of("another")],
                "refused": [REFUSAL],
                "both": [made_call, REFUSAL],
                "nothing": [],
            }
            kernel.run(cell, self.executions, word, outcomes[left])

    @rule(cell=st.sampled_from(CELLS), word=st.sampled_from(WORDS))
    def edits(self, cell: str, word: str) -> None:
        elsewhere = self.open.view is not None and cell != self.open.view.last
        if not self.may_have(cell, word) or (self.other.view is None and elsewhere):
            return
        for kernel in self.kernels:
            if kernel.texts.get(cell, cell_of(word)) != cell_of(word):
                kernel.type(cell, cell_of(word))

    # Names in a text are read when a page shows it.
    @precondition(lambda self: self.other.followed)
    @rule(name=st.sampled_from(NAMES))
    def assigns(self, name: str) -> None:
        self.renamed.update(self.open.texts)
        for kernel in self.kernels:
            kernel.held["name"] = name

    @rule()
    def trains(self) -> None:
        for kernel in self.kernels:
            with torch.no_grad():
                kernel.model.weight.add_(1)
            kernel.page.session.compare()

    @precondition(lambda self: self.other.view is None)
    @rule()
    def opens(self) -> None:
        self.other.open()

    @precondition(lambda self: self.other.view is not None)
    @rule()
    def closes(self) -> None:
        self.other.close()

    @invariant()
    def shows_the_same(self) -> None:
        expected, seen = self.open.seen(), self.other.seen()
        if seen is not None:
            assert seen == expected

    def teardown(self) -> None:
        if self.other.view is None:
            self.opens()
        self.shows_the_same()
        for kernel in self.kernels:
            kernel.page.endpoint.close()
        self.again.stop()
        self.patient.stop()


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
