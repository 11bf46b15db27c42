"""What a screen reader announces: layer, head, token and weight, in every view, from the keyboard.

Read from Chromium's accessibility tree, which is what it hands to screen readers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.web.panel import FOX, Panel

# Roles at which the keyboard may stop.
STOPS = {
    "button", "combobox", "listbox", "grid", "gridcell", "option", "radio", "row", "slider",
    "separator", "DisclosureTriangle",
}  # fmt: skip


@dataclass
class Heard:
    """What is read aloud of one element."""

    role: str
    name: str
    states: dict[str, Any]


def value(part: dict[str, Any] | None) -> Any:
    """The value of one part of an accessible node."""
    return (part or {}).get("value")


def heard(panel: Panel) -> Heard:
    """The element that the keyboard is at: the focus, or what the focused one calls active."""
    panel.frame()
    session = panel.page.context.new_cdp_session(panel.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    at = next(
        node
        for node in nodes
        if node["role"]["value"] != "RootWebArea" and value(states(node).get("focused"))
    )
    related = states(at).get("activedescendant", {}).get("relatedNodes", [])
    for node in nodes:
        if related and node.get("backendDOMNodeId") == related[0]["backendDOMNodeId"]:
            at = node
    states_heard = {name: value(state) for name, state in states(at).items()}
    return Heard(value(at["role"]), value(at.get("name")) or "", states_heard)


def states(node: dict[str, Any]) -> dict[str, Any]:
    """States and relations of an accessible node, by name."""
    return {prop["name"]: prop["value"] for prop in node.get("properties", [])}


@pytest.fixture
def reading(panel: Panel) -> Panel:
    """A panel that shows head 0 of layer 0, and nothing selected."""
    panel.show()
    return panel


def press(panel: Panel, *keys: str) -> Heard:
    """Press keys one after the other; what is heard at the last."""
    for key in keys:
        panel.page.keyboard.press(key)
    return heard(panel)


def test_the_keyboard_reaches_every_control_and_each_says_what_it_is(reading: Panel) -> None:
    reading.page.evaluate("lab.state.selection.query.value = 3")
    stops = []
    for _ in range(60):
        reading.page.keyboard.press("Tab")
        if reading.page.evaluate("document.activeElement === document.body"):
            break
        stops.append(heard(reading))
    assert [stop for stop in stops if not stop.name or stop.role not in STOPS] == []
    names = [stop.name for stop in stops]
    for name in (
        "Pin this cell",
        "brown",  # the token that is selected, in the text and in the head's queries
        "layer 0, head 0",
        "Sort heads by",
        "Layer",
        "Head",
        "Head 0",
        "Share of each query’s weights to draw",
        "Height of the model view",
    ):
        assert any(said.startswith(name) for said in names), (name, names)
    assert len(stops) > 20


def test_a_screen_reader_gets_layer_and_head_of_a_thumbnail(reading: Panel) -> None:
    reading.thumb(0, 0).focus()
    said = press(reading, "ArrowRight", "ArrowDown", "ArrowDown")
    assert (said.role, said.name) == ("gridcell", "layer 2, head 1")
    assert said.states["selected"] is True
    assert press(reading, "Shift+ArrowRight").states["selected"] is False
    assert press(reading, "Shift+Enter").states["selected"] is True


def test_a_screen_reader_gets_the_weight_of_a_token(reading: Panel) -> None:
    reading.page.get_by_role("listbox", name="Tokens").focus()
    assert press(reading, "Home", "ArrowRight").name.startswith("the")
    press(reading, "Enter")
    weights = reading.weights(0, 0)
    for key in range(len(FOX)):
        label = reading.find("token", key).get_attribute("aria-label") or ""
        assert label.startswith(FOX[key])
        said = float(label.rsplit("weight ", 1)[1])
        assert said == pytest.approx(weights[1 * len(FOX) + key], rel=0.05)


def test_a_screen_reader_gets_token_and_weight_of_a_key(reading: Panel) -> None:
    reading.page.get_by_role("listbox", name="Queries of the head").focus()
    assert press(reading, "Home", "ArrowDown", "ArrowDown", "Enter").name.startswith("quick")
    reading.page.get_by_role("listbox", name="Keys of the head").focus()
    said = press(reading, "Home", "ArrowDown", "ArrowDown", "ArrowDown")
    assert said.role == "option"
    weight = reading.weights(0, 0)[2 * len(FOX) + 3]
    assert said.name.startswith("brown, weight ")
    assert float(said.name.split()[-1]) == pytest.approx(weight, rel=0.05)


def test_a_screen_reader_gets_both_tokens_and_the_weight_of_a_matrix_cell(reading: Panel) -> None:
    reading.page.get_by_role("radio", name="lines").focus()
    assert press(reading, "ArrowRight").name == "matrix"
    reading.page.wait_for_selector('[data-testid="attnlab-matrix"][data-exact=true]')
    reading.find("matrix").focus()
    assert heard(reading).name == "No cell selected; use the arrow keys to move"
    press(reading, "Home", "ArrowDown", "ArrowDown", "ArrowRight")
    said = heard(reading)
    assert said.role == "gridcell"
    assert said.name.startswith("query quick, key the, weight ")
    weight = reading.weights(0, 0)[2 * len(FOX) + 1]
    assert float(said.name.split()[-1]) == pytest.approx(weight, rel=0.05)
    grid = reading.page.get_by_role("grid", name="Weights of head 0: queries down, keys across")
    assert grid.get_attribute("aria-rowcount") == str(len(FOX))


def test_a_screen_reader_gets_token_and_weight_of_a_neuron_row(reading: Panel) -> None:
    reading.find("token", 4).click()
    reading.page.wait_for_selector('[data-testid="attnlab-neuron"][data-query="4"]')
    reading.find("neuron").focus()
    said = press(reading, "Home", "ArrowDown", "ArrowDown", "ArrowDown")
    assert said.role == "row"
    weight = reading.weights(0, 0)[4 * len(FOX) + 3]
    assert said.name.startswith("brown")
    assert float(said.name.split()[-1]) == pytest.approx(weight, rel=0.05)


def test_a_weight_that_is_selected_is_announced(reading: Panel) -> None:
    """What the pointer passes over is not."""
    live = reading.find("live")
    assert live.get_attribute("aria-live") == "polite"
    reading.find("token", 6).hover()
    reading.frame()
    assert live.inner_text() == ""
    reading.thumb(2, 3).click()
    reading.exact()
    reading.page.get_by_role("listbox", name="Queries of the head").focus()
    press(reading, "Home", "ArrowDown", "Enter")
    reading.page.get_by_role("listbox", name="Keys of the head").focus()
    press(reading, "End", "ArrowUp", "Enter")
    weight = reading.weights(2, 3)[1 * len(FOX) + 8]
    said = live.inner_text()
    assert said.startswith("the attends to dog: ")
    assert float(said.split()[-1]) == pytest.approx(weight, rel=0.05)
    # Whose weight it is, the view's heading says.
    assert "layer 2, head 3" in reading.page.locator(".attnlab-head-part h2").aria_snapshot()


def test_nothing_is_conveyed_by_color_alone(reading: Panel) -> None:
    reading.show(["[CLS]", "play", "##ing", "[PAD]"], sites=[{"method": "replay"}], nan=1)
    tree = reading.page.locator(".attnlab-panel").aria_snapshot()
    # A layer whose weights are not simply the model's own, and the state.
    assert "layer 0, replayed" in tree
    assert "- status" in tree
    reading.find("token", 1).click()
    assert "NaN" in (reading.find("token", 2).get_attribute("aria-label") or "")
    box = reading.page.get_by_role("button", name="Head 0", exact=True)
    assert box.get_attribute("aria-pressed") == "true"
