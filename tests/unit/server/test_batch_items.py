"""Batch items: their summaries, and those that panels show or ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.tokens.tokens import TokenInfo
from attnlab.server.session.summaries import item_of, summary
from attnlab.traces.trace import Trace
from tests.panel import numbers
from tests.unit.page import HEADS, SITES, TOKENS, Page, call, expected, words
from tests.unit.page import page as page


def test_a_summary_names_the_sequences_along_the_axes_of_one_item(page: Page) -> None:
    page.run(call(items=3, generated=2))
    (trace,) = page.initialize()["result"]["state"]["traces"]
    assert (trace["items"], trace["item"], trace["generated"]) == (3, 0, 2)
    (sequence,) = trace["sequences"]
    assert (sequence["name"], sequence["text"]) == ("tokens", "text 0")
    assert words(trace["sequences"]) == [f"0t{i}" for i in range(TOKENS)]
    assert [token["padding"] for token in sequence["tokens"]] == [False] * 4 + [True]
    assert [(site["rows"], site["columns"]) for site in trace["sites"]] == [(0, 0)] * SITES
    assert "generated" not in summary_of(call())


def summary_of(made: RecordedCall) -> dict[str, Any]:
    trace = Trace.from_call(made, "t", "c", 1, 0)
    return dict(summary(trace, 1))


def test_a_summary_has_the_capture_method_of_each_call_and_its_doubts() -> None:
    made = call()
    known, other = made.records
    assert known.query is not None
    weights = torch.full((1, HEADS, TOKENS, TOKENS), 1 / TOKENS)
    made.records[1] = AttentionRecord(
        other.name, "layer.#", "encoder", 1, "tap", weights=weights, doubt="no output was seen"
    )
    first, second = summary_of(made)["sites"]
    assert (first["method"], first["terms"], first["stack"]) == ("interface", "qk", "layer.#")
    assert (second["method"], second["terms"]) == ("tap", "weights")
    assert "no output was seen" in second["uncertified"]


def test_exact_weights_carry_no_reason() -> None:
    made = call()
    for place, record in enumerate(made.records):
        assert record.value is not None
        truth = np.stack([expected(made, place, head) for head in range(HEADS)])
        mixed = torch.tensor(truth) @ record.value[0]
        made.records[place] = replace(
            record, rows=tuple(range(TOKENS)), output=mixed.transpose(0, 1)[None]
        )
    assert all("uncertified" not in site for site in summary_of(made)["sites"])


def test_any_item_and_its_payloads_can_be_requested(page: Page) -> None:
    page.initialize()
    made = call(items=3)
    page.run(made)
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    of = {"trace": trace, "item": 2}
    item = page.ask("trace/item", of)[0]["result"]
    assert (item["trace"], item["item"]) == (trace, 2)
    assert words(item["sequences"]) == [f"2t{i}" for i in range(TOKENS)]
    assert item["sequences"][0]["text"] == "text 2"
    answer, buffers = page.ask("trace/head", {**of, "site": 1, "head": 0})
    assert answer["result"]["item"] == 2
    head = numbers(answer["result"], buffers)
    np.testing.assert_allclose(head, expected(made, 1, 0, item=2), atol=1e-6)
    answer, buffers = page.ask("trace/row", {**of, "site": 0, "query": 4})
    row = np.stack([expected(made, 0, head, item=2)[4] for head in range(HEADS)])
    np.testing.assert_allclose(numbers(answer["result"], buffers), row, atol=1e-6)
    answer, buffers = page.ask("trace/thumbnails", {**of, "size": 64, "sampled": False})
    whole = np.stack([expected(made, s, h, 2) for s in range(SITES) for h in range(HEADS)])
    small = numbers(answer["result"], buffers)
    np.testing.assert_allclose(small, whole * 255, atol=0.51)


def test_an_axis_that_all_items_share_is_sent_for_each_of_them() -> None:
    made = call(items=2)
    patches = Sequence("patches", [Tokens([TokenInfo(-1, "0,0", "")] * TOKENS)])
    made.sequences.append(patches)
    trace = Trace.from_call(made, "t", "c", 1, 0)
    first, second = (item_of(trace, item)["sequences"][1] for item in range(2))
    assert first == second
    assert "text" not in first


def test_a_push_contains_the_items_that_panels_show(page: Page) -> None:
    for client, item in (("a", 2), ("b", 0), ("c", 7)):
        page.initialize(client)
        page.subscribe(client, client, focus={"site": 0, "head": 1}, item=item)
    made = call(items=3)
    page.run(made)
    (params, buffers), *_ = (push for push in page.pushes() if "trace" in push[0])
    assert words(params["trace"]["sequences"])[0] == "0t0"
    assert [(it["item"], words(it["sequences"])[0]) for it in params["items"]] == [(2, "2t0")]
    drawn = [(payload["kind"], payload["item"]) for payload in params["payloads"]]
    assert drawn == [("thumbnails", 0), ("thumbnails", 2), ("head", 0), ("head", 2)]
    head = numbers(params["payloads"][3], buffers)
    np.testing.assert_allclose(head, expected(made, 0, 1, item=2), atol=1e-6)
