"""`attnlab.selection`: what panels tell is read and observed, what Python sets is asked of them."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import traitlets

import attnlab
from attnlab import widget
from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.server.messages import Envelope
from attnlab.server.selection import active as module
from attnlab.server.selection.active import Selection
from tests.unit.page import HEADS, PATIENCE, SITES, TOKENS, WIDTH, Page, call
from tests.unit.page import page as page

GUIDE = Path(__file__).parents[3] / "docs" / "python.md"

START: dict[str, Any] = {
    "item": 0,
    "site": 1,
    "head": 2,
    "heads": [2],
    "query": None,
    "key": None,
    "dimension": None,
    "pairs": "all",
}


@pytest.fixture
def selection(page: Page) -> Selection:
    it = Selection()
    it.attach(page.endpoint)
    return it


def tell(page: Page, client: str = "a", panel: str = "p", **parts: Any) -> None:
    """A panel tells what is selected in it."""
    page.tell("selection/didChange", {"panel": panel, "selection": {**START, **parts}}, client)


def opened(page: Page, client: str = "a", panel: str = "p", **parts: Any) -> None:
    """Open a panel in which this is selected."""
    page.initialize(client)
    page.subscribe(client, panel)
    tell(page, client, panel, **parts)


def shown(page: Page, **parts: Any) -> None:
    """Open a panel that shows a trace."""
    page.run(call())
    opened(page, **parts)


def asked(page: Page) -> list[tuple[str, str, dict[str, Any]]]:
    """What panels were asked to select: client, panel, selection."""
    return [
        (it["to"], it["rpc"]["params"]["panel"], it["rpc"]["params"]["selection"])
        for it, _ in page.sent
        if it["rpc"].get("method") == "selection/set"
    ]


# --- reading ----------------------------------------------------------------------------


def test_without_a_panel_all_parts_are_none(selection: Selection, page: Page) -> None:
    page.run(call())
    assert {getattr(selection, name) for name in selection.trait_names()} == {None}
    assert repr(selection) == "Selection(no panel shows attention)"
    assert {getattr(Selection(), name) for name in selection.trait_names()} == {None}


def test_a_panel_is_read_part_by_part(selection: Selection, page: Page) -> None:
    shown(page, heads=[0, 2], query=3, key=1, dimension=2, pairs="ab")
    parts = {name: getattr(selection, name) for name in START}
    expected = {"heads": [0, 2], "query": 3, "key": 1, "dimension": 2, "pairs": "ab"}
    assert parts == {**START, **expected}
    assert (selection.layer, selection.kind) == (1, "encoder")


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "layer=1, head=2"),
        ({"site": 0, "head": 1, "heads": [1], "query": 4, "key": 0}, "layer=0, head=1, query=4, key=0"),  # noqa: E501
        ({"heads": [0, 2], "dimension": 3, "pairs": "ba"}, "layer=1, head=2, heads=[0, 2], dimension=3, pairs='ba'"),  # noqa: E501
        ({"site": 7}, "site=7, head=2"),
    ],
)  # fmt: skip
def test_its_repr_names_what_is_unusual(
    selection: Selection, page: Page, parts: dict[str, Any], text: str
) -> None:
    shown(page, **parts)
    assert repr(selection) == f"Selection({text})"


def test_the_layer_is_the_models_number_in_the_trace_on_display(
    selection: Selection, page: Page
) -> None:
    opened(page)
    assert (selection.layer, selection.kind) == (None, None)
    made = call()
    made.records[1] = replace(made.records[1], layer=17, kind="decoder")
    page.run(made)
    assert (selection.layer, selection.kind) == (17, "decoder")
    kept = page.ask("state")[0]["result"]["traces"][0]["id"]
    page.run(call(), cell="another", execution=2)
    assert selection.layer == 1, "the panel follows the cell that ran last"
    page.subscribe(pinned=kept)
    assert selection.layer == 17, "the panel keeps to the first"


def test_it_is_the_selection_of_the_panel_that_was_used_last(
    selection: Selection, page: Page
) -> None:
    opened(page, "a", "first", head=0)
    opened(page, "b", "second", head=1)
    assert selection.head == 1
    tell(page, "a", "first", head=0)
    assert selection.head == 0


def test_a_hidden_panel_yields_to_others_until_it_is_shown_again(
    selection: Selection, page: Page
) -> None:
    opened(page, "a", "first", head=0)
    page.subscribe("a", "second")
    tell(page, "a", "second", head=1)
    page.initialize("b")
    page.ask("unsubscribe", {"panel": "second"}, "b")
    assert selection.head == 1, "that is no panel of this client"
    page.ask("unsubscribe", {"panel": "second"})
    assert selection.head == 0
    page.subscribe("a", "second")
    assert selection.head == 1
    for panel in ("first", "second"):
        page.ask("unsubscribe", {"panel": panel})
    assert selection.head is None


def test_a_client_that_leaves_removes_its_panels(selection: Selection, page: Page) -> None:
    opened(page, "a", "first")
    page.ask("leave", client="a")
    assert selection.head is None
    page.initialize("a")
    opened(page, "a", "first")
    tell(page, "a", "first", head=1)
    for number in range(16):
        page.initialize(f"another {number}")
    assert selection.head is None
    tell(page, "a", "first", head=1)
    assert selection.head is None, "the kernel does not know the client any more"


def test_a_panel_keeps_its_selection_over_a_reload(selection: Selection, page: Page) -> None:
    shown(page, head=1)
    page.initialize("after")
    page.subscribe("after")
    assert selection.head == 1
    selection.query = 2
    assert [to for to, *_ in asked(page)] == ["after"]


# --- observing --------------------------------------------------------------------------


def test_observers_are_called_once_for_each_changed_field(selection: Selection, page: Page) -> None:
    shown(page, query=1)
    seen: list[tuple[str, Any, Any, Any]] = []
    selection.observe(lambda it: seen.append((it.name, it.old, it.new, selection.site)))
    tell(page, site=0, head=1, heads=[1], query=1)
    assert sorted(seen) == [
        ("head", 2, 1, 0),
        ("heads", [2], [1], 0),
        ("layer", 1, 0, 0),
        ("site", 1, 0, 0),
    ]
    tell(page, site=0, head=1, heads=[1], query=1)
    assert len(seen) == 4


def test_a_removed_observer_is_not_called(selection: Selection, page: Page) -> None:
    shown(page)
    seen: list[Any] = []
    selection.observe(seen.append, names="query")
    tell(page, query=1)
    selection.unobserve(seen.append, names="query")
    tell(page, query=2)
    assert [change.new for change in seen] == [1]


def test_an_observer_that_raises_disturbs_neither_others_nor_the_server(
    selection: Selection, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    def broken(change: Any) -> None:
        raise ValueError("mine")

    shown(page)
    selection.observe(broken, names="query")
    selection.observe(seen.append, names="query")
    tell(page, query=4)
    assert [change.new for change in seen] == [4]
    assert "an observer of attnlab.selection failed" in caplog.text
    assert "ValueError: mine" in caplog.text
    assert "result" in page.ask("state")[0]


def test_an_observer_may_set_and_ask_for_the_newest_trace(selection: Selection, page: Page) -> None:
    shown(page)
    held: list[Any] = []

    def follows(change: Any) -> None:
        selection.key = change.new - 1
        held.append(page.session.newest())

    selection.observe(follows, names="query")
    tell(page, query=3)
    assert asked(page) == [("a", "p", {**START, "query": 3, "key": 2})]
    assert held == [page.session.newest()]


def test_an_observer_of_the_layer_may_ask_for_the_trace_that_changed_it(
    selection: Selection, page: Page
) -> None:
    opened(page)
    held: list[Any] = []
    selection.observe(lambda _: held.append(page.session.newest()), names="layer")
    began = time.monotonic()
    page.run(call())
    assert held == [page.session.newest()]
    assert time.monotonic() - began < PATIENCE / 2, "the worker did not wait for itself"


def test_an_observer_that_waits_blocks_no_other_thread(selection: Selection, page: Page) -> None:
    shown(page)
    entered, released = threading.Event(), threading.Event()

    def waits(change: Any) -> None:
        entered.set()
        assert released.wait(PATIENCE)

    selection.observe(waits, names="query")
    first = threading.Thread(target=tell, args=(page,), kwargs={"query": 1})
    first.start()
    assert entered.wait(PATIENCE)
    tell(page, query=2)
    page.run(call(), execution=2)
    assert "result" in page.ask("state")[0]
    released.set()
    first.join(PATIENCE)
    assert selection.query == 2, "what came meanwhile is not lost"


# --- setting ----------------------------------------------------------------------------


def test_an_assignment_is_requested_from_the_panel_and_applied_when_it_answers(
    selection: Selection, page: Page
) -> None:
    shown(page)
    selection.query = 3
    assert asked(page) == [("a", "p", {**START, "query": 3})]
    assert selection.query is None
    tell(page, query=3)
    assert selection.query == 3
    assert len(asked(page)) == 1


#: Every part that can be set, with what else comes of it.
PARTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "item": (1, {}),
    "site": (0, {}),
    "head": (1, {"heads": [1]}),
    "heads": ([0, 2], {}),
    "query": (3, {}),
    "key": (4, {}),
    "dimension": (2, {}),
    "pairs": ("ab", {}),
}


@pytest.mark.parametrize("part", PARTS)
def test_every_field_is_set_answered_read_back_and_observed(
    selection: Selection, page: Page, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    page.run(call(items=2))
    opened(page)
    answered(page, monkeypatch)
    value, more = PARTS[part]
    seen: list[tuple[str, Any]] = []
    selection.observe(lambda change: seen.append((change.name, change.new)), names=part)
    setattr(selection, part, value)
    assert asked(page) == [("a", "p", {**START, part: value, **more})]
    assert {name: getattr(selection, name) for name in START} == {**START, part: value, **more}
    assert seen == [(part, value)]


def test_these_are_all_parts_that_can_be_set(selection: Selection) -> None:
    readonly = {"layer", "kind"}
    assert set(selection.trait_names()) == {*PARTS, *readonly}


def test_only_the_client_of_the_panel_used_last_is_asked(selection: Selection, page: Page) -> None:
    page.run(call())
    opened(page, "a", "first")
    opened(page, "b", "second")
    selection.key = 1
    tell(page, "a", "first")
    selection.key = 2
    assert [(*whom, it["key"]) for *whom, it in asked(page)] == [
        ("b", "second", 1),
        ("a", "first", 2),
    ]


def test_fields_that_are_set_in_sequence_are_sent_together(
    selection: Selection, page: Page
) -> None:
    shown(page)
    selection.site = 0
    selection.head = 1
    selection.query = np.int64(4)
    tell(page, site=0)  # the answer to the first alone
    selection.key = np.array([0.1, 0.7, 0.2]).argmax()
    want = {**START, "site": 0, "head": 1, "heads": [1], "query": 4, "key": 1}
    assert asked(page)[-1] == ("a", "p", want)
    assert all(type(it) is int for it in (asked(page)[-1][2][name] for name in ("query", "key")))


def test_after_a_panel_has_answered_its_changes_are_the_base(
    selection: Selection, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(page)
    selection.query = 3
    tell(page, query=3)
    tell(page, query=1)  # a person clicks
    selection.key = 0
    assert asked(page)[-1][2] == {**START, "query": 1, "key": 0}
    monkeypatch.setattr(module, "TIMEOUT", 0.0)
    selection.query = 4
    time.sleep(0.001)
    selection.key = 2  # the panel never answered
    assert asked(page)[-1][2] == {**START, "query": 1, "key": 2}


def test_a_head_that_is_not_drawn_with_the_others_is_drawn_alone(
    selection: Selection, page: Page
) -> None:
    shown(page, heads=[1, 2])
    selection.head = 1
    assert asked(page)[-1][2] == {**START, "head": 1, "heads": [1, 2]}
    selection.head = 0
    assert asked(page)[-1][2] == {**START, "head": 0, "heads": [0]}
    selection.heads = [2, 1, 1]
    assert asked(page)[-1][2] == {**START, "head": 1, "heads": [1, 2]}


def test_another_site_keeps_its_part_of_the_selection(selection: Selection, page: Page) -> None:
    made = call()
    record = made.records[0]
    assert record.query is not None
    assert record.key is not None
    made.records[0] = AttentionRecord(
        *("small", "small", "cross", 0, "interface"),
        query=record.query[:, :2, :2],
        key=record.key[:, :2, :4, :],
        terms=record.terms,
    )
    page.run(made)
    opened(page, heads=[0, 1, 2], query=1, key=4, dimension=3)
    selection.site = 0
    want = {**START, "site": 0, "head": 1, "heads": [0, 1], "query": 1, "key": None, "dimension": 3}
    assert asked(page)[-1][2] == want


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("site", SITES, "sites 0 to 1"),
        ("site", -1, "sites 0 to 1"),
        ("item", 1, "items 0 to 0"),
        ("head", HEADS, "heads 0 to 2"),
        ("heads", [0, HEADS], "site 1 has no head 3, only heads 0 to 2"),
        ("query", TOKENS, "queries 0 to 4"),
        ("key", -1, "keys 0 to 4"),
        ("dimension", WIDTH, "dimensions 0 to 3"),
    ],
)
def test_an_invalid_index_is_an_error_that_gives_the_valid_range(
    selection: Selection, page: Page, part: str, value: Any, words: str
) -> None:
    shown(page)
    with pytest.raises(IndexError, match=words):
        setattr(selection, part, value)
    assert not asked(page)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("heads", []),
        ("heads", ["a"]),
        ("head", None),
        ("head", 1.5),
        ("query", "cat"),
        ("pairs", "ac"),
        ("layer", 0),
        ("kind", "cross"),
    ],
)
def test_an_invalid_value_is_a_trait_error(
    selection: Selection, page: Page, part: str, value: Any
) -> None:
    shown(page)
    with pytest.raises(traitlets.TraitError, match=part):
        setattr(selection, part, value)
    assert not asked(page)


def test_a_neuron_of_a_site_with_weights_alone_is_refused(selection: Selection, page: Page) -> None:
    made = call()
    kept = torch.full((1, HEADS, TOKENS, TOKENS), 1 / TOKENS)
    made.records[1] = AttentionRecord("l", "l", "encoder", 1, "returned", weights=kept)
    page.run(made)
    opened(page)
    with pytest.raises(IndexError, match="only its weights are known"):
        selection.dimension = 0


def test_setting_without_a_panel_or_trace_explains_the_remedy(
    selection: Selection, page: Page
) -> None:
    for nothing in (selection, Selection()):
        with pytest.raises(RuntimeError, match="Show Attention"):
            nothing.head = 1
    opened(page)
    with pytest.raises(RuntimeError, match="run a cell"):
        selection.head = 1


def test_many_threads_may_set_and_report_at_once(selection: Selection, page: Page) -> None:
    shown(page)
    failed: list[BaseException] = []

    def works(number: int) -> None:
        try:
            for turn in range(20):
                tell(page, query=(number + turn) % TOKENS)
                selection.key = turn % TOKENS
        except BaseException as error:  # noqa: BLE001 - to be shown by the test
            failed.append(error)

    threads = [threading.Thread(target=works, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failed
    assert len(asked(page)) == 80
    tell(page, query=0, key=3)
    assert (selection.query, selection.key) == (0, 3)


# --- the package and its guide ----------------------------------------------------------


def test_it_is_an_attribute_of_the_package() -> None:
    assert attnlab.selection is module.selection
    assert "selection" in dir(attnlab)


def test_the_guides_examples_run(
    selection: Selection,
    page: Page,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "selection", selection)
    monkeypatch.setattr(widget, "_backend", SimpleNamespace(endpoint=page.endpoint))
    shown(page, site=0, head=0)
    answered(page, monkeypatch)
    text = GUIDE.read_text(encoding="utf-8").split("## The panel's selection\n")[1]
    blocks = re.findall(r"^```python\n(.*?)^```$", text.split("\n## ")[0], re.M | re.S)
    names: dict[str, object] = {"attnlab": attnlab}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert len(blocks) == 3
    assert capsys.readouterr().out == (
        "Selection(layer=1, head=2, query=3)\nquery was 3 and is 4\n"
    )


def answered(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the panel take what it is asked, and tell it."""
    sends = page.endpoint._post

    def post(envelope: Envelope, buffers: list[bytes]) -> None:
        sends(envelope, buffers)
        if envelope["rpc"].get("method") == "selection/set":
            page.tell("selection/didChange", envelope["rpc"]["params"], envelope["to"])

    monkeypatch.setattr(page.endpoint, "_post", post)
