"""A tagged cell is typed in: the kernel shows what really running it would, or says why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.conftest import LOAD, Kernel
from tests.kernel.shapes import LIVE, REFUSED, SETUP, WRITES, Shape

HEADS = ((0, 0), (-1, 1))
"""Sites and heads whose weights are compared."""

NAMESPACE = (
    "[sorted((n, id(v)) for n, v in globals().items() if n[0] != '_'), "
    "get_ipython().execution_count, len(get_ipython().history_manager.input_hist_raw), "
    "torch.get_rng_state().sum().item(), torch.get_num_threads(), torch.is_grad_enabled(), "
    "[(p.requires_grad, p.grad is None, p._version) for p in model.parameters()]]"
)


@pytest.fixture(scope="module")
def live(minilm_path: Any) -> Iterator[Kernel]:
    """A kernel with an encoder, a decoder, a pipeline and a chat template."""
    it = Kernel()
    it.start()
    it.attach()
    for code in (LOAD.format(path=str(minilm_path)), SETUP):
        ran = it.run(code)
        assert ran.reply["status"] == "ok", ran.reply
    yield it
    it.close()


def ran(kernel: Kernel, code: str) -> list[dict[str, Any]]:
    """Run the tagged cell; return its traces in the order of its calls."""
    watched = kernel.watched(code)
    assert watched.ran.reply["status"] == "ok", watched.ran.reply
    return sorted(watched.traces, key=lambda trace: trace["call"])


def typed(kernel: Kernel, text: str, limit: int = 500, page: str = "page") -> dict[str, Any]:
    """Tell that the cell's text is now another one; return the answer."""
    change = {
        "cell": "abc",
        "base": 0,
        "version": 1,
        "changes": [{"text": text}],
        "limit": limit,
    }
    result, _ = kernel.ask("textDocument/didChange", change, page)
    assert result["version"] == 1
    return dict(result)


def source(kernel: Kernel) -> dict[str, Any]:
    """Return what the kernel tells of the cell's text."""
    state, _ = kernel.ask("state")
    (found,) = (source for source in state["sources"] if source["cell"] == "abc")
    return dict(found)


def refusals(reported: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what says that the text cannot be shown."""
    remarks = ("unknown-token", "truncated", "padded")
    return [
        diagnostic for diagnostic in reported["diagnostics"] if diagnostic["code"] not in remarks
    ]


def written(code: str, start: int, end: int) -> str:
    """Return a stretch of a cell, whose offsets count UTF-16 code units."""
    return code.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")


def traces(kernel: Kernel) -> list[dict[str, Any]]:
    """Return the cell's traces in the order of its calls."""
    state, _ = kernel.ask("state")
    found = [trace for trace in state["traces"] if trace["cell"] == "abc"]
    return sorted(found, key=lambda trace: trace["call"])


def seen(kernel: Kernel, traces: list[dict[str, Any]]) -> list[Any]:
    """Return what a person would see of traces: tokens and exact weights."""
    shown: list[Any] = []
    for trace in traces:
        for item in range(trace["items"]):
            place = {"trace": trace["id"], "item": item}
            shown.append(kernel.ask("trace/item", place)[0]["sequences"])
            for site, head in HEADS:
                at = place | {"site": site % len(trace["sites"]), "head": head}
                shown.append(bytes(kernel.ask("trace/head", at)[1][0]))
    return shown


@pytest.mark.parametrize("name", LIVE)
def test_typing_shows_the_same_as_a_run(live: Kernel, name: str) -> None:
    before, after = LIVE[name]
    first = ran(live, before)
    assert source(live)["text"] == before
    assert not refusals(source(live))
    untouched = live.value(NAMESPACE)

    result = typed(live, after)

    assert not refusals(result)
    assert result["live"]
    assert source(live)["text"] == after
    edited = traces(live)
    assert [trace["call"] for trace in edited] == [trace["call"] for trace in first]
    assert live.value(NAMESPACE) == untouched
    shown = seen(live, edited)
    assert shown == seen(live, ran(live, after))


@pytest.mark.parametrize("name", REFUSED)
def test_values_that_need_a_run_are_refused_with_the_reason(live: Kernel, name: str) -> None:
    (before, after), why = REFUSED[name]
    try:
        first = ran(live, before)
        result = typed(live, after)
        assert not result["live"]
        assert why.lower() in result["diagnostics"][0]["message"].lower()
        assert source(live)["text"] == before
        assert [trace["id"] for trace in traces(live)] == [trace["id"] for trace in first]
    finally:
        live.run("model.eval(); model._forward_hooks.clear()")


def test_an_edited_prompt_keeps_what_the_model_has_written(live: Kernel) -> None:
    (first,) = ran(live, WRITES.before)
    result = typed(live, WRITES.after)
    assert result["live"]
    (edited,) = traces(live)
    before, after = (trace["sequences"][0]["tokens"] for trace in (first, edited))
    assert len(after) == len(before) + 1
    written = len(before) - first["generated"]
    assert edited["generated"] == first["generated"] + 1
    assert [t["id"] for t in after[-written:]] == [t["id"] for t in before[-written:]]
    assert any("those of the original prompt" in note for note in edited["notes"])


SAT = Shape(*LIVE["plain"])


def test_undoing_an_edit_is_current_again(live: Kernel) -> None:
    first = seen(live, ran(live, SAT.before))
    typed(live, SAT.after)
    assert typed(live, SAT.before)["live"]
    assert source(live)["text"] == SAT.before
    assert seen(live, traces(live)) == first


def test_a_broken_literal_keeps_the_last_good_view(live: Kernel) -> None:
    first = ran(live, SAT.before)
    result = typed(live, SAT.before.replace('sat"', "sat"))
    assert not result["live"]
    assert result["diagnostics"][0]["code"] == "syntax"
    assert source(live)["text"] == SAT.before
    assert traces(live) == first
    assert typed(live, SAT.after)["live"]


def test_a_text_above_the_limit_is_refused_with_its_length(live: Kernel) -> None:
    ran(live, SAT.before)
    result = typed(live, SAT.before.replace("cat", "cat " * 10_000), limit=64)
    assert not result["live"]
    assert result["diagnostics"][0]["code"] == "long"
    assert "64" in result["diagnostics"][0]["message"]


def test_a_cell_that_has_not_run_reports_that(live: Kernel) -> None:
    opened = {"cell": "never", "version": 3, "text": "x"}
    result, _ = live.ask("textDocument/didOpen", opened)
    assert (result["version"], result["live"]) == (3, False)
    assert [diagnostic["code"] for diagnostic in result["diagnostics"]] == ["unrun"]


def test_edits_count_in_utf_16_code_units(live: Kernel) -> None:
    before = SAT.before.replace("cat", "🐈")
    ran(live, before)
    live.ask("textDocument/didOpen", {"cell": "abc", "version": 7, "text": before})
    start = before.index("🐈")
    change = {
        "cell": "abc",
        "base": 7,
        "version": 8,
        "limit": 100,
        "changes": [
            {"span": {"start": start + 2, "end": start + 2}, "text": " and dog"},
            {"span": {"start": start, "end": start + 2}, "text": "cat"},
        ],
    }
    result, _ = live.ask("textDocument/didChange", change)
    assert result["live"]
    assert source(live)["text"] == before.replace("🐈", "cat and dog")


def test_two_pages_that_edit_together_are_both_answered_by_one_pass(live: Kernel) -> None:
    ran(live, SAT.before)
    live.attach("other")
    since = live.revision
    typed(live, SAT.after)
    typed(live, SAT.after, page="other")
    made = [push for push in live.pushes(since) if "trace" in push]
    assert len(made) == 1


def test_a_model_that_has_changed_since_is_reported(live: Kernel) -> None:
    ran(live, SAT.before)
    weight = "model.encoder.layer[0].attention.self.query.weight"
    live.run(f"with torch.no_grad(): {weight}.mul_(1.0)")
    live.wait(lambda: source(live)["outdated"], 20)
    assert typed(live, SAT.after)["live"]
    assert not source(live)["outdated"]


def test_a_trial_text_is_shown_beside_the_cells_text(live: Kernel) -> None:
    code = REFUSED["function of an earlier cell"][0].before
    (summary,) = ran(live, code)
    offered, _ = live.ask("trace/trialTexts", {"trace": summary["id"]})
    assert offered == {"texts": ["cat"], "reason": ""}
    asked = {"trace": summary["id"], "texts": ["black dog"], "limit": 100}
    tried, _ = live.ask("trace/trial", asked)
    held = {trace["id"]: trace for trace in traces(live)}
    assert set(held) == {summary["id"], tried["trace"]}
    assert held[tried["trace"]]["trial"]
    shown = seen(live, [held[tried["trace"]]])
    assert shown == seen(live, ran(live, code.replace("cat", "black dog")))
    assert not any("trial" in trace for trace in traces(live))


def test_a_hover_gives_the_tokens_of_a_word_and_its_strongest_heads(live: Kernel) -> None:
    word = "unbelievability"
    code = SAT.before.replace("cat", word)
    (summary,) = ran(live, code)
    start = code.index(word)
    params = {
        "cell": "abc",
        "span": {"start": start, "end": start + len(word)},
        "trace": summary["id"],
        "item": 0,
        "site": 2,
        "heads": [0, 5],
    }
    result, _ = live.ask("textDocument/hover", params)
    tokens = summary["sequences"][0]["tokens"]
    assert "".join(tokens[token["index"]]["text"] for token in result["tokens"]) == word
    assert len(result["tokens"]) > 1
    assert all(len(token["received"]) == 2 for token in result["tokens"])
    weights = [float(head["weight"]) for head in result["strongest"]]
    assert len(weights) == 5
    assert weights == sorted(weights, reverse=True)


def test_tokens_have_the_positions_of_their_characters(live: Kernel) -> None:
    code = LIVE["f-string"].after
    (summary,) = ran(live, code)
    (origin,) = source(live)["origins"]
    assert (origin["trace"], origin["item"]) == (summary["id"], 0)
    spans = list(zip(origin["spans"][::2], origin["spans"][1::2], strict=True))
    named = {
        written(code, start, end): token["text"]
        for token, (start, end) in zip(summary["sequences"][0]["tokens"], spans, strict=True)
        if start >= 0
    }
    assert named == {"The": "the", "old": "old", "dog": "dog", "sat": "sat"}


@pytest.mark.parametrize("name", ["chat template", "chat template as text"])
def test_the_tokens_of_a_message_have_its_position(live: Kernel, name: str) -> None:
    code = LIVE[name].after
    ran(live, code)
    (origin,) = source(live)["origins"]
    spans = zip(origin["spans"][::2], origin["spans"][1::2], strict=True)
    said = [written(code, *span) for span in spans if span[0] >= 0]
    assert said == ["user", "The", "black", "cat"]


def test_unknown_characters_truncation_and_padding_are_marked_at_their_position(
    live: Kernel,
) -> None:
    code = (
        'model(**tokenizer(["The 🐈 sat", "a b c d e f g h i j"], truncation=True, '
        'max_length=8, padding=True, return_tensors="pt"))'
    )
    ran(live, code)
    said = {
        diagnostic["code"]: written(code, diagnostic["span"]["start"], diagnostic["span"]["end"])
        for diagnostic in source(live)["diagnostics"]
    }
    assert said["unknown-token"] == "🐈"
    assert said["truncated"] == "g h i j"
    assert "padded" in said
