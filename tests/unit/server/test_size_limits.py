"""What would be too large is refused by its size, before a single number of it is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from attnlab.capture.record import memory
from attnlab.capture.record.attention_record import AttentionRecord
from attnlab.capture.record.recorded_call import RecordedCall
from attnlab.capture.record.sequence import Sequence
from attnlab.capture.record.terms import Causal, Scale
from attnlab.server.messages import MAX_MESSAGE_BYTES, PAYLOADS, ErrorCode
from attnlab.server.payloads import lazy, tiles
from attnlab.server.payloads.kinds import KINDS
from attnlab.server.payloads.lazy import LazyPayload
from attnlab.server.protocol import dispatcher
from attnlab.server.protocol.errors import RpcError
from attnlab.traces import weights
from attnlab.traces.site import Site
from attnlab.traces.trace import Trace
from tests.unit.page import HEADS, TOKENS, Page, call, code
from tests.unit.page import page as page

MEBIBYTE = 1 << 20
quick = settings(max_examples=60, deadline=None)
lengths = st.integers(1, 200_000)


class ComputedError(Exception):
    """A number has been computed."""


class NothingIsComputed(TorchDispatchMode):
    """Lets no operation of torch happen, not even one that makes an empty tensor."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise ComputedError(str(func))


def huge(queries: int, keys: int, heads: int = 8, width: int = 64, sites: int = 1) -> Trace:
    """A trace of a call with so many queries and keys, which takes no memory at all."""

    def tensor(length: int) -> torch.Tensor:
        return torch.zeros(1).expand(1, heads, length, width)

    terms = (Scale(0.5), Causal(0))
    record = AttentionRecord(
        "layer.0",
        "layer.#",
        "decoder",
        0,
        "interface",
        value=tensor(keys),
        query=tensor(queries),
        key=tensor(keys),
        terms=terms,
    )
    made = RecordedCall(
        "Tiny", [record] * sites, [Sequence("tokens", [])], [(0, 0)] * sites, 1.0, 1
    )
    return Trace.from_call(made, "t", "c", 1, 0)


# --- answers of the kernel ----------------------------------------------------------------


@st.composite
def payloads(draw: st.DrawFn) -> tuple[LazyPayload, int | None]:
    """A payload of any kind and size, and its size computed as the protocol defines it."""
    queries, keys, heads = draw(lengths), draw(lengths), draw(st.integers(1, 256))
    width = draw(st.integers(1, 256))
    trace = huge(queries, keys, heads, width, sites=draw(st.integers(1, 128)))
    (site, _), size = trace.at(0), draw(st.integers(1, 512))
    level = draw(st.integers(0, tiles.levels(site) - 1))
    y, x = (draw(st.integers(0, count - 1)) for count in tiles.tiles(site, level))
    of = {"item": 0, "site": 0}
    all_heads = heads * len(trace.sites)
    kind, fields, expected = draw(
        st.sampled_from(
            [
                (
                    "thumbnails",
                    {"item": 0, "size": size, "sampled": False},
                    all_heads * min(size, queries) * min(size, keys),
                ),
                ("head", {**of, "head": 0}, 4 * queries * keys),
                ("row", {**of, "query": 0}, 4 * heads * keys),
                ("tile", {**of, "head": 0, "level": level, "y": y, "x": x}, None),
                ("topk", {**of, "head": 0}, 4 * queries * (2 * min(8, keys) + 1)),
                ("vectors", {**of, "head": 0}, 4 * keys * width),
                ("neuron", {**of, "head": 0, "query": 0}, 4 * (width + 4 * keys + 2)),
                ("scores", {"item": 0}, 4 * all_heads * 10),
            ]
        )
    )
    return KINDS[kind].describe(trace, **fields), expected


@given(payloads())
@quick
def test_a_payload_is_refused_by_its_size_alone(made: tuple[LazyPayload, int | None]) -> None:
    payload, expected = made
    assert payload.nbytes == (payload.nbytes if expected is None else expected)
    if payload.payload["kind"] in ("tile", "scores"):
        assert payload.nbytes <= 4 * 256**2 * 10
    if payload.nbytes <= MAX_MESSAGE_BYTES:
        return
    with NothingIsComputed(), pytest.raises(RpcError) as refused:
        payload.encode()
    error = refused.value
    assert error.code is ErrorCode.TOO_LARGE
    assert f"would take {memory.readable(payload.nbytes)}" in error.message
    assert "at most 64 MiB" in error.message
    assert "Request" in error.message


PLACES: dict[str, dict[str, Any]] = {
    "trace/thumbnails": {"size": 4, "sampled": True},
    "trace/head": {"site": 0, "head": 1},
    "trace/row": {"site": 1, "query": 2},
    "trace/tile": {"site": 0, "head": 1, "level": 0, "y": 0, "x": 0},
    "trace/topk": {"site": 0, "head": 0},
    "trace/vectors": {"site": 1, "head": 0},
    "trace/neuron": {"site": 1, "head": 0, "query": 3},
    "trace/scores": {},
}


@pytest.mark.parametrize("method", [f"trace/{kind}" for kind in PAYLOADS])
def test_every_array_may_be_as_large_as_the_limit_but_not_larger(
    page: Page, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    page.initialize()
    page.run(call())
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    params = {"trace": trace, "item": 0, **PLACES[method]}
    _, (data,) = page.ask(method, params)
    monkeypatch.setattr(lazy, "MAX_MESSAGE_BYTES", len(data))
    assert page.ask(method, params)[1] == [data]
    page.run(call(), execution=2)  # What was computed before is kept, e.g. scores.
    params["trace"] = page.ask("state")[0]["result"]["traces"][0]["id"]
    monkeypatch.setattr(lazy, "MAX_MESSAGE_BYTES", len(data) - 1)
    answer, _ = page.ask(method, params)
    assert code(answer) is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("fit", range(HEADS + 1))
def test_a_push_contains_as_many_payloads_as_fit(
    page: Page, monkeypatch: pytest.MonkeyPatch, fit: int
) -> None:
    page.initialize()
    page.subscribe(size=0, focus={"site": 0, "head": 0}, heads=tuple(range(HEADS)))
    monkeypatch.setattr(lazy, "MAX_MESSAGE_BYTES", fit * 4 * TOKENS**2)
    page.run(call())
    ((reported, buffers),) = [push for push in page.pushes() if "trace" in push[0]]
    assert [payload["head"] for payload in reported["payloads"]] == list(range(fit))
    assert [payload["buffer"] for payload in reported["payloads"]] == list(range(fit))
    assert sum(map(len, buffers)) == fit * 4 * TOKENS**2


def test_a_description_that_is_too_large_is_refused_and_the_rest_goes_on(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.initialize()
    page.run(call(tokens=400))
    trace = page.ask("state")[0]["result"]["traces"][0]["id"]
    with monkeypatch.context() as patch:
        patch.setattr(dispatcher, "MAX_MESSAGE_BYTES", 20_000)
        for method, params in [("state", None), ("trace/item", {"trace": trace, "item": 0})]:
            answer, _ = page.ask(method, params)
            assert code(answer) is ErrorCode.TOO_LARGE
            assert "Use shorter texts" in answer["error"]["message"]
        assert (
            "result" in page.ask("trace/row", {"trace": trace, "item": 0, **PLACES["trace/row"]})[0]
        )
    assert "result" in page.ask("state")[0]


class Largest(TorchDispatchMode):
    """Notes the most bytes that one new tensor has."""

    nbytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.nbytes = max(self.nbytes, tensor.untyped_storage().nbytes())
        return result


def test_the_weights_on_a_key_are_summed_without_the_whole_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace = Trace.from_call(call(tokens=300), "t", "c", 1, 0)
    (site, item) = trace.at(1)
    whole = np.nansum(site.weights(2, item).astype(float), axis=0)
    monkeypatch.setattr(weights, "CHUNK_BYTES", 10 * 4 * 300)
    with Largest() as largest:
        received = site.received(2, item)
    np.testing.assert_allclose(received, whole, rtol=1e-5)
    assert largest.nbytes <= 2 * 10 * 4 * 300


# --- arrays in Python ---------------------------------------------------------------------

Read = Callable[[Trace, Site], object]

READS: dict[str, tuple[Callable[[Site], int], Read]] = {
    "weights": (lambda site: 4 * site.queries * site.keys, lambda _, site: site.weights(0)),
    "head": (lambda site: 4 * site.queries * site.keys, lambda trace, _: trace.head(0, 0)),
    "by layer": (lambda site: 4 * site.queries * site.keys, lambda trace, _: trace.weights(0, 0)),
    "topk by query": (
        lambda site: 12 * site.queries * min(900, site.keys),
        lambda _, site: site.topk(900, head=0),
    ),
    "topk by key": (
        lambda site: 12 * site.keys * min(900, site.queries),
        lambda _, site: site.topk(900, "key", head=0),
    ),
    "blocks": (
        lambda site: 4 * -(-site.queries // 3) * -(-site.keys // 3),
        lambda _, site: site.blocks(0, range(site.queries), range(site.keys), 3),
    ),
    "tile": (
        lambda site: 4 * site.queries * 1000,
        lambda _, site: site.tile(0, range(site.queries), range(site.keys), (site.queries, 1000)),
    ),
    "thumbnails": (
        lambda site: 8 * min(9000, site.queries) * min(9000, site.keys),
        lambda trace, _: trace.thumbnails(9000),
    ),
}


@pytest.mark.parametrize("name", READS)
@given(queries=lengths, keys=lengths, budget=st.integers(1, 1 << 40))
@quick
def test_an_array_above_the_budget_is_refused_with_its_size(
    name: str, queries: int, keys: int, budget: int
) -> None:
    trace = huge(queries, keys)
    size, read = READS[name]
    nbytes, limit = size(trace.sites[0]), max(budget, 64 * MEBIBYTE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTNLAB_MEMORY", str(budget))
        patch.setattr(memory, "available", lambda: None)
        with NothingIsComputed(), pytest.raises((MemoryError, ComputedError)) as raised:
            read(trace, trace.sites[0])
    assert (raised.type is MemoryError) == (nbytes > limit)
    if nbytes > limit:
        words = str(raised.value)
        assert f"take {memory.readable(nbytes)}, above the budget of" in words
        assert words.endswith("or set ATTNLAB_MEMORY higher")


@pytest.mark.parametrize(("length", "refused"), [(4096, False), (4097, True)])
def test_the_boundary_is_exact(monkeypatch: pytest.MonkeyPatch, length: int, refused: bool) -> None:
    monkeypatch.setenv("ATTNLAB_MEMORY", "64M")
    (site,) = huge(length, 4096).sites
    with NothingIsComputed(), pytest.raises(MemoryError if refused else ComputedError):
        site.weights(0)


@pytest.mark.parametrize(("free", "refused"), [(128 * MEBIBYTE + 2 * 2**14, False), (2**27, True)])
def test_an_array_above_half_of_the_free_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, free: int, refused: bool
) -> None:
    monkeypatch.setattr(memory, "available", lambda: free)
    (site,) = huge(4097, 4096).sites
    with NothingIsComputed(), pytest.raises(MemoryError if refused else ComputedError) as raised:
        site.weights(0)
    if refused:
        assert "more than half of the 128 MiB of memory that are free" in str(raised.value)
        assert "row(query)" in str(raised.value)


def test_the_head_of_a_long_text_names_its_size_and_an_alternative(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ATTNLAB_MEMORY", raising=False)
    trace = huge(20_000, 20_000)
    with NothingIsComputed(), pytest.raises(MemoryError, match=r"20000 × 20000 take 1\.5 GiB"):
        trace.weights(layer=0, head=0)
    assert trace.row(0, 5).shape == (8, 20_000)
    assert trace.tile(0, 0, range(64), range(20_000), (64, 64)).shape == (64, 64)
    assert KINDS["topk"].describe(trace, 0, 0, 0).nbytes < 2 * MEBIBYTE


@pytest.mark.parametrize(
    ("meminfo", "limit", "used", "expected"),
    [
        ("MemTotal: 9 kB\nMemAvailable:    2048 kB\n", None, None, 2 * MEBIBYTE),
        ("MemAvailable: 2048 kB\n", "max", "5", 2 * MEBIBYTE),
        ("MemAvailable: 2048 kB\n", "1500000", "1000000", 500_100),
        ("MemAvailable: 2048 kB\n", "1500000", "1600000", 0),
        (None, None, None, None),
    ],
)
def test_free_memory_is_limited_by_system_and_container(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    meminfo: str | None,
    limit: str | None,
    used: str | None,
    expected: int | None,
) -> None:
    for name, content in [("meminfo", meminfo), ("memory.max", limit), ("memory.current", used)]:
        if content is not None:
            (tmp_path / name).write_text(content)
    (tmp_path / "memory.stat").write_text("anon 7\ninactive_file 100\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.available() == expected
