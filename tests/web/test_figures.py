"""Saving and copying what a view shows, and the numbers behind it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page

from tests.web.panel import FOX, Panel

SVG = "{http://www.w3.org/2000/svg}"
N = len(FOX)
HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"/><image href="http://127.0.0.1:9/a.png" onerror="window.hacked = 1"/>',
    "]]><!--",
    "&lt;&amp;",
    "=HYPERLINK(1)",
    "\u202eturned",
    "漢字 👩‍👩‍👧",
]


def saved(panel: Panel, part: str, choice: str, into: Path) -> Path:
    """Save a view by its menu."""
    panel.find(f"figure-{part}").click()
    with panel.page.expect_download() as download:
        panel.page.locator(f"[data-choice={choice}]").click()
    file = into / download.value.suggested_filename
    download.value.save_as(file)
    return file


def texts(file: Path) -> list[str]:
    """All texts of an SVG, in order."""
    return [element.text or "" for element in ElementTree.parse(file).iter(f"{SVG}text")]


def table(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8"), newline="")))


def test_the_head_is_saved_with_its_tokens_as_text_and_its_curves(
    panel: Panel, tmp_path: Path
) -> None:
    panel.show()
    file = saved(panel, "head", "svg", tmp_path)
    assert file.name == "attention-head.svg"
    assert texts(file) == ["BertModel · layer 0, head 0", *FOX, *FOX]
    visible = [weight for weight in panel.weights(0, 0) if weight >= 0.004]
    assert len(list(ElementTree.parse(file).iter(f"{SVG}path"))) == len(visible)


def test_heads_that_are_drawn_together_are_saved_in_their_colors(
    panel: Panel, tmp_path: Path
) -> None:
    panel.show()
    panel.page.locator(".attnlab-head-box").nth(3).click()
    file = saved(panel, "head", "svg", tmp_path)
    paths = ElementTree.parse(file).iter(f"{SVG}path")
    assert len({path.get("stroke") for path in paths}) == 2
    assert {"0", "3"} <= set(texts(file))


def test_a_matrix_is_saved_as_one(panel: Panel, tmp_path: Path) -> None:
    panel.show()
    panel.page.evaluate("lab.state.display.head.value = 'matrix'")
    file = saved(panel, "head", "svg", tmp_path)
    images = list(ElementTree.parse(file).iter(f"{SVG}image"))
    assert len(images) == 1
    assert images[0].get("href", "").startswith("data:image/png;base64,")


def test_the_numbers_of_a_head_are_its_weights(panel: Panel, tmp_path: Path) -> None:
    panel.show()
    weights = panel.weights(0, 0)
    rows = table(saved(panel, "head", "csv", tmp_path))
    assert len(rows) == N * N
    for row in rows:
        query, key = int(row["query"]), int(row["key"])
        assert (row["query token"], row["key token"]) == (FOX[query], FOX[key])
        assert float(row["weight"]) == weights[query * N + key]


def test_the_numbers_of_a_query_add_up_to_its_weights(panel: Panel, tmp_path: Path) -> None:
    panel.show()
    panel.find("token", 3).click()
    panel.page.wait_for_selector("[data-testid=attnlab-figure-neuron]")
    rows = table(saved(panel, "neuron", "csv", tmp_path))
    query, *keys = rows
    width = sum(name.startswith("dimension") for name in query)
    weights = panel.weights(0, 0)
    for index, key in enumerate(keys):
        product = sum(
            float(query[f"dimension {i}"]) * float(key[f"dimension {i}"]) for i in range(width)
        )
        assert float(key["q·k"]) == pytest.approx(product, rel=1e-4, abs=1e-4)
        assert float(key["softmax"]) == weights[3 * N + index]
    assert "softmax" in texts(saved(panel, "neuron", "svg", tmp_path))


def test_the_model_is_saved_with_a_thumbnail_for_each_head(panel: Panel, tmp_path: Path) -> None:
    panel.show(layers=3, heads=4)
    file = saved(panel, "model", "svg", tmp_path)
    assert len(list(ElementTree.parse(file).iter(f"{SVG}image"))) == 12
    rows = table(saved(panel, "model", "csv", tmp_path))
    assert len(rows) == 12 * N
    first = [row for row in rows if (row["layer"], row["head"]) == ("2", "1")]
    weights = panel.weights(2, 1)
    for y, row in enumerate(first):
        for x in range(N):
            assert float(row[f"column {x}"]) == pytest.approx(weights[y * N + x], abs=1 / 255)


def test_a_png_is_as_wide_as_was_chosen(panel: Panel, tmp_path: Path) -> None:
    panel.show()
    panel.find("figure-head").click()
    panel.page.get_by_label("Width").select_option("360")
    with panel.page.expect_download() as download:
        panel.page.locator("[data-choice=png]").click()
    file = tmp_path / "a.png"
    download.value.save_as(file)
    data = file.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(data[16:20], "big") == 3 * 360


def test_hostile_tokens_are_verbatim_in_a_figure(
    open_panel: Callable[..., Panel], tmp_path: Path
) -> None:
    panel = open_panel()
    panel.show(HOSTILE)
    file = saved(panel, "head", "svg", tmp_path)
    assert texts(file)[1:] == [*HOSTILE, *HOSTILE]
    page: Page = panel.page.context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert page.evaluate("window.hacked") is None
    assert [url for url in asked if url.startswith("http")] == []
    rows = table(saved(panel, "head", "csv", tmp_path))
    assert rows[4]["key token"] == "'=HYPERLINK(1)"


def test_a_text_that_is_too_long_for_a_figure_is_refused(panel: Panel) -> None:
    panel.attach()
    panel.run([f"w{i}" for i in range(600)], layers=1, heads=1)
    panel.page.wait_for_function("lab.state.heads.all.value.length > 0")
    panel.find("figure-head").click()
    panel.page.locator("[data-choice=svg]").click()
    assert "CSV" in panel.page.get_by_role("alert").inner_text()


def test_escape_closes_the_menu_and_keeps_the_selection(panel: Panel) -> None:
    panel.show()
    panel.find("token", 3).click()
    panel.find("figure-head").click()
    panel.page.keyboard.press("ArrowDown")
    panel.page.keyboard.press("Escape")
    assert panel.page.get_by_role("menu").count() == 0
    assert panel.focus()["query"] == 3
    assert panel.page.evaluate("document.activeElement.dataset.testid") == "attnlab-figure-head"


@pytest.mark.parametrize("part", ["model", "head", "neuron"])
def test_each_view_explains_how_to_read_it(panel: Panel, part: str) -> None:
    panel.show()
    button = panel.page.locator(f"[data-testid=attnlab-help][data-part={part}]")
    assert panel.find("help-text").count() == 0
    button.click()
    assert len(panel.find("help-text").inner_text()) > 80
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert panel.find("help-text").count() == 0
