"""Hundreds of hostile strings in every view and every file: they stay text, and nothing runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page

from tests.web.hostile import ALL
from tests.web.panel import Panel
from tests.web.test_figures import SVG, saved, table

SIZE = -(-len(ALL) // 7)
BATCHES = [ALL[i : i + SIZE] for i in range(0, len(ALL), SIZE)]
OWN = ("blob:", "data:image/png;base64,")
"""What the page makes itself: files to be saved, and the pictures in them."""


class Watch:
    """Notes what a page does that no text may make it do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.done: list[str] = []
        page.on("request", self._ask)
        page.on("dialog", self._say)
        page.on("popup", self._open)

    def saw_nothing(self) -> None:
        """No script has run, and nothing was asked for."""
        self.page.wait_for_load_state()
        # A script that the text has started would run before the second frame.
        self.page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        assert self.page.evaluate("window.hacked") is None
        assert self.done == []

    def stop(self) -> None:
        """Note nothing more."""
        self.page.remove_listener("request", self._ask)
        self.page.remove_listener("dialog", self._say)
        self.page.remove_listener("popup", self._open)

    def _open(self, _: Page) -> None:
        self.done.append("a window")

    def _ask(self, request: Any) -> None:
        if not request.url.startswith(OWN):
            self.done.append(request.url)

    def _say(self, dialog: Any) -> None:
        self.done.append(f"a dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def watched(open_panel: Callable[..., Panel]) -> Iterator[Panel]:
    """A panel of which everything that it asks for is noted."""
    panel = open_panel(width=1400, height=3000)
    watch = Watch(panel.page)
    yield panel
    try:
        watch.saw_nothing()
    finally:
        watch.stop()


def hand_over(panel: Panel, strings: list[str]) -> None:
    """Bring strings into the page as `strings`, half surrogates and all."""
    panel.page.evaluate("text => { globalThis.strings = JSON.parse(text) }", json.dumps(strings))


def run(panel: Panel) -> None:
    """Run a cell where all that is text is hostile: the tokens are `strings`."""
    panel.page.evaluate(
        """() => {
          const [a, b, c, d, e, f] = strings;
          lab.kernel.run({ words: strings, model: a, cell: b, notes: [a], heads: 2,
                           sites: [{ name: c, uncertified: d }, { name: e, uncertified: f }] });
        }"""
    )
    panel.exact()


def differing(panel: Panel, selector: str, read: str = "e.textContent", said: str = "s") -> Any:
    """Which elements do not say their string, `s`, as it is."""
    return panel.page.evaluate(
        f"""selector => {{
          const read = e => {read};
          const all = [...document.querySelectorAll(selector)].map(read);
          const due = strings.map((s, i) => {said});
          return all.length === due.length
            ? due.flatMap((s, i) => all[i] === s ? [] : [[s, all[i]]])
            : [due.length, all];
        }}""",
        selector,
    )


def elements(panel: Panel) -> dict[str, list[str]]:
    """The kinds of elements in the panel, and the names of the attributes that each has."""
    return panel.page.evaluate(
        """() => {
          const kinds = {};
          for (const e of document.querySelectorAll('#panel, #panel *')) {
            kinds[e.localName] = [...new Set([...(kinds[e.localName] ?? []),
                                              ...e.getAttributeNames()])].sort();
          }
          return kinds;
        }"""
    )


def test_there_are_hundreds_of_different_hostile_strings() -> None:
    assert len(ALL) == len(set(ALL)) >= 300


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: repr(batch[0])[:20])
def test_every_view_shows_hostile_text_verbatim(watched: Panel, batch: list[str]) -> None:
    panel = watched
    panel.attach()
    hand_over(panel, batch)
    run(panel)
    assert differing(panel, "[data-testid=attnlab-token]") == []
    title = r"e.title.replace(/ \(\d+\)$/, '')"
    assert differing(panel, "[data-testid=attnlab-token]", title, "`${i}: ${s}`") == []
    for side in ("query", "key"):
        assert differing(panel, f"[data-testid=attnlab-head-{side}] bdi") == []
    assert panel.page.locator(".attnlab-notes li").evaluate("e => e.textContent === strings[0]")
    name = panel.page.locator(".attnlab-model-name > span").first
    assert name.evaluate("e => e.textContent === strings[0]")
    layer = panel.find("layer").first
    assert layer.evaluate("e => e.title.includes(strings[2]) && e.title.includes(strings[3])")
    panel.find("badge").click()
    assert panel.find("reason").evaluate("e => e.textContent === strings[3]")
    for index in (0, len(batch) // 2, len(batch) - 1):
        panel.page.evaluate("i => void (lab.state.selection.query.value = i)", index)
        panel.page.evaluate("i => void (lab.state.selection.key.value = i)", index)
        panel.page.wait_for_selector(f'[data-testid="attnlab-neuron"][data-query="{index}"]')
        spoken = f"(strings[{index}].trim() || strings[{index}])"
        for of in ("[data-testid=attnlab-neuron-query]", ".attnlab-readout-token"):
            assert panel.page.locator(of).first.evaluate(f"e => e.textContent === {spoken}")
    assert differing(panel, ".attnlab-neuron-row[data-index] bdi") == []
    panel.page.get_by_role("radio", name="matrix").check(force=True)
    panel.page.wait_for_selector("[data-testid=attnlab-matrix][data-exact=true]")
    for side in ("query", "key"):
        assert differing(panel, f"[data-testid=attnlab-matrix-{side}] bdi") == []


def test_notes_show_hostile_text_verbatim(watched: Panel) -> None:
    watched.attach()
    hand_over(watched, ALL)
    watched.page.evaluate("lab.kernel.run({ words: ['a', 'b'], notes: strings })")
    watched.page.wait_for_selector(".attnlab-notes li")
    assert differing(watched, ".attnlab-notes li") == []


def test_hostile_text_adds_no_element_and_no_attribute(watched: Panel) -> None:
    panel = watched
    panel.attach()
    kinds = []
    for strings in ([f"word {i}" for i in range(48)], ALL[:48], ALL[48:96]):
        hand_over(panel, strings)
        run(panel)
        panel.page.evaluate("lab.state.selection.query.value = 0")
        panel.page.wait_for_selector('[data-testid="attnlab-neuron"][data-query="0"]')
        panel.frame()
        kinds.append(elements(panel))
    assert all(kind == kinds[0] for kind in kinds)
    assert not {"a", "img", "script", "iframe", "link", "style", "form"} & kinds[0].keys()


STATES = {
    "a failed run without a picture": (
        "lab.kernel.fail('c', s, s, s)",
        "[data-testid=attnlab-empty] h2, [data-testid=attnlab-empty] p",
        2,
    ),
    "a kernel that is gone": (
        "lab.state.session.detach(s, { remedy: s })",
        "[data-testid=attnlab-empty] h2, .attnlab-remedy-box code",
        2,
    ),
    "what the host says": (
        "lab.state.session.setStatus({ kind: 'waiting', message: s })",
        "[data-testid=attnlab-empty] h2",
        1,
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_without_a_trace_shows_hostile_text_verbatim(
    watched: Panel, state: str
) -> None:
    act, selector, count = STATES[state]
    if state.startswith("a failed"):
        watched.attach()
    hand_over(watched, ALL)
    assert wrong(watched, act, selector, count) == []


def wrong(panel: Panel, act: str, selector: str, count: int, read: str = "e.textContent") -> Any:
    """Do `act` with each string `s`: which of them some element does not say as it is."""
    return panel.page.evaluate(
        f"""async ([selector, count]) => {{
          const wrong = [];
          for (const s of strings) {{
            {act};
            await new Promise(done => setTimeout(done));
            const all = [...document.querySelectorAll(selector)].map(e => {read});
            if (all.filter(text => text === s).length < count) {{
              wrong.push([s, all]);
            }}
          }}
          return wrong;
        }}""",
        [selector, count],
    )


def test_a_failed_run_shows_hostile_text_verbatim_beside_the_old_view(watched: Panel) -> None:
    watched.show()
    hand_over(watched, ALL)
    act = "lab.kernel.fail('cell-2', s, s, s)"
    said = ".attnlab-notice b, .attnlab-notice p"
    assert wrong(watched, act, said, 3) == []


def test_a_refused_request_shows_hostile_text_verbatim(watched: Panel) -> None:
    panel = watched
    panel.attach()
    hand_over(panel, ALL)
    panel.page.evaluate(
        """() => {
          const answer = lab.kernel.request.bind(lab.kernel);
          lab.kernel.request = async (method, ...more) => {
            if (['trace/head', 'trace/neuron'].includes(method)) {
              throw new Error(lab.why);
            }
            return answer(method, ...more);
          };
          lab.kernel.delay = 0;
          lab.state.selection.query.value = 0;
        }"""
    )
    # A trace of its own for each: what was refused once is not asked for again.
    act = """lab.why = s;
             lab.kernel.run({ words: ['a', 'b'], layers: 1, heads: 1 }, { bare: true });
             await new Promise(done => setTimeout(done, 5))"""
    said = "[data-testid=attnlab-failure] p, [data-testid=attnlab-neuron-refusal] p"
    read = "e.textContent.replace('This query failed to load. ', '')"
    assert wrong(panel, act, said, 2, read) == []


# --- files ----------------------------------------------------------------------------------


def in_xml(text: str) -> str:
    """The string as XML can hold it: most control characters have no place there at all."""
    return re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def in_utf8(text: str) -> str:
    """The string as a file in UTF-8 can hold it: half a surrogate pair has no code there."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def texts(file: Path) -> list[str]:
    """All texts of an SVG, in order."""
    return [element.text or "" for element in ElementTree.parse(file).iter(f"{SVG}text")]


@pytest.fixture
def filled(watched: Panel) -> Panel:
    """A panel on one text of all the strings, with a query taken apart."""
    watched.attach()
    hand_over(watched, ALL)
    run(watched)
    watched.page.evaluate("lab.state.selection.query.value = 1")
    watched.page.wait_for_selector("[data-testid=attnlab-figure-neuron]")
    return watched


PARTS = {"head": 2, "matrix": 0, "neuron": 1, "model": 0}
"""How often a figure of so many tokens has each of them."""


def view(panel: Panel, part: str) -> str:
    """Show a part, and name the one whose menu saves it."""
    if part == "matrix":
        panel.page.evaluate("lab.state.display.head.value = 'matrix'")
    return "head" if part == "matrix" else part


@pytest.mark.parametrize("part", PARTS)
def test_a_saved_svg_contains_hostile_text_as_text_and_is_safe_to_open(
    filled: Panel, tmp_path: Path, part: str
) -> None:
    file = saved(filled, view(filled, part), "svg", tmp_path)
    found = texts(file)
    due = [in_xml(text) for text in ALL]
    assert found[0].startswith(due[0])
    if part == "head":
        assert found[1:] == due + due
    elif part == "neuron":
        assert [text for text in found if text in set(due)].count(due[0]) >= 1
        assert set(due) <= set(found)
    is_safe(filled.page, file)


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: repr(batch[0])[:20])
def test_a_saved_matrix_contains_hostile_tokens_verbatim(
    watched: Panel, tmp_path: Path, batch: list[str]
) -> None:
    watched.attach()
    hand_over(watched, batch)
    run(watched)
    file = saved(watched, view(watched, "matrix"), "svg", tmp_path)
    due = [in_xml(text) for text in batch]
    assert texts(file)[1:] == due + due
    is_safe(watched.page, file)


def is_safe(page: Page, file: Path) -> None:
    """Opened as a document of its own, an SVG runs nothing and asks for nothing."""
    document = page.context.new_page()
    document.goto("about:blank")
    watch = Watch(document)
    document.goto(file.as_uri())
    kinds = document.evaluate(
        "[...new Set([...document.querySelectorAll('*')].map(e => e.localName))]"
    )
    assert set(kinds) <= {"svg", "title", "rect", "text", "path", "image"}
    names = document.evaluate(
        "[...new Set([...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()))]"
    )
    assert not [name for name in names if name.startswith("on")]
    assert watch.done.pop(0) == file.as_uri()
    watch.saw_nothing()
    document.close()


def test_a_printed_pdf_contains_hostile_text_as_text(filled: Panel) -> None:
    filled.page.evaluate(
        """() => new MutationObserver(([{ addedNodes: [frame] }]) => {
          globalThis.printed = globalThis.printed ?? frame?.srcdoc;
        }).observe(document.body, { childList: true })"""
    )
    filled.find("figure-head").click()
    filled.page.locator("[data-choice=pdf]").click()
    filled.page.wait_for_function("globalThis.printed !== undefined")
    # In a page that may run scripts, unlike the frame that is printed.
    document = filled.page.context.new_page()
    watch = Watch(document)
    document.set_content(filled.page.evaluate("printed"))
    found = document.locator("text").evaluate_all("all => all.map(e => e.textContent)")
    due = [in_xml(text) for text in ALL]
    assert found[1:] == due + due
    assert document.locator("script, img, iframe, a, object, embed, link").count() == 0
    watch.saw_nothing()


def test_hostile_text_does_not_keep_a_png_from_being_saved(filled: Panel, tmp_path: Path) -> None:
    for part in ("head", "model"):
        assert saved(filled, part, "png", tmp_path).read_bytes()[:4] == b"\x89PNG"


def guarded(text: str) -> str:
    """The string as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if re.match("[=+\\-@\t\r\n＝＋－＠]", text) else text


def test_a_csv_gives_hostile_text_back_and_no_cell_is_a_formula(
    filled: Panel, tmp_path: Path
) -> None:
    due = [guarded(in_utf8(text)) for text in ALL]
    assert sum(text.startswith("'") for text in due) >= 12
    count = len(ALL)
    rows = table(saved(filled, "head", "csv", tmp_path))
    assert len(rows) == count**2
    assert [row["key token"] for row in rows[:count]] == due
    assert [row["query token"] for row in rows[::count]] == due
    weights = filled.weights(0, 0)
    assert [float(row["weight"]) for row in rows] == list(weights)
    query, *keys = table(saved(filled, "neuron", "csv", tmp_path))
    assert query["token"] == "query"
    assert [key["token"] for key in keys] == due
    assert len(table(saved(filled, "model", "csv", tmp_path))) > 0
