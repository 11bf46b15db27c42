"""Long texts and full memory: sampled thumbnails, and traces that are dropped or pinned."""

from __future__ import annotations

import pytest

from attnlab.capture.record.memory import VARIABLE
from attnlab.server.messages import ErrorCode
from attnlab.traces import thumbnails
from tests.panel import numbers
from tests.unit.page import Page, call, code
from tests.unit.page import page as page


def test_a_push_contains_sampled_thumbnails_if_sampling_saves_time(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "AT_ONCE", 0)
    page.initialize()
    page.subscribe(size=1)
    page.run(call(tokens=40))
    (params, buffers), *_ = (push for push in page.pushes() if "trace" in push[0])
    (payload,) = params["payloads"]
    assert payload["sampled"] is True
    rough = numbers(payload, buffers)
    of = {"trace": params["trace"]["id"], "item": 0, "size": 1}
    answer, buffers = page.ask("trace/thumbnails", {**of, "sampled": False})
    assert answer["result"]["sampled"] is False
    whole = numbers(answer["result"], buffers)
    assert (rough <= whole).all()
    assert (rough < whole).any()
    answer, _ = page.ask("trace/thumbnails", {**of, "size": 20, "sampled": True})
    assert answer["result"]["sampled"] is False, "each pixel has few queries"


def test_a_dropped_trace_is_refused_with_the_reason(page: Page) -> None:
    page.initialize()
    page.run(call())
    old = page.ask("state")[0]["result"]["traces"][0]["id"]
    page.run(call(), execution=2)
    answer, _ = page.ask("trace/item", {"trace": old, "item": 0})
    assert code(answer) is ErrorCode.TRACE_GONE
    assert answer["error"]["message"] == (
        "The kernel no longer has this trace. A newer run of its cell replaced it. "
        "Run the cell again."
    )


def test_a_pinned_trace_outlives_the_traces_of_other_cells(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    page.initialize()
    page.run(call(), cell="kept")
    (kept,) = page.ask("state")[0]["result"]["traces"]
    page.subscribe(pinned=kept["id"])
    for execution in (2, 3):
        page.run(call(), cell=f"other {execution}", execution=execution)
    cells = [trace["cell"] for trace in page.ask("state")[0]["result"]["traces"]]
    assert cells == ["kept", "other 3"]
    page.run(call(), cell="kept", execution=4)
    traces = page.ask("state")[0]["result"]["traces"]
    assert [(trace["cell"], trace["execution"]) for trace in traces] == [("kept", 4)]


def test_unpinning_a_panel_releases_its_trace(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    page.initialize()
    page.run(call(), cell="kept")
    (kept,) = page.ask("state")[0]["result"]["traces"]
    page.subscribe(pinned=kept["id"])
    page.run(call(), cell="other", execution=2)
    page.ask("unsubscribe", {"panel": "p"})
    page.run(call(), cell="third", execution=3)
    traces = page.ask("state")[0]["result"]["traces"]
    assert [trace["cell"] for trace in traces] == ["third"]
