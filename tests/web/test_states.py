"""The panel says where it stands, and keeps what a person has arranged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.panel import FOX, Panel, Pixels

HOSTILE = [
    "<img src=x onerror=window.hacked=1>",
    "</script><script>window.hacked=1</script>",
    "&lt;b&gt;",
    "\u202eאבג",
    "👩‍👩‍👧",
    "␀",
    "${7*7}",
    "__proto__",
]


def test_hostile_text_is_shown_as_text(panel: Panel) -> None:
    bad = HOSTILE[0]
    panel.show(HOSTILE, model=bad, notes=[bad], cell=bad)
    assert panel.find("token").all_inner_texts() == HOSTILE
    panel.find("token", 0).hover()
    panel.find("head-key", 1).click()
    assert panel.find("head-query").locator("bdi").all_text_contents() == HOSTILE
    panel.page.evaluate("bad => lab.kernel.fail(bad, bad, bad, bad)", bad)
    panel.page.locator(".attnlab-notice").wait_for()
    assert panel.page.locator("#panel img, #panel script").count() == 0
    panel.page.evaluate("bad => lab.state.session.detach(bad, { remedy: bad })", bad)
    panel.frame()
    assert panel.page.locator("#panel img, #panel script").count() == 0
    assert panel.page.evaluate("window.hacked") is None


def test_an_empty_panel_explains_the_first_steps_and_tags_a_cell(panel: Panel) -> None:
    empty = panel.find("empty")
    assert "attention" in empty.inner_text()
    assert panel.status() == "none"
    panel.find("tag-cell").click()
    assert panel.page.evaluate("lab.did") == ["tag"]


def test_a_missing_package_comes_with_the_command_that_installs_it(panel: Panel) -> None:
    panel.page.evaluate(
        """lab.state.session.setStatus({ kind: 'dead', message: 'The kernel has no transformers.',
                                   remedy: 'pip install transformers' })"""
    )
    assert "The kernel has no transformers." in panel.find("empty").inner_text()
    panel.page.get_by_role("button", name="Copy").click()
    assert panel.page.evaluate("lab.did") == ["copy pip install transformers"]


def test_a_problem_without_a_trace_shows_cause_and_remedy(panel: Panel) -> None:
    panel.attach()
    panel.page.evaluate(
        "lab.kernel.fail('cell-2', 'No attention seen', 'It is a CNN.', 'Try BERT.')"
    )
    text = panel.find("empty").inner_text()
    assert all(part in text for part in ("No attention seen", "It is a CNN.", "Try BERT."))


def test_an_unresponsive_kernel_is_waited_for(panel: Panel) -> None:
    panel.page.evaluate("lab.kernel.delay = -1; lab.state.session.attach(lab.kernel)")
    assert panel.status() == "starting"
    panel.page.wait_for_selector("[data-testid=attnlab-status][data-kind=waiting]")
    assert "busy" in panel.find("empty").inner_text()


def test_an_outdated_view_is_marked(panel: Panel) -> None:
    panel.show()
    assert panel.page.locator("[data-stale]").count() == 0
    panel.page.evaluate("lab.kernel.fail('cell-2', 'The pass failed', 'ValueError', 'Mend it.')")
    panel.page.wait_for_selector("[data-testid=attnlab-status][data-kind=stale]")
    assert panel.page.locator(".attnlab-body[data-stale]").count() == 1
    assert "earlier run" in panel.page.locator(".attnlab-notice").inner_text()
    panel.run()
    panel.page.wait_for_selector("[data-testid=attnlab-status][data-kind=ready]")
    assert panel.page.locator("[data-stale]").count() == 0


def test_a_dead_kernel_leaves_its_views_and_shows_the_remedy(panel: Panel) -> None:
    panel.show()
    panel.page.evaluate("lab.state.session.detach('The kernel was restarted; run the cell again.')")
    panel.page.wait_for_selector("[data-testid=attnlab-status][data-kind=dead]")
    assert "run the cell again" in panel.page.locator(".attnlab-notice").inner_text()
    panel.find("token", 2).hover()
    assert panel.find("weight").count() == len(FOX)


def test_a_running_cell_is_shown_as_running(panel: Panel) -> None:
    panel.show()
    panel.page.evaluate("lab.kernel.busy('cell-2')")
    panel.page.wait_for_selector("[data-testid=attnlab-status][data-kind=running]")


def test_a_new_trace_keeps_selection_scroll_and_sizes_with_no_further_request(
    open_panel: Callable[..., Panel],
) -> None:
    panel = open_panel(height=600)
    panel.show(layers=24)
    panel.thumb(20, 3).click()
    panel.exact()
    panel.find("head-query", 4).click()
    bar = panel.page.get_by_role("separator", name="Height of the model view")
    bar.focus()
    panel.page.keyboard.press("ArrowUp")
    panel.page.wait_for_function("lab.kernel.subscription.query === 4")
    read = """() => ['.attnlab-model', '.attnlab-head'].map(name => {
      const box = document.querySelector(name);
      return [box.scrollTop, box.clientHeight];
    })"""
    before = panel.page.evaluate(read)
    assert before[0][0] > 0
    asked = panel.requests("trace/")
    panel.run([*FOX[:-1], "!", "[SEP]"], layers=24)
    panel.page.wait_for_function("lab.state.trace.value.id === 't2.0'")
    panel.exact()
    panel.frame()
    assert panel.page.evaluate(read) == before
    focus = panel.focus()
    assert (focus["site"], focus["head"], focus["query"]) == (20, 3, 4)
    assert panel.find("head-query", 4).get_attribute("aria-selected") == "true"
    assert panel.requests("trace/") == asked


def test_a_lost_push_is_recovered(panel: Panel) -> None:
    panel.show()
    panel.run(["one"], cell="cell-3", lost=True)
    panel.run(["two", "words"], cell="cell-4")
    panel.page.wait_for_function("lab.state.session.traces.value.length === 3")
    assert panel.requests("state") == 2
    assert panel.find("token").all_inner_texts() == ["two", "words"]


def test_a_cell_is_pinned_and_unpinned(panel: Panel) -> None:
    panel.show()
    panel.find("pin").click()
    panel.run(["other"], cell="cell-9")
    panel.frame()
    assert panel.find("token").count() == len(FOX)
    pin = panel.page.get_by_role("button", name="Pin this cell")
    assert pin.get_attribute("aria-pressed") == "true"
    assert pin.inner_text() == "pinned"
    pin.click()
    panel.frame()
    assert pin.get_attribute("aria-pressed") == "false"
    assert panel.find("token").all_inner_texts() == ["other"]


def test_a_pin_on_a_cell_without_a_trace_can_be_removed(panel: Panel) -> None:
    panel.page.evaluate("lab.state.follower.pin('gone-1')")
    panel.attach()
    panel.run()
    panel.frame()
    assert "recorded for the pinned cell" in panel.find("empty").inner_text()
    panel.find("pin").click()
    panel.exact()
    assert panel.find("token").count() == len(FOX)


def test_a_cell_is_named_by_its_prompt(panel: Panel) -> None:
    panel.show(execution=7)
    assert panel.find("cell").inner_text() == "cell [7]"
    panel.run(FOX, execution=0)
    panel.frame()
    assert panel.find("cell").inner_text() == "cell"
    panel.run(FOX, cell="gone-2", execution=9)
    panel.frame()
    assert panel.find("cell").inner_text() == "cell"


def test_a_failed_run_shows_cause_and_remedy_beside_the_old_view(panel: Panel) -> None:
    panel.show(execution=1)
    panel.page.evaluate("lab.kernel.fail('cell-2', 'It did not finish', 'IndexError', 'Mend it.')")
    notice = panel.page.locator(".attnlab-notice")
    notice.wait_for()
    text = notice.inner_text()
    assert all(part in text for part in ("It did not finish", "IndexError", "Mend it."))
    panel.page.evaluate("lab.kernel.fail('cell-5', 'That neither', 'KeyError', 'Mend that.')")
    panel.frame()
    assert "KeyError" in notice.inner_text()
    assert "cell [" in notice.inner_text()


def test_a_run_of_another_cell_without_a_trace_is_reported_beside_the_old_view(
    panel: Panel,
) -> None:
    panel.show(execution=1)
    title = "Cell [2] ran: no model call was found"
    why = ("cell-2nd", title, "The cell called no torch module.", "Call a model in the cell.")
    panel.page.evaluate("why => lab.kernel.fail(...why)", why)
    panel.page.wait_for_selector("[data-testid=attnlab-status][data-kind=stale]")
    notice = panel.page.locator(".attnlab-notice")
    for _ in range(2):
        assert title in notice.inner_text()
        assert "an earlier run of cell [1]" in notice.inner_text()
        assert "The cell called no torch module." in notice.inner_text()
        assert panel.page.locator(".attnlab-body[data-stale]").count() == 1
        # A reloaded page knows it too.
        panel.page.evaluate("lab.state.session.attach(lab.kernel)")
        panel.page.wait_for_selector("[data-testid=attnlab-status][data-kind=stale]")
    panel.run(cell="cell-2nd", execution=7)
    panel.page.wait_for_selector("[data-testid=attnlab-status][data-kind=ready]")
    assert notice.count() == 0


def test_several_calls_of_a_cell_are_picked_from(panel: Panel) -> None:
    panel.show(["first"], execution=7, call=0)
    assert panel.find("picker").count() == 0
    panel.run(["second", "call"], execution=7, call=1)
    panel.frame()
    assert panel.find("token").count() == 2
    panel.find("picker").select_option(index=0)
    panel.frame()
    assert panel.find("token").all_inner_texts() == ["first"]


@pytest.mark.parametrize("scheme", ["jupyterlab", "system"])
def test_a_change_of_theme_draws_the_thumbnails_again(
    open_panel: Callable[..., Panel], scheme: str
) -> None:
    panel = open_panel(keep=False)
    if scheme == "system":
        panel.page.evaluate(
            """() => { document.querySelector('link').remove();
                       delete document.body.dataset.jpThemeLight; }"""
        )
    panel.show()
    panel.frame()
    light = panel.layer(0)
    if scheme == "system":
        panel.page.emulate_media(color_scheme="dark")
    else:
        panel.page.evaluate("lab.theme('dark')")
    panel.rest()
    dark = panel.layer(0)

    def mean(picture: Pixels) -> float:
        side = picture.height
        return sum(picture.light(y, x) for y in range(side) for x in range(side)) / side**2 / 3

    assert mean(light) > 170
    assert mean(dark) < 90


def test_a_removed_panel_leaves_nothing(panel: Panel) -> None:
    panel.show()
    panel.page.evaluate("lab.until.abort(); lab.state.dispose(); lab.state.session.dispose()")
    assert panel.page.locator("#panel > *").count() == 0
    panel.page.wait_for_function("lab.kernel.subscription === null")
    assert panel.page.evaluate("lab.kernel.listeners") == 0


def test_a_hidden_panel_requests_nothing_and_catches_up(panel: Panel) -> None:
    panel.show()
    panel.page.evaluate("lab.state.visible.value = false")
    panel.page.wait_for_function("lab.kernel.subscription === null")
    panel.page.wait_for_function("lab.kernel.log.some(({ method }) => method === 'leave')")
    before = panel.requests()
    panel.run(["hidden", "run"])
    panel.rest()
    assert panel.requests() == before
    panel.page.evaluate("lab.state.visible.value = true")
    panel.exact()
    assert panel.find("token").all_inner_texts() == ["hidden", "run"]


def test_forced_colors_are_the_system_colors(open_panel: Callable[..., Panel]) -> None:
    panel = open_panel(forced_colors="active")
    panel.show(["only"])
    panel.frame()
    text = panel.page.evaluate(
        """() => { const e = document.body.appendChild(document.createElement('i'));
                   e.style.color = 'CanvasText'; return getComputedStyle(e).color; }"""
    )
    red, green, blue, _ = panel.layer(0).at(5, 5)
    assert text == f"rgb({red}, {green}, {blue})"
