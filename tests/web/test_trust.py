"""What is known of a picture's truth, and of where its tokens come from, is said beside it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.panel import FOX, Panel

REASON = "These weights do not give the model's own output: it differs by 0.3."


@pytest.mark.parametrize("tier", ["interface", "tap"])
def test_exact_weights_need_no_badge_and_the_tooltip_says_how_they_were_read(
    panel: Panel, tier: str
) -> None:
    panel.show(sites=[{"tier": tier}])
    assert panel.find("badge").count() == 0
    title = panel.page.locator(".attnlab-head-part .attnlab-subtitle").get_attribute("title") or ""
    assert ("tap" in title) == (tier == "tap")
    assert "own kernel" in title
    assert panel.find("layer").get_attribute("data-trust") is None


@pytest.mark.parametrize(
    ("site", "word", "reason"),
    [
        ({"tier": "replayed"}, "replayed", "second forward pass"),
        ({"tier": "output_attentions"}, "as returned", "As the model returned them; not checked."),
        ({"tier": "interface", "certificate": REASON}, "unverified", REASON),
        ({"tier": "tap", "certificate": REASON}, "unverified", REASON),
        ({"tier": "replayed", "certificate": REASON}, "unverified", REASON),
    ],
)
def test_other_weights_have_a_badge_that_gives_the_reason(
    panel: Panel, site: dict[str, Any], word: str, reason: str
) -> None:
    panel.show(sites=[site])
    badge = panel.find("badge")
    assert badge.inner_text() == word
    assert reason in (badge.get_attribute("title") or "")
    assert reason in (badge.get_attribute("aria-label") or "")
    badge.focus()
    panel.page.keyboard.press("Enter")
    assert reason in panel.find("reason").inner_text()
    panel.page.keyboard.press("Enter")
    assert panel.find("reason").count() == 0


def test_a_layer_that_is_not_exact_is_marked_in_the_model_view(panel: Panel) -> None:
    panel.show(sites=[{}, {"certificate": REASON}, {"tier": "replayed"}])
    assert panel.find("badge").count() == 0
    exact, open_, replayed = panel.find("layer").all()
    mark = "e => getComputedStyle(e, '::after').content"
    assert [at.evaluate(mark) for at in (exact, open_, replayed)] == ["none", '"!"', '"↻"']
    assert exact.get_attribute("aria-label") == "layer 0"
    assert open_.get_attribute("aria-label") == f"layer 1, unverified: {REASON}"
    assert REASON in (open_.get_attribute("title") or "")
    assert "second forward pass" in (replayed.get_attribute("title") or "")


def test_a_vision_tower_and_a_text_model_are_groups_with_their_names(panel: Panel) -> None:
    tower = {"stack": "model.vision_tower.layers.#.attn", "rows": 1, "columns": 1}
    text = {"stack": "model.language_model.layers.#.attn", "kind": "decoder"}
    sites = [{**tower, "layer": 0}, {**tower, "layer": 1}, {**text, "layer": 0}]
    patches = {"name": "patches", "words": [f"r{i // 3}c{i % 3}" for i in range(9)]}
    panel.show(sites=sites, heads=4, further=[patches])
    headings = panel.page.locator(".attnlab-group h3").all_inner_texts()
    assert headings == ["Encoder · vision_tower", "Decoder · language_model"]
    assert panel.find("token").count() == 9
    panel.thumb(2, 1).click()
    panel.exact()
    assert panel.find("token").all_inner_texts() == FOX
    panel.page.keyboard.press("ArrowUp")
    assert panel.focus()["site"] == 1


def test_a_tower_that_is_called_twice_has_a_row_for_each_call(panel: Panel) -> None:
    panel.show(sites=[{"layer": layer} for layer in (0, 1, 0, 1)], heads=4)
    rows = [row.get_attribute("aria-label") for row in panel.find("layer").all()]
    assert rows == ["layer 0", "layer 0, call 2", "layer 1", "layer 1, call 2"]
    assert panel.page.locator(".attnlab-group").count() == 1
    assert "2 layers" in panel.page.locator(".attnlab-model-part h2").inner_text().lower()
    panel.thumb(2, 3).click()
    panel.exact()
    panel.find("head-query", 1).hover()
    n = len(FOX)
    assert panel.printed() == {k: panel.weights(2, 3)[n + k] for k in range(n)}


def test_where_the_models_own_text_begins_is_marked(panel: Panel) -> None:
    panel.show(generated=6)
    mark = "e => getComputedStyle(e, '::before').width"
    assert [panel.find("token", i).evaluate(mark) for i in (5, 6, 7)] == ["auto", "2px", "auto"]
    for where in ("token", "head-query"):
        titles = [panel.find(where, i).get_attribute("title") or "" for i in (5, 6, 7)]
        assert "model" not in titles[0]
        assert "from here on" in titles[1]
        assert "written by the model" in titles[2]
    panel.run(FOX)
    panel.page.wait_for_function("lab.state.trace.value.id === 't2.0'")
    panel.frame()
    assert panel.page.locator("[data-written]").count() == 0
