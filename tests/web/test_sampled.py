"""A long text's thumbnails are shown from a sample at once, and then from all of it."""

from __future__ import annotations

import pytest

from tests.web.panel import Panel

LONG = [f"w{i}" for i in range(200)]


@pytest.fixture
def sampled(panel: Panel) -> Panel:
    """A panel that a push has given sampled thumbnails, and whose kernel works on the rest."""
    panel.attach()
    panel.page.evaluate("lab.kernel.held.add('trace/thumbnails')")
    panel.run(LONG, layers=2, heads=4, samples=True)
    panel.exact()
    panel.find("sampled").wait_for()
    return panel


def test_sampled_thumbnails_are_shown_and_labeled(sampled: Panel) -> None:
    assert sampled.find("sampled").inner_text() == "sampled, refining…"
    assert "sample of the queries" in (sampled.find("sampled").get_attribute("title") or "")
    assert sampled.page.locator(".attnlab-model[aria-busy=true]").count() == 1
    sampled.frame()
    picture = sampled.layer(0)
    assert len({picture.at(y, 5) for y in range(picture.height)}) > 1


def test_complete_thumbnails_replace_sampled_ones(sampled: Panel) -> None:
    asked = "lab.kernel.log.filter(e => e.method === 'trace/thumbnails').map(e => e.params.sampled)"
    assert sampled.page.evaluate(asked) == [False]
    sampled.frame()
    before = sampled.layer(0)
    sampled.page.evaluate("lab.kernel.release()")
    sampled.find("sampled").wait_for(state="detached")
    sampled.frame()
    after = sampled.layer(0)
    assert after.data != before.data
    darker = sum(
        after.light(y, x) < before.light(y, x)
        for y in range(after.height)
        for x in range(after.height)
    )
    lighter = sum(
        after.light(y, x) > before.light(y, x)
        for y in range(after.height)
        for x in range(after.height)
    )
    assert darker > 0
    assert lighter == 0, "the whole picture holds every weight of the sampled one"
    assert sampled.requests("trace/thumbnails") == 1


def test_a_kernel_that_takes_long_shows_its_progress(sampled: Panel) -> None:
    sampled.page.evaluate("lab.kernel.progress(3, 8)")
    sampled.frame()
    assert sampled.find("sampled").inner_text() == "sampled, refining… 37%"
    sampled.page.evaluate("lab.kernel.progress(4, 0)")
    sampled.frame()
    assert sampled.find("sampled").inner_text() == "sampled, refining…"


def test_no_number_is_read_from_a_sampled_pixel(sampled: Panel) -> None:
    sampled.page.evaluate("lab.kernel.held.add('trace/head')")
    sampled.thumb(1, 2).click()
    sampled.find("head-query", 1).hover()
    sampled.frame()
    assert sampled.find("weight").count() == 0
    sampled.page.evaluate("lab.kernel.release()")
    sampled.exact()
    sampled.find("weight", 0).wait_for()


def test_a_head_that_takes_long_shows_its_progress(panel: Panel) -> None:
    panel.show()
    panel.page.evaluate("lab.kernel.held.add('trace/head')")
    panel.thumb(1, 2).click()
    panel.frame()
    assert panel.find("working").count() == 0
    panel.page.evaluate("lab.kernel.progress(1, 4)")
    panel.frame()
    assert panel.find("working").inner_text() == "computing… 25%"
    panel.page.evaluate("lab.kernel.release()")
    panel.exact()
    assert panel.find("working").count() == 0


def test_a_kernel_that_cannot_refine_gives_the_reason_and_the_sample_stays(sampled: Panel) -> None:
    sampled.page.evaluate("lab.kernel.traces = []; lab.kernel.release()")
    sampled.find("failure").wait_for()
    assert "gone" in sampled.find("failure").inner_text()
    assert sampled.find("sampled").inner_text() == "sampled"
    assert sampled.page.locator(".attnlab-model[aria-busy=false]").count() == 1


def test_thumbnails_without_sampling_are_requested_once(panel: Panel) -> None:
    panel.attach()
    panel.run(bare=True)
    panel.exact()
    panel.page.wait_for_function("lab.state.thumbnails.value.state === 'ready'")
    panel.frame()
    assert panel.requests("trace/thumbnails") == 1
    assert panel.find("sampled").count() == 0
