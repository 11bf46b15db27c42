"""The traces that a kernel keeps, and the reasons for those that it has dropped."""

from __future__ import annotations

import threading

import pytest
import torch

from attnlab.capture.record.memory import budget
from attnlab.capture.record.terms import Mask
from attnlab.traces import store as stores
from attnlab.traces.store import Store
from tests.unit.attention_calls import plain, trace_of


def stored(name, cell="a", execution=1, length=1):
    return trace_of(plain(length), id=name, cell=cell, execution=execution)


def test_all_calls_of_one_run_are_kept_and_those_of_the_run_before_dropped():
    store = Store()
    assert store.add(stored("1", execution=1)) == []
    assert store.add(stored("2", execution=1)) == []
    assert store.add(stored("other", cell="b", execution=2)) == []
    assert store.add(stored("3", execution=3)) == ["1", "2"]
    assert [item.id for item in store.traces] == ["other", "3"]
    assert store.get("1") is None
    assert store.dropped("1") == "A newer run of its cell replaced it."
    assert store.dropped("3") is None
    assert store.dropped("never was") is None


def test_the_oldest_are_dropped_over_budget_but_never_the_newest():
    size = stored("x", length=100).nbytes
    store = Store(limit_bytes=2 * size)
    gone = [store.add(stored(name, cell=name, length=100)) for name in "abcd"]
    assert gone == [[], [], ["a"], ["b"]]
    assert store.nbytes == 2 * size
    assert store.dropped("a") == (
        "It was dropped to stay within 19 KiB (ATTNLAB_MEMORY) when the trace of Model in "
        "run [1] was added."
    )
    small = Store(limit_bytes=1)
    small.add(stored("alone"))
    assert [item.id for item in small.traces] == ["alone"]


def test_a_pinned_trace_is_kept_and_the_oldest_of_the_others_goes():
    size = stored("x", length=100).nbytes
    store = Store(limit_bytes=2 * size)
    store.add(stored("a", cell="a", length=100))
    store.pin("a")
    store.add(stored("b", cell="b", length=100))
    assert store.add(stored("c", cell="c", length=100)) == ["b"]
    assert store.add(stored("newer", cell="a", execution=2, length=100)) == ["c"]
    store.pin("newer")
    assert store.add(stored("d", cell="d", length=100)) == []  # it is the newest
    assert store.nbytes == 3 * size
    store.unpin("a")
    assert store.add(stored("e", cell="e", length=100)) == ["a", "d"]
    assert [item.id for item in store.traces] == ["newer", "e"]


def test_pinned_traces_count_towards_the_budget():
    size = stored("x", length=100).nbytes
    store = Store(limit_bytes=2 * size)
    for name in "abc":
        store.add(stored(name, cell=name, length=100))
        store.pin(name)
    assert store.nbytes == store.pinned_bytes == 3 * size
    assert store.add(stored("d", cell="d", length=100)) == []
    assert store.add(stored("e", cell="e", length=100)) == ["d"]
    store.unpin("a")
    store.unpin("b")
    assert store.pinned_bytes == size
    assert store.add(stored("f", cell="f", length=100)) == ["a", "b", "e"]


def test_an_unknown_trace_cannot_be_pinned():
    store = Store()
    store.pin("later")
    store.add(stored("later"))
    assert store.add(stored("newer", execution=2)) == ["later"]
    store.unpin("never was")


def test_discarding_a_pinned_trace_removes_its_pin():
    store = Store()
    store.add(stored("1"))
    store.pin("1")
    store.discard("1")
    store.discard("1")
    assert store.get("1") is None
    assert store.dropped("1") == "It was discarded."
    store.add(stored("1"))
    assert store.dropped("1") is None
    assert store.add(stored("2", execution=2)) == ["1"]


def test_the_reasons_for_the_last_dropped_traces_are_remembered(monkeypatch):
    monkeypatch.setattr(stores, "REMEMBERED", 3)
    store = Store()
    for number in range(6):
        store.add(stored(str(number), execution=number))
    assert [store.dropped(str(number)) is None for number in range(6)] == [
        *[True, True],
        *[False, False, False],
        True,
    ]


def test_threads_may_add_and_read_at_once():
    store = Store(limit_bytes=10 * stored("x").nbytes)
    adding = threading.Lock()  # Until it is pinned, another thread's trace may replace one.
    failures = []

    def use(cell):
        try:
            for number in range(50):
                with adding:
                    store.add(stored(f"{cell}-{number}", cell=cell, execution=number))
                    store.pin(f"{cell}-{number}")
                assert store.get(f"{cell}-{number}")
                assert store.traces
        except Exception as failure:  # noqa: BLE001 - shown by the main thread
            failures.append(failure)

    threads = [threading.Thread(target=use, args=(cell,)) for cell in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_memory_that_records_share_is_counted_once():
    mask = torch.ones(1, 1, 6, 6, dtype=torch.bool)
    one, two = plain(6, terms=[Mask(mask)]), plain(6, terms=[Mask(mask[..., :5])])
    actual = one.query.nbytes * 3
    assert trace_of(one).nbytes == actual + 36
    assert trace_of(one, two).nbytes == 2 * actual + 36
    # A view keeps the whole tensor in memory.
    assert trace_of(two).nbytes == actual + 36


@pytest.mark.parametrize(
    ("given_", "expected"),
    [("", 1 << 30), ("1000", 1000), ("512M", 512 << 20), ("2 GiB", 2 << 30), ("3kb", 3 << 10)],
)
def test_the_budget_is_read_from_the_environment(monkeypatch, given_, expected):
    monkeypatch.setenv("ATTNLAB_MEMORY", given_)
    assert Store().limit_bytes == expected


def test_a_budget_that_is_not_a_number_is_an_error_that_quotes_it(monkeypatch):
    monkeypatch.setenv("ATTNLAB_MEMORY", "much")
    with pytest.raises(ValueError, match=r"ATTNLAB_MEMORY must be .* not 'much'"):
        budget()
