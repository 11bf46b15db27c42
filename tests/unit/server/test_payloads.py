"""The parts of a head that a panel asks for, against the same numbers worked out in float64."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from attnlab.analysis import table
from attnlab.analysis.scores import scores
from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.record.terms import Causal, Mask, Scale
from attnlab.server.messages import FULL_HEAD_LIMIT, TILE_ONE, ErrorCode
from attnlab.server.payloads import heads, tiles
from attnlab.server.protocol import request
from attnlab.server.requests import payloads as requests
from attnlab.traces import thumbnails, weights
from attnlab.traces.cancellation import CancelledError
from attnlab.traces.trace import Trace
from tests.panel import numbers
from tests.unit.page import HEADS, PATIENCE, SITES, TOKENS, WIDTH, Page, call, code
from tests.unit.page import page as page

LONG = 600
"""Tokens of a text whose head has several tiles, the last of them cut."""


def causal(tokens: int = TOKENS, **more: Any) -> RecordedCall:
    """A made-up call in which a query sees only what precedes it."""
    made = call(tokens=tokens, **more)
    terms = (Scale(0.5), Causal(0))
    made.records[:] = [replace(record, terms=terms) for record in made.records]
    return made


def steps(made: RecordedCall, site: int, head: int, item: int = 0) -> tuple[Any, Any, Any]:
    """Scores of a head: as products, scaled, and with what is hidden."""
    record = made.records[site]
    assert record.query is not None
    assert record.key is not None
    products = record.query[item, head].double() @ record.key[item, head].double().T
    hidden = torch.ones_like(products, dtype=torch.bool).triu(1)
    return products, products * 0.5, (products * 0.5).masked_fill(hidden, -torch.inf)


def truth(made: RecordedCall, site: int, head: int, item: int = 0) -> np.ndarray[Any, Any]:
    """Weights of a head in float64."""
    return steps(made, site, head, item)[-1].softmax(-1).numpy()


def shown(page: Page, made: RecordedCall) -> str:
    """Show a call's trace, and return its id."""
    page.initialize()
    page.run(made)
    return str(page.ask("state")[0]["result"]["traces"][0]["id"])


def payload(page: Page, method: str, trace: str, **place: Any) -> tuple[dict[str, Any], Any]:
    """A picture that was asked for, and its numbers."""
    answer, buffers = page.ask(method, {"trace": trace, "item": 0, **place})
    assert "result" in answer, answer
    described = answer["result"]
    assert (described["trace"], described.get("sampled", False)) == (trace, False)
    return described, numbers(described, buffers)


# --- tiles ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [(0, 0), (1, 1), (2, 0), (2, 2)])
def test_a_tile_of_the_finest_level_contains_the_weights(
    page: Page, place: tuple[int, int]
) -> None:
    made = causal(LONG)
    params = {"site": 1, "head": 2, "level": 0, "y": place[0], "x": place[1]}
    fields, found = payload(page, "trace/tile", shown(page, made), **params)
    assert (fields["kind"], fields["site"], fields["head"]) == ("tile", 1, 2)
    assert "query" not in fields
    assert (fields["level"], fields["y"], fields["x"]) == (0, *place)
    rows, columns = (slice(256 * at, min(256 * at + 256, LONG)) for at in place)
    np.testing.assert_allclose(found, truth(made, 1, 2)[rows, columns], atol=1e-6)


@pytest.mark.parametrize(("level", "place"), [(1, (0, 0)), (1, (1, 0)), (1, (1, 1)), (2, (0, 0))])
def test_a_pixel_of_a_coarse_tile_is_the_maximum_of_its_block(
    page: Page, level: int, place: tuple[int, int]
) -> None:
    made = causal(LONG)
    params = {"site": 0, "head": 1, "level": level, "y": place[0], "x": place[1]}
    fields, found = payload(page, "trace/tile", shown(page, made), **params)
    assert (fields["level"], fields["y"], fields["x"]) == (level, *place)
    side = 2**level
    whole = truth(made, 0, 1)
    y, x = (256 * side * at for at in place)
    expected = [
        [
            whole[top : top + side, left : left + side].max() * TILE_ONE
            for left in range(x, min(x + 256 * side, LONG), side)
        ]
        for top in range(y, min(y + 256 * side, LONG), side)
    ]
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found, expected, atol=0.51)


UNDEFINED = TILE_ONE + 1
"""The byte of a pixel that shows no weight."""


def test_queries_without_any_key_are_undefined_in_tiles_unless_they_share_a_pixel(
    page: Page,
) -> None:
    made = causal(LONG)
    terms = (*made.records[0].terms, Causal(-3))  # the first three queries see nothing
    made.records[0] = replace(made.records[0], terms=terms)
    trace = shown(page, made)
    params = {"site": 0, "head": 0, "y": 0, "x": 0}
    _, fine = payload(page, "trace/tile", trace, level=0, **params)
    assert np.isnan(fine[:3]).all()
    assert not np.isnan(fine[3:]).any()
    _, coarse = payload(page, "trace/tile", trace, level=1, **params)
    assert (coarse[0] == UNDEFINED).all()
    # The third query has nothing to say beside the fourth, whose only key is the first.
    assert coarse[1, 0] == TILE_ONE
    assert not coarse[1, 1:].any()
    assert (coarse[1:] <= TILE_ONE).all()


def test_padded_queries_that_see_no_key_are_undefined_in_tiles_of_their_item_alone(
    page: Page,
) -> None:
    made = call(tokens=LONG, items=2)
    mask = torch.ones(2, 1, LONG, LONG, dtype=torch.bool)
    mask[1, :, LONG - 9 :] = False  # queries
    mask[1, ..., LONG - 9 :] = False  # keys
    made.records[0] = replace(made.records[0], terms=(Mask(mask),))
    trace = shown(page, made)
    params = {"site": 0, "head": 0, "level": 2, "y": 0, "x": 0}
    _, padded = payload(page, "trace/tile", trace, item=1, **params)
    # 591 queries see keys: the 148th pixel down shows three of them and one that does not.
    assert (padded[148:] == UNDEFINED).all()
    assert (padded[:148] <= TILE_ONE).all()
    assert not padded[:148, 148:].any(), "keys that nobody sees have no weight, which is a number"
    _, whole = payload(page, "trace/tile", trace, item=0, **params)
    assert (whole <= TILE_ONE).all()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"level": 11}, "params.level must be 0 to 10 in site 0, whose heads have 600 × 600"),
        ({"level": -1}, "not -1"),
        ({"level": 1, "y": 2}, "params.y must be 0 to 1 at level 1 of site 0, not 2"),
        ({"level": 2, "x": 1}, "params.x must be 0 to 0 at level 2"),
        ({"level": 0, "x": -1}, "params.x must be 0 to 2"),
    ],
)
def test_a_tile_outside_the_head_is_refused_with_the_valid_ones(
    page: Page, place: dict[str, int], words: str
) -> None:
    of = {"trace": shown(page, causal(LONG)), "item": 0, "site": 0, "head": 0, "y": 0, "x": 0}
    answer, _ = page.ask("trace/tile", {**of, **place})
    assert code(answer) is ErrorCode.INVALID_PARAMS
    assert words in answer["error"]["message"]


@pytest.mark.parametrize(
    ("length", "levels"), [(1, 1), (2, 2), (256, 9), (257, 10), (512, 10), (513, 11), (4096, 13)]
)
def test_the_coarsest_level_of_a_head_is_one_pixel(length: int, levels: int) -> None:
    trace = Trace.from_call(call(tokens=length), "t", "c", 1, 0)
    (site, _), last = trace.at(0), levels - 1
    assert tiles.levels(site) == levels
    assert tiles.tiles(site, last) == (1, 1)
    _, data = tiles.tile(trace, 0, site.index, 0, last, 0, 0).encode()
    assert len(data) == (1 if last else 4)


# --- top-k weights ------------------------------------------------------------------------------


def test_topk_weights_are_each_querys_heaviest_keys_and_the_remainder(page: Page) -> None:
    made = causal(40)
    fields, found = payload(page, "trace/topk", shown(page, made), site=1, head=0)
    k = heads.TOPK
    assert (fields["kind"], fields["site"], fields["head"]) == ("topk", 1, 0)
    assert "query" not in fields
    assert found.shape == (40, 2 * k + 1)
    whole = truth(made, 1, 0)
    heaviest, keys, rest = found[:, :k], found[:, k : 2 * k].astype(int), found[:, -1]
    np.testing.assert_allclose(heaviest, -np.sort(-whole)[:, :k], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(whole, keys, 1), heaviest, atol=1e-6)
    np.testing.assert_allclose(rest, 1 - heaviest.astype(float).sum(1), atol=1e-5)


def test_topk_weights_of_a_short_text_are_all_of_its_weights(page: Page) -> None:
    made = causal()
    terms = (*made.records[0].terms, Causal(-1))
    made.records[0] = replace(made.records[0], terms=terms)
    _, found = payload(page, "trace/topk", shown(page, made), site=0, head=0)
    assert found.shape == (TOKENS, 2 * TOKENS + 1)
    assert np.isnan(found[0, :TOKENS]).all(), "the first query has no key"
    assert (found[0, TOKENS:-1] == -1).all()
    assert np.isnan(found[0, -1])
    np.testing.assert_allclose(found[1:, :TOKENS].sum(1), 1, atol=1e-6)
    assert not found[1:, -1].any()


@pytest.mark.parametrize(
    ("tokens", "kind"), [(FULL_HEAD_LIMIT, "head"), (FULL_HEAD_LIMIT + 1, "topk")]
)
def test_a_push_contains_the_topk_weights_of_a_large_head(
    page: Page, tokens: int, kind: str
) -> None:
    page.initialize()
    page.subscribe(size=0, focus={"site": 0, "head": 1})
    made = causal(tokens)
    page.run(made)
    (params, buffers), *_ = (push for push in page.pushes() if "trace" in push[0])
    (reported,) = params["payloads"]
    assert (reported["kind"], reported["site"], reported["head"]) == (kind, 0, 1)
    expected = truth(made, 0, 1).max(1)
    found = numbers(reported, buffers)
    heaviest = found[:, 0] if kind == "topk" else found.max(1)
    np.testing.assert_allclose(heaviest, expected, atol=1e-6)


# --- vectors ----------------------------------------------------------------------------


def test_vectors_are_the_keys_of_the_group_that_the_head_reads(page: Page) -> None:
    made = call(items=2)
    record = made.records[1]
    assert record.key is not None
    made.records[1] = replace(record, key=record.key[:, 1:2], value=None)  # one group for all
    trace = shown(page, made)
    fields, found = payload(page, "trace/vectors", trace, site=1, head=2, item=1)
    assert (fields["kind"], fields["item"], fields["head"]) == ("vectors", 1, 2)
    np.testing.assert_array_equal(found, record.key[1, 1].numpy())
    _, found = payload(page, "trace/neuron", trace, site=1, head=2, query=3, item=1)
    query = made.records[1].query
    assert query is not None
    products = query[1, 2, 3].double() @ record.key[1, 1].double().T
    np.testing.assert_allclose(found[WIDTH : WIDTH + TOKENS], products.numpy(), atol=1e-6)


# --- the neuron -------------------------------------------------------------------------


def test_the_steps_of_a_query_lead_from_its_vector_to_its_weights(page: Page) -> None:
    made = causal()
    fields, found = payload(page, "trace/neuron", shown(page, made), site=0, head=1, query=2)
    assert (fields["kind"], fields["site"], fields["head"], fields["query"]) == ("neuron", 0, 1, 2)
    assert fields["labels"] == ["q·k", "scale", "causal"]
    assert fields["shape"] == [WIDTH + 3 * TOKENS + TOKENS + 2]
    record = made.records[0]
    assert record.query is not None
    np.testing.assert_array_equal(found[:WIDTH], record.query[0, 1, 2].numpy())
    after = found[WIDTH : WIDTH + 3 * TOKENS].reshape(3, TOKENS)
    for entry, expected in zip(after, steps(made, 0, 1), strict=True):
        np.testing.assert_allclose(entry, expected[2].numpy(), atol=1e-6)
    entry = found[-2 - TOKENS : -2]
    np.testing.assert_allclose(entry, truth(made, 0, 1)[2], atol=1e-6)
    assert np.isnan(found[-2:]).all(), "the head has no sink"


def test_the_learned_sink_gets_the_weight_that_the_keys_do_not_get(page: Page) -> None:
    made = call()
    sinks = torch.tensor([0.5, 1.0, -2.0])
    made.records[0] = replace(made.records[0], sinks=sinks)
    _, found = payload(page, "trace/neuron", shown(page, made), site=0, head=1, query=2)
    scores = torch.cat([steps(made, 0, 1)[1][2], sinks[1:2].double()])
    expected = scores.softmax(-1).numpy()
    np.testing.assert_allclose(found[-2 - TOKENS : -2], expected[:-1], atol=1e-6)
    np.testing.assert_allclose(found[-2:], [1.0, expected[-1]], atol=1e-6)


@pytest.mark.parametrize("method", ["trace/vectors", "trace/neuron"])
def test_where_only_weights_are_known_the_error_names_other_layers(page: Page, method: str) -> None:
    made = call()
    kept = torch.full((1, HEADS, TOKENS, TOKENS), 1 / TOKENS)
    made.records[1] = AttentionRecord("layer.1", "layer.#", "encoder", 1, "returned", weights=kept)
    of = {"trace": shown(page, made), "item": 0, "site": 1, "head": 0, "query": 0}
    answer, _ = page.ask(method, of)
    assert code(answer) is ErrorCode.NO_SUCH_HEAD
    message = answer["error"]["message"]
    assert message.startswith("The queries and keys of site 1 were not recorded")
    assert message.endswith("Look at its weights in the head view, or select one of the layers 0.")
    assert "result" in page.ask("trace/topk", of)[0]


# --- scores -----------------------------------------------------------------------------


def test_scores_equal_those_of_the_analysis_package(page: Page) -> None:
    made = causal(12)
    fields, found = payload(page, "trace/scores", shown(page, made))
    assert fields["kind"] == "scores"
    assert not {"site", "head"} & set(fields)
    assert fields["labels"] == list(table.COLUMNS)
    assert found.shape == (SITES * HEADS, len(table.COLUMNS))
    trace = Trace.from_call(made, "t", "c", 1, 0)
    matching = [scores(trace, site) for site in trace.sites]
    expected = np.concatenate(
        [np.stack([getattr(it, name) for name in table.COLUMNS], axis=1) for it in matching]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    columns = dict(zip(fields["labels"], found.T, strict=True))
    rows = np.stack([truth(made, site, head) for site in range(SITES) for head in range(HEADS)])
    rows = rows[:, :4]  # the others are padding
    entropy = -np.where(rows > 0, rows * np.log(np.where(rows > 0, rows, 1)), 0).sum(-1)
    np.testing.assert_allclose(columns["entropy"], entropy.mean(-1), rtol=1e-5)
    np.testing.assert_allclose(columns["confidence"], rows.max(-1).mean(-1), rtol=1e-5)
    np.testing.assert_allclose(columns["first_token"], rows[..., 0].mean(-1), rtol=1e-5)
    assert columns["sink"].tolist() == [float(it > 0.3) for it in columns["first_token"]]
    assert np.isnan(columns["induction"]).all(), "no token comes twice"


def test_a_head_without_data_has_no_sink_score(page: Page) -> None:
    made = call()
    nothing = torch.full((1, HEADS, TOKENS, TOKENS), torch.nan)
    made.records[1] = AttentionRecord(
        "layer.1", "layer.#", "encoder", 1, "returned", weights=nothing
    )
    fields, found = payload(page, "trace/scores", shown(page, made))
    sink = found[:, fields["labels"].index("sink")]
    assert np.isnan(sink[HEADS:]).all()
    assert not np.isnan(sink[:HEADS]).any()


def test_scores_are_computed_once_for_an_item_of_a_trace(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(trace: Trace, item: int, cancelled: Any) -> Any:
        asked.append(item)
        return np.full((SITES * HEADS, len(table.COLUMNS)), item, np.float32)

    monkeypatch.setattr(table, "numbers", counted)
    trace = shown(page, causal(items=2))
    found = [payload(page, "trace/scores", trace, item=item) for item in (0, 1, 1, 0)]
    assert [(reported["item"], entry[0, 0]) for reported, entry in found] == [
        (0, 0),
        (1, 1),
        (1, 1),
        (0, 0),
    ]
    assert asked == [0, 1]


# --- long work --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("trace/scores", {}),
        ("trace/topk", {"site": 0, "head": 0}),
        ("trace/head", {"site": 0, "head": 0}),
        ("trace/thumbnails", {"size": 4, "sampled": False}),
        ("trace/thumbnails", {"size": 4, "sampled": True}),
        ("trace/row", {"site": 0, "query": 0}),
        ("trace/neuron", {"site": 0, "head": 0, "query": 0}),
        ("trace/vectors", {"site": 0, "head": 0}),
    ],
)
def test_progress_counts_every_portion_up_to_a_true_total(
    page: Page, monkeypatch: pytest.MonkeyPatch, method: str, place: dict[str, Any]
) -> None:
    monkeypatch.setattr(weights, "CHUNK_BYTES", 4 * 40 * 7)  # seven rows at once
    monkeypatch.setattr(thumbnails, "AT_ONCE", 0)
    trace = shown(page, causal(40))
    monkeypatch.setattr(request, "FIRST_PROGRESS", 0.0)
    monkeypatch.setattr(request, "NEXT_PROGRESS", 0.0)
    picture_of = {"trace": trace, "item": 0, **place}
    answer, _ = page.ask(method, picture_of)
    assert "result" in answer
    reported = [it[0]["rpc"] for it in page.sent if it[0]["rpc"].get("method") == "$/progress"]
    total = reported[0]["params"]["total"]
    assert [it["params"]["done"] for it in reported] == list(range(total))
    assert {it["params"]["total"] for it in reported} == {total}
    assert total > 1 or method in ("trace/row", "trace/neuron", "trace/vectors")


@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("trace/scores", {}),
        ("trace/topk", {"site": 0, "head": 0}),
        ("trace/tile", {"site": 0, "head": 0, "level": 0, "y": 0, "x": 0}),
        ("trace/neuron", {"site": 0, "head": 0, "query": 0}),
        ("trace/vectors", {"site": 0, "head": 0}),
    ],
)
def test_a_cancelled_computation_ends_at_its_next_portion(
    page: Page, monkeypatch: pytest.MonkeyPatch, method: str, place: dict[str, Any]
) -> None:
    watched = request.polled
    polled: list[bool] = []

    def cancelling(*of: Any) -> Any:
        stopped = watched(*of)

        def poll() -> bool:
            page.tell("$/cancelRequest", {"id": "long"})
            polled.append(stopped())
            return polled[-1]

        return poll

    trace = shown(page, causal(40))
    monkeypatch.setattr(requests, "polled", cancelling)
    asked = {"id": "long", "method": method, "params": {"trace": trace, "item": 0, **place}}
    page.endpoint.receive(page.envelope({"jsonrpc": "2.0", **asked}))
    answers = page.wait(
        lambda: [it[0]["rpc"] for it in page.sent if it[0]["rpc"].get("id") == "long"]
    )
    assert [code(answer) for answer in answers] == [ErrorCode.REQUEST_CANCELLED]
    assert polled == [True]


def test_while_scores_are_computed_everything_else_is_answered(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, ended = threading.Event(), threading.Event()

    def endless(trace: Trace, item: int, cancelled: Any) -> Any:
        entered.set()
        while not cancelled():
            if ended.wait(0.001):
                return np.zeros((1, len(table.COLUMNS)), np.float32)
        raise CancelledError

    monkeypatch.setattr(table, "numbers", endless)
    made = causal()
    trace = shown(page, made)
    params = {"trace": trace, "item": 0}
    asked = {"jsonrpc": "2.0", "id": "scores", "method": "trace/scores", "params": params}
    page.endpoint.receive(page.envelope(asked))
    assert entered.wait(PATIENCE)
    for query in range(TOKENS):
        _, row = payload(page, "trace/row", trace, site=0, query=query)
        np.testing.assert_allclose(row[1], truth(made, 0, 1)[query], atol=1e-6)
    page.run(call(), cell="another", execution=2)
    assert len(page.ask("state")[0]["result"]["traces"]) == 2
    ended.set()
    page.wait(lambda: [it for it in page.sent if it[0]["rpc"].get("id") == "scores"])


def test_scores_that_wait_for_others_are_cancelled_at_once(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = threading.Event()

    def endless(trace: Trace, item: int, cancelled: Any) -> Any:
        entered.set()
        while not cancelled():
            pass
        raise CancelledError

    def answers(id_: str) -> list[dict[str, Any]]:
        return [it[0]["rpc"] for it in page.sent if it[0]["rpc"].get("id") == id_]

    monkeypatch.setattr(table, "numbers", endless)
    params = {"trace": shown(page, causal()), "item": 0}
    for id_ in ("first", "second"):
        asked = {"jsonrpc": "2.0", "id": id_, "method": "trace/scores", "params": params}
        page.endpoint.receive(page.envelope(asked))
        assert entered.wait(PATIENCE)
    for id_ in ("second", "first"):
        page.tell("$/cancelRequest", {"id": id_})
        found = page.wait(partial(answers, id_))
        assert [code(answer) for answer in found] == [ErrorCode.REQUEST_CANCELLED]
    assert page.endpoint.dispatcher.open == 0


# --- what there is not ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "place", "error", "words"),
    [
        ("tile", {"site": 9}, ErrorCode.NO_SUCH_HEAD, "sites 0 to 1"),
        ("tile", {"head": 9}, ErrorCode.NO_SUCH_HEAD, "heads 0 to 2"),
        ("tile", {"y": "a"}, ErrorCode.INVALID_PARAMS, "params.y must be an integer"),
        ("topk", {"head": -1}, ErrorCode.NO_SUCH_HEAD, "heads 0 to 2"),
        ("topk", {"item": 1}, ErrorCode.NO_SUCH_HEAD, "items 0 to 0"),
        ("vectors", {"head": 3}, ErrorCode.NO_SUCH_HEAD, "heads 0 to 2"),
        ("neuron", {"query": 9}, ErrorCode.NO_SUCH_HEAD, "queries 0 to 4"),
        ("neuron", {"site": -1}, ErrorCode.NO_SUCH_HEAD, "sites 0 to 1"),
        ("scores", {"item": 3}, ErrorCode.NO_SUCH_HEAD, "items 0 to 0"),
        ("scores", {"trace": "x"}, ErrorCode.TRACE_GONE, "Run the cell"),
    ],
)
def test_an_invalid_index_is_refused_with_the_valid_range(
    page: Page, method: str, place: dict[str, Any], error: ErrorCode, words: str
) -> None:
    whole = {"item": 0, "site": 0, "head": 0, "query": 0, "level": 0, "y": 0, "x": 0}
    of = {"trace": shown(page, causal()), **whole, **place}
    answer, _ = page.ask(f"trace/{method}", of)
    assert code(answer) is error
    assert words in answer["error"]["message"]


# --- what a push brings -----------------------------------------------------------------


def test_a_push_contains_all_drawn_heads_and_the_steps_of_the_query(
    page: Page,
) -> None:
    page.initialize()
    page.subscribe(focus={"site": 1, "head": 2}, heads=(0, 2, 99), query=3, neuron=True)
    page.run(causal())
    brought = {
        (reported["kind"], reported.get("head"), reported.get("query"))
        for params, _ in page.pushes()
        for reported in params["payloads"]
    }
    assert brought >= {
        ("head", 0, None),
        ("head", 2, None),
        ("row", None, 3),
        ("vectors", 2, None),
        ("neuron", 2, 3),
    }
    assert ("head", 99, None) not in brought


# --- the word in an editor --------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "tokens"),
    [((4, 7), [1]), ((4, 8), [1, 2]), ((5, 6), [1]), ((3, 4), []), ((20, 30), [])],
)
def test_a_hover_gives_the_tokens_that_have_a_character_in_the_word(
    page: Page, monkeypatch: pytest.MonkeyPatch, word: tuple[int, int], tokens: list[int]
) -> None:
    made = causal()
    trace = shown(page, made)
    origin = {"trace": trace, "item": 0, "spans": [0, 3, 4, 7, 7, 9, -1, -1, 10, 12]}
    monkeypatch.setattr(page.session, "source", lambda _: {"origins": [origin]})
    params = {"cell": "c", "span": dict(zip(("start", "end"), word, strict=True))}
    answer, _ = page.ask(
        "textDocument/hover", {**params, "trace": trace, "item": 0, "site": 1, "heads": [2]}
    )
    received = truth(made, 1, 2).sum(axis=0)
    assert answer["result"]["tokens"] == [
        {"index": token, "received": [f"{received[token]:.4g}"]} for token in tokens
    ]


def test_a_hover_over_more_heads_than_the_site_has_is_refused(page: Page) -> None:
    params = {"cell": "c", "span": {"start": 0, "end": 3}, "trace": shown(page, causal())}
    answer, _ = page.ask(
        "textDocument/hover", {**params, "item": 0, "site": 1, "heads": [0] * (HEADS + 1)}
    )
    assert code(answer) is ErrorCode.INVALID_PARAMS
    assert "at most 3 heads" in answer["error"]["message"]
